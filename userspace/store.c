// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The store: put, get, flush, sweep.
 *
 * Contract: see store.h. The kernel's index is the truth of what is kept:
 * whatever has gone from it (`nodens flush` deletes there) is not answered
 * here either.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "store_priv.h"

#define NSEC 1000000000ull

static void free_current(struct store *store)
{
	answer__free(store->current);
	store->current = NULL;
}

static int open_parts(struct store *store)
{
	int err;

	for (int cls = 0; cls < NODENS_CLASSES; cls++) {
		err = slab__open(&store->slab[cls], &store->maps, cls);
		if (err)
			return err;
	}
	err = table__open(&store->table, store->capacity[0] + store->capacity[1]);
	if (err)
		return err;
	err = heap__open(&store->heap);
	if (err)
		return err;
	pool__split(store, store->capacity);
	err = store__adopt(store);
	if (err)
		return err;
	/*
	 * Waits for one grace period: so every slot that was not adopted is out
	 * of reach, whoever withdrew it.
	 */
	return grace__open(store->maps.grace_fd, store->maps.grace_inner_fd, &store->grace);
}

int store__open(const struct store_maps *maps, const struct store_config *config,
		struct store **out)
{
	struct store *store = calloc(1, sizeof(*store));
	int err;

	if (!store)
		return -ENOMEM;
	store->maps = *maps;
	store->bufsize = config->bufsize;
	store->retired_head = store->retired_tail = STORE_NONE;
	memcpy(store->capacity, config->capacity, sizeof(store->capacity));
	memcpy(store->hash_key, config->hash_key, sizeof(store->hash_key));
	err = open_parts(store);
	if (err) {
		store__close(store);
		return err;
	}
	*out = store;
	return 0;
}

void store__close(struct store *store)
{
	if (!store)
		return;
	grace__close(store->grace);
	free_current(store);
	heap__close(&store->heap);
	table__close(&store->table);
	for (int cls = 0; cls < NODENS_CLASSES; cls++)
		slab__close(&store->slab[cls]);
	free(store);
}

static uint32_t ref_slot(const struct store *store, uint32_t ref)
{
	return ref_is_heap(ref) ? store->heap.items[NODENS_SLOT_INDEX(ref)].slot : ref;
}

/* Its place in the table is taken by another, or emptied, before this. */
static void drop(struct store *store, uint32_t ref)
{
	pool__retire(store, ref_slot(store, ref));
	if (ref_is_heap(ref))
		heap__free(&store->heap, NODENS_SLOT_INDEX(ref));
}

static void forget(struct store *store, uint32_t ref)
{
	table__remove(store, store_meta(store, ref_slot(store, ref))->key);
	drop(store, ref);
}

int store__remove(struct store *store, uint32_t slot)
{
	uint64_t hash = store_meta(store, slot)->key;
	int err = bpf_map_delete_elem(store->maps.index_fd, &hash);

	/* still published: it must not be retired */
	if (err && err != -ENOENT)
		return err;
	forget(store, table__find(store, hash));
	return 0;
}

static bool same_question(const struct nodens_slot *slot, const struct dns_name *name,
			  uint16_t qtype, uint8_t key_flags)
{
	return slot->qtype == htobe16(qtype) && slot->key_flags == key_flags &&
	       slot->name_len == name->len && !memcmp(slot->data, name->wire, name->len);
}

/* An entry on its way in. */
struct insertion {
	struct answer *answer;
	uint64_t hash, expires_ns;
	uint32_t kind, item; /* item: STORE_NONE where the slot holds it all */
	size_t slot_size;
	union slot_buf image;
};

/* The slot's bytes: the whole answer, or what a slot says of one on the heap. */
static int make_image(const struct store *store, struct insertion *in, uint32_t ttl_s,
		      uint64_t now_ns, bool *heap)
{
	bool fits = answer__size(in->answer, true) <= store->bufsize;
	struct answer shell = *in->answer;
	struct nodens_slot *slot = &in->image.slot;

	memset(&in->image, 0, sizeof(in->image));
	in->slot_size = answer__slot_size(in->answer);
	*heap = !fits || !in->slot_size;
	if (*heap) {
		memset(shell.count, 0, sizeof(shell.count));
		shell.blob_len = shell.n_ttl = shell.rot_count = shell.rot_at = 0;
		shell.rot_size = 0;
		shell.truncated = !fits;
		in->slot_size = answer__slot_size(&shell);
	}
	if (!in->slot_size || in->slot_size > sizeof(in->image))
		return -EINVAL;
	answer__to_slot(&shell, slot);
	slot->kind = in->kind;
	slot->ttl_s = ttl_s;
	slot->stored_ns = now_ns;
	slot->expires_ns = *heap && fits ? STORE_NEVER_LIVE : in->expires_ns;
	slot->hits = slot->last_use = 0;
	return 0;
}

