// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of the words of `nodens trace`, and of queries that wait for the agent's word: what matches
 * exactly, that the programs' filter lets through no less, what is no word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dns/msg.h"
#include "nodens_abi.h"
#include "watch/pending.h"
#include "watch/words.h"
#include "wire.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static int parse(const char *line, struct words *words, struct error *err)
{
	static char copy[512], *argv[32];
	char *save = NULL;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	return words__parse(argc, argv, words, err);
}

struct what {
	const char *qname;
	uint16_t qtype;
	int rcode; /* -1: no reply */
	const char *client;
	uint8_t kind, outcome, flags;
	uint32_t took_us;
	const char *pod, *dev;
};

static struct watch_event event_of(const struct what *w)
{
	struct watch_event e = { .kind = w->kind,
				 .outcome = w->outcome,
				 .flags = w->flags,
				 .has_client = true,
				 .has_header = true,
				 .has_question = true,
				 .qname = wire__name(w->qname),
				 .qtype = w->qtype,
				 .is_reply = w->rcode >= 0,
				 .rcode = w->rcode < 0 ? 0 : w->rcode,
				 .took_us = w->took_us };

	e.client.family = strchr(w->client, ':') ? AF_INET6 : AF_INET;
	inet_pton(e.client.family, w->client, &e.client.v4);
	return e;
}

#define HIT  NODENS_EVENT_ANSWERED, NODENS_CTR_HIT
#define SAID NODENS_EVENT_AGENT, NODENS_CTR_MISS
#define ASK  NODENS_EVENT_TO_AGENT, NODENS_CTR_MISS
#define PASS NODENS_EVENT_PASSED, NODENS_CTR_STEER_DEAD
#define C4   "10.244.1.2"
#define C6   "fd00:10:244::2"

static const struct what seen[] = {
	{ "www.Example.org.", 1, 0, C4, HIT, 0, 0, "shop/cart-7d9f", "veth12" },
	{ "example.org.", 28, 0, C6, HIT, NODENS_EVENT_IP6, 0, "shop/web-1", "veth13" },
	{ "notexample.org.", 1, 3, C4, HIT, NODENS_EVENT_NX_BELOW, 0, NULL, "eth0" },
	{ "a.b.example.org.", 1, 0, C4, HIT, NODENS_EVENT_STALE, 0, NULL, NULL },
	{ "miss.example.org.", 1, 2, "10.245.0.9", SAID, 0, 50001, "x/y", "veth12" },
	{ "late.example.org.", 1, -1, C4, SAID, NODENS_EVENT_TIMEOUT, 5004123, NULL, NULL },
	{ "cached.example.org.", 1, 0, C4, SAID, NODENS_EVENT_CACHED, 12, NULL, NULL },
	{ "tcp.example.org.", 16, 0, C4, NODENS_EVENT_AGENT, NODENS_CTR_TCP, 0, 900, NULL, NULL },
	{ "asked.example.org.", 1, -1, C4, ASK, 0, 0, NULL, NULL },
	{ "passed.example.org.", 1, -1, C4, PASS, 0, 0, NULL, "veth12" },
	{ "vers.example.org.", 1, 16, C4, SAID, 0, 20, NULL, NULL },
	{ "dead.example.org.", 1, 2, C4, SAID, NODENS_EVENT_TIMEOUT, 5000000, NULL, NULL },
};

/* Which of the above each line of words wants, by their letters from a. */
static const struct {
	const char *words, *want;
} lines[] = {
	{ "", "abcdefghijkl" },
	{ "name www.example.org", "a" },
	{ "name WWW.example.org.", "a" },
	{ "name *.example.org", "adefghijkl" },
	{ "name example.org", "b" },
	{ "type AAAA", "b" },
	{ "type TXT name *.org", "h" },
	{ "rcode NXDOMAIN", "c" },
	{ "rcode servfail", "el" },
	{ "rcode NOERROR", "abdgh" },
	{ "rcode !NOERROR", "cel" },
	{ "rcode BADVERS", "k" },
	{ "rcode !BADVERS", "abcdeghl" },
	{ "pod shop/*", "ab" },
	{ "pod shop/cart-7d9f", "a" },
	{ "client 10.244.1.2", "acdfghijkl" },
	{ "client 10.244.0.0/15", "acdefghijkl" },
	{ "client 0.0.0.0/0", "acdefghijkl" },
	{ "client fd00:10::/32", "b" },
	{ "dev veth*", "abej" },
	{ "dev veth12", "aej" },
	{ "outcome hit", "abg" },
	{ "outcome stale,cut", "cd" },
	{ "outcome miss", "efikl" },
	{ "outcome tcp", "h" },
	{ "outcome passed", "j" },
	{ "outcome hit|passed", "abgj" },
	{ "slower 50ms", "efl" },
	{ "slower 50001us", "fl" },
	{ "slower 5s", "f" },
	{ "unanswered", "fil" },
	{ "unanswered slower 1s", "fl" },
	{ "unanswered rcode SERVFAIL", "l" },
	{ "unanswered name asked.example.org", "i" },
	{ "outcome miss rcode SERVFAIL client 10.245.0.0/16", "e" },
};

