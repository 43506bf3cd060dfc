// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What blocks answer themselves and always alike goes into the store before anybody asks: hosts,
 * templates of one name, and suffixes that a template takes off the net, as entries for all names
 * below. Contract: resolver_priv.h. These entries have an owner of their own, after the blocks'.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/cname.h"
#include "plugin/dns64.h"
#include "plugin/loadbalance.h"
#include "config/plan.h"
#include "resolver_priv.h"

#define BLACKHOLE_TTL_S	    3600
#define STATIC_CAPACITY_MIN 1024
#define A_LIST		    1024 /* names of hosts; more are no human's work */
#define LOOK_NS		    (5 * NSEC_PER_SEC)

struct fill {
	struct resolver *resolver;
	struct server_block *sb;
	uint64_t now;
	bool missing;	  /* put what is not there alone */
	uint64_t room[2]; /* entries that may still be put: who comes first does not push out others
			   */
};

/* A longer zone of another block may have taken the name over. */
static bool is_own(const struct fill *fill, const struct dns_name *name)
{
	return corefile__block_for(fill->resolver->config.corefile, name->wire, name->len) ==
	       fill->sb->config;
}

/* What the block says by itself, as it would be asked; NULL: that is not known here. */
static struct answer *own_answer(const struct server_block *sb, const struct dns_name *name,
				 uint16_t qtype)
{
	const struct corefile_dns64 *dns64 = &sb->config->dns64;
	struct plugin_query query = { name, qtype, DNS_CLASS_IN, 0, NULL };
	struct server_block_answer local = { .answer = NULL };
	struct dns_name target;

	if (sb->rewrite && rewrite__touches(sb->rewrite, &query))
		return NULL;
	if (server_block__answer((struct server_block *)sb, &query, &local) != PLUGIN_ANSWER)
		return NULL;
	if (!local.ede && !cname__target(local.answer, &target) &&
	    !(dns64->enabled && qtype == DNS_TYPE_AAAA && dns64__wants(dns64, local.answer)))
		return local.answer;
	answer__free(local.answer);
	return NULL;
}

static bool fill_one(void *ctx, const struct dns_name *name, uint16_t qtype)
{
	struct fill *fill = ctx;
	struct resolver *resolver = fill->resolver;
	struct answer *answer;
	struct store_put put;
	uint32_t ttl_s;

	if (!is_own(fill, name))
		return true;
	answer = own_answer(fill->sb, name, qtype);
	if (!answer)
		return true;
	loadbalance__prefer(fill->sb->config->prefer, fill->sb->config->prefer_len, answer);
	server_block__keep_exact(fill->sb, answer, resolver->n_blocks, &put, &ttl_s);
	if (!fill->room[put.kind]) {
		answer__free(answer);
		return fill->room[!put.kind];
	}
	fill->room[put.kind]--;
	if (!store__put(resolver->config.store, answer, &put, fill->now))
		resolver_count(resolver, AGENT_STAT_CACHE_STORED);
	return true;
}

static void put_blackhole(struct resolver *resolver, const struct server_block *sb,
			  const struct dns_name *suffix, const struct answer *nxdomain,
			  uint8_t key_flags, uint64_t now)
{
	uint32_t ttl_s = nxdomain->ttl_s ? nxdomain->ttl_s : BLACKHOLE_TTL_S;
	struct store_put put = {
		.kind = NODENS_NEGATIVE,
		.ttl_s = ttl_s,
		.owner = resolver->n_blocks,
		.bufsize = sb->config->bufsize,
		.keep_ttl = true,
		.fixed = true,
		.refresh = STORE_REFRESH_ALWAYS,
		.refresh_left_s = ttl_s / 10 + 1,
	};
	struct answer *nx_below;

	if (!answer__make_cut(nxdomain, suffix, key_flags, &nx_below))
		store__put(resolver->config.store, nx_below, &put, now);
}

static const uint8_t blackhole_kinds[] = { 0, NODENS_KEY_DO, NODENS_KEY_CD,
					   NODENS_KEY_DO | NODENS_KEY_CD };

static bool is_there(const struct fill *fill, const struct dns_name *suffix, uint8_t key_flags)
{
	uint32_t ttl_s;

	return store__get(fill->resolver->config.store, suffix, 0, key_flags | NODENS_KEY_CUT,
			  fill->now, &ttl_s);
}