/* Capacity for one more, besides the entry that it replaces. */
static int make_room(struct store *store, const struct insertion *in, uint64_t now_ns)
{
	for (;;) {
		uint32_t old = table__find(store, in->hash), kept = store->live[in->kind];
		int err;

		if (old != STORE_NONE && store_meta(store, ref_slot(store, old))->kind == in->kind)
			kept--;
		if (kept < store->capacity[in->kind])
			return 0;
		err = pool__evict_kind(store, in->kind, now_ns);
		if (err)
			return err;
	}
}

static int take_heap(struct store *store, struct insertion *in, uint64_t now_ns)
{
	const struct answer *answer = in->answer;
	size_t bytes = sizeof(*answer) + answer->n_ttl * sizeof(*answer->ttl_at) + answer->blob_len;

	for (;;) {
		in->item = heap__take(&store->heap, in->kind, bytes);
		if (in->item != STORE_NONE)
			return 0;
		if (!pool__evict_heap(store, in->kind, now_ns))
			return -ENOSPC;
	}
}

/* What it replaces is the same question or, rarely, another with its hash. */
static void inherit(struct store *store, struct insertion *in, uint32_t old, uint32_t *seen)
{
	uint32_t slot = ref_slot(store, old);

	if (!same_question(store_slot(store, slot), &in->answer->qname, in->answer->qtype,
			   in->answer->key_flags)) {
		store->stats.collisions++;
		return;
	}
	/* a popular name stays popular when its answer is refreshed */
	slab__marks(&store->slab[NODENS_SLOT_CLASS(slot)], NODENS_SLOT_INDEX(slot),
		    &in->image.slot.hits, &in->image.slot.last_use);
	*seen = store_meta(store, slot)->seen;
}

static int publish(struct store *store, const struct insertion *in, uint32_t slot, uint64_t now_ns)
{
	int err = slab__write(&store->slab[NODENS_SLOT_CLASS(slot)], NODENS_SLOT_INDEX(slot),
			      &in->image);

	if (err)
		return err;
	err = bpf_map_update_elem(store->maps.index_fd, &in->hash, &slot, BPF_ANY);
	/* an index made for less than our capacity */
	if (err == -E2BIG && !pool__evict_kind(store, in->kind, now_ns))
		err = bpf_map_update_elem(store->maps.index_fd, &in->hash, &slot, BPF_ANY);
	return err;
}

/* On success in->item has taken the answer over, where there is one. */
static int insert(struct store *store, struct insertion *in, uint64_t now_ns)
{
	uint32_t slot, old, seen = 0;
	int err;

	slot = pool__take(store, in->kind, in->slot_size, now_ns);
	if (slot == STORE_NONE)
		return -ENOSPC;
	old = table__find(store, in->hash);
	if (old != STORE_NONE)
		inherit(store, in, old, &seen);
	err = publish(store, in, slot, now_ns);
	if (err) {
		pool__untake(store, slot);
		return err;
	}
	old = table__find(store, in->hash); /* publishing may have evicted it */
	pool__enqueue(store, slot, in->hash, in->expires_ns);
	store_meta(store, slot)->seen = seen;
	if (in->item != STORE_NONE) {
		store->heap.items[in->item].answer = in->answer;
		store->heap.items[in->item].expires_ns = in->expires_ns;
		store->heap.items[in->item].slot = slot;
		heap__enqueue(&store->heap, in->item);
	}
	table__set(store, in->hash, in->item == STORE_NONE ? slot : heap_ref(in->item));
	if (old != STORE_NONE) {
		drop(store, old);
		store->stats.replaced++;
	}
	store->stats.inserts++;
	return 0;
}

int store__put(struct store *store, struct answer *answer, int kind, uint32_t ttl_s,
	       uint64_t now_ns)
{
	struct insertion in = {
		.answer = answer,
		.kind = kind,
		.item = STORE_NONE,
		.expires_ns = now_ns + ttl_s * NSEC,
	};
	bool heap;
	int err = -EINVAL;

	free_current(store);
	if ((kind != NODENS_POSITIVE && kind != NODENS_NEGATIVE) || ttl_s == 0)
		goto out;
	in.hash = question__hash(store->hash_key, &answer->qname, answer->qtype, answer->key_flags);
	err = make_image(store, &in, ttl_s, now_ns, &heap);
	if (err)
		goto out;
	pool__reclaim(store);
	err = pool__starved(store, kind, in.slot_size) ? -ENOSPC : make_room(store, &in, now_ns);
	if (!err && heap)
		err = take_heap(store, &in, now_ns);
	if (!err)
		err = insert(store, &in, now_ns);
	if (err) {
		store->stats.refused++;
		if (in.item != STORE_NONE)
			heap__free(&store->heap, in.item);
		err = -ENOSPC;
	}
out:
	if (err || in.item == STORE_NONE)
		answer__free(answer);
	return err;
}

