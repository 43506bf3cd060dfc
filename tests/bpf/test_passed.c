// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Packets that go on as they came, byte for byte, each under its own counter.
 *
 * Usage: test_passed [KERNEL]: with KERNEL ("5.4") the fallbacks for it are used.
 */
#include "cases.h"

/* clang-format off */
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
/* clang-format on */

static void bad_packet(enum test_hook hook, const struct bad_case *c)
{
	static uint8_t msg[1024];
	struct frame_spec spec = { .ip6 = c->ip6,
				   .to4 = c->to4,
				   .dns = msg,
				   .dns_len =
					   build_query(msg, "one.example.org.", 1, DNS_RD, NULL) };
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

int main(int argc, char **argv)
{
	/* So that what is only nearly right would be a hit. */
	struct stored s = { "one.example.org.",
			    1,
			    DNS_QR | DNS_RA,
			    0,
			    { "one.example.org. 0 IN A 192.0.2.1" },
			    30 };

	env__open(&env, argc > 1 ? argv[1] : NULL, 1024);
	store__put(env.store, decode(&s),
		   &(struct store_put){ .kind = NODENS_POSITIVE, .ttl_s = 3600 }, mono_ns());
	for (int hook = 0; hook < TEST_HOOKS; hook++) {
		for (size_t i = 0; env.fd[hook] >= 0 && i < sizeof(bad) / sizeof(bad[0]); i++)
			bad_packet(hook, &bad[i]);
	}
	env__close(&env);
	return closing_line();
}
