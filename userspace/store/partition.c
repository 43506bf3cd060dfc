// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Partitions: who may have how much, and who has to go when a partition is full.
 *
 * Contract: see store_priv.h. Nothing here lets one partition, or one kind of its
 * answers, take an entry, a slot or overflow memory from another: each part has its
 * own queues, its share of the slots that wait for grace periods, of those of
 * the largest class, and of the overflow.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_priv.h"

/* Entries that go ahead of a grace period where there is no memory. */
#define GIVE_WAY_MAX 256

/* What @part of @all gives of @n. */
static uint32_t share(uint64_t n, uint64_t part, uint64_t all)
{
	return all ? n * part / all : 0;
}

static uint32_t at_least(uint32_t n, uint32_t min)
{
	return n < min ? min : n;
}

static void part_init(const struct store *store, struct part *part, uint32_t kind,
		      const uint64_t sum[STORE_KINDS])
{
	static const uint32_t overflow_bytes[STORE_KINDS] = { OVERFLOW_BYTES_POSITIVE,
							      OVERFLOW_BYTES_NEGATIVE };
	uint32_t large = slots_large(store->total);
	uint64_t all = sum[0] + sum[1];

	for (int q = 0; q < QUEUES; q++)
		part->queue[q].head = part->queue[q].tail = STORE_NONE;
	part->overflow_head = part->overflow_tail = STORE_NONE;
	if (!part->capacity)
		return;
	part->large_max = at_least(share(large, part->capacity, all), 1);
	part->queue[QUEUE_LARGE].held_max = at_least(
		share(large + slots_spare(large), part->capacity, all), part->large_max + 1);
	part->queue[QUEUE_SMALL].held_max = at_least(
		share((uint64_t)store->total + slots_spare(store->total), part->capacity, all),
		part->capacity + 1);
	part->overflow_max = at_least(share(overflow_bytes[kind], part->capacity, sum[kind]),
				      OVERFLOW_PARTITION_BYTES);
}

int partition_make(const struct store *store, const uint32_t (*capacity)[2], uint32_t n,
		   struct part **out)
{
	uint64_t sum[STORE_KINDS] = { 0, 0 }, all = 0;
	struct part *parts;

	if (!n || n > UINT16_MAX + 1u)
		return -EINVAL;
	parts = calloc((size_t)n * STORE_KINDS, sizeof(*parts));
	if (!parts)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		all += (uint64_t)capacity[i][NODENS_POSITIVE] + capacity[i][NODENS_NEGATIVE];
	for (uint32_t i = 0; i < n * STORE_KINDS; i++) {
		uint32_t wanted = capacity[i / STORE_KINDS][i % STORE_KINDS];

		parts[i].capacity = all <= store->total ? wanted : share(store->total, wanted, all);
		sum[i % STORE_KINDS] += parts[i].capacity;
	}
	for (uint32_t i = 0; i < n * STORE_KINDS; i++)
		part_init(store, &parts[i], i % STORE_KINDS, sum);
	*out = parts;
	return all > store->total;
}

/* Second chance: was it used since the last look? */
static bool recently_used(struct store *store, uint32_t slot)
{
	struct slot_meta *meta = store_meta(store, slot);
	uint32_t last_use;
	bool used;

	entry_look(store, slot, &last_use);
	used = meta->used;
	meta->used = 0;
	return used;
}

static int evict_slot(struct store *store, uint32_t slot, uint64_t now_ns)
{
	struct slot_meta *meta = store_meta(store, slot);
	struct part *part = meta_part(store, meta);
	bool over = meta->keep <= unit_down(now_ns);
	uint32_t kind = meta->kind;
	int err = entry_remove(store, slot);

	if (err)
		return err;
	if (over) {
		store->stats.expired++;
	} else {
		store->stats.evicted[kind]++;
		part->evicted++;
	}
	return 0;
}

/* Must it go before any other, or did nobody use it? */
static bool dispensable(struct store *store, uint32_t slot, uint64_t now_ns)
{
	return store_meta(store, slot)->keep <= unit_down(now_ns) || !recently_used(store, slot);
}

