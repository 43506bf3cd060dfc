// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The tables of the agent and its upstreams. Contract: publish.h.
 */
#include "agent/publish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/quantiles.h"
#include "base/version.h"
#include "publish/table.h"

/* Readings of a second each: the oldest is what rates are counted from. */
#define READINGS 11

#define FIRST_UPSTREAMS 8

struct upstream_reading {
	uint64_t queries, timeouts, errors;
};

/* What is known of an upstream between two seconds; found by its address and protocol. */
struct upstream_entry {
	struct publish_upstream row;
	union sockaddr_any addr;
	struct upstream_reading reading[READINGS];
	bool seen; /* in this second */
};

struct publish {
	struct publish_config config;
	struct table info_table, upstream_table;
	struct publish_info info;
	struct quantiles missed;
	struct publish_base reading[READINGS];
	unsigned int n_readings; /* so far; the newest is at (n - 1) % READINGS */
	struct upstream_entry *upstreams;
	uint32_t n_upstreams, cap_upstreams;
};

/* ---- counters ---- */

static struct publish_base *reading_at(struct publish *publish, unsigned int n)
{
	return &publish->reading[n % READINGS];
}

/* The oldest that is kept. */
static unsigned int oldest(const struct publish *publish)
{
	return publish->n_readings > READINGS ? publish->n_readings - READINGS : 0;
}

static void count_events(const struct publish_base *at, uint64_t n[PUBLISH_EVENTS])
{
	const uint64_t *kernel = at->kernel, *agent = at->agent;

	n[PUBLISH_EVICTED] = at->evicted;
	n[PUBLISH_SHED] = kernel[NODENS_CTR_STEER_SHED] + agent[AGENT_STAT_SHED];
	n[PUBLISH_CLIENT_FULL] = agent[AGENT_STAT_CLIENT_FULL];
	n[PUBLISH_RECEIVE_DROP] = agent[AGENT_STAT_RECEIVE_DROPS];
	n[PUBLISH_REPLY_DROP] = agent[AGENT_STAT_REPLY_DROPS];
	n[PUBLISH_LOG_DROP] = agent[AGENT_STAT_LOG_DROPPED];
	n[PUBLISH_LOG_HIT_LOST] = agent[AGENT_STAT_LOG_HITS_LOST];
	n[PUBLISH_CONFLICT] = kernel[NODENS_CTR_STEER_CONFLICT] + kernel[NODENS_CTR_STEER_FULL];
}

static void note_events(struct publish *publish, const struct publish_base *before,
			const struct publish_base *after, uint64_t now)
{
	uint64_t old[PUBLISH_EVENTS], new[PUBLISH_EVENTS];

	count_events(before, old);
	count_events(after, new);
	for (int i = 0; i < PUBLISH_EVENTS; i++) {
		struct publish_episode *episode = &publish->info.episodes[i];

		if (new[i] <= old[i])
			continue;
		if (!episode->last_ns || now - episode->last_ns > PUBLISH_EPISODE_NS)
			*episode = (struct publish_episode){ .begun_ns = now };
		episode->last_ns = now;
		episode->n += new[i] - old[i];
	}
}

static void take_reading(struct publish *publish, uint64_t now)
{
	struct publish_base *reading = reading_at(publish, publish->n_readings);

	*reading = (struct publish_base){ .at_ns = now, .evicted = publish->info.evicted };
	memcpy(reading->agent, publish->config.stats->v, sizeof(reading->agent));
	if (publish->config.kernel)
		publish->config.kernel(publish->config.ctx, reading->kernel);
	if (publish->n_readings)
		note_events(publish, reading_at(publish, publish->n_readings - 1), reading, now);
	publish->n_readings++;
	publish->info.base = *reading_at(publish, oldest(publish));
}

/* ---- upstreams ---- */

static enum publish_proto proto_of(bool tls, bool tcp)
{
	return tls ? PUBLISH_TLS : tcp ? PUBLISH_TCP : PUBLISH_UDP;
}

/* n_upstreams: there is none. */
static uint32_t find(const struct publish *publish, const union sockaddr_any *addr,
		     enum publish_proto proto)
{
	uint32_t i = 0;

	for (; i < publish->n_upstreams; i++) {
		const struct upstream_entry *entry = &publish->upstreams[i];

		if (entry->row.proto == proto &&
		    sockaddr__port(&entry->addr) == sockaddr__port(addr) &&
		    sockaddr__same_ip(&entry->addr, addr))
			break;
	}
	return i;
}