/* What bpf/observe.bpf.h does with a filter, but for the device. */
static bool let_through(const struct nodens_filter *f, const struct watch_event *e)
{
	struct dns_name lower = e->qname;
	uint8_t client[16] = { [10] = 0xff, [11] = 0xff }, part[16];

	if (e->client.family == AF_INET)
		memcpy(client + 12, &e->client.v4, 4);
	else
		memcpy(client, &e->client.v6, 16);
	for (int i = 0; i < 16; i++)
		part[i] = client[i] & ((const uint8_t *)f->client_mask)[i];
	dns_name__lower(&lower);
	return f->kinds >> e->kind & 1 && f->outcomes >> e->outcome & 1 &&
	       (f->rcodes == NODENS_ALL_RCODES ||
		(e->is_reply && f->rcodes >> (e->rcode & 15) & 1)) &&
	       (!f->qtype || f->qtype == htons(e->qtype)) && !memcmp(part, f->client, 16) &&
	       (!f->suffix_len ||
		(f->suffix_len <= lower.len &&
		 !memcmp(lower.wire + lower.len - f->suffix_len, f->suffix, f->suffix_len)));
}

static void test_match(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct nodens_filter filter = { .outcomes = UINT64_MAX,
						.kinds = UINT32_MAX,
						.rcodes = NODENS_ALL_RCODES,
						.one_in = 1 };
		char got[ARRAY_SIZE(seen) + 1] = "";
		struct words words;
		struct error err;

		assert_int_equal(parse(lines[i].words, &words, &err), 0);
		words__filter(&words, &filter);
		for (size_t n = 0; n < ARRAY_SIZE(seen); n++) {
			struct watch_event e = event_of(&seen[n]);
			struct words_client client = { seen[n].pod, seen[n].dev };

			if (!words__match(&words, &e, &client))
				continue;
			got[strlen(got)] = 'a' + n;
			if (!let_through(&filter, &e))
				fail_msg("%s: the programs keep %s back", lines[i].words,
					 seen[n].qname);
		}
		if (strcmp(got, lines[i].want))
			fail_msg("%s: %s, not %s", lines[i].words, got, lines[i].want);
	}
}

/* Of what was passed on, with what came back. */
static void test_replies(void **state)
{
	static const struct {
		const char *words;
		bool waiting, answered, in_vain; /* whether it is one to show */
	} cases[] = {
		{ "", true, true, true },
		{ "rcode NXDOMAIN", false, true, false },
		{ "rcode !NXDOMAIN", false, false, false },
		{ "slower 2ms", false, true, false },
		{ "slower 4ms", false, false, false },
		{ "unanswered", false, false, true },
		{ "outcome passed rcode NXDOMAIN", false, true, false },
		{ "outcome hit", false, false, false },
	};
	struct what w = { "a.example.org.", 1, -1, C4, PASS, 0, 0, NULL, NULL };
	struct watch_event query = event_of(&w), answered = query, in_vain = query;
	const struct words_client nobody = { NULL, NULL };
	struct watch_event reply = { .time_ns = 3000999, .rcode = DNS_NXDOMAIN, .is_reply = true };

	(void)state;
	event__replied(&answered, &reply);
	assert_int_equal(answered.took_us, 3000);
	in_vain.no_reply = true;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nodens_filter filter = { .outcomes = UINT64_MAX,
						.kinds = UINT32_MAX,
						.rcodes = NODENS_ALL_RCODES };
		struct words words;
		struct error err;

		assert_int_equal(parse(cases[i].words, &words, &err), 0);
		words.replies = true;
		words__filter(&words, &filter);
		assert_int_equal(words__match(&words, &query, &nobody), cases[i].waiting);
		assert_int_equal(words__match(&words, &answered, &nobody), cases[i].answered);
		assert_int_equal(words__match(&words, &in_vain, &nobody), cases[i].in_vain);
		if ((cases[i].answered || cases[i].in_vain) && !let_through(&filter, &query))
			fail_msg("%s: the programs keep the query back", cases[i].words);
	}
}

