// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is due when: each entry has one alarm until it expires, and is in the
 * list of stale ones after that.
 *
 * Contract: see store_priv.h. A heap of four children each, since the next
 * alarm has to be at hand at no cost: setting one touches eight others at most
 * among 65,536, and asking whether something is due touches one.
 */
#include <errno.h>
#include <stdlib.h>

#include "store_priv.h"

#define CHILDREN 4

int alarm__open(struct store *store)
{
	store->alarms.list = malloc(store->n_slots * sizeof(*store->alarms.list));
	store->stale.list = malloc(store->n_slots * sizeof(*store->stale.list));
	return store->alarms.list && store->stale.list ? 0 : -ENOMEM;
}

void alarm__close(struct store *store)
{
	free(store->alarms.list);
	free(store->stale.list);
}

static void place(struct store *store, uint32_t at, struct alarm alarm)
{
	store->alarms.list[at] = alarm;
	store_meta(store, alarm.slot)->at = at;
}

static void sift_up(struct store *store, uint32_t at, struct alarm alarm)
{
	while (at) {
		uint32_t parent = (at - 1) / CHILDREN;

		if (store->alarms.list[parent].due <= alarm.due)
			break;
		place(store, at, store->alarms.list[parent]);
		at = parent;
	}
	place(store, at, alarm);
}

static void sift_down(struct store *store, uint32_t at, struct alarm alarm)
{
	const struct alarms *alarms = &store->alarms;

	for (;;) {
		uint32_t child = CHILDREN * at + 1, least = child;

		if (child >= alarms->n)
			break;
		for (uint32_t i = child + 1; i < child + CHILDREN && i < alarms->n; i++)
			if (alarms->list[i].due < alarms->list[least].due)
				least = i;
		if (alarms->list[least].due >= alarm.due)
			break;
		place(store, at, alarms->list[least]);
		at = least;
	}
	place(store, at, alarm);
}

/* @alarm goes where @at is, or nearer to the top, or farther from it. */
static void sift(struct store *store, uint32_t at, struct alarm alarm)
{
	if (at && store->alarms.list[(at - 1) / CHILDREN].due > alarm.due)
		sift_up(store, at, alarm);
	else
		sift_down(store, at, alarm);
}

void alarm__set(struct store *store, uint32_t slot, uint32_t due)
{
	struct slot_meta *meta = store_meta(store, slot);
	struct alarm alarm = { due, slot };

	if (meta->where == AT_ALARM) {
		sift(store, meta->at, alarm);
		return;
	}
	alarm__remove(store, slot);
	meta->where = AT_ALARM;
	sift_up(store, store->alarms.n++, alarm);
}

void stale__add(struct store *store, uint32_t slot)
{
	struct slot_meta *meta = store_meta(store, slot);

	alarm__remove(store, slot);
	meta->where = AT_STALE;
	meta->at = store->stale.n;
	store->stale.list[store->stale.n++] = slot;
}

static void alarm_remove(struct store *store, uint32_t at)
{
	struct alarm last = store->alarms.list[--store->alarms.n];

	if (at < store->alarms.n)
		sift(store, at, last);
}

static void stale_remove(struct store *store, uint32_t at)
{
	uint32_t last = store->stale.list[--store->stale.n];

	store->stale.list[at] = last;
	store_meta(store, last)->at = at;
}

void alarm__remove(struct store *store, uint32_t slot)
{
	struct slot_meta *meta = store_meta(store, slot);

	if (meta->where == AT_ALARM)
		alarm_remove(store, meta->at);
	else if (meta->where == AT_STALE)
		stale_remove(store, meta->at);
	meta->where = AT_NOWHERE;
}

void alarm__move(struct store *store, uint32_t from, uint32_t to)
{
	struct slot_meta *meta = store_meta(store, from);

	if (meta->where == AT_ALARM)
		store->alarms.list[meta->at].slot = to;
	else if (meta->where == AT_STALE)
		store->stale.list[meta->at] = to;
	store_meta(store, to)->where = meta->where;
	store_meta(store, to)->at = meta->at;
	meta->where = AT_NOWHERE;
}
