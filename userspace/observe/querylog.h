/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The log plugin: a line for a query and its reply, in the format of the Corefile.
 *
 * Contract: pure but for querylog__open(); a line is made without an allocation and is one line
 * whatever the name holds: everything but printable ASCII is \DDD.
 */
#ifndef NODENS_QUERYLOG_H
#define NODENS_QUERYLOG_H

#include "config/corefile.h"
#include "dns/msg.h"

#define QUERYLOG_LINE 4096 /* room for a line; longer ones are cut */

/* CoreDNS' formats, which `log` has without one, and {common} and {combined} in one. */
#define QUERYLOG_COMMON                                                                     \
	"{remote}:{port} - {>id} \"{type} {class} {name} {proto} {size} {>do} {>bufsize}\"" \
	" {rcode} {>rflags} {rsize} {duration}"
#define QUERYLOG_COMBINED QUERYLOG_COMMON " \"{>opcode}\""

struct querylog_event {
	const struct dns_query *query;
	/*
	 * The kernel answered, and the query is known by its reply: of one with EDNS neither its
	 * size nor what its client takes, and how long it took of none.
	 */
	bool hit;
	const struct sockaddr *peer, *local; /* NULL: not known */
	bool tcp;
	size_t request_size;
	const uint8_t *reply; /* the message as it left; NULL: there was none */
	size_t reply_size;
	uint16_t rcode; /* the whole one, EDNS' bits included */
	uint64_t duration_ns;
	/* Of the client, printable; NULL: not known. */
	const char *pod_namespace, *pod_name;
};

struct querylog;
struct json_t;

/*
 * The log lines of a block, compiled; nothing of @logs is kept. 0, -ENOMEM. *out is NULL for none.
 */
int querylog__open(const struct corefile_log *logs, size_t n, struct querylog **out);
void querylog__close(struct querylog *log);

/*
 * The first of the `log` lines whose names the query is at or below, if its classes hold the
 * reply's; NULL: nothing is to be logged. @log NULL: none.
 */
struct querylog_rule;
const struct querylog_rule *querylog__rule(const struct querylog *log,
					   const struct querylog_event *event);

/* Its text (no newline) for the query: the length, cut to size - 1. */
size_t querylog__line(const struct querylog_rule *rule, const struct querylog_event *event,
		      char *buf, size_t size);

/*
 * What the placeholders of that line stand for, an object with a member for each, whose value is
 * null where it is not known; durations are in seconds. The caller lets go of it. NULL: out of
 * memory.
 */
struct json_t *querylog__fields(const struct querylog_rule *rule,
				const struct querylog_event *event);

/* Whether a format has a placeholder for pod_namespace or pod_name. @log NULL: no. */
bool querylog__names_pods(const struct querylog *log);

/* Of a reply, as CoreDNS classifies: one of COREFILE_LOG_*. @reply NULL: an error. */
unsigned int querylog__class(const uint8_t *reply, size_t len, uint16_t rcode);

#endif /* NODENS_QUERYLOG_H */
