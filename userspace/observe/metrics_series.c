// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The series of all configurations so far, and which of them a block's numbers mean.
 *
 * Contract: metrics_priv.h; metrics__configure(), metrics__series_set() and metrics__zone() of
 * metrics.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "observe/http.h"
#include "metrics_priv.h"
#include "dns/rrtype.h"

/* A series that went out of the configuration stays: it may come back. No more than these. */
#define RETIRED_MAX 1024

/*
 * @full: what stands in for a series beyond METRICS_MAX_SERIES. NULL: out of memory. It is a part
 * of the configuration that comes only when all of that could be named: commit().
 */
static struct series *get_series(struct metrics *m, enum series_kind kind, const char *labels,
				 struct series *full)
{
	struct registry *registry = &m->registry[kind];
	struct series **bucket = &registry->buckets[metrics_label_hash(labels) % SERIES_BUCKETS];
	struct series *series = *bucket;

	while (series && strcmp(series->labels, labels) != 0)
		series = series->next;
	if (series)
		return series;
	if (full && registry->len >= METRICS_MAX_SERIES)
		return full;
	if (registry->len == registry->room) {
		size_t room = registry->room ? 2 * registry->room : 64;
		struct series **list = realloc(registry->list, room * sizeof(list[0]));

		if (!list)
			return NULL;
		registry->list = list;
		registry->room = room;
	}
	series = calloc(1, sizeof(*series) + strlen(labels) + 1);
	if (!series)
		return NULL;
	strcpy(series->labels, labels);
	series->cache.block = METRICS_NO_BLOCK;
	series->next = *bucket;
	*bucket = series;
	registry->list[registry->len++] = series;
	return series;
}

static void series_free(struct series *series)
{
	free(series->zone);
	free(series);
}

static void drop_retired(struct metrics *m, struct registry *registry)
{
	size_t kept = 0;

	memset(registry->buckets, 0, sizeof(registry->buckets));
	for (size_t i = 0; i < registry->len; i++) {
		struct series *series = registry->list[i], **bucket;

		if (series->generation != m->generation) {
			series_free(series);
			continue;
		}
		bucket = &registry->buckets[metrics_label_hash(series->labels) % SERIES_BUCKETS];
		series->next = *bucket;
		*bucket = series;
		registry->list[kept++] = series;
	}
	registry->len = kept;
}

/* Drops them all, if they are many. */
static bool drop_retired_ones(struct metrics *m)
{
	size_t retired = 0;

	for (int kind = 0; kind < SERIES_KINDS; kind++) {
		for (size_t i = 0; i < m->registry[kind].len; i++)
			retired += m->registry[kind].list[i]->generation != m->generation;
	}
	if (retired <= RETIRED_MAX)
		return false;
	metrics_kernel_forget(m);
	for (int kind = 0; kind < SERIES_KINDS; kind++)
		drop_retired(m, &m->registry[kind]);
	return true;
}

static void registries_free(struct metrics *m)
{
	for (int kind = 0; kind < SERIES_KINDS; kind++) {
		for (size_t i = 0; i < m->registry[kind].len; i++)
			series_free(m->registry[kind].list[i]);
		free(m->registry[kind].list);
	}
}

/* ---- labels ---- */

#define SERVER_TEXT (HTTP_ADDR_TEXT + 16)
#define ZONE_LABEL  (2 * DNS_NAME_TEXT)
#define ZONES_SHOWN 256 /* octets of a list of zones */
#define LABELS_MAX  (SERVER_TEXT + ZONE_LABEL + ZONES_SHOWN + 128)

static void server_text(const struct corefile_block *block, char text[SERVER_TEXT])
{
	char addr[HTTP_ADDR_TEXT];

	snprintf(addr, sizeof(addr), ":%u", block->port);
	if (block->binds_len)
		http__addr_text(&block->binds[0], addr);
	snprintf(text, SERVER_TEXT, "dns://%s", addr);
}

