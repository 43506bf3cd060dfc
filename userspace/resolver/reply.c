// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Replies to clients, and whether there are more queries than can be waited for.
 * Contract: resolver_priv.h.
 */
#include <stdlib.h>

#include "resolver_priv.h"

size_t resolver__udp_limit(const struct dns_query *query, uint16_t bufsize)
{
	size_t size = query->edns_size < bufsize ? query->edns_size : bufsize;

	return size > DNS_MIN_UDP ? size : DNS_MIN_UDP;
}

/* ---- replies ---- */

static uint16_t bufsize_of(const struct resolver *resolver, const struct server_block *sb)
{
	uint16_t size = sb ? sb->config->bufsize : 0;

	return size && size < resolver->config.bufsize ? size : resolver->config.bufsize;
}

static void notify(struct resolver *resolver, struct resolver_event *event, const uint8_t *msg,
		   size_t len, uint64_t since_ns)
{
	struct resolver_asker *asker = event->client->probe ? event->client->owner : NULL;

	if (!asker && !resolver->config.replied)
		return;
	event->reply = msg;
	event->size = len;
	event->rcode = msg[3] & DNS_RCODE;
	event->flags = msg[2] << 8 | msg[3];
	event->duration_ns = resolver_now(resolver) - since_ns;
	if (asker)
		asker->replied(asker, event);
	else
		resolver->config.replied(resolver->config.ctx, event);
}

void resolver_send(struct resolver *resolver, const struct client *client, const uint8_t *msg,
		   size_t len)
{
	struct resolver_asker *asker = client->probe ? client->owner : NULL;

	if (!asker)
		resolver->config.reply(resolver->config.ctx, client, msg, len);
	else if (!len)
		asker->dropped(asker);
}

void resolver_drop(struct resolver *resolver, struct resolver_event *event, uint64_t since_ns)
{
	const struct resolver_config *config = &resolver->config;

	resolver_send(resolver, event->client, NULL, 0);
	event->duration_ns = resolver_now(resolver) - since_ns;
	if (!event->client->probe && config->dropped)
		config->dropped(config->ctx, event);
}

void resolver_reply(struct resolver *resolver, struct resolver_event *event,
		    const struct answer *answer, uint32_t ttl_s, uint64_t since_ns)
{
	const struct client *client = event->client;
	uint16_t bufsize = bufsize_of(resolver, event->sb);
	struct reply_options opts = {
		.limit = client->tcp ? DNS_MAX_MSG : resolver__udp_limit(event->query, bufsize),
		.ttl_s = ttl_s,
		.rotate = resolver->rotate++,
		.ede = event->ede,
	};
	int len = reply__build(resolver->msg, sizeof(resolver->msg), event->query, answer, &opts);

	if (len < DNS_HEADER) {
		resolver_drop(resolver, event, since_ns);
		return;
	}
	resolver_send(resolver, client, resolver->msg, len);
	notify(resolver, event, resolver->msg, len, since_ns);
}

void resolver_reply_rcode(struct resolver *resolver, struct resolver_event *event, uint16_t rcode,
			  uint64_t since_ns)
{
	const struct dns_query *query = event->query;
	struct answer *answer = answer__empty(&query->qname, query->qtype, query->key_flags, rcode);

	resolver_count_client(resolver, event->client,
			      rcode == DNS_REFUSED ? AGENT_STAT_REFUSED : AGENT_STAT_SERVFAIL);
	if (answer)
		resolver_reply(resolver, event, answer, 0, since_ns);
	else
		resolver_drop(resolver, event, since_ns);
	answer__free(answer);
}

void resolver_update_shed(struct resolver *resolver)
{
	const struct resolver_config *config = &resolver->config;
	unsigned int share = resolver->overloaded ? 4 : 2;
	/* many who wait for one name fill what there is for those who wait as well */
	bool overloaded = resolver->n_inflight > config->shed_above * 2 / share ||
			  resolver->n_waiting > MAX_WAITING / share;

	if (overloaded == resolver->overloaded)
		return;
	resolver->overloaded = overloaded;
	if (config->overload)
		config->overload(config->ctx, overloaded);
}

void reply_waiting_gone(struct inflight *flight)
{
	struct resolver *resolver = flight->way.resolver;

	resolver->n_waiting -= flight->n_waiting;
	flight->n_waiting = 0;
	resolver->config.stats->v[AGENT_STAT_WAITING] = resolver->n_waiting;
}

void reply_waiting_free(struct waiting *waiting)
{
	share__give(waiting->share);
	free(waiting);
}

/* ---- the end ---- */

struct resolver_event reply_event(const struct inflight *flight, const struct waiting *waiting,
				  enum plugin_id plugin)
{
	return (struct resolver_event){
		.client = &waiting->client,
		.query = &waiting->query,
		.sb = flight->way.sb,
		.zone = flight->zone,
		.plugin = plugin,
		.ede = flight->way.passage.ede,
		.asked = &flight->way.exchange.asked,
	};
}

void reply_all(struct inflight *flight, const struct answer *answer, uint32_t ttl_s,
	       enum plugin_id plugin, bool stale, const char *error)
{
	struct waiting *waiting = flight->first, *next;

	flight->first = NULL;
	flight->last = &flight->first;
	for (; waiting; waiting = next) {
		struct resolver_event event = reply_event(flight, waiting, plugin);

		next = waiting->next;
		event.stale = stale;
		event.error = error;
		if (answer)
			resolver_reply(flight->way.resolver, &event, answer, ttl_s,
				       waiting->since_ns);
		else
			resolver_reply_rcode(flight->way.resolver, &event, DNS_SERVFAIL,
					     waiting->since_ns);
		reply_waiting_free(waiting);
	}
	reply_waiting_gone(flight);
}
