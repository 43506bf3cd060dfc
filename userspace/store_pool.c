// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Pools: how many slots there are for what, where a new entry's slot comes
 * from, and who has to go for it.
 *
 * Contract: see store_priv.h. Nothing here lets one kind of answer take a
 * slot, or an entry, from the other. A retired slot is not taken before its
 * ticket has passed.
 */
#include <errno.h>

#include "store_priv.h"

/*
 * Slots per class in 1/32 of the kind's capacity. What answers need, with the
 * header of 64, the name padded to 8, the records and 2 bytes a TTL:
 *
 *	A of my-svc.my-namespace.svc.cluster.local	64+40+16+2	 122
 *	AAAA of it, or A of a name over 38 bytes	64+40+28+2	 134
 *	CNAME and two A of a public name		64+24+75+6	 169
 *	NXDOMAIN or NODATA with its SOA			64+48+70+2	 184
 *	CNAME chain through two clouds, four A		64+40+260+14	 378
 *	headless service of 20 pods			64+48+320+40	 472
 *
 * So positive answers are mostly of the first two classes and negative ones of
 * the second (the first holds SERVFAIL, which has no records). An answer may
 * overflow into larger slots while its kind's capacity is not used up; the
 * classes from 256 on add up to 100 % and more, so the capacity is kept for any
 * mix of answers up to 256 bytes, whatever their types.
 *
 * With 1/16 + 32 slots a pool that wait for grace periods, an answer of
 * capacity costs 459 bytes (positive) or 357 (negative); with the agent's
 * tables (32 a slot and 8 a table entry) 519 and 407. So slabs and tables for
 * 32,768 of each kind take 30 MB, for 65,536 of each 61 MB, for 1,000,000 of
 * each 923 MB; the index comes on top with about 80 an element.
 */
static const uint8_t plan_32[NODENS_CLASSES][STORE_KINDS] = {
	{ 16, 4 },
	{ 24, 28 },
	{ 8, 3 },
	{ 1, 1 },
};

#define PLAN_MIN   16
#define PLAN_SPARE 32

static uint32_t plan_pool(int cls, int kind, uint32_t capacity)
{
	uint64_t want = ((uint64_t)capacity * plan_32[cls][kind] + 31) / 32;

	if (want < PLAN_MIN)
		want = PLAN_MIN;
	return want + want / 16 + PLAN_SPARE;
}

void store__plan(const uint32_t capacity[STORE_KINDS], uint32_t slab_entries[NODENS_CLASSES])
{
	for (int cls = 0; cls < NODENS_CLASSES; cls++)
		slab_entries[cls] = plan_pool(cls, NODENS_POSITIVE, capacity[NODENS_POSITIVE]) +
				    plan_pool(cls, NODENS_NEGATIVE, capacity[NODENS_NEGATIVE]);
}

static void pool_init(struct pool *pool, uint32_t first, uint32_t end)
{
	uint32_t n = end - first;

	*pool = (struct pool){
		.first = first,
		.end = end,
		.unused = first,
		.cursor = first,
		.free = STORE_NONE,
		.head = STORE_NONE,
		.tail = STORE_NONE,
		/* the reverse of plan_pool() */
		.limit = n > 2 * PLAN_SPARE ? n - PLAN_SPARE - (n - PLAN_SPARE) / 17 : n / 2,
	};
}

void pool__split(struct store *store, const uint32_t capacity[STORE_KINDS])
{
	for (int cls = 0; cls < NODENS_CLASSES; cls++) {
		uint64_t n = store->slab[cls].entries;
		uint64_t positive = plan_pool(cls, NODENS_POSITIVE, capacity[NODENS_POSITIVE]);
		uint64_t negative = plan_pool(cls, NODENS_NEGATIVE, capacity[NODENS_NEGATIVE]);

		/* maps made for another capacity are divided in proportion */
		if (positive + negative != n)
			positive = n * positive / (positive + negative);
		pool_init(&store->pool[cls][NODENS_POSITIVE], 0, positive);
		pool_init(&store->pool[cls][NODENS_NEGATIVE], positive, n);
	}
}

struct pool *pool__of(struct store *store, uint32_t slot)
{
	struct pool *pools = store->pool[NODENS_SLOT_CLASS(slot)];

	return &pools[NODENS_SLOT_INDEX(slot) < pools[0].end ? NODENS_POSITIVE : NODENS_NEGATIVE];
}

static uint32_t pool_ready(const struct pool *pool)
{
	return pool->ready + (pool->end - pool->unused);
}

