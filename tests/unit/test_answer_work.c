// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What messages of 64 KB cost that are made to cost much, beside an honest one of that size.
 *
 * Contract: CPU time of this thread, the least of several rounds, and only ratios are compared.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "plugin/cname.h"
#include "plugin/dns64.h"
#include "plugin/rewrite.h"
#include "plugin_fixture.h"

#define ROUNDS	   9
#define ROUNDS_MAX 400
#define ALIASES	   11
#define RATIO_MAX  6
#define VALUES	   2000
#define HEADER	   16		      /* of an A record whose owner is a pointer */
#define FULL	   (DNS_MAX_MSG - 64) /* room for what writing it anew may need */

static uint8_t msg[DNS_MAX_MSG];
static size_t len;

static void put_u16(unsigned int value)
{
	msg[len++] = value >> 8;
	msg[len++] = value;
}

/* A name of 255 octets, labels of @label octets; @n tells it from others. */
static void put_long_name(unsigned int label, unsigned int n)
{
	unsigned int left = DNS_MAX_NAME - 1;

	while (left) {
		unsigned int size = left > label + 1 ? label : left - 1;

		if (left - size - 1 == 1)
			size--;
		msg[len++] = size;
		memset(msg + len, 'a', size);
		msg[len] = 'a' + n % 26;
		len += size;
		left -= size + 1;
	}
	msg[len++] = 0;
}

static void begin(uint16_t qtype)
{
	static const uint8_t name[] = "\1q\4test";

	memset(msg, 0, DNS_HEADER);
	msg[2] = 0x81;
	msg[3] = 0x80;
	msg[5] = 1;
	len = DNS_HEADER;
	memcpy(msg + len, name, sizeof(name));
	len += sizeof(name);
	put_u16(qtype);
	put_u16(DNS_CLASS_IN);
}

static void count_more(unsigned int section, unsigned int n)
{
	uint8_t *at = msg + 6 + 2 * section;
	unsigned int sum = (at[0] << 8 | at[1]) + n;

	at[0] = sum >> 8;
	at[1] = sum;
}

/* The fixed part behind the owner, with a TTL of 60. */
static void put_fixed(uint16_t type, uint16_t rdata_len)
{
	put_u16(type);
	put_u16(DNS_CLASS_IN);
	put_u16(0);
	put_u16(60);
	put_u16(rdata_len);
}

/* CNAMEs from the question to @n long names, one after the other; where the last one is. */
static unsigned int put_aliases(unsigned int n, unsigned int label)
{
	unsigned int owner = DNS_HEADER;

	for (unsigned int i = 0; i < n; i++) {
		put_u16(0xc000 | owner);
		put_fixed(DNS_TYPE_CNAME, DNS_MAX_NAME);
		owner = len;
		put_long_name(label, i);
		count_more(0, 1);
	}
	return owner;
}

/* A records until the message is full, all at @owner; @chained: by a pointer to the one before. */
static void fill_a(unsigned int owner, bool chained)
{
	unsigned int n = 0, to = owner;

	for (; len + HEADER <= FULL; n++) {
		unsigned int at = len;

		put_u16(0xc000 | to);
		/* at most 100 pointers one after the other, all within reach */
		if (chained && at < 0x3fff)
			to = n % 100 == 99 ? owner : at;
		put_fixed(DNS_TYPE_A, 4);
		put_u16(n);
		put_u16(1);
	}
	count_more(0, n);
}

static void make_honest(void)
{
	begin(DNS_TYPE_A);
	fill_a(DNS_HEADER, false);
}

static void make_long_names(void)
{
	begin(DNS_TYPE_A);
	fill_a(put_aliases(ALIASES, 63), false);
}

static void make_many_labels(void)
{
	begin(DNS_TYPE_A);
	fill_a(put_aliases(ALIASES, 1), false);
}

static void make_chained_pointers(void)
{
	begin(DNS_TYPE_A);
	fill_a(put_aliases(ALIASES, 63), true);
}

static void make_too_long_a_chain(void)
{
	begin(DNS_TYPE_A);
	fill_a(put_aliases(40, 63), false);
}

/* Records of MX, each with a long name, and addresses in the additional section for all of them. */
static void make_targets(void)
{
	unsigned int n = 0, target[26];

	begin(15);
	for (; len < 0x3800; n++) {
		put_u16(0xc000 | DNS_HEADER);
		put_fixed(15, 2 + DNS_MAX_NAME);
		put_u16(n);
		target[n % 26] = len;
		put_long_name(3, n);
	}
	count_more(0, n);
	for (n = 0; len + HEADER <= FULL; n++) {
		put_u16(0xc000 | target[n % 26]);
		put_fixed(DNS_TYPE_A, 4);
		put_u16(n);
		put_u16(1);
	}
	count_more(2, n);
}

