// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Questions on their way to an answer: once through the block's plugins for all who ask the same.
 * Contract: resolver_priv.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/dns64.h"
#include "plugin/loadbalance.h"
#include "resolver_priv.h"
#include "base/secret_hash.h"
#include "plugin/whoami.h"

/* Who could be answered with what has expired waits no longer for better: RFC 8767, 5. */
#define STALE_AFTER_NS (1800 * NSEC_PER_MS)
/*
 * With verify, so long the programs answer with it once upstreams had nothing. While somebody asks,
 * upstreams are asked too (each 5.4 s, store/tick.c) for a deadline at most (5 s), and that makes
 * it longer: clients do not wait again.
 */
#define STALE_WINDOW_S 12

/* ---- the table ---- */

/*
 * Not question__hash(): NH keeps its promise for whole values only, and its low bits do not depend
 * on every octet. A client that chose its names accordingly had them all in one bucket.
 */
static uint64_t hash_of(const struct resolver *resolver, const struct server_block *sb,
			const struct question *q)
{
	uint32_t rest[2] = { q->qtype | (uint32_t)q->key_flags << 16, sb - resolver->blocks };
	uint8_t octets[DNS_MAX_NAME + sizeof(rest)];

	memcpy(octets, rest, sizeof(rest));
	memcpy(octets + sizeof(rest), q->qname.wire, q->qname.len);
	return secret_hash(octets, sizeof(rest) + q->qname.len);
}

static struct inflight *inflight_find(struct resolver *resolver, uint64_t hash,
				      const struct server_block *sb, const struct question *q)
{
	struct inflight *flight = resolver->buckets[hash % BUCKETS];

	for (; flight; flight = flight->next) {
		const struct question *have = &flight->question;

		if (flight->hash == hash && flight->sb == sb && have->qtype == q->qtype &&
		    have->key_flags == q->key_flags && have->qname.len == q->qname.len &&
		    !memcmp(have->qname.wire, q->qname.wire, q->qname.len))
			return flight;
	}
	return NULL;
}

static void waiting_gone(struct inflight *flight)
{
	struct resolver *resolver = flight->resolver;

	resolver->n_waiting -= flight->n_waiting;
	flight->n_waiting = 0;
	resolver->config.stats->v[AGENT_STAT_WAITING] = resolver->n_waiting;
}

static void inflight_unlink(struct inflight *flight)
{
	struct resolver *resolver = flight->resolver;
	struct inflight **at = &resolver->buckets[flight->hash % BUCKETS];

	while (*at != flight)
		at = &(*at)->next;
	*at = flight->next;
	resolver->n_inflight--;
	share__give(flight->share);
	flight->share = NULL;
	waiting_gone(flight);
	loop_timer__stop(&flight->stale);
}

static void waiting_free(struct waiting *waiting)
{
	share__give(waiting->share);
	free(waiting);
}

static void inflight_free(struct inflight *flight)
{
	struct waiting *waiting;

	resolver_nx_below_forget(flight);
	while ((waiting = flight->first)) {
		flight->first = waiting->next;
		waiting_free(waiting);
	}
	answer__free(flight->native);
	answer__free(flight->cname);
	rewrite_result__free(flight->rewritten);
	free(flight);
}

static int take_share(struct resolver *resolver, const struct client *client, struct shares *of,
		      unsigned int limit, struct share **share)
{
	const struct resolver_config *config = &resolver->config;
	uint32_t device = config->device ? config->device(config->ctx, &client->peer.sa) : 0;

	return shares__take_below(of, &client->peer.sa, device, limit, share);
}

