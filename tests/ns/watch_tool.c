// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A viewer by hand, for tests/ns: a session over the pinned maps, each event a line of JSON.
 *
 * Contract: "ready" once it is open; ends with its standard input, after all that was there. With
 * an argument: how many sessions are open.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "watch/session.h"

static void on_event(void *ctx, const struct nodens_event *event)
{
	(void)ctx;
	printf("{\"kind\": %u, \"outcome\": %u, \"flags\": %u, \"ifindex\": %u, \"took_us\": %u, "
	       "\"upstream\": %u, \"tries\": %u, \"l3\": %u, \"l4\": %u, \"packet\": \"",
	       event->kind, event->outcome, event->flags, event->ifindex, event->took_us,
	       event->upstream, event->tries, event->l3, event->l4);
	for (int i = 0; i < event->captured; i++)
		printf("%02x", event->packet[i]);
	printf("\"}\n");
}

int main(int argc, char **argv)
{
	struct nodens_filter filter = session__any();
	struct pollfd in = { .fd = 0, .events = POLLIN };
	struct session *session;
	uint32_t pids[NODENS_SESSIONS];
	struct datapath *dp;
	struct error err;

	filter.snap = NODENS_MAX_SNAP;
	(void)argv;
	if (datapath__open_pinned(NULL, &dp, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	if (argc > 1) {
		printf("%u\n", session__holders(dp, pids));
		datapath__close(dp);
		return 0;
	}
	if (session__open(dp, &filter, on_event, NULL, &session, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	printf("ready\n");
	do {
		fflush(stdout);
		session__renew(session);
		session__read(session, 0);
	} while (!poll(&in, 1, 20));
	session__read(session, 0);
	session__close(session);
	datapath__close(dp);
	return 0;
}
