// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The data path, case by case, on both hooks: what is stored, what is asked,
 * what must come out. Replies are decoded by ldns.
 *
 * Usage: test_path [KERNEL]: with KERNEL ("5.4") the fallbacks for it are used.
 */
#include "harness.h"
#include "wire.h"

static struct env env;

/* --- answers ----------------------------------------------------------- */

static const struct stored {
	const char *qname;
	uint16_t qtype, flags;
	uint8_t key_flags;
	const char *section[3];
	uint32_t ttl_s;
} stored[] = {
	{ "one.example.org.", 1, DNS_QR | DNS_RA, 0, { "one.example.org. 0 IN A 192.0.2.1" }, 30 },
	{ "four.example.org.", 1, DNS_QR | DNS_RA, 0,
	  { "four.example.org. 0 IN A 192.0.2.1\nfour.example.org. 0 IN A 192.0.2.2\n"
	    "four.example.org. 0 IN A 192.0.2.3\nfour.example.org. 0 IN A 192.0.2.4" }, 30 },
	{ "three6.example.org.", 28, DNS_QR | DNS_RA, 0,
	  { "three6.example.org. 0 IN AAAA 2001:db8::1\nthree6.example.org. 0 IN AAAA 2001:db8::2\n"
	    "three6.example.org. 0 IN AAAA 2001:db8::3" }, 30 },
	{ "alias.example.org.", 1, DNS_QR | DNS_RA, 0,
	  { "alias.example.org. 0 IN CNAME a.b.cdn.example.net.\n"
	    "a.b.cdn.example.net. 0 IN CNAME edge.example.net.\n"
	    "edge.example.net. 0 IN A 198.51.100.7\nedge.example.net. 0 IN A 198.51.100.8" }, 30 },
	{ "nx.default.svc.cluster.local.", 1, DNS_QR | DNS_RA | DNS_NXDOMAIN, 0,
	  { NULL, "cluster.local. 0 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 "
		  "86400 30" }, 30 },
	{ "one.example.org.", 28, DNS_QR | DNS_RA, 0,
	  { NULL, "example.org. 0 IN SOA ns.example.org. root.example.org. 1 7200 1800 86400 30" }, 30 },
	{ "signed.example.org.", 1, DNS_QR | DNS_RA | DNS_AD, NODENS_KEY_DO,
	  { "signed.example.org. 0 IN A 192.0.2.9" }, 30 },
	{ "signed.example.org.", 1, DNS_QR | DNS_RA | DNS_AD, 0,
	  { "signed.example.org. 0 IN A 192.0.2.10" }, 30 },
	{ "signed.example.org.", 1, DNS_QR | DNS_RA, NODENS_KEY_CD,
	  { "signed.example.org. 0 IN A 192.0.2.11" }, 30 },
	{ "_dns._udp.example.org.", 33, DNS_QR | DNS_RA, 0,
	  { "_dns._udp.example.org. 0 IN SRV 0 50 53 ns1.example.org.", NULL,
	    "ns1.example.org. 0 IN A 192.0.2.53" }, 30 },
	{ "odd.example.org.", 16, DNS_QR | DNS_RA, 0, { "odd.example.org. 0 IN TXT \"odd length\"" }, 30 },
	{ "evn.example.org.", 16, DNS_QR | DNS_RA, 0, { "evn.example.org. 0 IN TXT \"even size\"\n"
	    "evn.example.org. 0 IN TXT \"and two\"" }, 30 },
	{ ".", 2, DNS_QR | DNS_RA, 0, { ". 0 IN NS a.root-servers.net." }, 30 },
	{ "d.org.", 1, DNS_QR | DNS_RA, 0, { "d.org. 0 IN A 192.0.2.20" }, 30 },
	{ "long.example.org.", 1, DNS_QR | DNS_RA, 0, { "long.example.org. 0 IN A 192.0.2.5" }, 3600 },
	{ "https.example.org.", 65, DNS_QR | DNS_RA, 0,
	  { "https.example.org. 0 IN TYPE65 \\# 3 000100" }, 30 },
	{ "a23456789012345678901234567890123456789012345678901234567890123."
	  "b23456789012345678901234567890123456789012345678901234567890123."
	  "c23456789012345678901234567890123456789012345678901234567890123."
	  "d234567890123456789012345678901234567890123456789012345678901.", 1, DNS_QR | DNS_RA, 0,
	  { "a23456789012345678901234567890123456789012345678901234567890123."
	    "b23456789012345678901234567890123456789012345678901234567890123."
	    "c23456789012345678901234567890123456789012345678901234567890123."
	    "d234567890123456789012345678901234567890123456789012345678901. 0 IN A 192.0.2.255" }, 30 },
};

static struct answer *decode(const struct stored *s)
{
	struct wire_message m = { .id = 1, .flags = s->flags, .qname = s->qname, .qtype = s->qtype,
				  .section = { s->section[0], s->section[1], s->section[2] } };
	static uint8_t wire[DNS_MAX_MSG];
	struct dns_name qname = wire__name(s->qname);
	struct answer *answer = NULL;
	enum admission admission;
	size_t len = wire__build(wire, &m);

	dns_name__lower(&qname);
	if (answer__decode(wire, len, &qname, s->qtype, s->key_flags, &admission, &answer) || !answer)
		die(s->qname);
	return answer;
}

static int kind_of(const struct stored *s)
{
	return s->section[0] ? NODENS_POSITIVE : NODENS_NEGATIVE;
}

static void store_all(void)
{
	for (size_t i = 0; i < sizeof(stored) / sizeof(stored[0]); i++)
		if (store__put(env.store, decode(&stored[i]), kind_of(&stored[i]), stored[i].ttl_s,
			       mono_ns()))
			die("store__put");
}

/* 40 and 100 addresses: over 512 bytes, and over any UDP answer. */
static void store_many(const char *name, int n, uint32_t ttl_s)
{
	char *text = calloc(n, 64);
	struct stored s = { .qname = name, .qtype = 1, .flags = DNS_QR | DNS_RA, .ttl_s = ttl_s };

	for (int i = 0; i < n; i++)
		sprintf(text + strlen(text), "%s%s 0 IN A 198.18.%d.%d", i ? "\n" : "", name, i / 256,
			i % 256);
	s.section[0] = text;
	if (store__put(env.store, decode(&s), NODENS_POSITIVE, ttl_s, mono_ns()))
		die("store__put of many");
	free(text);
}

