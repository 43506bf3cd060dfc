/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Random messages as upstreams send them, made by ldns, each with what a client must get of it.
 *
 * Contract: repeatable: sample__make() of the same seed makes the same message. Answers of many
 * types, alias chains in any order, negatives, long and odd names, records that nodens leaves out.
 */
#ifndef NODENS_TEST_SAMPLE_H
#define NODENS_TEST_SAMPLE_H

#include "dns/answer.h"
#include "wire.h"

#define MAX_NAMES 8

static uint64_t rng_state;

static inline uint32_t rnd(uint32_t below)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (rng_state >> 20) % below;
}

/* One message: what upstream sends, and what of it must come out in the reply. */
struct sample {
	struct dns_name qname;
	uint16_t qtype, flags;
	enum verdict want;
	bool rotates;
	ldns_pkt *sent, *expected;
	uint8_t wire[DNS_MAX_MSG];
	size_t len;
};

/* A name of at most @room octets: labels of any octets, letters mostly. */
static inline void random_name(struct dns_name *name, const struct dns_name *parent, size_t room)
{
	static const uint8_t letters[] = "abcdefghijklmnopqrstuvwxyz0123-_ABC";
	size_t at = 0;

	for (int labels = 1 + rnd(3); labels > 0; labels--) {
		size_t len = rnd(8) ? 1 + rnd(9) : 1 + rnd(63);

		if (at + 1 + len + parent->len > room)
			break;
		name->wire[at++] = len;
		while (len--)
			name->wire[at++] = rnd(30) ? letters[rnd(sizeof(letters) - 1)] : rnd(256);
	}
	memcpy(name->wire + at, parent->wire, parent->len);
	name->len = at + parent->len;
}

static inline ldns_rdf *name_rdf(const struct dns_name *name)
{
	return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, name->len, name->wire);
}

/* Rdata in wire form, names uncompressed: how ldns is told, type by type, in one way. */
struct rdata {
	uint8_t octets[2048];
	size_t len;
};

static inline void add_octets(struct rdata *rdata, size_t len)
{
	while (len--)
		rdata->octets[rdata->len++] = rnd(256);
}

static inline void add_name(struct rdata *rdata, const struct dns_name *name)
{
	memcpy(rdata->octets + rdata->len, name->wire, name->len);
	rdata->len += name->len;
}

static inline void add_string(struct rdata *rdata, size_t len)
{
	rdata->octets[rdata->len++] = len;
	add_octets(rdata, len);
}

static inline ldns_rr *make_rr(const struct dns_name *owner, uint16_t type,
			       const struct rdata *rdata)
{
	uint8_t wire[DNS_MAX_NAME + 10 + sizeof(rdata->octets)], *p = wire;
	uint32_t ttl = 1 + rnd(100000);
	ldns_rr *rr = NULL;
	size_t pos = 0;

	memcpy(p, owner->wire, owner->len);
	p += owner->len;
	for (int shift = 8; shift >= 0; shift -= 8)
		*p++ = type >> shift;
	*p++ = 0;
	*p++ = DNS_CLASS_IN;
	for (int shift = 24; shift >= 0; shift -= 8)
		*p++ = ttl >> shift;
	*p++ = rdata->len >> 8;
	*p++ = rdata->len & 0xff;
	memcpy(p, rdata->octets, rdata->len);
	p += rdata->len;
	wire__must(ldns_wire2rr(&rr, wire, p - wire, &pos, LDNS_SECTION_ANSWER) == LDNS_STATUS_OK,
		   "a random record");
	return rr;
}

static inline void push(struct sample *s, ldns_pkt_section section, ldns_rr *rr, bool expected)
{
	if (expected)
		ldns_pkt_push_rr(s->expected, section, ldns_rr_clone(rr));
	ldns_pkt_push_rr(s->sent, section, rr);
}

