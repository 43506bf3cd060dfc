// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Cuts: what is asked to find them, and when they are stored and go again.
 * Contract: resolver_priv.h; where to cut is nxdomain_policy.h's to say.
 */
#include <errno.h>
#include <string.h>

#include "resolver_priv.h"

static struct cut_zone *zone_state(const struct section *section, size_t zone)
{
	return &section->cut_zones[zone];
}

static bool cuts_on(const struct section *section, size_t zone)
{
	return section->block->nxdomain_cut && section->block->cache.enabled &&
	       section->block->forwards_len && cuts__eligible(&section->block->zones[zone]);
}

/* For the agent itself: coalesces with who asks the same. */
static int ask(struct resolver *resolver, struct section *section, size_t zone,
	       const struct dns_name *name, unsigned int witness, const struct dns_name *cut_for,
	       uint64_t now)
{
	struct question q = { .qname = *name, .qtype = DNS_TYPE_A };
	struct pending_start start = {
		.section = section,
		.zone = zone,
		.question = &q,
		.witness = witness,
		.cut_for = cut_for,
	};

	/* as refreshes: where there are too many clients, they go first */
	if (resolver->n_pending >= resolver->config.shed_above / 2)
		return -EBUSY;
	resolver_count(resolver, AGENT_STAT_CUT_PROBES);
	return pending__start(resolver, &start, now);
}

/* Are there names below @name that others are asked for than who denied it? */
static bool forwards_differ(const struct corefile_block *block, const struct dns_name *name)
{
	for (size_t i = 0; i < block->forwards_len; i++) {
		const struct corefile_forward *forward = &block->forwards[i];

		if (forward->from.wire_len > name->len &&
		    zone__contains(name->wire, name->len, forward->from.wire,
				   forward->from.wire_len))
			return true;
		for (size_t k = 0; k < forward->except_len; k++) {
			if (zone__contains(name->wire, name->len, forward->except[k].wire,
					   forward->except[k].wire_len))
				return true;
		}
	}
	return false;
}

bool resolver_cuts_may(const struct resolver *resolver, const struct section *section,
		       const struct dns_name *name)
{
	/* cuts are looked up before all of these */
	return !(section->rewrite && rewrite__changes(section->rewrite)) &&
	       !section__of_client(section) &&
	       !(section->templates && template__below(section->templates, name)) &&
	       !(section->hosts && hosts__below(section->hosts, name)) &&
	       !forwards_differ(section->block, name) && !resolver_divided(resolver, section, name);
}

static void store_cut(struct resolver *resolver, struct section *section,
		      const struct answer *nxdomain, const struct dns_name *name, uint64_t now)
{
	struct store_put put;
	struct answer *cut;
	uint32_t ttl_s;

	if (!section__keep(section, nxdomain, ADMIT_NEGATIVE, &put, &ttl_s) ||
	    answer__make_cut(nxdomain, name, 0, &cut))
		return;
	section__keep_cut(&put);
	if (!store__put(resolver->config.store, cut, &put, now))
		resolver_count(resolver, AGENT_STAT_CUTS);
}

/* @name was denied by @nxdomain: cut above it, or ask whether one can. */
static void consider(struct resolver *resolver, struct section *section, size_t zone,
		     const struct answer *nxdomain, const struct dns_name *asked,
		     const struct dns_name *name, uint64_t now)
{
	const struct answer *denied;
	struct dns_name candidate;
	uint32_t ttl_s;

	if (!cuts__candidate(resolver->cuts, &section->block->zones[zone], name, now, &candidate))
		return;
	/* A name of its own, and nobody asks below it: the ordinary entry says all. */
	if (dns_name__equal(&candidate, name) || !resolver_cuts_may(resolver, section, &candidate))
		return;
	if (dns_name__equal(&candidate, asked)) {
		store_cut(resolver, section, nxdomain, &candidate, now);
		return;
	}
	denied = store__get(resolver->config.store, &candidate, DNS_TYPE_A, 0, now, &ttl_s);
	if (denied && (denied->flags & DNS_RCODE) == DNS_NXDOMAIN) {
		struct answer copy = *denied;

		copy.ttl_s = ttl_s;
		store_cut(resolver, section, &copy, &candidate, now);
	} else if (!denied) {
		ask(resolver, section, zone, &candidate, 0, name, now);
	} else {
		cuts__exists(resolver->cuts, &section->block->zones[zone], &candidate, now);
	}
}

