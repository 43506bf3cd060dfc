// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * How much of EDNS an upstream is asked with: all of it, a size that every path lets through, or
 * none. RFC 6891, 6.2.5 and 7.
 *
 * Contract: upstream_priv.h. An upstream that answers queries with OPT is never without it for more
 * than one exchange. Who says FORMERR, NOTIMP or BADVERS to OPT and answers without it is
 * remembered at once; who says SERVFAIL, or nothing, after it has happened in two exchanges, one
 * after the other: a packet may be lost. What is remembered is forgotten after a quarter of an
 * hour. Over TLS there is always OPT: whoever can drop a packet must not choose what is asked.
 */
#include "upstream_priv.h"

#define REMEMBER_NS (900 * NSEC_PER_SEC)
#define DOUBTS	    2
#define DNS_UDP_MAX 512 /* RFC 1035, 4.2.1 */

static enum edns usual(const struct upstream *upstream, uint64_t now)
{
	return now < upstream->edns_until_ns ? upstream->edns : EDNS_FULL;
}

bool upstream_edns_proven(const struct upstream *upstream, uint64_t now)
{
	return upstream->edns_good_ns && now - upstream->edns_good_ns < REMEMBER_NS;
}

uint16_t upstream_edns_size(const struct upstreams *ups, enum edns edns)
{
	static const uint16_t none[] = { [EDNS_SMALL] = DNS_UDP_MAX, [EDNS_NONE] = 0 };

	return edns == EDNS_FULL ? ups->config.bufsize : none[edns];
}

/* The first open query to this upstream, with more of EDNS than @edns, of which nothing was heard.
 */
static const struct attempt *silent(const struct exchange *ex, const struct upstream *upstream,
				    enum edns edns)
{
	const struct attempt *first = NULL;

	for (int i = 0; i < EXCHANGE_ATTEMPTS; i++) {
		const struct attempt *attempt = &ex->attempts[i];

		if (attempt->upstream == upstream && attempt->udp && !attempt->refused &&
		    attempt->edns < edns && (!first || attempt->sent_ns < first->sent_ns))
			first = attempt;
	}
	return first;
}

enum edns upstream_edns(const struct exchange *ex, const struct upstream *upstream, uint64_t now)
{
	enum edns edns = usual(upstream, now);
	unsigned int n = ex->n_timed_out;

	if (ex->probe) /* as CoreDNS' */
		return EDNS_NONE;
	if (upstream->tls || ex->use_tcp)
		return edns;
	for (int i = 0; i < EXCHANGE_ATTEMPTS; i++) {
		const struct attempt *attempt = &ex->attempts[i];

		n += attempt->upstream == upstream && attempt->udp && !attempt->refused;
	}
	if (n && (n > 1 || edns || !upstream_edns_proven(upstream, now)))
		return EDNS_NONE;
	return n ? EDNS_SMALL : edns;
}

const struct upstream *upstream_edns_doubted(const struct exchange *ex, uint64_t now)
{
	for (int i = 0; i < EXCHANGE_ATTEMPTS; i++) {
		const struct attempt *attempt = &ex->attempts[i];
		struct upstream *upstream = attempt->upstream;
		bool asked = false;

		if (!upstream || upstream->tls || upstream_edns_proven(upstream, now) ||
		    silent(ex, upstream, EDNS_NONE) != attempt)
			continue;
		for (int k = 0; k < EXCHANGE_ATTEMPTS; k++)
			asked |= ex->attempts[k].upstream == upstream &&
				 ex->attempts[k].edns == EDNS_NONE;
		if (!asked)
			return upstream;
	}
	return NULL;
}

static void remember(struct upstream *upstream, enum edns edns, uint64_t now)
{
	upstream->edns = edns;
	upstream->edns_until_ns = now + REMEMBER_NS;
	upstream->edns_doubts = 0;
}

/* Exchanges that were under way at the last doubt are no further ones: it was one loss. */
static void doubt(struct upstream *upstream, enum edns edns, uint64_t since_ns, uint64_t now)
{
	if (since_ns <= upstream->edns_doubt_ns)
		return;
	upstream->edns_doubt_ns = now;
	upstream->edns_doubted = edns;
	if (++upstream->edns_doubts >= DOUBTS)
		remember(upstream, edns, now);
}

void upstream_edns_learn(const struct attempt *attempt, const uint8_t *msg, size_t len,
			 uint64_t now)
{
	struct upstream *upstream = attempt->upstream;
	uint16_t rcode = msg[3] & DNS_RCODE;
	bool tc = msg[2] & DNS_TC >> 8;
	const struct attempt *before;

	if (attempt->exchange->probe || upstream->tls ||
	    (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN))
		return;
	if (attempt->edns == EDNS_FULL) {
		upstream->edns_good_ns = now;
		/* that small ones come says nothing of large ones */
		if (upstream->edns_doubted == EDNS_NONE || len > DNS_UDP_MAX)
			upstream->edns_doubts = 0;
		return;
	}
	if (attempt->edns == usual(upstream, now))
		return;
	before = silent(attempt->exchange, upstream, attempt->edns);
	if (attempt->edns_refused && attempt->edns_refused != DNS_SERVFAIL)
		remember(upstream, attempt->edns, now);
	else if (attempt->edns_refused)
		doubt(upstream, attempt->edns, attempt->sent_ns, now);
	else if (before && (attempt->edns == EDNS_NONE || tc))
		doubt(upstream, attempt->edns, before->sent_ns, now);
}
