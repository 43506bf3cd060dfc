/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is counted by device (headers/nodens_device.h).
 *
 * Contract: adds to this CPU's own counts; changes nothing else and cannot fail.
 */
#ifndef NODENS_DEVICE_BPF_H
#define NODENS_DEVICE_BPF_H

/* What is counted of the device on this CPU. */
static __always_inline struct nodens_device_counts *device_counts(__u32 ifindex)
{
	__u32 number, key = ifindex % NODENS_DEVICE_SETS;
	const struct nodens_device_set *set = bpf_map_lookup_elem(&nodens_devnum, &key);
	__u64 entry;

	if (!set)
		return NULL;
	entry = ELEMENT(set->entry, ifindex / NODENS_DEVICE_SETS);
	if ((__u32)entry != ifindex) {
		entry = 0;
		/* VERIFIER: without a branch */
#pragma clang loop unroll(full)
		for (int i = 0; i < NODENS_DEVICE_WAYS; i++) {
			entry |= set->entry[i] & if_less((__u32)set->entry[i] ^ ifindex, 1);
		}
	}
	number = entry >> 32;
	return bpf_map_lookup_elem(&nodens_devcount, &number);
}

/* One packet, whose outcome is @outcome. */
static __always_inline void device_count(__u32 ifindex, __u64 outcome, __u64 nxdomain)
{
	__u64 bit = 1ull << (outcome & 63);
	struct nodens_device_counts *counts;

	if (!cfg_count_devices || !(bit & (NODENS_DEVICE_HITS | NODENS_DEVICE_MISSES |
					   NODENS_DEVICE_TCP | NODENS_DEVICE_PASSED)))
		return;
	counts = device_counts(ifindex);
	if (!counts)
		return;
	if (bit & NODENS_DEVICE_HITS) {
		counts->hits++;
		counts->nxdomain += nxdomain;
	} else if (bit & NODENS_DEVICE_MISSES) {
		counts->misses++;
	} else if (bit & NODENS_DEVICE_TCP) {
		counts->tcp++;
	} else {
		counts->passed++;
	}
}

/* Of a packet that counts as a miss or as TCP already: @reason is NODENS_CTR_STEER*. */
static __always_inline void device_count_steer(__u32 ifindex, __u64 reason)
{
	struct nodens_device_counts *counts;

	if (!cfg_count_devices || !(1ull << (reason & 63) & NODENS_DEVICE_UNSTEERED))
		return;
	counts = device_counts(ifindex);
	if (counts)
		counts->unsteered++;
}

#endif /* NODENS_DEVICE_BPF_H */
