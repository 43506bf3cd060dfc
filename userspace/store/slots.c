// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * How many slots there may be, and where a new entry's slot comes from.
 *
 * Contract: see store_priv.h. A retired slot is not taken before its ticket has
 * passed. Who may take how many is partition.c's.
 */
#include <errno.h>

#include "store_priv.h"

#define PLAN_LARGE 32 /* one large answer for so many */
#define PLAN_MIN   16
#define PLAN_SPARE 32
/* Cells of one class that are in use in part are no cells for another. */
#define PLAN_SLACK 2

uint32_t slots_spare(uint64_t n)
{
	return n / 16 + PLAN_SPARE;
}

uint32_t slots_large(uint64_t n)
{
	n = (n + PLAN_LARGE - 1) / PLAN_LARGE;
	return n < PLAN_MIN ? PLAN_MIN : n;
}

/* Slots of answers of one size; the most of them that there ever are. */
static uint64_t cells_for(uint64_t n, uint32_t size)
{
	uint32_t in_cell = NODENS_CELL / size;

	return (n + slots_spare(n) + in_cell - 1) / in_cell;
}

uint32_t store__plan(const uint32_t capacity[STORE_KINDS])
{
	uint64_t total = (uint64_t)capacity[NODENS_POSITIVE] + capacity[NODENS_NEGATIVE];
	uint64_t cells = cells_for(total, NODENS_SIZE_SMALL) +
			 cells_for(slots_large(total), NODENS_SIZE_LARGEST);
	uint64_t steps = cells * PLAN_SLACK / NODENS_STEP_CELLS + 1;

	if (cells > (uint64_t)NODENS_MAX_STEPS * NODENS_STEP_CELLS)
		return 0;
	return steps < NODENS_MAX_STEPS ? steps : NODENS_MAX_STEPS;
}

/* Small answers take no large slots: those are shared out on their own. */
uint32_t slots_take(struct store *store, size_t size)
{
	size_t largest = size > NODENS_SIZE_SMALL ? NODENS_SIZE_LARGEST : NODENS_SIZE_SMALL;
	uint32_t slot = STORE_NONE;

	for (int cls = 0; cls < NODENS_CLASSES && slot == STORE_NONE; cls++)
		if (slot_class_size[cls] >= size && slot_class_size[cls] <= largest)
			slot = cells_take(store, cls);
	return slot;
}

void slots_retire(struct store *store, uint32_t slot)
{
	struct slot_meta *meta = store_meta(store, slot);

	meta->state = SLOT_RETIRED;
	meta->orphan = 0;
	meta->key = store->publisher->ops->ticket(store->publisher);
	meta->next = STORE_NONE;
	store->n_retired++;
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
		store->n_retired--;
		if (!meta->orphan)
			meta_part(store, meta)->queue[slot_queue(slot)].held--;
		cells_free(store, slot);
	}
	if (store->retired_head == STORE_NONE)
		store->retired_tail = STORE_NONE;
}

bool slots_starved(struct store *store, const struct part *part, size_t size)
{
	const struct queue *queue =
		&part->queue[size > NODENS_SIZE_SMALL ? QUEUE_LARGE : QUEUE_SMALL];
	uint32_t left = queue->held < queue->held_max ? queue->held_max - queue->held : 0;
	uint32_t spare = queue->held_max - part->capacity;

	if (queue == &part->queue[QUEUE_LARGE])
		spare = queue->held_max - part->large_max;
	if (left <= spare / 4 && queue->held > queue->live)
		grace_hurry(store);
	return !left;
}

void slot_sample_in_place(struct publisher *publisher, uint32_t slot, const struct nodens_slot *at,
			  uint32_t *hits, uint32_t *last_use)
{
	(void)publisher;
	(void)slot;
	*hits = __atomic_load_n(&at->hits, __ATOMIC_RELAXED);
	*last_use = __atomic_load_n(&at->last_use, __ATOMIC_RELAXED);
}