/* --- queries ----------------------------------------------------------- */

struct edns {
	uint16_t size; /* 0: no OPT */
	uint8_t version;
	bool dnssec_ok;
	const uint8_t *options;
	uint16_t options_len;
};

static size_t build_query(uint8_t *msg, const char *qname, uint16_t qtype, uint16_t flags,
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

static const uint8_t cookie[] = { 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t cookie_padding[] = { 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 12, 0, 3, 0, 0, 0 };
static const uint8_t cookie_ecs[] = { 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 8, 0, 7, 0, 1, 24, 0, 10, 0, 0 };
static const uint8_t nine[] = { 0, 12, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0,
				0, 12, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0 };
static const uint8_t overrun[] = { 0, 10, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t stump[] = { 0, 10, 0 };

#define HIT    NODENS_CTR_HIT
#define HIT_TC NODENS_CTR_HIT_TC
#define MISS   NODENS_CTR_MISS

static const struct query_case {
	const char *name, *qname;
	uint16_t qtype, flags;
	struct edns edns;
	bool ip6;
	int vlans;
	int outcome;
	/* of a hit: header flags without QR, answer count, and the sections' text for ldns */
	uint16_t want_flags;
	int want_answers;
	const char *want_in; /* a record that must be there */
} queries[] = {
#define RD DNS_RD
#define OK (DNS_AA | DNS_RA | DNS_RD)
	{ "A", "one.example.org.", 1, RD, {}, 0, 0, HIT, OK, 1, "one.example.org. 30 IN A 192.0.2.1" },
	{ "A over IPv6", "one.example.org.", 1, RD, {}, 1, 0, HIT, OK, 1, "one.example.org. 30 IN A 192.0.2.1" },
	{ "no RD", "one.example.org.", 1, 0, {}, 0, 0, HIT, DNS_AA | DNS_RA, 1, NULL },
	{ "case kept", "oNe.ExAmPlE.OrG.", 1, RD, {}, 0, 0, HIT, OK, 1, "oNe.ExAmPlE.OrG. 30 IN A 192.0.2.1" },
	{ "case kept, IPv6", "ONE.EXAMPLE.ORG.", 1, RD, {}, 1, 0, HIT, OK, 1, NULL },
	{ "one VLAN tag", "one.example.org.", 1, RD, {}, 0, 1, HIT, OK, 1, NULL },
	{ "two VLAN tags", "one.example.org.", 1, RD, {}, 0, 2, HIT, OK, 1, NULL },
	{ "two VLAN tags, IPv6", "one.example.org.", 1, RD, {}, 1, 2, HIT, OK, 1, NULL },
	{ "EDNS", "one.example.org.", 1, RD, { .size = 1232 }, 0, 0, HIT, OK, 1, NULL },
	{ "EDNS, IPv6", "one.example.org.", 1, RD, { .size = 4096 }, 1, 0, HIT, OK, 1, NULL },
	{ "EDNS, tiny size", "one.example.org.", 1, RD, { .size = 1 }, 0, 0, HIT, OK, 1, NULL },
	{ "EDNS, cookie not echoed", "one.example.org.", 1, RD,
	  { .size = 1232, .options = cookie, .options_len = sizeof(cookie) }, 0, 0, HIT, OK, 1, NULL },
	{ "EDNS, two options", "one.example.org.", 1, RD,
	  { .size = 1232, .options = cookie_padding, .options_len = sizeof(cookie_padding) }, 0, 0, HIT, OK, 1, NULL },
	{ "four A", "four.example.org.", 1, RD, {}, 0, 0, HIT, OK, 4, "four.example.org. 30 IN A 192.0.2.3" },
	{ "four A, EDNS", "four.example.org.", 1, RD, { .size = 1232 }, 0, 0, HIT, OK, 4, NULL },
	{ "three AAAA", "three6.example.org.", 28, RD, {}, 1, 0, HIT, OK, 3,
	  "three6.example.org. 30 IN AAAA 2001:db8::2" },
	{ "CNAME chain", "alias.example.org.", 1, RD, {}, 0, 0, HIT, OK, 4, "edge.example.net. 30 IN A 198.51.100.8" },
	{ "CNAME chain, EDNS", "ALIAS.example.org.", 1, RD, { .size = 512 }, 0, 0, HIT, OK, 4,
	  "a.b.cdn.example.net. 30 IN CNAME edge.example.net." },
	{ "NXDOMAIN", "nx.default.svc.cluster.local.", 1, RD, {}, 0, 0, HIT, OK | DNS_NXDOMAIN, 0,
	  "cluster.local. 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 30" },
	{ "NODATA", "one.example.org.", 28, RD, { .size = 1232 }, 0, 0, HIT, OK, 0,
	  "example.org. 30 IN SOA ns.example.org. root.example.org. 1 7200 1800 86400 30" },
	{ "SRV with additional", "_dns._udp.example.org.", 33, RD, {}, 0, 0, HIT, OK, 1,
	  "ns1.example.org. 30 IN A 192.0.2.53" },
	{ "TXT of odd length, EDNS", "odd.example.org.", 16, RD, { .size = 1232 }, 0, 0, HIT, OK, 1,
	  "odd.example.org. 30 IN TXT \"odd length\"" },
	{ "two TXT", "evn.example.org.", 16, RD, { .size = 1232 }, 1, 0, HIT, OK, 2, NULL },
	{ "type 65", "https.example.org.", 65, RD, {}, 0, 0, HIT, OK, 1, NULL },
	{ "the root", ".", 2, RD, { .size = 1232 }, 0, 0, HIT, OK, 1, ". 30 IN NS a.root-servers.net." },
	{ "a name of 7 octets", "d.org.", 1, RD, {}, 0, 0, HIT, OK, 1, NULL },
	{ "a name of 255 octets",
	  "a23456789012345678901234567890123456789012345678901234567890123."
	  "B23456789012345678901234567890123456789012345678901234567890123."
	  "c23456789012345678901234567890123456789012345678901234567890123."
	  "d234567890123456789012345678901234567890123456789012345678901.", 1, RD, { .size = 1232 }, 0, 0, HIT, OK, 1, NULL },
	{ "AD: stored, neither AD nor DO", "signed.example.org.", 1, RD, {}, 0, 0, HIT, OK, 1, NULL },
	{ "AD: stored, client set AD", "signed.example.org.", 1, RD | DNS_AD, {}, 0, 0, HIT, OK | DNS_AD, 1,
	  "signed.example.org. 30 IN A 192.0.2.10" },
	{ "AD: not stored, client set AD", "one.example.org.", 1, RD | DNS_AD, {}, 0, 0, HIT, OK, 1, NULL },
	{ "DO is its own entry, AD kept", "signed.example.org.", 1, RD, { .size = 1232, .dnssec_ok = 1 }, 0, 0,
	  HIT, OK | DNS_AD, 1, "signed.example.org. 30 IN A 192.0.2.9" },
	{ "CD is its own entry, echoed", "signed.example.org.", 1, RD | DNS_CD, {}, 0, 0, HIT, OK | DNS_CD, 1,
	  "signed.example.org. 30 IN A 192.0.2.11" },
	{ "long TTL", "long.example.org.", 1, RD, {}, 0, 0, HIT, OK, 1, "long.example.org. 3600 IN A 192.0.2.5" },
	{ "over 512: TC", "forty.example.org.", 1, RD, {}, 0, 0, HIT_TC, OK | DNS_TC, 0, NULL },
	{ "over 512: TC, IPv6", "forty.example.org.", 1, RD, {}, 1, 0, HIT_TC, OK | DNS_TC, 0, NULL },
	{ "over 512, EDNS 600: TC with OPT", "forty.example.org.", 1, RD, { .size = 600 }, 0, 0, HIT_TC,
	  OK | DNS_TC, 0, NULL },
	{ "over 512, EDNS 1232: whole", "forty.example.org.", 1, RD, { .size = 1232 }, 0, 0, HIT, OK, 40,
	  "forty.example.org. 30 IN A 198.18.0.39" },
	{ "over every UDP size: TC", "hundred.example.org.", 1, RD, { .size = 4096 }, 0, 0, HIT_TC,
	  OK | DNS_TC, 0, NULL },

	{ "another name", "two.example.org.", 1, RD, {}, 0, 0, MISS },
	{ "another name, IPv6", "two.example.org.", 1, RD, {}, 1, 0, MISS },
	{ "a longer name", "a.one.example.org.", 1, RD, {}, 0, 0, MISS },
	{ "a shorter name", "example.org.", 1, RD, {}, 0, 0, MISS },
	{ "another type", "one.example.org.", 16, RD, {}, 0, 0, MISS },
	{ "DO where none is stored", "one.example.org.", 1, RD, { .size = 1232, .dnssec_ok = 1 }, 0, 0, MISS },
	{ "CD where none is stored", "one.example.org.", 1, RD | DNS_CD, {}, 0, 0, MISS },
	{ "EDNS version 1", "one.example.org.", 1, RD, { .size = 1232, .version = 1 }, 0, 0,
	  NODENS_CTR_AGENT_EDNS },
	{ "client subnet", "one.example.org.", 1, RD,
	  { .size = 1232, .options = cookie_ecs, .options_len = sizeof(cookie_ecs) }, 0, 0, NODENS_CTR_AGENT_ECS },
	{ "nine options", "one.example.org.", 1, RD,
	  { .size = 1232, .options = nine, .options_len = sizeof(nine) }, 0, 0, NODENS_CTR_AGENT_ECS },
	{ "an option that overruns", "one.example.org.", 1, RD,
	  { .size = 1232, .options = overrun, .options_len = sizeof(overrun) }, 0, 0, NODENS_CTR_ADDITIONAL },
	{ "a stump of an option", "one.example.org.", 1, RD,
	  { .size = 1232, .options = stump, .options_len = sizeof(stump) }, 0, 0, NODENS_CTR_ADDITIONAL },
	{ "zone transfer", "example.org.", 252, RD, {}, 0, 0, MISS },
};

static bool has_record(ldns_pkt *pkt, const char *want)
{
	static char text[65536];
	char line[1024];

	for (int section = LDNS_SECTION_ANSWER; section <= LDNS_SECTION_ADDITIONAL; section++) {
		ldns_rr_list *list = ldns_pkt_get_section_clone(pkt, section);

		text[0] = '\n';
		wire__section_text(list, true, text + 1, sizeof(text) - 2);
		strcat(text, "\n");
		ldns_rr_list_deep_free(list);
		snprintf(line, sizeof(line), "\n%s\n", want);
		if (strcasestr(text, line))
			return true;
	}
	return false;
}

/* The reply as ldns reads it, against the case; and its bytes where no decoder looks. */
static bool reply_ok(const struct query_case *c, const struct frame *in, const struct run *run,
		     char *why, size_t size)
{
	const uint8_t *msg = run->out.at + in->dns;
	size_t len = run->out.len - in->dns, question = 12 + wire__name(c->qname).len + 4;
	ldns_pkt *pkt = wire__parse(msg, len);
	const char *what = NULL;

	if (!pkt)
		what = "ldns cannot read the reply";
	else if (memcmp(msg, in->at + in->dns, 2))
		what = "ID";
	else if (memcmp(msg + 12, in->at + in->dns + 12, question - 12))
		what = "question not as sent";
	else if (get16(msg + 2) != (DNS_QR | c->want_flags))
		what = "header flags";
	else if (ldns_pkt_ancount(pkt) != c->want_answers)
		what = "number of answers";
	else if (c->want_in && !has_record(pkt, c->want_in))
		what = c->want_in;
	else if (ldns_pkt_edns(pkt) != !!c->edns.size)
		what = "OPT where none was sent, or none";
	else if (c->edns.size && (ldns_pkt_edns_udp_size(pkt) != 1232 || ldns_pkt_edns_version(pkt) ||
				  ldns_pkt_edns_do(pkt) != c->edns.dnssec_ok))
		what = "OPT fields";
	else if (c->edns.size && get16(msg + len - 2))
		what = "OPT options";
	if (what)
		snprintf(why, size, "%s (flags %04x)", what, get16(msg + 2));
	ldns_pkt_free(pkt);
	return !what && reply_frame_ok(in, run, len, why, size);
}

static void test_queries(enum test_hook hook)
{
	static uint8_t msg[1024];
	char why[512];

	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		const struct query_case *c = &queries[i];
		struct frame_spec spec = { .ip6 = c->ip6, .vlans = c->vlans, .dns = msg,
			.dns_len = build_query(msg, c->qname, c->qtype, c->flags, &c->edns) };
		bool hit = c->outcome == HIT || c->outcome == HIT_TC;
		bool agent = c->outcome == MISS || c->outcome == NODENS_CTR_AGENT_EDNS ||
			     c->outcome == NODENS_CTR_AGENT_ECS;
		struct frame in;
		struct run run;
		bool ok;

		frame__build(&in, &spec);
		run_frame(&env, hook, &in, &run);
		ok = counted(&run, c->outcome, agent && hook == TEST_TC ? NODENS_CTR_STEER_OFF : -1,
			     why, sizeof(why));
		if (ok && run.retval != (hit ? sent_back(hook) : passed_on(hook))) {
			snprintf(why, sizeof(why), "action %d", (int)run.retval);
			ok = false;
		}
		if (ok && !hit && !unchanged(&in, &run)) {
			snprintf(why, sizeof(why), "the packet was changed");
			ok = false;
		}
		if (ok && hit)
			ok = reply_ok(c, &in, &run, why, sizeof(why));
		verdict(ok, "%s: %s%s%s", hook_name[hook], c->name, ok ? "" : ": ", ok ? "" : why);
	}
}

/* --- packets that go on as they came ----------------------------------- */

static void m_broadcast(struct frame *f) { memset(f->at, 0xff, 6); }
static void m_arp(struct frame *f) { put16(f->at + 12, 0x0806); }
static void m_three_tags(struct frame *f)
{
	memmove(f->at + 24, f->at + 12, f->len - 12);
	for (int i = 0; i < 3; i++) {
		put16(f->at + 12 + 4 * i, 0x8100);
		put16(f->at + 14 + 4 * i, 7);
	}
	f->len += 12;
}
static void m_ip_options(struct frame *f)
{
	memmove(f->at + f->l4 + 4, f->at + f->l4, f->len - f->l4);
	memset(f->at + f->l4, 1, 4);
	f->at[f->l3] = 0x46;
	put16(f->at + f->l3 + 2, get16(f->at + f->l3 + 2) + 4);
	f->len += 4;
}
static void m_fragment_first(struct frame *f) { f->at[f->l3 + 6] |= 0x20; }
static void m_fragment_later(struct frame *f) { f->at[f->l3 + 7] = 5; }
static void m_icmp(struct frame *f) { f->at[f->l3 + 9] = 1; }
static void m_port(struct frame *f) { put16(f->at + f->l4 + 2, 5353); }
static void m_from_53(struct frame *f) { put16(f->at + f->l4, 53); put16(f->at + f->l4 + 2, 40000); }
static void m_tcp(struct frame *f) { f->at[f->l3 + 9] = 6; }
static void m_cut_ip_early(struct frame *f) { f->len = 30; }
static void m_cut_ip(struct frame *f) { f->len = 33; }
static void m_cut_udp(struct frame *f) { f->len = f->l4 + 3; }
static void m_cut_dns(struct frame *f) { f->len = f->dns + 11; }
static void m_cut_question(struct frame *f) { f->len -= 3; }
static void m_udp_longer(struct frame *f) { put16(f->at + f->l4 + 4, get16(f->at + f->l4 + 4) + 1); }
static void m_udp_shorter(struct frame *f) { put16(f->at + f->l4 + 4, get16(f->at + f->l4 + 4) - 1); }
static void m_udp_zero(struct frame *f) { put16(f->at + f->l4 + 4, 0); }
static void resize(struct frame *f, int by)
{
	put16(f->at + f->l4 + 4, get16(f->at + f->l4 + 4) + by);
	put16(f->at + f->l3 + 2, get16(f->at + f->l3 + 2) + by);
	f->len += by;
}
static void m_no_question(struct frame *f) { resize(f, (int)(f->dns + 12 - f->len)); }
static void m_half_type(struct frame *f) { resize(f, -3); }
static void m_trailing(struct frame *f) { resize(f, 1); }
static void m_large(struct frame *f) { resize(f, 600); }
static void m_response(struct frame *f) { f->at[f->dns + 2] |= 0x80; }
static void m_notify(struct frame *f) { f->at[f->dns + 2] |= 4 << 3; }
static void m_update(struct frame *f) { f->at[f->dns + 2] |= 5 << 3; }
static void m_tc(struct frame *f) { f->at[f->dns + 2] |= 2; }
static void m_qd0(struct frame *f) { f->at[f->dns + 5] = 0; }
static void m_qd2(struct frame *f) { f->at[f->dns + 5] = 2; }
static void m_an1(struct frame *f) { f->at[f->dns + 7] = 1; }
static void m_ns1(struct frame *f) { f->at[f->dns + 9] = 1; }
static void m_ar2(struct frame *f) { f->at[f->dns + 11] = 2; }
static void m_ar1(struct frame *f) { f->at[f->dns + 11] = 1; }
static void m_pointer(struct frame *f)
{
	put16(f->at + f->dns + 12, 0xc00c);
	put16(f->at + f->dns + 14, 1);
	put16(f->at + f->dns + 16, 1);
	resize(f, (int)(f->dns + 18 - f->len));
}
static void m_label_64(struct frame *f) { f->at[f->dns + 12] = 64; }
static void m_label_overrun(struct frame *f) { f->at[f->dns + 12] = 60; }
static void m_zero_inside(struct frame *f) { f->at[f->dns + 14] = 0; }
static void m_no_end(struct frame *f)
{
	memset(f->at + f->dns + 12, 1, 300);
	resize(f, (int)(f->dns + 312 - f->len));
}
static void m_name_256(struct frame *f)
{
	uint8_t *p = f->at + f->dns + 12;

	for (int i = 0; i < 4; i++, p += 64) {
		memset(p, 'x', 64);
		*p = i < 3 ? 63 : 62;
	}
	p[-1] = 0; /* 3 * 64 + 63 + 1 = 256 octets */
	p[-1] = 'x';
	*p++ = 0;
	put16(p, 1);
	put16(p + 2, 1);
	resize(f, (int)(p + 4 - f->at) - (int)f->len);
}
static void m_chaos(struct frame *f) { f->at[f->len - 1] = 3; }

static void m_garbage(struct frame *f)
{
	for (size_t i = f->dns; i < f->len; i++)
		f->at[i] = i * 151 + 0x85;
	f->at[f->dns + 2] = 0xff;
}
static void m6_hop_by_hop(struct frame *f) { f->at[f->l3 + 6] = 0; }
static void m6_routing(struct frame *f) { f->at[f->l3 + 6] = 43; }
static void m6_destination(struct frame *f) { f->at[f->l3 + 6] = 60; }
static void m6_fragment(struct frame *f) { f->at[f->l3 + 6] = 44; }
static void m6_icmp(struct frame *f) { f->at[f->l3 + 6] = 58; }
static void m6_address(struct frame *f) { f->at[f->l3 + 39] ^= 1; }
static void m6_length(struct frame *f) { put16(f->at + f->l3 + 4, 9); }
static void m6_tcp(struct frame *f) { f->at[f->l3 + 6] = 6; }
static void m6_response(struct frame *f) { m_response(f); }

#define C(x) NODENS_CTR_##x
static const struct bad_case {
	const char *name;
	void (*mutate)(struct frame *f);
	int outcome;
	bool ip6;
	const char *to4;
} bad[] = {
	{ "to a broadcast MAC", m_broadcast, C(MULTICAST), 0, NULL },
	{ "ARP", m_arp, C(NOT_IP), 0, NULL },
	{ "three VLAN tags", m_three_tags, C(VLAN), 0, NULL },
	{ "IP options", m_ip_options, C(IP_OPTIONS), 0, NULL },
	{ "first fragment", m_fragment_first, C(FRAGMENT), 0, NULL },
	{ "later fragment", m_fragment_later, C(FRAGMENT), 0, NULL },
	{ "ICMP", m_icmp, C(NOT_DNS), 0, NULL },
	{ "another port", m_port, C(NOT_DNS), 0, NULL },
	{ "from port 53", m_from_53, C(NOT_DNS), 0, NULL },
	{ "an address not served", NULL, C(NOT_SERVED), 0, "10.96.0.11" },
	{ "TCP", m_tcp, C(TCP), 0, NULL },
	{ "ends in IP's first half", m_cut_ip_early, C(SHORT), 0, NULL },
	{ "ends in IP's last octet", m_cut_ip, C(SHORT), 0, NULL },
	{ "ends in UDP", m_cut_udp, C(SHORT), 0, NULL },
	{ "ends in the DNS header", m_cut_dns, C(SHORT), 0, NULL },
	{ "ends in the question", m_cut_question, C(SHORT), 0, NULL },
	{ "UDP longer than IP", m_udp_longer, C(SHORT), 0, NULL },
	{ "UDP shorter than IP", m_udp_shorter, C(SHORT), 0, NULL },
	{ "UDP length 0", m_udp_zero, C(SHORT), 0, NULL },
	{ "no question", m_no_question, C(SHORT), 0, NULL },
	{ "half a type", m_half_type, C(SHORT), 0, NULL },
	{ "a byte behind the question", m_trailing, C(ADDITIONAL), 0, NULL },
	{ "oversized", m_large, C(LARGE), 0, NULL },
	{ "a response", m_response, C(RESPONSE), 0, NULL },
	{ "NOTIFY", m_notify, C(OPCODE), 0, NULL },
	{ "UPDATE", m_update, C(OPCODE), 0, NULL },
	{ "TC in a query", m_tc, C(OPCODE), 0, NULL },
	{ "no question stated", m_qd0, C(QDCOUNT), 0, NULL },
	{ "two questions", m_qd2, C(QDCOUNT), 0, NULL },
	{ "an answer in a query", m_an1, C(SECTIONS), 0, NULL },
	{ "an authority in a query", m_ns1, C(SECTIONS), 0, NULL },
	{ "two additional", m_ar2, C(SECTIONS), 0, NULL },
	{ "additional missing", m_ar1, C(SHORT), 0, NULL },
	{ "compressed question", m_pointer, C(QNAME), 0, NULL },
	{ "label of 64", m_label_64, C(QNAME), 0, NULL },
	{ "label past the end", m_label_overrun, C(QNAME), 0, NULL },
	{ "zero inside a label", m_zero_inside, C(QNAME), 0, NULL },
	{ "a name without end", m_no_end, C(QNAME), 0, NULL },
	{ "a name of 256 octets and more", m_name_256, C(QNAME), 0, NULL },
	{ "class CH", m_chaos, C(QCLASS), 0, NULL },
	{ "garbage", m_garbage, C(RESPONSE), 0, NULL },
	{ "IPv6 hop-by-hop", m6_hop_by_hop, C(IP6_EXT), 1, NULL },
	{ "IPv6 routing header", m6_routing, C(IP6_EXT), 1, NULL },
	{ "IPv6 destination options", m6_destination, C(IP6_EXT), 1, NULL },
	{ "IPv6 fragment", m6_fragment, C(FRAGMENT), 1, NULL },
	{ "ICMPv6", m6_icmp, C(NOT_DNS), 1, NULL },
	{ "an IPv6 address not served", m6_address, C(NOT_SERVED), 1, NULL },
	{ "IPv6 length wrong", m6_length, C(SHORT), 1, NULL },
	{ "TCP over IPv6", m6_tcp, C(TCP), 1, NULL },
	{ "a response over IPv6", m6_response, C(RESPONSE), 1, NULL },
};

static void bad_packet(enum test_hook hook, const struct bad_case *c)
{
	static uint8_t msg[1024];
	struct frame_spec spec = { .ip6 = c->ip6, .to4 = c->to4, .dns = msg,
		.dns_len = build_query(msg, "one.example.org.", 1, DNS_RD, NULL) };
	/* TCP is the steering's business, and that has not begun. */
	int steer = c->outcome == C(TCP) && hook == TEST_TC ? C(STEER_OFF) : -1;
	struct frame in;
	struct run run;
	char why[256] = "the packet was changed or not passed on";
	bool ok;

	frame__build(&in, &spec);
	if (c->mutate)
		c->mutate(&in);
	run_frame(&env, hook, &in, &run);
	if (run.error == -EINVAL && hook == TEST_TC && in.len < 14 + 20) {
		printf("skip tc: %s: newer kernels run no program on so short a frame\n", c->name);
		n_skipped++;
		return;
	}
	ok = !run.error && unchanged(&in, &run) && run.retval == passed_on(hook);
	ok = ok && counted(&run, c->outcome, steer, why, sizeof(why));
	verdict(ok, "%s: %s%s%s", hook_name[hook], c->name, ok ? "" : ": ", ok ? "" : why);
}

/* --- time, hashes, steering -------------------------------------------- */

static bool ask(enum test_hook hook, const char *qname, int vlans, struct frame *in, struct run *run)
{
	static uint8_t msg[1024];
	struct frame_spec spec = { .dns = msg, .vlans = vlans,
				   .dns_len = build_query(msg, qname, 1, DNS_RD, NULL) };

	frame__build(in, &spec);
	run_frame(&env, hook, in, run);
	return run->retval == sent_back(hook);
}

static uint32_t ttl_of(const struct run *run, size_t dns)
{
	ldns_pkt *pkt = wire__parse(run->out.at + dns, run->out.len - dns);
	uint32_t ttl = 0;

	if (pkt && ldns_pkt_ancount(pkt))
		ttl = ldns_rr_ttl(ldns_rr_list_rr(ldns_pkt_answer(pkt), 0));
	ldns_pkt_free(pkt);
	return ttl;
}

static void test_time(enum test_hook hook)
{
	static const struct { uint32_t ttl_s; uint64_t age_ms; uint32_t want; } ages[] = {
		{ 30, 0, 30 }, { 30, 500, 30 }, { 30, 1500, 29 }, { 30, 12500, 18 }, { 30, 28500, 2 },
		{ 30, 29500, 1 }, { 30, 30500, 0 }, { 3600, 3598500, 2 }, { 86400, 43200500, 43200 },
	};
	struct stored s = { "aged.example.org.", 1, DNS_QR | DNS_RA, 0,
			    { "aged.example.org. 0 IN A 192.0.2.1" }, 0 };
	struct frame in;
	struct run run;

	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		bool hit;

		store__put(env.store, decode(&s), NODENS_POSITIVE, ages[i].ttl_s,
			   mono_ns() - ages[i].age_ms * 1000000);
		hit = ask(hook, s.qname, 0, &in, &run);
		verdict(hit == !!ages[i].want && (!hit || ttl_of(&run, in.dns) == ages[i].want),
			"%s: TTL %u after %lu ms is %u (want %u)", hook_name[hook], ages[i].ttl_s,
			(unsigned long)ages[i].age_ms, hit ? ttl_of(&run, in.dns) : 0, ages[i].want);
	}

	env.ctl->heartbeat_ns = mono_ns() - 61000000000ull;
	env.ctl->lease_ns = 60000000000ull;
	kern__ctl_commit(env.kern);
	verdict(!ask(hook, "one.example.org.", 0, &in, &run) && run.moved[C(DISARMED)] == 1 &&
			unchanged(&in, &run),
		"%s: disarmed after the lease", hook_name[hook]);
	env__beat(&env);
}

/* The rdata order over many IDs: each RR leads about as often as any other. */
static void test_rotation(enum test_hook hook)
{
	static uint8_t msg[1024];
	int led[4] = { 0 };

	for (int id = 0; id < 400; id++) {
		struct frame_spec spec = { .dns = msg,
			.dns_len = build_query(msg, "four.example.org.", 1, DNS_RD, NULL) };
		struct frame in;
		struct run run;
		uint8_t *rr;

		put16(msg, id);
		frame__build(&in, &spec);
		run_frame(&env, hook, &in, &run);
		rr = run.out.at + in.len;
		led[(rr[15] - 1) & 3]++;
		for (int i = 1; i < 4; i++) /* the order is kept, it only begins elsewhere */
			if ((rr[16 * i + 15] - 1) % 4 != (rr[15] - 1 + i) % 4)
				led[0] = -1000;
	}
	verdict(led[0] > 80 && led[1] > 80 && led[2] > 80 && led[3] > 80,
		"%s: four A rotate (%d %d %d %d of 400)", hook_name[hook], led[0], led[1], led[2], led[3]);
}

/*
 * Another question's hash pointed at a slot: as if the two collided. The slot's
 * own name decides: a miss.
 */
static void test_collision(enum test_hook hook)
{
	struct dns_name a = wire__name("one.example.org."), b = wire__name("collides.example.org.");
	uint64_t ha = question__hash((const uint64_t *)env.ctl->hash_key, &a, 1, 0);
	uint64_t hb = question__hash((const uint64_t *)env.ctl->hash_key, &b, 1, 0);
	uint64_t ht = question__hash((const uint64_t *)env.ctl->hash_key, &a, 16, 0);
	uint64_t hd = question__hash((const uint64_t *)env.ctl->hash_key, &a, 1, NODENS_KEY_CD);
	struct store_maps maps;
	struct frame in;
	struct run run;
	uint32_t slot, wild = NODENS_SLOT(3, 0x0fffffff), class_wild = 0xf0000000;
	static uint8_t msg[512];
	struct frame_spec spec = { .dns = msg };

	kern__store_maps(env.kern, &maps);
	if (bpf_map_lookup_elem(maps.index_fd, &ha, &slot))
		die("the index does not hold what was stored");
	bpf_map_update_elem(maps.index_fd, &hb, &slot, BPF_ANY);
	verdict(!ask(hook, "collides.example.org.", 0, &in, &run) && run.moved[MISS] == 1,
		"%s: another name with the same hash misses", hook_name[hook]);
	bpf_map_update_elem(maps.index_fd, &ht, &slot, BPF_ANY);
	spec.dns_len = build_query(msg, "one.example.org.", 16, DNS_RD, NULL);
	frame__build(&in, &spec);
	run_frame(&env, hook, &in, &run);
	verdict(run.moved[MISS] == 1, "%s: another type with the same hash misses", hook_name[hook]);
	bpf_map_update_elem(maps.index_fd, &hd, &slot, BPF_ANY);
	spec.dns_len = build_query(msg, "one.example.org.", 1, DNS_RD | DNS_CD, NULL);
	frame__build(&in, &spec);
	run_frame(&env, hook, &in, &run);
	verdict(run.moved[MISS] == 1, "%s: another CD with the same hash misses", hook_name[hook]);
	bpf_map_update_elem(maps.index_fd, &hb, &wild, BPF_ANY);
	verdict(!ask(hook, "collides.example.org.", 0, &in, &run) && run.moved[MISS] == 1,
		"%s: a slot beyond the slab misses", hook_name[hook]);
	bpf_map_update_elem(maps.index_fd, &hb, &class_wild, BPF_ANY);
	verdict(!ask(hook, "collides.example.org.", 0, &in, &run) && run.moved[MISS] == 1,
		"%s: a class that is none misses", hook_name[hook]);
	bpf_map_delete_elem(maps.index_fd, &hb);
	bpf_map_delete_elem(maps.index_fd, &ht);
	bpf_map_delete_elem(maps.index_fd, &hd);
}

/* The client's size counts up to bufsize, 4096 at most. */
static void test_bufsize(enum test_hook hook)
{
	static const uint16_t sizes[] = { 512, 1232, 4095, 4096, 65535 };
	static uint8_t msg[512];

	env.ctl->bufsize = 4096;
	kern__ctl_commit(env.kern);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct edns edns = { .size = sizes[i] };
		struct frame_spec spec = { .dns = msg,
			.dns_len = build_query(msg, "one.example.org.", 1, DNS_RD, &edns) };
		struct frame in;
		struct run run;

		frame__build(&in, &spec);
		run_frame(&env, hook, &in, &run);
		verdict(run.moved[HIT] == 1, "%s: bufsize 4096, client's size %u", hook_name[hook],
			sizes[i]);
	}
	env.ctl->bufsize = 1232;
	kern__ctl_commit(env.kern);
}

