// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Taking over what an earlier agent left in pinned maps.
 *
 * Contract: whatever the maps hold, the store is sound afterwards, and the
 * index names only slots that were checked and adopted.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "store_priv.h"

/* Whose it is, and how it is kept from now on; false: nobody wants it. */
static bool claim(struct store *store, const struct nodens_slot *slot, const struct dns_name *name,
		  struct store_put *put)
{
	const struct store_config *config = &store->config;
	struct store_question question = { .qname = *name,
					   .qtype = be16toh(slot->qtype),
					   .key_flags = slot->key_flags };
	const struct part *part;

	*put = (struct store_put){
		.kind = slot->kind,
		.ttl_s = slot->ttl_s,
		.keep_ttl = slot->keep_ttl,
		.fixed = slot->fixed,
		.stale_s = slot->stale_s,
	};
	if (slot->fixed || (config->adopt && !config->adopt(config->ctx, &question, slot, put)))
		return false;
	if (put->partition >= store->n_partitions)
		return false;
	part = store_part(store, put->partition, slot->kind);
	return part->queue[QUEUE_SMALL].live + part->queue[QUEUE_LARGE].live < part->capacity;
}

static bool sound(const struct nodens_slot *slot, size_t size, uint64_t now_ns,
		  struct dns_name *name)
{
	if (!slot__check(slot, size) || slot->expires_ns + slot->stale_s * NSEC_PER_SEC <= now_ns)
		return false;
	slot__name(slot, name);
	return !(slot->key_flags & NODENS_KEY_NX_BELOW) || depths_labels(name->wire, name->len);
}

static bool adopt_one(struct store *store, const struct index_place *at, uint32_t slot,
		      uint64_t now_ns)
{
	struct publisher *publisher = store->publisher;
	struct dns_name name;
	struct store_put put;
	union slot_buf copy;
	uint64_t hash;

	if (!cells_claim(store, slot))
		return false;
	if (publisher->ops->load(publisher, slot, store_slot(store, slot)))
		goto not_ours;
	memcpy(copy.bytes, store_slot(store, slot), slot_size(slot));
	if (!sound(&copy.slot, slot_size(slot), now_ns, &name))
		goto not_ours;
	hash = question__hash(store->hash_key, &name, be16toh(copy.slot.qtype),
			      copy.slot.key_flags);
	if (!publisher->ops->fits(publisher, at, hash) || table_find(store, hash) != STORE_NONE ||
	    !claim(store, &copy.slot, &name, &put))
		goto not_ours;
	*store_meta(store, slot) = (struct slot_meta){
		.key = hash,
		.item = STORE_NONE,
		.partition = put.partition,
		.kind = copy.slot.kind,
		.state = SLOT_LIVE,
		.seen = copy.slot.hits,
		.last_use = copy.slot.last_use,
		.run = copy.slot.hits < UINT16_MAX ? copy.slot.hits : UINT16_MAX,
	};
	if (copy.slot.key_flags & NODENS_KEY_NX_BELOW)
		store->nx_below[depths_labels(name.wire, name.len)]++, store->stats.nx_below++;
	queue_add(store, slot);
	table_set(store, hash, slot);
	entry_apply(store, slot, &put, now_ns);
	return true;
not_ours:
	cells_free(store, slot);
	return false;
}

struct adoption {
	struct store *store;
	uint64_t now_ns;
};

static bool adopts(void *ctx, const struct index_place *at, uint32_t slot)
{
	const struct adoption *adoption = ctx;

	return adopt_one(adoption->store, at, slot, adoption->now_ns);
}

int adopt_published(struct store *store, uint64_t now_ns)
{
	struct adoption adoption = { store, now_ns };
	struct publisher *publisher = store->publisher;
	int err = publisher->ops->walk(publisher, adopts, &adoption);

	if (!err)
		cells_settle(store);
	return err;
}
