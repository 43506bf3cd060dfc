// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The agent's events. Contract: note.h.
 */
#include "watch/note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

/* ---- the packet ---- */

/* RFC 1071, over @len bytes in 16-bit words as they lie there. */
static uint64_t sum_of(const void *data, size_t len)
{
	const uint8_t *at = data;
	uint64_t sum = 0;
	uint16_t word;

	for (; len > 1; len -= 2, at += 2) {
		memcpy(&word, at, 2);
		sum += word;
	}
	return len ? sum + htons(*at << 8) : sum;
}

static uint16_t checksum(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* The addresses' part of the UDP checksum. */
static uint64_t put_ip4(uint8_t *at, const struct served_addr *from, const struct served_addr *to,
			size_t payload)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(sizeof(ip) + payload),
		.frag_off = htons(IP_DF),
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.saddr = from->v4.s_addr,
		.daddr = to->v4.s_addr,
	};

	ip.check = checksum(sum_of(&ip, sizeof(ip)));
	memcpy(at, &ip, sizeof(ip));
	return sum_of(&ip.saddr, 8);
}

static uint64_t put_ip6(uint8_t *at, const struct served_addr *from, const struct served_addr *to,
			size_t payload)
{
	struct ip6_hdr ip = {
		.ip6_flow = htonl(6u << 28),
		.ip6_plen = htons(payload),
		.ip6_nxt = IPPROTO_UDP,
		.ip6_hlim = 64,
		.ip6_src = from->v6,
		.ip6_dst = to->v6,
	};

	memcpy(at, &ip, sizeof(ip));
	return sum_of(&ip.ip6_src, 32);
}

size_t note__packet(struct note_event *event, uint8_t packet[NOTE_PACKET_MAX])
{
	struct served_addr from = served_addr__of(event->served);
	struct served_addr to = served_addr__of(event->client);
	bool ip6 = to.family == AF_INET6;
	size_t l4 = ETH_HLEN + (ip6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr));
	size_t room = UINT16_MAX - sizeof(struct iphdr) - sizeof(struct udphdr);
	size_t whole = event->len < room ? event->len : room;
	size_t part = whole < NODENS_MAX_SNAP ? whole : NODENS_MAX_SNAP;
	struct ethhdr eth = { .h_proto = htons(ip6 ? ETH_P_IPV6 : ETH_P_IP) };
	struct udphdr udp = {
		.source = htons(sockaddr__port(event->served)),
		.dest = htons(sockaddr__port(event->client)),
		.len = htons(sizeof(udp) + whole),
	};
	uint64_t sum;

	memcpy(packet, &eth, sizeof(eth));
	sum = (ip6 ? put_ip6 : put_ip4)(packet + ETH_HLEN, &from, &to, sizeof(udp) + whole);
	sum += htons(IPPROTO_UDP) + (uint64_t)udp.len;
	udp.check = checksum(sum + sum_of(&udp, sizeof(udp)) + sum_of(event->msg, whole));
	if (!udp.check)
		udp.check = 0xffff; /* 0 says that there is none: RFC 768 */
	memcpy(packet + l4, &udp, sizeof(udp));
	memcpy(packet + l4 + sizeof(udp), event->msg, part);
	event->about.l3 = ETH_HLEN;
	event->about.l4 = l4;
	if (ip6)
		event->about.flags |= NODENS_EVENT_IP6;
	return l4 + sizeof(udp) + part;
}

/* ---- to those who look on ---- */

struct note {
	const struct nodens_ctl *ctl;
	int prog;	/* the datapath's */
	uint64_t whose; /* bytes of ctl->observe that count */
	uint8_t packet[NOTE_PACKET_MAX];
};

int note__open(struct datapath *dp, struct note **out, struct error *err)
{
	int prog = datapath__tc_prog_fd(dp, DATAPATH_TC_NOTE, true, err);
	struct note *note;

	if (prog < 0)
		return prog;
	note = calloc(1, sizeof(*note));
	if (!note)
		return error__set(err, -ENOMEM, "out of memory");
	note->ctl = datapath__ctl(dp);
	note->prog = prog;
	note__ignore(note, NULL);
	*out = note;
	return 0;
}

void note__close(struct note *note)
{
	free(note);
}

void note__ignore(struct note *note, const struct session *own)
{
	uint8_t whose[NODENS_SESSIONS];

	memset(whose, 0xff, sizeof(whose));
	if (own)
		whose[session__number(own)] = 0;
	memcpy(&note->whose, whose, sizeof(whose));
}

bool note__wanted(const struct note *note)
{
	return note && __atomic_load_n((const uint64_t *)note->ctl->observe, __ATOMIC_RELAXED) &
			       note->whose;
}

int note__send(struct note *note, struct note_event *event)
{
	struct __sk_buff skb = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &skb, .ctx_size_in = sizeof(skb),
		    .data_in = note->packet);

	opts.data_size_in = note__packet(event, note->packet);
	_Static_assert(sizeof(skb.cb) == sizeof(event->about), "nodens_agent_note");
	memcpy(skb.cb, &event->about, sizeof(skb.cb));
	return bpf_prog_test_run_opts(note->prog, &opts) ? -errno : 0;
}