/*
 * Generic XDP sees skbs. A query whose checksum field is the pseudo header's sum
 * is CHECKSUM_PARTIAL, and so is its reply; if that sum is right as a whole
 * checksum too, nobody can tell, and it goes on.
 */
static void test_generic_xdp(void)
{
	static uint8_t msg[512];
	struct frame_spec spec = { .dns = msg };
	struct kern_error err;
	struct bpf_object *obj;
	int native = env.fd[TEST_XDP], either = 0, wrong = 0, partial = 0;

	if (native < 0)
		return;
	if (kern__xdp_object(env.kern, true, true, &obj, &err) || bpf_object__load(obj))
		die("generic xdp_nodens does not load");
	env.fd[TEST_XDP] = bpf_program__fd(bpf_object__find_program_by_name(obj, "xdp_nodens"));
	spec.dns_len = build_query(msg, "one.example.org.", 1, DNS_RD, NULL);
	for (int id = 0; id < 65536; id++) {
		struct frame in;
		struct run run;
		uint16_t pseudo, whole;

		put16(msg, id);
		spec.ip6 = id & 1;
		frame__build(&in, &spec);
		whole = get16(in.at + in.l4 + 6);
		pseudo = plain_fold((in.ip6 ? plain_sum(0, in.at + in.l3 + 8, 32) :
					      plain_sum(0, in.at + in.l3 + 12, 8)) +
				    17 + 8 + spec.dns_len);
		if (id % 16 == 2) /* as a pod's veth has it */
			put16(in.at + in.l4 + 6, pseudo);
		run_frame(&env, TEST_XDP, &in, &run);
		if (whole == pseudo) {
			either++;
			wrong += run.moved[MISS] != 1 || !unchanged(&in, &run);
		} else if (id % 16 == 2) {
			uint8_t *field = run.out.at + in.l4 + 6;
			uint16_t reply_pseudo = pseudo; /* of the reply only the length differs */

			reply_pseudo = plain_fold(reply_pseudo + run.out.len - in.len);
			partial++;
			wrong += run.moved[HIT] != 1 || get16(field) != reply_pseudo;
		} else {
			wrong += run.moved[HIT] != 1 || udp_sum(&run.out) != 0xffff;
		}
	}
	verdict(!wrong && either && partial > 4000,
		"generic xdp: %d wrong of 65536, %d partial, %d that could be either", wrong, partial,
		either);
	env.fd[TEST_XDP] = native;
	bpf_object__close(obj);
}

