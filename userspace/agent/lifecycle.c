// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * From waiting for the upstreams to being ready, and from a signal to the end. Contract:
 * lifecycle.h.
 */
#include "agent/lifecycle.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "agent/notify.h"
#include "base/log.h"

#define WAITING_NS (30 * NSEC_PER_SEC)
/* At the end: packets may be on their way to us, answers on their way to clients. */
#define STOP_AT_LEAST_NS (100 * NSEC_PER_MS)
#define STOP_AT_MOST_NS	 NSEC_PER_SEC

static const int numbers[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1 };
#define N_SIGNALS (sizeof(numbers) / sizeof(numbers[0]))

struct lifecycle {
	struct lifecycle_config config;
	struct event *signals[N_SIGNALS];
	bool started;
	bool was_ready;		    /* the upstreams of all zones have answered */
	uint64_t waiting_logged_ns; /* which zone keeps us waiting */
	uint64_t leave_ns;	    /* when the lameduck time ends; 0: not told to leave */
	bool stopping;
	uint64_t stop_ns;
};

static void stop_if_done(struct lifecycle *lifecycle, uint64_t now)
{
	const struct lifecycle_config *config = &lifecycle->config;
	uint64_t since = now - lifecycle->stop_ns;

	if (since < STOP_AT_LEAST_NS)
		return;
	if (since >= STOP_AT_MOST_NS || !config->in_flight(config->ctx))
		event_base_loopbreak(config->loop->events);
}

static void stop(struct lifecycle *lifecycle, uint64_t now)
{
	lifecycle->stopping = true;
	lifecycle->stop_ns = now;
	lifecycle->config.stop(lifecycle->config.ctx);
}

void lifecycle_beat(struct lifecycle *lifecycle, uint64_t now)
{
	const struct lifecycle_config *config = &lifecycle->config;

	if (lifecycle->stopping) {
		stop_if_done(lifecycle, now);
	} else if (lifecycle->leave_ns) {
		if (now >= lifecycle->leave_ns)
			stop(lifecycle, now);
	} else if (!lifecycle->was_ready || !config->begun(config->ctx)) {
		if (config->answered(config->ctx) && config->begin(config->ctx, now))
			lifecycle->was_ready = true;
	}
}

/* Pods use the cluster's DNS meanwhile; why, is worth a word now and then. */
static void log_waiting(struct lifecycle *lifecycle, uint64_t now)
{
	const struct lifecycle_config *config = &lifecycle->config;
	uint64_t *logged = &lifecycle->waiting_logged_ns;
	char zones[512];

	if (*logged && now - *logged < WAITING_NS)
		return;
	if (*logged && config->waiting(config->ctx, zones, sizeof(zones)))
		log_warn("not ready: no upstream has answered yet for %s", zones);
	*logged = now;
}

void lifecycle_tick(struct lifecycle *lifecycle, uint64_t now)
{
	const struct lifecycle_config *config = &lifecycle->config;

	config->probe(config->ctx);
	if (!config->answered(config->ctx))
		log_waiting(lifecycle, now);
}

/* At once, or after the lameduck time: /ready says no, and whoever still asks is answered. */
static void leave(struct lifecycle *lifecycle, const char *signal, uint64_t now)
{
	uint64_t lameduck = lifecycle->config.leave(lifecycle->config.ctx, signal);

	notify__state("STOPPING=1");
	if (lameduck)
		lifecycle->leave_ns = now + lameduck;
	else
		stop(lifecycle, now);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct lifecycle *lifecycle = arg;
	const struct lifecycle_config *config = &lifecycle->config;
	bool reload = fd == SIGHUP || fd == SIGUSR1;

	(void)what;
	if (!lifecycle->started && !reload) {
		lifecycle->stopping = true;
		return;
	}
	if (reload) {
		if (!lifecycle_leaving(lifecycle))
			config->reload(config->ctx, fd == SIGHUP ? "SIGHUP" : "SIGUSR1");
		return;
	}
	if (lifecycle_leaving(lifecycle)) {
		event_base_loopbreak(config->loop->events);
		return;
	}
	leave(lifecycle,
	      fd == SIGTERM  ? "SIGTERM"
	      : fd == SIGINT ? "SIGINT"
			     : "SIGQUIT",
	      loop__now(config->loop));
}

int lifecycle_open(const struct lifecycle_config *config, struct lifecycle **out)
{
	struct lifecycle *lifecycle = calloc(1, sizeof(*lifecycle));

	if (!lifecycle) {
		log_error("out of memory");
		return -ENOMEM;
	}
	lifecycle->config = *config;
	*out = lifecycle;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, SIG_IGN); /* Caddy's "upgrade": an end without cleaning up otherwise */
	for (unsigned int i = 0; i < N_SIGNALS; i++) {
		lifecycle->signals[i] =
			evsignal_new(config->loop->events, numbers[i], on_signal, lifecycle);
		if (!lifecycle->signals[i] || event_add(lifecycle->signals[i], NULL)) {
			log_error("cannot handle signals");
			return -ENOMEM;
		}
	}
	return 0;
}

void lifecycle_close(struct lifecycle *lifecycle)
{
	if (!lifecycle)
		return;
	for (unsigned int i = 0; i < N_SIGNALS; i++) {
		if (lifecycle->signals[i])
			event_free(lifecycle->signals[i]);
	}
	free(lifecycle);
}

void lifecycle_start(struct lifecycle *lifecycle)
{
	lifecycle->started = true;
}

bool lifecycle_leaving(const struct lifecycle *lifecycle)
{
	return lifecycle->stopping || lifecycle->leave_ns;
}

bool lifecycle_stopping(const struct lifecycle *lifecycle)
{
	return lifecycle->stopping;
}
