/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the tables of cases share: answers from text into the store, queries
 * from text into frames.
 *
 * Contract: one struct env a program; a test's own mistakes end it.
 */
#ifndef NODENS_TEST_CASES_H
#define NODENS_TEST_CASES_H

#include "harness.h"
#include "wire.h"

static struct env env;

#define C(x) NODENS_CTR_##x

struct stored {
	const char *qname;
	uint16_t qtype, flags;
	uint8_t key_flags;
	const char *section[3];
	uint32_t ttl_s;
};

static inline struct answer *decode(const struct stored *s)
{
	struct wire_message m = { .id = 1,
				  .flags = s->flags,
				  .qname = s->qname,
				  .qtype = s->qtype,
				  .section = { s->section[0], s->section[1], s->section[2] } };
	static uint8_t wire[DNS_MAX_MSG];
	struct dns_name qname = wire__name(s->qname);
	struct answer *answer = NULL;
	enum verdict got_verdict;
	size_t len = wire__build(wire, &m);

	dns_name__lower(&qname);
	if (answer__decode(wire, len, &qname, s->qtype, s->key_flags, &got_verdict, &answer) ||
	    !answer)
		die(s->qname);
	return answer;
}

static inline int kind_of(const struct stored *s)
{
	return s->section[0] ? NODENS_POSITIVE : NODENS_NEGATIVE;
}

struct edns {
	uint16_t size; /* 0: no OPT */
	uint8_t version;
	bool dnssec_ok;
	const uint8_t *options;
	uint16_t options_len;
};

static inline size_t build_query(uint8_t *msg, const char *qname, uint16_t qtype, uint16_t flags,
				 const struct edns *edns)
{
	struct dns_name name = wire__name(qname);
	uint8_t *p = msg;

	put16(p, 0xbeef);
	put16(p + 2, flags);
	put16(p + 4, 1);
	put16(p + 6, 0);
	put16(p + 8, 0);
	put16(p + 10, edns && edns->size);
	memcpy(p + 12, name.wire, name.len);
	p += 12 + name.len;
	put16(p, qtype);
	put16(p + 2, 1);
	p += 4;
	if (edns && edns->size) {
		*p = 0;
		put16(p + 1, 41);
		put16(p + 3, edns->size);
		p[5] = 0;
		p[6] = edns->version;
		put16(p + 7, edns->dnssec_ok ? 0x8000 : 0);
		put16(p + 9, edns->options_len);
		memcpy(p + 11, edns->options, edns->options_len);
		p += 11 + edns->options_len;
	}
	return p - msg;
}

static inline bool ask(enum test_hook hook, const char *qname, int vlans, struct frame *in,
		       struct run *run)
{
	static uint8_t msg[1024];
	struct frame_spec spec = { .dns = msg,
				   .vlans = vlans,
				   .dns_len = build_query(msg, qname, 1, DNS_RD, NULL) };

	frame__build(in, &spec);
	run_frame(&env, hook, in, run);
	return run->retval == sent_back(hook);
}

static inline uint32_t ttl_of(const struct run *run, size_t dns)
{
	ldns_pkt *pkt = wire__parse(run->out.at + dns, run->out.len - dns);
	uint32_t ttl = 0;

	if (pkt && ldns_pkt_ancount(pkt))
		ttl = ldns_rr_ttl(ldns_rr_list_rr(ldns_pkt_answer(pkt), 0));
	ldns_pkt_free(pkt);
	return ttl;
}

#endif /* NODENS_TEST_CASES_H */