/* Name servers without end. */
static void make_authority(void)
{
	unsigned int n = 0;

	begin(DNS_TYPE_A);
	for (; len + HEADER <= FULL; n++) {
		put_u16(0xc000 | DNS_HEADER);
		put_fixed(DNS_TYPE_NS, 2);
		put_u16(0xc000 | DNS_HEADER);
	}
	n = n > ANSWER_MAX_RR ? ANSWER_MAX_RR : n;
	count_more(1, n);
}

/* Hosts without end, each with a long name of its own that the last one's end is part of. */
static void make_values(void)
{
	unsigned int n = 0, to = 0;

	begin(DNS_TYPE_MX);
	for (; n < VALUES; n++) {
		put_u16(0xc000 | DNS_HEADER);
		if (!n) {
			put_fixed(DNS_TYPE_MX, 2 + DNS_MAX_NAME);
			put_u16(n);
			to = len + 64;
			put_long_name(63, n);
			continue;
		}
		put_fixed(DNS_TYPE_MX, 2 + 4 + 2);
		put_u16(n);
		msg[len++] = 3;
		msg[len++] = 'a' + n % 26;
		msg[len++] = 'a' + n / 26 % 26;
		msg[len++] = 'a' + n / 676 % 26;
		put_u16(0xc000 | to);
	}
	count_more(0, n);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/*
 * Of one decoding, the least of ROUNDS, or of as many more as it takes to come to @enough: on a
 * busy machine most rounds are slow, but no round of what is not near linear is ever fast. And what
 * becomes of it.
 */
static uint64_t cost(uint64_t enough, int *err, enum verdict *verdict)
{
	struct dns_name qname;
	uint64_t best = UINT64_MAX;

	assert_int_equal(dns_name__from_text(&qname, "q.test."), 0);
	for (int i = 0; i < ROUNDS || (i < ROUNDS_MAX && best > enough); i++) {
		struct answer *answer = NULL;
		uint64_t start = cpu_ns(), took;

		*err = answer__decode(msg, len, &qname,
				      msg[DNS_HEADER + 8 + 0] << 8 | msg[DNS_HEADER + 9], 0,
				      verdict, &answer);
		took = cpu_ns() - start;
		best = took < best ? took : best;
		answer__free(answer);
	}
	return best;
}

static void test_near_linear(void **state)
{
	static const struct {
		const char *name;
		void (*make)(void);
		int err;
		enum verdict verdict;
	} rows[] = {
		{ "11 aliases of 255 octets, A", make_long_names, 0, VERDICT_POSITIVE },
		{ "names of 127 labels", make_many_labels, 0, VERDICT_POSITIVE },
		{ "chained pointers", make_chained_pointers, 0, VERDICT_POSITIVE },
		{ "40 aliases", make_too_long_a_chain, 0, VERDICT_PASS },
		{ "MX with addresses", make_targets, -EBADMSG, VERDICT_PASS },
		{ "4,096 NS", make_authority, 0, VERDICT_PASS },
	};
	enum verdict verdict;
	uint64_t honest;
	int err;

	(void)state;
	make_honest();
	honest = cost(UINT64_MAX, &err, &verdict);
	assert_int_equal(err, 0);
	print_message("    honest: %llu us\n", (unsigned long long)honest / 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t took;

		verdict = VERDICT_PASS;
		rows[i].make();
		took = cost(RATIO_MAX * honest, &err, &verdict);
		print_message("    %s: %llu us, %d, %d\n", rows[i].name,
			      (unsigned long long)took / 1000, err, verdict);
		if (getenv("WORK_ONLY_SAY"))
			continue;
		assert_int_equal(err, rows[i].err);
		assert_int_equal(verdict, rows[i].verdict);
		assert_true(took <= RATIO_MAX * honest);
	}
}

/* ---- and what is made of them in blocks that change answers ---- */

struct change {
	const char *directives; /* NULL: what a template's CNAME led to */
	bool too_much;		/* in messages of long labels: it comes to the limit */
	struct plugin_fixture local;
	struct rewrite *rewrite;
	struct rewrite_result *result;
	struct dns_name qname; /* the client's */
};

static void open_change(struct change *c)
{
	char text[512];

	snprintf(text, sizeof(text), ". {\n%s\n}\n", c->directives ? c->directives : "");
	plugin_fixture_open(&c->local, text);
	c->qname = name_of("q.test.");
	if (c->local.block->rewrites_len) {
		struct plugin_query query = { &c->qname, DNS_TYPE_A, DNS_CLASS_IN, 0, NULL };

		if (strstr(c->directives, "orig"))
			c->qname = name_of("q.orig.");
		assert_int_equal(rewrite__open(c->local.block->rewrites,
					       c->local.block->rewrites_len, &c->rewrite,
					       &c->local.err),
				 0);
		c->result = rewrite__apply(c->rewrite, &query);
		assert_non_null(c->result);
	}
}

static void close_change(struct change *c)
{
	rewrite_result__free(c->result);
	rewrite__close(c->rewrite);
	plugin_fixture_close(&c->local);
	c->rewrite = NULL;
	c->result = NULL;
}

static int make_change(const struct change *c, const struct answer *answer, struct answer **out)
{
	enum verdict verdict = VERDICT_POSITIVE;
	struct answer *first;
	int ret;

	if (c->rewrite)
		return rewrite__revert(c->rewrite, c->result, answer, &c->qname, answer->qtype, 0,
				       &verdict, out);
	if (c->directives)
		return dns64__synthesize(&c->local.block->dns64, answer, NULL, &c->qname, 0, out);
	first = upstream_answer("t.test.", "A", 0, "t.test. 60 IN CNAME q.test.", NULL, &verdict);
	ret = cname__join(first, answer, &verdict, out);
	answer__free(first);
	return ret;
}

/* Of one change, as cost(). */
static uint64_t change_cost(const struct change *c, uint64_t enough, int *err)
{
	struct dns_name qname = name_of("q.test.");
	enum verdict verdict;
	struct answer *answer;
	uint64_t best = UINT64_MAX;

	assert_int_equal(
		answer__decode(msg, len, &qname, msg[DNS_HEADER + 9], 0, &verdict, &answer), 0);
	for (int i = 0; i < ROUNDS || (i < ROUNDS_MAX && best > enough); i++) {
		struct answer *made = NULL;
		uint64_t start = cpu_ns(), took;

		*err = make_change(c, answer, &made);
		took = cpu_ns() - start;
		best = took < best ? took : best;
		answer__free(made);
	}
	answer__free(answer);
	return best;
}

/* What is made of 3,900 honest addresses may cost more by what each record costs a rule. */
#define CHANGE_RATIO_MAX 12

static void test_changes_are_near_linear(void **state)
{
	static const struct {
		const char *name;
		void (*make)(void);
	} messages[] = {
		{ "honest", make_honest },
		{ "11 aliases of 255 octets, A", make_long_names },
		{ "names of 127 labels", make_many_labels },
		{ "long values", make_values },
	};
	struct change changes[] = {
		{ .directives = "rewrite ttl q.test 5" },
		{ .directives = "rewrite name q.orig q.test" },
		{ .directives = "rewrite name suffix .orig .test answer auto" },
		{ .directives = "rewrite name regex (.*)[.]orig {1}.test answer name (.*)[.]test "
				"{1}.orig value (.*)[.]test {1}.orig" },
		/* some 200,000 steps for each value, of which there are 2,000 */
		{ .directives =
			  "rewrite name regex (.*)[.]orig {1}.test answer value (a|a){10}x|0 z",
		  .too_much = true },
		{ .directives = "dns64" },
		{ .directives = NULL },
	};
	enum verdict verdict;
	uint64_t honest;
	int err;

	(void)state;
	make_honest();
	honest = cost(UINT64_MAX, &err, &verdict);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct change *c = &changes[i];

		open_change(c);
		for (size_t k = 0; k < sizeof(messages) / sizeof(messages[0]); k++) {
			uint64_t took;

			messages[k].make();
			took = change_cost(c, CHANGE_RATIO_MAX * honest, &err);
			print_message("    %s: %s: %llu us, %d\n",
				      c->directives ? c->directives : "CNAME of a template",
				      messages[k].name, (unsigned long long)took / 1000, err);
			if (getenv("WORK_ONLY_SAY"))
				continue;
			/* AAAA records are longer, and other than addresses dns64 leaves alone */
			if (c->directives && !strcmp(c->directives, "dns64"))
				assert_int_equal(err, messages[k].make == make_values ? -ENOENT
										      : -EMSGSIZE);
			else if (c->too_much && messages[k].make != make_honest &&
				 messages[k].make != make_many_labels)
				assert_int_equal(err, -ELOOP);
			else
				assert_int_equal(err, 0);
			assert_true(took <= CHANGE_RATIO_MAX * honest);
		}
		close_change(c);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_near_linear),
		cmocka_unit_test(test_changes_are_near_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
