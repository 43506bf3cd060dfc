// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * One entry: found, looked at, kept, republished, withdrawn.
 *
 * Contract: see store_priv.h. An entry is withdrawn from the index before it is forgotten here.
 */
#include <endian.h>
#include <string.h>

#include "store_priv.h"

/* A window that opens sooner would ask for an answer again that has just come. */
#define REFRESH_NOT_BEFORE_NS (NSEC_PER_SEC / 2)

void entry_free_current(struct store *store)
{
	answer__free(store->current);
	store->current = NULL;
}

bool entry_is(const struct nodens_slot *slot, const struct dns_name *name, uint16_t qtype,
	      uint8_t key_flags)
{
	return slot->qtype == htobe16(qtype) && slot->key_flags == key_flags &&
	       slot->name_len == name->len && !memcmp(slot->data, name->wire, name->len);
}

uint32_t entry_find(const struct store *store, const struct dns_name *name, uint16_t qtype,
		    uint8_t key_flags)
{
	uint64_t hash = question__hash(store->hash_key, name, qtype, key_flags);
	uint32_t slot = table_find(store, hash);

	if (slot != STORE_NONE && !entry_is(store_slot(store, slot), name, qtype, key_flags))
		return STORE_NONE;
	return slot;
}

uint64_t entry_expires(const struct store *store, uint32_t slot)
{
	uint32_t item = store_meta(store, slot)->item;

	return item == STORE_NONE ? store_slot(store, slot)->expires_ns
				  : store->overflow.items[item].expires_ns;
}

void entry_question(const struct store *store, uint32_t slot, struct store_question *question)
{
	const struct nodens_slot *bytes = store_slot(store, slot);

	slot__name(bytes, &question->qname);
	question->qtype = be16toh(bytes->qtype);
	question->key_flags = bytes->key_flags;
	question->partition = store_meta(store, slot)->partition;
}

static uint16_t saturate(uint32_t n)
{
	return n < UINT16_MAX ? n : UINT16_MAX;
}

void entry_look(struct store *store, uint32_t slot, uint32_t *last_use)
{
	struct slot_meta *meta = store_meta(store, slot);
	uint32_t hits, delta;

	slot_sample(store, slot, &hits, last_use);
	delta = hits - meta->seen;
	if ((int32_t)delta < 0) /* somebody wrote the slot: begin anew */
		delta = 0;
	meta->seen = hits;
	if (*last_use > meta->last_use) {
		meta->last_use = *last_use;
		meta->used = 1; /* programs store it before they count the hit */
	}
	if (!delta && !meta->by_agent)
		return;
	meta->used = 1;
	meta->run = saturate(meta->run + delta + meta->by_agent);
	meta->by_agent = 0;
}

void entry_drop(struct store *store, uint32_t slot)
{
	const struct nodens_slot *bytes = store_slot(store, slot);
	struct slot_meta *meta = store_meta(store, slot);

	if (bytes->key_flags & NODENS_KEY_NX_BELOW)
		depths_count(store, depths_labels(bytes->data, bytes->name_len), -1);
	timer_remove(store, slot);
	if (meta->item != STORE_NONE) {
		overflow_dequeue(store, meta_part(store, meta), meta->item);
		overflow_free(store, meta->kind, meta->item);
	}
	queue_drop(store, slot);
	slots_retire(store, slot);
}

int entry_remove(struct store *store, uint32_t slot)
{
	uint64_t hash = store_meta(store, slot)->key;
	int err = index_withdraw(store, hash);

	/* still published: it must not be retired */
	if (err)
		return err;
	table_remove(store, hash);
	entry_drop(store, slot);
	return 0;
}

bool entry_published(struct store *store, uint32_t slot)
{
	struct publisher *publisher = store->publisher;

	if (publisher->ops->names(publisher, store_meta(store, slot)->key, slot))
		return true;
	entry_remove(store, slot);
	return false;
}

static uint64_t window_opens(const struct store_put *put, uint64_t stored_ns, uint64_t expires_ns)
{
	uint64_t left_ns = put->refresh_left_s * NSEC_PER_SEC;
	uint64_t first = stored_ns + REFRESH_NOT_BEFORE_NS;
	uint64_t opens = expires_ns > left_ns ? expires_ns - left_ns : 0;

	return opens > first ? opens : first;
}

