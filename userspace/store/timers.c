// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is due when: each entry has one timer until it expires, and is in the
 * list of stale ones after that.
 *
 * Contract: see store_priv.h. A heap of four children each, since the next
 * timer has to be at hand at no cost: setting one touches eight others at most
 * among 65,536, and asking whether something is due touches one.
 */
#include <errno.h>

#include "store_priv.h"

#define CHILDREN 4

int timers_open(struct store *store)
{
	/* an entry that is replaced is there twice for a moment */
	store->timers.max = store->total + 1;
	store->timers.list = pages_open(store->timers.max * sizeof(*store->timers.list));
	store->stale.list = pages_open(store->timers.max * sizeof(*store->stale.list));
	return store->timers.list && store->stale.list ? 0 : -ENOMEM;
}

void timers_close(struct store *store)
{
	pages_close(store->timers.list, store->timers.max * sizeof(*store->timers.list));
	pages_close(store->stale.list, store->timers.max * sizeof(*store->stale.list));
}

static void place(struct store *store, uint32_t at, struct timer timer)
{
	store->timers.list[at] = timer;
	store_meta(store, timer.slot)->at = at;
}

static void sift_up(struct store *store, uint32_t at, struct timer timer)
{
	while (at) {
		uint32_t parent = (at - 1) / CHILDREN;

		if (store->timers.list[parent].due <= timer.due)
			break;
		place(store, at, store->timers.list[parent]);
		at = parent;
	}
	place(store, at, timer);
}

static void sift_down(struct store *store, uint32_t at, struct timer timer)
{
	const struct timers *timers = &store->timers;

	for (;;) {
		uint32_t child = CHILDREN * at + 1, least = child;

		if (child >= timers->n)
			break;
		for (uint32_t i = child + 1; i < child + CHILDREN && i < timers->n; i++)
			if (timers->list[i].due < timers->list[least].due)
				least = i;
		if (timers->list[least].due >= timer.due)
			break;
		place(store, at, timers->list[least]);
		at = least;
	}
	place(store, at, timer);
}

/* @timer goes where @at is, or nearer to the top, or farther from it. */
static void sift(struct store *store, uint32_t at, struct timer timer)
{
	if (at && store->timers.list[(at - 1) / CHILDREN].due > timer.due)
		sift_up(store, at, timer);
	else
		sift_down(store, at, timer);
}

void timer_set(struct store *store, uint32_t slot, uint32_t due)
{
	struct slot_meta *meta = store_meta(store, slot);
	struct timer timer = { due, slot };

	if (meta->where == AT_TIMER) {
		sift(store, meta->at, timer);
		return;
	}
	timer_remove(store, slot);
	meta->where = AT_TIMER;
	sift_up(store, store->timers.n++, timer);
}

void stale_add(struct store *store, uint32_t slot)
{
	struct slot_meta *meta = store_meta(store, slot);

	timer_remove(store, slot);
	meta->where = AT_STALE;
	meta->at = store->stale.n;
	store->stale.list[store->stale.n++] = slot;
}

static void heap_remove(struct store *store, uint32_t at)
{
	struct timer last = store->timers.list[--store->timers.n];

	if (at < store->timers.n)
		sift(store, at, last);
}

static void stale_remove(struct store *store, uint32_t at)
{
	uint32_t last = store->stale.list[--store->stale.n];

	store->stale.list[at] = last;
	store_meta(store, last)->at = at;
}

void timer_remove(struct store *store, uint32_t slot)
{
	struct slot_meta *meta = store_meta(store, slot);

	if (meta->where == AT_TIMER)
		heap_remove(store, meta->at);
	else if (meta->where == AT_STALE)
		stale_remove(store, meta->at);
	meta->where = AT_NOWHERE;
}

void timer_move(struct store *store, uint32_t from, uint32_t to)
{
	struct slot_meta *meta = store_meta(store, from);

	if (meta->where == AT_TIMER)
		store->timers.list[meta->at].slot = to;
	else if (meta->where == AT_STALE)
		store->stale.list[meta->at] = to;
	store_meta(store, to)->where = meta->where;
	store_meta(store, to)->at = meta->at;
	meta->where = AT_NOWHERE;
}
