// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The queues of a part: its entries from the oldest to the youngest, and how many slots they hold.
 *
 * Contract: see store_priv.h.
 */
#include "store_priv.h"

static void queue_push(struct store *store, struct queue *queue, uint32_t slot)
{
	struct slot_meta *meta = store_meta(store, slot);

	meta->prev = queue->tail;
	meta->next = STORE_NONE;
	if (queue->tail == STORE_NONE)
		queue->head = slot;
	else
		store_meta(store, queue->tail)->next = slot;
	queue->tail = slot;
}

static void queue_remove(struct store *store, struct queue *queue, uint32_t slot)
{
	struct slot_meta *meta = store_meta(store, slot);

	if (meta->prev == STORE_NONE)
		queue->head = meta->next;
	else
		store_meta(store, meta->prev)->next = meta->next;
	if (meta->next == STORE_NONE)
		queue->tail = meta->prev;
	else
		store_meta(store, meta->next)->prev = meta->prev;
}

void queue_add(struct store *store, uint32_t slot)
{
	struct slot_meta *meta = store_meta(store, slot);
	struct queue *queue = &meta_part(store, meta)->queue[slot_queue(slot)];

	queue_push(store, queue, slot);
	queue->live++;
	queue->held++;
	store->stats.entries[meta->kind]++;
}

void queue_drop(struct store *store, uint32_t slot)
{
	struct slot_meta *meta = store_meta(store, slot);
	struct queue *queue = &meta_part(store, meta)->queue[slot_queue(slot)];

	queue_remove(store, queue, slot);
	queue->live--;
	store->stats.entries[meta->kind]--;
}

void queue_rotate(struct store *store, struct queue *queue)
{
	uint32_t slot = queue->head;

	queue_remove(store, queue, slot);
	queue_push(store, queue, slot);
}
