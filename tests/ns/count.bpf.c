// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Another's programs, for the test of coexistence: they count packets and let them pass.
 *
 * Contract: count_tc returns TC_ACT_OK, as many CNIs' filters do, which ends the chain. The counter
 * is the one entry of count_packets.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} count_packets SEC(".maps");

static __always_inline void count(void)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&count_packets, &zero);

	if (n)
		__sync_fetch_and_add(n, 1);
}

SEC("tc")
int count_tc(struct __sk_buff *skb)
{
	(void)skb;
	count();
	return TC_ACT_OK;
}

SEC("xdp")
int count_xdp(struct xdp_md *ctx)
{
	(void)ctx;
	count();
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