/* The witness has said @rcode, or nothing: -1. */
static void testify(struct pending *pending, int rcode, uint64_t now)
{
	unsigned int witness = pending->witness;

	if (!witness)
		return;
	pending->witness = 0;
	cuts__testify(zone_state(pending->section, pending->zone), witness, rcode, now);
}

/* Ask them all, if it is time. */
static void summon(struct resolver *resolver, struct section *section, size_t zone, uint64_t now)
{
	struct cut_zone *state = zone_state(section, zone);
	struct dns_name name;

	if (!cuts_on(section, zone) || !cuts__summon(state, now))
		return;
	for (unsigned int i = 0; i < CUT_WITNESSES; i++) {
		/* it may be over before this returns */
		if (!cuts__witness(&section->block->zones[zone], i, &name) ||
		    ask(resolver, section, zone, &name, 1u << i, NULL, now))
			cuts__testify(state, 1u << i, -1, now);
	}
}

/* The zone's upstreams have answered: whom they left unanswered before is asked again at once. */
static void hear(struct resolver *resolver, struct section *section, size_t zone, uint64_t now)
{
	struct cut_zone *state = zone_state(section, zone);

	if (state->heard)
		return;
	state->heard = true;
	if (state->state == CUT_ZONE_UNKNOWN)
		state->again_ns = 0;
	summon(resolver, section, zone, now);
}

void resolver_cuts_forget(struct pending *pending)
{
	testify(pending, -1, resolver_now(pending->resolver));
}

void resolver_cuts_learn(struct pending *pending, const struct answer *answer,
			 enum admission admission, uint64_t now)
{
	struct resolver *resolver = pending->resolver;
	struct section *section = pending->section;
	const struct corefile_zone *zone = &section->block->zones[pending->zone];
	const struct dns_name *name = &pending->question.qname;
	uint16_t rcode = answer ? answer->flags & DNS_RCODE : DNS_SERVFAIL;

	testify(pending, answer ? rcode : -1, now);
	if (rcode == DNS_NOERROR || rcode == DNS_NXDOMAIN)
		hear(resolver, section, pending->zone, now);
	/* What the block made out of another question proves nothing of this one. */
	if (!answer || !resolver->config.store ||
	    (pending->rewritten && pending->rewritten->reverts) || !cuts_on(section, pending->zone))
		return;
	/* an alias exists, though what it leads to does not */
	if (rcode == DNS_NOERROR || (rcode == DNS_NXDOMAIN && answer->count[DNS_ANSWER_SECTION])) {
		cuts__exists(resolver->cuts, zone, name, now);
		store__remove_cuts(resolver->config.store, name);
		if (pending->cut_for.len)
			consider(resolver, section, pending->zone, answer, name, &pending->cut_for,
				 now);
		return;
	}
	/* what is not to be kept for the name itself is not for those below it */
	if (rcode != DNS_NXDOMAIN || admission != ADMIT_NEGATIVE ||
	    zone_state(section, pending->zone)->state != CUT_ZONE_CLUSTER)
		return;
	/* Signed denials are not ours to widen: who asks with DO or CD is left out. */
	if (pending->question.key_flags)
		return;
	consider(resolver, section, pending->zone, answer, name,
		 pending->cut_for.len ? &pending->cut_for : name, now);
}

void resolver_cuts_tick(struct resolver *resolver, uint64_t now)
{
	for (size_t i = 0; i < resolver->n_sections; i++) {
		struct section *section = &resolver->sections[i];

		for (size_t zone = 0; zone < section->block->zones_len; zone++)
			summon(resolver, section, zone, now);
	}
}
