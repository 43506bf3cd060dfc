// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What the agent's page shows: what its parts say of themselves. Contract: agent_priv.h.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent_priv.h"

static void read_rates(const struct agent *agent, struct status *status)
{
	struct publish_base now = { .at_ns = status->now_ns };
	struct store_stats stats = { .bytes = 0 };

	if (agent->datapath)
		datapath__counters(agent->datapath, now.kernel);
	memcpy(now.agent, agent->counters.stats->v, sizeof(now.agent));
	store__stats(agent->store, &stats);
	now.evicted = stats.evicted[0] + stats.evicted[1];
	status->rates.from_agent = true;
	status__rates_between(&status->rates, &status->info.base, &now);
}

static void read_devices(const struct agent *agent, struct status *status)
{
	uint32_t n;
	const struct publish_device *rows = device_board_rows(agent->board, &n);

	status->devices = calloc(n + 1, sizeof(*rows));
	for (uint32_t i = 0; i < n && status->devices; i++) {
		if (rows[i].state != PUBLISH_NO_DEVICE)
			status->devices[status->n_devices++] = rows[i];
	}
}

static void read_upstreams(const struct agent *agent, struct status *status)
{
	const struct publish_upstream *row;
	uint32_t n = 0;

	while (publish_upstream(agent->publish, n))
		n++;
	status->upstreams = calloc(n + 1, sizeof(*row));
	while (status->upstreams && (row = publish_upstream(agent->publish, status->n_upstreams)))
		status->upstreams[status->n_upstreams++] = *row;
}

/* As `nodens status` reads it: cmd/status_read.c. */
static bool read_status(void *ctx, struct status *status)
{
	const struct agent *agent = ctx;
	const struct nodens_ctl *ctl = agent->control.ctl;
	const struct publish_info *info;

	if (!agent->gen || !agent->publish)
		return false;
	info = publish_info(agent->publish);
	*status = (struct status){
		.now_ns = loop__now(&agent->loop),
		.now_s = time(NULL),
		.agent = STATUS_ALIVE,
		.info = *info,
		.has_maps = agent->datapath != NULL,
		.pid = info->pid,
		.entries = info->entries[0] + info->entries[1],
		.capacity = info->capacity[0] + info->capacity[1],
		.bytes = info->cache_bytes,
	};
	if (agent->datapath) {
		status->beat_ns = ctl->heartbeat_ns;
		status->lease_ns = ctl->lease_ns;
		status->hung_ns = ctl->hung_ns;
		status->shed = ctl->shed;
		status->bytes = datapath__bytes(agent->datapath);
	}
	read_rates(agent, status);
	read_devices(agent, status);
	read_upstreams(agent, status);
	return true;
}

static void read_rcodes(void *ctx, uint64_t n[RCODE_COUNT])
{
	metrics__rcodes(metrics_source_metrics(((struct agent *)ctx)->metrics), n);
}

static bool read_upstream(void *ctx, size_t index, struct upstream_stats *out)
{
	return upstreams__metrics(((struct agent *)ctx)->gen->upstreams, index, out);
}

static bool read_probe(void *ctx, size_t index, struct probe_stats *out)
{
	return prober__stats(((struct agent *)ctx)->gen->prober, index, out);
}

int agent_open_figures(struct agent *agent)
{
	struct figures_config config = {
		.loop = &agent->loop,
		.status = read_status,
		.rcodes = read_rcodes,
		.upstream = read_upstream,
		.probe = read_probe,
		.ctx = agent,
	};

	return figures_open(&config, &agent->figures);
}
