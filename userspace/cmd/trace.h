/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of `nodens trace` share: its output, and how a query is printed.
 *
 * Contract: nothing that a pod chose reaches the output as it is: names are in master-file form
 * (RFC 1035, 5.1), devices' names printable.
 */
#ifndef NODENS_CMD_TRACE_H
#define NODENS_CMD_TRACE_H

#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#include "link/pods.h"
#include "publish/records.h"
#include "publish/table.h"
#include "watch/event.h"
#include "watch/words.h"

/* ---- output: trace_out.c ---- */

struct trace_out {
	int fd;
	bool failed; /* nobody reads any more, or there is no room: error says which */
	int error;
	const volatile sig_atomic_t *stop; /* set: who does not read is not waited for */
	size_t n;
	char buffer[65536];
};

void trace_out__write(struct trace_out *out, const void *data, size_t len);
void trace_out__print(struct trace_out *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void trace_out__flush(struct trace_out *out);

/* ---- who and where: trace_who.c ---- */

struct trace_who {
	const char *cni_results;
	struct pods *pods;
	uint64_t pods_ns; /* when they were read last */
	struct table upstreams;
	char maps_dir[PATH_MAX];
	uint64_t upstreams_ns;
};

/* What the words need, and what is printed of a client. */
struct trace_client {
	char text[POD_TEXT];   /* "namespace/pod", "address@device" or "address" */
	struct pod_name pod;   /* name "": not known */
	char dev[IF_NAMESIZE]; /* as it is; "": not known */
};

int trace_who__open(struct trace_who *who, const char *cni_results, const char *maps_dir);
void trace_who__close(struct trace_who *who);
void trace_who__client(struct trace_who *who, const struct watch_event *event,
		       struct trace_client *client);
/* Row @number less 1 of the agent's table. False: it is not there. */
bool trace_who__upstream(struct trace_who *who, uint16_t number, struct publish_upstream *up);

/* ---- replies to what was passed on: trace_replies.c ---- */

struct replies;
struct look;
struct session;

/* For this session. NULL, and it has been said why. */
struct replies *trace_replies__open(const struct look *look, const struct session *session);
/*
 * At the devices that the agent has programs at, those that @dev (a glob; NULL: any) matches: to be
 * called each second. *error: what was said last of one where they cannot be seen; 0: nothing.
 */
void trace_replies__follow(struct replies *replies, const char *maps_dir, const char *dev,
			   int *error);
/*
 * Of a query that was passed on: a reply may come that makes it one to show. Of a TCP segment, a
 * response or half a message none is known.
 */
bool trace_replies__may_come(const struct watch_event *event, const struct words *words);

/* ---- a query: trace_text.c, trace_json.c ---- */

/* Of an unsigned long long, by a ring or by the agent's socket. */
#define TRACE_LOST "-- %llu lost: the viewer was too slow"

struct trace_losses {
	uint64_t shown, lost, unmatched;
};

struct trace_print {
	struct trace_out *out;
	struct trace_who *who;
	int64_t epoch_ns; /* CLOCK_REALTIME less CLOCK_MONOTONIC */
	uint32_t sample;
};

void trace_text__head(const struct trace_print *print);
void trace_text__event(const struct trace_print *print, const struct watch_event *event,
		       const struct trace_client *client);
/* The closing line, into @text. */
void trace_text__summary(const struct trace_print *print, const struct trace_losses *all,
			 char *text, size_t size);
void trace_json__event(const struct trace_print *print, const struct watch_event *event,
		       const struct trace_client *client);
void trace_json__lost(const struct trace_print *print, uint64_t lost);
void trace_json__summary(const struct trace_print *print, const struct trace_losses *all);

/* ---- messages for a reader of dnstap: trace_dnstap.c ---- */

struct trace_tap;
struct nodens_event;

/* @to: as tap_endpoint__parse() takes it. Waits for its reader. 0, or an exit status: it was said.
 */
int trace_tap__open(const char *to, struct trace_tap **out);
void trace_tap__close(struct trace_tap *tap); /* NULL: nothing; what waits goes to the reader */
/* @agent_alone: no program says of a query that it goes to the agent, whose word is all there is.
 */
void trace_tap__event(struct trace_tap *tap, const struct nodens_event *raw,
		      const struct watch_event *event, int64_t epoch_ns, bool agent_alone);
/* To be called often: what there is goes to the reader, as far as it takes it. */
void trace_tap__turn(struct trace_tap *tap);

/* "steer_dead", "not_served": why it was passed on or dropped. */
const char *trace__reason(const struct watch_event *event);

#endif /* NODENS_CMD_TRACE_H */
