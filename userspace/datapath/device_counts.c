// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Counts by device. Contract: device_counts.h.
 */
#include "datapath/device_counts.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "datapath_priv.h"

/* The kernel lays values of CPUs out at multiples of 8 bytes. */
_Static_assert(sizeof(struct nodens_device_counts) % 8 == 0, "per-CPU value");

struct device_counts {
	const struct datapath *dp;
	struct nodens_device_set sets[NODENS_DEVICE_SETS]; /* as the map has them */
	uint32_t device[NODENS_DEVICE_NUMBERS];		   /* 0: the number is free */
	uint32_t last;					   /* number that was given */
	struct nodens_device_counts *none;		   /* 0 for each CPU */
};

static uint64_t entry_of(uint32_t ifindex, uint32_t number)
{
	return (uint64_t)number << 32 | ifindex;
}

/* Of the device's word in @set, which may be 0, for none: -1 there is none. */
static int way_of(const struct nodens_device_set *set, uint32_t ifindex)
{
	uint32_t first = ifindex / NODENS_DEVICE_SETS;

	for (uint32_t i = 0; i < NODENS_DEVICE_WAYS; i++) {
		uint32_t way = (first + i) % NODENS_DEVICE_WAYS;

		if ((uint32_t)set->entry[way] == ifindex)
			return way;
	}
	return -1;
}

static struct nodens_device_set *set_of(struct device_counts *counts, uint32_t ifindex)
{
	return &counts->sets[ifindex % NODENS_DEVICE_SETS];
}

static int write_set(const struct device_counts *counts, const struct nodens_device_set *set)
{
	uint32_t key = set - counts->sets;

	return bpf_map_update_elem(counts->dp->map_fd[MAP_DEVNUM], &key, set, BPF_ANY) ? -errno : 0;
}

int device_counts__open(const struct datapath *dp, struct device_counts **out)
{
	int cpus = libbpf_num_possible_cpus();
	struct device_counts *counts;

	if (cpus < 0)
		return cpus;
	counts = calloc(1, sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	counts->dp = dp;
	counts->none = calloc(cpus, sizeof(*counts->none));
	if (!counts->none) {
		device_counts__close(counts);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < NODENS_DEVICE_SETS; i++) {
		struct nodens_device_set *set = &counts->sets[i];

		if (bpf_map_lookup_elem(dp->map_fd[MAP_DEVNUM], &i, set)) {
			int ret = -errno;

			device_counts__close(counts);
			return ret;
		}
		for (int way = 0; way < NODENS_DEVICE_WAYS; way++)
			counts->device[(set->entry[way] >> 32) % NODENS_DEVICE_NUMBERS] =
				set->entry[way];
	}
	*out = counts;
	return 0;
}

void device_counts__close(struct device_counts *counts)
{
	if (!counts)
		return;
	free(counts->none);
	free(counts);
}

/* The free number that was given the longest ago, or 0. */
static uint32_t free_number(struct device_counts *counts)
{
	uint32_t number = counts->last;

	for (uint32_t i = 0; i < NODENS_DEVICE_NUMBERS; i++) {
		number = (number + 1) % NODENS_DEVICE_NUMBERS;
		if (number && !counts->device[number])
			return number;
	}
	return 0;
}

int device_counts__add(struct device_counts *counts, uint32_t ifindex)
{
	struct nodens_device_set *set = set_of(counts, ifindex);
	int way = way_of(set, ifindex), ret;
	uint32_t number;

	if (way >= 0)
		return 0;
	way = way_of(set, 0);
	number = free_number(counts);
	if (way < 0 || !number)
		return -ENOSPC;
	if (bpf_map_update_elem(counts->dp->map_fd[MAP_DEVCOUNT], &number, counts->none, BPF_ANY))
		return -errno;
	set->entry[way] = entry_of(ifindex, number);
	ret = write_set(counts, set);
	if (ret) {
		set->entry[way] = 0;
		return ret;
	}
	counts->device[number] = ifindex;
	counts->last = number;
	return 0;
}

void device_counts__remove(struct device_counts *counts, uint32_t ifindex)
{
	struct nodens_device_set *set = set_of(counts, ifindex);
	int way = way_of(set, ifindex);

	if (way < 0)
		return;
	counts->device[set->entry[way] >> 32] = 0;
	set->entry[way] = 0;
	write_set(counts, set);
}

void device_counts__keep(struct device_counts *counts,
			 bool (*is_there)(void *ctx, uint32_t ifindex), void *ctx)
{
	for (uint32_t number = 1; number < NODENS_DEVICE_NUMBERS; number++) {
		uint32_t ifindex = counts->device[number];

		if (ifindex && !is_there(ctx, ifindex))
			device_counts__remove(counts, ifindex);
	}
}

static int sum_of(const struct datapath *dp, uint32_t number, struct nodens_device_counts *sum)
{
	return datapath_sum_cpus(dp, MAP_DEVCOUNT, number, sizeof(*sum), (uint64_t *)sum);
}

int device_counts__get(const struct datapath *dp, uint32_t ifindex,
		       struct nodens_device_counts *sum)
{
	uint32_t key = ifindex % NODENS_DEVICE_SETS;
	struct nodens_device_set set;
	int way;

	if (bpf_map_lookup_elem(dp->map_fd[MAP_DEVNUM], &key, &set))
		return -errno;
	way = way_of(&set, ifindex);
	return way < 0 ? -ENOENT : sum_of(dp, set.entry[way] >> 32, sum);
}

int device_counts__get_others(const struct datapath *dp, struct nodens_device_counts *sum)
{
	return sum_of(dp, 0, sum);
}
