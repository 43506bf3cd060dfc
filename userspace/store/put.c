// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * An answer's way into the store.
 *
 * Contract: see store.h. Whatever can fail does so before the index names the
 * new slot; what the entry replaces goes after that.
 */
#include <errno.h>
#include <string.h>

#include "store_priv.h"

/* An entry on its way in. */
struct insertion {
	struct answer *answer;
	const struct store_put *put;
	struct part *part;
	uint64_t hash, expires_ns;
	uint32_t item; /* STORE_NONE where the slot holds it all */
	unsigned int nx_below_labels;
	size_t slot_size;
	union slot_buf image; /* zeroed at first */
};

/* The slot's bytes: the whole answer, or the part that programs send of one in the overflow. */
static int make_image(const struct store *store, struct insertion *in, uint64_t now_ns,
		      bool *overflow)
{
	const struct store_config *config = &store->config;
	const struct store_put *put = in->put;
	uint16_t limit = put->bufsize ? put->bufsize : config->bufsize;
	uint32_t rotate = nodens_rotation(store->stats.inserts, in->answer->rot_count);
	struct nodens_slot *slot = &in->image.slot;
	struct answer *part;
	int err;

	err = answer__for_slot(in->answer, limit, rotate, &part);
	if (err)
		return err;
	*overflow = part;
	in->slot_size = answer__slot_size(part ? part : in->answer);
	answer__to_slot(part ? part : in->answer, slot);
	answer__free(part);
	slot->kind = put->kind;
	slot->ttl_s = put->ttl_s;
	slot->keep_ttl = put->keep_ttl;
	slot->fixed = put->fixed;
	slot->stale_s = put->stale_s;
	slot->stored_ns = now_ns;
	slot->expires_ns = in->expires_ns;
	slot->hits = slot->last_use = 0;
	if (config->series) {
		struct store_series series = config->series(config->ctx, slot, put->partition);

		slot->series = series.number;
		slot->type = series.type;
		slot->reply = series.reply;
	}
	return 0;
}

static bool same_part(const struct store *store, const struct insertion *in, uint32_t slot)
{
	return slot != STORE_NONE && meta_part(store, store_meta(store, slot)) == in->part;
}

/* Capacity for one more, besides the entry that it replaces. */
static int make_room(struct store *store, const struct insertion *in, uint64_t now_ns)
{
	const struct queue *small = &in->part->queue[QUEUE_SMALL];
	const struct queue *large = &in->part->queue[QUEUE_LARGE];
	bool is_large = in->slot_size > NODENS_SIZE_SMALL;
	int err = 0;

	while (!err) {
		uint32_t old = table_find(store, in->hash);
		bool replaces = same_part(store, in, old);
		bool replaces_large = replaces && slot_queue(old) == QUEUE_LARGE;

		if (is_large && large->live - replaces_large >= in->part->large_max)
			err = partition_evict_large(store, in->part, now_ns);
		else if (small->live + large->live - replaces >= in->part->capacity)
			err = partition_evict(store, in->part, now_ns);
		else
			return 0;
	}
	return err;
}

static int take_overflow(struct store *store, struct insertion *in, uint64_t now_ns)
{
	size_t bytes = overflow_cost(in->answer);
	int err;

	while (in->part->overflow_bytes + bytes > in->part->overflow_max) {
		err = partition_evict_overflow(store, in->part, now_ns);
		if (err)
			return err;
	}
	in->item = overflow_take(store, in->put->kind, bytes);
	return in->item == STORE_NONE ? -ENOSPC : 0;
}

/* What it replaces is the same question or, rarely, another with its hash. */
static void inherit(struct store *store, struct insertion *in, uint32_t old, struct slot_meta *meta)
{
	const struct slot_meta *from;
	uint32_t last_use;

	if (!entry_is(store_slot(store, old), &in->answer->qname, in->answer->qtype,
		      in->answer->key_flags)) {
		store->stats.collisions++;
		return;
	}
	/* a popular name stays popular when its answer is refreshed */
	entry_look(store, old, &last_use);
	from = store_meta(store, old);
	in->image.slot.hits = from->seen;
	in->image.slot.last_use = last_use;
	meta->seen = from->seen;
	meta->last_use = from->last_use;
	meta->run = from->run;
	meta->used = from->used;
}

static int publish(struct store *store, const struct insertion *in, uint32_t slot)
{
	int err = slot_write(store, slot, &in->image);

	return err ? err : index_publish(store, in->hash, slot);
}

