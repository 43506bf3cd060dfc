// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * From query to reply: what is cached, and what is not. Contract: resolver.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "resolver_priv.h"

/* ---- queries ---- */

/*
 * Plugins answer clients over IPv6 as they do not answer others (dns64, unless told otherwise):
 * that is kept where no program finds it, since those cannot tell the two kinds of client apart.
 */
static bool own_family(const struct server_block *sb, const struct client *client,
		       const struct dns_query *query)
{
	return sb->by_family && client->peer.sa.sa_family == AF_INET6 &&
	       chain_by_family(sb, query->qtype, NULL);
}

/* False: a plugin has said to this client what there is to say. */
static bool admit(struct resolver *resolver, struct resolver_event *event, const struct question *q,
		  uint64_t now)
{
	const struct client *client = event->client;
	struct plugin_client asks = { &client->peer.sa, &client->local.sa, client->tcp };
	struct plugin_query query = { &q->qname, q->qtype, DNS_CLASS_IN, q->key_flags, &asks };
	struct plugin_reply reply = { .drop = false };

	if (chain_admit(event->sb, &query, &reply, &event->plugin) == PLUGIN_NEXT)
		return true;
	event->ede = reply.ede;
	if (reply.drop) {
		resolver_count_client(resolver, client, AGENT_STAT_QUERIES_DROPPED);
		resolver_drop(resolver, event, now);
	} else if (!reply.answer) {
		resolver_reply_rcode(resolver, event, DNS_SERVFAIL, now);
	} else {
		if ((reply.answer->flags & DNS_RCODE) == DNS_REFUSED)
			resolver_count_client(resolver, client, AGENT_STAT_REFUSED);
		resolver_reply(resolver, event, reply.answer, reply.answer->ttl_s, now);
	}
	answer__free(reply.answer);
	return false;
}

/* True: replied. */
static bool reply_cached(struct resolver *resolver, struct resolver_event *event,
			 const struct question *q, uint64_t now)
{
	struct store *store = resolver->config.store;
	const struct server_block *sb = event->sb;
	const struct answer *answer;
	uint32_t ttl_s = 0;

	if (!store || sb->config->apart)
		return false;
	answer = store__get(store, &q->qname, q->qtype, q->key_flags, now, &ttl_s);
	if (!answer && !(q->key_flags & NODENS_KEY_AGENT)) {
		answer = store__get_nx_below(store, &q->qname, q->key_flags, now, &ttl_s);
		event->nx_below = answer;
	}
	if (!answer) {
		answer = stale_find(resolver, sb, q, now);
		event->stale = answer;
	}
	if (!answer)
		return false;
	if (event->stale)
		ttl_s = sb->config->cache.stale_ttl_s;
	else if (answer->says_ttl_s)
		ttl_s = answer->says_ttl_s;
	resolver_count_client(resolver, event->client, AGENT_STAT_CACHE_HITS);
	event->hit = true;
	event->plugin = PLUGIN_CACHE;
	event->kind = answer->count[DNS_ANSWER_SECTION] ? NODENS_POSITIVE : NODENS_NEGATIVE;
	resolver_reply(resolver, event, answer, ttl_s, now);
	return true;
}

static struct server_block *block_for(struct resolver *resolver, const struct dns_name *qname,
				      const struct client *client)
{
	const struct corefile *cf = resolver->config.corefile;
	const struct corefile_block *block;

	block = corefile__block_at(cf, qname, &client->local);
	return block ? &resolver->blocks[block - cf->blocks] : NULL;
}

