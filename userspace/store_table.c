// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The table of what is kept (hash of the question -> slot or heap item) and
 * the heap of answers that no slot holds.
 *
 * Contract: see store_priv.h. Neither evicts; both report that they are full.
 */
#include <errno.h>
#include <stdlib.h>

#include "store_priv.h"

int table__open(struct table *table, uint32_t n_max)
{
	uint32_t size = 64;

	while (size < 2 * (uint64_t)n_max && size < 1u << 31)
		size *= 2;
	table->refs = malloc(size * sizeof(*table->refs));
	if (!table->refs)
		return -ENOMEM;
	for (uint32_t i = 0; i < size; i++)
		table->refs[i] = STORE_NONE;
	table->mask = size - 1;
	return 0;
}

void table__close(struct table *table)
{
	free(table->refs);
	table->refs = NULL;
}

static uint64_t ref_hash(const struct store *store, uint32_t ref)
{
	uint32_t slot = ref_is_heap(ref) ? store->heap.items[NODENS_SLOT_INDEX(ref)].slot : ref;

	return store->slab[NODENS_SLOT_CLASS(slot)].meta[NODENS_SLOT_INDEX(slot)].key;
}

/* NH spreads its low bits badly over short names: mix (Fibonacci hashing). */
static uint32_t home(const struct table *table, uint64_t hash)
{
	return (uint32_t)((hash * 0x9e3779b97f4a7c15ull) >> 32) & table->mask;
}

/* Where @hash is, or the empty place where it would go. */
static uint32_t position(const struct store *store, uint64_t hash)
{
	const struct table *table = &store->table;
	uint32_t at = home(table, hash);

	while (table->refs[at] != STORE_NONE && ref_hash(store, table->refs[at]) != hash)
		at = (at + 1) & table->mask;
	return at;
}

uint32_t table__find(const struct store *store, uint64_t hash)
{
	return store->table.refs[position(store, hash)];
}

void table__set(struct store *store, uint64_t hash, uint32_t ref)
{
	store->table.refs[position(store, hash)] = ref;
}

void table__remove(struct store *store, uint64_t hash)
{
	struct table *table = &store->table;
	uint32_t hole = position(store, hash), at = hole;

	if (table->refs[hole] == STORE_NONE)
		return;
	/* close the gap, so that probes need no tombstones */
	for (;;) {
		uint32_t want;

		at = (at + 1) & table->mask;
		if (table->refs[at] == STORE_NONE)
			break;
		want = home(table, ref_hash(store, table->refs[at]));
		if (((at - want) & table->mask) >= ((at - hole) & table->mask)) {
			table->refs[hole] = table->refs[at];
			hole = at;
		}
	}
	table->refs[hole] = STORE_NONE;
}

int heap__open(struct heap *heap)
{
	heap->bytes_max[NODENS_POSITIVE] = HEAP_BYTES_POSITIVE;
	heap->bytes_max[NODENS_NEGATIVE] = HEAP_BYTES_NEGATIVE;
	heap->n_items = (HEAP_BYTES_POSITIVE + HEAP_BYTES_NEGATIVE) / HEAP_ITEM_BYTES;
	heap->free = STORE_NONE;
	for (int kind = 0; kind < STORE_KINDS; kind++)
		heap->head[kind] = heap->tail[kind] = STORE_NONE;
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

uint32_t heap__take(struct heap *heap, uint32_t kind, size_t bytes)
{
	uint32_t item = heap->free;

	/* small answers (of very many records) count as if they were larger */
	if (bytes < HEAP_ITEM_BYTES)
		bytes = HEAP_ITEM_BYTES;
	if (heap->bytes[kind] + bytes > heap->bytes_max[kind])
		return STORE_NONE;
	if (item != STORE_NONE)
		heap->free = heap->items[item].next;
	else if (heap->unused < heap->n_items)
		item = heap->unused++;
	else
		return STORE_NONE;
	heap->items[item] = (struct heap_item){
		.bytes = bytes, .kind = kind, .prev = STORE_NONE, .next = STORE_NONE
	};
	heap->bytes[kind] += bytes;
	return item;
}

void heap__enqueue(struct heap *heap, uint32_t item)
{
	struct heap_item *it = &heap->items[item];
	uint32_t tail = heap->tail[it->kind];

	it->prev = tail;
	it->next = STORE_NONE;
	if (tail == STORE_NONE)
		heap->head[it->kind] = item;
	else
		heap->items[tail].next = item;
	heap->tail[it->kind] = item;
}

static void heap_unlink(struct heap *heap, uint32_t item)
{
	struct heap_item *it = &heap->items[item];

	if (it->prev != STORE_NONE)
		heap->items[it->prev].next = it->next;
	else if (heap->head[it->kind] == item)
		heap->head[it->kind] = it->next;
	else
		return; /* in no queue */
	if (it->next != STORE_NONE)
		heap->items[it->next].prev = it->prev;
	else
		heap->tail[it->kind] = it->prev;
}

void heap__requeue(struct heap *heap, uint32_t item)
{
	heap_unlink(heap, item);
	heap__enqueue(heap, item);
}

void heap__free(struct heap *heap, uint32_t item)
{
	struct heap_item *it = &heap->items[item];

	heap_unlink(heap, item);
	heap->bytes[it->kind] -= it->bytes;
	answer__free(it->answer);
	it->answer = NULL;
	it->next = heap->free;
	heap->free = item;
}
