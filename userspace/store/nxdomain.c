// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Cuts above a name. Contract: see store.h.
 */
#include <string.h>

#include "store_priv.h"

/* The next suffix of @name, from @at on, at a depth where there are NXDOMAIN-below entries. */
static bool next_suffix(const struct store *store, const struct dns_name *name, unsigned int *at,
			struct dns_name *suffix)
{
	for (; *at < name->len && name->wire[*at]; *at += name->wire[*at] + 1) {
		unsigned int labels = depths_labels(name->wire + *at, name->len - *at);

		if (!store->nx_below[labels])
			continue;
		suffix->len = name->len - *at;
		memcpy(suffix->wire, name->wire + *at, suffix->len);
		*at += name->wire[*at] + 1;
		return true;
	}
	return false;
}

const struct answer *store__get_nx_below(struct store *store, const struct dns_name *qname_lower,
					 uint8_t key_flags, uint64_t now_ns, uint32_t *ttl_s)
{
	uint8_t flags = (key_flags & (NODENS_KEY_DO | NODENS_KEY_CD)) | NODENS_KEY_NX_BELOW;
	const struct answer *answer = NULL;
	struct dns_name suffix;
	unsigned int at = 0;

	if (!store->stats.nx_below)
		return NULL;
	while (!answer && next_suffix(store, qname_lower, &at, &suffix)) {
		answer = store__get(store, &suffix, 0, flags, now_ns, ttl_s);
		if (answer && answer->below_only && suffix.len == qname_lower->len)
			answer = NULL;
	}
	return answer;
}

int store__remove_nx_below(struct store *store, const struct dns_name *qname_lower)
{
	struct dns_name suffix;
	unsigned int at = 0;
	int n = 0;

	if (!store->stats.nx_below)
		return 0;
	entry_free_current(store);
	while (next_suffix(store, qname_lower, &at, &suffix)) {
		for (uint8_t flags = 0; flags <= (NODENS_KEY_DO | NODENS_KEY_CD); flags++) {
			uint32_t slot = entry_find(store, &suffix, 0, flags | NODENS_KEY_NX_BELOW);

			if (slot == STORE_NONE || store_slot(store, slot)->below_only)
				continue;
			if (!entry_remove(store, slot))
				n++;
		}
	}
	return n;
}
