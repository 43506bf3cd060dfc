/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The index as programs see it, read by the definition in headers/nodens_abi.h written once more,
 * and as somebody else than the agent changes it.
 *
 * Contract: aborts where the map cannot be read or written.
 */
#ifndef INDEX_FIXTURE_H
#define INDEX_FIXTURE_H

#include <stdlib.h>

#include <bpf/bpf.h>

#include "store/index.h"

static inline uint32_t fixture_buckets(int fd)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		abort();
	return info.max_entries;
}

/* The slot that a program finds for @hash. */
static inline bool fixture_find(int fd, uint64_t hash, uint32_t *number)
{
	uint32_t n = fixture_buckets(fd), tag = hash % (1u << 29), step, at;
	uint32_t home = hash / (UINT64_MAX / n + 1);
	struct nodens_bucket bucket;
	uint64_t beyond = 0;

	*number = 0;
	for (step = 0; step <= NODENS_INDEX_STEPS; step++) {
		at = (home + step * (uint64_t)(tag | 1)) % n;
		if (bpf_map_lookup_elem(fd, &at, &bucket))
			abort();
		for (int i = 0; i < NODENS_BUCKET_ENTRIES; i++) {
			if (!bucket.entry[i] || bucket.entry[i] >> 32 != tag * 8ull + step)
				continue;
			*number = (uint32_t)bucket.entry[i] - 1;
			return true;
		}
		beyond = step ? beyond / 65536 : bucket.beyond;
		if (!beyond)
			break;
	}
	return false;
}

static inline struct index *fixture_index(int fd)
{
	struct index *index;

	if (index__open(fd, false, &index))
		abort();
	return index;
}

/* Behind the agent's back. */
static inline void fixture_publish(int fd, uint64_t hash, uint32_t number)
{
	struct index *index = fixture_index(fd);

	if (index__set(index, hash, number))
		abort();
	index__close(index);
}

static inline void fixture_unpublish(int fd, uint64_t hash)
{
	struct index *index = fixture_index(fd);

	if (index__remove(index, hash))
		abort();
	index__close(index);
}

static inline unsigned int fixture_published(int fd)
{
	struct index *index = fixture_index(fd);
	struct index_place at = {};
	unsigned int n = 0;
	uint32_t number;

	while (index__next(index, &at, &number) > 0)
		n++;
	index__close(index);
	return n;
}

#endif /* INDEX_FIXTURE_H */
