/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From Ethernet to the DNS message: what a packet must be to be looked at.
 *
 * Contract: pure; reads nothing beyond data_end; GO_ON with struct pkt filled
 * in, or the outcome under which the packet goes on unchanged. The port is
 * looked at before anything that costs, so other traffic leaves here.
 */
#ifndef NODENS_PKT_BPF_H
#define NODENS_PKT_BPF_H

#define GO_ON (-1) /* no outcome yet */

#define DNS_PORT       53
#define DNS_HEADER_LEN 12
#define DNS_MAX_QUERY  512 /* RFC 1035, 2.3.4; no query needs more */
#define MAX_HEADERS    (14 + 8 + 40 + 8 + DNS_HEADER_LEN)

/* The two kinds of context; @xdp is a constant wherever these are called. */
static __always_inline void *ctx_data(void *ctx, bool xdp)
{
	return xdp ? (void *)(long)((struct xdp_md *)ctx)->data
		   : (void *)(long)((struct __sk_buff *)ctx)->data;
}

static __always_inline void *ctx_end(void *ctx, bool xdp)
{
	return xdp ? (void *)(long)((struct xdp_md *)ctx)->data_end
		   : (void *)(long)((struct __sk_buff *)ctx)->data_end;
}

static __always_inline __u64 ctx_len(void *ctx, bool xdp)
{
	return xdp ? (__u64)(ctx_end(ctx, xdp) - ctx_data(ctx, xdp))
		   : ((struct __sk_buff *)ctx)->len;
}

/*
 * Offsets from the start of the frame.
 * VERIFIER(5.15): all that lives long has 64 bits. Of less that is spilled, the verifier never
 * knows that the slot was written whole, so old values in it keep states apart.
 */
struct pkt {
	__u64 l3;
	__u64 l4;
	__u64 dns;     /* UDP only */
	__u64 dns_len; /* bytes of DNS message, by UDP's length */
	__u64 ip6;     /* a bool, as the next */
	__u64 tcp;
};

/*
 * VERIFIER(5.4): a known value keeps otherwise equal states apart, and the
 * rest of the program is walked once for each. Passing it through an unknown
 * one makes it unknown; the caller bounds it anew.
 */
static __always_inline __u64 forget(__u64 value, __u64 unknown)
{
	value ^= unknown;
	asm volatile("" : "+r"(value));
	return value ^ unknown;
}

/* The packet at offset @off, which is below FRAME_MAX. */
#define FRAME_MAX 2048
static __always_inline void *at(void *data, __u64 off)
{
	/* VERIFIER(5.10): in one, for bounds of a scalar that is spilled between are forgotten */
	asm volatile("%0 &= 2047\n\t%0 += %1" : "+r"(off) : "r"(data));
	return (void *)off;
}

/*
 * Do @bytes at @ptr lie in the packet?
 * VERIFIER(5.10): the barrier keeps the compiler from accessing the bytes
 * through another copy of the pointer than the one that was compared.
 */
#define ROOM(ptr, bytes, end)                     \
	({                                        \
		asm volatile("" : "+r"(ptr));     \
		(void *)(ptr) + (bytes) <= (end); \
	})

static __always_inline long pkt_ports(void *data, void *end, struct pkt *p, __u8 proto)
{
	__be16 *ports = at(data, p->l4);

	if (proto != IPPROTO_UDP && proto != IPPROTO_TCP)
		return NODENS_CTR_NOT_DNS;
	if ((void *)(ports + 2) > end)
		return NODENS_CTR_SHORT;
	if (ports[1] != bpf_htons(DNS_PORT))
		return NODENS_CTR_NOT_DNS;
	p->tcp = proto == IPPROTO_TCP;
	return GO_ON;
}

static __always_inline long pkt_ip4(void *data, void *end, struct pkt *p)
{
	struct iphdr *ip = at(data, p->l3);

	if ((void *)(ip + 1) > end)
		return NODENS_CTR_SHORT;
	if (*(__u8 *)ip != 0x45)
		return NODENS_CTR_IP_OPTIONS;
	if (ip->frag_off & bpf_htons(0x3fff)) /* MF or an offset */
		return NODENS_CTR_FRAGMENT;
	p->ip6 = false;
	p->l4 = p->l3 + sizeof(*ip);
	return pkt_ports(data, end, p, ip->protocol);
}