/* Longer than the programs compare. */
static void test_long_name(void **state)
{
	struct what w = {
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbb."
		"example.org.",
		1,
		0,
		C4,
		HIT,
		0,
		0,
		NULL,
		NULL
	};
	struct nodens_filter filter = { .rcodes = NODENS_ALL_RCODES };
	struct watch_event e = event_of(&w);
	struct words words;
	struct error err;
	char line[300];

	(void)state;
	snprintf(line, sizeof(line), "name %s", w.qname);
	assert_int_equal(parse(line, &words, &err), 0);
	words__filter(&words, &filter);
	assert_int_equal(filter.suffix_len, NODENS_SUFFIX_MAX);
	assert_memory_equal(filter.suffix, e.qname.wire + e.qname.len - NODENS_SUFFIX_MAX,
			    NODENS_SUFFIX_MAX);
	assert_true(words__match(&words, &e, &(struct words_client){ NULL, NULL }));
}

static void test_refused(void **state)
{
	static const struct {
		const char *line, *what;
	} wrong[] = {
		{ "nam x", "is no word" },
		{ "name", "needs NAME" },
		{ "name a..b", "is no name" },
		{ "type NONSENSE", "is no type" },
		{ "rcode OK", "is no rcode" },
		{ "pod cart", "is no pod" },
		{ "client 10.244.0", "is no address" },
		{ "client 10.244.0.0/33", "is no address" },
		{ "client 10.244.0.0/", "is no address" },
		{ "client fd00::/129", "is no address" },
		{ "outcome hits", "is none of" },
		{ "outcome hit,", NULL },
		{ "outcome ,", "is none of" },
		{ "slower 50", "is no time" },
		{ "slower ms", "is no time" },
		{ "slower -5ms", "is no time" },
		{ "slower 99999999999s", "longer than an hour" },
		{ "type A type AAAA", "given twice" },
	};
	struct words words;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		int ret = parse(wrong[i].line, &words, &err);

		if (!wrong[i].what)
			assert_int_equal(ret, 0);
		else if (ret != -EINVAL || !strstr(err.text, wrong[i].what))
			fail_msg("%s: %d, %s", wrong[i].line, ret, ret ? err.text : "");
	}
}

static void test_help(void **state)
{
	char text[1024];

	(void)state;
	words__help(text, sizeof(text));
	assert_true(strstr(text, "name NAME") && strstr(text, "unanswered") &&
		    strlen(text) < sizeof(text) - 1);
}

/* ---- queries that wait ---- */

#define S 1000000000ull

static unsigned int n_shown, last_id;

static void on_shown(void *ctx, const struct watch_event *query)
{
	(void)ctx;
	n_shown++;
	last_id = query->id;
}

static struct watch_event ask(unsigned int id, uint64_t at_ns)
{
	struct what w = { "new.example.org.", 1, -1, C4, ASK, 0, 0, NULL, NULL };
	struct watch_event e = event_of(&w);

	e.id = id;
	e.client_port = 4711 + (id >> 16);
	e.time_ns = at_ns;
	return e;
}

static void test_pending(void **state)
{
	struct pending *pending;
	struct watch_event a = ask(1, S), b = ask(2, 2 * S), other = ask(3, 2 * S);

	(void)state;
	n_shown = 0;
	assert_int_equal(pending__open(on_shown, NULL, &pending), 0);
	pending__add(pending, &a);
	pending__add(pending, &b);
	pending__tick(pending, 6 * S);
	assert_int_equal(n_shown, 0);
	/* its question in another case is the same */
	a.qname.wire[1] = 'N';
	assert_true(pending__end(pending, &a));
	assert_true(pending__end(pending, &other)); /* of one that was lost */
	pending__tick(pending, 7 * S);
	assert_int_equal(n_shown, 0);
	pending__tick(pending, 8 * S);
	assert_true(n_shown == 1 && last_id == 2);
	assert_false(pending__end(pending, &b)); /* too late */
	assert_true(pending__end(pending, &b));	 /* another one of the same ID */
	/* asked twice: two */
	a.time_ns = b.time_ns = 9 * S;
	pending__add(pending, &b);
	pending__add(pending, &b);
	assert_true(pending__end(pending, &b));
	pending__tick(pending, UINT64_MAX);
	assert_true(n_shown == 2 && last_id == 2);
	pending__tick(pending, UINT64_MAX);
	assert_int_equal(n_shown, 2);
	pending__close(pending);
}

