// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What blocks answer themselves and always alike goes into the store before anybody asks: hosts,
 * templates of one name, and suffixes that a template takes off the net, as cuts.
 * Contract: resolver_priv.h. These entries have an owner of their own, after the sections'.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "resolver_priv.h"

#define BLACKHOLE_TTL_S	    3600
#define STATIC_CAPACITY_MIN 1024

struct fill {
	struct resolver *resolver;
	struct section *section;
	uint64_t now;
};

static void fill_one(void *ctx, const struct dns_name *name, uint16_t qtype)
{
	struct fill *fill = ctx;
	struct question q = { .qname = *name, .qtype = qtype };
	struct pending_start start = {
		.section = fill->section,
		.question = &q,
		.fixed = true,
	};
	const struct corefile_block *block;

	/* A longer zone of another block may have taken the name over. */
	block = corefile__block_for(fill->resolver->config.corefile, name->wire, name->len);
	if (block != fill->section->block)
		return;
	start.zone = section__zone(fill->section, name);
	pending__start(fill->resolver, &start, fill->now);
}

/* Another block answers for a part of what lies below @suffix. */
static bool divided(const struct resolver *resolver, const struct section *section,
		    const struct dns_name *suffix)
{
	const struct corefile *cf = resolver->config.corefile;

	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];

		for (size_t k = 0; block != section->block && k < block->zones_len; k++) {
			const struct corefile_zone *zone = &block->zones[k];

			if (zone__contains(suffix->wire, suffix->len, zone->wire, zone->wire_len))
				return true;
		}
	}
	return corefile__block_for(cf, suffix->wire, suffix->len) != section->block;
}

static void put_blackhole(struct resolver *resolver, const struct section *section,
			  const struct dns_name *suffix, const struct answer *nxdomain,
			  uint8_t key_flags, uint64_t now)
{
	uint32_t ttl_s = nxdomain->ttl_s ? nxdomain->ttl_s : BLACKHOLE_TTL_S;
	struct store_put put = {
		.kind = NODENS_NEGATIVE,
		.ttl_s = ttl_s,
		.owner = resolver->n_sections,
		.bufsize = section->block->bufsize,
		.keep_ttl = true,
		.fixed = true,
		.refresh = STORE_REFRESH_ALWAYS,
		.refresh_left_s = ttl_s / 10 + 1,
	};
	struct answer *cut;

	if (!answer__make_cut(nxdomain, suffix, key_flags, &cut))
		store__put(resolver->config.store, cut, &put, now);
}

static void fill_blackhole(void *ctx, const struct dns_name *suffix, const struct answer *nxdomain)
{
	static const uint8_t kinds[] = { 0, NODENS_KEY_DO, NODENS_KEY_CD,
					 NODENS_KEY_DO | NODENS_KEY_CD };
	struct fill *fill = ctx;

	/* rewrites come before templates, hosts of the block after them */
	if (fill->section->rewrite || divided(fill->resolver, fill->section, suffix))
		return;
	for (size_t i = 0; i < sizeof(kinds); i++)
		put_blackhole(fill->resolver, fill->section, suffix, nxdomain, kinds[i], fill->now);
}

static void fill_section(struct resolver *resolver, struct section *section, uint64_t now)
{
	struct fill fill = { resolver, section, now };

	if (section->hosts)
		hosts__each(section->hosts, fill_one, &fill);
	if (!section->templates)
		return;
	template__exact(section->templates, fill_one, &fill);
	template__blackholes(section->templates, fill_blackhole, &fill);
}

void resolver_static_fill(struct resolver *resolver, uint64_t now)
{
	for (size_t i = 0; i < resolver->n_sections; i++)
		fill_section(resolver, &resolver->sections[i], now);
}

struct refill {
	struct fill fill;
	const struct dns_name *suffix;
	bool found;
};

static void refill_blackhole(void *ctx, const struct dns_name *suffix,
			     const struct answer *nxdomain)
{
	struct refill *refill = ctx;

	if (!dns_name__equal(suffix, refill->suffix))
		return;
	fill_blackhole(&refill->fill, suffix, nxdomain);
}

