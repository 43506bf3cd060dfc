// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The end of a question in flight: what its clients are told, what is kept, what is learnt.
 * Contract: resolver_priv.h.
 */
#include <string.h>

#include "plugin/dns64.h"
#include "plugin/loadbalance.h"
#include "plugin/whoami.h"
#include "resolver_priv.h"

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

void inflight_finish(struct inflight *flight, struct answer *answer, enum admission admission,
		     const struct server_block_answer *local, uint64_t now)
{
	struct resolver *resolver = flight->resolver;
	const struct server_block *sb = flight->sb;
	bool for_agent = !flight->n_waiting, keep = false;
	bool keeps = stale_keeps_positive(flight, admission, now),
	     worse = keeps || says_nothing(answer);
	bool unanswered = resolver_unanswered_learn(flight, answer, now);
	struct store_put how;
	uint32_t ttl_s = 0;

	inflight_unlink(flight);
	if (worse && stale_end(flight, now)) {
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
			stale_drop(flight, now);
		answer__free(answer);
	}
out:
	resolver_nx_below_forget(flight);
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
		struct resolver_event event = reply_event(flight, waiting, PLUGIN_WHOAMI);
		struct answer *answer = NULL;

		if (whoami__answer(&waiting->query, &waiting->client.peer.sa, waiting->client.tcp,
				   &answer))
			resolver_reply_rcode(resolver, &event, DNS_SERVFAIL, waiting->since_ns);
		else
			resolver_reply(resolver, &event, answer, 0, waiting->since_ns);
		answer__free(answer);
	}
	resolver_nx_below_forget(flight);
	inflight_free(flight);
	resolver_judge_load(resolver);
}

void inflight_finish_rcode(struct inflight *flight, uint16_t rcode, const char *error)
{
	struct resolver *resolver = flight->resolver;

	inflight_unlink(flight);
	stale_end(flight, resolver_now(resolver)); /* nobody waits any more, then */
	for (struct waiting *waiting = flight->first; waiting; waiting = waiting->next) {
		struct resolver_event event = reply_event(flight, waiting, PLUGIN_NONE);

		event.error = error;
		resolver_reply_rcode(resolver, &event, rcode, waiting->since_ns);
	}
	resolver_nx_below_forget(flight);
	inflight_free(flight);
	resolver_judge_load(resolver);
}
