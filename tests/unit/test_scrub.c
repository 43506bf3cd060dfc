/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is kept of every kind of sound message an upstream may send.
 *
 * Contract: one row a rule; the reply that a client gets is read back by ldns.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dns/answer.h"
#include "wire.h"

#define RESPONSE (DNS_QR | DNS_RD | DNS_RA)
#define SAME	 "="

#define SOA_TEST "test. 300 IN SOA ns.test. root.test. 1 2 3 4 60"

struct row {
	const char *name;
	const char *qname;
	uint16_t qtype;
	uint16_t flags;
	const char *in[3];
	enum verdict want;
	uint32_t ttl_s;
	const char *out[3];  /* SAME: as they came */
	uint16_t want_flags; /* 0: not looked at */
};

/* clang-format off */
static const struct row rows[] = {
	{ "one address", "a.test.", 1, RESPONSE, { "a.test. 30 IN A 192.0.2.1" },
	  VERDICT_POSITIVE, 30, { SAME }, DNS_QR | DNS_AA | DNS_RA },
	{ "AD is kept, CD and RD are not", "a.test.", 1, RESPONSE | DNS_AD | DNS_CD,
	  { "a.test. 30 IN A 192.0.2.1" }, VERDICT_POSITIVE, 30, { SAME },
	  DNS_QR | DNS_AA | DNS_RA | DNS_AD },
	{ "no RA stays no RA", "a.test.", 1, DNS_QR, { "a.test. 30 IN A 192.0.2.1" },
	  VERDICT_POSITIVE, 30, { SAME }, DNS_QR | DNS_AA },
	{ "case is no difference", "a.test.", 1, RESPONSE, { "A.TEST. 30 IN A 192.0.2.1" },
	  VERDICT_POSITIVE, 30, { "a.test. 30 IN A 192.0.2.1" }, 0 },
	{ "the least TTL", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN A 192.0.2.1\na.test. 20 IN A 192.0.2.2" }, VERDICT_POSITIVE, 20,
	  { "a.test. 20 IN A 192.0.2.1\na.test. 20 IN A 192.0.2.2" }, 0 },
	{ "the least TTL, of records left out too", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN A 192.0.2.1", NULL, "x.test. 7 IN A 192.0.2.9" }, VERDICT_POSITIVE, 7,
	  { "a.test. 7 IN A 192.0.2.1" }, 0 },
	{ "a TTL above 2^31-1 is 0", "a.test.", 1, RESPONSE,
	  { "a.test. 2147483648 IN A 192.0.2.1" }, VERDICT_POSITIVE, 0,
	  { "a.test. 0 IN A 192.0.2.1" }, 0 },
	{ "a TTL of 2^31-1 is one", "a.test.", 1, RESPONSE, { "a.test. 2147483647 IN A 192.0.2.1" },
	  VERDICT_POSITIVE, 2147483647, { SAME }, 0 },

	{ "a chain", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN CNAME b.test.\nb.test. 30 IN CNAME c.test.\nc.test. 30 IN A 192.0.2.1" },
	  VERDICT_POSITIVE, 30, { SAME }, 0 },
	{ "a chain in any order", "a.test.", 1, RESPONSE,
	  { "c.test. 30 IN A 192.0.2.1\nb.test. 30 IN CNAME c.test.\nc.test. 30 IN A 192.0.2.2\n"
	    "a.test. 30 IN CNAME b.test." },
	  VERDICT_POSITIVE, 30,
	  { "a.test. 30 IN CNAME b.test.\nb.test. 30 IN CNAME c.test.\nc.test. 30 IN A 192.0.2.1\n"
	    "c.test. 30 IN A 192.0.2.2" }, 0 },
	{ "a chain that dangles", "a.test.", 1, RESPONSE, { "a.test. 30 IN CNAME b.test." },
	  VERDICT_PASS, 30, { SAME }, DNS_QR | DNS_RA },
	{ "a chain that ends in another type", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN CNAME b.test.\nb.test. 30 IN AAAA 2001:db8::1" }, VERDICT_PASS, 30,
	  { SAME }, 0 },
	{ "a gap in the chain", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN CNAME b.test.\nc.test. 30 IN A 192.0.2.1" }, VERDICT_PASS, 30,
	  { "a.test. 30 IN CNAME b.test." }, 0 },
	{ "two targets at one owner", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN CNAME b.test.\na.test. 30 IN CNAME c.test.\nb.test. 30 IN A 192.0.2.1" },
	  VERDICT_PASS, 30, { SAME }, 0 },
	{ "two targets at one owner, the other way round", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN CNAME c.test.\na.test. 30 IN CNAME b.test.\nb.test. 30 IN A 192.0.2.1" },
	  VERDICT_PASS, 30, { SAME }, 0 },
	{ "two targets at the owner of a CNAME asked for", "a.test.", 5, RESPONSE,
	  { "a.test. 30 IN CNAME b.test.\na.test. 30 IN CNAME c.test." }, VERDICT_PASS, 30, { SAME }, 0 },
	{ "a loop", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN CNAME b.test.\nb.test. 30 IN CNAME A.test." }, VERDICT_PASS, 30,
	  { "a.test. 30 IN CNAME b.test.\nb.test. 30 IN CNAME a.test." }, 0 },
	{ "a loop of one, with SOA", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN CNAME a.test.", SOA_TEST }, VERDICT_PASS, 30,
	  { "a.test. 30 IN CNAME a.test.", "test. 30 IN SOA ns.test. root.test. 1 2 3 4 60" }, 0 },
	{ "a record off the chain", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN A 192.0.2.1\nz.test. 30 IN A 192.0.2.2" }, VERDICT_PASS, 30,
	  { "a.test. 30 IN A 192.0.2.1" }, 0 },
	{ "strangers in all sections", "a.test.", 1, RESPONSE,
	  { "z.example. 30 IN A 192.0.2.2\na.test. 30 IN A 192.0.2.1\nz.example. 30 IN CNAME a.test.",
	    "example. 30 IN NS ns.z.example.\n" SOA_TEST,
	    "z.example. 30 IN A 192.0.2.66\nns.z.example. 30 IN A 192.0.2.66" },
	  VERDICT_PASS, 30,
	  { "a.test. 30 IN A 192.0.2.1", "test. 30 IN SOA ns.test. root.test. 1 2 3 4 60", NULL }, 0 },
	{ "another type at the name", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN A 192.0.2.1\na.test. 30 IN TXT \"x\"" }, VERDICT_PASS, 30, { SAME }, 0 },
	{ "an alias beside data", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN CNAME b.test.\na.test. 30 IN A 192.0.2.2\nb.test. 30 IN A 192.0.2.1" },
	  VERDICT_PASS, 30, { SAME }, 0 },
	{ "another class in the answer", "a.test.", 1, RESPONSE,
	  { "a.test. 30 CH TXT \"x\"\na.test. 30 IN A 192.0.2.1" }, VERDICT_PASS, 30,
	  { "a.test. 30 IN A 192.0.2.1" }, 0 },
	{ "CNAME asked", "a.test.", 5, RESPONSE, { "a.test. 30 IN CNAME b.test." }, VERDICT_POSITIVE,
	  30, { SAME }, 0 },
	{ "ANY asked", "a.test.", 255, RESPONSE,
	  { "a.test. 30 IN A 192.0.2.1\na.test. 30 IN MX 1 b.test." }, VERDICT_POSITIVE, 30,
	  { SAME }, 0 },
	{ "ANY asked, an alias there", "a.test.", 255, RESPONSE, { "a.test. 30 IN CNAME b.test." },
	  VERDICT_POSITIVE, 30, { SAME }, 0 },
	{ "ANY asked, another name with it", "a.test.", 255, RESPONSE,
	  { "a.test. 30 IN A 192.0.2.1\nb.test. 30 IN MX 1 b.test." }, VERDICT_PASS, 30,
	  { "a.test. 30 IN A 192.0.2.1" }, 0 },
	{ "DNAME and its CNAME", "a.old.test.", 1, RESPONSE,
	  { "a.old.test. 0 IN CNAME a.new.test.\na.new.test. 30 IN A 192.0.2.1\n"
	    "old.test. 30 IN DNAME new.test." },
	  VERDICT_POSITIVE, 0,
	  { "old.test. 0 IN DNAME new.test.\na.old.test. 0 IN CNAME a.new.test.\n"
	    "a.new.test. 0 IN A 192.0.2.1" }, 0 },
	{ "a DNAME elsewhere", "a.old.test.", 1, RESPONSE,
	  { "a.old.test. 30 IN CNAME a.new.test.\na.new.test. 30 IN A 192.0.2.1\n"
	    "else.test. 30 IN DNAME new.test." },
	  VERDICT_PASS, 30,
	  { "a.old.test. 30 IN CNAME a.new.test.\na.new.test. 30 IN A 192.0.2.1" }, 0 },
	{ "a DNAME without a CNAME", "a.old.test.", 1, RESPONSE,
	  { "old.test. 30 IN DNAME new.test." }, VERDICT_PASS, 30, { SAME }, 0 },
	{ "signatures of the chain", "a.test.", 1, RESPONSE,
	  { "b.test. 30 IN RRSIG A 8 2 30 20300101000000 20200101000000 1 test. AAAA\n"
	    "a.test. 30 IN CNAME b.test.\n"
	    "a.test. 30 IN RRSIG CNAME 8 2 30 20300101000000 20200101000000 1 test. AAAA\n"
	    "b.test. 30 IN A 192.0.2.1" },
	  VERDICT_POSITIVE, 30,
	  { "a.test. 30 IN CNAME b.test.\n"
	    "a.test. 30 IN RRSIG CNAME 8 2 30 20300101000000 20200101000000 1 test. AAAA\n"
	    "b.test. 30 IN A 192.0.2.1\n"
	    "b.test. 30 IN RRSIG A 8 2 30 20300101000000 20200101000000 1 test. AAAA" }, 0 },
	{ "a signature over what is not there", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN A 192.0.2.1\n"
	    "a.test. 30 IN RRSIG MX 8 2 30 20300101000000 20200101000000 1 test. AAAA" },
	  VERDICT_PASS, 30, { SAME }, 0 },
	{ "the chain is too long", "0.test.", 1, RESPONSE,
	  { "0.test. 9 IN CNAME 1.test.\n1.test. 9 IN CNAME 2.test.\n2.test. 9 IN CNAME 3.test.\n"
	    "3.test. 9 IN CNAME 4.test.\n4.test. 9 IN CNAME 5.test.\n5.test. 9 IN CNAME 6.test.\n"
	    "6.test. 9 IN CNAME 7.test.\n7.test. 9 IN CNAME 8.test.\n8.test. 9 IN CNAME 9.test.\n"
	    "9.test. 9 IN CNAME a.test.\na.test. 9 IN CNAME b.test.\nb.test. 9 IN CNAME c.test.\n"
	    "c.test. 9 IN CNAME d.test.\nd.test. 9 IN CNAME e.test.\ne.test. 9 IN CNAME f.test.\n"
	    "f.test. 9 IN CNAME g.test.\ng.test. 9 IN A 192.0.2.1" },
	  VERDICT_PASS, 9, { SAME }, 0 },

	{ "NXDOMAIN", "a.test.", 1, RESPONSE | DNS_NXDOMAIN, { NULL, SOA_TEST }, VERDICT_NEGATIVE, 60,
	  { NULL, "test. 60 IN SOA ns.test. root.test. 1 2 3 4 60" },
	  DNS_QR | DNS_AA | DNS_RA | DNS_NXDOMAIN },
	{ "NODATA", "a.test.", 1, RESPONSE, { NULL, SOA_TEST }, VERDICT_NEGATIVE, 60,
	  { NULL, "test. 60 IN SOA ns.test. root.test. 1 2 3 4 60" }, 0 },
	{ "the SOA's TTL below its MINIMUM", "a.test.", 1, RESPONSE,
	  { NULL, "test. 5 IN SOA ns.test. root.test. 1 2 3 4 60" }, VERDICT_NEGATIVE, 5,
	  { NULL, SAME }, 0 },
	{ "a MINIMUM above 2^31-1 is 0", "a.test.", 1, RESPONSE,
	  { NULL, "test. 5 IN SOA ns.test. root.test. 1 2 3 4 4294967295" }, VERDICT_NEGATIVE, 0,
	  { NULL, "test. 0 IN SOA ns.test. root.test. 1 2 3 4 4294967295" }, 0 },
	{ "an alias to nothing", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN CNAME b.test.", SOA_TEST }, VERDICT_NEGATIVE, 30,
	  { SAME, "test. 30 IN SOA ns.test. root.test. 1 2 3 4 60" }, 0 },
	{ "an alias to nothing elsewhere, the first zone's SOA", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN CNAME b.example.", SOA_TEST }, VERDICT_PASS, 30,
	  { SAME, "test. 30 IN SOA ns.test. root.test. 1 2 3 4 60" }, 0 },
	{ "NXDOMAIN of what an alias leads to (RFC 2308, 2.1)", "a.test.", 1, RESPONSE | DNS_NXDOMAIN,
	  { "a.test. 30 IN CNAME b.test.", SOA_TEST }, VERDICT_NEGATIVE, 30,
	  { SAME, "test. 30 IN SOA ns.test. root.test. 1 2 3 4 60" }, 0 },
	{ "the same without SOA", "a.test.", 1, RESPONSE | DNS_NXDOMAIN,
	  { "a.test. 30 IN CNAME b.test." }, VERDICT_PASS, 30, { SAME }, 0 },
	{ "NXDOMAIN with what was asked for", "a.test.", 1, RESPONSE | DNS_NXDOMAIN,
	  { "a.test. 30 IN A 192.0.2.1", SOA_TEST }, VERDICT_PASS, 30,
	  { SAME, "test. 30 IN SOA ns.test. root.test. 1 2 3 4 60" }, 0 },
	{ "NXDOMAIN without SOA", "a.test.", 1, RESPONSE | DNS_NXDOMAIN, { NULL }, VERDICT_PASS, 0,
	  { NULL }, DNS_QR | DNS_RA | DNS_NXDOMAIN },
	{ "NODATA without SOA", "a.test.", 1, RESPONSE, { NULL }, VERDICT_NEGATIVE, 5, { NULL },
	  DNS_QR | DNS_AA | DNS_RA },
	{ "a referral", "a.test.", 1, RESPONSE, { NULL, "test. 30 IN NS ns.test." }, VERDICT_PASS, 30,
	  { NULL, SAME }, 0 },
	{ "the SOA of a zone that the name is not in", "a.test.", 1, RESPONSE | DNS_NXDOMAIN,
	  { NULL, "other. 300 IN SOA ns.test. root.test. 1 2 3 4 60" }, VERDICT_PASS, 300,
	  { NULL }, 0 },
	{ "the SOA of a zone below the name", "a.test.", 1, RESPONSE | DNS_NXDOMAIN,
	  { NULL, "b.a.test. 300 IN SOA ns.test. root.test. 1 2 3 4 60" }, VERDICT_PASS, 300,
	  { NULL }, 0 },
	{ "the SOA of a zone of a like name", "a.bigtest.", 1, RESPONSE | DNS_NXDOMAIN,
	  { NULL, SOA_TEST }, VERDICT_PASS, 300, { NULL }, 0 },
	{ "the root's SOA", "a.test.", 1, RESPONSE | DNS_NXDOMAIN,
	  { NULL, ". 60 IN SOA ns.test. root.test. 1 2 3 4 60" }, VERDICT_NEGATIVE, 60,
	  { NULL, SAME }, 0 },
	{ "a whole answer with SOA", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN A 192.0.2.1", SOA_TEST }, VERDICT_POSITIVE, 30,
	  { SAME, "test. 30 IN SOA ns.test. root.test. 1 2 3 4 60" }, 0 },

	{ "SERVFAIL", "a.test.", 1, RESPONSE | DNS_SERVFAIL, { NULL }, VERDICT_SERVFAIL, 0, { NULL },
	  DNS_QR | DNS_AA | DNS_RA | DNS_SERVFAIL },
	{ "SERVFAIL, its records are worth nothing", "a.test.", 1, RESPONSE | DNS_SERVFAIL,
	  { "a.test. 30 IN A 192.0.2.1", SOA_TEST }, VERDICT_SERVFAIL, 30, { NULL }, 0 },
	{ "NOTIMP", "a.test.", 1, RESPONSE | DNS_NOTIMP, { NULL }, VERDICT_SERVFAIL, 0, { NULL }, 0 },
	{ "FORMERR", "a.test.", 1, RESPONSE | DNS_FORMERR, { NULL }, VERDICT_PASS, 0, { NULL },
	  DNS_QR | DNS_RA | DNS_FORMERR },
	{ "REFUSED", "a.test.", 1, RESPONSE | DNS_REFUSED, { NULL }, VERDICT_PASS, 0, { NULL }, 0 },
	{ "REFUSED with an answer", "a.test.", 1, RESPONSE | DNS_REFUSED,
	  { "a.test. 30 IN A 192.0.2.1" }, VERDICT_PASS, 30, { SAME }, 0 },
	{ "YXDOMAIN", "a.test.", 1, RESPONSE | 6, { NULL, SOA_TEST }, VERDICT_PASS, 300,
	  { NULL, SAME }, 0 },

	{ "AXFR", "test.", 252, RESPONSE, { SOA_TEST }, VERDICT_PASS, 300, { SAME }, 0 },
	{ "IXFR", "test.", 251, RESPONSE, { SOA_TEST }, VERDICT_PASS, 300, { SAME }, 0 },
	{ "OPT asked", "test.", 41, RESPONSE, { NULL, SOA_TEST }, VERDICT_PASS, 300, { NULL, SAME }, 0 },
	{ "type 0 asked", "test.", 0, RESPONSE, { NULL, SOA_TEST }, VERDICT_PASS, 300,
	  { NULL, SAME }, 0 },
	{ "a type nobody knows", "a.test.", 4711, RESPONSE,
	  { "a.test. 30 IN TYPE4711 \\# 3 c00cff" }, VERDICT_POSITIVE, 30, { SAME }, 0 },

	{ "hosts of SRV come along, others do not", "_s._tcp.test.", 33, RESPONSE,
	  { "_s._tcp.test. 30 IN SRV 0 0 80 h.test.",  NULL,
	    "h.test. 30 IN A 192.0.2.1\nh.test. 30 IN AAAA 2001:db8::1\ni.test. 30 IN A 192.0.2.2" },
	  VERDICT_POSITIVE, 30,
	  { SAME, NULL, "h.test. 30 IN A 192.0.2.1\nh.test. 30 IN AAAA 2001:db8::1" }, 0 },
	{ "name servers and theirs come along", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN A 192.0.2.1", "test. 30 IN NS ns.test.\nother. 30 IN NS ns2.test.",
	    "ns.test. 30 IN A 192.0.2.3\nns2.test. 30 IN A 192.0.2.4" },
	  VERDICT_POSITIVE, 30,
	  { SAME, "test. 30 IN NS ns.test.", "ns.test. 30 IN A 192.0.2.3" }, 0 },
	{ "odd things in the authority section do not", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN A 192.0.2.1", "test. 30 IN TXT \"x\"\ntest. 30 IN A 192.0.2.7" },
	  VERDICT_POSITIVE, 30, { SAME, NULL }, 0 },
	{ "another class beside the answer does not", "a.test.", 15, RESPONSE,
	  { "a.test. 30 IN MX 1 b.test.", "test. 30 CH NS b.test.", "b.test. 30 CH TXT \"x\"" },
	  VERDICT_POSITIVE, 30, { SAME, NULL, NULL }, 0 },
	{ "proofs of the zone come along, of others not", "m.test.", 1, RESPONSE | DNS_NXDOMAIN,
	  { NULL, SOA_TEST "\n"
	    "test. 300 IN RRSIG SOA 8 1 30 20300101000000 20200101000000 1 test. AAAA\n"
	    "b.c.test. 300 IN NSEC z.test. A RRSIG NSEC\n"
	    "b.c.test. 300 IN RRSIG NSEC 8 3 30 20300101000000 20200101000000 1 test. AAAA\n"
	    "b.other. 300 IN NSEC z.other. A" },
	  VERDICT_NEGATIVE, 60,
	  { NULL, "test. 60 IN SOA ns.test. root.test. 1 2 3 4 60\n"
	    "test. 60 IN RRSIG SOA 8 1 30 20300101000000 20200101000000 1 test. AAAA\n"
	    "b.c.test. 60 IN NSEC z.test. A RRSIG NSEC\n"
	    "b.c.test. 60 IN RRSIG NSEC 8 3 30 20300101000000 20200101000000 1 test. AAAA" }, 0 },
	{ "a signature at a name that its signer has nothing to say about", "m.test.", 1,
	  RESPONSE | DNS_NXDOMAIN,
	  { NULL, ". 300 IN SOA ns.test. root.test. 1 2 3 4 60\n"
	    "b.other. 300 IN RRSIG NSEC 8 3 30 20300101000000 20200101000000 1 test. AAAA" },
	  VERDICT_NEGATIVE, 60,
	  { NULL, ". 60 IN SOA ns.test. root.test. 1 2 3 4 60\n"
	    "b.other. 60 IN RRSIG NSEC 8 3 30 20300101000000 20200101000000 1 test. AAAA" }, 0 },
	{ "the same without a zone above both", "m.test.", 1, RESPONSE,
	  { "m.test. 30 IN A 192.0.2.1", "b.test. 300 IN NSEC z.test. A\n"
	    "b.other. 300 IN RRSIG NSEC 8 3 30 20300101000000 20200101000000 1 test. AAAA" },
	  VERDICT_POSITIVE, 30, { SAME, NULL }, 0 },
	{ "the proof of a wildcard", "a.test.", 1, RESPONSE,
	  { "a.test. 30 IN A 192.0.2.1\n"
	    "a.test. 30 IN RRSIG A 8 1 30 20300101000000 20200101000000 1 test. AAAA",
	    "*.test. 30 IN NSEC b.test. A RRSIG NSEC\n"
	    "*.test. 30 IN RRSIG NSEC 8 1 30 20300101000000 20200101000000 1 test. AAAA" },
	  VERDICT_POSITIVE, 30, { SAME, SAME }, 0 },
};
/* clang-format on */

