// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Configurations that follow one another. Contract: generation.h.
 */
#include "agent/generation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "observe/metrics.h"

#define SHED_ABOVE    4096  /* exchanges under way */
#define MAX_EXCHANGES 16384 /* each may hold a socket */
#define RESERVED_FDS  2048  /* connections, programs, maps */

/* Longer than any query may take. */
#define DRAIN_NS (UPSTREAM_DEADLINE_NS + NSEC_PER_SEC)

/* Descriptors are what exchanges run out of first. */
static unsigned int max_exchanges(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 256;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur >= MAX_EXCHANGES + RESERVED_FDS)
		return MAX_EXCHANGES;
	return limit.rlim_cur > RESERVED_FDS + 256 ? limit.rlim_cur - RESERVED_FDS : 256;
}

static int open_upstreams(const struct generation_config *from, struct generation *gen)
{
	struct upstreams_config config = {
		.loop = from->loop,
		.stats = from->stats,
		.bufsize = from->bufsize < NODENS_OPT_SIZE ? from->bufsize : NODENS_OPT_SIZE,
		.deadline_ns = UPSTREAM_DEADLINE_NS,
		.changed = from->upstream_changed,
		.dropped = from->dropped,
		.exchanged = gen->taps ? from->exchanged : NULL,
		.ctx = from->ctx,
	};
	int ret = upstreams__open(&config, &gen->upstreams);

	if (ret)
		log_error("cannot set up the upstreams: %s", strerror(-ret));
	return ret;
}

static int open_taps(const struct generation_config *from, struct generation *gen)
{
	struct taps_config config = {
		.loop = from->loop,
		.cf = gen->cf,
		.lost = &from->stats->v[AGENT_STAT_DNSTAP_LOST],
		.changed = from->tap_changed,
		.ctx = from->ctx,
	};
	int ret = taps__open(&config, &gen->taps);

	if (ret)
		log_error("dnstap: %s", strerror(-ret));
	return ret;
}

static int open_resolver(const struct generation_config *from, struct generation *gen)
{
	struct resolver_config config = {
		.corefile = gen->cf,
		.loop = from->loop,
		.upstreams = gen->upstreams,
		.store = from->store,
		.stats = from->stats,
		.bufsize = from->bufsize,
		.max_exchanges = max_exchanges(),
		.device = from->device,
		.reply = from->reply,
		.overload = from->overload,
		.replied = from->replied,
		.dropped = from->query_dropped,
		.looped = from->looped,
		.ctx = from->ctx,
	};
	struct error err;
	int ret;

	config.shed_above = config.max_exchanges / 2;
	if (config.shed_above > SHED_ABOVE)
		config.shed_above = SHED_ABOVE;
	ret = resolver__open(&config, &gen->resolver, &err);
	if (ret)
		log_error("%s", err.text);
	return ret;
}

static int open_prober(const struct generation_config *from, struct generation *gen)
{
	struct prober_config config = {
		.loop = from->loop,
		.resolver = gen->resolver,
		.store = from->store,
		.problem = from->probe_problem,
		.ctx = from->ctx,
	};
	int ret = prober__open(&config, gen->cf, &gen->prober);

	if (ret)
		log_error("probe: %s", strerror(-ret));
	return ret;
}

static int open_logs(const struct generation_config *from, struct generation *gen)
{
	const struct corefile *cf = gen->cf;
	int ret = errlog__open(cf, from->error_line, from->ctx, &gen->errlog);
	size_t templates = 1;

	gen->querylogs = calloc(cf->blocks_len, sizeof(gen->querylogs[0]));
	if (!gen->querylogs)
		ret = -ENOMEM;
	for (size_t i = 0; i < cf->blocks_len; i++)
		templates += cf->blocks[i].templates_len;
	gen->templates_seen =
		calloc(templates, METRICS_TEMPLATE_EVENT_COUNT * sizeof(gen->templates_seen[0]));
	if (!gen->templates_seen)
		ret = -ENOMEM;
	for (size_t i = 0; !ret && i < cf->blocks_len; i++)
		ret = querylog__open(cf->blocks[i].logs, cf->blocks[i].logs_len,
				     &gen->querylogs[i]);
	if (ret)
		log_error("log, errors: %s", strerror(-ret));
	return ret;
}

static void close_logs(struct generation *gen)
{
	errlog__close(gen->errlog);
	for (size_t i = 0; gen->querylogs && i < gen->cf->blocks_len; i++)
		querylog__close(gen->querylogs[i]);
	free(gen->querylogs);
	free(gen->templates_seen);
}