/* More than there is room for: each is shown once all the same. */
static void test_pending_full(void **state)
{
	struct pending *pending;

	(void)state;
	n_shown = 0;
	assert_int_equal(pending__open(on_shown, NULL, &pending), 0);
	for (unsigned int i = 0; i < 3 * PENDING_MAX; i++) {
		struct watch_event e = ask(i, S + i);

		pending__add(pending, &e);
		/* every other is answered at once */
		if (i % 2)
			assert_true(pending__end(pending, &e));
		if (i % 4096 == 0)
			pending__tick(pending, S + i);
	}
	pending__tick(pending, UINT64_MAX);
	assert_int_equal(n_shown, 3 * PENDING_MAX / 2);
	pending__close(pending);
}

/* A reply without a question, as FORMERR, is of the query with its ID and port, and gets its name.
 */
static void test_pending_no_question(void **state)
{
	struct pending *pending;
	struct watch_event a = ask(1, S), b = ask(2, S), said = ask(2, S), other = ask(1, S);

	(void)state;
	n_shown = 0;
	assert_int_equal(pending__open(on_shown, NULL, &pending), 0);
	b.ifindex = 12;
	pending__add(pending, &a);
	pending__add(pending, &b);
	said.has_question = other.has_question = false;
	said.qtype = other.qtype = 0;
	other.client_port++;
	assert_true(pending__end(pending, &said));
	assert_true(said.has_question && said.qtype == 1 && said.ifindex == 12);
	assert_true(dns_name__equal(&said.qname, &b.qname));
	assert_true(pending__end(pending, &other));
	assert_false(other.has_question);
	pending__tick(pending, UINT64_MAX);
	assert_true(n_shown == 1 && last_id == 1);
	pending__close(pending);
}

/* A reply to a query that was passed on: that query, the oldest of those that are alike, once. */
static void test_pending_taken(void **state)
{
	struct pending *pending;
	struct watch_event first = ask(1, S), again = ask(1, 2 * S), other = ask(2, S), query;

	(void)state;
	n_shown = 0;
	assert_int_equal(pending__open(on_shown, NULL, &pending), 0);
	pending__add(pending, &first);
	pending__add(pending, &again);
	assert_false(pending__take(pending, &other, &query));
	assert_true(pending__take(pending, &first, &query));
	assert_int_equal(query.time_ns, S);
	pending__tick(pending, 8 * S);
	assert_int_equal(n_shown, 1);
	assert_false(pending__take(pending, &first, &query)); /* too late */
	assert_false(pending__take(pending, &first, &query));
	pending__tick(pending, UINT64_MAX);
	assert_int_equal(n_shown, 1);
	pending__close(pending);
}

/* One packet again and again: each is found at once, those that were answered are not looked at. */
static void test_pending_repeated(void **state)
{
	struct pending *pending;
	struct watch_event e = ask(1, S);
	clock_t before = clock();

	(void)state;
	n_shown = 0;
	assert_int_equal(pending__open(on_shown, NULL, &pending), 0);
	for (unsigned int i = 0; i < 2 * PENDING_MAX; i++)
		pending__add(pending, &e);
	assert_int_equal(n_shown, PENDING_MAX);
	for (unsigned int i = 0; i < PENDING_MAX; i++)
		assert_true(pending__end(pending, &e));
	for (unsigned int i = 0; i < 8 * PENDING_MAX; i++) {
		pending__add(pending, &e);
		assert_true(pending__end(pending, &e));
	}
	pending__tick(pending, UINT64_MAX);
	assert_int_equal(n_shown, PENDING_MAX);
	/* of some 400,000 calls; a walk of all that are alike takes minutes */
	assert_true(clock() - before < 5 * CLOCKS_PER_SEC);
	pending__close(pending);
}

/* What was answered makes room: one that waits from before is not pushed out by it. */
static void test_pending_answered_go_first(void **state)
{
	struct pending *pending;
	struct watch_event first = ask(1, S);

	(void)state;
	n_shown = 0;
	assert_int_equal(pending__open(on_shown, NULL, &pending), 0);
	pending__add(pending, &first);
	for (unsigned int i = 2; i < 2 * PENDING_MAX; i++) {
		struct watch_event e = ask(i, S);

		pending__add(pending, &e);
		assert_true(pending__end(pending, &e));
	}
	assert_int_equal(n_shown, 0);
	assert_true(pending__end(pending, &first));
	pending__tick(pending, UINT64_MAX);
	assert_int_equal(n_shown, 0);
	pending__close(pending);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_pending_full),
		cmocka_unit_test(test_pending_no_question),
		cmocka_unit_test(test_pending_taken),
		cmocka_unit_test(test_pending_repeated),
		cmocka_unit_test(test_pending_answered_go_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
