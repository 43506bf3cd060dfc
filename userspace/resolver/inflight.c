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
static uint64_t hash_of(const struct resolver *resolver, const struct section *section,
			const struct question *q)
{
	uint32_t rest[2] = { q->qtype | (uint32_t)q->key_flags << 16,
			     section - resolver->sections };
	uint8_t octets[DNS_MAX_NAME + sizeof(rest)];

	memcpy(octets, rest, sizeof(rest));
	memcpy(octets + sizeof(rest), q->qname.wire, q->qname.len);
	return secret_hash(octets, sizeof(rest) + q->qname.len);
}

static struct pending *pending_find(struct resolver *resolver, uint64_t hash,
				    const struct section *section, const struct question *q)
{
	struct pending *pending = resolver->buckets[hash % BUCKETS];

	for (; pending; pending = pending->next) {
		const struct question *have = &pending->question;

		if (pending->hash == hash && pending->section == section &&
		    have->qtype == q->qtype && have->key_flags == q->key_flags &&
		    have->qname.len == q->qname.len &&
		    !memcmp(have->qname.wire, q->qname.wire, q->qname.len))
			return pending;
	}
	return NULL;
}

static void waiters_gone(struct pending *pending)
{
	struct resolver *resolver = pending->resolver;

	resolver->n_waiters -= pending->n_waiters;
	pending->n_waiters = 0;
	resolver->config.stats->v[AGENT_STAT_WAITING] = resolver->n_waiters;
}

static void pending_unlink(struct pending *pending)
{
	struct resolver *resolver = pending->resolver;
	struct pending **at = &resolver->buckets[pending->hash % BUCKETS];

	while (*at != pending)
		at = &(*at)->next;
	*at = pending->next;
	resolver->n_pending--;
	share__give(pending->share);
	pending->share = NULL;
	waiters_gone(pending);
	loop_timer__stop(&pending->stale);
}

static void waiter_free(struct waiter *waiter)
{
	share__give(waiter->share);
	free(waiter);
}

static void pending_free(struct pending *pending)
{
	struct waiter *waiter;

	resolver_cuts_forget(pending);
	while ((waiter = pending->first)) {
		pending->first = waiter->next;
		waiter_free(waiter);
	}
	answer__free(pending->native);
	answer__free(pending->alias);
	rewrite_result__free(pending->rewritten);
	free(pending);
}

static int take_share(struct resolver *resolver, const struct client *client, struct shares *of,
		      unsigned int limit, struct share **share)
{
	const struct resolver_config *config = &resolver->config;
	uint32_t device = config->device ? config->device(config->ctx, &client->peer.sa) : 0;

	return shares__take_below(of, &client->peer.sa, device, limit, share);
}

static int pending_join(struct pending *pending, const struct client *client,
			const struct dns_query *query, uint64_t now)
{
	struct resolver *resolver = pending->resolver;
	struct waiter *waiter;
	int ret;

	if (resolver->n_waiters >= MAX_WAITERS || pending->n_waiters >= QUESTION_WAITERS)
		return -EBUSY;
	waiter = malloc(sizeof(*waiter));
	if (!waiter)
		return -ENOMEM;
	*waiter = (struct waiter){ .client = *client, .query = *query, .since_ns = now };
	ret = take_share(resolver, client, &resolver->waiting, CLIENT_WAITERS, &waiter->share);
	if (ret) {
		free(waiter);
		return ret;
	}
	*pending->last = waiter;
	pending->last = &waiter->next;
	pending->n_waiters++;
	resolver->config.stats->v[AGENT_STAT_WAITING] = ++resolver->n_waiters;
	return 0;
}

/* ---- the end ---- */

static struct resolver_event event_for(const struct pending *pending, const struct waiter *waiter,
				       const char *plugin)
{
	return (struct resolver_event){
		.client = &waiter->client,
		.query = &waiter->query,
		.section = pending->section,
		.zone = pending->zone,
		.plugin = plugin,
		.ede = pending->ede,
	};
}

static void reply_all(struct pending *pending, const struct answer *answer, uint32_t ttl_s,
		      const char *plugin, bool stale, const char *error)
{
	struct waiter *waiter = pending->first, *next;

	pending->first = NULL;
	pending->last = &pending->first;
	for (; waiter; waiter = next) {
		struct resolver_event event = event_for(pending, waiter, plugin);

		next = waiter->next;
		event.stale = stale;
		event.error = error;
		if (answer)
			resolver_reply(pending->resolver, &event, answer, ttl_s, waiter->since_ns);
		else
			resolver_reply_rcode(pending->resolver, &event, DNS_SERVFAIL,
					     waiter->since_ns);
		waiter_free(waiter);
	}
	waiters_gone(pending);
}

