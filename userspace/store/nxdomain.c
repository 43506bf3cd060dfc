// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Cuts: how many there are at which depth, and those above a name.
 *
 * Contract: see store.h and headers/nodens_abi.h. A depth's bit is set before
 * the first cut there is published and cleared after the last one is withdrawn,
 * so a program may look in vain, but never overlooks a cut.
 */
#include <string.h>

#include "store_priv.h"

#define MAX_DEPTH 63

unsigned int nxdomain_labels(const uint8_t *wire, size_t len)
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

void nxdomain_count(struct store *store, unsigned int labels, int by)
{
	bool before = store->cuts[labels];

	store->cuts[labels] += by;
	store->stats.cuts += by;
	if (before != !!store->cuts[labels])
		set_mask(store, mask_of(store));
}

void nxdomain_settle(struct store *store)
{
	set_mask(store, mask_of(store));
}

/* The next suffix of @name, from @at on, at a depth where there are cuts. */
static bool next_suffix(const struct store *store, const struct dns_name *name, unsigned int *at,
			struct dns_name *suffix)
{
	for (; *at < name->len && name->wire[*at]; *at += name->wire[*at] + 1) {
		unsigned int labels = nxdomain_labels(name->wire + *at, name->len - *at);

		if (!store->cuts[labels])
			continue;
		suffix->len = name->len - *at;
		memcpy(suffix->wire, name->wire + *at, suffix->len);
		*at += name->wire[*at] + 1;
		return true;
	}
	return false;
}

const struct answer *store__cut_above(struct store *store, const struct dns_name *qname_lower,
				      uint8_t key_flags, uint64_t now_ns, uint32_t *ttl_s)
{
	uint8_t flags = (key_flags & (NODENS_KEY_DO | NODENS_KEY_CD)) | NODENS_KEY_CUT;
	const struct answer *answer = NULL;
	struct dns_name suffix;
	unsigned int at = 0;

	if (!store->stats.cuts)
		return NULL;
	while (!answer && next_suffix(store, qname_lower, &at, &suffix)) {
		answer = store__get(store, &suffix, 0, flags, now_ns, ttl_s);
		if (answer && answer->cut_below && suffix.len == qname_lower->len)
			answer = NULL;
	}
	return answer;
}

int store__remove_cuts(struct store *store, const struct dns_name *qname_lower)
{
	struct dns_name suffix;
	unsigned int at = 0;
	int n = 0;

	if (!store->stats.cuts)
		return 0;
	store_free_current(store);
	while (next_suffix(store, qname_lower, &at, &suffix)) {
		for (uint8_t flags = 0; flags <= (NODENS_KEY_DO | NODENS_KEY_CD); flags++) {
			uint32_t slot = entry_find(store, &suffix, 0, flags | NODENS_KEY_CUT);

			if (slot == STORE_NONE || store_slot(store, slot)->cut_below)
				continue;
			if (!entry_remove(store, slot))
				n++;
		}
	}
	return n;
}
