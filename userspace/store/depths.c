// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * How many NXDOMAIN-below entries there are at which depth, and the mask of depths that programs
 * read.
 *
 * Contract: see headers/nodens_abi.h. A depth's bit is set before the first entry there is
 * published and cleared after the last one is withdrawn, so a program may look in vain, but never
 * overlooks an entry.
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

	if (!config->nx_below_depths || *config->nx_below_depths == mask)
		return;
	__atomic_store_n(config->nx_below_depths, mask, __ATOMIC_SEQ_CST);
	if (config->commit)
		config->commit(config->ctx);
}

static uint64_t mask_of(const struct store *store)
{
	uint64_t mask = 0;

	for (unsigned int n = 1; n <= MAX_DEPTH; n++)
		mask |= (uint64_t) !!store->nx_below[n] << n;
	return mask;
}

void depths_count(struct store *store, unsigned int labels, int by)
{
	bool before = store->nx_below[labels];

	store->nx_below[labels] += by;
	store->stats.nx_below += by;
	if (before != !!store->nx_below[labels])
		set_mask(store, mask_of(store));
}

void depths_settle(struct store *store)
{
	set_mask(store, mask_of(store));
}
