// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The table of what is kept: hash of the question -> slot.
 *
 * Contract: see store_priv.h. It is made twice as large as what there may be, and so never full.
 */
#include <errno.h>

#include "store_priv.h"

static size_t table_bytes(const struct table *table)
{
	return (table->mask + 1ull) * sizeof(*table->slots);
}

int table_open(struct table *table, uint32_t n_max)
{
	uint32_t size = 64;

	while (size < 2 * (uint64_t)n_max && size < 1u << 31)
		size *= 2;
	table->mask = size - 1;
	table->slots = pages_open(table_bytes(table));
	return table->slots ? 0 : -ENOMEM;
}

void table_close(struct table *table)
{
	pages_close(table->slots, table_bytes(table));
	table->slots = NULL;
}

static uint64_t hash_of(const struct store *store, uint32_t slot)
{
	return store_meta(store, slot)->key;
}

/* Clients choose the names; the hash's uppermost bits are a secret's (headers/nodens_abi.h). */
static uint32_t home(const struct table *table, uint64_t hash)
{
	return hash >> __builtin_clzll(table->mask);
}

/* Where @hash is, or the empty place where it would go. */
static uint32_t position(const struct store *store, uint64_t hash)
{
	const struct table *table = &store->table;
	uint32_t at = home(table, hash);

	while (table->slots[at] && hash_of(store, ~table->slots[at]) != hash)
		at = (at + 1) & table->mask;
	return at;
}

void table_expect(const struct store *store, uint64_t hash)
{
	__builtin_prefetch(&store->table.slots[home(&store->table, hash)]);
}

uint32_t table_find(const struct store *store, uint64_t hash)
{
	return ~store->table.slots[position(store, hash)];
}

void table_set(struct store *store, uint64_t hash, uint32_t slot)
{
	store->table.slots[position(store, hash)] = ~slot;
}

void table_remove(struct store *store, uint64_t hash)
{
	struct table *table = &store->table;
	uint32_t hole = position(store, hash), at = hole;

	if (!table->slots[hole])
		return;
	/* close the gap, so that probes need no tombstones */
	for (;;) {
		uint32_t want;

		at = (at + 1) & table->mask;
		if (!table->slots[at])
			break;
		want = home(table, hash_of(store, ~table->slots[at]));
		if (((at - want) & table->mask) >= ((at - hole) & table->mask)) {
			table->slots[hole] = table->slots[at];
			hole = at;
		}
	}
	table->slots[hole] = 0;
}