void entry_apply(struct store *store, uint32_t slot, const struct store_put *put, uint64_t now_ns)
{
	struct slot_meta *meta = store_meta(store, slot);
	uint32_t keep_s = put->keep_s > put->stale_s ? put->keep_s : put->stale_s, due;
	uint64_t expires_ns = entry_expires(store, slot);
	uint64_t within_s = (put->refresh_within_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC;

	meta->expires = unit_up(expires_ns);
	meta->keep = unit_up(expires_ns + keep_s * NSEC_PER_SEC);
	meta->refresh = put->refresh;
	meta->refresh_hits = put->refresh_hits < UINT16_MAX ? put->refresh_hits : UINT16_MAX;
	meta->refresh_within_s = within_s < UINT16_MAX ? within_s : UINT16_MAX;
	if (meta->where == AT_STALE && meta->keep > unit_down(now_ns))
		return;
	due = meta->expires;
	if (put->refresh != STORE_REFRESH_NEVER && store->config.refresh)
		due = unit_up(window_opens(put, store_slot(store, slot)->stored_ns, expires_ns));
	timer_set(store, slot, due < meta->expires ? due : meta->expires);
}

/*
 * A copy in another slot, by the rules for anything published. The partition's limits are not
 * asked: it has the entry already, and the other slot goes after its grace period.
 */
static uint32_t republish(struct store *store, uint32_t slot, union slot_buf *image)
{
	struct slot_meta *meta = store_meta(store, slot), *to;
	uint32_t copy;

	slots_reclaim(store);
	copy = slots_take(store, slot_size(slot));
	if (copy == STORE_NONE) {
		grace_hurry(store);
		return slot;
	}
	to = store_meta(store, copy);
	if (slot_write(store, copy, image) || index_publish(store, meta->key, copy)) {
		cells_free(store, copy);
		return slot;
	}
	*to = *meta;
	to->where = AT_NOWHERE;
	timer_move(store, slot, copy);
	if (meta->item != STORE_NONE)
		store->overflow.items[meta->item].slot = copy;
	queue_drop(store, slot);
	queue_add(store, copy);
	table_set(store, meta->key, copy);
	slots_retire(store, slot);
	return copy;
}

/* A copy of the entry's slot as it is now, to be changed. */
static void copy_slot(const struct store *store, uint32_t slot, union slot_buf *image)
{
	memset(image, 0, sizeof(*image));
	memcpy(image->bytes, store_slot(store, slot), slot_size(slot));
	slot_sample(store, slot, &image->slot.hits, &image->slot.last_use);
}

/*
 * What of a published slot the agent changes: stale_s and series. Mapped, each is one aligned store
 * of one word: a program reads what was or what is, either right by itself, since no other field
 * has to agree with it. By bpf() the kernel would copy the whole value over itself, which is no
 * store of one word and would undo hits counted meanwhile; so there the entry gets another slot.
 */
uint32_t entry_set_stale(struct store *store, uint32_t slot, uint32_t stale_s)
{
	struct nodens_slot *from = store_slot(store, slot);
	union slot_buf image;

	if (from->stale_s == stale_s)
		return slot;
	if (store->publisher->in_place) {
		__atomic_store_n(&from->stale_s, stale_s, __ATOMIC_RELAXED);
		return slot;
	}
	copy_slot(store, slot, &image);
	image.slot.stale_s = stale_s;
	return republish(store, slot, &image);
}

uint32_t entry_set_series(struct store *store, uint32_t slot, uint16_t series)
{
	struct nodens_slot *from = store_slot(store, slot);
	union slot_buf image;
	uint32_t copy;

	if (from->series == series)
		return slot;
	if (store->publisher->in_place) {
		__atomic_store_n(&from->series, series, __ATOMIC_RELAXED);
		return slot;
	}
	copy_slot(store, slot, &image);
	image.slot.series = series;
	copy = republish(store, slot, &image);
	return copy == slot ? STORE_NONE : copy;
}