static int inflight_join(struct inflight *flight, const struct client *client,
			 const struct dns_query *query, uint64_t now)
{
	struct resolver *resolver = flight->resolver;
	struct waiting *waiting;
	int ret;

	if (resolver->n_waiting >= MAX_WAITING || flight->n_waiting >= QUESTION_WAITING)
		return -EBUSY;
	waiting = malloc(sizeof(*waiting));
	if (!waiting)
		return -ENOMEM;
	*waiting = (struct waiting){ .client = *client, .query = *query, .since_ns = now };
	ret = take_share(resolver, client, &resolver->waiting, CLIENT_WAITING, &waiting->share);
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

/* ---- the end ---- */

static struct resolver_event event_for(const struct inflight *flight, const struct waiting *waiting,
				       enum plugin_id plugin)
{
	return (struct resolver_event){
		.client = &waiting->client,
		.query = &waiting->query,
		.sb = flight->sb,
		.zone = flight->zone,
		.plugin = plugin,
		.ede = flight->ede,
	};
}

static void reply_all(struct inflight *flight, const struct answer *answer, uint32_t ttl_s,
		      enum plugin_id plugin, bool stale, const char *error)
{
	struct waiting *waiting = flight->first, *next;

	flight->first = NULL;
	flight->last = &flight->first;
	for (; waiting; waiting = next) {
		struct resolver_event event = event_for(flight, waiting, plugin);

		next = waiting->next;
		event.stale = stale;
		event.error = error;
		if (answer)
			resolver_reply(flight->resolver, &event, answer, ttl_s, waiting->since_ns);
		else
			resolver_reply_rcode(flight->resolver, &event, DNS_SERVFAIL,
					     waiting->since_ns);
		waiting_free(waiting);
	}
	waiting_gone(flight);
}

/* Upstreams have nothing better: what has expired, while the block's serve_stale lasts. */
static bool reply_stale(struct inflight *flight, uint64_t now)
{
	const struct corefile_cache *cache = &flight->sb->config->cache;
	struct store *store = flight->resolver->config.store;
	const struct question *q = &flight->question;
	const struct answer *answer = NULL;
	uint32_t past_s;

	if (store && cache->serve_stale_s)
		answer = store__get_stale(store, &q->qname, q->qtype, q->key_flags, now, &past_s);
	if (!answer)
		return false;
	reply_all(flight, answer, cache->stale_ttl_s, PLUGIN_CACHE, true, NULL);
	/* immediate: they do all the time that it is kept; and they say a TTL of 0 */
	if (cache->stale == COREFILE_STALE_VERIFY && !cache->stale_ttl_s)
		store__publish_stale(store, &q->qname, q->qtype, q->key_flags, STALE_WINDOW_S, now);
	return true;
}

/* The same at the end of an attempt that was in vain. */
static bool end_stale(struct inflight *flight, uint64_t now)
{
	uint64_t recheck_ns = flight->sb->config->cache.stale_recheck_ns;

	if (!reply_stale(flight, now))
		return false;
	if (recheck_ns)
		flight->resolver->rechecks[flight->hash % RECHECKS] =
			(struct recheck){ flight->hash, now + recheck_ns };
	return true;
}

bool inflight_rechecks(const struct resolver *resolver, const struct server_block *sb,
		       const struct question *question, uint64_t now)
{
	const struct recheck *recheck;
	uint64_t hash;

	if (!sb->config->cache.stale_recheck_ns)
		return false;
	hash = hash_of(resolver, sb, question);
	recheck = &resolver->rechecks[hash % RECHECKS];
	return (recheck->hash == hash && recheck->until_ns > now) ||
	       inflight_find((struct resolver *)resolver, hash, sb, question);
}

/* Who joins from now on has a time of its own. */
static void on_stale(void *arg, uint64_t now)
{
	struct inflight *flight = arg;

	reply_stale(flight, now);
	resolver_judge_load(flight->resolver);
}

/* verify: better ask first, but not for longer than a client waits. */
static void plan_stale(struct inflight *flight, uint64_t now)
{
	const struct corefile_cache *cache = &flight->sb->config->cache;
	const struct question *q = &flight->question;
	struct resolver *resolver = flight->resolver;
	uint32_t past_s;

	if (flight->stale.set || !resolver->config.store ||
	    !flight->sb->config->cache.serve_stale_s ||
	    !store__get_stale(resolver->config.store, &q->qname, q->qtype, q->key_flags, now,
			      &past_s))
		return;
	loop_timer__set(&flight->stale,
			cache->stale_wait_ns ? cache->stale_wait_ns : STALE_AFTER_NS);
}

bool inflight_failed(const struct answer *answer)
{
	return !answer || (answer->flags & DNS_RCODE) == DNS_SERVFAIL;
}

/* Does it say anything of the name? Else what is known from before is better: RFC 8767, 4. */
static bool says_nothing(const struct answer *answer)
{
	uint16_t rcode = answer ? answer->flags & DNS_RCODE : DNS_SERVFAIL;

	return rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN;
}

/* serve_stale_policy: a name that is denied keeps the addresses that it had, for as long as stale
 * answers are kept. */
static bool keeps_positive(const struct inflight *flight, enum admission admission, uint64_t now)
{
	struct store *store = flight->resolver->config.store;
	const struct question *q = &flight->question;
	const struct answer *had;
	uint32_t unused;

	if (!store || !flight->sb->config->cache.prefer_positive || admission == ADMIT_POSITIVE)
		return false;
	had = store__get(store, &q->qname, q->qtype, q->key_flags, now, &unused);
	if (!had)
		had = store__get_stale(store, &q->qname, q->qtype, q->key_flags, now, &unused);
	return had && (had->flags & DNS_RCODE) == DNS_NOERROR && had->count[DNS_ANSWER_SECTION];
}

/*
 * dns64 gives clients over IPv6 another answer than those over IPv4: neither may be where the
 * programs find it.
 */
static bool private_answer(const struct inflight *flight, const struct answer *answer)
{
	const struct corefile_dns64 *dns64 = &flight->sb->config->dns64;

	return dns64->enabled && !dns64->allow_ipv4 && flight->question.qtype == DNS_TYPE_AAAA &&
	       (flight->native || dns64__wants(dns64, answer));
}

/* @answer is the store's or gone after this. */
static void put(struct inflight *flight, struct answer *answer, const struct store_put *how,
		uint64_t now)
{
	struct resolver *resolver = flight->resolver;
	uint8_t key_flags = flight->question.key_flags;

	if (server_block__of_client(flight->sb) || private_answer(flight, answer)) {
		/* with both, one entry would have to serve clients of two kinds */
		if (!(key_flags & NODENS_KEY_AGENT) ||
		    (server_block__of_client(flight->sb) && private_answer(flight, answer))) {
			answer__free(answer);
			return;
		}
	} else {
		key_flags &= ~NODENS_KEY_AGENT;
	}
	answer->key_flags = key_flags;
	if (!store__put(resolver->config.store, answer, how, now))
		resolver_count(resolver, AGENT_STAT_CACHE_STORED);
}

static const char *reason(const struct inflight *flight)
{
	return flight->exchange.error[0] ? flight->exchange.error : "no upstream answered";
}

/* Upstreams know better than what has expired, though that is not to be kept. */
static void drop_stale(const struct inflight *flight, uint64_t now)
{
	struct store *store = flight->resolver->config.store;
	const struct question *q = &flight->question;
	uint32_t past_s;

	if (store && store__get_stale(store, &q->qname, q->qtype, q->key_flags, now, &past_s))
		store__remove(store, &q->qname, q->qtype, q->key_flags);
}

void inflight_finish(struct inflight *flight, struct answer *answer, enum admission admission,
		     const struct server_block_answer *local, uint64_t now)
{
	struct resolver *resolver = flight->resolver;
	const struct server_block *sb = flight->sb;
	bool for_agent = !flight->n_waiting, keep = false;
	bool keeps = keeps_positive(flight, admission, now), worse = keeps || says_nothing(answer);
	bool unanswered = resolver_unanswered_learn(flight, answer, now);
	struct store_put how;
	uint32_t ttl_s = 0;

	inflight_unlink(flight);
	if (worse && end_stale(flight, now)) {
		answer__free(answer);
		goto out;
	}
	if (answer)
		loadbalance__prefer(sb->config->prefer, sb->config->prefer_len, answer);
	if (answer && local && local->exact) {
		server_block__keep_exact(sb, answer, resolver->n_blocks, &how, &ttl_s);
		keep = !flight->ede;
	} else if (answer) {
		keep = server_block__keep(sb, answer, admission, &how, &ttl_s) && !flight->ede;
	}
	reply_all(flight, answer, ttl_s, local ? local->plugin : PLUGIN_FORWARD, false,
		  answer ? NULL : reason(flight));
	if (flight->loop && answer)
		resolver_loop_answered(resolver, sb);
	else if (!local && !keeps)
		resolver_nx_below_learn(flight, answer, admission, now);
	if (unanswered && !answer) {
		answer = resolver_unanswered_keep(flight, &how);
		keep = answer;
	}
	/* a refresh that failed leaves what there was */
	if (keep && resolver->config.store && !flight->loop && !sb->config->apart && !keeps &&
	    !(for_agent && worse)) {
		put(flight, answer, &how, now);
	} else {
		if (!worse)
			drop_stale(flight, now);
		answer__free(answer);
	}
out:
	inflight_free(flight);
	resolver_judge_load(resolver);
}

/* Each client has an answer of its own. */
void inflight_finish_whoami(struct inflight *flight)
{
	struct resolver *resolver = flight->resolver;
	struct waiting *waiting;

	inflight_unlink(flight);
	for (waiting = flight->first; waiting; waiting = waiting->next) {
		struct resolver_event event = event_for(flight, waiting, PLUGIN_WHOAMI);
		struct answer *answer = NULL;

		if (whoami__answer(&waiting->query, &waiting->client.peer.sa, waiting->client.tcp,
				   &answer))
			resolver_reply_rcode(resolver, &event, DNS_SERVFAIL, waiting->since_ns);
		else
			resolver_reply(resolver, &event, answer, 0, waiting->since_ns);
		answer__free(answer);
	}
	inflight_free(flight);
	resolver_judge_load(resolver);
}

void inflight_finish_rcode(struct inflight *flight, uint16_t rcode, const char *error)
{
	struct resolver *resolver = flight->resolver;

	inflight_unlink(flight);
	end_stale(flight, resolver_now(resolver)); /* nobody waits any more, then */
	for (struct waiting *waiting = flight->first; waiting; waiting = waiting->next) {
		struct resolver_event event = event_for(flight, waiting, PLUGIN_NONE);

		event.error = error;
		resolver_reply_rcode(resolver, &event, rcode, waiting->since_ns);
	}
	inflight_free(flight);
	resolver_judge_load(resolver);
}

/* ---- begin ---- */

static struct inflight *inflight_new(struct resolver *resolver, uint64_t hash,
				     const struct inflight_start *start, uint64_t now)
{
	struct inflight *flight = calloc(1, sizeof(*flight));
	struct inflight **bucket = &resolver->buckets[hash % BUCKETS];

	if (!flight)
		return NULL;
	flight->resolver = resolver;
	flight->hash = hash;
	flight->since_ns = now;
	flight->sb = start->sb;
	flight->zone = start->zone;
	flight->question = *start->question;
	if (start->asker)
		flight->asker = *start->asker;
	flight->last = &flight->first;
	loop_timer__init(&flight->stale, resolver->config.loop, on_stale, flight);
	flight->next = *bucket;
	*bucket = flight;
	resolver->n_inflight++;
	return flight;
}

/* What the agent wants to know besides. */
static void add_purpose(struct inflight *flight, const struct inflight_start *start)
{
	flight->probe |= start->probe;
	flight->loop |= start->loop;
	if (start->nx_below_for)
		flight->nx_below_for = *start->nx_below_for;
}

int inflight_start(struct resolver *resolver, const struct inflight_start *start, uint64_t now)
{
	uint64_t hash = hash_of(resolver, start->sb, start->question);
	struct inflight *flight;
	int ret = 0;

	flight = inflight_find(resolver, hash, start->sb, start->question);
	if (flight && start->client && server_block__of_client(start->sb))
		flight = NULL; /* each says who asks */
	if (flight) {
		add_purpose(flight, start);
		if (!start->client)
			return 0;
		ret = inflight_join(flight, start->client, start->query, now);
		if (!ret) {
			resolver_count(resolver, AGENT_STAT_COALESCED);
			plan_stale(flight, now);
			resolver_judge_load(resolver);
		}
		return ret;
	}
	if (resolver->n_inflight >= resolver->config.max_exchanges)
		return -EBUSY;
	flight = inflight_new(resolver, hash, start, now);
	if (!flight)
		return -ENOMEM;
	add_purpose(flight, start);
	if (start->client)
		ret = take_share(resolver, start->client, &resolver->exchanges,
				 resolver->client_exchanges, &flight->share);
	if (start->client && !ret) {
		ret = inflight_join(flight, start->client, start->query, now);
		plan_stale(flight, now);
	}
	if (ret) {
		inflight_unlink(flight);
		inflight_free(flight);
		return ret;
	}
	inflight_ask(flight, start->question->qtype, now);
	resolver_judge_load(resolver);
	return 0;
}

void inflight_close_all(struct resolver *resolver)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (resolver->buckets[i]) {
			struct inflight *flight = resolver->buckets[i];

			exchange__cancel(&flight->exchange);
			for (struct waiting *w = flight->first; w; w = w->next)
				resolver->config.reply(resolver->config.ctx, &w->client, NULL, 0);
			inflight_unlink(flight);
			inflight_free(flight);
		}
	}
}
