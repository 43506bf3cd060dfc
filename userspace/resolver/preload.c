// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What blocks answer themselves and always alike goes into the store before anybody asks: hosts,
 * templates of one name, and suffixes that a template takes off the net, as entries for all names
 * below. Contract: resolver_priv.h. these entries have a partition of their own, after the blocks'.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/plan.h"
#include "resolver_priv.h"

#define BLACKHOLE_TTL_S	    3600
#define STATIC_CAPACITY_MIN 1024
#define A_LIST		    1024 /* names of hosts; more are no human's work */
#define LOOK_NS		    (5 * NSEC_PER_SEC)

struct fill {
	struct resolver *resolver;
	struct server_block *sb;
	const struct plugin *plugin; /* of the block: what it says beforehand is put */
	uint64_t now;
	bool missing;	  /* put what is not there alone */
	uint64_t room[2]; /* entries that may still be put: who comes first does not push out others
			   */
};

/* A longer zone of another block may have taken the name over. */
static bool is_own(const struct fill *fill, const struct dns_name *name)
{
	return corefile__block_for(fill->resolver->config.corefile, name) == fill->sb->config;
}

struct own {
	struct way way;
	bool answered;
};

static void own_done(struct way *way, enum plugin_result result)
{
	((struct own *)way)->answered = result == PLUGIN_ANSWER;
}

/* What the block says by itself, as it would be asked; NULL: that is not known here. */
static struct answer *own_answer(const struct fill *fill, const struct dns_name *name,
				 uint16_t qtype)
{
	struct own own = { .way = {
				   .resolver = fill->resolver, .sb = fill->sb, .done = own_done } };
	struct passage *passage = &own.way.passage;

	passage->question = (struct question){ .qname = *name, .qtype = qtype };
	passage->own_only = true;
	passage->now_ns = fill->now;
	chain_run(&own.way);
	chain_release(&own.way);
	if (own.answered && !passage->ede)
		return passage->answer;
	answer__free(passage->answer);
	return NULL;
}

