// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What steering, link, sockets and devices are given of the other parts. Contract: agent_priv.h.
 */
#include <errno.h>

#include "agent_priv.h"

static void on_lost(void *ctx)
{
	agent_leave_loop(ctx, -ENODEV);
}

int agent_open_steering(struct agent *agent, const struct plan *plan)
{
	struct steering_config config = {
		.datapath = agent->datapath,
		.control = &agent->control,
		.addrs = plan->served,
		.n_addrs = plan->n_served,
		.lost = on_lost,
		.ctx = agent,
	};

	if (plan->mode != MODE_STEER || !agent->datapath)
		return 0;
	return steering_open(&config, &agent->steering);
}

static void on_link_failed(void *ctx, bool missing)
{
	struct metrics *metrics = metrics_source_metrics(((struct agent *)ctx)->metrics);

	metrics__setup_error(metrics, METRICS_SETUP_INTERFACE_CHECK);
	if (missing)
		metrics__setup_error(metrics, METRICS_SETUP_INTERFACE_ADD);
}

int agent_open_link(struct agent *agent)
{
	struct local_link_config config = {
		.opts = agent->opts,
		.failed = on_link_failed,
		.ctx = agent,
	};

	return local_link_open(&config, &agent->link);
}

static void on_query(void *ctx, const struct client *client, const struct dns_query *query,
		     uint64_t now)
{
	resolver__query(((struct agent *)ctx)->gen->resolver, client, query, now);
}

static void on_refused(void *ctx, const struct client *client, uint16_t rcode, const uint8_t *reply,
		       size_t size)
{
	struct agent *agent = ctx;

	metrics_source_refused(agent->metrics, client, rcode, size);
	events_refused(agent->events, client, reply, size);
}

static void on_shed(void *ctx, uint32_t what, bool on)
{
	control_shed(&((struct agent *)ctx)->control, what, on);
}

int agent_bind_sockets(struct agent *agent, const struct plan *plan)
{
	struct sockets_config config = {
		.loop = &agent->loop,
		.plan = plan,
		.has_link = agent->link,
		.query = on_query,
		.refused = on_refused,
		.device = agent_device_of,
		.shed = on_shed,
		.corefile = agent_corefile,
		.ctx = agent,
	};

	return sockets_bind(&config, &agent->sockets);
}

static bool on_device(void *ctx, const struct netdev *info, bool gone)
{
	struct agent *agent = ctx;

	if (!agent->steering || info->ifindex != steering_nd0(agent->steering))
		return false;
	if (!lifecycle_stopping(agent->lifecycle))
		steering_on_nd0(agent->steering, info, gone);
	return true;
}

int agent_open_devices(struct agent *agent)
{
	struct devices_config config = {
		.loop = &agent->loop,
		.opts = agent->opts,
		.datapath = agent->datapath,
		.stats = agent->counters.stats,
		.board = agent->board,
		.plan = agent_plan,
		.own = on_device,
		.ctx = agent,
	};

	return agent->datapath ? devices_open(&config, &agent->devices) : 0;
}
