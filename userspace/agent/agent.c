// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Start, beat and end of the agent. Contract: agent.h.
 */
#include "agent/agent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent_priv.h"
#include "base/clock.h"
#include "link/notrack.h"
#include "agent/notify.h"

#define BEAT_NS	      (100 * NSEC_PER_MS)
#define TICK_NS	      (250 * NSEC_PER_MS) /* of the store */
#define SHED_ABOVE    4096		  /* exchanges under way */
#define MAX_EXCHANGES 16384		  /* each may hold a socket */
#define RESERVED_FDS  2048		  /* connections, programs, maps */

void agent__on_upstream(void *ctx, const union sockaddr_any *addr, bool up, const char *reason)
{
	char text[64];

	(void)ctx;
	if (up)
		log_info("upstream %s answers again", sockaddr__text(addr, text, sizeof(text)));
	else
		log_warn("upstream %s does not answer: %s",
			 sockaddr__text(addr, text, sizeof(text)), reason);
}

void agent__on_overload(void *ctx, bool overloaded)
{
	struct agent *agent = ctx;

	control_shed(&agent->control, NODENS_SHED_LOAD, overloaded);
	if (!overloaded)
		log_warn("no longer overloaded");
	else
		log_warn("overloaded: %s", agent->bare ? "queries may be turned away"
						       : "new queries go on to the cluster's DNS");
}

void agent__on_reply(void *ctx, const struct client *client, const uint8_t *msg, size_t len)
{
	struct agent *agent = ctx;

	server__reply(agent->server, client, msg, len);
}

static void on_beat(void *arg, uint64_t now)
{
	struct agent *agent = arg;

	control_beat(&agent->control, now);
	agent_map__sync(&agent->map);
	agent_observe__beat(agent);
	agent_phases__beat(agent, now);
	notify__beat(now);
}

static void on_second(void *arg, uint64_t now)
{
	struct agent *agent = arg;

	agent_observe__tick(agent, now);
	if (agent->stopping)
		return;
	agent_phases__wait(agent, now);
	resolver__tick(agent->gen->resolver, now);
	generation__reap(agent, now);
	agent__watch(agent, now);
	if (agent->gen->plan.wildcard) {
		plan__local_addrs(&agent->gen->plan);
		control_serve(&agent->control, &agent->gen->plan);
	}
	agent_link__review(agent);
	agent_devices__review(agent);
	agent_bare__remind(agent, now);
}

static void log_features(const struct datapath_features *features)
{
	char *text = NULL, *line, *save;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	datapath_features__print(features, out);
	fclose(out);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		log_debug("%s", line);
	free(text);
}

static void on_refresh(void *ctx, const struct store_question *question, uint64_t now)
{
	struct agent *agent = ctx;

	if (!agent->gen || agent->stopping)
		return;
	agent_metrics__refresh(agent, question);
	resolver__refresh(agent->gen->resolver, question, now);
}

static void on_commit(void *ctx)
{
	control_commit(&((struct agent *)ctx)->control);
}

static int open_store(struct agent *agent, const uint32_t capacity[2])
{
	struct store_config config = {
		.bufsize = agent->opts->bufsize,
		.hash_key = (const uint64_t *)agent->control.ctl->hash_key,
		.cut_depths = (uint64_t *)&agent->control.ctl->cut_depths,
		.refresh = on_refresh,
		.hits = agent__on_hits,
		.commit = on_commit,
		.ctx = agent,
	};
	struct publisher *publisher;
	int ret;

	memcpy(config.capacity, capacity, sizeof(config.capacity));
	ret = agent->datapath ? datapath__publisher(agent->datapath, &publisher)
			      : agent_bare__publisher(capacity, &publisher);
	if (!ret)
		ret = store__open(publisher, &config, loop__now(&agent->loop), &agent->store);
	if (ret)
		log_error("cannot open the store: %s", strerror(-ret));
	return ret;
}

