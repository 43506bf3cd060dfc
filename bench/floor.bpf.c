// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What any answer by a tc program costs at least: every DNS query over IPv4 is answered with the
 * same address, nothing is looked up, no checksum is made. bench/pod holds nodens against it.
 *
 * Contract: floor_host goes onto the node's end of a pod's veth (ingress), floor_pod onto the pod's
 * end (egress). Not for anything but measuring: it does not look at what is asked.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define HEADERS (sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr))

/* RFC 1035, 3.2.1 */
struct answer {
	__be16 name, type, class, ttl[2], rdlength;
	__u8 rdata[4];
} __attribute__((packed));

static __always_inline bool is_query(void *data, void *end)
{
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	struct udphdr *udp = (void *)(ip + 1);

	return (void *)(udp + 1) <= end && eth->h_proto == bpf_htons(ETH_P_IP) &&
	       *(__u8 *)ip == 0x45 && ip->protocol == IPPROTO_UDP && udp->dest == bpf_htons(53);
}

static __always_inline void turn_round(void *data)
{
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	struct udphdr *udp = (void *)(ip + 1);
	__u8 mac[ETH_ALEN];
	__be32 addr = ip->saddr;
	__be16 port = udp->source;
	__u32 sum;

	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
	ip->saddr = ip->daddr;
	ip->daddr = addr;
	udp->source = udp->dest;
	udp->dest = port;
	udp->check = 0;
	udp->len = bpf_htons(bpf_ntohs(udp->len) + sizeof(struct answer));
	sum = (__u16)~ip->check + bpf_htons(sizeof(struct answer));
	ip->check = ~((sum & 0xffff) + (sum >> 16));
	ip->tot_len = bpf_htons(bpf_ntohs(ip->tot_len) + sizeof(struct answer));
}

/* 0: answered in place; TC_ACT_UNSPEC: not for us. */
static __always_inline int answer(struct __sk_buff *skb)
{
	const struct answer record = { .name = bpf_htons(0xc00c),
				       .type = bpf_htons(1),
				       .class = bpf_htons(1),
				       .ttl = { 0, bpf_htons(30) },
				       .rdlength = bpf_htons(4),
				       .rdata = { 10, 101, 0, 0 } };
	__u32 len = skb->len;
	__u8 *dns;

	if (!is_query((void *)(long)skb->data, (void *)(long)skb->data_end) ||
	    bpf_skb_change_tail(skb, len + sizeof(record), 0) ||
	    !is_query((void *)(long)skb->data, (void *)(long)skb->data_end))
		return TC_ACT_UNSPEC;
	turn_round((void *)(long)skb->data);
	dns = (void *)(long)skb->data + HEADERS;
	if (dns + 8 > (__u8 *)(long)skb->data_end)
		return TC_ACT_UNSPEC;
	dns[2] |= 0x80; /* QR */
	dns[3] = 0x80;	/* RA, NOERROR */
	dns[7] = 1;	/* ANCOUNT */
	return bpf_skb_store_bytes(skb, len, &record, sizeof(record), 0) ? TC_ACT_SHOT : 0;
}

SEC("tc")
int floor_host(struct __sk_buff *skb)
{
	int ret = answer(skb);

	return ret ? ret : bpf_redirect_peer(skb->ifindex, 0);
}

SEC("tc/pod")
int floor_pod(struct __sk_buff *skb)
{
	int ret = answer(skb);

	return ret ? ret : bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
