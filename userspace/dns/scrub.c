/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * node-cache's rules on which answers to keep, and which of their records.
 *
 * Contract: work is linear in the number of records: a chain has at most MAX_CHAIN names, owners
 * are told apart by hashes, and of the authority and additional sections so many records are looked
 * at (scrub_section_end()). A record of a class other than IN answers nothing that nodens asks: in
 * the answer section it is off the chain, elsewhere it is left out.
 */
#include <string.h>

#include "scrub_priv.h"

#define MAX_CHAIN    12 /* names: 11 CNAMEs, as unbound; BIND has 16 */
#define NO_SOA_TTL_S 5	/* CoreDNS' least */

/* Is record @i of class IN, and at the @n-th name of the chain? */
static bool at_link(const struct scrub *s, unsigned int i, unsigned int n)
{
	return s->m->hash[i] == s->chain_hash[n] && s->m->rr[i].class == DNS_CLASS_IN &&
	       dns_name__equal(&s->m->rr[i].owner, &s->chain[n]);
}

static void add_link(struct scrub *s, const struct dns_name *name)
{
	s->chain[s->n_chain] = *name;
	s->chain_hash[s->n_chain++] = dns_name__hash(name);
}

static bool in_chain(const struct scrub *s, const struct dns_name *name)
{
	uint64_t hash = dns_name__hash(name);

	for (unsigned int i = 0; i < s->n_chain; i++)
		if (s->chain_hash[i] == hash && dns_name__equal(&s->chain[i], name))
			return true;
	return false;
}

enum chain_end {
	CHAIN_COMPLETE, /* ends in the type that was asked for */
	CHAIN_DANGLING, /* ends in no record, or there is none */
	CHAIN_BROKEN,	/* not one chain */
};

static const struct dns_name *chain_end(const struct scrub *s)
{
	return &s->chain[s->n_chain - 1];
}

static uint16_t covered_type(const struct scrub *s, const struct dns_rr *rr)
{
	const uint8_t *rdata = s->m->msg + rr->rdata_at;

	return rr->type == DNS_TYPE_RRSIG ? rdata[0] << 8 | rdata[1] : 0;
}

static bool asked_for(const struct scrub *s, const struct dns_rr *rr)
{
	return rr->type == s->m->qtype || s->m->qtype == DNS_TYPE_ANY;
}

/* Keep the answer's records at the chain's end of @type that are not kept yet, then the signatures
 * over that type. */
static void keep_rrset(struct scrub *s, uint16_t type)
{
	unsigned int n = s->n_chain - 1;

	for (int signatures = 0; signatures < (s->m->dnssec ? 2 : 1); signatures++) {
		for (unsigned int i = s->first[0]; i < s->first[1]; i++) {
			const struct dns_rr *rr = &s->m->rr[i];

			if (at_link(s, i, n) && !s->out->kept[i] &&
			    (signatures ? covered_type(s, rr) : rr->type) == type)
				scrub_keep(s, i);
		}
	}
}

/* DNAMEs of which the CNAME at @owner may be made (RFC 6672), and their signatures. */
static void keep_dnames(struct scrub *s, const struct dns_name *owner)
{
	for (unsigned int i = s->first[0]; i < s->first[1]; i++) {
		const struct dns_rr *rr = &s->m->rr[i];

		if ((rr->type == DNS_TYPE_DNAME || covered_type(s, rr) == DNS_TYPE_DNAME) &&
		    !s->out->kept[i] && rr->class == DNS_CLASS_IN && rr->owner.len < owner->len &&
		    dns_name__within(owner, &rr->owner))
			scrub_keep(s, i);
	}
}

/*
 * Go from the question's name along CNAMEs, keeping records in the order in which resolvers like to
 * read them. The chain's records may have come in any order.
 */
static enum chain_end follow_chain(struct scrub *s)
{
	const uint16_t *first = s->first;
	unsigned int n_final;