int publish_upstream_row(const struct publish *publish, const struct upstream *upstream)
{
	const union sockaddr_any *addr;
	bool tls, tcp;
	uint32_t i;

	if (!publish)
		return -1;
	addr = upstream__addr(upstream, &tls, &tcp);
	i = find(publish, addr, proto_of(tls, tcp));
	return i < publish->n_upstreams ? (int)i : -1;
}

static bool grow(struct publish *publish)
{
	uint32_t cap = publish->cap_upstreams ? 2 * publish->cap_upstreams : FIRST_UPSTREAMS;
	struct upstream_entry *more = realloc(publish->upstreams, cap * sizeof(*more));
	struct table table = { .fd = -1 };
	int ret = 0;

	if (!more)
		return false;
	publish->upstreams = more;
	publish->cap_upstreams = cap;
	if (publish->config.dir[0])
		ret = table__create(&table, publish->config.dir, PUBLISH_UPSTREAMS,
				    sizeof(struct publish_upstream), cap, publish->config.mmapable);
	if (ret)
		log_debug("the table of upstreams: %s", strerror(-ret));
	table__close(&publish->upstream_table);
	publish->upstream_table = table;
	return true;
}

/* Forwards that name one address are one row. */
static struct upstream_entry *entry_of(struct publish *publish, const struct upstream_view *view)
{
	enum publish_proto proto = proto_of(view->tls, view->tcp);
	uint32_t i = find(publish, view->addr, proto);
	struct upstream_entry *entry;

	if (i < publish->n_upstreams)
		return &publish->upstreams[i];
	if (publish->n_upstreams == publish->cap_upstreams && !grow(publish))
		return NULL;
	entry = &publish->upstreams[publish->n_upstreams++];
	memset(entry, 0, sizeof(*entry));
	entry->addr = *view->addr;
	sockaddr__text(view->addr, entry->row.to, sizeof(entry->row.to));
	entry->row.proto = proto;
	for (int i = 0; i < READINGS; i++)
		entry->reading[i] =
			(struct upstream_reading){ view->queries, view->timeouts, view->errors };
	return entry;
}

/* Before those that are there: the last forward of the configuration comes first. */
static void add_zones(char *to, size_t size, const char *zones)
{
	size_t len = strlen(to), zones_len = strlen(zones);

	if (len + zones_len + 2 > size || (len >= zones_len && !strncmp(to, zones, zones_len)))
		return;
	memmove(to + zones_len + (len > 0), to, len + 1);
	memcpy(to, zones, zones_len);
	if (len)
		to[zones_len] = ' ';
}

/* Down for one forward and up for another: what is worse is what is to be seen. */
static void merge(struct upstream_entry *entry, const struct upstream_view *view, const char *zones)
{
	enum publish_upstream_state state = view->down	  ? PUBLISH_DOWN
					    : view->heard ? PUBLISH_UP
							  : PUBLISH_UNHEARD;
	struct publish_upstream *row = &entry->row;

	if (!entry->seen) {
		row->zones[0] = row->reason[0] = '\0';
		row->state = PUBLISH_NO_UPSTREAM;
	}
	entry->seen = true;
	add_zones(row->zones, sizeof(row->zones), zones);
	if (row->state == PUBLISH_NO_UPSTREAM || state == PUBLISH_DOWN ||
	    (state == PUBLISH_UNHEARD && row->state == PUBLISH_UP)) {
		row->state = state;
		row->since_ns = view->since_ns;
		snprintf(row->reason, sizeof(row->reason), "%s", view->reason);
	}
	row->queries = view->queries;
	row->timeouts = view->timeouts;
	row->failures = view->errors;
	row->rtt_p50_ns = view->rtt_p50_ns;
	row->rtt_p99_ns = view->rtt_p99_ns;
}

static void put_upstream(struct publish *publish, uint32_t i)
{
	struct upstream_entry *entry = &publish->upstreams[i];
	const struct upstream_reading *base = &entry->reading[oldest(publish) % READINGS];

	/* n_readings was counted up before: this is its newest */
	entry->reading[(publish->n_readings - 1) % READINGS] =
		(struct upstream_reading){ entry->row.queries, entry->row.timeouts,
					   entry->row.failures };
	entry->row.base_ns = publish->info.base.at_ns;
	entry->row.base_queries = base->queries;
	entry->row.base_timeouts = base->timeouts;
	entry->row.base_failures = base->errors;
	table__put(&publish->upstream_table, i, &entry->row);
}

