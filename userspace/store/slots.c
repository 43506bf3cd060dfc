// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Pools: how many slots there are of which size, and where a new entry's slot
 * comes from.
 *
 * Contract: see store_priv.h. A retired slot is not taken before its ticket has
 * passed. Who may take how many is partition.c's.
 */
#include <errno.h>

#include "store_priv.h"

/*
 * What answers need, with the header of 64, the name padded to 8, the records
 * and 2 bytes a TTL:
 *
 *	A of my-svc.my-namespace.svc.cluster.local	64+40+16+2	 122
 *	CNAME and two A of a public name		64+24+75+6	 169
 *	NXDOMAIN or NODATA with its SOA			64+48+70+2	 184
 *	CNAME chain through two clouds, four A		64+40+260+14	 378
 *	headless service of 20 pods			64+48+320+40	 472
 *
 * Arrays are allocated whole, so a promise that any mix of answers up to 512
 * bytes fits is paid for with a slot of 512 for each; whatever there is of
 * smaller ones comes on top and saves nothing. So there are only a few of them.
 * Of the largest class there is 1/32 of the capacity.
 *
 * With 1/16 + 32 slots a class that wait for grace periods, an answer of
 * capacity costs 612 bytes, and with the agent's tables (68 a slot, and 8 to 16
 * in the hash table) 700; the index comes on top with about 80 an element. So
 * 10,000 answers of capacity take 7 MB (0.8 MB of it the agent's tables) and
 * 65,536 take 46 MB.
 */
#define PLAN_LARGE 32 /* one slot of the largest class for so many answers */
#define PLAN_SMALL 32
#define PLAN_MIN   16
#define PLAN_SPARE 32

static uint32_t with_spare(uint64_t n)
{
	if (n < PLAN_MIN)
		n = PLAN_MIN;
	return n + n / 16 + PLAN_SPARE;
}

void store__plan(const uint32_t capacity[STORE_KINDS], uint32_t slab_entries[NODENS_CLASSES])
{
	uint64_t total = (uint64_t)capacity[NODENS_POSITIVE] + capacity[NODENS_NEGATIVE];

	for (int cls = 0; cls < LARGE_CLASS - 1; cls++)
		slab_entries[cls] = with_spare(PLAN_SMALL);
	slab_entries[LARGE_CLASS - 1] = with_spare(total);
	slab_entries[LARGE_CLASS] = with_spare((total + PLAN_LARGE - 1) / PLAN_LARGE);
}

/* The reverse of with_spare(). */
uint32_t slots_usable(uint32_t n)
{
	return n > 2 * PLAN_SPARE ? n - PLAN_SPARE - (n - PLAN_SPARE) / 17 : n / 2;
}

void slots_open(struct store *store)
{
	for (int cls = 0; cls < NODENS_CLASSES; cls++) {
		store->pool[cls] = (struct pool){ .unused = 0, .free = STORE_NONE };
		store->n_slots += store->slab[cls].entries;
	}
}

static uint32_t take_free(struct store *store, int cls)
{
	struct pool *pool = &store->pool[cls];
	uint32_t slot = pool->free;

	if (slot != STORE_NONE)
		pool->free = store_meta(store, slot)->next;
	else if (pool->unused < store->slab[cls].entries)
		slot = NODENS_SLOT(cls, pool->unused++);
	return slot;
}

/* Small answers never take slots of the largest class: those are shared out on their own. */
uint32_t slots_take(struct store *store, size_t size)
{
	uint32_t slot = STORE_NONE;

	if (size > slot_class_size[LARGE_CLASS - 1])
		return take_free(store, LARGE_CLASS);
	for (int cls = 0; cls < LARGE_CLASS && slot == STORE_NONE; cls++)
		if (slot_class_size[cls] >= size)
			slot = take_free(store, cls);
	return slot;
}

void slots_untake(struct store *store, uint32_t slot)
{
	struct pool *pool = &store->pool[NODENS_SLOT_CLASS(slot)];
	struct slot_meta *meta = store_meta(store, slot);

	meta->state = SLOT_FREE;
	meta->next = pool->free;
	pool->free = slot;
}

void slots_retire(struct store *store, uint32_t slot)
{
	struct slot_meta *meta = store_meta(store, slot);

	meta->state = SLOT_RETIRED;
	meta->orphan = 0;
	meta->key = store->publisher->ops->ticket(store->publisher);
	meta->next = STORE_NONE;
	if (store->retired_tail == STORE_NONE)
		store->retired_head = slot;
	else
		store_meta(store, store->retired_tail)->next = slot;
	store->retired_tail = slot;
}

void slots_reclaim(struct store *store)
{
	uint64_t passed;

	if (store->retired_head == STORE_NONE)
		return;
	passed = store->publisher->ops->passed(store->publisher);
	while (store->retired_head != STORE_NONE) {
		uint32_t slot = store->retired_head;
		struct slot_meta *meta = store_meta(store, slot);

		if (meta->key > passed)
			break;
		store->retired_head = meta->next;
		if (!meta->orphan)
			meta_part(store, meta)->queue[slot_queue(slot)].held--;
		slots_untake(store, slot);
	}
	if (store->retired_head == STORE_NONE)
		store->retired_tail = STORE_NONE;
}

bool slots_starved(struct store *store, const struct part *part, size_t size)
{
	const struct queue *queue =
		&part->queue[size > slot_class_size[LARGE_CLASS - 1] ? QUEUE_LARGE : QUEUE_SMALL];
	uint32_t left = queue->held < queue->held_max ? queue->held_max - queue->held : 0;
	uint32_t spare = queue->held_max - part->capacity;

	if (queue == &part->queue[QUEUE_LARGE])
		spare = queue->held_max - part->large_max;
	if (left <= spare / 4 && queue->held > queue->live)
		grace_hurry(store);
	return !left;
}