static bool lacks_blackhole(void *ctx, const struct dns_name *suffix)
{
	const struct fill *fill = ctx;

	for (size_t i = 0; i < sizeof(blackhole_kinds); i++) {
		if (!is_there(fill, suffix, blackhole_kinds[i]))
			return true;
	}
	return false;
}

static void fill_blackhole(void *ctx, const struct dns_name *suffix, const struct answer *nxdomain)
{
	struct fill *fill = ctx;

	/* rewrites come before templates, hosts of the block after them */
	if ((fill->sb->rewrite && rewrite__changes(fill->sb->rewrite)) ||
	    resolver_divided(fill->resolver, fill->sb, suffix))
		return;
	for (size_t i = 0; i < sizeof(blackhole_kinds); i++) {
		if (fill->missing && is_there(fill, suffix, blackhole_kinds[i]))
			continue;
		fill->room[NODENS_NEGATIVE] -= !!fill->room[NODENS_NEGATIVE];
		put_blackhole(fill->resolver, fill->sb, suffix, nxdomain, blackhole_kinds[i],
			      fill->now);
	}
}

/* The name is there: nothing above it may say otherwise. */
static bool exists(void *ctx, const struct dns_name *name, uint16_t qtype)
{
	struct fill *fill = ctx;

	if (qtype == DNS_TYPE_A && is_own(fill, name))
		store__remove_cuts(fill->resolver->config.store, name);
	return true;
}

static void fill_templates(struct fill *fill, struct server_block *sb)
{
	struct template_blackholes take = { .found = fill_blackhole, .ctx = fill };

	fill->sb = sb;
	template__exact(sb->templates, fill_one, fill);
	template__blackholes(sb->templates, &take);
}

static void fill_hosts(struct fill *fill, struct server_block *sb)
{
	struct store_stats stats;

	fill->sb = sb;
	store__stats(fill->resolver->config.store, &stats);
	if (stats.cuts)
		hosts__each(sb->hosts, exists, fill);
	hosts__each(sb->hosts, fill_one, fill);
}

/*
 * What is written by hand first, then lists. These leave a quarter of the room to what is asked for
 * and was not put, before anything put has to go for it.
 */
void resolver_static_fill(struct resolver *resolver, uint64_t now)
{
	struct fill fill = { .resolver = resolver, .now = now };
	struct store_owner_stats stats[2] = { 0 };

	for (int kind = 0; kind < 2; kind++) {
		store__owner_stats(resolver->config.store, resolver->n_blocks, kind, &stats[kind]);
		fill.room[kind] = stats[kind].capacity;
	}
	for (size_t i = 0; i < resolver->n_blocks; i++) {
		struct server_block *sb = &resolver->blocks[i];

		if (sb->templates)
			fill_templates(&fill, sb);
		if (sb->hosts && hosts__count(sb->hosts) <= A_LIST)
			fill_hosts(&fill, sb);
	}
	for (int kind = 0; kind < 2; kind++) {
		uint64_t left = stats[kind].capacity / 4;

		fill.room[kind] -= fill.room[kind] < left ? fill.room[kind] : left;
	}
	for (size_t i = 0; i < resolver->n_blocks; i++) {
		struct server_block *sb = &resolver->blocks[i];

		if (sb->hosts && hosts__count(sb->hosts) > A_LIST)
			fill_hosts(&fill, sb);
	}
}

struct refill {
	struct fill fill;
	const struct dns_name *suffix;
};

static bool is_refilled(void *ctx, const struct dns_name *suffix)
{
	return dns_name__equal(suffix, ((struct refill *)ctx)->suffix);
}

static void refill_blackhole(void *ctx, const struct dns_name *suffix,
			     const struct answer *nxdomain)
{
	fill_blackhole(&((struct refill *)ctx)->fill, suffix, nxdomain);
}

bool resolver_static_refresh(struct resolver *resolver, const struct store_question *question,
			     uint64_t now)
{
	struct refill refill = {
		.fill = { .resolver = resolver, .now = now, .room = { 1, 1 } },
		.suffix = &question->qname,
	};
	struct template_blackholes take = {
		.wanted = is_refilled,
		.found = refill_blackhole,
		.ctx = &refill,
	};
	const struct corefile *cf = resolver->config.corefile;
	const struct corefile_block *block;

	if (question->owner != resolver->n_blocks)
		return false;
	block = corefile__block_for(cf, question->qname.wire, question->qname.len);
	if (!block)
		return true;
	refill.fill.sb = &resolver->blocks[block - cf->blocks];
	if (!(question->key_flags & NODENS_KEY_CUT))
		fill_one(&refill.fill, &question->qname, question->qtype);
	else if (refill.fill.sb->templates)
		template__blackholes(refill.fill.sb->templates, &take);
	return true;
}

