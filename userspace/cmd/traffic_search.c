// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Who asks for names with a suffix of its search path. Contract: traffic.h.
 *
 * A resolver that appends suffixes asks for the name itself, too, at the end. So a name that does
 * not exist, and whose first labels, two at least, were asked as a name of their own, was made by a
 * search path. From then on each of its NXDOMAINs is counted at its client; of those before, what
 * is known of who had them.
 */
#include <string.h>

#include "traffic_priv.h"

/* The dots of the name that was searched for, or 0: it is none that a search path made. */
static unsigned int dots_before_suffix(struct heavy *names, const uint8_t *octets, size_t len)
{
	uint8_t key[TRAFFIC_KEY_MAX];
	unsigned int labels = 0;

	memcpy(key, octets, len);
	for (size_t at = 2; at < len && octets[at];) {
		at += 1 + octets[at];
		labels++;
		if (labels < 2 || at >= len || !octets[at])
			continue;
		key[at] = 0;
		if (heavy__find(names, key, at + 1))
			return labels - 1;
		key[at] = octets[at];
	}
	return 0;
}

static void credit(struct tally *tally, const struct traffic_name *name,
		   const struct traffic_client *client, uint64_t n)
{
	struct traffic_use *use =
		heavy__find(tally->lists[TRAFFIC_CLIENTS], client, sizeof(*client));

	if (!use)
		return;
	use->search += n;
	use->saved += name->search_dots >= TRAFFIC_NDOTS ? n : 0;
}

/* From now on it counts: those that have asked before, too, of whom four are known. */
static bool find_out(struct tally *tally, struct traffic_name *name, const uint8_t *key, size_t len)
{
	name->search_dots = dots_before_suffix(tally->lists[TRAFFIC_NAMES], key, len);
	for (int i = 0; name->search_dots && i < TRAFFIC_WHO; i++)
		credit(tally, name, &name->who[i].client, name->who[i].n - name->who[i].error);
	return name->search_dots;
}

void traffic_search_note(struct tally *tally, struct traffic_name *name,
			 const struct traffic_key *key, const struct traffic_client *client,
			 uint64_t n)
{
	if (name->search_dots || find_out(tally, name, key->octets, key->len))
		credit(tally, name, client, n);
}

void traffic_search_all(struct tally *tally)
{
	struct heavy_item items[HEAVY_COUNTERS];
	size_t n = heavy__top(tally->lists[TRAFFIC_NX], items, HEAVY_COUNTERS);

	for (size_t i = 0; i < n; i++) {
		struct traffic_name *name =
			heavy__find(tally->lists[TRAFFIC_NX], items[i].key, items[i].len);

		if (!name->search_dots)
			find_out(tally, name, items[i].key, items[i].len);
	}
}