int generation_open(const struct generation_config *config, struct corefile *cf,
		    const struct plan *plan, struct generation **out)
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
	ret = open_taps(config, gen);
	if (!ret)
		ret = open_upstreams(config, gen);
	if (!ret)
		ret = open_resolver(config, gen);
	if (!ret)
		ret = open_prober(config, gen);
	if (!ret)
		ret = open_logs(config, gen);
	if (ret) {
		generation_close(gen);
		return ret;
	}
	*out = gen;
	return 0;
}

void generation_close(struct generation *gen)
{
	if (!gen)
		return;
	resolver__close(gen->resolver);
	prober__close(gen->prober);
	upstreams__close(gen->upstreams);
	close_logs(gen);
	taps__close(gen->taps);
	corefile__free(gen->cf);
	free(gen);
}

/* The maps are as large as the first configuration asked for. */
static void log_room(const struct store *store, const struct generation *gen)
{
	for (size_t i = 0; i < gen->cf->blocks_len; i++) {
		const struct corefile_block *block = &gen->cf->blocks[i];
		struct store_partition_stats stats;

		if (!block->cache.enabled ||
		    store__partition_stats(store, i, NODENS_POSITIVE, &stats) ||
		    stats.capacity >= block->cache.success.capacity)
			continue;
		log_warn("%s:%u: cache holds %llu answers instead of %u: the maps are too small; "
			 "restart nodens to make them larger",
			 block->file, block->line, (unsigned long long)stats.capacity,
			 block->cache.success.capacity);
		return;
	}
}

int generation_take_over(struct generation **current, struct generation *gen, struct store *store,
			 uint32_t room, uint64_t now)
{
	struct generation *before = *current;
	int *same = NULL, ret;

	if (before) {
		same = corefile__unchanged(before->cf, gen->cf);
		before->retired_ns = now;
		resolver__leave_store(before->resolver);
		upstreams__inherit(gen->upstreams, before->upstreams);
		if (gen->prober)
			prober__inherit(gen->prober, before->prober);
		prober__stop(before->prober);
	}
	gen->older = before;
	*current = gen;
	ret = resolver__take_store(gen->resolver, same, before ? before->cf->blocks_len : 0, now);
	if (ret > 0)
		log_warn("the caches ask for more than the %u answers that the maps hold: each "
			 "block gets its share; restart nodens to make the maps larger",
			 room);
	if (ret < 0)
		log_error("nothing is cached: %s", strerror(-ret));
	free(same);
	if (before)
		log_room(store, gen);
	return ret < 0 ? ret : 0;
}

void generation_tick(struct generation *current, uint64_t now)
{
	for (const struct generation *gen = current; gen; gen = gen->older)
		errlog__tick(gen->errlog, now);
	prober__tick(current->prober, now);
}

void generation_reap(struct generation *current, uint64_t now)
{
	for (struct generation **at = &current->older; *at;) {
		struct generation *gen = *at;

		if (resolver__in_flight(gen->resolver) && now - gen->retired_ns < DRAIN_NS) {
			at = &gen->older;
			continue;
		}
		*at = gen->older;
		generation_close(gen);
	}
}

unsigned int generation_in_flight(const struct generation *current)
{
	unsigned int n = 0;

	for (const struct generation *gen = current; gen; gen = gen->older)
		n += resolver__in_flight(gen->resolver);
	return n;
}

const struct generation *generation_of(const struct generation *current,
				       const struct resolver_event *event)
{
	const struct generation *gen = event->sb ? current : NULL;

	while (gen && (event->sb->config < gen->cf->blocks ||
		       event->sb->config >= gen->cf->blocks + gen->cf->blocks_len))
		gen = gen->older;
	return gen;
}

bool generation_waiting(const struct generation *gen, char *zones, size_t size)
{
	size_t n, at = 0;
	const struct server_block *blocks = resolver__blocks(gen->resolver, &n);
	bool waiting = false;

	zones[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		const struct corefile_block *block = blocks[i].config;

		if (server_block__answered(&blocks[i]))
			continue;
		for (size_t k = 0; k < block->zones_len && at < size; k++) {
			at += snprintf(zones + at, size - at, "%s%s", waiting ? "," : "",
				       block->zones[k].text);
			waiting = true;
		}
	}
	return waiting;
}