static inline void push_plain(struct sample *s, ldns_pkt_section section,
			      const struct dns_name *owner, uint16_t type, bool expected)
{
	struct rdata rdata = { .len = 0 };

	if (type == DNS_TYPE_TXT)
		for (int strings = 1 + rnd(3); strings > 0; strings--)
			add_string(&rdata, rnd(4) ? rnd(20) : rnd(256));
	else
		add_octets(&rdata, type == DNS_TYPE_A ? 4 : type == DNS_TYPE_AAAA ? 16 : rnd(60));
	push(s, section, make_rr(owner, type, &rdata), expected);
}

static inline void push_naming(struct sample *s, ldns_pkt_section section,
			       const struct dns_name *owner, uint16_t type,
			       const struct dns_name *target, bool expected)
{
	struct rdata rdata = { .len = 0 };

	add_octets(&rdata, type == DNS_TYPE_SRV ? 6 : type == DNS_TYPE_MX ? 2 : 0);
	if (type == 35) { /* NAPTR */
		add_octets(&rdata, 4);
		for (int i = 0; i < 3; i++)
			add_string(&rdata, rnd(12));
	}
	add_name(&rdata, target);
	if (type == DNS_TYPE_SOA) {
		add_name(&rdata, target);
		add_octets(&rdata, 20);
		rdata.octets[rdata.len - 4] &= 0x7f;
	}
	push(s, section, make_rr(owner, type, &rdata), expected);
}

static inline void shuffle_answer(struct sample *s)
{
	ldns_rr_list *list = ldns_pkt_answer(s->sent);

	for (size_t n = ldns_rr_list_rr_count(list); n > 1; n--) {
		size_t k = rnd(n);
		ldns_rr *last = ldns_rr_list_rr(list, n - 1);

		ldns_rr_list_set_rr(list, ldns_rr_list_rr(list, k), n - 1);
		ldns_rr_list_set_rr(list, last, k);
	}
}

static const struct dns_name root = { .len = 1 };

/* Final records of one type at @owner, and what goes with them. */
static inline void push_final(struct sample *s, const struct dns_name *owner,
			      const struct dns_name *names)
{
	static const uint16_t types[] = { DNS_TYPE_A,	  DNS_TYPE_A,  DNS_TYPE_AAAA, DNS_TYPE_TXT,
					  DNS_TYPE_SRV,	  DNS_TYPE_MX, DNS_TYPE_NS,   DNS_TYPE_PTR,
					  35 /* NAPTR */, 65280 /* private use */ };
	/* Seldom so many that offsets outgrow a pointer. */
	int n = rnd(10) ? 1 + rnd(8) : rnd(8) ? 1 + rnd(110) : 111 + rnd(290);

	s->qtype = types[rnd(sizeof(types) / sizeof(types[0]))];
	if (s->qtype == DNS_TYPE_TXT && n > 60)
		n = 60;
	s->rotates = n > 1 && (s->qtype == DNS_TYPE_A || s->qtype == DNS_TYPE_AAAA);
	for (int i = 0; i < n; i++) {
		struct dns_name made;
		const struct dns_name *target = n > 110 ? &made : &names[rnd(MAX_NAMES)];

		if (s->qtype == DNS_TYPE_A || s->qtype == DNS_TYPE_AAAA ||
		    s->qtype == DNS_TYPE_TXT || s->qtype == 65280) {
			push_plain(s, LDNS_SECTION_ANSWER, owner, s->qtype, true);
			continue;
		}
		if (n > 110)
			random_name(&made, &root, 70);
		push_naming(s, LDNS_SECTION_ANSWER, owner, s->qtype, target, true);
		if (n <= 110 && !rnd(3))
			push_plain(s, LDNS_SECTION_ADDITIONAL, target, DNS_TYPE_A, true);
		if (n <= 110 && !rnd(3))
			push_plain(s, LDNS_SECTION_ADDITIONAL, target, DNS_TYPE_AAAA, true);
	}
}

/* A name that no name of a sample is below, or refers to. */
static const struct dns_name foreign = { .len = 9, .wire = "\7f.f.f.f" };