static __always_inline long pkt_ip6(void *data, void *end, struct pkt *p)
{
	struct ipv6hdr *ip = at(data, p->l3);

	if ((void *)(ip + 1) > end)
		return NODENS_CTR_SHORT;
	switch (ip->nexthdr) {
	case 0:	  /* hop-by-hop */
	case 43:  /* routing */
	case 51:  /* AH */
	case 60:  /* destination options */
	case 135: /* mobility */
		return NODENS_CTR_IP6_EXT;
	case 44:
		return NODENS_CTR_FRAGMENT;
	}
	p->ip6 = true;
	p->l4 = p->l3 + sizeof(*ip);
	return pkt_ports(data, end, p, ip->nexthdr);
}

/* Is it TCP or UDP to port 53, to this station? Sets l3, l4, ip6, tcp. */
static __always_inline long pkt_parse(void *data, void *end, struct pkt *p)
{
	struct ethhdr *eth = data;
	__be16 proto;
	__u64 l3 = sizeof(*eth);
	long outcome;

	if ((void *)(eth + 1) > end)
		return NODENS_CTR_SHORT;
	proto = eth->h_proto;
	if (proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD)) {
		__be16 *tag = data + l3;

		if ((void *)(tag + 2) > end)
			return NODENS_CTR_SHORT;
		proto = tag[1];
		l3 += 4;
		if (proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD)) {
			if ((void *)(tag + 4) > end)
				return NODENS_CTR_SHORT;
			proto = tag[3];
			l3 += 4;
		}
		if (proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD))
			return NODENS_CTR_VLAN;
		l3 = forget(l3, proto) & 31;
	}
	p->l3 = l3;
	if (proto != bpf_htons(ETH_P_IP) && proto != bpf_htons(ETH_P_IPV6))
		return NODENS_CTR_NOT_IP;
	outcome = proto == bpf_htons(ETH_P_IP) ? pkt_ip4(data, end, p) : pkt_ip6(data, end, p);
	/* a reply would have the group as its source */
	if (outcome == GO_ON && eth->h_dest[0] & 1)
		return NODENS_CTR_MULTICAST;
	return outcome;
}

/*
 * The lengths of IP, UDP and the frame (@frame_len bytes, padding included)
 * must agree. Sets dns and dns_len.
 */
static __always_inline long pkt_lengths(void *data, void *end, struct pkt *p, __u64 frame_len)
{
	struct udphdr *udp = at(data, p->l4);
	__u64 l4_len, udp_len;

	if ((void *)(udp + 1) > end)
		return NODENS_CTR_SHORT;
	udp_len = bpf_ntohs(udp->len);
	if (p->ip6) {
		struct ipv6hdr *ip = at(data, p->l3);

		if ((void *)(ip + 1) > end)
			return NODENS_CTR_SHORT;
		l4_len = bpf_ntohs(ip->payload_len);
	} else {
		struct iphdr *ip = at(data, p->l3);

		if ((void *)(ip + 1) > end)
			return NODENS_CTR_SHORT;
		l4_len = (__u64)bpf_ntohs(ip->tot_len) - sizeof(*ip);
	}
	if (udp_len != l4_len || p->l4 + udp_len > frame_len ||
	    udp_len < sizeof(*udp) + DNS_HEADER_LEN)
		return NODENS_CTR_SHORT;
	p->l4 = forget(p->l4, udp_len);
	p->ip6 = forget(p->ip6, udp_len) & 1;
	p->dns = p->l4 + sizeof(*udp);
	p->dns_len = udp_len - sizeof(*udp);
	if (p->dns_len > DNS_MAX_QUERY)
		return NODENS_CTR_LARGE;
	return GO_ON;
}

/*
 * Is the destination an address that nodens serves? Compared one after the
 * other, since there are one to three: cheaper than a hash map's one look-up.
 */
static __always_inline bool pkt_served(void *data, void *end, const struct pkt *p,
				       const struct nodens_ctl *ctl)
{
	if (p->ip6) {
		struct ipv6hdr *ip = at(data, p->l3);
		__be32 *dst;

		if ((void *)(ip + 1) > end)
			return false;
		dst = ip->daddr.in6_u.u6_addr32;
		for (__u64 i = 0; i < NODENS_MAX_SERVED; i++) {
			const __be32 *a = ctl->served6[i];

			if (i >= ctl->n_served6)
				return false;
			if (a[0] == dst[0] && a[1] == dst[1] && a[2] == dst[2] && a[3] == dst[3])
				return true;
		}
	} else {
		struct iphdr *ip = at(data, p->l3);
		__be32 dst;

		if ((void *)(ip + 1) > end)
			return false;
		dst = ip->daddr;
		for (__u64 i = 0; i < NODENS_MAX_SERVED; i++) {
			if (i >= ctl->n_served4)
				return false;
			if (ctl->served4[i] == dst)
				return true;
		}
	}
	return false;
}

#endif /* NODENS_PKT_BPF_H */
