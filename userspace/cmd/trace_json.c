// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A query of `nodens trace --json`, a line each: docs/schema/trace.json. Contract: trace.h.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/trace.h"
#include "dns/rrtype.h"

static const char *const kinds[NODENS_EVENT_KINDS] = {
	[NODENS_EVENT_ANSWERED] = "kernel",   [NODENS_EVENT_TO_AGENT] = "to_agent",
	[NODENS_EVENT_PASSED] = "passed",     [NODENS_EVENT_DROPPED] = "dropped",
	[NODENS_EVENT_RETURNED] = "returned", [NODENS_EVENT_AGENT] = "agent",
	[NODENS_EVENT_REPLY] = "reply",
};

static void put(const struct trace_print *print, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (text) {
		trace_out__write(print->out, text, strlen(text));
		trace_out__write(print->out, "\n", 1);
	}
	free(text);
	json_decref(json);
}

/* RFC 3339, UTC, nanoseconds. */
static void set_time(const struct trace_print *print, json_t *json, uint64_t at_ns)
{
	uint64_t ns = at_ns + print->epoch_ns;
	time_t s = (time_t)(ns / NSEC_PER_SEC);
	char clock[32], text[48];
	struct tm tm;

	strftime(clock, sizeof(clock), "%Y-%m-%dT%H:%M:%S", gmtime_r(&s, &tm));
	snprintf(text, sizeof(text), "%s.%09uZ", clock, (unsigned int)(ns % NSEC_PER_SEC));
	json_object_set_new(json, "time", json_string(text));
}

static void set_client(json_t *json, const struct watch_event *event,
		       const struct trace_client *client)
{
	char text[INET6_ADDRSTRLEN];

	json_object_set_new(json, "ifindex", json_integer(event->ifindex));
	/* a name that is no UTF-8 is left out */
	if (client->dev[0])
		json_object_set_new(json, "device", json_string(client->dev));
	if (!event->has_client)
		return;
	json_object_set_new(json, "client",
			    json_string(served_addr__text(&event->client, text, sizeof(text))));
	json_object_set_new(json, "client_port", json_integer(event->client_port));
	json_object_set_new(json, "server",
			    json_string(served_addr__text(&event->server, text, sizeof(text))));
	if (client->pod.name[0]) {
		json_object_set_new(json, "namespace", json_string(client->pod.ns));
		json_object_set_new(json, "pod", json_string(client->pod.name));
	}
}

static void set_message(json_t *json, const struct watch_event *event)
{
	char name[DNS_NAME_TEXT], text[RRTYPE_TEXT];
	json_t *reply;

	if (event->has_header)
		json_object_set_new(json, "id", json_integer(event->id));
	if (event->has_question) {
		dns_name__to_text(&event->qname, name, sizeof(name));
		json_object_set_new(json, "name", json_string(name));
		json_object_set_new(json, "type", json_string(rrtype__text(event->qtype, text)));
	}
	if (event->kind == NODENS_EVENT_PASSED ? !event->replied : !event->is_reply)
		return;
	reply = json_pack("{ss si sb}", "rcode", rcode__text(event->rcode, text), "answers",
			  (int)event->answers, "truncated", (int)event->truncated);
	if (event->has_ttl)
		json_object_set_new(reply, "ttl_s", json_integer(event->ttl_s));
	json_object_set_new(json, "reply", reply);
}

static void set_agent(const struct trace_print *print, json_t *json,
		      const struct watch_event *event)
{
	struct publish_upstream up;

	json_object_set_new(json, "took_us", json_integer(event->took_us));
	json_object_set_new(json, "cached", json_boolean(event->flags & NODENS_EVENT_CACHED));
	json_object_set_new(json, "timeout", json_boolean(event->flags & NODENS_EVENT_TIMEOUT));
	json_object_set_new(json, "tries", json_integer(event->tries));
	if (!trace_who__upstream(print->who, event->upstream, &up))
		return;
	json_object_set_new(json, "upstream", text__json(up.to));
	json_object_set_new(json, "proto", json_string(publish__proto(&up)));
}

void trace_json__event(const struct trace_print *print, const struct watch_event *event,
		       const struct trace_client *client)
{
	json_t *json = json_pack("{si}", "schema", 1);

	set_time(print, json, event->time_ns);
	json_object_set_new(json, "kind", json_string(kinds[event->kind]));
	json_object_set_new(json, "outcome",
			    json_string(watch_outcome_text[watch_outcome__of(event)]));
	set_client(json, event, client);
	set_message(json, event);
	if (event->kind == NODENS_EVENT_AGENT)
		set_agent(print, json, event);
	if (event->replied)
		json_object_set_new(json, "took_us", json_integer(event->took_us));
	if (event->no_reply)
		json_object_set_new(json, "no_reply", json_true());
	if (event->kind == NODENS_EVENT_PASSED || event->kind == NODENS_EVENT_DROPPED)
		json_object_set_new(json, "reason", json_string(trace__reason(event)));
	json_object_set_new(json, "stale", json_boolean(event->flags & NODENS_EVENT_STALE));
	put(print, json);
}

void trace_json__lost(const struct trace_print *print, uint64_t lost)
{
	json_t *json = json_pack("{si sI}", "schema", 1, "lost", (json_int_t)lost);

	set_time(print, json, clock_now());
	put(print, json);
}

void trace_json__summary(const struct trace_print *print, const struct trace_losses *all)
{
	json_t *json = json_pack("{si s{sI sI sI sI}}", "schema", 1, "summary", "events",
				 (json_int_t)all->shown, "lost", (json_int_t)all->lost, "unmatched",
				 (json_int_t)all->unmatched, "one_in", (json_int_t)print->sample);

	set_time(print, json, clock_now());
	put(print, json);
}
