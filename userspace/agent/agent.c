// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Start, beat and end of the agent. Contract: agent.h.
 */
#include "agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/notify.h"
#include "agent/standby.h"
#include "agent/userspace_only.h"
#include "agent_priv.h"
#include "base/log.h"
#include "datapath/attach.h"

/* What a run has besides its parts. */
struct run {
	struct agent agent;
	struct conf *conf; /* its Corefile until that is at work */
	struct loop_timer beat, second, tick;
	bool had_pins; /* before this start: a start that fails leaves them */
	bool pidfile_written;
	uint64_t reminded_ns;
	unsigned int older_looks; /* so often more, whether maps of an older layout may go */
};

#define OLDER_LOOKS 120 /* each second; by then each device has this agent's programs */
#define BEAT_NS	    (100 * NSEC_PER_MS)
#define TICK_NS	    (250 * NSEC_PER_MS) /* of the store */

static void on_beat(void *arg, uint64_t now)
{
	struct agent *agent = &((struct run *)arg)->agent;

	control_beat(&agent->control, now);
	counters_map_sync(&agent->counters);
	observe_beat(agent->observe);
	hit_log_beat(agent->hit_log);
	lifecycle_beat(agent->lifecycle, now);
	notify__beat(now);
}

static void review(struct agent *agent)
{
	if (agent->gen->plan.wildcard) {
		plan__local_addrs(&agent->gen->plan);
		control_serve(&agent->control, &agent->gen->plan);
	}
	if (agent->link)
		local_link_review(agent->link);
	if (agent->devices)
		devices_review(agent->devices);
	if (agent->steering)
		steering_review(agent->steering);
}

static void on_second(void *arg, uint64_t now)
{
	struct run *run = arg;
	struct agent *agent = &run->agent;

	observe_tick(agent->observe);
	generation_tick(agent->gen, now);
	publish_second(agent->publish, now);
	figures_second(agent->figures, agent->publish);
	events_second(agent->events);
	hit_log_second(agent->hit_log, now);
	if (lifecycle_stopping(agent->lifecycle))
		return;
	lifecycle_tick(agent->lifecycle, now);
	resolver__tick(agent->gen->resolver, now);
	generation_reap(agent->gen, now);
	if (!lifecycle_leaving(agent->lifecycle))
		reload_watch(agent->reload, now);
	review(agent);
	if (!agent->datapath)
		userspace_only_remind(&run->reminded_ns, now);
	else if (run->older_looks && !datapath__sweep_older(agent->datapath))
		run->older_looks = 0;
	else if (run->older_looks)
		run->older_looks--;
}

static void on_tick(void *arg, uint64_t now)
{
	struct agent *agent = &((struct run *)arg)->agent;

	if (!lifecycle_stopping(agent->lifecycle))
		store__tick(agent->store, now);
}

/* Meanwhile others see that this agent starts. */
static int load_programs(struct run *run, struct error *err)
{
	struct agent *agent = &run->agent;
	int ret = userspace_only_or_programs(agent->opts, run->conf->plan, &agent->datapath, err);

	if (agent->datapath)
		return ret;
	/* which reads the datapath */
	agent_close_publish(agent, true);
	if (ret)
		return ret;
	userspace_only_log(err->text, run->conf->plan, false);
	agent->no_path = *err;
	return agent_open_publish(agent, err);
}

static int open_datapath(struct run *run)
{
	struct agent *agent = &run->agent;
	struct datapath_config config = {
		.pin_dir = agent->opts->bpffs,
		.pretend = agent->opts->pretend_kernel,
		.adopt = true,
		.count_devices = agent->opts->device_counts != NO,
	};
	struct error err = { .text = "" };
	bool rights;
	int ret;

	agent->plan = run->conf->plan;
	plan__capacity(agent->opts, run->conf->cf, agent->capacity);
	memcpy(config.capacity, agent->capacity, sizeof(config.capacity));
	config.series = plan__series(run->conf->cf);
	ret = userspace_only_or_datapath(agent->opts, &config, run->conf->plan, &agent->datapath,
					 &rights, &err);
	if (!ret)
		agent_log_start(agent, run->conf);
	if (!ret && agent->datapath) {
		agent_log_features(agent);
		run->had_pins = datapath__adopted(agent->datapath);
	} else if (!ret) {
		userspace_only_log(err.text, run->conf->plan, rights);
		agent->no_path = err;
	}
	if (!ret)
		ret = agent_open_publish(agent, &err);
	if (!ret && agent->datapath)
		ret = load_programs(run, &err);
	if (ret) {
		log_error("%s", err.text);
		return ret;
	}
	ret = control_open(&agent->control, agent->datapath);
	if (ret)
		log_error("no random bytes for the store's key");
	return ret;
}