static bool fill_one(void *ctx, const struct dns_name *name, uint16_t qtype)
{
	struct fill *fill = ctx;
	struct resolver *resolver = fill->resolver;
	struct answer *answer;
	struct store_put put;
	uint32_t ttl_s;

	if (!is_own(fill, name) || chain_agent_only(fill->sb, name, qtype))
		return true;
	answer = own_answer(fill, name, qtype);
	if (!answer)
		return true;
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

static void put_denied(struct resolver *resolver, const struct server_block *sb,
		       const struct dns_name *suffix, const struct answer *nxdomain,
		       uint8_t key_flags, uint64_t now)
{
	uint32_t ttl_s = nxdomain->ttl_s ? nxdomain->ttl_s : BLACKHOLE_TTL_S;
	struct store_put put = {
		.kind = NODENS_NEGATIVE,
		.ttl_s = ttl_s,
		.partition = resolver->n_blocks,
		.bufsize = sb->config->bufsize,
		.keep_ttl = true,
		.fixed = true,
		.refresh = STORE_REFRESH_ALWAYS,
		.refresh_left_s = ttl_s / 10 + 1,
	};
	struct answer *nx_below;

	if (!answer__make_nx_below(nxdomain, suffix, key_flags, &nx_below))
		store__put(resolver->config.store, nx_below, &put, now);
}

static const uint8_t denied_kinds[] = { 0, NODENS_KEY_DO, NODENS_KEY_CD,
					NODENS_KEY_DO | NODENS_KEY_CD };

static bool is_there(const struct fill *fill, const struct dns_name *suffix, uint8_t key_flags)
{
	uint32_t ttl_s;

	return store__get(fill->resolver->config.store, suffix, 0, key_flags | NODENS_KEY_NX_BELOW,
			  fill->now, &ttl_s);
}

static bool lacks_denied(void *ctx, const struct dns_name *suffix)
{
	const struct fill *fill = ctx;

	for (size_t i = 0; i < sizeof(denied_kinds); i++) {
		if (!is_there(fill, suffix, denied_kinds[i]))
			return true;
	}
	return false;
}

static void fill_denied(void *ctx, const struct dns_name *suffix, const struct answer *nxdomain)
{
	struct fill *fill = ctx;

	/* who comes before may know of names below; who comes after is not asked */
	if (chain_answers_below(fill->sb, suffix, fill->plugin) ||
	    resolver_divided(fill->resolver, fill->sb, suffix))
		return;
	for (size_t i = 0; i < sizeof(denied_kinds); i++) {
		if (fill->missing && is_there(fill, suffix, denied_kinds[i]))
			continue;
		fill->room[NODENS_NEGATIVE] -= !!fill->room[NODENS_NEGATIVE];
		put_denied(fill->resolver, fill->sb, suffix, nxdomain, denied_kinds[i], fill->now);
	}
}

/* The name is there: nothing above it may say otherwise. */
static bool exists(void *ctx, const struct dns_name *name, uint16_t qtype)
{
	struct fill *fill = ctx;

	if (qtype == DNS_TYPE_A && is_own(fill, name))
		store__remove_nx_below(fill->resolver->config.store, name);
	return true;
}

/* What the plugin knows of names: lists say that these exist. */
static void fill_plugin(struct fill *fill, void *state)
{
	struct plugin_preload names = { .question = exists, .ctx = fill };
	struct plugin_preload all = { .question = fill_one, .denied = fill_denied, .ctx = fill };
	struct store_stats stats;

	store__stats(fill->resolver->config.store, &stats);
	if (fill->plugin->lists && stats.nx_below)
		fill->plugin->preload(state, &names);
	fill->plugin->preload(state, &all);
}

typedef void plugin_fn(struct fill *fill, void *state);

/* Each plugin of each block that says something beforehand. */
static void each_plugin(struct fill *fill, plugin_fn *fn)
{
	struct resolver *resolver = fill->resolver;

	for (size_t i = 0; i < resolver->n_blocks; i++) {
		fill->sb = &resolver->blocks[i];
		for (size_t k = 0; k < chain_len; k++) {
			fill->plugin = chain_plugins[k];
			if (fill->plugin->preload && fill->sb->state[fill->plugin->id])
				fn(fill, fill->sb->state[fill->plugin->id]);
		}
	}
}

static bool is_long_list(const struct fill *fill, const void *state)
{
	return fill->plugin->lists && fill->plugin->lists(state) > A_LIST;
}

static void fill_by_hand(struct fill *fill, void *state)
{
	if (!is_long_list(fill, state))
		fill_plugin(fill, state);
}

static void fill_long_list(struct fill *fill, void *state)
{
	if (is_long_list(fill, state))
		fill_plugin(fill, state);
}

/*
 * What is written by hand first, then lists. These leave a quarter of the room to what is asked for
 * and was not put, before anything put has to go for it.
 */
static void fill_all(struct resolver *resolver, uint64_t now)
{
	struct fill fill = { .resolver = resolver, .now = now };
	struct store_partition_stats stats[2] = { 0 };

	for (int kind = 0; kind < 2; kind++) {
		store__partition_stats(resolver->config.store, resolver->n_blocks, kind,
				       &stats[kind]);
		fill.room[kind] = stats[kind].capacity;
	}
	each_plugin(&fill, fill_by_hand);
	for (int kind = 0; kind < 2; kind++) {
		uint64_t left = stats[kind].capacity / 4;

		fill.room[kind] -= fill.room[kind] < left ? fill.room[kind] : left;
	}
	each_plugin(&fill, fill_long_list);
}

struct refill {
	struct fill fill;
	const struct dns_name *suffix;
};

static bool is_refilled(void *ctx, const struct dns_name *suffix)
{
	return dns_name__equal(suffix, ((struct refill *)ctx)->suffix);
}

static void refill_denied(void *ctx, const struct dns_name *suffix, const struct answer *nxdomain)
{
	fill_denied(&((struct refill *)ctx)->fill, suffix, nxdomain);
}

/* The entry for all names below @suffix. */
static void refill(struct refill *refill)
{
	struct plugin_preload to = {
		.wanted = is_refilled,
		.denied = refill_denied,
		.ctx = refill,
	};
	struct fill *fill = &refill->fill;

	for (size_t i = 0; i < chain_len; i++) {
		fill->plugin = chain_plugins[i];
		if (fill->plugin->preload && fill->sb->state[fill->plugin->id])
			fill->plugin->preload(fill->sb->state[fill->plugin->id], &to);
	}
}

bool resolver_static_refresh(struct resolver *resolver, const struct store_question *question,
			     uint64_t now)
{
	struct refill again = {
		.fill = { .resolver = resolver, .now = now, .room = { 1, 1 } },
		.suffix = &question->qname,
	};
	const struct corefile *cf = resolver->config.corefile;
	const struct corefile_block *block;

	if (question->partition != resolver->n_blocks)
		return false;
	block = corefile__block_for(cf, &question->qname);
	if (!block)
		return true;
	again.fill.sb = &resolver->blocks[block - cf->blocks];
	if (question->key_flags & NODENS_KEY_NX_BELOW)
		refill(&again);
	else
		fill_one(&again.fill, &question->qname, question->qtype);
	return true;
}

/*
 * A list has changed: what it said is gone, and so is what others said of names that are now in it.
 */
static bool outlives(void *ctx, const struct store_question *question,
		     const struct nodens_slot *slot)
{
	const struct resolver *resolver = ctx;

	(void)slot;
	return question->partition < resolver->n_blocks &&
	       !chain_has(&resolver->blocks[question->partition], &question->qname);
}

static void look_for_denied(struct fill *fill, void *state)
{
	struct plugin_preload to = {
		.wanted = lacks_denied,
		.denied = fill_denied,
		.ctx = fill,
	};

	fill->plugin->preload(state, &to);
}

static bool reload_lists(struct resolver *resolver, uint64_t now)
{
	bool changed = false;

	for (size_t i = 0; i < resolver->n_blocks; i++) {
		for (size_t k = 0; k < chain_len; k++) {
			const struct plugin *plugin = chain_plugins[k];
			void *state = resolver->blocks[i].state[plugin->id];

			if (state && plugin->reload)
				changed |= plugin->reload(state, now) > 0;
		}
	}
	return changed;
}

void resolver_static_tick(struct resolver *resolver, uint64_t now)
{
	struct fill fill = { .resolver = resolver, .now = now, .missing = true };
	bool changed = reload_lists(resolver, now);

	if (!resolver->owns_store)
		return;
	/*
	 * Entries for all names below one that nobody has used may have had to go, and a question
	 * that they would have answered does not bring them back: so they are looked for, which
	 * also counts as a use.
	 */
	if (now >= resolver->static_look_ns) {
		resolver->static_look_ns = now + LOOK_NS;
		each_plugin(&fill, look_for_denied);
	}
	if (!changed)
		return;
	store__filter(resolver->config.store, outlives, resolver);
	fill_all(resolver, now);
}

/* ---- the store changes hands ---- */

struct takeover {
	struct resolver *resolver;
	const int *same;
	size_t n_before;
};

static bool partition_after(void *ctx, const struct store_question *question,
			    const struct nodens_slot *slot, struct store_put *put)
{
	const struct takeover *takeover = ctx;
	const struct server_block *sb;
	int now = resolver__partition_of(takeover->resolver, &question->qname), before = now;

	/* without: what an agent before this one left, and its names say whose it is */
	if (takeover->same)
		before = question->partition < takeover->n_before
				 ? takeover->same[question->partition]
				 : -1;
	/* another block may have taken the name over */
	if (now < 0 || before != now)
		return false;
	sb = &takeover->resolver->blocks[now];
	/* an agent before this one knew nothing of clients here */
	if (chain_agent_only(sb, &question->qname, question->qtype) &&
	    !(question->key_flags & NODENS_KEY_AGENT))
		return false;
	/* lists may have changed, blocks been added, with the block the same */
	if (chain_has(sb, &question->qname) ||
	    (question->key_flags & NODENS_KEY_NX_BELOW &&
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

	for (size_t i = 0; i < resolver->n_blocks; i++) {
		for (size_t k = 0; k < chain_len; k++)
			any |= chain_plugins[k]->preload &&
			       resolver->blocks[i].state[chain_plugins[k]->id];
	}
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
	ret = store__set_partitions(resolver->config.store, (const uint32_t(*)[2])capacity,
				    resolver->n_blocks + 1, partition_after, &takeover, now);
	free(capacity);
	if (ret < 0)
		return ret;
	resolver->owns_store = true;
	fill_all(resolver, now);
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
