// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Questions on their way to an answer: once through the block's plugins for all who ask the same.
 * Contract: resolver_priv.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret_hash.h"
#include "resolver_priv.h"

/* ---- the table ---- */

/*
 * Not question__hash(): NH keeps its promise for whole values only, and its low bits do not depend
 * on every octet. A client that chose its names accordingly had them all in one bucket.
 */
uint64_t inflight_hash(const struct resolver *resolver, const struct server_block *sb,
		       const struct question *q)
{
	uint32_t rest[2] = { q->qtype | (uint32_t)q->key_flags << 16, sb - resolver->blocks };
	uint8_t octets[DNS_MAX_NAME + sizeof(rest)];

	memcpy(octets, rest, sizeof(rest));
	memcpy(octets + sizeof(rest), q->qname.wire, q->qname.len);
	return secret_hash(octets, sizeof(rest) + q->qname.len);
}

struct inflight *inflight_find(struct resolver *resolver, uint64_t hash,
			       const struct server_block *sb, const struct question *q)
{
	struct inflight *flight = resolver->buckets[hash % BUCKETS];

	for (; flight; flight = flight->next) {
		const struct question *have = &flight->way.passage.question;

		if (flight->way.hash == hash && flight->way.sb == sb && have->qtype == q->qtype &&
		    have->key_flags == q->key_flags && have->qname.len == q->qname.len &&
		    !memcmp(have->qname.wire, q->qname.wire, q->qname.len))
			return flight;
	}
	return NULL;
}

void inflight_unlink(struct inflight *flight)
{
	struct resolver *resolver = flight->way.resolver;
	struct inflight **at = &resolver->buckets[flight->way.hash % BUCKETS];

	while (*at != flight)
		at = &(*at)->next;
	*at = flight->next;
	resolver->n_inflight--;
	share__give(flight->share);
	flight->share = NULL;
	reply_waiting_gone(flight);
	loop_timer__stop(&flight->stale);
}

void inflight_free(struct inflight *flight)
{
	struct resolver *resolver = flight->way.resolver;
	struct waiting *waiting;

	while ((waiting = flight->first)) {
		flight->first = waiting->next;
		reply_waiting_free(waiting);
	}
	chain_release(&flight->way);
	answer__free(flight->way.passage.answer);
	if (resolver->n_spare == SPARE_INFLIGHTS) {
		free(flight);
		return;
	}
	flight->next = resolver->spare;
	resolver->spare = flight;
	resolver->n_spare++;
}

/* All zero; NULL: no memory. */
static struct inflight *inflight_alloc(struct resolver *resolver)
{
	struct inflight *flight = resolver->spare;

	if (!flight)
		return calloc(1, sizeof(*flight));
	resolver->spare = flight->next;
	resolver->n_spare--;
	memset(flight, 0, sizeof(*flight));
	return flight;
}

static int inflight_join(struct inflight *flight, const struct client *client,
			 const struct dns_query *query, uint64_t now)
{
	struct resolver *resolver = flight->way.resolver;
	struct waiting *waiting;
	int ret;

	if (resolver->n_waiting >= MAX_WAITING || flight->n_waiting >= QUESTION_WAITING)
		return -EBUSY;
	waiting = malloc(sizeof(*waiting));
	if (!waiting)
		return -ENOMEM;
	*waiting = (struct waiting){ .client = *client, .query = *query, .since_ns = now };
	ret = shares__take_below(&resolver->waiting, &client->peer.sa,
				 client_device(resolver, client, now), CLIENT_WAITING,
				 &waiting->share);
	if (ret) {
		free(waiting);
		return ret;
	}
	*flight->last = waiting;
	flight->last = &waiting->next;
	flight->n_waiting++;
	resolver->config.stats->v[AGENT_STAT_WAITING] = ++resolver->n_waiting;
	return 0;
}

/* ---- begin ---- */

static void begin_way(struct inflight *flight, const struct inflight_start *start, uint64_t now)
{
	struct passage *passage = &flight->way.passage;
	const struct client *asker = start->asker;

	passage->question = *start->question;
	passage->now_ns = now;
	passage->over_ipv6 = passage->question.key_flags & NODENS_KEY_AGENT;
	if (asker) {
		flight->asker = *asker;
		passage->client.peer = &flight->asker.peer.sa;
		passage->client.local = &flight->asker.local.sa;
		passage->client.tcp = asker->tcp;
		passage->query.client = &passage->client;
	}
	if (start->alone)
		passage->over_ipv6 = asker && asker->peer.sa.sa_family == AF_INET6;
}

static struct inflight *inflight_new(struct resolver *resolver, uint64_t hash,
				     const struct inflight_start *start, uint64_t now)
{
	struct inflight *flight = inflight_alloc(resolver);
	struct inflight **bucket = &resolver->buckets[hash % BUCKETS];

	if (!flight)
		return NULL;
	flight->way.resolver = resolver;
	flight->way.hash = hash;
	flight->way.sb = start->sb;
	flight->way.done = resolver->done;
	flight->since_ns = now;
	flight->zone = start->zone;
	begin_way(flight, start, now);
	flight->last = &flight->first;
	flight->next = *bucket;
	*bucket = flight;
	resolver->n_inflight++;
	return flight;
}

static void add_asks(struct inflight *flight, const struct agent_asks *asks)
{
	if (!asks)
		return;
	flight->asks.probe |= asks->probe;
	flight->asks.loop |= asks->loop;
	if (asks->nx_below_for.len)
		flight->asks.nx_below_for = asks->nx_below_for;
}

int inflight_start(struct resolver *resolver, const struct inflight_start *start, uint64_t now)
{
	uint64_t hash = inflight_hash(resolver, start->sb, start->question);
	struct inflight *flight;
	int ret = 0;

	flight = inflight_find(resolver, hash, start->sb, start->question);
	if (flight && start->client && start->alone)
		flight = NULL; /* each says who asks */
	if (flight) {
		add_asks(flight, start->asks);
		if (!start->client)
			return 0;
		ret = inflight_join(flight, start->client, start->query, now);
		if (!ret) {
			resolver_count_client(resolver, start->client, AGENT_STAT_COALESCED);
			resolver_update_shed(resolver);
		}
		return ret;
	}
	if (resolver->n_inflight >= resolver->config.max_exchanges)
		return -EBUSY;
	flight = inflight_new(resolver, hash, start, now);
	if (!flight)
		return -ENOMEM;
	add_asks(flight, start->asks);
	if (start->client)
		ret = shares__take_below(&resolver->exchanges, &start->client->peer.sa,
					 client_device(resolver, start->client, now),
					 resolver->client_exchanges, &flight->share);
	if (start->client && !ret)
		ret = inflight_join(flight, start->client, start->query, now);
	if (ret) {
		inflight_unlink(flight);
		inflight_free(flight);
		return ret;
	}
	chain_run(&flight->way);
	resolver_update_shed(resolver);
	return 0;
}

void inflight_close_all(struct resolver *resolver)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (resolver->buckets[i]) {
			struct inflight *flight = resolver->buckets[i];

			exchange__cancel(&flight->way.exchange);
			for (struct waiting *w = flight->first; w; w = w->next)
				resolver_send(resolver, &w->client, NULL, 0);
			inflight_unlink(flight);
			inflight_free(flight);
		}
	}
	while (resolver->spare) {
		struct inflight *flight = resolver->spare;

		resolver->spare = flight->next;
		free(flight);
	}
}
