// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What store, metrics and the configuration at work are given of the other parts. Contract:
 * agent_priv.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/userspace_only.h"
#include "agent_priv.h"
#include "base/log.h"
#include "datapath/clients.h"
#include "dnstap/tap.h"

const struct corefile *agent_corefile(void *ctx)
{
	return ((struct agent *)ctx)->gen->cf;
}

const struct plan *agent_plan(void *ctx)
{
	return &((struct agent *)ctx)->gen->plan;
}

uint32_t agent_device_of(void *ctx, const struct sockaddr *peer)
{
	const struct agent *agent = ctx;

	return agent->datapath ? clients__device_of(agent->datapath, peer) : 0;
}

void agent_leave_loop(void *ctx, int error)
{
	struct agent *agent = ctx;

	agent->fatal = error;
	event_base_loopbreak(agent->loop.events);
}

/* ---- the store ---- */

static void on_refresh(void *ctx, const struct store_question *question, uint64_t now)
{
	struct agent *agent = ctx;

	if (!agent->gen || lifecycle_stopping(agent->lifecycle))
		return;
	metrics_source_refresh(agent->metrics, question);
	resolver__refresh(agent->gen->resolver, question, now);
}

static struct store_series on_series(void *ctx, const struct nodens_slot *slot, uint16_t partition)
{
	return metrics_source_series(((struct agent *)ctx)->metrics, slot, partition);
}

static void on_commit(void *ctx)
{
	control_commit(&((struct agent *)ctx)->control);
}

int agent_open_store(struct agent *agent)
{
	struct store_config config = {
		.capacity = { agent->capacity[0], agent->capacity[1] },
		.bufsize = agent->opts->bufsize,
		.hash_key = (const uint64_t *)agent->control.ctl->hash_key,
		.nx_below_depths = (uint64_t *)&agent->control.ctl->nx_below_depths,
		.refresh = on_refresh,
		.series = on_series,
		.commit = on_commit,
		.ctx = agent,
	};
	struct publisher *publisher;
	int ret = agent->datapath ? datapath__publisher(agent->datapath, &publisher)
				  : userspace_only_publisher(agent->capacity, &publisher);

	if (!ret)
		ret = store__open(publisher, &config, loop__now(&agent->loop), &agent->store);
	if (ret)
		log_error("cannot open the store: %s", strerror(-ret));
	return ret;
}

/* ---- metrics, /health, /ready, logs ---- */

static struct store *store_of(void *ctx)
{
	return ((struct agent *)ctx)->store;
}

static struct generation *at_work(void *ctx)
{
	return ((struct agent *)ctx)->gen;
}

static int read_kernel(void *ctx, uint64_t counters[NODENS_CTR_COUNT])
{
	const struct agent *agent = ctx;

	if (agent->datapath)
		return datapath__counters(agent->datapath, counters);
	if (!agent->store) /* standing by */
		return -ENOENT;
	memset(counters, 0, NODENS_CTR_COUNT * sizeof(counters[0])); /* userspace only */
	return 0;
}

static const struct datapath *datapath_of(void *ctx)
{
	return ((struct agent *)ctx)->datapath;
}

static bool has_path(void *ctx)
{
	const struct agent *agent = ctx;

	return agent->devices && devices_have_path(agent->devices);
}

static void heartbeat(void *ctx, uint64_t *age_ns, uint64_t *lease_ns)
{
	const struct agent *agent = ctx;
	const struct nodens_ctl *ctl = agent->control.ctl;
	uint64_t now = loop__now(&agent->loop);

	/* standing by there is none */
	*age_ns = ctl && ctl->heartbeat_ns && ctl->heartbeat_ns < now ? now - ctl->heartbeat_ns : 0;
	*lease_ns = ctl ? ctl->lease_ns : 0;
}

enum not_ready agent_not_ready(struct agent *agent, char *why)
{
	if (!agent->gen) {
		snprintf(why, ENDPOINTS_WHY, "standing by: another agent runs");
		return NOT_READY;
	}
	if (lifecycle_leaving(agent->lifecycle)) {
		snprintf(why, ENDPOINTS_WHY, "leaving");
		return NOT_READY;
	}
	if (agent->datapath ? !has_path(agent) : !agent->gen->plan.n_listen) {
		snprintf(why, ENDPOINTS_WHY, "no kernel path");
		return NOT_READY;
	}
	if (generation_waiting(agent->gen, why, ENDPOINTS_WHY))
		return NOT_READY_UPSTREAMS;
	/* a beat later it begins, unless nd0 is down */
	if (agent->steering && !steering_on(agent->steering)) {
		const char *obstacle = steering_obstacle(agent->steering);

		snprintf(why, ENDPOINTS_WHY, "not steering%s%s", obstacle[0] ? ": " : "", obstacle);
		return NOT_READY;
	}
	return READY;
}

bool agent_ready(void *ctx, char *why)
{
	return agent_not_ready(ctx, why) == READY;
}

