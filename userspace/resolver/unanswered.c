// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Questions that nobody answered: the failure is kept for a moment (RFC 9520, 3.2), and the next
 * attempt asks each upstream but once.
 *
 * Contract: resolver_priv.h. Without this each client that asks for such a name waits for the whole
 * deadline again, and makes six queries of its one.
 */
#include "resolver_priv.h"

/* What ended sooner was refused, not left unanswered: to try again costs nobody any time. */
#define UNANSWERED_AFTER_NS NSEC_PER_SEC
#define UNANSWERED_TTL_S    5 /* RFC 9520, 3.2: one second at least; CoreDNS' longest default */
#define REMEMBERED_NS	    (15 * NSEC_PER_SEC)

bool unanswered_lately(const struct resolver *resolver, uint64_t hash, uint64_t now)
{
	const struct unanswered *place = &resolver->unanswered[hash % UNANSWERED];

	return place->hash == hash && place->until_ns > now;
}

bool unanswered_learn(struct inflight *flight, const struct answer *answer, uint64_t now)
{
	uint64_t hash = flight->way.hash;
	struct unanswered *place = &flight->way.resolver->unanswered[hash % UNANSWERED];

	if (answer && place->hash == hash)
		place->until_ns = 0;
	if (answer || now - flight->since_ns < UNANSWERED_AFTER_NS)
		return false;
	*place = (struct unanswered){ hash, now + REMEMBERED_NS };
	return true;
}

struct answer *unanswered_keep(const struct inflight *flight, struct store_put *how)
{
	const struct question *q = &flight->way.passage.question;
	struct answer *answer = answer__empty(&q->qname, q->qtype, q->key_flags, DNS_SERVFAIL);
	uint32_t ttl_s;

	if (!answer)
		return NULL;
	if (!server_block__keep(flight->way.sb, answer, VERDICT_SERVFAIL, how, &ttl_s)) {
		answer__free(answer);
		return NULL;
	}
	if (how->ttl_s > UNANSWERED_TTL_S)
		how->ttl_s = UNANSWERED_TTL_S;
	return answer;
}
