// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What other processes see of the agent: what its parts say of themselves. Contract: agent_priv.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_priv.h"
#include "base/log.h"

static enum publish_state state_of(const struct agent *agent)
{
	if (!agent->reload)
		return PUBLISH_STARTING;
	return lifecycle_leaving(agent->lifecycle) ? PUBLISH_LEAVING : PUBLISH_RUNNING;
}

static void fill_config(const struct agent *agent, struct publish_info *info)
{
	const char *why;

	info->from_base = conf__from_base(agent->opts);
	snprintf(info->config_path, sizeof(info->config_path), "%s",
		 info->from_base ? agent->opts->basecorefile : agent->opts->conf);
	info->refused_s = 0;
	if (agent->metrics)
		snprintf(info->config_hash, sizeof(info->config_hash), "%.16s",
			 metrics_source_hash(agent->metrics));
	if (!agent->reload)
		return;
	info->config_read_s = reload_read_s(agent->reload);
	why = reload_refused(agent->reload, &info->refused_s);
	if (why)
		snprintf(info->refused, sizeof(info->refused), "%s", why);
}

static void fill_store(const struct agent *agent, struct publish_info *info)
{
	struct store_stats stats = { .bytes = 0 };

	if (!agent->store)
		return;
	store__stats(agent->store, &stats);
	memcpy(info->entries, stats.entries, sizeof(info->entries));
	memcpy(info->capacity, stats.capacity, sizeof(info->capacity));
	info->cache_bytes = stats.bytes;
	info->evicted = stats.evicted[0] + stats.evicted[1];
}

static void fill_plan(const struct agent *agent, struct publish_info *info)
{
	const struct plan *plan = agent->gen ? &agent->gen->plan : agent->plan;

	info->mode = plan->mode == MODE_STEER ? PUBLISH_STEER : PUBLISH_LISTEN;
	info->n_served = plan->n_served;
	info->n_listen = plan->n_listen;
	memcpy(info->served, plan->served, sizeof(info->served));
}

static void fill(void *ctx, struct publish_info *info)
{
	struct agent *agent = ctx;
	char why[ENDPOINTS_WHY] = "starting";
	enum not_ready not_ready = agent->reload ? agent_not_ready(agent, why) : NOT_READY;

	info->state = state_of(agent);
	info->front = agent->opts->mode == MODE_FRONT;
	info->kernel_path = agent->datapath != NULL;
	snprintf(info->no_path, sizeof(info->no_path), "%.*s", (int)sizeof(info->no_path) - 1,
		 agent->no_path.text);
	info->ready = not_ready == READY;
	/* /ready names these zones alone, as that of CoreDNS does its plugins */
	if (!info->ready)
		snprintf(info->why_not_ready, sizeof(info->why_not_ready), "%s%.*s",
			 not_ready == NOT_READY_UPSTREAMS ? "no upstream has answered yet for "
							  : "",
			 (int)sizeof(info->why_not_ready) - 64, why);
	info->steering = agent->steering && steering_on(agent->steering);
	fill_plan(agent, info);
	fill_config(agent, info);
	fill_store(agent, info);
}

static int read_kernel(void *ctx, uint64_t counters[NODENS_CTR_COUNT])
{
	return datapath__counters(((struct agent *)ctx)->datapath, counters);
}

static const struct corefile_block *block_of(const struct corefile *cf,
					     const struct corefile_forward *forward)
{
	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];

		if (forward >= block->forwards && forward < block->forwards + block->forwards_len)
			return block;
	}
	return NULL;
}

static bool view_upstream(void *ctx, size_t index, struct upstream_view *view, char *zones,
			  size_t size)
{
	const struct agent *agent = ctx;
	const struct corefile_block *block;

	if (!agent->gen || !upstreams__view(agent->gen->upstreams, index, view))
		return false;
	block = block_of(agent->gen->cf, view->forward);
	/* of a stub domain's forward or one for a part of the block, what it is for says more */
	if (block && !strcmp(view->forward->from.text, "."))
		snprintf(zones, size, "%s", block->zones[0].text);
	else
		snprintf(zones, size, "%s", view->forward->from.text);
	for (size_t i = 1; block && !strcmp(view->forward->from.text, ".") && i < block->zones_len;
	     i++)
		snprintf(zones + strlen(zones), size - strlen(zones), " %s", block->zones[i].text);
	return true;
}

/* Counters that others cannot read count all the same: without a datapath this is no failure. */
static int open_counters(struct agent *agent, bool mmapable, struct error *err)
{
	int ret = agent->publish_dir[0]
			  ? counters_map_open(&agent->counters, agent->publish_dir, mmapable)
			  : 0;

	if (!ret || !agent->datapath)
		return 0;
	return error__set(err, ret, "cannot make the map of the agent's counters: %s",
			  strerror(-ret));
}

static void set_run_dir(struct agent *agent)
{
	int ret = publish__run_dir(agent->publish_dir, true);

	if (!ret)
		return;
	log_warn("nodens status will know nothing of this agent: %s: %s", agent->publish_dir,
		 strerror(-ret));
	agent->publish_dir[0] = '\0';
}

int agent_open_publish(struct agent *agent, struct error *err)
{
	struct publish_config config = {
		.dir = agent->publish_dir,
		.mmapable = agent->datapath && datapath__features(agent->datapath)->mmapable,
		.info_table = PUBLISH_INFO,
		.fill = fill,
		.kernel = agent->datapath ? read_kernel : NULL,
		.upstream = view_upstream,
		.ctx = agent,
	};
	int ret;

	if (agent->datapath)
		snprintf(agent->publish_dir, sizeof(agent->publish_dir), "%s",
			 datapath__dir(agent->datapath));
	else
		set_run_dir(agent);
	ret = open_counters(agent, config.mmapable, err);
	if (ret)
		return ret;
	config.stats = agent->counters.stats;
	publish_open(&config, loop__now(&agent->loop), &agent->publish);
	publish_second(agent->publish, loop__now(&agent->loop));
	if (agent->datapath)
		device_board_open(agent->publish_dir, config.mmapable, &agent->board);
	return 0;
}

/* ---- standing by ---- */

static void fill_standby(void *ctx, struct publish_info *info)
{
	(void)ctx;
	info->state = PUBLISH_STANDING_BY;
}

void agent_open_publish_standby(struct agent *agent)
{
	struct publish_config config = {
		.dir = agent->publish_dir,
		.info_table = PUBLISH_STANDBY,
		.stats = agent->counters.stats,
		.fill = fill_standby,
		.ctx = agent,
	};

	set_run_dir(agent);
	publish_open(&config, loop__now(&agent->loop), &agent->publish);
	publish_second(agent->publish, loop__now(&agent->loop));
}

void agent_close_publish(struct agent *agent, bool remove)
{
	publish_close(agent->publish, remove);
	agent->publish = NULL;
	device_board_close(agent->board, remove);
	agent->board = NULL;
	counters_map_close(&agent->counters, remove);
	if (remove && !agent->datapath && agent->publish_dir[0])
		rmdir(agent->publish_dir);
	agent->publish_dir[0] = '\0';
}
