// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The store: opening, finding, removing.
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
#include <bpf/libbpf.h>

#include "store_priv.h"

void store__free_current(struct store *store)
{
	answer__free(store->current);
	store->current = NULL;
}

/* The owners together get what the maps have room for. */
static int open_owners(struct store *store, const struct store_config *config)
{
	uint64_t all = (uint64_t)config->capacity[0] + config->capacity[1];
	uint32_t usable = 0;
	int ret;

	for (int cls = 0; cls < LARGE_CLASS; cls++)
		usable += pool__usable(store->slab[cls].entries);
	store->total = all < usable ? all : usable;
	store->n_owners = config->owners ? config->n_owners : 1;
	ret = owner__make(store, config->owners ? config->owners : &config->capacity,
			  store->n_owners, &store->parts);
	return ret < 0 ? ret : 0;
}

static int open_parts(struct store *store, const struct store_config *config, uint64_t now_ns)
{
	int err = 0;

	for (int cls = 0; !err && cls < NODENS_CLASSES; cls++)
		err = slab__open(&store->slab[cls], &store->maps, cls);
	if (!err)
		err = open_owners(store, config);
	if (!err)
		err = table__open(&store->table, store->total);
	if (!err)
		err = heap__open(&store->heap);
	if (err)
		return err;
	pool__open(store);
	err = alarm__open(store);
	if (!err)
		err = store__adopt(store, now_ns);
	if (err)
		return err;
	cut__settle(store);
	/*
	 * Waits for one grace period: so every slot that was not adopted is out
	 * of reach, whoever withdrew it.
	 */
	return grace__open(store->maps.grace_fd, store->maps.grace_inner_fd, &store->grace);
}

int store__open(const struct store_maps *maps, const struct store_config *config, uint64_t now_ns,
		struct store **out)
{
	struct store *store = calloc(1, sizeof(*store));
	int err;

	if (!store)
		return -ENOMEM;
	store->maps = *maps;
	store->config = *config;
	store->retired_head = store->retired_tail = STORE_NONE;
	memcpy(store->hash_key, config->hash_key, sizeof(store->hash_key));
	err = open_parts(store, config, now_ns);
	if (err) {
		store__close(store);
		return err;
	}
	store->config.hash_key = NULL;
	store->config.owners = NULL;
	*out = store;
	return 0;
}

void store__close(struct store *store)
{
	if (!store)
		return;
	grace__close(store->grace);
	store__free_current(store);
	heap__close(&store->heap);
	table__close(&store->table);
	alarm__close(store);
	free(store->parts);
	for (int cls = 0; cls < NODENS_CLASSES; cls++)
		slab__close(&store->slab[cls]);
	free(store);
}

void entry__drop(struct store *store, uint32_t slot)
{
	const struct nodens_slot *bytes = store_slot(store, slot);
	struct slot_meta *meta = store_meta(store, slot);
	uint32_t last_use;

	entry__look(store, slot, &last_use); /* the last hits are told */
	if (bytes->key_flags & NODENS_KEY_CUT)
		cut__count(store, cut__labels(bytes->data, bytes->name_len), -1);
	alarm__remove(store, slot);
	if (meta->item != STORE_NONE) {
		heap__dequeue(store, meta_part(store, meta), meta->item);
		heap__free(store, meta->kind, meta->item);
	}
	owner__dequeue(store, slot);
	pool__retire(store, slot);
}

int entry__remove(struct store *store, uint32_t slot)
{
	uint64_t hash = store_meta(store, slot)->key;
	int err = index__withdraw(store, hash);

	/* still published: it must not be retired */
	if (err)
		return err;
	table__remove(store, hash);
	entry__drop(store, slot);
	return 0;
}

bool entry__is(const struct nodens_slot *slot, const struct dns_name *name, uint16_t qtype,
	       uint8_t key_flags)
{
	return slot->qtype == htobe16(qtype) && slot->key_flags == key_flags &&
	       slot->name_len == name->len && !memcmp(slot->data, name->wire, name->len);
}

uint32_t entry__find(const struct store *store, const struct dns_name *name, uint16_t qtype,
		     uint8_t key_flags)
{
	uint64_t hash = question__hash(store->hash_key, name, qtype, key_flags);
	uint32_t slot = table__find(store, hash);

	if (slot != STORE_NONE && !entry__is(store_slot(store, slot), name, qtype, key_flags))
		return STORE_NONE;
	return slot;
}