/* Hits move the marks; what a CPU still held for the slot's last tenant may come with them. */
static void test_marks(enum test_hook hook)
{
	struct dns_name name = wire__name("marks.example.org.");
	uint64_t hash = question__hash((const uint64_t *)env.ctl->hash_key, &name, 1, 0);
	union { struct nodens_slot slot; uint8_t bytes[NODENS_SIZE_3]; } buf;
	struct store_maps maps;
	struct frame in;
	struct run run;
	uint32_t number, index, before;
	struct stored s = { "marks.example.org.", 1, DNS_QR | DNS_RA, 0,
			    { "marks.example.org. 0 IN A 192.0.2.1" }, 30 };
	int fd;

	store__put(env.store, decode(&s), NODENS_POSITIVE, 30, mono_ns());

	kern__store_maps(env.kern, &maps);
	if (bpf_map_lookup_elem(maps.index_fd, &hash, &number))
		die("the index does not hold what was stored");
	fd = maps.slab_fd[NODENS_SLOT_CLASS(number)];
	index = NODENS_SLOT_INDEX(number);
	bpf_map_lookup_elem(fd, &index, &buf);
	before = buf.slot.hits;
	for (int i = 0; i < 50; i++)
		ask(hook, "marks.example.org.", 0, &in, &run);
	usleep(1200000);
	for (int i = 0; i < 2; i++)
		ask(hook, "marks.example.org.", 0, &in, &run);
	bpf_map_lookup_elem(fd, &index, &buf);
	verdict(buf.slot.hits > before && buf.slot.hits - before <= 2 * 52 &&
			(mono_ns() >> 30) - buf.slot.last_use <= 2,
		"%s: marks: %u hits noted of 52", hook_name[hook], buf.slot.hits - before);
}