/* The oldest that was not used since the last look, or the oldest after all. */
static int evict_oldest(struct store *store, struct queue *queue, uint64_t now_ns)
{
	for (int i = 0; queue->head != STORE_NONE; i++) {
		uint32_t slot = queue->head;

		if (i == STORE_LOOK || dispensable(store, slot, now_ns))
			return evict_slot(store, slot, now_ns);
		queue_rotate(store, queue);
	}
	return -ENOENT;
}

int partition_evict(struct store *store, struct part *part, uint64_t now_ns)
{
	/* the large ones are few, and go for each other */
	int err = evict_oldest(store, &part->queue[QUEUE_SMALL], now_ns);

	return err == -ENOENT ? evict_oldest(store, &part->queue[QUEUE_LARGE], now_ns) : err;
}

int partition_evict_large(struct store *store, struct part *part, uint64_t now_ns)
{
	return evict_oldest(store, &part->queue[QUEUE_LARGE], now_ns);
}

int partition_evict_overflow(struct store *store, struct part *part, uint64_t now_ns)
{
	for (int i = 0; part->overflow_head != STORE_NONE; i++) {
		uint32_t item = part->overflow_head, slot = store->overflow.items[item].slot;

		if (i == STORE_LOOK || dispensable(store, slot, now_ns))
			return evict_slot(store, slot, now_ns);
		overflow_dequeue(store, part, item);
		overflow_enqueue(store, part, item);
	}
	return -ENOENT;
}

static uint32_t part_live(const struct part *part)
{
	return part->queue[QUEUE_SMALL].live + part->queue[QUEUE_LARGE].live;
}

void partition_give_way(struct store *store, uint64_t now_ns)
{
	struct part *most = NULL;

	/* a grace period will free some: nobody else goes meanwhile */
	if (store->n_retired >= GIVE_WAY_MAX)
		return;
	for (uint32_t i = 0; i < store->n_partitions * STORE_KINDS; i++) {
		struct part *part = &store->parts[i];

		if (part->capacity && (!most || (uint64_t)part_live(part) * most->capacity >
							(uint64_t)part_live(most) * part->capacity))
			most = part;
	}
	if (most)
		partition_evict(store, most, now_ns);
}

/* What there is to say of an entry to the function that says whose it is. */
static void describe(const struct store *store, uint32_t slot, struct store_put *put)
{
	const struct nodens_slot *from = store_slot(store, slot);

	*put = (struct store_put){
		.kind = from->kind,
		.ttl_s = from->ttl_s,
		.partition = store_meta(store, slot)->partition,
		.keep_ttl = from->keep_ttl,
		.fixed = from->fixed,
		.stale_s = from->stale_s,
	};
}

struct move {
	uint32_t slot;
	uint16_t partition;
};

/*
 * Its hits count for the series that it has now. Where no slot can be had to say so, it goes: its
 * old series may come to mean another. The slot that it is in, or STORE_NONE.
 */
static uint32_t count_for(struct store *store, uint32_t slot, uint16_t partition)
{
	const struct store_config *config = &store->config;
	uint32_t now;

	if (!config->series)
		return slot;
	now = entry_set_series(
		store, slot,
		config->series(config->ctx, store_slot(store, slot), partition).number);
	if (now == STORE_NONE)
		entry_remove(store, slot);
	return now;
}

/* Ask whose @slot is now. False: nobody's, and it went. */
static bool decide(struct store *store, uint32_t slot, uint32_t n, store_partition_fn *fn,
		   void *ctx, uint64_t now_ns, struct move *move)
{
	struct store_question question;
	struct store_put put;
	uint32_t stale_s;

	/* flushed: a copy of it in another slot would be an answer again */
	if (!entry_published(store, slot))
		return false;
	describe(store, slot, &put);
	stale_s = put.stale_s;
	entry_question(store, slot, &question);
	if ((fn && !fn(ctx, &question, store_slot(store, slot), &put)) || put.partition >= n) {
		entry_remove(store, slot);
		return false;
	}
	if (fn && put.stale_s != stale_s)
		slot = entry_set_stale(store, slot, put.stale_s);
	if (fn)
		entry_apply(store, slot, &put, now_ns);
	slot = count_for(store, slot, put.partition);
	if (slot == STORE_NONE)
		return false;
	move->slot = slot;
	move->partition = put.partition;
	return true;
}