static const char *canonical(const char *text, char *buf, size_t size)
{
	ldns_pkt *pkt = ldns_pkt_new();

	wire__push(pkt, LDNS_SECTION_ANSWER, text);
	wire__section_text(ldns_pkt_answer(pkt), true, buf, size);
	ldns_pkt_free(pkt);
	return buf;
}

static void check_reply(const struct row *row, const struct answer *answer)
{
	struct reply_options opts = { .limit = DNS_MAX_MSG, .ttl_s = answer->ttl_s };
	struct dns_query query = { .flags = DNS_RD,
				   .qname = wire__name(row->qname),
				   .qtype = row->qtype,
				   .qclass = DNS_CLASS_IN };
	static uint8_t msg[DNS_MAX_MSG];
	int len = reply__build(msg, sizeof(msg), &query, answer, &opts);
	ldns_pkt *pkt;

	assert_true(len > 0);
	pkt = wire__parse(msg, len);
	assert_non_null(pkt);
	for (int i = 0; i < 3; i++) {
		const char *want =
			row->out[i] && !strcmp(row->out[i], SAME) ? row->in[i] : row->out[i];
		ldns_rr_list *lists[] = { ldns_pkt_answer(pkt), ldns_pkt_authority(pkt),
					  ldns_pkt_additional(pkt) };
		char got_text[8192], want_text[8192];

		wire__section_text(lists[i], true, got_text, sizeof(got_text));
		assert_string_equal(got_text, canonical(want, want_text, sizeof(want_text)));
	}
	ldns_pkt_free(pkt);
}

