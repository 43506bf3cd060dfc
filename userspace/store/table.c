// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The table of what is kept (hash of the question -> slot) and
 * the overflow of answers that no slot holds.
 *
 * Contract: see store_priv.h. Neither evicts; both report that they are full.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/secret_hash.h"
#include "store_priv.h"

int table_open(struct table *table, uint32_t n_max)
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

void table_close(struct table *table)
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

uint32_t table_find(const struct store *store, uint64_t hash)
{
	return store->table.slots[position(store, hash)];
}

void table_set(struct store *store, uint64_t hash, uint32_t slot)
{
	store->table.slots[position(store, hash)] = slot;
}

void table_remove(struct store *store, uint64_t hash)
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

int overflow_open(struct overflow *overflow)
{
	overflow->n_items =
		(OVERFLOW_BYTES_POSITIVE + OVERFLOW_BYTES_NEGATIVE) / OVERFLOW_ITEM_BYTES;
	overflow->free = STORE_NONE;
	overflow->items = calloc(overflow->n_items, sizeof(*overflow->items));
	return overflow->items ? 0 : -ENOMEM;
}

void overflow_close(struct overflow *overflow)
{
	for (uint32_t i = 0; overflow->items && i < overflow->unused; i++)
		answer__free(overflow->items[i].answer);
	free(overflow->items);
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