uint64_t entry__expires(const struct store *store, uint32_t slot)
{
	uint32_t item = store_meta(store, slot)->item;

	return item == STORE_NONE ? store_slot(store, slot)->expires_ns
				  : store->heap.items[item].expires_ns;
}

bool entry__published(struct store *store, uint32_t slot)
{
	if (index__names(store, store_meta(store, slot)->key, slot))
		return true;
	entry__remove(store, slot);
	return false;
}

void entry__question(const struct store *store, uint32_t slot, struct store_question *question)
{
	const struct nodens_slot *bytes = store_slot(store, slot);

	slot__name(bytes, &question->qname);
	question->qtype = be16toh(bytes->qtype);
	question->key_flags = bytes->key_flags;
	question->owner = store_meta(store, slot)->owner;
}

/* Its answer; NULL: there is none here, or it was flushed. */
static const struct answer *entry_answer(struct store *store, uint32_t slot)
{
	const struct nodens_slot *bytes = store_slot(store, slot);
	uint32_t item = store_meta(store, slot)->item;
	struct answer *answer;

	if (!entry__published(store, slot))
		return NULL;
	if (item != STORE_NONE) {
		answer = store->heap.items[item].answer;
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

	store__free_current(store);
	slot = entry__find(store, qname_lower, qtype, key_flags);
	if (slot == STORE_NONE)
		return NULL;
	expires_ns = entry__expires(store, slot);
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

	store__free_current(store);
	slot = entry__find(store, qname_lower, qtype, key_flags);
	if (slot == STORE_NONE)
		return NULL;
	expires_ns = entry__expires(store, slot);
	if (expires_ns > now_ns || store_meta(store, slot)->keep <= unit_down(now_ns))
		return NULL;
	answer = entry_answer(store, slot);
	if (!answer)
		return NULL;
	store_meta(store, slot)->used = 1; /* it was of use: not the first to go */
	*past_s = (now_ns - expires_ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
	return answer;
}

void store__want(struct store *store, const struct dns_name *qname_lower, uint16_t qtype,
		 uint8_t key_flags)
{
	uint32_t slot = entry__find(store, qname_lower, qtype, key_flags);

	if (slot != STORE_NONE)
		store_meta(store, slot)->wanted = 1;
}

int store__remove(struct store *store, const struct dns_name *qname_lower, uint16_t qtype,
		  uint8_t key_flags)
{
	uint32_t slot;

	store__free_current(store);
	slot = entry__find(store, qname_lower, qtype, key_flags);
	return slot == STORE_NONE ? -ENOENT : entry__remove(store, slot);
}

struct flush {
	const struct dns_name *name; /* NULL: all */
	uint16_t qtype;		     /* 0: all */
};

static bool outlives_flush(void *ctx, const struct store_question *question,
			   const struct nodens_slot *slot)
{
	const struct flush *flush = ctx;

	(void)slot;
	if (flush->qtype && question->qtype != flush->qtype)
		return true;
	return flush->name && !dns_name__equal(flush->name, &question->qname);
}

int store__flush(struct store *store, const struct dns_name *qname_lower, uint16_t qtype)
{
	struct flush flush = { qname_lower, qtype };

	return store__filter(store, outlives_flush, &flush);
}

void store__stats(const struct store *store, struct store_stats *stats)
{
	*stats = store->stats;
	stats->stale = store->stale.n;
	stats->room = store->total;
	stats->bytes = (store->table.mask + 1ull) * sizeof(*store->table.slots) +
		       store->n_slots * (sizeof(*store->alarms.list) + sizeof(*store->stale.list)) +
		       store->n_owners * STORE_KINDS * sizeof(*store->parts);
	for (int cls = 0; cls < NODENS_CLASSES; cls++)
		stats->bytes += store->slab[cls].mem_bytes +
				store->slab[cls].entries * sizeof(struct slot_meta);
	for (int kind = 0; kind < STORE_KINDS; kind++) {
		for (uint32_t i = 0; i < store->n_owners; i++)
			stats->capacity[kind] += store_part(store, i, kind)->capacity;
		stats->bytes += store->heap.bytes[kind];
	}
}