	for (;;) {
		const struct dns_rr *cname = NULL;
		struct dns_name target;

		n_final = 0;
		for (unsigned int i = first[0]; i < first[1]; i++) {
			const struct dns_rr *rr = &s->m->rr[i];

			if (!at_link(s, i, s->n_chain - 1))
				continue;
			if (asked_for(s, rr)) {
				n_final++;
			} else if (rr->type == DNS_TYPE_CNAME) {
				if (cname)
					return CHAIN_BROKEN;
				cname = rr;
			}
		}
		if (!cname)
			break;
		if (n_final || s->n_chain == MAX_CHAIN)
			return CHAIN_BROKEN;
		keep_dnames(s, chain_end(s));
		keep_rrset(s, DNS_TYPE_CNAME);
		if (!scrub_rdata_name(s, cname, 0, &target) || in_chain(s, &target))
			return CHAIN_BROKEN;
		add_link(s, &target);
	}
	if (s->m->qtype == DNS_TYPE_CNAME && n_final > 1)
		return CHAIN_BROKEN;
	return n_final ? CHAIN_COMPLETE : CHAIN_DANGLING;
}

/* The RRset at the chain's end. */
static void keep_final(struct scrub *s)
{
	struct scrubbed *out = s->out;

	out->final_at = out->count[0];
	if (s->m->qtype != DNS_TYPE_ANY) {
		keep_rrset(s, s->m->qtype);
	} else {
		for (unsigned int i = s->first[0]; i < s->first[1]; i++)
			if (at_link(s, i, s->n_chain - 1))
				scrub_keep(s, i);
	}
	for (unsigned int i = out->final_at; i < out->count[0]; i++)
		if (asked_for(s, &s->m->rr[out->order[i]]))
			out->final_count++;
}

/* The SOA of a zone that the chain's last name is in. */
static const struct dns_rr *find_soa(const struct scrub *s)
{
	for (unsigned int i = s->first[1]; i < scrub_section_end(s, DNS_AUTHORITY); i++) {
		const struct dns_rr *rr = &s->m->rr[i];

		if (rr->type == DNS_TYPE_SOA && rr->class == DNS_CLASS_IN &&
		    dns_name__within(chain_end(s), &rr->owner))
			return rr;
	}
	return NULL;
}

/* Types that a cache has no business with (RFC 6895, 3.1), ANY excepted. */
static bool uncacheable_type(uint16_t qtype)
{
	return qtype == 0 || qtype == DNS_TYPE_OPT ||
	       (qtype >= DNS_TYPE_META_FIRST && qtype <= DNS_TYPE_META_LAST);
}

/* VERDICT_POSITIVE, VERDICT_NEGATIVE or VERDICT_PASS for NOERROR and NXDOMAIN, records kept. */
static enum verdict classify_records(struct scrub *s)
{
	struct scrubbed *out = s->out;
	const struct dns_rr *soa;
	enum chain_end end;
	const uint8_t *minimum;
	uint32_t minimum_s;

	if (uncacheable_type(s->m->qtype))
		return VERDICT_PASS;
	end = follow_chain(s);
	/* RFC 2308, 2.1: a CNAME target may not exist, but has no records then */
	if (end == CHAIN_BROKEN || (end == CHAIN_COMPLETE && s->m->rcode == DNS_NXDOMAIN))
		return VERDICT_PASS;
	keep_final(s);
	if (out->count[0] != s->first[1]) /* a record off the chain */
		return VERDICT_PASS;
	if (end == CHAIN_COMPLETE)
		return VERDICT_POSITIVE;

	soa = find_soa(s);
	if (!soa && s->m->rcode == DNS_NOERROR && !s->m->n_rr && !s->m->own) {
		/* nothing at all, and no referral: kept for a moment, as CoreDNS does */
		out->ttl_s = NO_SOA_TTL_S;
		return VERDICT_NEGATIVE;
	}
	if (!soa)
		return VERDICT_PASS;
	/* RFC 2308, 5: MINIMUM is the last field. */
	minimum = s->m->msg + soa->rdata_at + soa->rdata_len - 4;
	minimum_s = (uint32_t)minimum[0] << 24 | minimum[1] << 16 | minimum[2] << 8 | minimum[3];
	if (minimum_s > INT32_MAX)
		minimum_s = 0;
	if (minimum_s < out->ttl_s)
		out->ttl_s = minimum_s;
	return VERDICT_NEGATIVE;
}

