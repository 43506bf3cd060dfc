/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the programs count by device (headers/nodens_device.h).
 *
 * Contract: a device is counted from when it was added until it is removed, by packets that come
 * in at it. Numbers and counts stay in the pinned maps: an agent that takes them over goes on with
 * them. One writer at a time, the agent; anybody may read.
 */
#ifndef NODENS_DEVICE_COUNTS_H
#define NODENS_DEVICE_COUNTS_H

#include "datapath/datapath.h"

struct device_counts; /* the agent's: which numbers are given */

/* -ENOMEM; -errno of bpf(). */
int device_counts__open(const struct datapath *dp, struct device_counts **out);
void device_counts__close(struct device_counts *counts);
/*
 * From 0 on, unless it has a number already. -ENOSPC: it gets none, and counts among the others;
 * -errno of bpf().
 */
int device_counts__add(struct device_counts *counts, uint32_t ifindex);
void device_counts__remove(struct device_counts *counts, uint32_t ifindex);
/* Those that @is_there does not know are removed. */
void device_counts__keep(struct device_counts *counts,
			 bool (*is_there)(void *ctx, uint32_t ifindex), void *ctx);

/* Sum over CPUs; some microseconds. -ENOENT: the device has no number. -errno of bpf(). */
int device_counts__get(const struct datapath *dp, uint32_t ifindex,
		       struct nodens_device_counts *sum);
/* Of all devices without a number. */
int device_counts__get_others(const struct datapath *dp, struct nodens_device_counts *sum);

#endif /* NODENS_DEVICE_COUNTS_H */