static int open_datapath(struct agent *agent, const struct corefile *cf, const struct plan *plan)
{
	struct datapath_config config = {
		.pin_dir = agent->opts->bpffs,
		.pretend = agent->opts->pretend_kernel,
		.adopt = true,
	};
	struct error err = { .text = "" };
	int ret;

	plan__capacity(agent->opts, cf, config.capacity);
	ret = agent_bare__open_kern(agent, &config, plan, &err);
	if (ret) {
		log_error("%s", err.text);
		return ret;
	}
	if (agent->datapath) {
		log_features(datapath__features(agent->datapath));
		agent->had_pins = datapath__adopted(agent->datapath);
		ret = agent_map__open(&agent->map, agent->datapath);
		if (ret) {
			log_error("cannot make the map of the agent's counters: %s",
				  strerror(-ret));
			return ret;
		}
	}
	ret = control_open(&agent->control, agent->datapath);
	if (ret) {
		log_error("no random bytes for the store's key");
		return ret;
	}
	memcpy(agent->capacity, config.capacity, sizeof(agent->capacity));
	return open_store(agent, config.capacity);
}

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

static int open_generation(struct agent *agent, struct corefile *cf, const struct plan *plan)
{
	struct generation *gen;
	int ret;

	agent->max_exchanges = max_exchanges();
	agent->shed_above =
		agent->max_exchanges / 2 < SHED_ABOVE ? agent->max_exchanges / 2 : SHED_ABOVE;
	ret = generation__open(agent, cf, plan, &gen);
	if (!ret)
		generation__take_over(agent, gen, loop__now(&agent->loop));
	return ret;
}

static int write_pidfile(struct agent *agent)
{
	const char *path = agent->opts->pidfile;
	int fd, ret = 0;

	if (!path)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || dprintf(fd, "%d\n", getpid()) < 0) {
		ret = -errno;
		log_error("-pidfile %s: %s", path,
			  ret == -ELOOP ? "is a symbolic link, which is not followed"
					: strerror(-ret));
	}
	agent->pidfile_written = fd >= 0;
	if (fd >= 0)
		close(fd);
	return ret;
}

static void on_tick(void *arg, uint64_t now)
{
	struct agent *agent = arg;

	if (!agent->stopping)
		store__tick(agent->store, now);
}

static int open_timers(struct agent *agent)
{
	loop_timer__init(&agent->beat, &agent->loop, on_beat, agent);
	loop_timer__init(&agent->second, &agent->loop, on_second, agent);
	loop_timer__init(&agent->tick, &agent->loop, on_tick, agent);
	if (loop_timer__every(&agent->tick, TICK_NS) || loop_timer__every(&agent->beat, BEAT_NS) ||
	    loop_timer__every(&agent->second, NSEC_PER_SEC)) {
		log_error("out of memory");
		return -ENOMEM;
	}
	return 0;
}

static int agent_open(struct agent *agent, struct corefile *cf, const struct plan *plan)
{
	int ret;

	if (loop__open(&agent->loop)) {
		log_error("cannot make an event loop");
		corefile__free(cf);
		return -ENOMEM;
	}
	agent_observe__level(agent, cf);
	ret = agent_phases__open(agent);
	if (!ret)
		ret = agent_standby__open(agent, cf);
	if (!ret)
		ret = open_datapath(agent, cf, plan);
	if (!ret)
		ret = agent_observe__open(agent);
	if (ret)
		corefile__free(cf);
	else
		ret = open_generation(agent, cf, plan);
	if (!ret)
		ret = agent_sockets__open(agent);
	if (ret)
		return ret;
	plan__local_addrs(&agent->gen->plan);
	control_begin(&agent->control, agent->opts, &agent->gen->plan, agent->netns,
		      loop__now(&agent->loop));
	ret = agent_observe__configure(agent, agent->gen->cf);
	if (!ret)
		ret = agent_devices__open(agent);
	if (!ret)
		ret = open_timers(agent);
	return ret ? ret : write_pidfile(agent);
}

static void unpin(struct agent *agent)
{
	struct error err = { .text = "" };

	/*
	 * What a first pass could not take off: XDP comes off a bridge's port only after it is off
	 * the bridge.
	 */
	if (agent->monitor_opened && attach__detach_all(agent->opts->bpffs, NULL, &err) < 0)
		log_warn("%s", err.text);
	datapath__unpin(agent->opts->bpffs);
}