/* Upstreams have nothing better: what has expired, while the block's serve_stale lasts. */
static bool reply_stale(struct pending *pending, uint64_t now)
{
	const struct corefile_cache *cache = &pending->section->block->cache;
	struct store *store = pending->resolver->config.store;
	const struct question *q = &pending->question;
	const struct answer *answer = NULL;
	uint32_t past_s;

	if (store && cache->serve_stale_s)
		answer = store__get_stale(store, &q->qname, q->qtype, q->key_flags, now, &past_s);
	if (!answer)
		return false;
	reply_all(pending, answer, cache->stale_ttl_s, "cache", true, NULL);
	/* immediate: they do all the time that it is kept; and they say a TTL of 0 */
	if (cache->stale == COREFILE_STALE_VERIFY && !cache->stale_ttl_s)
		store__publish_stale(store, &q->qname, q->qtype, q->key_flags, STALE_WINDOW_S, now);
	return true;
}

/* The same at the end of an attempt that was in vain. */
static bool end_stale(struct pending *pending, uint64_t now)
{
	uint64_t recheck_ns = pending->section->block->cache.stale_recheck_ns;

	if (!reply_stale(pending, now))
		return false;
	if (recheck_ns)
		pending->resolver->rechecks[pending->hash % RECHECKS] =
			(struct recheck){ pending->hash, now + recheck_ns };
	return true;
}

bool pending__rechecks(const struct resolver *resolver, const struct section *section,
		       const struct question *question, uint64_t now)
{
	const struct recheck *recheck;
	uint64_t hash;

	if (!section->block->cache.stale_recheck_ns)
		return false;
	hash = hash_of(resolver, section, question);
	recheck = &resolver->rechecks[hash % RECHECKS];
	return (recheck->hash == hash && recheck->until_ns > now) ||
	       pending_find((struct resolver *)resolver, hash, section, question);
}

/* Who joins from now on has a time of its own. */
static void on_stale(void *arg, uint64_t now)
{
	struct pending *pending = arg;

	reply_stale(pending, now);
	resolver_judge_load(pending->resolver);
}

/* verify: better ask first, but not for longer than a client waits. */
static void plan_stale(struct pending *pending, uint64_t now)
{
	const struct corefile_cache *cache = &pending->section->block->cache;
	const struct question *q = &pending->question;
	struct resolver *resolver = pending->resolver;
	uint32_t past_s;

	if (pending->stale.set || !resolver->config.store ||
	    !pending->section->block->cache.serve_stale_s ||
	    !store__get_stale(resolver->config.store, &q->qname, q->qtype, q->key_flags, now,
			      &past_s))
		return;
	loop_timer__set(&pending->stale,
			cache->stale_wait_ns ? cache->stale_wait_ns : STALE_AFTER_NS);
}

