/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of agent/ share.
 *
 * Contract: members are opened in their order here and closed in the reverse;
 * each is NULL (-1) while it is not open.
 */
#ifndef NODENS_AGENT_PRIV_H
#define NODENS_AGENT_PRIV_H

#include <event2/event.h>

#include "agent/agent.h"
#include "datapath/attach.h"
#include "observe/endpoints.h"
#include "observe/errlog.h"
#include "agent/control.h"
#include "agent/generation.h"
#include "base/line_writer.h"
#include "link/monitor.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "observe/metrics.h"
#include "link/dummy.h"
#include "observe/querylog.h"
#include "resolver/resolver.h"
#include "server/server.h"
#include "link/netns.h"

struct agent_map {
	struct agent_stats own;	   /* used where the map cannot be mapped */
	struct agent_stats *stats; /* the map itself, or own */
	int fd;
};

struct agent {
	const struct run_options *opts;
	struct generation *gen; /* the configuration at work; older ones drain */
	struct loop loop;
	struct event *signals[5];
	struct datapath *datapath;
	struct control control;
	uint32_t capacity[2]; /* that the store was made for */
	struct metrics *metrics;
	struct endpoints *endpoints;
	struct lines *lines; /* of the log and errors plugins */
	bool debug;	     /* by flag, or by a block of the configuration */
	bool bare;	     /* without the kernel path: userspace_only.c */
	uint64_t bare_said_ns;
	bool had_pins; /* before this start: a start that fails leaves them */
	struct agent_map map;
	struct store *store;
	struct netns *netns;
	int lock_fd; /* of this network namespace */
	struct dummy *dummy;
	bool link_broken; /* and that was said */
	struct server *server;
	unsigned int max_exchanges, shed_above;
	uint64_t crowded_said_ns;
	struct monitor *monitor;
	bool monitor_opened; /* devices may have been attached to */
	struct event *monitor_readable;
	struct list devices;
	int fatal; /* -errno: a device the operator named could not be attached to */
	struct loop_timer beat, second, tick;
	uint64_t reload_ns;	  /* when the configuration is looked at again */
	struct conf_watch *watch; /* what it was made of, or was refused last */
	unsigned int missing;	  /* looks in a row at which its file was gone */
	uint64_t waiting_said_ns; /* when it was said which zone keeps steering back */
	bool was_ready;		  /* the upstreams of all zones have answered */
	bool steering;
	bool return_lost;  /* nd0's program is gone and cannot be put back; that was said */
	bool nd0_down;	   /* somebody took the way to the private namespace down */
	uint64_t leave_ns; /* when the lameduck time ends and stopping begins; 0: not told to leave
			    */
	bool stopping;
	uint64_t stop_ns;
	bool pidfile_written;
};

/* What generations tell the agent: contracts in upstream/upstream.h and resolver/resolver.h. */
void agent__on_upstream(void *ctx, const union sockaddr_any *addr, bool up, const char *reason);
void agent__on_reply(void *ctx, const struct client *client, const uint8_t *msg, size_t len);
void agent__on_overload(void *ctx, bool overloaded);
void agent__on_dropped(void *ctx, const struct corefile_forward *forward);

/* reload.c: the configuration again, if it reads differently; @reason for the log. */
void agent__reload(struct agent *agent, const char *reason);
/* Each second: is it time to look, and does it read differently? */
void agent__watch(struct agent *agent, uint64_t now_ns);

/* lifecycle.c */
int agent_phases__open(struct agent *agent); /* signals */
void agent_phases__beat(struct agent *agent, uint64_t now_ns);
/* Each second: ask the upstreams that are waited for. */
void agent_phases__wait(struct agent *agent, uint64_t now_ns);
void agent__set_steer(struct agent *agent, bool on);
/* nd0 itself changed or went. */
void agent__on_nd0(struct agent *agent, const struct netdev *info, bool gone);

