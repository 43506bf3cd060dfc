// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Whatever an upstream sends, once stored by the agent's code, comes out of the
 * kernel as ldns reads it in the upstream's own message, TTLs and what nodens
 * leaves out aside; and byte for byte as the agent itself would have answered.
 *
 * Usage: test_property [ROUNDS [SEED]]: repeatable; a failure names its seed.
 */
#include "harness.h"
#include "index_fixture.h"
#include "parts.h"
#include "records.h"
#include "sample.h"
#include "dns/slot.h"

static struct env env;
#define BUFSIZE 4096 /* the harness's, and the default */

static unsigned int n_hits, n_truncated, n_partial, n_missed, n_unpublished;

static void random_query(const struct sample *s, struct dns_query *query)
{
	*query = (struct dns_query){
		.id = rnd(65536), .qname = s->qname, .qtype = s->qtype, .qclass = 1, .edns = rnd(2)
	};
	for (size_t i = 0; i < query->qname.len; i++)
		if (dns_lower(query->qname.wire[i]) >= 'a' &&
		    dns_lower(query->qname.wire[i]) <= 'z')
			query->qname.wire[i] ^= rnd(2) << 5;
	query->flags = (rnd(2) ? DNS_RD : 0) | (rnd(2) ? DNS_CD : 0) | (rnd(2) ? DNS_AD : 0);
	query->edns_do = query->edns && rnd(2);
	query->edns_size = query->edns ? rnd(3) ? rnd(1500) : rnd(65536) : 0;
	query->key_flags =
		(query->edns_do ? NODENS_KEY_DO : 0) | (query->flags & DNS_CD ? NODENS_KEY_CD : 0);
}

static size_t write_query(const struct dns_query *q, uint8_t *msg)
{
	uint8_t *p = msg + 12;

	put16(msg, q->id);
	put16(msg + 2, q->flags);
	put16(msg + 4, 1);
	put16(msg + 6, 0);
	put16(msg + 8, 0);
	put16(msg + 10, q->edns);
	memcpy(p, q->qname.wire, q->qname.len);
	p += q->qname.len;
	put16(p, q->qtype);
	put16(p + 2, 1);
	p += 4;
	if (q->edns) {
		*p = 0;
		put16(p + 1, 41);
		put16(p + 3, q->edns_size);
		put16(p + 5, 0);
		put16(p + 7, q->edns_do ? 0x8000 : 0);
		put16(p + 9, 0);
		p += 11;
	}
	return p - msg;
}

static size_t limit_of(const struct dns_query *q)
{
	size_t size = q->edns_size < BUFSIZE ? q->edns_size : BUFSIZE;

	return size > 512 ? size : 512;
}

/*
 * A zero octet inside a label ends the program's scan early: such a name, which
 * nothing but a test asks for, goes on as it came.
 */
static bool zero_inside(const struct dns_name *name)
{
	return memchr(name->wire, 0, name->len) != name->wire + name->len - 1;
}

/* NULL, or what is wrong with the whole reply as ldns reads it. */
static const char *whole_wrong(const struct sample *s, const uint8_t *msg, size_t len)
{
	ldns_pkt *pkt = wire__parse(msg, len);
	const char *wrong = NULL;

	if (!pkt)
		return "ldns cannot read it";
	if (!records__same(ldns_pkt_answer(s->expected), ldns_pkt_answer(pkt)))
		wrong = "answer section";
	else if (!records__same(ldns_pkt_authority(s->expected), ldns_pkt_authority(pkt)))
		wrong = "authority section";
	else if (!records__same(ldns_pkt_additional(s->expected), ldns_pkt_additional(pkt)))
		wrong = "additional section";
	ldns_pkt_free(pkt);
	return wrong;
}

/* What the slot has where that is not all; NULL: it has all, or nothing is there. */
static struct answer *part_in_slot(const struct answer *answer)
{
	uint64_t hash = question__hash((const uint64_t *)env.ctl->hash_key, &answer->qname,
				       answer->qtype, answer->key_flags);
	struct store_maps maps;
	union slot_buf buf;
	uint32_t number;

	datapath__store_maps(env.datapath, &maps);
	if (!fixture_find(maps.index_fd, hash, &number))
		return NULL;
	memset(&buf, 0, sizeof(buf));
	if (!env__slot(&env, number, &buf))
		return NULL;
	return buf.slot.partial ? answer__from_slot(&buf.slot) : NULL;
}

/*
 * The reply is what the agent makes of the slot; that of the whole answer cut by the rule's second
 * writing, but that a slot with a part of a set may begin at another of its records.
 */
static const char *bytes_wrong(const struct dns_query *query, const struct answer *answer,
			       const struct answer *part, uint32_t ttl_s, const uint8_t *got,
			       size_t len)
{
	static uint8_t whole[DNS_MAX_MSG], want[DNS_MAX_MSG];
	const struct answer *slot = part ? part : answer;
	struct reply_options opts = { .limit = limit_of(query), .ttl_s = ttl_s };
	size_t whole_len, cut;

	if (slot->rot_count)
		opts.rotate = nodens_rotation(query->id, slot->rot_count);
	if (reply__build(want, sizeof(want), query, slot, &opts) != (int)len ||
	    memcmp(want, got, len))
		return "not the bytes that the agent would send";
	opts.limit = DNS_MAX_MSG;
	whole_len = reply__build(whole, sizeof(whole), query, answer, &opts);
	cut = parts__cut(whole, whole_len, query->edns, limit_of(query), want);
	if (cut != len || memcmp(want, got, 12 + query->qname.len + 4))
		return "not as many records as fit";
	if (!(part && answer->rot_count) && memcmp(want, got, len))
		return "not the first records";
	return NULL;
}

