// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Configurations that follow one another. Contract: generation.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent_priv.h"
#include "base/clock.h"

/* Longer than any query may take. */
#define DRAIN_NS (UPSTREAM_DEADLINE_NS + NSEC_PER_SEC)

static int open_upstreams(struct agent *agent, struct generation *gen)
{
	struct upstreams_config config = {
		.loop = &agent->loop,
		.stats = agent->map.stats,
		.bufsize = agent->opts->bufsize < NODENS_OPT_SIZE ? agent->opts->bufsize
								  : NODENS_OPT_SIZE,
		.deadline_ns = UPSTREAM_DEADLINE_NS,
		.changed = agent__on_upstream,
		.dropped = agent__on_dropped,
		.ctx = agent,
	};
	int ret = upstreams__open(&config, &gen->upstreams);

	if (ret)
		log_error("cannot set up the upstreams: %s", strerror(-ret));
	return ret;
}

static int open_resolver(struct agent *agent, struct generation *gen)
{
	struct resolver_config config = {
		.corefile = gen->cf,
		.loop = &agent->loop,
		.upstreams = gen->upstreams,
		.store = agent->store,
		.stats = agent->map.stats,
		.bufsize = agent->opts->bufsize,
		.max_exchanges = agent->max_exchanges,
		.shed_above = agent->shed_above,
		.device = agent__device_of,
		.reply = agent__on_reply,
		.overload = agent__on_overload,
		.replied = agent__on_replied,
		.looped = agent__on_loop,
		.ctx = agent,
	};
	struct server_block_error err;
	int ret = resolver__open(&config, &gen->resolver, &err);

	if (ret)
		log_error("%s", err.text);
	return ret;
}

int generation__open(struct agent *agent, struct corefile *cf, const struct plan *plan,
		     struct generation **out)
{
	struct generation *gen = calloc(1, sizeof(*gen));
	int ret;

	if (!gen) {
		log_error("out of memory");
		corefile__free(cf);
		return -ENOMEM;
	}
	gen->cf = cf;
	gen->plan = *plan;
	ret = open_upstreams(agent, gen);
	if (!ret)
		ret = open_resolver(agent, gen);
	if (!ret)
		ret = agent_observe__open_logs(agent, gen);
	if (ret) {
		generation__close(gen);
		return ret;
	}
	*out = gen;
	return 0;
}

void generation__close(struct generation *gen)
{
	if (!gen)
		return;
	resolver__close(gen->resolver);
	upstreams__close(gen->upstreams);
	agent_observe__close_logs(gen);
	corefile__free(gen->cf);
	free(gen);
}

/* The maps are as large as the first configuration asked for. */
static void say_room(struct agent *agent, const struct generation *gen)
{
	for (size_t i = 0; i < gen->cf->blocks_len; i++) {
		const struct corefile_block *block = &gen->cf->blocks[i];
		struct store_partition_stats stats;

		if (!block->cache.enabled ||
		    store__partition_stats(agent->store, i, NODENS_POSITIVE, &stats) ||
		    stats.capacity >= block->cache.success.capacity)
			continue;
		log_warn("%s:%u: cache holds %llu answers instead of %u: the maps are "
			 "too small; restart nodens to make them larger",
			 block->file, block->line, (unsigned long long)stats.capacity,
			 block->cache.success.capacity);
		return;
	}
}

void generation__take_over(struct agent *agent, struct generation *gen, uint64_t now)
{
	struct generation *before = agent->gen;
	int *same = NULL, ret;

	if (before) {
		same = corefile__unchanged(before->cf, gen->cf);
		before->retired_ns = now;
		resolver__leave_store(before->resolver);
		upstreams__inherit(gen->upstreams, before->upstreams);
	}
	agent_observe__level(agent, gen->cf);
	agent_metrics__configure(agent, gen->cf);
	gen->older = before;
	agent->gen = gen;
	ret = resolver__take_store(gen->resolver, same, before ? before->cf->blocks_len : 0, now);
	if (ret > 0)
		log_warn("the caches ask for more than the %u answers that the maps hold: each "
			 "block "
			 "gets its share; restart nodens to make the maps larger",
			 agent->capacity[0] + agent->capacity[1]);
	if (ret < 0)
		log_error("nothing is cached: %s", strerror(-ret));
	free(same);
	if (before)
		say_room(agent, gen);
}

void generation__reap(struct agent *agent, uint64_t now)
{
	for (struct generation **at = &agent->gen->older; *at;) {
		struct generation *gen = *at;

		if (resolver__in_flight(gen->resolver) && now - gen->retired_ns < DRAIN_NS) {
			at = &gen->older;
			continue;
		}
		*at = gen->older;
		generation__close(gen);
	}
}

unsigned int generation__in_flight(const struct agent *agent)
{
	unsigned int n = 0;

	for (const struct generation *gen = agent->gen; gen; gen = gen->older)
		n += resolver__in_flight(gen->resolver);
	return n;
}