static uint32_t take_free(struct store *store, int cls, uint32_t kind)
{
	struct pool *pool = &store->pool[cls][kind];
	uint32_t slot = pool->free;

	if (slot != STORE_NONE) {
		pool->free = store_meta(store, slot)->next;
		pool->ready--;
	} else if (pool->unused < pool->end) {
		slot = NODENS_SLOT(cls, pool->unused++);
	}
	return slot;
}

void pool__untake(struct store *store, uint32_t slot)
{
	struct pool *pool = pool__of(store, slot);
	struct slot_meta *meta = store_meta(store, slot);

	meta->state = SLOT_FREE;
	meta->next = pool->free;
	pool->free = slot;
	pool->ready++;
}

static void queue_push(struct store *store, struct pool *pool, uint32_t slot)
{
	struct slot_meta *meta = store_meta(store, slot);

	meta->prev = pool->tail;
	meta->next = STORE_NONE;
	meta->stamp = ++store->stamp;
	if (pool->tail == STORE_NONE)
		pool->head = slot;
	else
		store_meta(store, pool->tail)->next = slot;
	pool->tail = slot;
}

static void queue_remove(struct store *store, struct pool *pool, uint32_t slot)
{
	struct slot_meta *meta = store_meta(store, slot);

	if (meta->prev == STORE_NONE)
		pool->head = meta->next;
	else
		store_meta(store, meta->prev)->next = meta->next;
	if (meta->next == STORE_NONE)
		pool->tail = meta->prev;
	else
		store_meta(store, meta->next)->prev = meta->prev;
}

void pool__enqueue(struct store *store, uint32_t slot, uint64_t hash, uint64_t expires_ns)
{
	struct pool *pool = pool__of(store, slot);
	struct slot_meta *meta = store_meta(store, slot);
	uint64_t expires_s = expires_ns / 1000000000 + 1;

	*meta = (struct slot_meta){
		.key = hash,
		.state = SLOT_LIVE,
		.kind = pool - store->pool[NODENS_SLOT_CLASS(slot)],
		.expires_s = expires_s > UINT32_MAX ? UINT32_MAX : expires_s,
	};
	queue_push(store, pool, slot);
	pool->live++;
	store->live[meta->kind]++;
}

void pool__retire(struct store *store, uint32_t slot)
{
	struct pool *pool = pool__of(store, slot);
	struct slot_meta *meta = store_meta(store, slot);

	queue_remove(store, pool, slot);
	pool->live--;
	store->live[meta->kind]--;
	meta->state = SLOT_RETIRED;
	meta->key = grace__ticket(store->grace);
	meta->next = STORE_NONE;
	if (store->retired_tail == STORE_NONE)
		store->retired_head = slot;
	else
		store_meta(store, store->retired_tail)->next = slot;
	store->retired_tail = slot;
}

void pool__reclaim(struct store *store)
{
	uint64_t passed;

	if (store->retired_head == STORE_NONE)
		return;
	passed = grace__passed(store->grace);
	while (store->retired_head != STORE_NONE) {
		uint32_t slot = store->retired_head;
		struct slot_meta *meta = store_meta(store, slot);

		if (meta->key > passed)
			break;
		store->retired_head = meta->next;
		pool__untake(store, slot);
	}
	if (store->retired_head == STORE_NONE)
		store->retired_tail = STORE_NONE;
}

/* Second chance: was it used since the last look? */
static bool recently_used(struct store *store, uint32_t slot)
{
	struct slot_meta *meta = store_meta(store, slot);
	uint32_t hits, last_use;
	bool used;

	slab__marks(&store->slab[NODENS_SLOT_CLASS(slot)], NODENS_SLOT_INDEX(slot), &hits,
		    &last_use);
	/* both only grow, so their sum changes when one of them does */
	used = meta->used || meta->seen != hits + last_use;
	meta->used = 0;
	meta->seen = hits + last_use;
	return used;
}

static bool expired(const struct slot_meta *meta, uint64_t now_ns)
{
	return meta->state == SLOT_LIVE && meta->expires_s <= now_ns / 1000000000;
}

/* Withdraw the first expired one among the next few of a pool; true if there was one. */
static bool evict_expired(struct store *store, int cls, uint32_t kind, uint64_t now_ns)
{
	struct pool *pool = &store->pool[cls][kind];
	uint32_t n = pool->unused - pool->first;

	for (uint32_t i = 0; i < STORE_LOOK && i < n; i++) {
		uint32_t at = pool->cursor++;

		if (pool->cursor >= pool->unused)
			pool->cursor = pool->first;
		if (expired(&store->slab[cls].meta[at], now_ns) &&
		    !store__remove(store, NODENS_SLOT(cls, at))) {
			store->stats.expired++;
			return true;
		}
	}
	return false;
}

