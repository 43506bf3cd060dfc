// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Hits of names by their slots: two readings of the index and of the slots that it names, and the
 * difference. Contract: traffic.h.
 *
 * An entry keeps its place in the index while its name is cached; a refreshed answer goes on with
 * the hits of the one before. Of a slot only its header is read while it was not hit.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "traffic_priv.h"

static size_t place_of(const struct index_place *at)
{
	return (size_t)at->bucket * NODENS_BUCKET_ENTRIES + at->place;
}

static bool make_room(struct traffic_work *work, size_t place)
{
	size_t n = work->n_hits ? work->n_hits : 65536;
	struct slot_hits *hits;

	if (place < work->n_hits)
		return true;
	while (n <= place)
		n *= 2;
	hits = realloc(work->hits, n * sizeof(*hits));
	if (!hits)
		return false;
	memset(hits + work->n_hits, 0, (n - work->n_hits) * sizeof(*hits));
	work->hits = hits;
	work->n_hits = n;
	return true;
}

static void count(struct tally *tally, const struct traffic_key *key,
		  const struct nodens_slot *slot, uint32_t hits)
{
	struct traffic_name *name =
		heavy__add(tally->lists[TRAFFIC_NAMES], key->octets, key->len, hits);
	bool nx = (be16toh(slot->flags) & DNS_RCODE) == DNS_NXDOMAIN;
	uint64_t now_ns = clock_now();

	name->kernel += hits;
	name->sampled += hits;
	name->has_ttl = true;
	name->ttl_s = slot->expires_ns > now_ns ? (slot->expires_ns - now_ns) / NSEC_PER_SEC : 0;
	if (!nx)
		return;
	name->nx += hits;
	name = heavy__add(tally->lists[TRAFFIC_NX], key->octets, key->len, hits);
	name->nx += hits;
	name->kernel += hits;
	name->sampled += hits;
}

static void count_slot(struct traffic_work *work, struct pinned_entry *entry, uint32_t hits)
{
	const struct nodens_slot *slot = &entry->copy.slot;
	struct traffic_key key;

	/* hits of an NXDOMAIN-below are of many names: a session sees which */
	if (slot->key_flags & (NODENS_KEY_NX_BELOW | NODENS_KEY_AGENT) ||
	    !traffic_wants(work, &entry->name))
		return;
	traffic_key__set(&key, &entry->name, be16toh(slot->qtype));
	count(&work->current, &key, slot, hits);
	count(&work->traffic.all, &key, slot, hits);
}

/* How often it was hit since the last reading. */
static uint32_t hits_since(struct traffic_work *work, const struct index_place *at, uint32_t hits)
{
	struct slot_hits *before = &work->hits[place_of(at)];
	uint32_t tag = at->entry >> 35, since = hits;

	if (before->tag == tag && hits >= before->hits)
		since -= before->hits;
	*before = (struct slot_hits){ .tag = tag, .hits = hits };
	return work->hits_known ? since : 0;
}

int traffic_slots_read(struct traffic_work *work)
{
	struct pinned *pinned = &work->pinned;
	struct index_place at = {};
	size_t next = 0;
	uint32_t number;
	int ret;

	while ((ret = index__next(pinned->index, &at, &number)) > 0) {
		struct pinned_entry entry = { .at = at, .number = number };
		struct nodens_slot head;
		size_t place = place_of(&at);
		uint32_t hits;

		if (!make_room(work, place))
			return -ENOMEM;
		/* those between have gone */
		memset(work->hits + next, 0, (place - next) * sizeof(*work->hits));
		next = place + 1;
		if (steps__read(pinned->steps, number, &head, sizeof(head)) == -ENOENT)
			steps__refresh(pinned->steps);
		if (steps__read(pinned->steps, number, &head, sizeof(head)))
			continue;
		hits = hits_since(work, &at, head.hits);
		if (hits && pinned__read(pinned, &entry))
			count_slot(work, &entry, hits);
	}
	work->hits_known = !ret;
	return ret;
}

int traffic_slots_begin(struct traffic_work *work)
{
	if (traffic_by_slots(work))
		return work->hits_known ? 0 : traffic_slots_read(work);
	work->hits_known = false;
	return 0;
}
