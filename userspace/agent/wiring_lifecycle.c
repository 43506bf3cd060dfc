// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What beginning and end of the agent mean for its parts. Contract: agent_priv.h.
 */
#include "agent_priv.h"
#include "base/log.h"

static bool answered(void *ctx)
{
	return upstreams__answered(((struct agent *)ctx)->gen->upstreams, NULL);
}

static void probe(void *ctx)
{
	upstreams__probe(((struct agent *)ctx)->gen->upstreams);
}

static bool waiting(void *ctx, char *zones, size_t size)
{
	return generation_waiting(((struct agent *)ctx)->gen, zones, size);
}

static bool begin(void *ctx, uint64_t now)
{
	struct agent *agent = ctx;

	if (agent->steering && !steering_possible(agent->steering))
		return false;
	if (agent->steering) {
		steering_set(agent->steering, true);
		/* only now can a question of ours come back by way of a pod */
		resolver__watch_loops(agent->gen->resolver, now);
	}
	publish_second(agent->publish, now);
	log_info("the upstreams of all zones answer%s", agent->steering ? ": steering" : "");
	return true;
}

static bool begun(void *ctx)
{
	const struct agent *agent = ctx;

	return !agent->steering || steering_on(agent->steering);
}

static void on_reload(void *ctx, const char *signal)
{
	struct agent *agent = ctx;

	if (agent->reload)
		reload_now(agent->reload, signal);
	else
		agent->reread = true;
}

/* For how long queries are answered on after SIGTERM. */
static uint64_t lameduck_of(const struct corefile *cf)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < cf->blocks_len; i++) {
		if (cf->blocks[i].health.enabled && cf->blocks[i].health_lameduck_ns > longest)
			longest = cf->blocks[i].health_lameduck_ns;
	}
	return longest;
}

static uint64_t on_leave(void *ctx, const char *signal)
{
	const struct agent *agent = ctx;
	const char *what =
		agent->opts->persist && agent->datapath ? ", programs and cache stay" : "";
	uint64_t lameduck = lameduck_of(agent->gen->cf);

	if (lameduck)
		log_info("%s: leaving in %llu.%03llu s (lameduck)%s; a second signal ends at once",
			 signal, (unsigned long long)(lameduck / NSEC_PER_SEC),
			 (unsigned long long)(lameduck % NSEC_PER_SEC / NSEC_PER_MS), what);
	else
		log_info("%s: leaving%s", signal, what);
	return lameduck;
}

static void on_stop(void *ctx)
{
	const struct agent *agent = ctx;

	if (agent->steering)
		steering_set(agent->steering, false);
}

static unsigned int in_flight(void *ctx)
{
	return generation_in_flight(((struct agent *)ctx)->gen);
}

int agent_open_lifecycle(struct agent *agent)
{
	struct lifecycle_config config = {
		.loop = &agent->loop,
		.answered = answered,
		.probe = probe,
		.waiting = waiting,
		.begin = begin,
		.begun = begun,
		.reload = on_reload,
		.leave = on_leave,
		.stop = on_stop,
		.in_flight = in_flight,
		.ctx = agent,
	};

	return lifecycle_open(&config, &agent->lifecycle);
}
