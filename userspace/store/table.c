// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The table of what is kept (hash of the question -> slot) and
 * the heap of answers that no slot holds.
 *
 * Contract: see store_priv.h. Neither evicts; both report that they are full.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/secret_hash.h"
#include "store_priv.h"

int table__open(struct table *table, uint32_t n_max)
{
	uint32_t size = 64;

	while (size < 2 * (uint64_t)n_max && size < 1u << 31)
		size *= 2;
	table->slots = malloc(size * sizeof(*table->slots));
	if (!table->slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < size; i++)
		table->slots[i] = STORE_NONE;
	table->mask = size - 1;
	return 0;
}

void table__close(struct table *table)
{
	free(table->slots);
	table->slots = NULL;
}

static uint64_t hash_of(const struct store *store, uint32_t slot)
{
	return store_meta(store, slot)->key;
}

/* NH promises nothing of a part of its bits, and clients choose the names. */
static uint32_t home(const struct table *table, uint64_t hash)
{
	return secret_hash_u64(hash) & table->mask;
}

/* Where @hash is, or the empty place where it would go. */
static uint32_t position(const struct store *store, uint64_t hash)
{
	const struct table *table = &store->table;
	uint32_t at = home(table, hash);

	while (table->slots[at] != STORE_NONE && hash_of(store, table->slots[at]) != hash)
		at = (at + 1) & table->mask;
	return at;
}

uint32_t table__find(const struct store *store, uint64_t hash)
{
	return store->table.slots[position(store, hash)];
}

void table__set(struct store *store, uint64_t hash, uint32_t slot)
{
	store->table.slots[position(store, hash)] = slot;
}

void table__remove(struct store *store, uint64_t hash)
{
	struct table *table = &store->table;
	uint32_t hole = position(store, hash), at = hole;

	if (table->slots[hole] == STORE_NONE)
		return;
	/* close the gap, so that probes need no tombstones */
	for (;;) {
		uint32_t want;

		at = (at + 1) & table->mask;
		if (table->slots[at] == STORE_NONE)
			break;
		want = home(table, hash_of(store, table->slots[at]));
		if (((at - want) & table->mask) >= ((at - hole) & table->mask)) {
			table->slots[hole] = table->slots[at];
			hole = at;
		}
	}
	table->slots[hole] = STORE_NONE;
}

int heap__open(struct heap *heap)
{
	heap->n_items = (HEAP_BYTES_POSITIVE + HEAP_BYTES_NEGATIVE) / HEAP_ITEM_BYTES;
	heap->free = STORE_NONE;
	heap->items = calloc(heap->n_items, sizeof(*heap->items));
	return heap->items ? 0 : -ENOMEM;
}

void heap__close(struct heap *heap)
{
	for (uint32_t i = 0; heap->items && i < heap->unused; i++)
		answer__free(heap->items[i].answer);
	free(heap->items);
	heap->items = NULL;
}

size_t heap__cost(const struct answer *answer)
{
	size_t bytes = sizeof(*answer) + answer->n_ttl * ANSWER_RR_BYTES + answer->blob_len;

	/* small answers (of very many records) count as if they were larger */
	return bytes < HEAP_ITEM_BYTES ? HEAP_ITEM_BYTES : bytes;
}

uint32_t heap__take(struct store *store, uint32_t kind, size_t bytes)
{
	static const uint32_t bytes_max[STORE_KINDS] = { HEAP_BYTES_POSITIVE, HEAP_BYTES_NEGATIVE };
	struct heap *heap = &store->heap;
	uint32_t item = heap->free;

	if (heap->bytes[kind] + bytes > bytes_max[kind])
		return STORE_NONE;
	if (item != STORE_NONE)
		heap->free = heap->items[item].next;
	else if (heap->unused < heap->n_items)
		item = heap->unused++;
	else
		return STORE_NONE;
	heap->items[item] = (struct heap_item){ .bytes = bytes };
	heap->bytes[kind] += bytes;
	return item;
}

void heap__enqueue(struct store *store, struct part *part, uint32_t item)
{
	struct heap_item *it = &store->heap.items[item];

	it->prev = part->heap_tail;
	it->next = STORE_NONE;
	if (part->heap_tail == STORE_NONE)
		part->heap_head = item;
	else
		store->heap.items[part->heap_tail].next = item;
	part->heap_tail = item;
	part->heap_bytes += it->bytes;
}

void heap__dequeue(struct store *store, struct part *part, uint32_t item)
{
	struct heap_item *it = &store->heap.items[item];

	if (it->prev == STORE_NONE)
		part->heap_head = it->next;
	else
		store->heap.items[it->prev].next = it->next;
	if (it->next == STORE_NONE)
		part->heap_tail = it->prev;
	else
		store->heap.items[it->next].prev = it->prev;
	part->heap_bytes -= it->bytes;
}

void heap__free(struct store *store, uint32_t kind, uint32_t item)
{
	struct heap_item *it = &store->heap.items[item];

	store->heap.bytes[kind] -= it->bytes;
	answer__free(it->answer);
	it->answer = NULL;
	it->next = store->heap.free;
	store->heap.free = item;
}
