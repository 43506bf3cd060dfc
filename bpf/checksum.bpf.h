/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A reply's UDP checksum, out of the sums that reply_write() made: by XDP and on an skb.
 *
 * Contract: writes the checksum and nothing else; false where the packet ends before it.
 */
#ifndef NODENS_CHECKSUM_BPF_H
#define NODENS_CHECKSUM_BPF_H

/*
 * XDP has no help from the stack: the checksum is complete in the packet; but
 * for an skb in CHECKSUM_PARTIAL, which the stack completes, or never looks at.
 */
static __always_inline bool xdp_checksum(void *data, void *end, const struct pkt *p,
					 const struct reply_sums *sums, bool partial)
{
	struct udphdr *udp = at(data, p->l4);
	__u16 check;

	if ((void *)(udp + 1) > end)
		return false;
	if (partial) {
		udp->check = fold(sums->pseudo);
		return true;
	}
	check = ~fold(sums->pseudo + sums->rest);
	udp->check = check ? check : 0xffff;
	return true;
}

/*
 * An skb may be CHECKSUM_PARTIAL (then the field holds the pseudo header's sum)
 * or not (then the whole checksum), and a program cannot ask which. So: write
 * the pseudo header's sum P, then have the kernel replace by a difference that
 * turns P into the whole checksum; it does so unless the skb is PARTIAL
 * (inet_proto_csum_replace_by_diff without a pseudo header).
 */
static __always_inline bool skb_checksum(struct __sk_buff *skb, void *data, void *end,
					 const struct pkt *p, const struct reply_sums *sums)
{
	struct udphdr *udp = at(data, p->l4);
	__u16 pseudo = fold(sums->pseudo);

	if ((void *)(udp + 1) > end)
		return false;
	udp->check = pseudo;
	return !bpf_l4_csum_replace(skb, p->l4 + __builtin_offsetof(struct udphdr, check), 0,
				    fold(sums->rest + 2 * (__u64)pseudo), BPF_F_MARK_MANGLED_0);
}

/* Pseudo header's sum of the query, as CHECKSUM_PARTIAL keeps it in the field. */
static __always_inline __u64 query_pseudo_sum(void *data, void *end, const struct pkt *p)
{
	__u64 sum = bpf_htons(IPPROTO_UDP) + (__u64)bpf_htons(p->dns_len + sizeof(struct udphdr));
	__be32 *addr = at(data, p->l3);

	if (p->ip6) {
		if ((void *)addr + sizeof(struct ipv6hdr) > end)
			return 0;
#pragma unroll
		for (int i = 2; i < 10; i++)
			sum += addr[i];
	} else {
		if ((void *)addr + sizeof(struct iphdr) > end)
			return 0;
		sum += (__u64)addr[3] + addr[4];
	}
	return sum;
}

enum query_checksum { QUERY_COMPLETE, QUERY_PARTIAL, QUERY_EITHER };

/*
 * Generic XDP: is the skb in CHECKSUM_PARTIAL? If its checksum field is not the
 * pseudo header's sum, no. If it is, and would be wrong as a whole checksum,
 * yes. One query in 2^16 could be either: that one is not answered here.
 */
static __always_inline enum query_checksum query_checksum(void *data, void *end,
							  const struct pkt *p)
{
	__u64 pseudo = query_pseudo_sum(data, end, p), sum = pseudo;
	__u64 words = (p->dns_len + sizeof(struct udphdr)) >> 1;
	struct udphdr *udp = at(data, p->l4);
	__u8 *last = at(data, p->dns + p->dns_len - 1);
	__be16 *word = at(data, p->l4);

	if ((void *)(udp + 1) > end || !ROOM(last, 1, end) || udp->check != fold(pseudo))
		return QUERY_COMPLETE;
	if (p->dns_len & 1)
		sum += *last;
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < (DNS_MAX_QUERY + sizeof(struct udphdr)) / 2; i++, word++) {
		if (i >= words)
			break;
		if (!ROOM(word, 2, end))
			return QUERY_EITHER;
		sum += *word;
	}
	return fold(sum) == 0xffff ? QUERY_EITHER : QUERY_PARTIAL;
}

#endif /* NODENS_CHECKSUM_BPF_H */