static void keep_none(struct scrub *s)
{
	memset(s->out->count, 0, sizeof(s->out->count));
	memset(s->out->kept, 0, s->m->n_rr * sizeof(s->out->kept[0]));
	s->out->final_count = 0;
}

static void keep_all(struct scrub *s)
{
	keep_none(s);
	for (unsigned int i = 0; i < s->m->n_rr; i++)
		scrub_keep(s, i);
}

/* Every name that CNAMEs lead to from the question's, along however many at once. */
static void find_related(struct scrub *s)
{
	s->n_chain = 1;
	for (unsigned int n = 0; n < s->n_chain; n++) {
		for (unsigned int i = s->first[0]; i < s->first[1]; i++) {
			struct dns_name target;

			if (at_link(s, i, n) && s->m->rr[i].type == DNS_TYPE_CNAME &&
			    s->n_chain < MAX_RELATED &&
			    scrub_rdata_name(s, &s->m->rr[i], 0, &target) && !in_chain(s, &target))
				add_link(s, &target);
		}
	}
}

/*
 * Of an answer that is not kept: what has to do with the question, as it came. What else an
 * upstream says, a client could take for the truth about somebody else's name.
 */
static void keep_related(struct scrub *s)
{
	keep_none(s);
	find_related(s);
	for (unsigned int i = s->first[0]; i < s->first[1]; i++) {
		const struct dns_rr *rr = &s->m->rr[i];
		bool dname = rr->type == DNS_TYPE_DNAME || covered_type(s, rr) == DNS_TYPE_DNAME;
		bool related = false;

		for (unsigned int n = 0; n < s->n_chain && !related; n++)
			related = at_link(s, i, n) || (dname && rr->class == DNS_CLASS_IN &&
						       dns_name__within(&s->chain[n], &rr->owner));
		if (related)
			scrub_keep(s, i);
	}
	scrub_keep_authority(s);
	scrub_keep_additional(s);
}

void scrub__classify(const struct message *message, struct scrubbed *out)
{
	struct scrub s;

	/* the chain's names are written before they are read: 8 KB not to be cleared each time */
	s.m = message;
	s.out = out;
	s.n_chain = 0;
	memset(s.first, 0, sizeof(s.first));
	for (unsigned int i = 0; i < message->n_rr; i++) {
		const struct dns_rr *rr = &message->rr[i];

		for (int section = rr->section; section < DNS_SECTIONS; section++)
			s.first[section + 1]++;
		if (!i || rr->ttl_s < out->ttl_s)
			out->ttl_s = rr->ttl_s;
	}
	add_link(&s, message->qname);
	out->flags = DNS_QR | (message->flags & (DNS_AA | DNS_RA | DNS_AD | DNS_RCODE));

	switch (message->rcode) {
	case DNS_NOERROR:
	case DNS_NXDOMAIN:
		out->verdict = classify_records(&s);
		break;
	case DNS_SERVFAIL:
	case DNS_NOTIMP:
		/* Whatever records such a message has, they say nothing. */
		out->verdict = VERDICT_SERVFAIL;
		break;
	default:
		out->verdict = VERDICT_PASS;
		/* An extended rcode is between nodens and the upstream, like the OPT. */
		if (message->rcode > DNS_RCODE)
			out->flags = (out->flags & ~DNS_RCODE) | DNS_SERVFAIL;
	}

	switch (out->verdict) {
	case VERDICT_POSITIVE:
	case VERDICT_NEGATIVE:
		scrub_keep_authority(&s);
		scrub_keep_additional(&s);
		/* fallthrough */
	case VERDICT_SERVFAIL:
		out->flags |= DNS_AA; /* as CoreDNS' cache does */
		break;
	default:
		/* zone transfers and the like are about more than the question's name */
		if (message->own || uncacheable_type(message->qtype))
			keep_all(&s);
		else
			keep_related(&s);
	}
}