/* Every entry, oldest first within its part; returns how many stay. */
static uint32_t decide_all(struct store *store, uint32_t n, store_partition_fn *fn, void *ctx,
			   uint64_t now_ns, struct move *moves)
{
	uint32_t n_moves = 0;

	for (uint32_t i = 0; i < store->n_partitions * STORE_KINDS * QUEUES; i++) {
		struct queue *queue = &store->parts[i / QUEUES].queue[i % QUEUES];

		/* those decided on go to the queue's end, where a moved one is too */
		for (uint32_t left = queue->live; left; left--) {
			uint32_t slot = queue->head;

			queue_rotate(store, queue);
			if (decide(store, slot, n, fn, ctx, now_ns, &moves[n_moves]))
				n_moves++;
		}
	}
	return n_moves;
}

/* What no grace period has freed yet is nobody's now. */
static void orphan_retired(struct store *store)
{
	for (uint32_t slot = store->retired_head; slot != STORE_NONE;
	     slot = store_meta(store, slot)->next)
		store_meta(store, slot)->orphan = 1;
}

static void shrink(struct store *store, struct part *part, uint64_t now_ns)
{
	const struct queue *small = &part->queue[QUEUE_SMALL], *large = &part->queue[QUEUE_LARGE];
	int err = 0;

	while (!err && large->live > part->large_max)
		err = partition_evict_large(store, part, now_ns);
	while (!err && small->live + large->live > part->capacity)
		err = partition_evict(store, part, now_ns);
	while (!err && part->overflow_bytes > part->overflow_max)
		err = partition_evict_overflow(store, part, now_ns);
}

int store__set_partitions(struct store *store, const uint32_t (*capacity)[2], uint32_t n,
			  store_partition_fn *fn, void *ctx, uint64_t now_ns)
{
	uint64_t live = store->stats.entries[0] + store->stats.entries[1];
	struct move *moves = malloc((live + 1) * sizeof(*moves));
	uint32_t n_moves;
	struct part *parts;
	int ret;

	entry_free_current(store);
	store->divided = 0;
	ret = moves ? partition_make(store, capacity, n, &parts) : -ENOMEM;
	if (ret < 0) {
		free(moves);
		return ret;
	}
	n_moves = decide_all(store, n, fn, ctx, now_ns, moves);
	orphan_retired(store);
	free(store->parts);
	store->parts = parts;
	store->n_partitions = n;
	memset(store->stats.entries, 0, sizeof(store->stats.entries));
	for (uint32_t i = 0; i < n_moves; i++) {
		struct slot_meta *meta = store_meta(store, moves[i].slot);

		meta->partition = moves[i].partition;
		queue_add(store, moves[i].slot);
		if (meta->item != STORE_NONE)
			overflow_enqueue(store, meta_part(store, meta), meta->item);
	}
	free(moves);
	for (uint32_t i = 0; i < n * STORE_KINDS; i++)
		shrink(store, &parts[i], now_ns);
	store->divided = store->publisher->ops->ticket(store->publisher);
	return ret;
}

bool store__settled(const struct store *store)
{
	struct publisher *publisher = store->publisher;

	return store->divided && store->divided <= publisher->ops->passed(publisher);
}

int store__filter(struct store *store,
		  bool (*keep)(void *ctx, const struct store_question *question,
			       const struct nodens_slot *slot),
		  void *ctx)
{
	struct store_question question;
	int n = 0;

	entry_free_current(store);
	for (uint32_t cell = 0; cell < store->cells.unused; cell++) {
		for (uint32_t i = 0; i < cells_slots(store, cell); i++) {
			uint32_t slot = cells_slot(store, cell, i);

			if (store_meta(store, slot)->state != SLOT_LIVE)
				continue;
			entry_question(store, slot, &question);
			if (!keep(ctx, &question, store_slot(store, slot)) &&
			    !entry_remove(store, slot))
				n++;
		}
	}
	return n;
}

int store__partition_stats(const struct store *store, uint32_t partition, int kind,
			   struct store_partition_stats *stats)
{
	const struct part *part;

	if (partition >= store->n_partitions || kind < 0 || kind >= STORE_KINDS)
		return -EINVAL;
	part = store_part(store, partition, kind);
	*stats = (struct store_partition_stats){
		.entries = part_live(part),
		.capacity = part->capacity,
		.evicted = part->evicted,
	};
	return 0;
}