/* NULL, or what is wrong with records beside TC: each is one of the whole's, and none is there
 * twice. */
static const char *part_wrong(const struct sample *s, const uint8_t *msg, size_t len)
{
	ldns_pkt *pkt = wire__parse(msg, len);
	const char *wrong = NULL;

	if (!pkt)
		return "ldns cannot read it";
	if (!records__among(ldns_pkt_answer(s->expected), ldns_pkt_answer(pkt)))
		wrong = "answer section";
	else if (!records__among(ldns_pkt_authority(s->expected), ldns_pkt_authority(pkt)))
		wrong = "authority section";
	else if (!records__among(ldns_pkt_additional(s->expected), ldns_pkt_additional(pkt)))
		wrong = "additional section";
	ldns_pkt_free(pkt);
	return wrong;
}

static const char *check_hook(enum test_hook hook, const struct sample *s,
			      const struct dns_query *query, const struct answer *answer,
			      const struct answer *part, uint32_t ttl_s, bool published)
{
	static uint8_t msg[1024];
	struct frame_spec spec = { .dns = msg, .ip6 = rnd(2), .vlans = rnd(3) ? 0 : rnd(3) };
	size_t rest = 12 + query->qname.len + 4 + (query->edns ? 11 : 0);
	static char why[256];
	struct frame in;
	struct run run;
	const uint8_t *got;
	const char *wrong;
	bool truncated;
	size_t len;

	spec.dns_len = write_query(query, msg);
	frame__build(&in, &spec);
	run_frame(&env, hook, &in, &run);
	if (zero_inside(&query->qname))
		return run.moved[NODENS_CTR_QNAME] == 1 && unchanged(&in, &run) ? NULL
										: "zero inside";
	/* the agent has more for this client than the slot */
	if (!published || (part && limit_of(query) >= rest + part->more_len)) {
		n_missed += published;
		return run.moved[NODENS_CTR_MISS] == 1 && unchanged(&in, &run) ? NULL : "no miss";
	}
	got = run.out.at + in.dns;
	truncated = got[2] & 2;
	if (!counted(&run, truncated ? NODENS_CTR_HIT_TC : NODENS_CTR_HIT, -1, why, sizeof(why)))
		return why;
	if (run.retval != sent_back(hook))
		return "action";
	len = run.out.len - in.dns;
	if (!reply_frame_ok(&in, &run, len, why, sizeof(why)))
		return why;
	wrong = bytes_wrong(query, answer, part, ttl_s, got, len);
	if (wrong)
		return wrong;
	n_truncated += truncated;
	n_partial += part != NULL;
	return answer__size(answer, query->edns) > limit_of(query) ? part_wrong(s, got, len)
								   : whole_wrong(s, got, len);
}

static void one_round(uint64_t seed)
{
	static struct sample s;
	enum verdict got_verdict;
	struct answer *answer = NULL, *copy = NULL, *part;
	struct dns_query query;
	struct dns_name lower;
	uint32_t ttl_s;
	bool published;
	int kind;

	sample__make(&s, seed);
	random_query(&s, &query);
	lower = s.qname;
	dns_name__lower(&lower);
	ttl_s = 2 + rnd(100000);
	if (answer__decode(s.wire, s.len, &lower, s.qtype, query.key_flags, &got_verdict,
			   &answer) ||
	    answer__decode(s.wire, s.len, &lower, s.qtype, query.key_flags, &got_verdict, &copy) ||
	    got_verdict != s.want) {
		verdict(false, "seed %lu: decode", (unsigned long)seed);
		sample__free(&s);
		return;
	}
	kind = got_verdict == VERDICT_POSITIVE ? NODENS_POSITIVE : NODENS_NEGATIVE;
	published = !store__put(env.store, answer,
				&(struct store_put){ .kind = kind, .ttl_s = ttl_s }, mono_ns());
	part = part_in_slot(copy);
	for (int hook = 0; hook < TEST_HOOKS; hook++) {
		const char *wrong;

		if (env.fd[hook] < 0)
			continue;
		env__beat(&env);
		wrong = check_hook(hook, &s, &query, copy, part, ttl_s, published);
		verdict(!wrong, "%s, seed %lu, type %u: %s", hook_name[hook], (unsigned long)seed,
			s.qtype, wrong ? wrong : "");
	}
	n_unpublished += !published;
	n_hits += published;
	answer__free(part);
	answer__free(copy);
	sample__free(&s);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? atoi(argv[1]) : 4000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;

	env__open(&env, NULL, 65536);
	for (unsigned int i = 0; i < rounds && n_failed < 20; i++) {
		one_round(seed + i);
		if (i % 256 == 255) /* let retired slots through their grace period */
			store__tick(env.store, mono_ns());
	}
	printf("property: %u stored and asked for, %u not published; replies: %u truncated, %u out "
	       "of "
	       "a part, %u left to the agent\n",
	       n_hits, n_unpublished, n_truncated, n_partial, n_missed);
	if (n_hits < rounds / 2 || n_truncated < rounds / 50 || n_partial < rounds / 50 ||
	    n_missed < rounds / 100)
		verdict(false, "the samples do not exercise the kernel");
	env__close(&env);
	return closing_line();
}