/*
 * A hosts file has changed: what it said is gone, and so is what others said of names that are now
 * in it.
 */
static bool outlives(void *ctx, const struct store_question *question,
		     const struct nodens_slot *slot)
{
	const struct resolver *resolver = ctx;
	const struct server_block *sb;

	(void)slot;
	if (question->owner >= resolver->n_blocks)
		return false;
	sb = &resolver->blocks[question->owner];
	return !sb->hosts || !hosts__has(sb->hosts, &question->qname);
}

/*
 * Entries for all names below one that nobody has used may have had to go, and a question that they
 * would have answered does not bring them back: so they are looked for, which also counts as a use.
 */
static void look_for_blackholes(struct resolver *resolver, uint64_t now)
{
	struct fill fill = { .resolver = resolver, .now = now, .missing = true };
	struct template_blackholes take = {
		.wanted = lacks_blackhole,
		.found = fill_blackhole,
		.ctx = &fill,
	};

	if (now < resolver->static_look_ns)
		return;
	resolver->static_look_ns = now + LOOK_NS;
	for (size_t i = 0; i < resolver->n_blocks; i++) {
		fill.sb = &resolver->blocks[i];
		if (fill.sb->templates)
			template__blackholes(fill.sb->templates, &take);
	}
}

void resolver_static_tick(struct resolver *resolver, uint64_t now)
{
	bool changed = false;

	for (size_t i = 0; i < resolver->n_blocks; i++) {
		struct server_block *sb = &resolver->blocks[i];

		if (sb->hosts && hosts__reload(sb->hosts, now) > 0)
			changed = true;
	}
	if (!resolver->owns_store)
		return;
	look_for_blackholes(resolver, now);
	if (!changed)
		return;
	store__filter(resolver->config.store, outlives, resolver);
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
	const struct server_block *sb;
	int now = resolver__owner_of(takeover->resolver, &question->qname), before = now;

	/* without: what an agent before this one left, and its names say whose it is */
	if (takeover->same)
		before =
			question->owner < takeover->n_before ? takeover->same[question->owner] : -1;
	/* another block may have taken the name over */
	if (now < 0 || before != now)
		return false;
	sb = &takeover->resolver->blocks[now];
	/* an agent before this one knew nothing of clients here */
	if (server_block__of_client(sb) && !(question->key_flags & NODENS_KEY_AGENT))
		return false;
	/* hosts files may have changed, blocks been added, with the block the same */
	if ((sb->hosts && hosts__has(sb->hosts, &question->qname)) ||
	    (question->key_flags & NODENS_KEY_CUT &&
	     !resolver_nx_below_may(takeover->resolver, sb, &question->qname)))
		return false;
	return server_block__keep_on(sb, question, be16toh(slot->flags) & DNS_RCODE, put);
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

	for (size_t i = 0; i < resolver->n_blocks; i++)
		any |= resolver->blocks[i].hosts || resolver->blocks[i].templates;
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
	capacity = calloc(resolver->n_blocks + 1, sizeof(*capacity));
	if (!capacity)
		return -ENOMEM;
	for (size_t i = 0; i < resolver->n_blocks; i++) {
		const struct corefile_cache *cache = &resolver->blocks[i].config->cache;

		if (!cache->enabled)
			continue;
		capacity[i][NODENS_POSITIVE] = cache->success.capacity;
		capacity[i][NODENS_NEGATIVE] = cache->denial.capacity;
		caches += (uint64_t)cache->success.capacity + cache->denial.capacity;
	}
	each = static_capacity(resolver, caches);
	capacity[resolver->n_blocks][NODENS_POSITIVE] = each;
	capacity[resolver->n_blocks][NODENS_NEGATIVE] = each;
	ret = store__set_owners(resolver->config.store, (const uint32_t(*)[2])capacity,
				resolver->n_blocks + 1, owner_after, &takeover, now);
	free(capacity);
	if (ret < 0)
		return ret;
	resolver->owns_store = true;
	resolver_static_fill(resolver, now);
	return ret;
}

void resolver__leave_store(struct resolver *resolver)
{
	struct resolver_config *config = &resolver->config;

	if (resolver->overloaded && config->overload)
		config->overload(config->ctx, false);
	config->overload = NULL;
	config->store = NULL;
	resolver->owns_store = false;
}