static int write_pidfile(struct run *run)
{
	const char *path = run->agent.opts->pidfile;
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
	run->pidfile_written = fd >= 0;
	if (fd >= 0)
		close(fd);
	return ret;
}

static int open_timers(struct run *run)
{
	struct loop *loop = &run->agent.loop;

	run->older_looks = OLDER_LOOKS;
	loop_timer__init(&run->beat, loop, on_beat, run);
	loop_timer__init(&run->second, loop, on_second, run);
	loop_timer__init(&run->tick, loop, on_tick, run);
	if (loop_timer__every(&run->tick, TICK_NS) || loop_timer__every(&run->beat, BEAT_NS) ||
	    loop_timer__every(&run->second, NSEC_PER_SEC)) {
		log_error("out of memory");
		return -ENOMEM;
	}
	return 0;
}

/* ---- standing by ---- */

static int on_standby(void *ctx)
{
	struct run *run = ctx;
	int ret = agent_open_observe(&run->agent);

	agent_open_publish_standby(&run->agent);
	return ret ? ret : observe_configure(run->agent.observe, run->conf->cf);
}

static bool stop_requested(void *ctx)
{
	return lifecycle_stopping(((struct run *)ctx)->agent.lifecycle);
}

/* Nothing is at work yet: whatever it says now can be taken. */
static void read_again(struct run *run)
{
	struct error err = { .text = "" };
	struct conf conf;

	if (conf__load(run->agent.opts, &conf, &err)) {
		log_error("standing by: %s; the configuration stays as it was", err.text);
		conf__free(&conf);
		return;
	}
	conf__free(run->conf);
	*run->conf = conf;
	observe_configure(run->agent.observe, conf.cf);
	log_info("standing by: the configuration was read again");
}

static void reread_if_asked(struct run *run)
{
	if (run->agent.reread && run->agent.observe)
		read_again(run);
	run->agent.reread = false;
}

static void on_standby_second(void *ctx)
{
	struct run *run = ctx;

	observe_tick(run->agent.observe);
	publish_second(run->agent.publish, loop__now(&run->agent.loop));
	reread_if_asked(run);
}

static void on_standby_over(void *ctx)
{
	struct run *run = ctx;

	/* told since the last second */
	reread_if_asked(run);
	agent_close_observe(&run->agent);
	agent_close_publish(&run->agent, true);
}

static int take_lock(struct run *run)
{
	const struct standby_config config = {
		.loop = &run->agent.loop,
		.waits = run->agent.opts->nodecache,
		.begin = on_standby,
		.stopping = stop_requested,
		.tick = on_standby_second,
		.end = on_standby_over,
		.ctx = run,
	};

	return standby_lock(&config, &run->agent.lock_fd);
}

/* ---- start and end ---- */

static int open_parts(struct run *run)
{
	struct agent *agent = &run->agent;
	const struct plan *plan;
	int ret;

	observe_level(agent->opts, run->conf->cf);
	ret = agent_open_lifecycle(agent);
	if (!ret)
		ret = take_lock(run);
	/* Before the programs, which take their time to load: queries wait meanwhile. */
	if (!ret)
		ret = agent_open_link(agent);
	if (!ret)
		ret = agent_bind_sockets(agent, run->conf->plan);
	if (!ret)
		ret = open_datapath(run);
	if (!ret)
		ret = agent_open_store(agent);
	if (!ret)
		ret = agent_open_pods(agent);
	if (!ret)
		ret = agent_open_observe(agent);
	if (!ret)
		ret = agent_open_events(agent);
	if (ret)
		return ret;
	plan = run->conf->plan;
	ret = agent_open_generation(agent, run->conf->cf, plan);
	run->conf->cf = NULL;
	if (!ret)
		ret = agent_open_steering(agent, plan);
	if (!ret)
		ret = sockets_serve(agent->sockets, agent->counters.stats, plan, agent->steering);
	if (!ret && agent->link)
		ret = local_link_keep(agent->link);
	return ret;
}