static int evict_slot(struct store *store, uint32_t slot, uint64_t now_ns)
{
	struct slot_meta *meta = store_meta(store, slot);
	bool was_expired = expired(meta, now_ns);
	uint32_t kind = meta->kind;
	int err = store__remove(store, slot);

	if (err)
		return err;
	if (was_expired)
		store->stats.expired++;
	else
		store->stats.evicted[kind]++;
	return 0;
}

/* The oldest entry of @kind, of all classes or of one. */
static uint32_t oldest(struct store *store, int cls, uint32_t kind)
{
	uint32_t best = STORE_NONE;

	if (cls >= 0)
		return store->pool[cls][kind].head;
	for (int c = 0; c < NODENS_CLASSES; c++) {
		uint32_t head = store->pool[c][kind].head;

		if (head == STORE_NONE)
			continue;
		/* stamps wrap */
		if (best == STORE_NONE ||
		    (int32_t)(store_meta(store, head)->stamp - store_meta(store, best)->stamp) < 0)
			best = head;
	}
	return best;
}

/* Evict the oldest that was not used since the last look, or the oldest after all. */
static int evict_oldest(struct store *store, int cls, uint32_t kind, uint64_t now_ns)
{
	for (int i = 0; i < STORE_LOOK; i++) {
		uint32_t slot = oldest(store, cls, kind);
		struct pool *pool;

		if (slot == STORE_NONE)
			return -ENOENT;
		if (expired(store_meta(store, slot), now_ns) || !recently_used(store, slot))
			return evict_slot(store, slot, now_ns);
		pool = pool__of(store, slot);
		queue_remove(store, pool, slot);
		queue_push(store, pool, slot);
	}
	return evict_slot(store, oldest(store, cls, kind), now_ns);
}

int pool__evict_kind(struct store *store, uint32_t kind, uint64_t now_ns)
{
	for (int cls = 0; cls < NODENS_CLASSES; cls++)
		if (evict_expired(store, cls, kind, now_ns))
			return 0;
	return evict_oldest(store, -1, kind, now_ns);
}

bool pool__evict_heap(struct store *store, uint32_t kind, uint64_t now_ns)
{
	struct heap *heap = &store->heap;

	for (int i = 0; heap->head[kind] != STORE_NONE; i++) {
		uint32_t item = heap->head[kind], slot = heap->items[item].slot;

		if (i < STORE_LOOK && !expired(store_meta(store, slot), now_ns) &&
		    recently_used(store, slot)) {
			heap__requeue(heap, item);
			continue;
		}
		return !evict_slot(store, slot, now_ns);
	}
	return false;
}

bool pool__starved(struct store *store, uint32_t kind, size_t size)
{
	bool waiting = false;

	for (int cls = 0; cls < NODENS_CLASSES; cls++) {
		const struct pool *pool = &store->pool[cls][kind];
		uint32_t ready = pool_ready(pool);

		if (slot_class_size[cls] < size)
			continue;
		if (ready)
			return false;
		waiting = waiting || pool->live < pool->end - pool->first;
	}
	if (waiting)
		grace__hurry(store->grace);
	return waiting;
}

uint32_t pool__take(struct store *store, uint32_t kind, size_t size, uint64_t now_ns)
{
	struct pool *pool;
	int cls = 0;

	while (cls < NODENS_CLASSES && slot_class_size[cls] < size)
		cls++;
	if (cls == NODENS_CLASSES)
		return STORE_NONE;
	pool = &store->pool[cls][kind];
	if (pool->live >= pool->limit && !evict_expired(store, cls, kind, now_ns)) {
		/* there is capacity left for this kind, so first look for room elsewhere */
		for (int c = cls + 1; c < NODENS_CLASSES; c++) {
			struct pool *other = &store->pool[c][kind];

			if (other->live < other->limit && pool_ready(other))
				return take_free(store, c, kind);
		}
		evict_oldest(store, cls, kind, now_ns);
	}
	if (pool_ready(pool) <= (pool->end - pool->first - pool->limit) / 4)
		grace__hurry(store->grace);
	for (; cls < NODENS_CLASSES; cls++) {
		uint32_t slot = take_free(store, cls, kind);

		if (slot != STORE_NONE)
			return slot;
	}
	return STORE_NONE;
}
