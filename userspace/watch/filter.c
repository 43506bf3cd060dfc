// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The programs' definition of a filter, in C. Contract: filter.h.
 */
#include "watch/filter.h"

#include <endian.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <string.h>

#include "nodens_abi.h"

/* What bpf/ has for this: pkt.bpf.h, dns.bpf.h, steer.bpf.h. */

#define FRAME_MAX	     2048
#define DNS_HEADER_LEN	     12
#define DNS_F_QR	     0x8000
#define bpf_htons(x)	     htobe16(x)
#define bpf_ntohs(x)	     be16toh(x)
#define ROOM(ptr, size, end) ((const __u8 *)(ptr) + (size) <= (const __u8 *)(end))

struct dns_hdr {
	__be16 id, flags, qdcount, ancount, nscount, arcount;
};

static void *at(void *data, __u64 off)
{
	return (__u8 *)data + off;
}

static void key_ip4(__be32 word[4], __be32 addr)
{
	const __be32 mapped[4] = { 0, 0, htobe32(0xffff), addr };

	memcpy(word, mapped, sizeof(mapped));
}

static void key_ip6(__be32 word[4], const struct in6_addr *addr)
{
	memcpy(word, addr, 4 * sizeof(*word));
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* clang's, for bpf/ */
#include "nodens_filter.h"
#pragma GCC diagnostic pop

bool filter__matches(const struct nodens_filter *filter, const struct nodens_event *event)
{
	const struct observed observed = {
		.kind = event->kind,
		.outcome = event->outcome,
		.flags = event->flags,
		.l3 = event->l3,
		.l4 = event->l4,
		.ifindex = event->ifindex,
	};
	void *data = (void *)event->packet, *end = (__u8 *)data + event->captured;
	struct asked asked;

	who_asked(data, end, &observed, &asked);
	what_asked(data, end, &observed, &asked);
	return filter_matches(data, end, filter, &observed, &asked);
}