static void tcp_segment(struct frame *in, uint8_t flags, uint16_t port, bool ip6)
{
	static uint8_t msg[32];
	struct frame_spec spec = { .ip6 = ip6, .dns = msg, .dns_len = 32, .client_port = port };

	frame__build(in, &spec);
	in->at[in->l3 + (ip6 ? 6 : 9)] = 6;
	in->at[in->l4 + 13] = flags;
}

struct steer_want {
	const char *name;
	int outcome, steer;
	bool redirected;
};

static void check_steer(const struct frame *in, const struct run *run, const struct steer_want *w)
{
	struct frame want = *in;
	char why[256] = "action or bytes";
	bool ok;

	if (w->redirected)
		memcpy(want.at, env.ctl->nd1_mac, 6);
	ok = run->retval == (w->redirected ? 7u : (uint32_t)-1) && unchanged(&want, run);
	ok = ok && counted(run, w->outcome, w->steer, why, sizeof(why));
	verdict(ok, "tc: %s%s%s", w->name, ok ? "" : ": ", ok ? "" : why);
}

static void steer_query(const struct steer_want *w, bool ip6, uint32_t ifindex, uint16_t client)
{
	static uint8_t msg[512];
	struct frame_spec spec = { .ip6 = ip6, .dns = msg, .client = client,
				   .dns_len = build_query(msg, "new.example.org.", 1, DNS_RD, NULL) };
	struct frame in;
	struct run run;

	frame__build(&in, &spec);
	run_frame_on(&env, TEST_TC, &in, ifindex, &run);
	check_steer(&in, &run, w);
}