static inline void make_sample(struct sample *s)
{
	struct dns_name zone, names[MAX_NAMES], target;
	const struct dns_name *end = &s->qname;
	ldns_rr *question = ldns_rr_new();
	int chain = rnd(3) ? 0 : 1 + rnd(5);

	s->sent = ldns_pkt_new();
	s->expected = ldns_pkt_new();
	random_name(&zone, &root, rnd(4) ? 60 : 120);
	random_name(&s->qname, &zone, rnd(8) ? 120 : 255);
	for (int i = 0; i < MAX_NAMES; i++)
		random_name(&names[i], rnd(3) ? &zone : &root, rnd(8) ? 130 : 255);
	for (int i = 0; i < chain; i++) {
		random_name(&target, &zone, 250);
		/* Each with a first label of its own: no loops. */
		memmove(target.wire + 2, target.wire, target.len);
		target.wire[0] = 1;
		target.wire[1] = '0' + i;
		target.len += 2;
		push_naming(s, LDNS_SECTION_ANSWER, end, DNS_TYPE_CNAME, &target, true);
		names[0] = target;
		end = &names[0];
	}
	s->flags = DNS_QR | (rnd(2) ? DNS_RA : 0) | (rnd(2) ? DNS_AD : 0) | (rnd(2) ? DNS_RD : 0) |
		   (rnd(2) ? DNS_AA : 0) | (rnd(2) ? DNS_CD : 0);
	s->qtype = DNS_TYPE_A;
	s->rotates = false;
	if (rnd(4)) {
		s->want = VERDICT_POSITIVE;
		push_final(s, end, names);
		if (!rnd(3))
			push_naming(s, LDNS_SECTION_AUTHORITY, &zone, DNS_TYPE_NS, &names[1], true);
	} else {
		s->want = VERDICT_NEGATIVE;
		if (end == &s->qname && rnd(2))
			s->flags |= DNS_NXDOMAIN;
		push_naming(s, LDNS_SECTION_AUTHORITY, &zone, DNS_TYPE_SOA, &names[1], true);
	}
	if (!rnd(4))
		push_naming(s, LDNS_SECTION_AUTHORITY, &foreign, DNS_TYPE_NS, &foreign, false);
	if (!rnd(4))
		push_plain(s, LDNS_SECTION_ADDITIONAL, &foreign, DNS_TYPE_A, false);
	shuffle_answer(s);
	if (rnd(2))
		ldns_pkt_set_edns_udp_size(s->sent, 1232);

	ldns_rr_set_owner(question, name_rdf(&s->qname));
	ldns_rr_set_type(question, s->qtype);
	ldns_rr_set_question(question, true);
	ldns_pkt_push_rr(s->sent, LDNS_SECTION_QUESTION, question);
}

/* ldns compresses what it writes, or not, as asked. */
static inline void write_sample(struct sample *s)
{
	ldns_buffer *buf = ldns_buffer_new(4096);

	if (rnd(3) || ldns_pkt2buffer_wire_compress(buf, s->sent, NULL) != LDNS_STATUS_OK ||
	    ldns_buffer_position(buf) > DNS_MAX_MSG) {
		s->len = wire__from_pkt(s->wire, s->sent, rnd(65536), s->flags);
	} else {
		s->len = ldns_buffer_position(buf);
		memcpy(s->wire, ldns_buffer_begin(buf), s->len);
		s->wire[2] = s->flags >> 8;
		s->wire[3] = s->flags & 0xff;
	}
	ldns_buffer_free(buf);
}

static inline void sample__make(struct sample *s, uint64_t seed)
{
	rng_state = seed * 0x9e3779b97f4a7c15ull | 1;
	for (int i = 0; i < 8; i++)
		rnd(2);
	make_sample(s);
	write_sample(s);
}

static inline void sample__free(struct sample *s)
{
	ldns_pkt_free(s->sent);
	ldns_pkt_free(s->expected);
}

#endif /* NODENS_TEST_SAMPLE_H */
