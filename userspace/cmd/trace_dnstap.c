// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Queries and replies of `nodens trace --dnstap`, as messages for a reader. Contract: trace.h.
 *
 * Of a query there is a CLIENT_QUERY, of a reply a CLIENT_RESPONSE. A query that went to the agent,
 * or on, has the octets that were sent. Of one that a program answered, that came by TCP, or of
 * which there is the agent's word alone, nobody has kept them: it is made of the reply, without
 * EDNS.
 */
#include "cmd/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/version.h"
#include "cmd/cmd.h"
#include "dns/msg.h"
#include "dnstap/tap.h"
#include "nodens_sessions.h"

#define QUEUE	     65536 /* messages: what a second's burst leaves */
#define LAST_WAIT_NS NSEC_PER_SEC
/* What of its flags a reply has of the query. */
#define QUERY_FLAGS (DNS_OPCODE | DNS_RD | DNS_CD)

struct trace_tap {
	struct loop loop;
	struct tap *tap;
	bool heard; /* of a reader, or that there is none */
	int error;  /* that there is none: why */
	bool waited_for;
	uint64_t lost;
	struct tap_endpoint to;
	char identity[65], version[64];
};

/* ---- the reader ---- */

static void on_changed(void *ctx, int error)
{
	struct trace_tap *tap = ctx;
	char to[TAP_ENDPOINT_TEXT];

	tap_endpoint__text(&tap->to, to, sizeof(to));
	if (error)
		fprintf(stderr, "nodens trace: %s: %s%s\n", to, tap__reason(error),
			tap->waited_for ? "; it is tried again each second, and messages are lost "
					  "meanwhile"
					: "");
	else if (tap->error)
		fprintf(stderr, "nodens trace: %s: connected\n", to);
	tap->heard = true;
	tap->error = error;
}

static int open_tap(struct trace_tap *tap)
{
	struct tap_config config = {
		.loop = &tap->loop,
		.to = tap->to,
		.queue = QUEUE,
		.lost = &tap->lost,
		.changed = on_changed,
		.ctx = tap,
	};
	int ret = loop__open(&tap->loop);

	return ret ? ret : tap__open(&config, &tap->tap);
}

int trace_tap__open(const char *to, struct trace_tap **out)
{
	struct trace_tap *tap = calloc(1, sizeof(*tap));
	int ret = -ENOMEM;

	if (tap) {
		tap_endpoint__parse(to, &tap->to);
		gethostname(tap->identity, sizeof(tap->identity) - 1);
		snprintf(tap->version, sizeof(tap->version), "nodens-%s", version__number);
		ret = open_tap(tap);
	}
	if (ret) {
		fprintf(stderr, "nodens trace: %s\n", strerror(-ret));
		trace_tap__close(tap);
		return EXIT_FAILURE;
	}
	while (!tap->heard)
		event_base_loop(tap->loop.events, EVLOOP_ONCE);
	if (tap->error) {
		trace_tap__close(tap);
		return EXIT_FAILURE;
	}
	tap->waited_for = true;
	*out = tap;
	return 0;
}

void trace_tap__turn(struct trace_tap *tap)
{
	event_base_loop(tap->loop.events, EVLOOP_NONBLOCK);
}

static void wait_for_the_end(struct trace_tap *tap)
{
	uint64_t until_ns = loop__now(&tap->loop) + LAST_WAIT_NS;

	tap__stop(tap->tap);
	while (!tap__stopped(tap->tap) && loop__now(&tap->loop) < until_ns) {
		trace_tap__turn(tap);
		usleep(1000);
	}
}

void trace_tap__close(struct trace_tap *tap)
{
	if (!tap)
		return;
	if (tap->tap && tap->waited_for)
		wait_for_the_end(tap);
	tap__close(tap->tap);
	if (tap->lost)
		fprintf(stderr, "-- %llu messages not taken by the reader\n",
			(unsigned long long)tap->lost);
	loop__close(&tap->loop);
	free(tap);
}

/* ---- messages ---- */

static void send_query(struct trace_tap *tap, struct tap_message message, const uint8_t *msg,
		       size_t len)
{
	message.type = TAP_CLIENT_QUERY;
	message.response_ns = 0;
	message.msg = msg;
	message.len = len;
	tap__send(tap->tap, &message);
}

/* Of @msg, which may be the query itself. */
static void send_made_query(struct trace_tap *tap, const struct tap_message *message,
			    const uint8_t *msg, const struct watch_event *event)
{
	uint8_t made[DNS_MIN_UDP];
	struct dns_query query = {
		.id = event->id,
		.flags = (msg[2] << 8 | msg[3]) & QUERY_FLAGS,
		.qname = event->qname,
		.qtype = event->qtype,
	};

	if (event->has_question)
		send_query(tap, *message, made, dns_query__rebuild(&query, made));
	else
		send_query(tap, *message, NULL, 0);
}

void trace_tap__event(struct trace_tap *tap, const struct nodens_event *raw,
		      const struct watch_event *event, int64_t epoch_ns, bool agent_alone)
{
	union sockaddr_any client, server;
	struct tap_message message = {
		.type = TAP_CLIENT_RESPONSE,
		.proto = event->flags & NODENS_EVENT_TCP ? TAP_TCP : TAP_UDP,
		.querier = &client,
		.responder = &server,
		.identity = tap->identity,
		.version = tap->version,
		.response_ns = event->time_ns + epoch_ns,
	};
	bool by_agent = event->kind == NODENS_EVENT_AGENT;
	size_t len, captured;
	const uint8_t *msg = event__message(raw, &len, &captured);

	if (!msg || !event->has_client)
		return;
	/* somebody's reply that went on: neither a client's query nor a reply of nodens */
	if (event->kind == NODENS_EVENT_PASSED && event->is_reply)
		return;
	client = served_addr__sockaddr(&event->client, event->client_port);
	server = served_addr__sockaddr(&event->server, event->server_port);
	message.query_ns = message.response_ns - event->took_us * 1000ull;
	message.msg = captured == len ? msg : NULL;
	message.len = len;
	if (event->kind == NODENS_EVENT_TO_AGENT || event->kind == NODENS_EVENT_PASSED)
		send_query(tap, message, message.msg, len);
	else if (!by_agent || agent_alone || event->flags & NODENS_EVENT_TCP)
		send_made_query(tap, &message, msg, event);
	if (event->is_reply && (by_agent || event->kind == NODENS_EVENT_ANSWERED))
		tap__send(tap->tap, &message);
}
