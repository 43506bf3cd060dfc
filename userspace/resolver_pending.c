// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Questions on their way to an answer: once through the block's plugins for all who ask the same.
 * Contract: resolver_priv.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dns64.h"
#include "resolver_priv.h"
#include "whoami.h"

#define MAX_WAITERS 16384 /* all questions together; some 400 bytes each */
/* Who could be answered with what has expired waits no longer for better: RFC 8767, 5. */
#define STALE_AFTER_US 1800000
/*
 * With verify, so long the programs answer with it once upstreams had nothing. While somebody asks,
 * upstreams are asked too (each 5.4 s, store_tick.c) for a deadline at most (5 s), and that makes
 * it longer: clients do not wait again.
 */
#define STALE_WINDOW_S 12

static void pending_ask(struct pending *pending, uint16_t qtype, uint64_t now);

/* ---- the table ---- */

static uint64_t hash_of(const struct resolver *resolver, const struct section *section,
			const struct question *q)
{
	return question__hash(resolver->config.hash_key, &q->qname, q->qtype, q->key_flags) +
	       (section - resolver->sections);
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
	waiters_gone(pending);
	if (pending->stale)
		event_free(pending->stale);
	pending->stale = NULL;
}

static void pending_free(struct pending *pending)
{
	struct waiter *waiter;

	while ((waiter = pending->first)) {
		pending->first = waiter->next;
		free(waiter);
	}
	answer__free(pending->native);
	rewrite_result__free(pending->rewritten);
	free(pending);
}

static int pending_join(struct pending *pending, const struct client *client,
			const struct dns_query *query, uint64_t now)
{
	struct resolver *resolver = pending->resolver;
	struct waiter *waiter;

	if (resolver->n_waiters >= MAX_WAITERS)
		return -EBUSY;
	waiter = malloc(sizeof(*waiter));
	if (!waiter)
		return -ENOMEM;
	*waiter = (struct waiter){ .client = *client, .query = *query, .since_ns = now };
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
		free(waiter);
	}
	waiters_gone(pending);
}

/* Upstreams have nothing better: what has expired, while the block's serve_stale lasts. */
static bool reply_stale(struct pending *pending, uint64_t now)
{
	struct store *store = pending->resolver->config.store;
	const struct question *q = &pending->question;
	const struct answer *answer = NULL;
	uint32_t past_s;

	if (store && pending->section->block->cache.serve_stale_s)
		answer = store__get_stale(store, &q->qname, q->qtype, q->key_flags, now, &past_s);
	if (!answer)
		return false;
	reply_all(pending, answer, 0, "cache", true, NULL);
	/* immediate: they do all the time that it is kept */
	if (pending->section->block->cache.stale == COREFILE_STALE_VERIFY)
		store__publish_stale(store, &q->qname, q->qtype, q->key_flags, STALE_WINDOW_S, now);
	return true;
}

static void on_stale(evutil_socket_t fd, short what, void *arg)
{
	struct pending *pending = arg;

	(void)fd;
	(void)what;
	event_free(pending->stale); /* who joins from now on has a time of its own */
	pending->stale = NULL;
	reply_stale(pending, clock_now());
}

/* verify: better ask first, but not for longer than a client waits. */
static void plan_stale(struct pending *pending, uint64_t now)
{
	static const struct timeval wait = { STALE_AFTER_US / 1000000, STALE_AFTER_US % 1000000 };
	const struct question *q = &pending->question;
	struct resolver *resolver = pending->resolver;
	uint32_t past_s;

	if (pending->stale || !resolver->config.store ||
	    !pending->section->block->cache.serve_stale_s ||
	    !store__get_stale(resolver->config.store, &q->qname, q->qtype, q->key_flags, now,
			      &past_s))
		return;
	pending->stale = evtimer_new(resolver->config.base, on_stale, pending);
	if (pending->stale)
		evtimer_add(pending->stale, &wait);
}

static bool failed(const struct answer *answer)
{
	return !answer || (answer->flags & DNS_RCODE) == DNS_SERVFAIL;
}

