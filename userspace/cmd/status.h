/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What `nodens status` knows, and the problems it sees in that.
 *
 * Contract: status__read() reads, with an agent at work, hanging, dead or without the kernel path;
 * status__problems() is pure; the printers print what these found, control characters never.
 */
#ifndef NODENS_STATUS_H
#define NODENS_STATUS_H

#include <jansson.h>
#include <stdbool.h>

#include "publish/records.h"

#define EXIT_DEGRADED	   1
#define EXIT_NOT_RUNNING   3
#define EXIT_NO_PERMISSION 4

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

struct status {
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	int64_t now_s;	 /* since 1970 */
	enum status_agent agent;
	bool half_written; /* the agent's row stays so: it ended there; info is all zero */
	struct publish_info info;
	struct publish_device *devices; /* excluded ones too */
	size_t n_devices;
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

/*
 * -1: read; else an exit status, and it has been said why on stderr. status__free() in any case.
 */
int status__read(const char *bpffs, struct status *status);
void status__free(struct status *status);

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
/* 0, EXIT_DEGRADED or EXIT_NOT_RUNNING; notices count for nothing. */
int status__exit(const struct status *status, const struct problems *problems);

#define STATUS_SPAN 32
/* "0.4 s", "34 s", "5 m 3 s", "3 h 2 m", "3 d 4 h"; @text has STATUS_SPAN bytes. */
const char *status__span(uint64_t ns, char *text);
/* When it was: "14:02", or "Nov 28 14:02" where that is not today; local time. */
const char *status__when(const struct status *status, uint64_t at_ns, char *text);
const char *status__clock(const struct status *status, int64_t at_s, char *text);

/* A line that breaks between words at @columns, the rest of it indented. */
void status__print_wrapped(const char *text, unsigned int indent, unsigned int columns);
/* Of the terminal, or what COLUMNS says. */
unsigned int status__columns(void);

void status__print(const struct status *status, const struct problems *problems,
		   unsigned int columns);
json_t *status__json(const struct status *status, const struct problems *problems);

#endif /* NODENS_STATUS_H */