int agent_open_pods(struct agent *agent)
{
	int ret = pods__open(&agent->loop, agent->opts->cni_results, &agent->pods);

	if (ret)
		log_error("cannot find out pods' names: %s", strerror(-ret));
	return ret;
}

static bool pod_of(void *ctx, const struct client *client, uint32_t ifindex, struct pod_name *out)
{
	struct agent *agent = ctx;
	struct served_addr addr = served_addr__of(&client->peer);

	if (!ifindex)
		ifindex = agent_device_of(agent, &client->peer.sa);
	return agent->pods && pods__find(agent->pods, &addr, ifindex, out);
}

static int read_figures(void *ctx, struct evbuffer *out)
{
	return figures_get(((struct agent *)ctx)->figures, out);
}

int agent_open_observe(struct agent *agent)
{
	struct metrics_source_config metrics = {
		.loop = &agent->loop,
		.stats = agent->counters.stats,
		.store = store_of,
		.generation = at_work,
		.kernel = read_kernel,
		.kernel_path = has_path,
		.datapath = datapath_of,
		.heartbeat = heartbeat,
		.ctx = agent,
	};
	struct observe_config observe = {
		.loop = &agent->loop,
		.opts = agent->opts,
		.stats = agent->counters.stats,
		.ready = agent_ready,
		.figures = read_figures,
		.pod = pod_of,
		.ctx = agent,
	};
	int ret = metrics_source_open(&metrics, &agent->metrics);

	if (!ret)
		ret = agent_open_figures(agent);
	if (!ret) {
		observe.metrics = metrics_source_metrics(agent->metrics);
		ret = observe_open(&observe, &agent->observe);
	}
	if (ret)
		log_error("out of memory");
	return ret;
}

void agent_close_observe(struct agent *agent)
{
	observe_close(agent->observe);
	figures_close(agent->figures);
	metrics_source_close(agent->metrics);
	agent->observe = NULL;
	agent->figures = NULL;
	agent->metrics = NULL;
}

static int row_of(void *ctx, const struct upstream *upstream)
{
	return publish_upstream_row(((struct agent *)ctx)->publish, upstream);
}

static void on_hit(void *ctx, const struct hit *hit)
{
	struct agent *agent = ctx;

	observe_hit(agent->observe, agent->gen, hit);
}

static void on_own_session(void *ctx, const struct session *session)
{
	events_ignore(((struct agent *)ctx)->events, session);
}

/* Where the programs' rings are not to be had. What goes wrong is logged, and no reason to end. */
static int open_viewers(struct agent *agent, struct events_config *config)
{
	char path[PATH_MAX + sizeof(PUBLISH_WATCH) + 1];
	int ret = publish__run_dir(agent->watch_dir, true);

	if (ret) {
		log_warn("nobody can look at single queries (nodens trace): %s: %s",
			 agent->watch_dir, strerror(-ret));
		agent->watch_dir[0] = '\0';
		return 0;
	}
	snprintf(path, sizeof(path), "%s/" PUBLISH_WATCH, agent->watch_dir);
	config->socket = path;
	return events_open(config, &agent->events);
}

static int open_hit_log(struct agent *agent)
{
	const struct hit_log_config config = {
		.loop = &agent->loop,
		.datapath = agent->datapath,
		.stats = agent->counters.stats,
		.hit = on_hit,
		.session = on_own_session,
		.ctx = agent,
	};
	int ret = agent->datapath ? hit_log_open(&config, &agent->hit_log) : 0;

	if (ret)
		log_error("out of memory");
	return ret;
}

int agent_open_events(struct agent *agent)
{
	struct events_config config = {
		.loop = &agent->loop,
		.device = agent_device_of,
		.row = row_of,
		.ctx = agent,
	};
	int ret;

	if (agent->datapath && datapath__features(agent->datapath)->sessions) {
		config.datapath = agent->datapath;
		ret = events_open(&config, &agent->events);
	} else {
		ret = open_viewers(agent, &config);
	}
	/* what the agent does nobody sees then, the rest is as ever */
	return ret == -ENOMEM ? ret : open_hit_log(agent);
}

void agent_close_events(struct agent *agent)
{
	events_close(agent->events);
	agent->events = NULL;
	/* stays where there are tables in it */
	if (agent->watch_dir[0])
		rmdir(agent->watch_dir);
	agent->watch_dir[0] = '\0';
}

/* ---- the configuration at work ---- */

static void on_upstream(void *ctx, const union sockaddr_any *addr, bool up, const char *reason)
{
	char text[64];

	(void)ctx;
	if (up)
		log_info("upstream %s answers again", sockaddr__text(addr, text, sizeof(text)));
	else
		log_warn("upstream %s does not answer: %s",
			 sockaddr__text(addr, text, sizeof(text)), reason);
}

static void on_dropped(void *ctx, const struct corefile_forward *forward)
{
	metrics_source_dropped(((struct agent *)ctx)->metrics, forward);
}

static void on_reply(void *ctx, const struct client *client, const uint8_t *msg, size_t len)
{
	sockets_reply(((struct agent *)ctx)->sockets, client, msg, len);
}

