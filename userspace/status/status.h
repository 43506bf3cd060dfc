/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How it goes on this node, and the problems that are to be seen in that.
 *
 * Contract: whoever fills struct status knows where from; all here is pure but
 * status__find_standby() and status__find_notrack(). Texts of problems and of JSON have no control
 * characters.
 */
#ifndef NODENS_STATUS_H
#define NODENS_STATUS_H

#include <jansson.h>
#include <stdbool.h>

#include "link/pods.h"
#include "publish/records.h"

/* Without a control block the row that the agent writes each second is its beat. */
#define STATUS_ROW_HUNG_NS 3000000000ull

enum status_agent {
	STATUS_ALIVE,
	STATUS_HUNG, /* its process is there, its beat is not */
	STATUS_DEAD, /* its tables are there, it is not */
};

/* Of a span of time that ended now. */
struct status_rates {
	bool from_agent; /* else two readings of the kernel's counters: nothing is known of others
			  */
	double seconds;	 /* 0: nothing is known */
	double queries, kernel, agent, passed, servfail, evicted; /* a second */
};

/* What came to a device since it is attached to (headers/nodens_device.h). */
struct status_counts {
	bool known; /* else it has no number, or nothing is counted by device */
	struct nodens_device_counts n;
	double seconds;				  /* 0: nothing is known of: */
	double queries, kernel, nxdomain, passed; /* a second */
};

struct status {
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	int64_t now_s;	 /* since 1970 */
	enum status_agent agent;
	bool half_written; /* the agent's row stays so: it ended there; info is all zero */
	struct publish_info info;
	struct publish_device *devices; /* excluded ones too */
	size_t n_devices;
	struct pod_behind *pods; /* of the devices, in their order; NULL: no pod is to be named */
	struct status_counts *counts; /* of the devices, in their order; NULL: nothing is known */
	struct status_counts others;  /* of all devices without a number */
	struct publish_upstream *upstreams;
	size_t n_upstreams;
	bool has_maps; /* the kernel's side, with these: */
	uint64_t beat_ns, lease_ns, hung_ns;
	uint32_t shed; /* NODENS_SHED_* */
	uint32_t pid;
	bool has_standby; /* another agent waits for this one's end */
	uint32_t standby_pid;
	int notrack; /* rules for addresses that are served */
	struct status_rates rates;
	uint64_t entries, capacity, bytes;
};

/* What others do and left here: has_standby and standby_pid; notrack, of an info that is known. */
void status__find_standby(struct status *status);
void status__find_notrack(struct status *status);
/* What the programs answered, and what they handed on: to the cluster's DNS, most often. */
uint64_t status__hits(const struct publish_base *at);
uint64_t status__passed_on(const struct publish_base *at);
/* What pod is behind a device, as text, POD_TEXT bytes; NULL: not known, or not to be named. */
const char *status__pod(const struct status *status, size_t device, char *text);
/* Did a device's counts go on from @before? Else they began at 0 again. */
bool status__counts_go_on(const struct nodens_device_counts *before,
			  const struct nodens_device_counts *now);
/* What came in at a device, @seconds after it was @before. Of TCP there are packets, so no queries.
 */
void status__rates_by_device(struct status_counts *counts, double seconds,
			     const struct nodens_device_counts *before);
/* All but from_agent; nothing where no time lies between. */
void status__rates_between(struct status_rates *rates, const struct publish_base *before,
			   const struct publish_base *after);

/* It has not begun to beat: its programs are being loaded, or what it needs for that is. */
bool status__starts(const struct status *status);
/* What it says of itself is of now: it says it each second. */
bool status__published(const struct status *status);
/* How long ago the agent's last sign of life was, and how long the programs go on without one. */
uint64_t status__beat_age_ns(const struct status *status);
uint64_t status__lease_left_ns(const struct status *status);

/* Who has the queries that the programs pass on: as routes and NAT lead them, not steered. */
enum status_next {
	STATUS_CLUSTER, /* kube-proxy takes them there, as without nodens */
	STATUS_BEHIND,	/* mode front */
	STATUS_SOCKETS, /* mode listen, or no kernel path */
	STATUS_NOBODY,	/* the same, and nobody reads from them */
};
extern const char *const status_next_names[STATUS_NOBODY + 1];
enum status_next status__next(const struct status *status);

enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTICE };
extern const char *const severity_names[SEVERITY_NOTICE + 1];

/* Codes are for scripts, and stay: docs/operations.md has each. */
struct problem {
	const char *code;
	enum severity severity;
	char text[640];	   /* printable */
	uint64_t since_ns; /* 0: not known */
};

#define PROBLEMS_MAX 64
struct problems {
	struct problem list[PROBLEMS_MAX];
	size_t n;
};

/* Errors first. What one problem explains is not said again as another. */
void status__problems(const struct status *status, struct problems *problems);

#define STATUS_SPAN 32
/* "0.4 s", "34 s", "5 m 3 s", "3 h 2 m", "3 d 4 h"; @text has STATUS_SPAN bytes. */
const char *status__span(uint64_t ns, char *text);
/* When it was: "14:02", or "Nov 28 14:02" where that is not today; local time. */
const char *status__when(const struct status *status, uint64_t at_ns, char *text);
const char *status__clock(const struct status *status, int64_t at_s, char *text);

json_t *status__json(const struct status *status, const struct problems *problems);

#endif /* NODENS_STATUS_H */
