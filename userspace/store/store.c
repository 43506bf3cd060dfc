// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The store: opening, finding, removing.
 *
 * Contract: see store.h. The kernel's index is the truth of what is kept:
 * whatever has gone from it (`nodens flush` deletes there) is not answered
 * here either.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_priv.h"

/* The partitions together get what the maps were made for. */
static int open_partitions(struct store *store, const struct store_config *config)
{
	int ret;

	store->total = config->capacity[0] + config->capacity[1];
	store->n_partitions = config->partitions ? config->n_partitions : 1;
	ret = partition_make(store, config->partitions ? config->partitions : &config->capacity,
			     store->n_partitions, &store->parts);
	return ret < 0 ? ret : 0;
}

static int open_parts(struct store *store, const struct store_config *config, uint64_t now_ns)
{
	int err = cells_open(store);

	if (!err)
		err = open_partitions(store, config);
	if (!err)
		err = table_open(&store->table, store->total);
	if (!err)
		err = overflow_open(&store->overflow);
	if (err)
		return err;
	err = timers_open(store);
	if (!err)
		err = adopt_published(store, now_ns);
	if (err)
		return err;
	depths_settle(store);
	/*
	 * Waits for one grace period: so every slot that was not adopted is out
	 * of reach, whoever withdrew it.
	 */
	return store->publisher->ops->begin(store->publisher);
}

int store__open(struct publisher *publisher, const struct store_config *config, uint64_t now_ns,
		struct store **out)
{
	struct store *store = calloc(1, sizeof(*store));
	int err;

	if (!store) {
		publisher->ops->close(publisher);
		return -ENOMEM;
	}
	store->publisher = publisher;
	store->config = *config;
	store->retired_head = store->retired_tail = STORE_NONE;
	memcpy(store->hash_key, config->hash_key, sizeof(store->hash_key));
	err = open_parts(store, config, now_ns);
	if (err) {
		store__close(store);
		return err;
	}
	store->config.hash_key = NULL;
	store->config.partitions = NULL;
	*out = store;
	return 0;
}

void store__close(struct store *store)
{
	if (!store)
		return;
	entry_free_current(store);
	overflow_close(&store->overflow);
	table_close(&store->table);
	timers_close(store);
	free(store->parts);
	cells_close(store);
	store->publisher->ops->close(store->publisher);
	free(store);
}

/* Its answer; NULL: there is none here, or it was flushed. */
static const struct answer *entry_answer(struct store *store, uint32_t slot)
{
	const struct nodens_slot *bytes = store_slot(store, slot);
	uint32_t item = store_meta(store, slot)->item;
	struct answer *answer;

	if (!entry_published(store, slot))
		return NULL;
	if (item != STORE_NONE) {
		answer = store->overflow.items[item].answer;
	} else if (bytes->partial) { /* adopted: the records went with the agent */
		return NULL;
	} else {
		answer = store->current = answer__from_slot(bytes);
		if (!answer)
			return NULL;
	}
	answer->says_ttl_s = bytes->keep_ttl ? bytes->ttl_s : 0;
	return answer;
}

const struct answer *store__get(struct store *store, const struct dns_name *qname_lower,
				uint16_t qtype, uint8_t key_flags, uint64_t now_ns, uint32_t *ttl_s)
{
	const struct answer *answer;
	struct slot_meta *meta;
	uint64_t expires_ns;
	uint32_t slot;

	entry_free_current(store);
	slot = entry_find(store, qname_lower, qtype, key_flags);
	if (slot == STORE_NONE)
		return NULL;
	expires_ns = entry_expires(store, slot);
	if (expires_ns <= now_ns)
		return NULL;
	answer = entry_answer(store, slot);
	if (!answer)
		return NULL;
	meta = store_meta(store, slot);
	meta->used = 1;
	meta->last_use = use_unit(now_ns);
	if (meta->by_agent < UINT8_MAX)
		meta->by_agent++;
	*ttl_s = (expires_ns - now_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
	return answer;
}

const struct answer *store__get_stale(struct store *store, const struct dns_name *qname_lower,
				      uint16_t qtype, uint8_t key_flags, uint64_t now_ns,
				      uint32_t *past_s)
{
	const struct answer *answer;
	uint64_t expires_ns;
	uint32_t slot;

	entry_free_current(store);
	slot = entry_find(store, qname_lower, qtype, key_flags);
	if (slot == STORE_NONE)
		return NULL;
	expires_ns = entry_expires(store, slot);
	if (expires_ns > now_ns || store_meta(store, slot)->keep <= unit_down(now_ns))
		return NULL;
	answer = entry_answer(store, slot);
	if (!answer)
		return NULL;
	store_meta(store, slot)->used = 1; /* it was of use: not the first to go */
	*past_s = (now_ns - expires_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
	return answer;
}

uint64_t store__stored_ns(const struct store *store, const struct dns_name *qname_lower,
			  uint16_t qtype, uint8_t key_flags)
{
	uint32_t slot = entry_find(store, qname_lower, qtype, key_flags);

	return slot == STORE_NONE ? 0 : store_slot(store, slot)->stored_ns;
}

void store__want(struct store *store, const struct dns_name *qname_lower, uint16_t qtype,
		 uint8_t key_flags)
{
	uint32_t slot = entry_find(store, qname_lower, qtype, key_flags);

	if (slot != STORE_NONE)
		store_meta(store, slot)->wanted = 1;
}

int store__remove(struct store *store, const struct dns_name *qname_lower, uint16_t qtype,
		  uint8_t key_flags)
{
	uint32_t slot;

	entry_free_current(store);
	slot = entry_find(store, qname_lower, qtype, key_flags);
	return slot == STORE_NONE ? -ENOENT : entry_remove(store, slot);
}

void store__stats(const struct store *store, struct store_stats *stats)
{
	*stats = store->stats;
	stats->stale = store->stale.n;
	stats->room = store->total;
	stats->slot_bytes = store->publisher->n_steps * STEP_BYTES;
	stats->slot_bytes_used = (uint64_t)store->cells.in_use * NODENS_CELL;
	stats->bytes = stats->slot_bytes + store->cells.meta_bytes +
		       store->cells.unused * sizeof(*store->cells.list) +
		       (store->table.mask + 1ull) * sizeof(*store->table.slots) +
		       store->timers.n * sizeof(*store->timers.list) +
		       store->stale.n * sizeof(*store->stale.list) +
		       store->n_partitions * STORE_KINDS * sizeof(*store->parts);
	for (int kind = 0; kind < STORE_KINDS; kind++) {
		for (uint32_t i = 0; i < store->n_partitions; i++)
			stats->capacity[kind] += store_part(store, i, kind)->capacity;
		stats->bytes += store->overflow.bytes[kind];
	}
}
