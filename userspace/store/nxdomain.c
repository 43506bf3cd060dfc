// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Cuts above a name. Contract: see store.h.
 */
#include <string.h>

#include "store_priv.h"

/* The next suffix of @name, from @at on, at a depth where there are cuts. */
static bool next_suffix(const struct store *store, const struct dns_name *name, unsigned int *at,
			struct dns_name *suffix)
{
	for (; *at < name->len && name->wire[*at]; *at += name->wire[*at] + 1) {
		unsigned int labels = depths_labels(name->wire + *at, name->len - *at);

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
	entry_free_current(store);
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
