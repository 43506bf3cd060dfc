/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The agent's parts, for agent.c, which opens and closes them, and the wiring*.c, which say what
 * each is given of the others.
 *
 * Contract: members are opened in their order here and closed in the reverse; each is NULL (-1)
 * while it is not open. No part knows the agent.
 */
#ifndef NODENS_AGENT_PRIV_H
#define NODENS_AGENT_PRIV_H

#include "agent/control.h"
#include "agent/counters_map.h"
#include "agent/device_board.h"
#include "agent/devices.h"
#include "agent/events.h"
#include "agent/figures.h"
#include "agent/generation.h"
#include "agent/hit_log.h"
#include "agent/lifecycle.h"
#include "agent/local_link.h"
#include "agent/metrics_source.h"
#include "agent/observe.h"
#include "agent/publish.h"
#include "agent/reload.h"
#include "agent/sockets.h"
#include "agent/steering.h"
#include "link/pods.h"

struct agent {
	const struct run_options *opts;
	const struct plan *plan; /* that it starts with, until there is a generation */
	struct loop loop;
	struct lifecycle *lifecycle;
	int lock_fd; /* of this network namespace */
	struct local_link *link;
	struct sockets *sockets;
	struct datapath *datapath;  /* NULL: userspace only */
	struct error no_path;	    /* why there is no datapath */
	char publish_dir[PATH_MAX]; /* where others read of this agent; "": nowhere */
	char watch_dir[PATH_MAX];   /* where its socket for who looks on lies; "": there is none */
	struct counters_map counters;
	struct publish *publish;
	struct device_board *board;
	struct control control;
	uint32_t capacity[2]; /* that the store is made for */
	struct store *store;
	struct pods *pods;
	struct metrics_source *metrics;
	struct figures *figures; /* of the page */
	struct observe *observe;
	struct events *events;	 /* NULL: nobody can look on */
	struct hit_log *hit_log; /* NULL: without the kernel path */
	struct generation *gen;	 /* the configuration at work; older ones drain */
	struct steering *steering;
	struct devices *devices;
	struct reload *reload;
	bool reread; /* standing by: told to read the configuration again */
	int fatal;   /* -errno: the loop was left because of it */
};

/* Each opens a part with what it needs. -errno: it has been logged. */

/* wiring.c: what answers, and what is shown of it */
int agent_open_store(struct agent *agent);
int agent_open_pods(struct agent *agent);
int agent_open_observe(struct agent *agent); /* metrics and figures, too */
void agent_close_observe(struct agent *agent);
int agent_open_events(struct agent *agent);
void agent_close_events(struct agent *agent);
/* Takes @cf over, on failure as well; at work from now on. */
int agent_open_generation(struct agent *agent, struct corefile *cf, const struct plan *plan);
/* Takes @watch over, on failure as well. */
int agent_open_reload(struct agent *agent, struct conf_watch *watch);

/*
 * wiring_publish.c: what other processes see of it. The counters are there from then on. -errno
 * with @err, which has not been logged.
 */
int agent_open_publish(struct agent *agent, struct error *err);
/* Standing by there is nothing but that. */
void agent_open_publish_standby(struct agent *agent);
void agent_close_publish(struct agent *agent, bool remove);

/* wiring_figures.c: what the page shows of it. -ENOMEM. */
int agent_open_figures(struct agent *agent);

/* wiring_ways_in.c: by which queries come */
int agent_open_steering(struct agent *agent, const struct plan *plan);
int agent_open_link(struct agent *agent);
int agent_bind_sockets(struct agent *agent, const struct plan *plan);
int agent_open_devices(struct agent *agent);

/* wiring_lifecycle.c */
int agent_open_lifecycle(struct agent *agent);

/* start_log.c */
/* Who starts, as what: one line, once the maps are there. */
void agent_log_start(const struct agent *agent, const struct conf *conf);
void agent_log_features(const struct agent *agent); /* of the kernel, at debug */
void agent_log_ready(const struct agent *agent, const struct conf *conf);
/* What libevent has to say comes in the log's format as well. */
void agent_log_libevent(void);

/* For several parts; ctx is the agent. */
bool agent_ready(void *ctx, char *why); /* as in struct endpoints_config */
/* What is in the way of that; @why as there: of NOT_READY_UPSTREAMS it is the zones. */
enum not_ready { READY, NOT_READY, NOT_READY_UPSTREAMS };
enum not_ready agent_not_ready(struct agent *agent, char *why);
const struct corefile *agent_corefile(void *ctx);
const struct plan *agent_plan(void *ctx);
/* The ifindex that the programs saw the address at; 0: none. */
uint32_t agent_device_of(void *ctx, const struct sockaddr *peer);
/* The loop ends, and `nodens run` with @error (-errno). */
void agent_leave_loop(void *ctx, int error);

#endif /* NODENS_AGENT_PRIV_H */