static void test_rows(void **state)
{
	static uint8_t msg[DNS_MAX_MSG];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct wire_message m = { 1,
					  row->flags,
					  row->qname,
					  row->qtype,
					  { row->in[0], row->in[1], row->in[2] } };
		struct dns_name qname = wire__name(row->qname);
		enum verdict got = VERDICT_DROP;
		struct answer *answer = NULL;
		size_t len = wire__build(msg, &m);
		int err =
			answer__decode(msg, len, &qname, row->qtype, NODENS_KEY_DO, &got, &answer);

		if (err || got != row->want || answer->ttl_s != row->ttl_s ||
		    (row->want_flags && answer->flags != row->want_flags))
			fail_msg("%s: error %d, verdict %d (wanted %d), TTL %u, flags %04x",
				 row->name, err, got, row->want, answer ? answer->ttl_s : 0,
				 answer ? answer->flags : 0);
		print_message("    %s\n", row->name);
		check_reply(row, answer);
		answer__free(answer);
	}
}

/* RFC 4035, 3.2.1: of DNSSEC who did not ask for it gets nothing, and the rest is kept. */
static void test_unwanted_dnssec(void **state)
{
	static const char sig[] =
		"a.test. 30 IN RRSIG A 8 2 30 20300101000000 20200101000000 1 test. AAAA";
	static const char nsec[] = "a.test. 30 IN NSEC b.test. A";
	static const struct {
		uint16_t qtype;
		uint8_t key_flags;
		const char *in[2];
		unsigned int answers, authority;
	} cases[] = {
		{ 1, 0, { "a.test. 30 IN A 192.0.2.1", sig }, 1, 0 },
		{ 1, NODENS_KEY_CD, { "a.test. 30 IN A 192.0.2.1", sig }, 1, 0 },
		{ 1, NODENS_KEY_DO, { "a.test. 30 IN A 192.0.2.1", sig }, 2, 0 },
		{ 28, 0, { NULL, nsec }, 0, 0 },
		{ 28, NODENS_KEY_DO, { NULL, nsec }, 0, 1 },
		{ 46, 0, { NULL, sig }, 1, 0 },
		{ 47, 0, { nsec, NULL }, 1, 0 },
		{ 255, 0, { "a.test. 30 IN A 192.0.2.1", sig }, 2, 0 },
	};
	struct dns_name qname = wire__name("a.test.");
	static uint8_t msg[DNS_MAX_MSG];
	char answers[512], authority[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool denial = cases[i].qtype == 28;
		const char *first = cases[i].in[0], *second = cases[i].in[1];
		struct wire_message m = { 1, RESPONSE, "a.test.", cases[i].qtype, { NULL } };
		enum verdict got = VERDICT_DROP;
		struct answer *answer = NULL;
		size_t len;

		snprintf(answers, sizeof(answers), "%s%s%s", first ? first : "",
			 first && second ? "\n" : "", second && !denial ? second : "");
		snprintf(authority, sizeof(authority), "%s\n%s", SOA_TEST, nsec);
		m.section[0] = denial ? NULL : answers;
		m.section[1] = denial ? authority : NULL;
		len = wire__build(msg, &m);
		assert_int_equal(answer__decode(msg, len, &qname, cases[i].qtype,
						cases[i].key_flags, &got, &answer),
				 0);
		assert_int_equal(got, denial ? VERDICT_NEGATIVE : VERDICT_POSITIVE);
		assert_int_equal(answer->count[0], cases[i].answers);
		assert_int_equal(answer->count[1], denial + cases[i].authority);
		answer__free(answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_unwanted_dnssec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
