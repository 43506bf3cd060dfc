// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Taking over what an earlier agent left in pinned maps.
 *
 * Contract: whatever the maps hold, the store is sound afterwards, and the
 * index names only slots that were checked and adopted.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "index_walk.h"
#include "store_priv.h"

#define ADOPT_TRIES 5

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static bool adopt_one(struct store *store, uint64_t hash, uint32_t slot, uint64_t now_ns)
{
	uint32_t cls = NODENS_SLOT_CLASS(slot), index = NODENS_SLOT_INDEX(slot), kind;
	struct dns_name name;
	struct slab *slab;
	union slot_buf copy;

	if (cls >= NODENS_CLASSES || index >= store->slab[cls].entries)
		return false;
	slab = &store->slab[cls];
	if (slab->meta[index].state != SLOT_FREE || slab__load(slab, index))
		return false;
	memcpy(copy.bytes, slab__slot(slab, index), slab->size);
	if (!slot__check(&copy.slot, slab->size) || copy.slot.expires_ns <= now_ns)
		return false;
	kind = copy.slot.kind;
	if (pool__of(store, slot) != &store->pool[cls][kind] ||
	    store->live[kind] >= store->capacity[kind])
		return false;
	slot__name(&copy.slot, &name);
	if (question__hash(store->hash_key, &name, be16toh(copy.slot.qtype), copy.slot.key_flags) !=
	    hash)
		return false;
	if (table__find(store, hash) != STORE_NONE)
		return false;
	pool__enqueue(store, slot, hash, copy.slot.expires_ns);
	table__set(store, hash, slot);
	return true;
}

/* All slots below the highest adopted one that are not live become free. */
static void free_gaps(struct store *store)
{
	for (int cls = 0; cls < NODENS_CLASSES; cls++) {
		const struct slot_meta *meta = store->slab[cls].meta;

		for (int kind = 0; kind < STORE_KINDS; kind++) {
			struct pool *pool = &store->pool[cls][kind];

			pool->unused = pool->end;
			while (pool->unused > pool->first &&
			       meta[pool->unused - 1].state == SLOT_FREE)
				pool->unused--;
			for (uint32_t i = pool->first; i < pool->unused; i++)
				if (meta[i].state == SLOT_FREE)
					pool__untake(store, NODENS_SLOT(cls, i));
		}
	}
}

static int adopt_all(struct store *store, uint64_t now_ns)
{
	struct index_walk *walk;
	uint64_t hash;
	uint32_t slot;
	int err;

	/* a kernel without mmap has no batches either */
	err = index_walk__open(store->maps.index_fd, !store->maps.mmapable, &walk);
	if (err)
		return err;
	while ((err = index_walk__next(walk, &hash, &slot)) > 0) {
		if (table__find(store, hash) == slot || adopt_one(store, hash, slot, now_ns))
			continue;
		if (bpf_map_delete_elem(store->maps.index_fd, &hash) && errno != ENOENT) {
			err = -errno;
			break;
		}
	}
	index_walk__close(walk);
	return err;
}

int store__adopt(struct store *store)
{
	uint64_t now_ns = now();
	int err = -EAGAIN;

	/* an element that is not seen would name a slot that we take for free */
	for (int i = 0; i < ADOPT_TRIES && err == -EAGAIN; i++)
		err = adopt_all(store, now_ns);
	if (!err)
		free_gaps(store);
	return err;
}