static void zone_labels(const char *server, const char *zone, char labels[LABELS_MAX])
{
	char escaped[ZONE_LABEL];

	metrics_page__escape(zone, escaped, sizeof(escaped));
	snprintf(labels, LABELS_MAX, "server=\"%s\",zone=\"%s\",view=\"\"", server, escaped);
}

/* The zones of a cache, comma-separated; of a long list, what fits. */
static void cache_labels(const char *server, const struct corefile_block *block,
			 char labels[LABELS_MAX])
{
	const struct corefile_zone *zones = block->zones;
	char list[ZONES_SHOWN + ZONE_LABEL], escaped[ZONE_LABEL];
	size_t len = block->zones_len, n = 0;

	if (block->cache.zones.len) {
		zones = block->cache.zones.list;
		len = block->cache.zones.len;
	}
	list[0] = '\0';
	for (size_t i = 0; i < len && n < ZONES_SHOWN; i++) {
		metrics_page__escape(zones[i].text, escaped, sizeof(escaped));
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? "," : "", escaped);
	}
	if (n > ZONES_SHOWN && len > 1) {
		metrics_page__escape(zones[0].text, escaped, ZONES_SHOWN);
		snprintf(list, sizeof(list), "%s,...", escaped);
	}
	snprintf(labels, LABELS_MAX, "server=\"%s\",zones=\"%s\",view=\"\"", server, list);
}

static void template_labels(const char *server, const struct corefile_block *block,
			    const struct corefile_template *template, char labels[LABELS_MAX])
{
	const char *zone =
		template->zones.len ? template->zones.list[0].text : block->zones[0].text;
	const char *class = template->class == 1 ? "IN" : template->class == 255 ? "ANY" : "other";
	char type[RRTYPE_TEXT];
	size_t n;

	zone_labels(server, zone, labels);
	n = strlen(labels);
	snprintf(labels + n, LABELS_MAX - n, ",class=\"%s\",type=\"%s\"", class,
		 template->type == 255 ? "ANY" : rrtype__text(template->type, type));
}

/* ---- a configuration ---- */

/* X(directive, whether the block has it) */
#define DIRECTIVES(X)                            \
	X(bind, block->binds_len)                \
	X(bufsize, block->bufsize)               \
	X(cache, block->cache.enabled)           \
	X(debug, block->debug)                   \
	X(dns64, block->dns64.enabled)           \
	X(errors, block->errors.enabled)         \
	X(forward, block->forwards_len)          \
	X(health, block->health.enabled)         \
	X(hosts, block->has_hosts)               \
	X(loadbalance, block->loadbalance)       \
	X(log, block->logs_len)                  \
	X(loop, block->loop)                     \
	X(prometheus, block->prometheus.enabled) \
	X(ready, block->ready.enabled)           \
	X(reload, block->reload.enabled)         \
	X(rewrite, block->rewrites_len)          \
	X(template, block->templates_len)        \
	X(whoami, block->whoami)

enum directive {
#define X(name, has) DIRECTIVE_##name,
	DIRECTIVES(X)
#undef X
		DIRECTIVE_COUNT
};

_Static_assert(DIRECTIVE_COUNT <= 32, "series.plugins");

const char *metrics_plugin_name(unsigned int n)
{
	static const char *const names[] = {
#define X(name, has) #name,
		DIRECTIVES(X)
#undef X
	};

	return n < DIRECTIVE_COUNT ? names[n] : NULL;
}

static uint32_t directives(const struct corefile_block *block)
{
	uint32_t mask = 0;

#define X(name, has) mask |= (uint32_t) !!(has) << DIRECTIVE_##name;
	DIRECTIVES(X)
#undef X
	return mask;
}

static void blocks_free(struct block_series *blocks, size_t len)
{
	for (size_t i = 0; blocks && i < len; i++) {
		free(blocks[i].zones);
		free(blocks[i].templates);
	}
	free(blocks);
}

static int name_zones(struct metrics *m, const char *server, const struct corefile_block *block,
		      struct block_series *out)
{
	char labels[LABELS_MAX];

