/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which packets a session's filter lets through (headers/nodens_sessions.h): for the programs, and
 * for the agent where it sends its events itself (userspace/watch/viewers.h).
 *
 * Contract: pure; reads nothing beyond @end. Whoever includes it says how a packet is read: at(),
 * ROOM(), FRAME_MAX, struct dns_hdr, key_ip4() and key_ip6(), as bpf/pkt.bpf.h, dns.bpf.h and
 * steer.bpf.h have them, and includes the types of the headers.
 */
#ifndef NODENS_FILTER_H
#define NODENS_FILTER_H

#include "nodens_abi.h"

/* What the programs know when it is over; of a packet that they parsed. */
struct observed {
	__u64 kind;    /* enum nodens_event_kind */
	__u64 outcome; /* enum nodens_counter */
	__u64 flags;   /* NODENS_EVENT_* */
	__u64 l3, l4;
	__u64 ifindex;
	__u64 drawn; /* 1: one packet in NODENS_FEW gets here, 0: each */
};

/* What filters look at. */
struct asked {
	__be32 client[4];
	__u64 name_end; /* offset of what follows its root label; 0: no question was found */
	__u64 qtype;	/* in wire order */
	__u64 rcode;	/* all ones: no reply */
};

#define NO_RCODE (~0ull)

static __always_inline bool is_reply(const struct observed *v)
{
	return v->kind == NODENS_EVENT_ANSWERED || v->kind == NODENS_EVENT_RETURNED ||
	       v->kind == NODENS_EVENT_AGENT;
}

/* Where the name at @off ends, or 0. */
static __always_inline __u64 name_end(void *data, void *end, __u64 off)
{
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < DNS_MAX_NAME / 2 + 1; i++) {
		__u8 *label = at(data, off);
		__u64 len;

		if (off >= FRAME_MAX || !ROOM(label, 1, end))
			return 0;
		len = *label;
		if (!len)
			return off + 1;
		if (len > 63)
			return 0;
		off += 1 + len;
	}
	return 0;
}

static __always_inline void who_asked(void *data, void *end, const struct observed *v,
				      struct asked *a)
{
	bool reply = is_reply(v);

	a->client[0] = a->client[1] = a->client[2] = a->client[3] = 0;
	if (v->flags & NODENS_EVENT_IP6) {
		struct ipv6hdr *ip = at(data, v->l3);

		if ((void *)(ip + 1) <= end)
			key_ip6(a->client, reply ? &ip->daddr : &ip->saddr);
	} else {
		struct iphdr *ip = at(data, v->l3);

		if ((void *)(ip + 1) <= end)
			key_ip4(a->client, reply ? ip->daddr : ip->saddr);
	}
}

static __always_inline void what_asked(void *data, void *end, const struct observed *v,
				       struct asked *a)
{
	__u64 dns = v->l4 + sizeof(struct udphdr);
	struct dns_hdr *hdr = at(data, dns);
	__be16 *type;
	__u64 until;

	a->name_end = 0;
	a->qtype = 0;
	a->rcode = NO_RCODE;
	if (v->flags & NODENS_EVENT_TCP && v->kind != NODENS_EVENT_AGENT)
		return;
	if ((void *)(hdr + 1) > end)
		return;
	if (hdr->flags & bpf_htons(DNS_F_QR))
		a->rcode = bpf_ntohs(hdr->flags) & 15;
	until = name_end(data, end, dns + DNS_HEADER_LEN);
	type = at(data, until);
	if (!until || until >= FRAME_MAX || !ROOM(type, 2, end))
		return;
	a->name_end = until;
	a->qtype = *type;
}

/* Does the name end like this? More may: that a label begins there its viewer looks at. */
static __always_inline bool suffix_matches(void *data, void *end, const struct nodens_filter *f,
					   __u64 until)
{
	__u64 len = f->suffix_len, off;

	if (!until || len > until || len > NODENS_SUFFIX_MAX)
		return false;
	off = until - len;
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < NODENS_SUFFIX_MAX; i++) {
		__u8 *c = at(data, off + i);
		__u8 lower;

		if (i >= len)
			break;
		if (!ROOM(c, 1, end))
			return false;
		lower = *c;
		if (lower >= 'A' && lower <= 'Z')
			lower += 'a' - 'A';
		if (lower != f->suffix[i])
			return false;
	}
	return true;
}

static __always_inline bool filter_matches(void *data, void *end, const struct nodens_filter *f,
					   const struct observed *v, const struct asked *a)
{
	if (!(f->kinds >> (v->kind & 31) & 1) || !(f->outcomes >> (v->outcome & 63) & 1))
		return false;
	if (f->ifindex && f->ifindex != v->ifindex)
		return false;
	if (f->rcodes != NODENS_ALL_RCODES &&
	    (a->rcode == NO_RCODE || !(f->rcodes >> (a->rcode & 15) & 1)))
		return false;
	if (f->qtype && f->qtype != a->qtype)
		return false;
	for (__u64 i = 0; i < 4; i++) {
		if ((a->client[i] & f->client_mask[i]) != f->client[i])
			return false;
	}
	return !f->suffix_len || suffix_matches(data, end, f, a->name_end);
}

#endif /* NODENS_FILTER_H */