/* Does it say anything of the name? Else what is known from before is better: RFC 8767, 4. */
static bool says_nothing(const struct answer *answer)
{
	uint16_t rcode = answer ? answer->flags & DNS_RCODE : DNS_SERVFAIL;

	return rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN;
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

	if (private_answer(pending, answer)) {
		if (!(key_flags & NODENS_KEY_AGENT)) {
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

static void finish(struct pending *pending, struct answer *answer, enum admission admission,
		   const struct section_answer *local, uint64_t now)
{
	struct resolver *resolver = pending->resolver;
	const struct section *section = pending->section;
	bool for_agent = !pending->n_waiters, keep = false;
	struct store_put how;
	uint32_t ttl_s = 0;

	pending_unlink(pending);
	if (says_nothing(answer) && reply_stale(pending, now)) {
		answer__free(answer);
		goto out;
	}
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
	else if (!local)
		resolver_cuts_learn(pending, answer, now);
	/* a refresh that failed leaves what there was */
	if (keep && resolver->config.store && !pending->loop &&
	    !(for_agent && says_nothing(answer))) {
		put(pending, answer, &how, now);
	} else {
		if (!says_nothing(answer))
			drop_stale(pending, now);
		answer__free(answer);
	}
out:
	pending_free(pending);
	resolver_judge_load(resolver);
}

/* Each client has an answer of its own. */
static void finish_whoami(struct pending *pending)
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
}

static void finish_rcode(struct pending *pending, uint16_t rcode, const char *error)
{
	struct resolver *resolver = pending->resolver;

	pending_unlink(pending);
	reply_stale(pending, clock_now()); /* nobody waits any more, then */
	for (struct waiter *waiter = pending->first; waiter; waiter = waiter->next) {
		struct resolver_event event = event_for(pending, waiter, "");

		event.error = error;
		resolver_reply_rcode(resolver, &event, rcode, waiter->since_ns);
	}
	pending_free(pending);
	resolver_judge_load(resolver);
}

/* ---- through the plugins ---- */

/* What was asked under another name or type becomes what was asked for. */
static void revert(struct pending *pending, struct answer **answer, enum admission *admission)
{
	const struct question *q = &pending->question;
	struct answer *reverted = NULL;
	bool none = !*answer;

	if (!pending->rewritten || !pending->rewritten->reverts)
		return;
	/* also SERVFAIL for want of an answer may be meant by a rule */
	if (none) {
		*answer = answer__empty(&q->qname, q->qtype, q->key_flags, DNS_SERVFAIL);
		*admission = ADMIT_PASS;
	}
	if (!*answer)
		return;
	if (rewrite__revert(pending->section->rewrite, pending->rewritten, *answer, &q->qname,
			    pending->native ? DNS_TYPE_A : q->qtype,
			    q->key_flags & ~NODENS_KEY_AGENT, admission, &reverted))
		reverted = NULL;
	answer__free(*answer);
	*answer = reverted;
	if (none && failed(reverted)) {
		answer__free(reverted);
		*answer = NULL;
	}
}

/* Under another name, type or class, as rules say; false: they make nonsense of it. */
static bool rewrite(struct pending *pending, struct local_query *query)
{
	struct exchange *ex = &pending->exchange;
	struct rewrite_result *result;

	rewrite_result__free(pending->rewritten);
	ex->options_len = 0;
	result = pending->rewritten = rewrite__apply(pending->section->rewrite, query);
	if (!result)
		return true;
	ex->qname = result->qname;
	ex->qtype = query->qtype = result->qtype;
	ex->options = result->options;
	ex->options_len = result->options_len;
	query->qclass = result->qclass;
	return !result->invalid;
}

/* RFC 6147, 5.5: who asks with both validates, and could not validate what was made. */
static bool validates(const struct question *q)
{
	return (q->key_flags & (NODENS_KEY_DO | NODENS_KEY_CD)) == (NODENS_KEY_DO | NODENS_KEY_CD);
}

/* True: @answer was taken, and an A record is asked for. */
static bool dns64_begin(struct pending *pending, struct answer *answer, enum admission admission,
			uint64_t now)
{
	const struct corefile_dns64 *dns64 = &pending->section->block->dns64;
	bool serves = dns64->allow_ipv4 || pending->question.key_flags & NODENS_KEY_AGENT;

	if (!dns64->enabled || !serves || pending->question.qtype != DNS_TYPE_AAAA ||
	    pending->native || !answer || validates(&pending->question) ||
	    !dns64__wants(dns64, answer))
		return false;
	pending->native = answer;
	pending->native_admission = admission;
	pending_ask(pending, DNS_TYPE_A, now);
	return true;
}

/* Of the A answer that was asked for: the AAAA answer made from it, or the native one. */
static void dns64_end(struct pending *pending, struct answer **answer, enum admission *admission)
{
	const struct question *q = &pending->question;
	struct answer *made = NULL;

	if (!failed(*answer) &&
	    !dns64__synthesize(&pending->section->block->dns64, *answer, pending->native, &q->qname,
			       q->key_flags & ~NODENS_KEY_AGENT, &made)) {
		*admission = ADMIT_POSITIVE;
	} else {
		made = pending->native;
		pending->native = NULL;
		*admission = pending->native_admission;
	}
	answer__free(*answer);
	*answer = made;
}

static void answered(struct pending *pending, struct answer *answer, enum admission admission,
		     const struct section_answer *local, uint64_t now)
{
	revert(pending, &answer, &admission);
	if (pending->native)
		dns64_end(pending, &answer, &admission);
	else if (dns64_begin(pending, answer, admission, now))
		return;
	finish(pending, answer, admission, local, now);
}

static void exchanged(struct exchange *exchange, struct answer *answer, enum admission admission);

/* The forward that has not been asked: the longest FROM at first, then the others in file order. */
static const struct corefile_forward *next_forward(struct pending *pending)
{
	const struct corefile_block *block = pending->section->block;
	const struct dns_name *name = &pending->exchange.qname;
	const struct corefile_forward *forward;

	if (!pending->forward)
		return corefile__forward_for(block, name->wire, name->len);
	for (size_t i = 0; i < block->forwards_len && i < 64; i++) {
		forward = &block->forwards[i];
		if (!(pending->forwards_asked >> i & 1) &&
		    zone__contains(forward->from.wire, forward->from.wire_len, name->wire,
				   name->len))
			return forward;
	}
	return NULL;
}

static void pending_forward(struct pending *pending, uint64_t now)
{
	const struct corefile_block *block = pending->section->block;
	const struct corefile_forward *forward = next_forward(pending);
	size_t index = forward ? forward - block->forwards : 0;

	if (!forward && block->whoami) {
		finish_whoami(pending);
		return;
	}
	if (!forward) {
		finish_rcode(pending, DNS_SERVFAIL, "no plugin of the block answers");
		return;
	}
	pending->forward = forward;
	pending->forwards_asked |= 1ull << (index & 63);
	if (exchange__start(pending->section->groups[index], &pending->exchange, now))
		finish_rcode(pending, DNS_REFUSED, pending->exchange.error);
}

static void exchanged(struct exchange *exchange, struct answer *answer, enum admission admission)
{
	struct pending *pending = (struct pending *)exchange;
	uint64_t now = clock_now();

	if (answer && pending->forward->next_rcodes >> (answer->flags & DNS_RCODE) & 1 &&
	    next_forward(pending)) {
		answer__free(answer);
		pending_forward(pending, now);
		return;
	}
	answered(pending, answer, admission, NULL, now);
}

_Static_assert(offsetof(struct pending, exchange) == 0, "exchanged() casts");

static enum admission admission_of(const struct answer *answer)
{
	return (answer->flags & DNS_RCODE) == DNS_NOERROR && answer->count[DNS_ANSWER_SECTION]
		       ? ADMIT_POSITIVE
		       : ADMIT_NEGATIVE;
}

/* From the first plugin on, for the question or, with dns64, its A records. */
static void pending_ask(struct pending *pending, uint16_t qtype, uint64_t now)
{
	struct exchange *ex = &pending->exchange;
	struct section *section = pending->section;
	struct section_answer local;
	enum local_result result;
	struct local_query query = {
		.qname = &ex->qname,
		.qclass = DNS_CLASS_IN,
		.key_flags = pending->question.key_flags & ~NODENS_KEY_AGENT,
	};

	ex->qname = pending->question.qname;
	ex->qtype = query.qtype = qtype;
	ex->key_flags = query.key_flags;
	ex->done = exchanged;
	pending->forward = NULL;
	pending->forwards_asked = 0;
	if (section->rewrite && !rewrite(pending, &query)) {
		finish_rcode(pending, DNS_SERVFAIL, "rewrite: the new name is none");
		return;
	}
	result = section__answer(section, &query, &local);
	pending->ede = local.ede;
	switch (result) {
	case LOCAL_ANSWER:
		answered(pending, local.answer, admission_of(local.answer), &local, now);
		return;
	case LOCAL_SERVFAIL:
		finish_rcode(pending, DNS_SERVFAIL, local.error);
		return;
	default:
		break;
	}
	/* upstreams are asked for class IN alone */
	if (query.qclass != DNS_CLASS_IN)
		finish_rcode(pending, DNS_REFUSED, "rewrite: no upstream for this class");
	else
		pending_forward(pending, now);
}

/* ---- begin ---- */

static struct pending *pending_new(struct resolver *resolver, uint64_t hash,
				   const struct pending_start *start)
{
	struct pending *pending = calloc(1, sizeof(*pending));
	struct pending **bucket = &resolver->buckets[hash % BUCKETS];

	if (!pending)
		return NULL;
	pending->resolver = resolver;
	pending->hash = hash;
	pending->section = start->section;
	pending->zone = start->zone;
	pending->question = *start->question;
	pending->last = &pending->first;
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
	if (pending) {
		add_purpose(pending, start);
		if (!start->client)
			return 0;
		ret = pending_join(pending, start->client, start->query, now);
		if (!ret) {
			resolver_count(resolver, AGENT_STAT_COALESCED);
			plan_stale(pending, now);
		}
		return ret;
	}
	if (resolver->n_pending >= resolver->config.max_exchanges)
		return -EBUSY;
	pending = pending_new(resolver, hash, start);
	if (!pending)
		return -ENOMEM;
	add_purpose(pending, start);
	if (start->client) {
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
