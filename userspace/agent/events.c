// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Queries that the agent is done with, for those who look on. Contract: events.h.
 */
#include "agent/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "watch/note.h"
#include "watch/viewers.h"

struct events {
	struct events_config config;
	struct note *note; /* one of the two, the other NULL */
	struct viewers *viewers;
};

static int open_viewers(struct events *events, struct error *err)
{
	const char *path = events->config.socket;
	int ret = viewers__open(events->config.loop, path, &events->viewers);

	return ret ? error__set(err, ret,
				"nobody can look at single queries (nodens trace): %s: %s", path,
				strerror(-ret))
		   : 0;
}

int events_open(const struct events_config *config, struct events **out)
{
	struct events *events = calloc(1, sizeof(*events));
	struct error err = { .text = "out of memory" };
	int ret = -ENOMEM;

	if (events) {
		events->config = *config;
		ret = config->datapath ? note__open(config->datapath, &events->note, &err)
				       : open_viewers(events, &err);
	}
	if (ret) {
		log_error("%s", err.text);
		events_close(events);
		return ret;
	}
	events->config.socket = NULL; /* the caller's */
	*out = events;
	return 0;
}

void events_close(struct events *events)
{
	if (!events)
		return;
	note__close(events->note);
	viewers__close(events->viewers);
	free(events);
}

void events_ignore(struct events *events, const struct session *own)
{
	if (events && events->note)
		note__ignore(events->note, own);
}

void events_second(struct events *events)
{
	if (events && events->note)
		session__sweep(events->config.datapath);
}

static bool wanted(const struct events *events)
{
	return events && (note__wanted(events->note) || viewers__wanted(events->viewers));
}

static void send_note(struct events *events, const struct client *client, struct note_event *event)
{
	event->client = &client->peer;
	event->served = &client->local;
	event->about.ifindex = events->config.device(events->config.ctx, &client->peer.sa);
	event->about.outcome = client->tcp ? NODENS_CTR_TCP : NODENS_CTR_MISS;
	if (client->tcp)
		event->about.flags |= NODENS_EVENT_TCP;
	/* what a full ring or socket has lost is counted there */
	if (events->note)
		note__send(events->note, event);
	else
		viewers__send(events->viewers, event);
}

/* Whose answer it is. */
static uint8_t flags_of(const struct resolver_event *event)
{
	uint8_t flags = 0;

	if (event->stale)
		flags |= NODENS_EVENT_STALE;
	if (event->nx_below)
		flags |= NODENS_EVENT_NX_BELOW;
	if (event->plugin == PLUGIN_CACHE)
		flags |= NODENS_EVENT_CACHED;
	else if (event->plugin != PLUGIN_NONE && (!event->asked || !event->asked->upstream))
		flags |= NODENS_EVENT_LOCAL;
	if (event->asked && event->asked->timed_out)
		flags |= NODENS_EVENT_TIMEOUT;
	return flags;
}

void events_replied(struct events *events, const struct resolver_event *event)
{
	struct note_event note = { .msg = event->reply, .len = event->size };
	uint8_t query[DNS_MIN_UDP];
	int row = -1;

	if (!wanted(events))
		return;
	if (!note.msg) {
		note.len = dns_query__rebuild(event->query, query);
		note.msg = query;
	}
	note.about.took_us = event->duration_ns / 1000;
	note.about.flags = flags_of(event);
	if (event->asked && event->asked->upstream) {
		row = events->config.row(events->config.ctx, event->asked->upstream);
		note.about.tries = event->asked->tries;
	}
	note.about.upstream = row + 1;
	send_note(events, event->client, &note);
}

void events_refused(struct events *events, const struct client *client, const uint8_t *reply,
		    size_t size)
{
	struct note_event note = { .msg = reply, .len = size };

	if (wanted(events))
		send_note(events, client, &note);
}