/* Those of a configuration that is no longer at work go; rows close up. */
static void drop_unseen(struct publish *publish)
{
	struct publish_upstream none = { .state = PUBLISH_NO_UPSTREAM };
	uint32_t n = 0, before = publish->n_upstreams;

	for (uint32_t i = 0; i < before; i++) {
		if (!publish->upstreams[i].seen)
			continue;
		if (n != i)
			publish->upstreams[n] = publish->upstreams[i];
		n++;
	}
	publish->n_upstreams = n;
	for (; n < before; n++)
		table__put(&publish->upstream_table, n, &none);
}

static void publish_upstreams(struct publish *publish)
{
	struct upstream_entry *entry;
	struct upstream_view view;
	char zones[256];

	for (uint32_t i = 0; i < publish->n_upstreams; i++)
		publish->upstreams[i].seen = false;
	for (size_t i = 0;
	     publish->config.upstream(publish->config.ctx, i, &view, zones, sizeof(zones)); i++) {
		entry = entry_of(publish, &view);
		if (entry)
			merge(entry, &view, zones);
	}
	drop_unseen(publish);
	for (uint32_t i = 0; i < publish->n_upstreams; i++)
		put_upstream(publish, i);
}

/* ---- the whole ---- */

void publish_second(struct publish *publish, uint64_t now)
{
	struct publish_info *info;

	if (!publish)
		return;
	info = &publish->info;
	info->why_not_ready[0] = info->refused[0] = '\0';
	publish->config.fill(publish->config.ctx, info);
	info->written_ns = now;
	info->miss_p50_ns = quantiles__get(&publish->missed, now, 50);
	info->miss_p99_ns = quantiles__get(&publish->missed, now, 99);
	take_reading(publish, now);
	table__put(&publish->info_table, 0, info);
	if (publish->config.upstream)
		publish_upstreams(publish);
}

const struct publish_info *publish_info(const struct publish *publish)
{
	return &publish->info;
}

const struct publish_base *publish_reading(const struct publish *publish, unsigned int back)
{
	if (!publish || back >= READINGS || back >= publish->n_readings)
		return NULL;
	return &publish->reading[(publish->n_readings - 1 - back) % READINGS];
}

const struct publish_upstream *publish_upstream(const struct publish *publish, uint32_t index)
{
	return index < publish->n_upstreams ? &publish->upstreams[index].row : NULL;
}

void publish_missed(struct publish *publish, uint64_t now, uint64_t duration_ns)
{
	if (publish)
		quantiles__add(&publish->missed, now, duration_ns);
}

int publish_open(const struct publish_config *config, uint64_t now, struct publish **out)
{
	struct publish *publish = calloc(1, sizeof(*publish));
	int ret = 0;

	*out = NULL;
	if (publish) {
		publish->config = *config;
		publish->info_table.fd = publish->upstream_table.fd = -1;
	}
	if (!publish || (config->upstream && !grow(publish))) {
		log_warn("nodens status will know little of this agent: out of memory");
		publish_close(publish, false);
		return -ENOMEM;
	}
	if (config->dir[0])
		ret = table__create(&publish->info_table, config->dir, config->info_table,
				    sizeof(publish->info), 1, config->mmapable);
	if (ret)
		log_warn("nodens status will know little of this agent: %s/%s: %s", config->dir,
			 config->info_table, strerror(-ret));
	publish->info.pid = getpid();
	publish->info.started_ns = now;
	gethostname(publish->info.node, sizeof(publish->info.node) - 1);
	snprintf(publish->info.version, sizeof(publish->info.version), "%s", version__number);
	snprintf(publish->info.revision, sizeof(publish->info.revision), "%s", version__revision);
	*out = publish;
	return 0;
}

void publish_close(struct publish *publish, bool remove)
{
	if (!publish)
		return;
	if (remove) {
		table__remove(&publish->info_table);
		table__remove(&publish->upstream_table);
	}
	table__close(&publish->info_table);
	table__close(&publish->upstream_table);
	free(publish->upstreams);
	free(publish);
}