bool pending_failed(const struct answer *answer)
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
static bool keeps_positive(const struct pending *pending, enum admission admission, uint64_t now)
{
	struct store *store = pending->resolver->config.store;
	const struct question *q = &pending->question;
	const struct answer *had;
	uint32_t unused;

	if (!store || !pending->section->block->cache.prefer_positive ||
	    admission == ADMIT_POSITIVE)
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
static bool private_answer(const struct pending *pending, const struct answer *answer)
{
	const struct corefile_dns64 *dns64 = &pending->section->block->dns64;

	return dns64->enabled && !dns64->allow_ipv4 && pending->question.qtype == DNS_TYPE_AAAA &&
	       (pending->native || dns64__wants(dns64, answer));
}

/* @answer is the store's or gone after this. */
static void put(struct pending *pending, struct answer *answer, const struct store_put *how,
		uint64_t now)
{
	struct resolver *resolver = pending->resolver;
	uint8_t key_flags = pending->question.key_flags;

	if (section__of_client(pending->section) || private_answer(pending, answer)) {
		/* with both, one entry would have to serve clients of two kinds */
		if (!(key_flags & NODENS_KEY_AGENT) ||
		    (section__of_client(pending->section) && private_answer(pending, answer))) {
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

static const char *reason(const struct pending *pending)
{
	return pending->exchange.error[0] ? pending->exchange.error : "no upstream answered";
}

/* Upstreams know better than what has expired, though that is not to be kept. */
static void drop_stale(const struct pending *pending, uint64_t now)
{
	struct store *store = pending->resolver->config.store;
	const struct question *q = &pending->question;
	uint32_t past_s;

	if (store && store__get_stale(store, &q->qname, q->qtype, q->key_flags, now, &past_s))
		store__remove(store, &q->qname, q->qtype, q->key_flags);
}

void pending_finish(struct pending *pending, struct answer *answer, enum admission admission,
		    const struct section_answer *local, uint64_t now)
{
	struct resolver *resolver = pending->resolver;
	const struct section *section = pending->section;
	bool for_agent = !pending->n_waiters, keep = false;
	bool keeps = keeps_positive(pending, admission, now), worse = keeps || says_nothing(answer);
	bool unanswered = resolver_unanswered_learn(pending, answer, now);
	struct store_put how;
	uint32_t ttl_s = 0;

	pending_unlink(pending);
	if (worse && end_stale(pending, now)) {
		answer__free(answer);
		goto out;
	}
	if (answer)
		loadbalance__prefer(section->block->prefer, section->block->prefer_len, answer);
	if (answer && local && local->exact) {
		section__keep_exact(section, answer, resolver->n_sections, &how, &ttl_s);
		keep = !pending->ede;
	} else if (answer) {
		keep = section__keep(section, answer, admission, &how, &ttl_s) && !pending->ede;
	}
	reply_all(pending, answer, ttl_s, local ? local->plugin : "forward", false,
		  answer ? NULL : reason(pending));
	if (pending->loop && answer)
		resolver_loop_answered(resolver, section);
	else if (!local && !keeps)
		resolver_cuts_learn(pending, answer, admission, now);
	if (unanswered && !answer) {
		answer = resolver_unanswered_keep(pending, &how);
		keep = answer;
	}
	/* a refresh that failed leaves what there was */
	if (keep && resolver->config.store && !pending->loop && !section->block->apart && !keeps &&
	    !(for_agent && worse)) {
		put(pending, answer, &how, now);
	} else {
		if (!worse)
			drop_stale(pending, now);
		answer__free(answer);
	}
out:
	pending_free(pending);
	resolver_judge_load(resolver);
}

/* Each client has an answer of its own. */
void pending_finish_whoami(struct pending *pending)
{
	struct resolver *resolver = pending->resolver;
	struct waiter *waiter;

	pending_unlink(pending);
	for (waiter = pending->first; waiter; waiter = waiter->next) {
		struct resolver_event event = event_for(pending, waiter, "whoami");
		struct answer *answer = NULL;

		if (whoami__answer(&waiter->query, &waiter->client.peer.sa, waiter->client.tcp,
				   &answer))
			resolver_reply_rcode(resolver, &event, DNS_SERVFAIL, waiter->since_ns);
		else
			resolver_reply(resolver, &event, answer, 0, waiter->since_ns);
		answer__free(answer);
	}
	pending_free(pending);
	resolver_judge_load(resolver);
}

void pending_finish_rcode(struct pending *pending, uint16_t rcode, const char *error)
{
	struct resolver *resolver = pending->resolver;

	pending_unlink(pending);
	end_stale(pending, resolver_now(resolver)); /* nobody waits any more, then */
	for (struct waiter *waiter = pending->first; waiter; waiter = waiter->next) {
		struct resolver_event event = event_for(pending, waiter, "");

		event.error = error;
		resolver_reply_rcode(resolver, &event, rcode, waiter->since_ns);
	}
	pending_free(pending);
	resolver_judge_load(resolver);
}

/* ---- begin ---- */

static struct pending *pending_new(struct resolver *resolver, uint64_t hash,
				   const struct pending_start *start, uint64_t now)
{
	struct pending *pending = calloc(1, sizeof(*pending));
	struct pending **bucket = &resolver->buckets[hash % BUCKETS];

	if (!pending)
		return NULL;
	pending->resolver = resolver;
	pending->hash = hash;
	pending->since_ns = now;
	pending->section = start->section;
	pending->zone = start->zone;
	pending->question = *start->question;
	if (start->asker)
		pending->asker = *start->asker;
	pending->last = &pending->first;
	loop_timer__init(&pending->stale, resolver->config.loop, on_stale, pending);
	pending->next = *bucket;
	*bucket = pending;
	resolver->n_pending++;
	return pending;
}

/* What the agent wants to know besides. */
static void add_purpose(struct pending *pending, const struct pending_start *start)
{
	pending->witness |= start->witness;
	pending->loop |= start->loop;
	if (start->cut_for)
		pending->cut_for = *start->cut_for;
}

int pending__start(struct resolver *resolver, const struct pending_start *start, uint64_t now)
{
	uint64_t hash = hash_of(resolver, start->section, start->question);
	struct pending *pending;
	int ret = 0;

	pending = pending_find(resolver, hash, start->section, start->question);
	if (pending && start->client && section__of_client(start->section))
		pending = NULL; /* each says who asks */
	if (pending) {
		add_purpose(pending, start);
		if (!start->client)
			return 0;
		ret = pending_join(pending, start->client, start->query, now);
		if (!ret) {
			resolver_count(resolver, AGENT_STAT_COALESCED);
			plan_stale(pending, now);
			resolver_judge_load(resolver);
		}
		return ret;
	}
	if (resolver->n_pending >= resolver->config.max_exchanges)
		return -EBUSY;
	pending = pending_new(resolver, hash, start, now);
	if (!pending)
		return -ENOMEM;
	add_purpose(pending, start);
	if (start->client)
		ret = take_share(resolver, start->client, &resolver->exchanges,
				 resolver->client_exchanges, &pending->share);
	if (start->client && !ret) {
		ret = pending_join(pending, start->client, start->query, now);
		plan_stale(pending, now);
	}
	if (ret) {
		pending_unlink(pending);
		pending_free(pending);
		return ret;
	}
	pending_ask(pending, start->question->qtype, now);
	resolver_judge_load(resolver);
	return 0;
}

void pending__close_all(struct resolver *resolver)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (resolver->buckets[i]) {
			struct pending *pending = resolver->buckets[i];

			exchange__cancel(&pending->exchange);
			for (struct waiter *w = pending->first; w; w = w->next)
				resolver->config.reply(resolver->config.ctx, &w->client, NULL, 0);
			pending_unlink(pending);
			pending_free(pending);
		}
	}
}