/* What is open is put to work. */
static int begin(struct run *run)
{
	struct agent *agent = &run->agent;
	struct conf_watch *watch = run->conf->watch;
	int ret;

	plan__local_addrs(&agent->gen->plan);
	control_begin(&agent->control, agent->opts, &agent->gen->plan,
		      agent->steering ? steering_netns(agent->steering) : NULL,
		      loop__now(&agent->loop));
	ret = observe_configure(agent->observe, agent->gen->cf);
	hit_log_configure(agent->hit_log, agent->gen->cf);
	if (!ret)
		ret = agent_open_devices(agent);
	if (!ret)
		ret = open_timers(run);
	if (ret)
		return ret;
	run->conf->watch = NULL;
	ret = agent_open_reload(agent, watch);
	publish_second(agent->publish, loop__now(&agent->loop));
	return ret ? ret : write_pidfile(run);
}

/* @attached: devices may have been attached to. */
static void unpin(const struct run_options *opts, bool attached)
{
	struct error err = { .text = "" };

	/*
	 * What a first pass could not take off: XDP comes off a bridge's port only after it is off
	 * the bridge.
	 */
	if (attached && attach__detach_all(opts->bpffs, NULL, &err) < 0)
		log_warn("%s", err.text);
	datapath__unpin(opts->bpffs);
}

/* @detach: the programs come off the devices. @unpins: the maps go. */
static void close_parts(struct agent *agent, bool detach, bool unpins)
{
	bool attached = agent->devices;

	/* whoever reads on without the agent is to know that it has left */
	if (agent->publish)
		publish_second(agent->publish, loop__now(&agent->loop));
	reload_close(agent->reload);
	if (agent->steering && steering_on(agent->steering))
		steering_set(agent->steering, false);
	devices_close(agent->devices, detach);
	agent->devices = NULL;
	hit_log_close(agent->hit_log);
	while (agent->gen) {
		struct generation *older = agent->gen->older;

		generation_close(agent->gen);
		agent->gen = older;
	}
	agent_close_events(agent);
	agent_close_observe(agent);
	pods__close(agent->pods);
	sockets_close(agent->sockets);
	local_link_close(agent->link, detach && !agent->opts->skipteardown);
	steering_close(agent->steering);
	store__close(agent->store);
	agent_close_publish(agent, unpins || !agent->datapath);
	if (agent->datapath && unpins)
		unpin(agent->opts, attached);
	datapath__close(agent->datapath);
	lifecycle_close(agent->lifecycle);
}

static void close_run(struct run *run, bool detach, bool unpins)
{
	struct agent *agent = &run->agent;

	loop_timer__stop(&run->beat);
	loop_timer__stop(&run->second);
	loop_timer__stop(&run->tick);
	close_parts(agent, detach, unpins);
	loop__close(&agent->loop);
	if (run->pidfile_written)
		unlink(agent->opts->pidfile);
	/* Last: whoever waits for it makes at once what is removed here. */
	if (agent->lock_fd >= 0)
		close(agent->lock_fd);
	free(run);
}

/* Until a signal, or what the agent cannot go on with. */
static int turn(struct agent *agent)
{
	upstreams__probe(agent->gen->upstreams);
	resolver__watch_loops(agent->gen->resolver, loop__now(&agent->loop));
	if (event_base_dispatch(agent->loop.events) < 0) {
		log_error("the event loop failed");
		agent->fatal = -EIO;
	}
	if (agent->fatal || !agent->devices)
		return agent->fatal;
	return devices_error(agent->devices);
}

int agent__run(const struct run_options *opts, struct conf *conf)
{
	struct run *run = calloc(1, sizeof(*run));
	struct agent *agent = &run->agent;
	int ret;

	if (!run) {
		log_error("out of memory");
		return -ENOMEM;
	}
	run->conf = conf;
	agent->opts = opts;
	agent->lock_fd = -1;
	counters_map_init(&agent->counters);
	agent_log_libevent();
	ret = loop__open(&agent->loop);
	if (ret)
		log_error("cannot make an event loop");
	if (!ret)
		ret = open_parts(run);
	if (!ret)
		ret = begin(run);
	if (ret) {
		close_run(run, true, !run->had_pins);
		return ret == -ECANCELED ? 0 : ret;
	}
	agent_log_ready(agent, conf);
	notify__state("READY=1");
	if (conf->notes.len)
		metrics__setup_error(metrics_source_metrics(agent->metrics),
				     METRICS_SETUP_CONFIGMAP);
	lifecycle_start(agent->lifecycle);
	ret = turn(agent);
	close_run(run, !opts->persist, !opts->persist);
	return ret;
}
