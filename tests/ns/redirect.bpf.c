// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What a CNI with a local redirect policy does to packets for the node's DNS pod, at the client's
 * veth: new link addresses, then straight into the pod by bpf_redirect_peer.
 *
 * Contract: packets to AGENT_IP4 or AGENT_IP6 (bytes, defined by who compiles this) go to the peer
 * of device AGENT_IFINDEX, with AGENT_MAC as their destination and ROUTER_MAC, that device's own,
 * as their source, and are counted. All others pass.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} redirect_count SEC(".maps");

static __always_inline int same(const void *a, const __u8 *b, int len)
{
	for (int i = 0; i < len; i++) {
		if (((const __u8 *)a)[i] != b[i])
			return 0;
	}
	return 1;
}

static __always_inline int is_for_agent(const struct ethhdr *eth, const void *end)
{
	const __u8 ip4[] = { AGENT_IP4 }, ip6[] = { AGENT_IP6 };
	const struct ipv6hdr *v6 = (const void *)(eth + 1);
	const struct iphdr *v4 = (const void *)(eth + 1);

	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return (const void *)(v4 + 1) <= end && same(&v4->daddr, ip4, sizeof(ip4));
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return (const void *)(v6 + 1) <= end && same(&v6->daddr, ip6, sizeof(ip6));
	return 0;
}

SEC("tc")
int redirect_tc(struct __sk_buff *skb)
{
	const __u8 agent[] = { AGENT_MAC }, router[] = { ROUTER_MAC };
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;
	__u32 zero = 0;
	__u64 *n;

	if ((void *)(eth + 1) > end || !is_for_agent(eth, end))
		return TC_ACT_UNSPEC;
	__builtin_memcpy(eth->h_dest, agent, sizeof(agent));
	__builtin_memcpy(eth->h_source, router, sizeof(router));
	n = bpf_map_lookup_elem(&redirect_count, &zero);
	if (n)
		__sync_fetch_and_add(n, 1);
	return bpf_redirect_peer(AGENT_IFINDEX, 0);
}

char LICENSE[] SEC("license") = "GPL";
