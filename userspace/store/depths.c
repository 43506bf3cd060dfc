// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * How many cuts there are at which depth, and the mask of depths that programs read.
 *
 * Contract: see headers/nodens_abi.h. A depth's bit is set before the first cut there is published
 * and cleared after the last one is withdrawn, so a program may look in vain, but never overlooks a
 * cut.
 */
#include "store_priv.h"

#define MAX_DEPTH 63

unsigned int depths_labels(const uint8_t *wire, size_t len)
{
	unsigned int n = 0;

	for (size_t at = 0; at < len && wire[at]; at += wire[at] + 1)
		n++;
	return n <= MAX_DEPTH ? n : 0;
}

static void set_mask(struct store *store, uint64_t mask)
{
	const struct store_config *config = &store->config;

	if (!config->cut_depths || *config->cut_depths == mask)
		return;
	__atomic_store_n(config->cut_depths, mask, __ATOMIC_SEQ_CST);
	if (config->commit)
		config->commit(config->ctx);
}

static uint64_t mask_of(const struct store *store)
{
	uint64_t mask = 0;

	for (unsigned int n = 1; n <= MAX_DEPTH; n++)
		mask |= (uint64_t) !!store->cuts[n] << n;
	return mask;
}

void depths_count(struct store *store, unsigned int labels, int by)
{
	bool before = store->cuts[labels];

	store->cuts[labels] += by;
	store->stats.cuts += by;
	if (before != !!store->cuts[labels])
		set_mask(store, mask_of(store));
}

void depths_settle(struct store *store)
{
	set_mask(store, mask_of(store));
}
