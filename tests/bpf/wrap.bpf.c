// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Around the program under test: give it the same query on every repetition.
 *
 * Contract: BPF_PROG_RUN repeats on one packet, so after the first run a program
 * that answers in place would see its own answer. The wrapper cuts or grows the
 * packet back to the query's size, writes the query's bytes, and tail-calls.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#define WRAP_MAX 512

struct wrap_query {
	__u32 len;
	__u32 pad0;
	__u8 bytes[WRAP_MAX];
};

struct wrap_random {
	__u32 at;
	__u32 mask;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wrap_query);
} wrap_query SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} wrap_tc_next SEC(".maps"), wrap_xdp_next SEC(".maps");

/* Of names that are asked for at random: where their letters are, and how many there are less one.
 */
#define WRAP_LETTERS 5

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wrap_random);
} wrap_random SEC(".maps");

static __always_inline void letters(__u8 text[WRAP_LETTERS], __u32 mask)
{
	__u32 n = bpf_get_prandom_u32() & mask;

#pragma unroll
	for (int i = 0; i < WRAP_LETTERS; i++, n >>= 4)
		text[i] = 'a' + (n & 15);
}

SEC("xdp")
int wrap_xdp(struct xdp_md *ctx)
{
	struct wrap_random *r;
	__u32 zero = 0;
	struct wrap_query *q = bpf_map_lookup_elem(&wrap_query, &zero);
	void *data, *end;
	__u64 len, i;

	if (!q)
		return XDP_ABORTED;
	len = q->len;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if ((__u64)(end - data) != len && bpf_xdp_adjust_tail(ctx, (int)(len - (end - data))))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
#pragma clang loop unroll(disable)
	for (i = 0; i < WRAP_MAX / 8; i++) {
		if (data + 8 * i + 8 > end)
			break;
		*(__u64 *)(data + 8 * i) = *(__u64 *)(q->bytes + 8 * i);
	}
#pragma clang loop unroll(disable)
	for (i = i * 8; i < WRAP_MAX; i++) { /* up to 7 octets */
		if (data + i + 1 > end)
			break;
		*(__u8 *)(data + i) = q->bytes[i];
	}
	r = bpf_map_lookup_elem(&wrap_random, &zero);
	if (r && r->mask) {
		__u8 *name = data + (r->at & (WRAP_MAX - 1));

		if (name + WRAP_LETTERS <= (__u8 *)end)
			letters(name, r->mask);
	}
	bpf_tail_call(ctx, &wrap_xdp_next, 0);
	return XDP_ABORTED;
}

SEC("tc")
int wrap_tc(struct __sk_buff *skb)
{
	__u32 zero = 0, len;
	__u8 text[WRAP_LETTERS];
	struct wrap_random *r;
	struct wrap_query *q = bpf_map_lookup_elem(&wrap_query, &zero);

	if (!q)
		return 2;
	len = q->len;
	if (len < 14 || len > WRAP_MAX)
		return 2;
	if (skb->len != len && bpf_skb_change_tail(skb, len, 0))
		return 2;
	if (bpf_skb_store_bytes(skb, 0, q->bytes, len, 0))
		return 2;
	r = bpf_map_lookup_elem(&wrap_random, &zero);
	if (r && r->mask) {
		letters(text, r->mask);
		if (bpf_skb_store_bytes(skb, r->at, text, sizeof(text), 0))
			return 2;
	}
	bpf_tail_call(skb, &wrap_tc_next, 0);
	return 2;
}

/* What the wrapper costs by itself, with a packet that grew by as much as the reply does. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} wrap_grow SEC(".maps");

SEC("xdp")
int grow_xdp(struct xdp_md *ctx)
{
	__u32 zero = 0, *by = bpf_map_lookup_elem(&wrap_grow, &zero);

	return by && !bpf_xdp_adjust_tail(ctx, *by) ? XDP_PASS : XDP_ABORTED;
}

SEC("tc")
int grow_tc(struct __sk_buff *skb)
{
	__u32 zero = 0, *by = bpf_map_lookup_elem(&wrap_grow, &zero);

	return by && !bpf_skb_change_tail(skb, skb->len + *by, 0) ? -1 : 2;
}

/* What the wrapper costs by itself. */
SEC("xdp")
int null_xdp(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

SEC("tc")
int null_tc(struct __sk_buff *skb)
{
	(void)skb;
	return -1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
