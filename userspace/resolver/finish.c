// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The end of a question in flight: what its clients are told, what is kept, what is learnt.
 * Contract: resolver_priv.h.
 */
#include "resolver_priv.h"

/* Does it say anything of the name? Else what is known from before is better: RFC 8767, 4. */
static bool says_nothing(const struct answer *answer)
{
	uint16_t rcode = answer ? answer->flags & DNS_RCODE : DNS_SERVFAIL;

	return rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN;
}

/* The passage's answer is the store's or gone after this. */
static void put(struct inflight *flight, const struct store_put *how)
{
	struct passage *passage = &flight->way.passage;
	const struct server_block *sb = flight->way.sb;
	struct resolver *resolver = flight->way.resolver;
	struct answer *answer = passage->answer;
	uint8_t key_flags = passage->question.key_flags;
	/* neither may be where the programs find it */
	bool by_family = chain_by_family(sb, passage->question.qtype, passage);
	bool agent_only = chain_agent_only(sb, &passage->question.qname, passage->question.qtype);

	passage->answer = NULL;
	if (agent_only || by_family) {
		/* with both, one entry would have to serve clients of two kinds */
		if (!(key_flags & NODENS_KEY_AGENT) || (agent_only && by_family)) {
			answer__free(answer);
			return;
		}
	} else {
		key_flags &= ~NODENS_KEY_AGENT;
	}
	answer->key_flags = key_flags;
	if (!store__put(resolver->config.store, answer, how, passage->now_ns))
		resolver_count(resolver, AGENT_STAT_CACHE_STORED);
}

/* What the cache's rules say of the answer; false: it is not kept. */
static bool keep(const struct inflight *flight, struct store_put *how, uint32_t *ttl_s)
{
	const struct passage *passage = &flight->way.passage;
	const struct server_block *sb = flight->way.sb;
	bool keep = true;

	if (!passage->answer)
		return false;
	if (passage->exact)
		server_block__keep_exact(sb, passage->answer, flight->way.resolver->n_blocks, how,
					 ttl_s);
	else
		keep = server_block__keep(sb, passage->answer, passage->verdict, how, ttl_s);
	return keep && !passage->ede;
}

static void learn(struct inflight *flight, bool keeps_positive)
{
	const struct passage *passage = &flight->way.passage;

	if (flight->asks.loop && passage->answer)
		resolver_loop_answered(flight->way.resolver, flight->way.sb);
	else if (passage->by == PLUGIN_FORWARD && !keeps_positive)
		resolver_nx_below_learn(flight, passage->answer, passage->verdict, passage->now_ns);
}

static void finish_answer(struct inflight *flight)
{
	struct passage *passage = &flight->way.passage;
	uint64_t now = passage->now_ns;
	bool for_agent = !flight->n_waiting;
	bool keeps = stale_keeps_positive(flight, passage->verdict, now);
	bool worse = keeps || says_nothing(passage->answer);
	bool unanswered = unanswered_learn(flight, passage->answer, now), kept;
	const char *error = passage->error ? passage->error : "no upstream answered";
	struct store_put how;
	uint32_t ttl_s = 0;

	inflight_unlink(flight);
	if (worse && stale_end(flight, now))
		return;
	kept = keep(flight, &how, &ttl_s);
	reply_all(flight, passage->answer, ttl_s, passage->by, false,
		  passage->answer ? NULL : error);
	learn(flight, keeps);
	if (unanswered && !passage->answer) {
		passage->answer = unanswered_keep(flight, &how);
		kept = passage->answer;
	}
	/* a refresh that failed leaves what there was */
	if (kept && flight->way.resolver->config.store && !flight->asks.loop &&
	    !flight->way.sb->config->apart && !keeps && !(for_agent && worse))
		put(flight, &how);
	else if (!worse)
		stale_drop(flight, now);
}

static void finish_each(struct inflight *flight)
{
	const struct plugin *plugin = chain_plugins[flight->way.at];
	struct resolver *resolver = flight->way.resolver;

	inflight_unlink(flight);
	for (struct waiting *waiting = flight->first; waiting; waiting = waiting->next) {
		struct resolver_event event = reply_event(flight, waiting, plugin->id);
		const struct client *asks = &waiting->client;
		struct plugin_client client = { &asks->peer.sa, &asks->local.sa, asks->tcp };
		struct answer *answer = NULL;

		if (plugin->each(&waiting->query, &client, &answer))
			resolver_reply_rcode(resolver, &event, DNS_SERVFAIL, waiting->since_ns);
		else
			resolver_reply(resolver, &event, answer, 0, waiting->since_ns);
		answer__free(answer);
	}
}

static void finish_error(struct inflight *flight)
{
	struct passage *passage = &flight->way.passage;

	inflight_unlink(flight);
	stale_end(flight, passage->now_ns); /* nobody waits any more, then */
	for (struct waiting *waiting = flight->first; waiting; waiting = waiting->next) {
		struct resolver_event event = reply_event(flight, waiting, PLUGIN_NONE);

		event.error = passage->error;
		resolver_reply_rcode(flight->way.resolver, &event, passage->rcode,
				     waiting->since_ns);
	}
}

void resolver_finish(struct way *way, enum plugin_result result)
{
	struct inflight *flight = (struct inflight *)way;
	struct resolver *resolver = way->resolver;

	if (result == PLUGIN_ANSWER)
		finish_answer(flight);
	else if (result == PLUGIN_EACH)
		finish_each(flight);
	else
		finish_error(flight);
	resolver_nx_below_forget(flight);
	inflight_free(flight);
	resolver_update_shed(resolver);
}

_Static_assert(offsetof(struct inflight, way) == 0, "resolver_finish() casts");
