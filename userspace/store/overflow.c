// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The overflow: answers that no slot holds.
 *
 * Contract: see store_priv.h. Evicts nothing; says that it is full.
 */
#include <errno.h>
#include <stdlib.h>

#include "store_priv.h"

int overflow_open(struct overflow *overflow)
{
	overflow->n_items =
		(OVERFLOW_BYTES_POSITIVE + OVERFLOW_BYTES_NEGATIVE) / OVERFLOW_ITEM_BYTES;
	overflow->free = STORE_NONE;
	overflow->items = pages_open(overflow->n_items * sizeof(*overflow->items));
	return overflow->items ? 0 : -ENOMEM;
}

void overflow_close(struct overflow *overflow)
{
	for (uint32_t i = 0; overflow->items && i < overflow->unused; i++)
		answer__free(overflow->items[i].answer);
	pages_close(overflow->items, overflow->n_items * sizeof(*overflow->items));
	overflow->items = NULL;
}

size_t overflow_cost(const struct answer *answer)
{
	size_t bytes = sizeof(*answer) + answer->n_ttl * ANSWER_RR_BYTES + answer->blob_len;

	/* small answers (of very many records) count as if they were larger */
	return bytes < OVERFLOW_ITEM_BYTES ? OVERFLOW_ITEM_BYTES : bytes;
}

uint32_t overflow_take(struct store *store, uint32_t kind, size_t bytes)
{
	static const uint32_t bytes_max[STORE_KINDS] = { OVERFLOW_BYTES_POSITIVE,
							 OVERFLOW_BYTES_NEGATIVE };
	struct overflow *overflow = &store->overflow;
	uint32_t item = overflow->free;

	if (overflow->bytes[kind] + bytes > bytes_max[kind])
		return STORE_NONE;
	if (item != STORE_NONE)
		overflow->free = overflow->items[item].next;
	else if (overflow->unused < overflow->n_items)
		item = overflow->unused++;
	else
		return STORE_NONE;
	overflow->items[item] = (struct overflow_item){ .bytes = bytes };
	overflow->bytes[kind] += bytes;
	return item;
}

void overflow_enqueue(struct store *store, struct part *part, uint32_t item)
{
	struct overflow_item *it = &store->overflow.items[item];

	it->prev = part->overflow_tail;
	it->next = STORE_NONE;
	if (part->overflow_tail == STORE_NONE)
		part->overflow_head = item;
	else
		store->overflow.items[part->overflow_tail].next = item;
	part->overflow_tail = item;
	part->overflow_bytes += it->bytes;
}

void overflow_dequeue(struct store *store, struct part *part, uint32_t item)
{
	struct overflow_item *it = &store->overflow.items[item];

	if (it->prev == STORE_NONE)
		part->overflow_head = it->next;
	else
		store->overflow.items[it->prev].next = it->next;
	if (it->next == STORE_NONE)
		part->overflow_tail = it->prev;
	else
		store->overflow.items[it->next].prev = it->prev;
	part->overflow_bytes -= it->bytes;
}

void overflow_free(struct store *store, uint32_t kind, uint32_t item)
{
	struct overflow_item *it = &store->overflow.items[item];

	store->overflow.bytes[kind] -= it->bytes;
	answer__free(it->answer);
	it->answer = NULL;
	it->next = store->overflow.free;
	store->overflow.free = item;
}