static void steer_tcp(const struct steer_want *w, uint8_t flags, uint16_t port, bool ip6)
{
	struct frame in;
	struct run run;

	tcp_segment(&in, flags, port, ip6);
	run_frame(&env, TEST_TC, &in, &run);
	check_steer(&in, &run, w);
}

#define W(name, outcome, steer, redirected)                                                        \
	&(struct steer_want) { name, NODENS_CTR_##outcome, NODENS_CTR_##steer, redirected }

/* A device has its share of addresses; what calls itself IPv4 in IPv6 has none. */
static void test_claims(void)
{
	static uint8_t msg[512];
	struct frame_spec spec = { .ip6 = true, .dns = msg,
				   .dns_len = build_query(msg, "new.example.org.", 1, DNS_RD, NULL) };
	struct frame in;
	struct run run;
	int steered = 0;

	frame__build(&in, &spec);
	inet_pton(AF_INET6, "::ffff:10.244.1.9", in.at + in.l3 + 8);
	run_frame(&env, TEST_TC, &in, &run);
	check_steer(&in, &run, W("an IPv4 address in IPv6 claims nothing", MISS, STEER_CONFLICT, false));
	spec.ip6 = false;
	for (int i = 0; i < 2 * NODENS_DEVICE_CLIENTS; i++) {
		spec.client = 0x4000 + i;
		frame__build(&in, &spec);
		run_frame(&env, TEST_TC, &in, &run);
		steered += run.moved[C(STEERED)];
	}
	/* two addresses were claimed before */
	verdict(steered == NODENS_DEVICE_CLIENTS - 2 && run.moved[C(STEER_FULL)] == 1 &&
			unchanged(&in, &run),
		"tc: %d addresses claimed, of %d at most", steered, NODENS_DEVICE_CLIENTS - 2);
	steer_query(W("who has one keeps it", MISS, STEERED, true), false, 0, 0);
}

static void test_steering(void)
{
	struct served_addr addrs[2] = { { .family = AF_INET }, { .family = AF_INET6 } };
	struct kern_error err;
	struct steer *steer;
	struct frame in;
	struct run run;
	int udp4, udp6, tcp4, tcp6;

	inet_pton(AF_INET, "10.96.0.10", &addrs[0].v4);
	inet_pton(AF_INET6, "fd00:10:96::a", &addrs[1].v6);
	if (steer__open(addrs, 2, &steer, &err))
		die(err.text);
	steer__fill_ctl(steer, env.ctl);
	env.ctl->steer = 1;
	kern__ctl_commit(env.kern);
	steer_query(W("no socket: the agent is dead", MISS, STEER_DEAD, false), false, 0, 0);
	steer_tcp(W("no socket: SYN goes on", TCP, STEER_DEAD, false), 2, 1000, false);

	udp4 = steer__socket(steer, AF_INET, SOCK_DGRAM, 53);
	udp6 = steer__socket(steer, AF_INET6, SOCK_DGRAM, 53);
	tcp4 = steer__socket(steer, AF_INET, SOCK_STREAM, 53);
	tcp6 = steer__socket(steer, AF_INET6, SOCK_STREAM, 53);
	if (udp4 < 0 || udp6 < 0 || tcp4 < 0 || tcp6 < 0)
		die("steer__socket");
	steer_query(W("a miss is steered", MISS, STEERED, true), false, 0, 0);
	steer_query(W("a miss is steered again", MISS, STEERED, true), false, 0, 0);
	steer_query(W("a miss is steered, IPv6", MISS, STEERED, true), true, 0, 0);
	steer_tcp(W("SYN is steered", TCP, STEERED, true), 2, 1000, false);
	steer_tcp(W("SYN is steered, IPv6", TCP, STEERED, true), 2, 1000, true);
	/* the agent listens, but holds no such connection; tests/ns has those that it holds */
	steer_tcp(W("a connection begun elsewhere stays there", TCP, STEER_TCP_FOREIGN, false), 16, 1000,
		  false);
	steer_tcp(W("a connection begun elsewhere stays there, IPv6", TCP, STEER_TCP_FOREIGN, false), 16,
		  1000, true);
	env.ctl->shed = 1;
	kern__ctl_commit(env.kern);
	steer_query(W("overloaded: goes on", MISS, STEER_SHED, false), false, 0, 0);
	steer_tcp(W("overloaded: SYN goes on", TCP, STEER_SHED, false), 2, 1002, false);
	env.ctl->shed = 0;
	env.ctl->hung_ns = 1000000000;
	env.ctl->heartbeat_ns = mono_ns() - 1500000000;
	kern__ctl_commit(env.kern);
	steer_query(W("hung: goes on", MISS, STEER_HUNG, false), false, 0, 0);
	env__beat(&env);
	ask(TEST_TC, "two.example.org.", 1, &in, &run);
	check_steer(&in, &run, W("tagged frames go on", MISS, STEER_VLAN, false));

	if (system("ip link add vt0 type veth peer name vt1 && ip link set vt0 up && ip link set vt1 up"))
		die("cannot make a veth pair");
	/* lo holds 10.244.1.2 and fd00:1::2 from above */
	/* 10.244.1.2 was first seen on lo, where BPF_PROG_RUN has its packets come from */
	steer_query(W("an address of another device goes on", MISS, STEER_CONFLICT, false), false,
		    if_nametoindex("vt0"), 0);
	test_claims();
	close(tcp4);
	close(tcp6);
	close(udp4);
	close(udp6);
	steer_query(W("the socket closed: dead at once", MISS, STEER_DEAD, false), false, 0, 0);
	steer__close(steer);
	env.ctl->steer = 0;
	kern__ctl_commit(env.kern);
}

int main(int argc, char **argv)
{
	env__open(&env, argc > 1 ? argv[1] : NULL, 1024);
	for (int hook = 0; hook < TEST_HOOKS; hook++) {
		if (env.fd[hook] < 0)
			continue;
		store_all();
		store_many("forty.example.org.", 40, 30);
		store_many("hundred.example.org.", 100, 30);
		test_queries(hook);
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			bad_packet(hook, &bad[i]);
		test_time(hook);
		test_rotation(hook);
		test_collision(hook);
		test_marks(hook);
		test_bufsize(hook);
	}
	test_generic_xdp();
	test_steering();
	env__close(&env);
	return closing_line();
}