static void on_overload(void *ctx, bool overloaded)
{
	struct agent *agent = ctx;

	control_shed(&agent->control, NODENS_SHED_LOAD, overloaded);
	if (!overloaded)
		log_warn("no longer overloaded");
	else if (!agent->steering)
		log_warn("overloaded: queries may be turned away");
	else
		log_warn("overloaded: new queries go on to %s", agent->opts->mode == MODE_FRONT
									? "the cache behind nodens"
									: "the cluster's DNS");
}

static void on_replied(void *ctx, const struct resolver_event *event)
{
	struct agent *agent = ctx;
	const struct generation *gen = generation_of(agent->gen, event);

	metrics_source_replied(agent->metrics, gen, event);
	if (!event->hit)
		publish_missed(agent->publish, loop__now(&agent->loop), event->duration_ns);
	if (gen)
		observe_replied(agent->observe, gen, event);
	events_replied(agent->events, event);
}

static void on_query_dropped(void *ctx, const struct resolver_event *event)
{
	struct agent *agent = ctx;
	const struct generation *gen = generation_of(agent->gen, event);

	if (gen)
		observe_dropped(gen, event);
	events_replied(agent->events, event);
}

static void on_exchanged(void *ctx, const struct upstream_exchanged *exchanged)
{
	observe_exchanged(((struct agent *)ctx)->gen, exchanged);
}

static void on_tap(void *ctx, const char *to, int error)
{
	(void)ctx;
	if (error)
		log_warn("dnstap: %s: %s; it is tried again each second, and messages are lost "
			 "meanwhile",
			 to, tap__reason(error));
	else
		log_info("dnstap: %s takes messages", to);
}

/* As CoreDNS: one of the upstreams is this very agent. */
static void on_loop(void *ctx, const struct client *client, const char *zone,
		    const struct dns_name *probe)
{
	char peer[64], local[64], name[1024] = "?";

	dns_name__to_text(probe, name, sizeof(name));
	log_error("plugin/loop: Loop (%s -> %s) detected for zone \"%s\", see "
		  "https://coredns.io/plugins/loop#troubleshooting. Query: \"HINFO %s\": what is "
		  "forwarded for the zone comes back here; name other upstreams",
		  sockaddr__text(&client->peer, peer, sizeof(peer)),
		  sockaddr__text(&client->local, local, sizeof(local)), zone, name);
	/* every query for the zone would go round until it times out: better none is taken at all
	 */
	agent_leave_loop(ctx, -ELOOP);
}

static void on_probe_problem(void *ctx, const char *text)
{
	(void)ctx;
	log_warn("%s", text);
}

static void on_error_line(void *ctx, enum log_level level, const char *text)
{
	observe_error_line(((struct agent *)ctx)->observe, level, text);
}

int agent_open_generation(struct agent *agent, struct corefile *cf, const struct plan *plan)
{
	struct generation_config config = {
		.loop = &agent->loop,
		.stats = agent->counters.stats,
		.store = agent->store,
		.bufsize = agent->opts->bufsize,
		.upstream_changed = on_upstream,
		.dropped = on_dropped,
		.device = agent_device_of,
		.reply = on_reply,
		.overload = on_overload,
		.replied = on_replied,
		.query_dropped = on_query_dropped,
		.looped = on_loop,
		.probe_problem = on_probe_problem,
		.exchanged = on_exchanged,
		.tap_changed = on_tap,
		.error_line = on_error_line,
		.ctx = agent,
	};
	struct generation *gen;
	int ret = generation_open(&config, cf, plan, &gen);

	if (ret)
		return ret;
	observe_level(agent->opts, gen->cf);
	metrics_source_configure(agent->metrics, gen->cf);
	if (!generation_take_over(&agent->gen, gen, agent->store,
				  agent->capacity[0] + agent->capacity[1], loop__now(&agent->loop)))
		metrics__series_set(metrics_source_metrics(agent->metrics));
	return 0;
}

static int take(void *ctx, struct corefile *cf, const struct plan *plan)
{
	struct agent *agent = ctx;
	int ret = agent_open_generation(agent, cf, plan);

	if (ret)
		return ret;
	observe_configure(agent->observe, agent->gen->cf);
	hit_log_configure(agent->hit_log, agent->gen->cf);
	upstreams__probe(agent->gen->upstreams);
	resolver__watch_loops(agent->gen->resolver, loop__now(&agent->loop));
	return 0;
}

static void on_config_map_refused(void *ctx)
{
	struct agent *agent = ctx;

	metrics__setup_error(metrics_source_metrics(agent->metrics), METRICS_SETUP_CONFIGMAP);
}

int agent_open_reload(struct agent *agent, struct conf_watch *watch)
{
	struct reload_config config = {
		.opts = agent->opts,
		.stats = agent->counters.stats,
		.corefile = agent_corefile,
		.plan = agent_plan,
		.take = take,
		.refused = on_config_map_refused,
		.ctx = agent,
	};
	int ret = reload_open(&config, watch, &agent->reload);

	if (ret)
		log_error("out of memory");
	return ret;
}
