/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the agent says of itself, for `nodens status` and `explain`: the rows of its tables.
 *
 * Contract: the tables lie where the maps are pinned, and without those in publish__run_dir(). Each
 * row begins with its sum (row.h). Texts end with a zero and may hold any other octet: what prints
 * them sees to control characters. Times are CLOCK_MONOTONIC in ns, but those with _s, which are
 * seconds since 1970; 0 is never.
 */
#ifndef NODENS_RECORDS_H
#define NODENS_RECORDS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/counters.h"
#include "base/sockaddr.h"
#include "nodens_abi.h"

/* Beside AGENT_STATS_MAP, which has no sums. At most 15 characters. */
#define PUBLISH_INFO	  "nodens_info"	   /* one row */
#define PUBLISH_DEVICES	  "nodens_devices" /* as many as there are, and some that are empty */
#define PUBLISH_UPSTREAMS "nodens_upstrms" /* the same */
#define PUBLISH_STANDBY	  "nodens_standby" /* in the run directory: one info row */
/* In the run directory, where the kernel has no rings: the agent's socket for who looks on. */
#define PUBLISH_WATCH "watch"

/* ---- the agent ---- */

enum publish_state { PUBLISH_STARTING, PUBLISH_RUNNING, PUBLISH_LEAVING, PUBLISH_STANDING_BY };
enum publish_mode { PUBLISH_STEER, PUBLISH_LISTEN };

/* What goes wrong now and then and leaves no other trace than a counter. */
enum publish_event {
	PUBLISH_EVICTED,      /* answers, for want of room */
	PUBLISH_SHED,	      /* queries, by the programs or the agent: too much was under way */
	PUBLISH_CLIENT_FULL,  /* queries of a client that had its share */
	PUBLISH_RECEIVE_DROP, /* UDP packets, by the sockets' queues */
	PUBLISH_REPLY_DROP,
	PUBLISH_LOG_DROP,     /* lines */
	PUBLISH_LOG_HIT_LOST, /* answers from the kernel, for the query log */
	PUBLISH_CONFLICT, /* queries from an address that is another device's, or from too many */
	PUBLISH_EVENTS,
};

/* An event's last episode: it ends when it has not happened for PUBLISH_EPISODE_NS. */
#define PUBLISH_EPISODE_NS 60000000000ull
struct publish_episode {
	uint64_t begun_ns, last_ns, n;
};

/* Counters as they were some ten seconds ago: those of now less these are a rate. */
struct publish_base {
	uint64_t at_ns;
	uint64_t kernel[NODENS_CTR_COUNT];
	uint64_t agent[AGENT_FIRST_GAUGE];
	uint64_t evicted;
};

struct publish_info {
	uint64_t sum;
	uint64_t written_ns; /* each second */
	uint64_t started_ns;
	uint32_t pid; /* in its own process namespace */
	uint32_t state, mode;
	uint32_t kernel_path; /* 0: userspace only; no_path says why */
	uint32_t ready;	      /* else why_not_ready */
	uint32_t steering;    /* misses come to the agent's namespace */
	uint32_t front;	      /* in front of another cache */
	uint32_t n_served;
	uint32_t n_listen;  /* sockets' addresses */
	uint32_t from_base; /* config_path is of -basecorefile */
	struct served_addr served[2 * NODENS_MAX_SERVED];
	char version[32], revision[64], node[64];
	char config_path[256];
	char config_hash[24]; /* the first 16 digits of coredns_reload_version_info's */
	int64_t config_read_s;
	int64_t refused_s; /* the configuration was read again and refused; 0: the last was not */
	char refused[256];
	char why_not_ready[1024];
	char no_path[640];
	/* of the cache */
	uint64_t entries[2], capacity[2], cache_bytes, evicted;
	uint64_t miss_p50_ns, miss_p99_ns; /* of what the agent answered after asking; 0: nothing */
	struct publish_episode episodes[PUBLISH_EVENTS];
	struct publish_base base;
};

/* ---- its devices ---- */

enum publish_device_state {
	PUBLISH_NO_DEVICE, /* an empty row */
	PUBLISH_ATTACHED,
	PUBLISH_NOT_ATTACHED, /* error says why */
	PUBLISH_EXCLUDED,
};

struct publish_device {
	uint64_t sum;
	uint32_t ifindex, state;
	char name[16];
	char hook[48];	   /* "tcx", "clsact prio 1", "xdp generic + tcx" */
	char ahead[16];	   /* whose program runs before ours; "": nobody's */
	char error[160];   /* PUBLISH_NOT_ATTACHED */
	uint64_t since_ns; /* of the state */
	uint64_t lost_ns;  /* when its program was last found to be gone or behind another */
	uint32_t lost;	   /* how often that was */
	uint32_t pad;
	uint64_t base_ns; /* 0: nothing is counted; else base is what had been counted then, */
	struct nodens_device_counts base; /* 20 s ago or less */
};

/* ---- its upstreams ---- */

enum publish_proto { PUBLISH_UDP, PUBLISH_TCP, PUBLISH_TLS };
enum publish_upstream_state { PUBLISH_NO_UPSTREAM, PUBLISH_UNHEARD, PUBLISH_UP, PUBLISH_DOWN };

struct publish_upstream {
	uint64_t sum;
	uint32_t state, proto;
	uint64_t since_ns; /* of the state */
	char to[SOCKADDR_TEXT + 2];
	char zones[256];		      /* divided by spaces, as many as there is room for */
	char reason[256];		      /* why it failed last */
	uint64_t rtt_p50_ns, rtt_p99_ns;      /* of 10 to 20 s; 0: no answer */
	uint64_t queries, timeouts, failures; /* since start */
	uint64_t base_ns, base_queries, base_timeouts, base_failures; /* some ten seconds ago */
};

/* By enum publish_upstream_state. */
extern const char *const publish_upstream_states[PUBLISH_DOWN + 1];
/* "udp", "tcp", "tls". */
const char *publish__proto(const struct publish_upstream *up);

_Static_assert(sizeof(struct publish_info) % 8 == 0, "rows are of words");
_Static_assert(sizeof(struct publish_device) % 8 == 0, "rows are of words");
_Static_assert(sizeof(struct publish_upstream) % 8 == 0, "rows are of words");

/* ---- where there are no pins ---- */

/*
 * /run/nodens/netns-N, or in /dev/shm where /run cannot be written to: of this network namespace
 * and of the agent's mount namespace. @make: it is made, for root alone. -errno.
 */
int publish__run_dir(char dir[PATH_MAX], bool make);
/* What an agent that was killed left there. Returns how many tables and sockets, or -errno. */
int publish__remove_stale(void);

#endif /* NODENS_RECORDS_H */