/* metrics_source.c */
int agent_metrics__open(struct agent *agent);
/* Blocks have @cf's numbers from here on. */
void agent_metrics__configure(struct agent *agent, const struct corefile *cf);
/* @gen: the configuration that answered; NULL: no block of it did. */
void agent_metrics__replied(struct agent *agent, const struct generation *gen,
			    const struct resolver_event *event);
void agent_metrics__refresh(struct agent *agent, const struct store_question *question);
/* The store's and the server's: contracts in store/store.h and server/server.h. */
void agent__on_hits(void *ctx, const struct nodens_slot *slot, uint16_t partition, uint32_t hits);
void agent__on_refused(void *ctx, const struct client *client, uint16_t rcode, size_t reply_size);

/* observe.c */
/* Before the first configuration is opened. */
int agent_observe__open(struct agent *agent);
void agent_observe__close(struct agent *agent);
/* As much is logged as a configuration wants. */
void agent_observe__level(struct agent *agent, const struct corefile *cf);
/* The endpoints of the configuration at work. Negative: it has been logged. */
int agent_observe__configure(struct agent *agent, const struct corefile *cf);
/* The log and errors plugins of a configuration. */
int agent_observe__open_logs(struct agent *agent, struct generation *gen);
void agent_observe__close_logs(struct generation *gen);
void agent_observe__beat(struct agent *agent);			/* ten times a second */
void agent_observe__tick(struct agent *agent, uint64_t now_ns); /* each second */
/* The zones, divided by commas, whose upstreams have not answered yet; false: there are none. */
bool agent_observe__waiting(const struct agent *agent, char *zones, size_t size);
/* For how long queries are answered on after SIGTERM. */
uint64_t agent_observe__lameduck(const struct agent *agent);
/* The resolver's: contracts in resolver/resolver.h. */
void agent__on_replied(void *ctx, const struct resolver_event *event);
void agent__on_loop(void *ctx, const struct client *client, const char *zone,
		    const struct dns_name *probe);

/* sockets.c */
/* By which device queries of @peer come in; 0: not known, as for those that no program steered. */
uint32_t agent__device_of(void *agent, const struct sockaddr *peer);
/* @addr: a struct sockaddr_in or _in6, however it is wrapped. */
/* The private namespace, if steering; the server with its sockets. */
int agent_sockets__open(struct agent *agent);

/*
 * standby.c: the lock of this network namespace; an agent that was started as node-cache is
 * waits for it as long as another has it. -ECANCELED: told to end meanwhile. Errors have been
 * logged.
 */
int agent_standby__open(struct agent *agent, const struct corefile *cf);

/* local_link.c: the link of -setupinterface, if it is wanted. */
int agent_link__open(struct agent *agent);
/* Once the sockets are bound: until then it may be somebody else's. */
int agent_link__keep(struct agent *agent);
void agent_link__review(struct agent *agent);
void agent_link__close(struct agent *agent, bool remove);

/* counters_map.c */
int agent_map__open(struct agent_map *map, struct datapath *dp);
void agent_map__sync(struct agent_map *map); /* where it is not mapped */
void agent_map__close(struct agent_map *map);

/* userspace_only.c: the kernel side; or, where an agent that was started as node-cache is may not
 * have it, agent->bare and the agent's own memory. @err is for the log; what is missing has been
 * logged.
 */
int agent_bare__publisher(const uint32_t capacity[2], struct publisher **out);
int agent_bare__open_kern(struct agent *agent, const struct datapath_config *config,
			  const struct plan *plan, struct error *err);
/* Each second: it is worth a word now and then. */
void agent_bare__remind(struct agent *agent, uint64_t now_ns);

/* devices.c */
int agent_devices__open(struct agent *agent);
/* Devices that could not be attached to, or have lost their programs, are tried again; those no
 * longer wanted are left. */
void agent_devices__review(struct agent *agent);
/* False where nodens may not have it, or no device that should have a program has one. */
bool agent_devices__has_path(const struct agent *agent);
/* @detach: the programs come off the devices; else they stay on them. */
void agent_devices__close(struct agent *agent, bool detach);

#endif /* NODENS_AGENT_PRIV_H */