/* @leave: programs and maps stay as they are. */
static void agent_close(struct agent *agent, bool detach, bool unpins)
{
	if (agent->control.ctl && agent->control.ctl->steer)
		agent__set_steer(agent, false);
	agent_devices__close(agent, detach);
	while (agent->gen) {
		struct generation *older = agent->gen->older;

		generation__close(agent->gen);
		agent->gen = older;
	}
	agent_observe__close(agent);
	server__close(agent->server);
	agent_link__close(agent, detach && !agent->opts->skipteardown);
	netns__close(agent->netns);
	store__close(agent->store);
	agent_map__close(&agent->map);
	if (agent->datapath && unpins)
		unpin(agent);
	datapath__close(agent->datapath);
	loop_timer__stop(&agent->beat);
	loop_timer__stop(&agent->second);
	loop_timer__stop(&agent->tick);
	for (size_t i = 0; i < sizeof(agent->signals) / sizeof(agent->signals[0]); i++) {
		if (agent->signals[i])
			event_free(agent->signals[i]);
	}
	loop__close(&agent->loop);
	conf_watch__free(agent->watch);
	if (agent->pidfile_written)
		unlink(agent->opts->pidfile);
	/* Last: whoever waits for it makes at once what is removed here. */
	if (agent->lock_fd >= 0)
		close(agent->lock_fd);
}

static void on_notrack(const char *tool, const struct served_addr *addr, int n)
{
	char text[INET6_ADDRSTRLEN] = "?";

	served_addr__text(addr, text, sizeof(text));
	log_warn("%d NOTRACK rules for %s in table raw, left by a node-cache that was killed: "
		 "queries "
		 "that pass on to the cluster's DNS get no answer, and none does once nodens ends. "
		 "Remove them: %s-save -t raw | sed -n '/%s[ /].*\\(NOTRACK\\|--notrack\\)/"
		 "s/^-A/%s -t raw -D/p' | sh",
		 n, text, tool, text, tool);
}

static void say_notes(const struct agent *agent, const struct conf *conf)
{
	for (unsigned int i = 0; i < agent->opts->n_ignored; i++)
		log_info("%s", agent->opts->ignored[i]);
	notrack__find(agent->gen->plan.served, agent->gen->plan.n_served, on_notrack);
	for (size_t i = 0; i < conf->notes.len; i++)
		log_warn("%s", conf->notes.text[i]);
	if (conf->plan->warning[0])
		log_warn("%s", conf->plan->warning);
	if (conf->plan->why_mode && !agent->bare)
		log_info("mode: %s, because %s",
			 conf->plan->mode == MODE_STEER ? "steer" : "listen", conf->plan->why_mode);
}

int agent__run(const struct run_options *opts, struct conf *conf)
{
	struct corefile *cf = conf->cf;
	struct agent *agent = calloc(1, sizeof(*agent));
	int ret;

	if (!agent) {
		log_error("out of memory");
		return -ENOMEM;
	}
	conf->cf = NULL;
	agent->watch = conf->watch;
	conf->watch = NULL;
	agent->opts = opts;
	agent->map.fd = -1;
	agent->lock_fd = -1;
	agent->map.stats = &agent->map.own;
	list__init(&agent->devices);
	ret = agent_open(agent, cf, conf->plan);
	if (ret) {
		agent_close(agent, true, !agent->had_pins);
		free(agent);
		return ret == -ECANCELED ? 0 : ret;
	}
	/* Not before: a start that fails says why in one line. */
	for (size_t i = 0; i < cf->warnings_len; i++)
		log_warn("%s", cf->warnings[i]);
	say_notes(agent, conf);
	log_info("ready: addresses served: %d, devices attached to: %llu%s",
		 agent->gen->plan.n_served,
		 (unsigned long long)agent->map.stats->v[AGENT_STAT_DEVICES],
		 agent->netns  ? "; steering begins when an upstream answers"
		 : agent->bare ? "; without the kernel path"
			       : "");
	notify__state("READY=1");
	if (conf->notes.len)
		metrics__setup_error(agent->metrics, METRICS_SETUP_CONFIGMAP);
	upstreams__probe(agent->gen->upstreams);
	resolver__watch_loops(agent->gen->resolver, loop__now(&agent->loop));
	if (event_base_dispatch(agent->loop.events) < 0) {
		log_error("the event loop failed");
		ret = -EIO;
	}
	if (agent->fatal)
		ret = agent->fatal;
	agent_close(agent, !opts->persist, !opts->persist);
	free(agent);
	return ret;
}