void resolver__query(struct resolver *resolver, const struct client *client,
		     const struct dns_query *query, uint64_t now)
{
	struct resolver_event event = { .client = client, .query = query };
	struct question q = {
		.qname = query->qname,
		.qtype = query->qtype,
		.key_flags = query->key_flags,
	};
	struct inflight_start start = {
		.question = &q,
		.client = client,
		.asker = client,
		.query = query,
	};
	int ret;

	dns_name__lower(&q.qname);
	start.sb = block_for(resolver, &q.qname, client);
	if (!start.sb) {
		event.rcode = DNS_REFUSED;
		resolver_reply_rcode(resolver, &event, DNS_REFUSED, now);
		return;
	}
	resolver_loop_look(resolver, &q, client, now);
	event.sb = start.sb;
	event.zone = start.zone = server_block__zone(start.sb, &q.qname);
	if (start.sb->admits && !admit(resolver, &event, &q, now))
		return;
	if (chain_agent_only(start.sb, &q.qname, q.qtype)) {
		start.alone = start.sb->tells_client || chain_by_family(start.sb, q.qtype, NULL);
		q.key_flags |= NODENS_KEY_AGENT;
	} else if (own_family(start.sb, client, query)) {
		/* what has AAAA records of its own is everybody's */
		if (reply_cached(resolver, &event, &q, now))
			return;
		q.key_flags |= NODENS_KEY_AGENT;
	}
	if (reply_cached(resolver, &event, &q, now)) {
		/* the store's wish for a new one names no client */
		start.client = NULL;
		if (event.stale && start.sb->tells_client &&
		    !stale_rechecks(resolver, start.sb, &q, now))
			inflight_start(resolver, &start, now);
		return;
	}
	ret = inflight_start(resolver, &start, now);
	if (!ret) {
		stale_plan(resolver, start.sb, &q, now);
	} else {
		resolver_count_client(resolver, client,
				      ret == -EDQUOT ? AGENT_STAT_CLIENT_FULL : AGENT_STAT_SHED);
		event.error = ret == -EDQUOT ? "too many queries of this client under way"
					     : "too many queries under way";
		resolver_reply_rcode(resolver, &event, DNS_SERVFAIL, now);
	}
}

void resolver__refresh(struct resolver *resolver, const struct store_question *question,
		       uint64_t now)
{
	struct question q = {
		.qname = question->qname,
		.qtype = question->qtype,
		.key_flags = question->key_flags,
	};
	struct inflight_start start = { .question = &q };

	if (resolver_static_refresh(resolver, question, now) ||
	    question->partition >= resolver->n_blocks)
		return;
	start.sb = &resolver->blocks[question->partition];
	if (start.sb->tells_client || stale_rechecks(resolver, start.sb, &q, now))
		return;
	/* refreshes are for clients' sake: where there are too many of those, they go first */
	if (resolver->n_inflight >= resolver->config.shed_above / 2)
		return;
	start.zone = server_block__zone(start.sb, &q.qname);
	resolver_count(resolver, AGENT_STAT_REFRESHES);
	/* not had now: the old one stays for its time */
	inflight_start(resolver, &start, now);
}

void resolver__tick(struct resolver *resolver, uint64_t now)
{
	resolver_static_tick(resolver, now);
	resolver_nx_below_tick(resolver, now);
	resolver_loop_tick(resolver, now);
}

unsigned int resolver__in_flight(const struct resolver *resolver)
{
	return resolver->n_inflight;
}

const struct server_block *resolver__blocks(const struct resolver *resolver, size_t *n)
{
	*n = resolver->n_blocks;
	return resolver->blocks;
}

/* ---- open and close ---- */

static int open_blocks(struct resolver *resolver, struct error *err)
{
	const struct corefile *cf = resolver->config.corefile;

	resolver->blocks = calloc(cf->blocks_len, sizeof(resolver->blocks[0]));
	resolver->loops = calloc(cf->blocks_len, sizeof(resolver->loops[0]));
	if (!resolver->blocks || !resolver->loops)
		return -ENOMEM;
	for (size_t i = 0; i < cf->blocks_len; i++) {
		int ret = server_block__open(&cf->blocks[i], i, resolver->config.upstreams,
					     &resolver->blocks[i], err);

		if (ret)
			return ret;
		resolver->n_blocks++;
	}
	return nx_below__open(&resolver->nx_below);
}

static void open_shares(struct resolver *resolver)
{
	unsigned int exchanges = CLIENT_EXCHANGES(resolver->config.shed_above);

	resolver->client_exchanges = exchanges > CLIENT_LEAST ? exchanges : CLIENT_LEAST;
	shares__init(&resolver->waiting);
	shares__init(&resolver->exchanges);
}

int resolver__open(const struct resolver_config *config, struct resolver **out, struct error *err)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	int ret;

	if (!resolver)
		return -ENOMEM;
	resolver->config = *config;
	resolver->done = resolver_finish;
	err->text[0] = '\0';
	open_shares(resolver);
	ret = open_blocks(resolver, err);
	if (ret) {
		if (!err->text[0])
			error__set(err, ret, "%s", strerror(-ret));
		resolver__close(resolver);
		return ret;
	}
	*out = resolver;
	return 0;
}

void resolver__close(struct resolver *resolver)
{
	if (!resolver)
		return;
	inflight_close_all(resolver);
	for (size_t i = 0; i < resolver->n_blocks; i++)
		server_block__close(&resolver->blocks[i]);
	free(resolver->blocks);
	free(resolver->loops);
	nx_below__close(resolver->nx_below);
	free(resolver);
}