	for (size_t i = 0; i < block->zones_len; i++) {
		zone_labels(server, block->zones[i].text, labels);
		out->zones[i] = get_series(m, SERIES_ZONE, labels, m->other);
		if (!out->zones[i])
			return -ENOMEM;
	}
	return 0;
}

static int name_block(struct metrics *m, const struct corefile_block *block,
		      struct block_series *out)
{
	char server[SERVER_TEXT], labels[LABELS_MAX];

	server_text(block, server);
	out->zones = calloc(block->zones_len, sizeof(out->zones[0]));
	out->templates = calloc(block->templates_len + 1, sizeof(out->templates[0]));
	if (!out->zones || !out->templates || name_zones(m, server, block, out))
		return -ENOMEM;
	out->zones_len = block->zones_len;
	for (size_t i = 0; i < block->templates_len; i++) {
		template_labels(server, block, &block->templates[i], labels);
		out->templates[i] = get_series(m, SERIES_TEMPLATE, labels, m->other);
		if (!out->templates[i])
			return -ENOMEM;
	}
	out->templates_len = block->templates_len;
	cache_labels(server, block, labels);
	out->cache = get_series(m, SERIES_CACHE, labels, m->other_cache);
	return out->cache ? 0 : -ENOMEM;
}

/* From its end to its start, so that every suffix of a name has its hash on the way. */
static uint64_t suffix_hash(uint64_t hash, uint8_t octet)
{
	return (hash ^ octet) * FNV_PRIME;
}

static uint64_t slot_hash(uint64_t hash, size_t block)
{
	hash = (hash ^ block) * 0x9e3779b97f4a7c15ull;
	return (hash ^ hash >> 32) | 1;
}

static int fill_zone_slots(const struct corefile *cf, struct zone_slot **out, size_t *mask)
{
	size_t room = 64, zones = 0;
	struct zone_slot *slots;

	for (size_t b = 0; b < cf->blocks_len; b++)
		zones += cf->blocks[b].zones_len;
	while (room < 2 * zones)
		room *= 2;
	slots = calloc(room, sizeof(slots[0]));
	if (!slots)
		return -ENOMEM;
	for (size_t b = 0; b < cf->blocks_len; b++) {
		for (size_t z = 0; z < cf->blocks[b].zones_len; z++) {
			const struct corefile_zone *zone = &cf->blocks[b].zones[z];
			uint64_t hash = FNV_OFFSET;
			size_t at;

			for (size_t i = zone->name.len; i-- > 0;)
				hash = suffix_hash(hash, zone->name.wire[i]);
			hash = slot_hash(hash, b);
			for (at = hash & (room - 1); slots[at].hash; at = (at + 1) & (room - 1))
				;
			slots[at] = (struct zone_slot){ hash, (uint32_t)b, (uint32_t)z };
		}
	}
	*out = slots;
	*mask = room - 1;
	return 0;
}

size_t metrics__zone(const struct metrics *m, size_t block, const uint8_t *qname, size_t len)
{
	uint8_t starts[DNS_MAX_NAME / 2 + 2];
	uint64_t hash = FNV_OFFSET;
	size_t n = 0, at, best = METRICS_NO_ZONE;

	if (block >= m->blocks_len || !len || len > DNS_MAX_NAME)
		return METRICS_NO_ZONE;
	for (at = 0; at < len && n < sizeof(starts); at += qname[at] + 1u)
		starts[n++] = (uint8_t)at;
	for (at = len; at-- > 0;) {
		size_t slot;

		hash = suffix_hash(hash, qname[at]);
		if (!n || starts[n - 1] != at)
			continue;
		n--;
		for (slot = slot_hash(hash, block) & m->zone_mask; m->zone_slots[slot].hash;
		     slot = (slot + 1) & m->zone_mask) {
			if (m->zone_slots[slot].hash == slot_hash(hash, block) &&
			    m->zone_slots[slot].block == block) {
				best = m->zone_slots[slot].zone;
				break;
			}
		}
	}
	return best;
}