/* Does the index still say what we think it says? */
static bool still_published(const struct store *store, uint64_t hash, uint32_t slot)
{
	uint32_t value;

	return !bpf_map_lookup_elem(store->maps.index_fd, &hash, &value) && value == slot;
}

const struct answer *store__get(struct store *store, const struct dns_name *qname_lower,
				uint16_t qtype, uint8_t key_flags, uint64_t now_ns, uint32_t *ttl_s)
{
	uint64_t hash = question__hash(store->hash_key, qname_lower, qtype, key_flags);
	uint32_t ref = table__find(store, hash), slot;
	const struct answer *answer;
	uint64_t expires_ns;

	free_current(store);
	if (ref == STORE_NONE)
		return NULL;
	slot = ref_slot(store, ref);
	if (!same_question(store_slot(store, slot), qname_lower, qtype, key_flags))
		return NULL;
	expires_ns = ref_is_heap(ref) ? store->heap.items[NODENS_SLOT_INDEX(ref)].expires_ns
				      : store_slot(store, slot)->expires_ns;
	if (expires_ns <= now_ns)
		return NULL;
	if (!still_published(store, hash, slot)) {
		store__remove(store, slot);
		return NULL;
	}
	if (ref_is_heap(ref))
		answer = store->heap.items[NODENS_SLOT_INDEX(ref)].answer;
	else if (store_slot(store, slot)->truncated) /* adopted: the records went with the agent */
		return NULL;
	else
		answer = store->current = answer__from_slot(store_slot(store, slot));
	if (!answer)
		return NULL;
	store_meta(store, slot)->used = 1;
	*ttl_s = (expires_ns - now_ns + NSEC - 1) / NSEC;
	return answer;
}

int store__flush(struct store *store, const struct dns_name *qname_lower, uint16_t qtype)
{
	int n = 0;

	free_current(store);
	for (int cls = 0; cls < NODENS_CLASSES; cls++) {
		struct slab *slab = &store->slab[cls];

		for (uint32_t i = 0; i < slab->entries; i++) {
			const struct nodens_slot *slot = slab__slot(slab, i);

			if (slab->meta[i].state != SLOT_LIVE)
				continue;
			if (qtype && slot->qtype != htobe16(qtype))
				continue;
			if (qname_lower && !same_question(slot, qname_lower, be16toh(slot->qtype),
							  slot->key_flags))
				continue;
			if (!store__remove(store, NODENS_SLOT(cls, i)))
				n++;
		}
	}
	return n;
}

void store__sweep(struct store *store, uint64_t now_ns)
{
	uint32_t looked = 0, withdrawn = 0, total = 0;

	free_current(store);
	pool__reclaim(store);
	for (int cls = 0; cls < NODENS_CLASSES; cls++)
		total += store->slab[cls].entries;
	while (looked < SWEEP_LOOK && looked < total && withdrawn < SWEEP_WITHDRAW) {
		struct slab *slab = &store->slab[store->sweep_class];
		uint32_t at = store->sweep_at++;

		looked++;
		if (at >= slab->entries) {
			store->sweep_class = (store->sweep_class + 1) % NODENS_CLASSES;
			store->sweep_at = 0;
			continue;
		}
		if (slab->meta[at].state == SLOT_LIVE &&
		    slab->meta[at].expires_s <= now_ns / NSEC &&
		    !store__remove(store, NODENS_SLOT(store->sweep_class, at))) {
			store->stats.expired++;
			withdrawn++;
		}
	}
}

void store__stats(const struct store *store, struct store_stats *stats)
{
	*stats = store->stats;
	stats->bytes = (store->table.mask + 1ull) * sizeof(*store->table.refs);
	for (int cls = 0; cls < NODENS_CLASSES; cls++)
		stats->bytes += store->slab[cls].mem_bytes +
				store->slab[cls].entries * sizeof(struct slot_meta);
	for (int kind = 0; kind < STORE_KINDS; kind++) {
		stats->entries[kind] = store->live[kind];
		stats->capacity[kind] = store->capacity[kind];
		stats->bytes += store->heap.bytes[kind];
	}
}
