// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Names below which nothing exists: what is asked to find them, and when the entries that say so
 * are stored and go again. Contract: resolver_priv.h; nxdomain_policy.h chooses the names.
 */
#include <errno.h>
#include <string.h>

#include "resolver_priv.h"

static struct nx_zone *zone_state(const struct server_block *sb, size_t zone)
{
	return &sb->nx_zones[zone];
}

static bool nx_below_on(const struct server_block *sb, size_t zone)
{
	return sb->config->nxdomain_cut && sb->config->cache.enabled && sb->config->forwards_len &&
	       nx_below__eligible(&sb->config->zones[zone]);
}

/* For the agent itself: coalesces with who asks the same. */
static int ask(struct resolver *resolver, struct server_block *sb, size_t zone,
	       const struct dns_name *name, const struct agent_asks *asks, uint64_t now)
{
	struct question q = { .qname = *name, .qtype = DNS_TYPE_A };
	struct inflight_start start = { .sb = sb, .zone = zone, .question = &q, .asks = asks };

	/* as refreshes: where there are too many clients, they go first */
	if (resolver->n_inflight >= resolver->config.shed_above / 2)
		return -EBUSY;
	resolver_count(resolver, AGENT_STAT_NX_PROBES);
	return inflight_start(resolver, &start, now);
}

bool resolver_nx_below_may(const struct resolver *resolver, const struct server_block *sb,
			   const struct dns_name *name)
{
	/* such an entry is looked up before any plugin is asked */
	return !sb->tells_client && !chain_answers_below(sb, name, NULL) &&
	       !resolver_divided(resolver, sb, name);
}

static void store_nx_below(struct resolver *resolver, struct server_block *sb,
			   const struct answer *nxdomain, const struct dns_name *name, uint64_t now)
{
	struct store_put put;
	struct answer *nx_below;
	uint32_t ttl_s;

	if (!server_block__keep(sb, nxdomain, VERDICT_NEGATIVE, &put, &ttl_s) ||
	    answer__make_nx_below(nxdomain, name, 0, &nx_below))
		return;
	server_block__keep_nx_below(&put);
	if (!store__put(resolver->config.store, nx_below, &put, now))
		resolver_count(resolver, AGENT_STAT_NX_BELOW);
}

/* @name was denied by @nxdomain: deny all below a name above it, or ask whether that exists. */
static void consider(struct resolver *resolver, struct server_block *sb, size_t zone,
		     const struct answer *nxdomain, const struct dns_name *asked,
		     const struct dns_name *name, uint64_t now)
{
	const struct answer *denied;
	struct dns_name candidate;
	uint32_t ttl_s;

	if (!nx_below__candidate(resolver->nx_below, &sb->config->zones[zone], name, now,
				 &candidate))
		return;
	/* A name of its own, and nobody asks below it: the ordinary entry says all. */
	if (dns_name__equal(&candidate, name) || !resolver_nx_below_may(resolver, sb, &candidate))
		return;
	if (dns_name__equal(&candidate, asked)) {
		store_nx_below(resolver, sb, nxdomain, &candidate, now);
		return;
	}
	denied = store__get(resolver->config.store, &candidate, DNS_TYPE_A, 0, now, &ttl_s);
	if (denied && (denied->flags & DNS_RCODE) == DNS_NXDOMAIN) {
		struct answer copy = *denied;

		copy.ttl_s = ttl_s;
		store_nx_below(resolver, sb, &copy, &candidate, now);
	} else if (!denied) {
		ask(resolver, sb, zone, &candidate, &(struct agent_asks){ .nx_below_for = *name },
		    now);
	} else {
		nx_below__exists(resolver->nx_below, &sb->config->zones[zone], &candidate, now);
	}
}

/* The probe has said @rcode, or nothing: -1. */
static void probe_result(struct inflight *flight, int rcode, uint64_t now)
{
	unsigned int probe = flight->asks.probe;

	if (!probe)
		return;
	flight->asks.probe = 0;
	nx_below__probe_result(zone_state(flight->way.sb, flight->zone), probe, rcode, now);
}

/* Ask them all, if it is time. */
static void ask_probes(struct resolver *resolver, struct server_block *sb, size_t zone,
		       uint64_t now)
{
	struct nx_zone *state = zone_state(sb, zone);
	struct dns_name name;

	if (!nx_below_on(sb, zone) || !nx_below__probes_due(state, now))
		return;
	for (unsigned int i = 0; i < NX_PROBES; i++) {
		/* it may be over before this returns */
		if (!nx_below__probe_name(&sb->config->zones[zone], i, &name) ||
		    ask(resolver, sb, zone, &name, &(struct agent_asks){ .probe = 1u << i }, now))
			nx_below__probe_result(state, 1u << i, -1, now);
	}
}

/* The zone's upstreams have answered: whom they left unanswered before is asked again at once. */
static void hear(struct resolver *resolver, struct server_block *sb, size_t zone, uint64_t now)
{
	struct nx_zone *state = zone_state(sb, zone);

	if (state->heard)
		return;
	state->heard = true;
	if (state->state == NX_ZONE_UNKNOWN)
		state->again_ns = 0;
	ask_probes(resolver, sb, zone, now);
}

void resolver_nx_below_forget(struct inflight *flight)
{
	probe_result(flight, -1, resolver_now(flight->way.resolver));
}

void resolver_nx_below_learn(struct inflight *flight, const struct answer *answer,
			     enum verdict verdict, uint64_t now)
{
	struct resolver *resolver = flight->way.resolver;
	struct server_block *sb = flight->way.sb;
	const struct corefile_zone *zone = &sb->config->zones[flight->zone];
	const struct dns_name *name = &flight->way.passage.question.qname;
	uint16_t rcode = answer ? answer->flags & DNS_RCODE : DNS_SERVFAIL;

	probe_result(flight, answer ? rcode : -1, now);
	if (rcode == DNS_NOERROR || rcode == DNS_NXDOMAIN)
		hear(resolver, sb, flight->zone, now);
	/* What the block made out of another question proves nothing of this one. */
	if (!answer || !resolver->config.store || flight->way.passage.changed ||
	    !nx_below_on(sb, flight->zone))
		return;
	/* an owner of a CNAME exists, though its target does not */
	if (rcode == DNS_NOERROR || (rcode == DNS_NXDOMAIN && answer->count[DNS_ANSWER_SECTION])) {
		nx_below__exists(resolver->nx_below, zone, name, now);
		store__remove_nx_below(resolver->config.store, name);
		if (flight->asks.nx_below_for.len)
			consider(resolver, sb, flight->zone, answer, name,
				 &flight->asks.nx_below_for, now);
		return;
	}
	/* what is not to be kept for the name itself is not for those below it */
	if (rcode != DNS_NXDOMAIN || verdict != VERDICT_NEGATIVE ||
	    zone_state(sb, flight->zone)->state != NX_ZONE_CLUSTER)
		return;
	/* Signed denials are not ours to widen: who asks with DO or CD is left out. */
	if (flight->way.passage.question.key_flags)
		return;
	consider(resolver, sb, flight->zone, answer, name,
		 flight->asks.nx_below_for.len ? &flight->asks.nx_below_for : name, now);
}

void resolver_nx_below_tick(struct resolver *resolver, uint64_t now)
{
	for (size_t i = 0; i < resolver->n_blocks; i++) {
		struct server_block *sb = &resolver->blocks[i];

		for (size_t zone = 0; zone < sb->config->zones_len; zone++)
			ask_probes(resolver, sb, zone, now);
	}
}