/* On success in->item has taken the answer over, where there is one. */
static int insert(struct store *store, struct insertion *in, uint64_t now_ns)
{
	uint32_t slot = slots_take(store, in->slot_size), old = table_find(store, in->hash);
	struct slot_meta *meta;
	int err;

	if (slot == STORE_NONE) {
		partition_give_way(store, now_ns);
		return -ENOSPC;
	}
	meta = store_meta(store, slot);
	*meta = (struct slot_meta){
		.key = in->hash,
		.item = in->item,
		.partition = in->put->partition,
		.kind = in->put->kind,
		.state = SLOT_LIVE,
	};
	if (old != STORE_NONE)
		inherit(store, in, old, meta);
	if (in->nx_below_labels)
		depths_count(store, in->nx_below_labels, 1);
	err = publish(store, in, slot);
	if (err) {
		if (in->nx_below_labels)
			depths_count(store, in->nx_below_labels, -1);
		cells_free(store, slot);
		return err;
	}
	if (in->item != STORE_NONE) {
		struct overflow_item *item = &store->overflow.items[in->item];

		item->answer = in->answer;
		item->expires_ns = in->expires_ns;
		item->slot = slot;
		overflow_enqueue(store, in->part, in->item);
	}
	queue_add(store, slot);
	entry_apply(store, slot, in->put, now_ns);
	table_set(store, in->hash, slot);
	if (old != STORE_NONE) {
		entry_drop(store, old);
		store->stats.replaced++;
	}
	store->stats.inserts++;
	return 0;
}

/* Checks @in and completes it. */
static int admit(struct store *store, struct insertion *in, uint64_t now_ns)
{
	const struct store_put *put = in->put;
	const struct answer *answer = in->answer;
	uint32_t old;

	if ((put->kind != NODENS_POSITIVE && put->kind != NODENS_NEGATIVE) || put->ttl_s == 0 ||
	    put->partition >= store->n_partitions)
		return -EINVAL;
	if (answer->key_flags & NODENS_KEY_NX_BELOW) {
		in->nx_below_labels = depths_labels(answer->qname.wire, answer->qname.len);
		if (!in->nx_below_labels || answer->qtype || answer->key_flags & NODENS_KEY_AGENT)
			return -EINVAL;
	}
	in->part = store_part(store, put->partition, put->kind);
	in->expires_ns = now_ns + put->ttl_s * NSEC_PER_SEC;
	in->hash =
		question__hash(store->hash_key, &answer->qname, answer->qtype, answer->key_flags);
	/*
	 * With a million answers neither is in the processor's caches, and half of the time went
	 * into waiting for one and then the other; so they come while the slot is written.
	 */
	table_expect(store, in->hash);
	index_expect(store, in->hash);
	if (!put->weak)
		return 0;
	old = entry_find(store, &answer->qname, answer->qtype, answer->key_flags);
	if (old == STORE_NONE || store_meta(store, old)->kind != NODENS_POSITIVE ||
	    store_meta(store, old)->keep <= unit_down(now_ns))
		return 0;
	return entry_published(store, old) ? -EEXIST : 0;
}

static int make_place(struct store *store, struct insertion *in, bool overflow, uint64_t now_ns)
{
	int err;

	slots_reclaim(store);
	/* while nothing but grace periods can help, nobody is evicted in vain */
	if (slots_starved(store, in->part, in->slot_size))
		return -ENOSPC;
	err = make_room(store, in, now_ns);
	if (!err && overflow)
		err = take_overflow(store, in, now_ns);
	return err;
}

int store__put(struct store *store, struct answer *answer, const struct store_put *put,
	       uint64_t now_ns)
{
	struct insertion in = { .answer = answer, .put = put, .item = STORE_NONE };
	bool overflow;
	int err;

	entry_free_current(store);
	err = admit(store, &in, now_ns);
	if (!err)
		err = make_image(store, &in, now_ns, &overflow);
	if (err)
		goto out;
	err = make_place(store, &in, overflow, now_ns);
	if (!err)
		err = insert(store, &in, now_ns);
	if (err) {
		store->stats.refused++;
		if (in.item != STORE_NONE)
			overflow_free(store, put->kind, in.item);
		err = -ENOSPC;
	}
out:
	if (err || in.item == STORE_NONE)
		answer__free(answer);
	return err;
}

int store__publish_stale(struct store *store, const struct dns_name *qname_lower, uint16_t qtype,
			 uint8_t key_flags, uint32_t window_s, uint64_t now_ns)
{
	uint32_t slot, stale_s = 0;
	uint64_t expires_ns, until_ns, kept_ns;

	entry_free_current(store);
	slot = entry_find(store, qname_lower, qtype, key_flags);
	if (slot == STORE_NONE || store_meta(store, slot)->keep <= unit_down(now_ns) ||
	    !entry_published(store, slot))
		return -ENOENT;
	expires_ns = entry_expires(store, slot);
	until_ns = now_ns + window_s * NSEC_PER_SEC;
	kept_ns = (uint64_t)store_meta(store, slot)->keep << UNIT_SHIFT;
	if (until_ns > kept_ns)
		until_ns = kept_ns;
	if (until_ns > expires_ns)
		stale_s = (until_ns - expires_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
	slot = entry_set_stale(store, slot, stale_s);
	return store_slot(store, slot)->stale_s == stale_s ? 0 : -ENOSPC;
}