bool resolver_static_refresh(struct resolver *resolver, const struct store_question *question,
			     uint64_t now)
{
	struct refill refill = {
		.fill = { .resolver = resolver, .now = now },
		.suffix = &question->qname,
	};
	const struct corefile *cf = resolver->config.corefile;
	const struct corefile_block *block;

	if (question->owner != resolver->n_sections)
		return false;
	block = corefile__block_for(cf, question->qname.wire, question->qname.len);
	if (!block)
		return true;
	refill.fill.section = &resolver->sections[block - cf->blocks];
	if (!(question->key_flags & NODENS_KEY_CUT))
		fill_one(&refill.fill, &question->qname, question->qtype);
	else if (refill.fill.section->templates)
		template__blackholes(refill.fill.section->templates, refill_blackhole, &refill);
	return true;
}

/* A hosts file has changed: what it said is gone, what it says is put. */
static bool not_static(void *ctx, const struct store_question *question,
		       const struct nodens_slot *slot)
{
	(void)slot;
	return question->owner != ((struct resolver *)ctx)->n_sections;
}

void resolver_static_tick(struct resolver *resolver, uint64_t now)
{
	bool changed = false;

	for (size_t i = 0; i < resolver->n_sections; i++) {
		struct section *section = &resolver->sections[i];

		if (section->hosts && hosts__reload(section->hosts, now) > 0)
			changed = true;
	}
	if (!changed || !resolver->owns_store)
		return;
	store__filter(resolver->config.store, not_static, resolver);
	resolver_static_fill(resolver, now);
}

/* ---- the store changes hands ---- */

struct takeover {
	struct resolver *resolver;
	const int *same;
	size_t n_before;
};

static bool owner_after(void *ctx, const struct store_question *question,
			const struct nodens_slot *slot, struct store_put *put)
{
	const struct takeover *takeover = ctx;
	int now = resolver__owner_of(takeover->resolver, &question->qname), before = now;

	/* without: what an agent before this one left, and its names say whose it is */
	if (takeover->same)
		before =
			question->owner < takeover->n_before ? takeover->same[question->owner] : -1;
	/* another block may have taken the name over */
	if (now < 0 || before != now)
		return false;
	return section__keep_on(&takeover->resolver->sections[now], question,
				be16toh(slot->flags) & DNS_RCODE, put);
}

/*
 * What the configuration itself says has the room that the caches leave: where there is none, as
 * after a reload that brought hosts, a little all the same.
 */
static uint32_t static_capacity(const struct resolver *resolver, uint64_t caches)
{
	struct store_stats stats;
	bool any = false;
	uint64_t room;

	for (size_t i = 0; i < resolver->n_sections; i++)
		any |= resolver->sections[i].hosts || resolver->sections[i].templates;
	if (!any)
		return 0;
	store__stats(resolver->config.store, &stats);
	room = stats.room > caches ? (stats.room - caches) / 2 : 0;
	if (room > PLAN_STATIC_CAPACITY)
		return PLAN_STATIC_CAPACITY;
	return room > STATIC_CAPACITY_MIN ? room : STATIC_CAPACITY_MIN;
}

int resolver__take_store(struct resolver *resolver, const int *same, size_t n_before, uint64_t now)
{
	struct takeover takeover = { resolver, same, n_before };
	uint32_t(*capacity)[2], each;
	uint64_t caches = 0;
	int ret;

	if (!resolver->config.store)
		return 0;
	capacity = calloc(resolver->n_sections + 1, sizeof(*capacity));
	if (!capacity)
		return -ENOMEM;
	for (size_t i = 0; i < resolver->n_sections; i++) {
		const struct corefile_cache *cache = &resolver->sections[i].block->cache;

		if (!cache->enabled)
			continue;
		capacity[i][NODENS_POSITIVE] = cache->success.capacity;
		capacity[i][NODENS_NEGATIVE] = cache->denial.capacity;
		caches += (uint64_t)cache->success.capacity + cache->denial.capacity;
	}
	each = static_capacity(resolver, caches);
	capacity[resolver->n_sections][NODENS_POSITIVE] = each;
	capacity[resolver->n_sections][NODENS_NEGATIVE] = each;
	ret = store__set_owners(resolver->config.store, (const uint32_t(*)[2])capacity,
				resolver->n_sections + 1, owner_after, &takeover, now);
	free(capacity);
	if (ret < 0)
		return ret;
	resolver->owns_store = true;
	resolver_static_fill(resolver, now);
	return ret;
}
