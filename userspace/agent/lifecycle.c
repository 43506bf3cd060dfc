// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * From waiting for the upstreams to steering, and from a signal to the end. Contract: agent_priv.h.
 *
 * Until the upstreams of all zones have answered pods use the cluster's DNS as before. After
 * SIGTERM comes the lameduck time, in which all goes on but /ready; then steering ends, and what is
 * under way is waited for.
 */
#include <errno.h>
#include <signal.h>

#include "agent_priv.h"
#include "base/clock.h"
#include "agent/notify.h"

#define WAITING_NS (30 * NSEC_PER_SEC)
/* At the end: packets may be on their way to us, answers on their way to clients. */
#define STOP_AT_LEAST_NS (100 * NSEC_PER_MS)
#define STOP_AT_MOST_NS	 NSEC_PER_SEC

void agent__set_steer(struct agent *agent, bool on)
{
	control_steer(&agent->control, on);
	agent->steering = on;
}

/*
 * Network managers take down what they do not know. Without nd0 up a steered query would be lost,
 * and the programs cannot see that: so none is steered until it is up again; without nd0 at all,
 * this agent's namespace is of no use, and the next one makes another.
 */
void agent__on_nd0(struct agent *agent, const struct netdev *info, bool gone)
{
	if (agent->stopping)
		return;
	if (gone) {
		agent__set_steer(agent, false);
		log_error("nd0 was deleted, so no query reaches the agent: leaving");
		agent->fatal = -ENODEV;
		event_base_loopbreak(agent->loop.events);
		return;
	}
	if (info->up == !agent->nd0_down)
		return;
	agent->nd0_down = !info->up;
	if (info->up) {
		log_info("nd0 is up again");
		return;
	}
	agent__set_steer(agent, false);
	log_warn("nd0 was taken down: not steering until it is up");
	if (netns__bring_up(agent->netns))
		log_warn("nd0 cannot be brought up");
}

static void stop_if_done(struct agent *agent, uint64_t now)
{
	uint64_t since = now - agent->stop_ns;

	if (since < STOP_AT_LEAST_NS)
		return;
	if (since >= STOP_AT_MOST_NS || !generation__in_flight(agent))
		event_base_loopbreak(agent->loop.events);
}

static void stop(struct agent *agent, uint64_t now)
{
	agent->stopping = true;
	agent->stop_ns = now;
	agent__set_steer(agent, false);
}

static void begin_if_ready(struct agent *agent, uint64_t now)
{
	if (agent->nd0_down || agent->return_lost ||
	    !upstreams__answered(agent->gen->upstreams, NULL))
		return;
	if (agent->netns) {
		agent__set_steer(agent, true);
		/* only now can a question of ours come back by way of a pod */
		resolver__watch_loops(agent->gen->resolver, now);
	}
	log_info("the upstreams of all zones answer%s", agent->netns ? ": steering" : "");
	agent->was_ready = true;
}

void agent_phases__beat(struct agent *agent, uint64_t now)
{
	if (agent->stopping) {
		stop_if_done(agent, now);
	} else if (agent->leave_ns) {
		if (now >= agent->leave_ns)
			stop(agent, now);
	} else if (!agent->was_ready || (agent->netns && !agent->steering)) {
		begin_if_ready(agent, now);
	}
}

/* Pods use the cluster's DNS meanwhile; why, is worth a word now and then. */
static void say_waiting(struct agent *agent, uint64_t now)
{
	char zones[512];

	if (agent->waiting_said_ns && now - agent->waiting_said_ns < WAITING_NS)
		return;
	if (agent->waiting_said_ns && agent_observe__waiting(agent, zones, sizeof(zones)))
		log_warn("not ready: no upstream has answered yet for %s", zones);
	agent->waiting_said_ns = now;
}

void agent_phases__wait(struct agent *agent, uint64_t now)
{
	if (upstreams__answered(agent->gen->upstreams, NULL))
		return;
	upstreams__probe(agent->gen->upstreams);
	say_waiting(agent, now);
}

/* At once, or after the lameduck time: /ready says no, and whoever still asks is answered. */
static void leave(struct agent *agent, const char *signal, uint64_t now)
{
	const char *what = agent->opts->persist && !agent->bare ? ", programs and cache stay" : "";
	uint64_t lameduck = agent_observe__lameduck(agent);

	notify__state("STOPPING=1");
	if (!lameduck) {
		log_info("%s: leaving%s", signal, what);
		stop(agent, now);
		return;
	}
	log_info("%s: leaving in %llu.%03llu s (lameduck)%s; a second signal ends at once", signal,
		 (unsigned long long)(lameduck / NSEC_PER_SEC),
		 (unsigned long long)(lameduck % NSEC_PER_SEC / NSEC_PER_MS), what);
	agent->leave_ns = now + lameduck;
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;

	(void)what;
	if (!agent->gen) { /* standing by */
		agent->stopping |= fd != SIGHUP && fd != SIGUSR1;
		return;
	}
	if (fd == SIGHUP || fd == SIGUSR1) {
		agent__reload(agent, fd == SIGHUP ? "SIGHUP" : "SIGUSR1");
		return;
	}
	if (agent->stopping || agent->leave_ns) {
		event_base_loopbreak(agent->loop.events);
		return;
	}
	leave(agent,
	      fd == SIGTERM  ? "SIGTERM"
	      : fd == SIGINT ? "SIGINT"
			     : "SIGQUIT",
	      loop__now(&agent->loop));
}

int agent_phases__open(struct agent *agent)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1 };

	_Static_assert(sizeof(numbers) / sizeof(numbers[0]) <=
			       sizeof(agent->signals) / sizeof(agent->signals[0]),
		       "each has its event");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, SIG_IGN); /* Caddy's "upgrade": an end without cleaning up otherwise */
	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		agent->signals[i] = evsignal_new(agent->loop.events, numbers[i], on_signal, agent);
		if (!agent->signals[i] || event_add(agent->signals[i], NULL)) {
			log_error("cannot handle signals");
			return -ENOMEM;
		}
	}
	return 0;
}