/* Series that stand for no zone of the configuration; they never retire. */
static int name_special(struct metrics *m, const struct corefile *cf)
{
	char server[SERVER_TEXT] = "", labels[LABELS_MAX];
	struct series *dropped, *other, *other_cache;

	if (cf && cf->blocks_len)
		server_text(&cf->blocks[0], server);
	zone_labels(server, "dropped", labels);
	dropped = get_series(m, SERIES_ZONE, labels, NULL);
	zone_labels("", "other", labels);
	other = get_series(m, SERIES_ZONE, labels, NULL);
	other_cache = get_series(m, SERIES_CACHE, "server=\"\",zones=\"other\",view=\"\"", NULL);
	if (!dropped || !other || !other_cache)
		return -ENOMEM;
	m->dropped = dropped;
	m->other = other;
	m->other_cache = other_cache;
	return 0;
}

/* The store must not be asked for numbers of blocks that are no longer. */
static void number_caches(struct metrics *m, const struct corefile *cf)
{
	struct registry *caches = &m->registry[SERIES_CACHE];

	for (size_t i = 0; i < caches->len; i++)
		caches->list[i]->cache.block = METRICS_NO_BLOCK;
	for (size_t i = 0; i < cf->blocks_len; i++) {
		if (cf->blocks[i].cache.enabled && m->blocks[i].cache != m->other_cache)
			m->blocks[i].cache->cache.block = i;
	}
}

/* Zones that found no room among retired ones, now that these are gone. */
static void name_late(struct metrics *m, const struct corefile *cf)
{
	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];
		struct block_series late = { .cache = NULL };

		if (!name_block(m, block, &late)) {
			struct block_series old = m->blocks[i];

			m->blocks[i] = late;
			late = old;
		}
		free(late.zones);
		free(late.templates);
	}
}

/* All series of the configuration at work are its own. */
static void commit(struct metrics *m, const struct corefile *cf)
{
	m->dropped->generation = m->generation;
	m->other->generation = m->generation;
	m->other_cache->generation = m->generation;
	for (size_t i = 0; i < m->blocks_len; i++) {
		const struct block_series *block = &m->blocks[i];
		uint32_t mask = directives(&cf->blocks[i]);

		for (size_t k = 0; k < block->zones_len; k++) {
			block->zones[k]->generation = m->generation;
			if (block->zones[k] != m->other)
				block->zones[k]->plugins = mask;
		}
		for (size_t k = 0; k < block->templates_len; k++)
			block->templates[k]->generation = m->generation;
		block->cache->generation = m->generation;
	}
}

int metrics__configure(struct metrics *m, const struct corefile *cf)
{
	struct block_series *blocks = calloc(cf->blocks_len + 1, sizeof(blocks[0]));
	struct zone_slot *slots = NULL;
	size_t mask = 0;
	int ret = -ENOMEM;

	if (!blocks)
		return ret;
	metrics__settle(m);
	ret = fill_zone_slots(cf, &slots, &mask);
	if (!ret)
		ret = name_special(m, cf);
	for (size_t i = 0; !ret && i < cf->blocks_len; i++)
		ret = name_block(m, &cf->blocks[i], &blocks[i]);
	if (ret) {
		blocks_free(blocks, cf->blocks_len);
		free(slots);
		return ret;
	}
	blocks_free(m->blocks, m->blocks_len);
	free(m->zone_slots);
	m->blocks = blocks;
	m->blocks_len = cf->blocks_len;
	m->zone_slots = slots;
	m->zone_mask = mask;
	m->generation++;
	commit(m, cf);
	if (drop_retired_ones(m)) {
		name_late(m, cf);
		commit(m, cf);
	}
	number_caches(m, cf);
	metrics_kernel_number(m);
	return 0;
}

void metrics__series_set(struct metrics *m)
{
	m->series_set = m->generation;
}

void metrics_unconfigure(struct metrics *m)
{
	blocks_free(m->blocks, m->blocks_len);
	free(m->zone_slots);
	registries_free(m);
}
