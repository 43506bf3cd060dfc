// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Answers, case by case, on both hooks: what is stored, what is asked, what must
 * come out. Replies are decoded by ldns.
 *
 * Usage: test_answers [KERNEL]: with KERNEL ("5.4") the fallbacks for it are used.
 */
#include "cases.h"

/* clang-format off */
static const struct stored stored[] = {
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
/* clang-format on */

static void store_all(void)
{
	for (size_t i = 0; i < sizeof(stored) / sizeof(stored[0]); i++)
		if (store__put(env.store, decode(&stored[i]),
			       &(struct store_put){ .kind = kind_of(&stored[i]),
						    .ttl_s = stored[i].ttl_s },
			       mono_ns()))
			die("store__put");
}

/* 40 and 100 addresses: over 512 bytes, and over any UDP answer. */
static void store_many(const char *name, int n, uint32_t ttl_s)
{
	char *text = calloc(n, 64);
	struct stored s = { .qname = name, .qtype = 1, .flags = DNS_QR | DNS_RA, .ttl_s = ttl_s };

	for (int i = 0; i < n; i++)
		sprintf(text + strlen(text), "%s%s 0 IN A 198.18.%d.%d", i ? "\n" : "", name,
			i / 256, i % 256);
	s.section[0] = text;
	if (store__put(env.store, decode(&s),
		       &(struct store_put){ .kind = NODENS_POSITIVE, .ttl_s = ttl_s }, mono_ns()))
		die("store__put of many");
	free(text);
}

/* clang-format off */
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
	{ "over 512: TC", "forty.example.org.", 1, RD, {}, 0, 0, HIT_TC, OK | DNS_TC, 29, NULL },
	{ "over 512: TC, IPv6", "forty.example.org.", 1, RD, {}, 1, 0, HIT_TC, OK | DNS_TC, 29, NULL },
	{ "over 512, EDNS 600: TC with OPT", "forty.example.org.", 1, RD, { .size = 600 }, 0, 0, HIT_TC,
	  OK | DNS_TC, 34, NULL },
	{ "over 512, EDNS 1232: whole", "forty.example.org.", 1, RD, { .size = 1232 }, 0, 0, HIT, OK, 40,
	  "forty.example.org. 30 IN A 198.18.0.39" },
	{ "over 1232: TC", "hundred.example.org.", 1, RD, { .size = 1232 }, 0, 0, HIT_TC, OK | DNS_TC, 74, NULL },
	{ "over 1232 and TC for the client: a record more is the agent's", "hundred.example.org.", 1, RD,
	  { .size = 1300 }, 0, 0, MISS },
	{ "over 1232, for the client not: the agent has it", "hundred.example.org.", 1, RD, { .size = 4096 }, 0, 0,
	  MISS },

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
/* clang-format on */

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
	else if (c->edns.size &&
		 (ldns_pkt_edns_udp_size(pkt) != 1232 || ldns_pkt_edns_version(pkt) ||
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
		struct frame_spec spec = { .ip6 = c->ip6,
					   .vlans = c->vlans,
					   .dns = msg,
					   .dns_len = build_query(msg, c->qname, c->qtype, c->flags,
								  &c->edns) };
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
	}
	env__close(&env);
	return closing_line();
}
