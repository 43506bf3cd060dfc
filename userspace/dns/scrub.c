/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * node-cache's rules on which answers to keep, and which of their records.
 *
 * Contract: work is linear in the number of records: a chain has at most MAX_CHAIN names, owners
 * are told apart by hashes, and no more than MAX_AUTHORITY and MAX_ADDITIONAL records of those
 * sections are looked at. A record of a class other than IN answers nothing that nodens asks: in
 * the answer section it is off the chain, elsewhere it is left out.
 */
#include <string.h>

#include "dns/scrub.h"
#include "dns/rdata.h"
#include "base/secret_hash.h"

#define MAX_CHAIN      12  /* names: 11 CNAMEs, as unbound; BIND has 16 */
#define MAX_RELATED    32  /* names of what is handed on, but not kept */
#define MAX_APEXES     8   /* zones that DNSSEC records of one answer come from */
#define MAX_TARGETS    128 /* above NODENS_MAX_RR: answers with more are no slot's */
#define TARGET_PLACES  256
#define MAX_AUTHORITY  128
#define NO_SOA_TTL_S   5 /* CoreDNS' least */
#define MAX_ADDITIONAL 512

struct scrub {
	const struct message *m;
	struct scrubbed *out;
	uint16_t first[DNS_SECTIONS + 1];   /* a section's first record; the records' end */
	struct dns_name chain[MAX_RELATED]; /* the question's name, and CNAME targets from it on */
	uint64_t chain_hash[MAX_RELATED];
	unsigned int n_chain;
};

/* Eight octets at a time; what is behind the name does not count. */
uint64_t message__hash(const struct dns_name *name)
{
	uint64_t hash = name->len;

	for (size_t i = 0; i < name->len; i += 8) {
		size_t left = name->len - i;
		uint64_t word = 0;

		memcpy(&word, name->wire + i, left < 8 ? left : 8);
		hash = secret_mix(hash, dns_lower_word(word));
	}
	return hash;
}

/* Is record @i of class IN, and at the @n-th name of the chain? */
static bool at_link(const struct scrub *s, unsigned int i, unsigned int n)
{
	return s->m->hash[i] == s->chain_hash[n] && s->m->rr[i].class == DNS_CLASS_IN &&
	       dns_name__equal(&s->m->rr[i].owner, &s->chain[n]);
}

static void add_link(struct scrub *s, const struct dns_name *name)
{
	s->chain[s->n_chain] = *name;
	s->chain_hash[s->n_chain++] = message__hash(name);
}

static bool in_chain(const struct scrub *s, const struct dns_name *name)
{
	uint64_t hash = message__hash(name);

	for (unsigned int i = 0; i < s->n_chain; i++)
		if (s->chain_hash[i] == hash && dns_name__equal(&s->chain[i], name))
			return true;
	return false;
}

/* The end of a section, as far as it is looked at. */
static unsigned int look_until(const struct scrub *s, enum dns_section section, unsigned int max)
{
	unsigned int first = s->first[section], end = s->first[section + 1];

	return end - first > max ? first + max : end;
}

enum chain_end {
	CHAIN_COMPLETE, /* ends in the type that was asked for */
	CHAIN_DANGLING, /* ends in no record, or there is none */
	CHAIN_BROKEN,	/* not one chain */
};

static void keep_rr(struct scrub *s, unsigned int i)
{
	struct scrubbed *out = s->out;
	unsigned int n_kept = out->count[0] + out->count[1] + out->count[2];

	out->order[n_kept] = i;
	out->kept[i] = true;
	out->count[s->m->rr[i].section]++;
}

static const struct dns_name *chain_end(const struct scrub *s)
{
	return &s->chain[s->n_chain - 1];
}

/* Is @apex a name that has authority over a name of the chain? */
static bool above_chain(const struct scrub *s, const struct dns_name *apex)
{
	for (unsigned int i = 0; i < s->n_chain; i++)
		if (dns_name__within(&s->chain[i], apex))
			return true;
	return false;
}

static uint16_t covered_type(const struct scrub *s, const struct dns_rr *rr)
{
	const uint8_t *rdata = s->m->msg + rr->rdata_at;

	return rr->type == DNS_TYPE_RRSIG ? rdata[0] << 8 | rdata[1] : 0;
}

/* The n-th name in the rdata. */
static bool rdata_name(const struct scrub *s, const struct dns_rr *rr, unsigned int n,
		       struct dns_name *name)
{
	struct dns_rdata_part part;
	struct dns_rdata rdata;

	dns_rdata__init(&rdata, s->m->msg, s->m->len, rr);
	while (dns_rdata__next(&rdata, &part) > 0) {
		if (part.is_name && !n--) {
			*name = part.name;
			return true;
		}
	}
	return false;
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
				keep_rr(s, i);
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
			keep_rr(s, i);
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
		if (!rdata_name(s, cname, 0, &target) || in_chain(s, &target))
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
				keep_rr(s, i);
	}
	for (unsigned int i = out->final_at; i < out->count[0]; i++)
		if (asked_for(s, &s->m->rr[out->order[i]]))
			out->final_count++;
}

/* The SOA of a zone that the chain's last name is in. */
static const struct dns_rr *find_soa(const struct scrub *s)
{
	for (unsigned int i = s->first[1]; i < look_until(s, DNS_AUTHORITY, MAX_AUTHORITY); i++) {
		const struct dns_rr *rr = &s->m->rr[i];

		if (rr->type == DNS_TYPE_SOA && rr->class == DNS_CLASS_IN &&
		    dns_name__within(chain_end(s), &rr->owner))
			return rr;
	}
	return NULL;
}

struct apexes {
	struct dns_name name[MAX_APEXES];
	unsigned int n;
};

static void add_apex(struct apexes *apexes, const struct dns_name *name)
{
	for (unsigned int i = 0; i < apexes->n; i++)
		if (dns_name__equal(&apexes->name[i], name))
			return;
	if (apexes->n < MAX_APEXES)
		apexes->name[apexes->n++] = *name;
}

/*
 * Zones in the authority section that a name of the chain is in: proofs that a name does not exist
 * (NSEC, NSEC3) are at other names of theirs. Known by SOA, NS and by who signed.
 */
static void find_apexes(const struct scrub *s, struct apexes *apexes)
{
	apexes->n = 0;
	for (unsigned int i = s->first[1]; i < look_until(s, DNS_AUTHORITY, MAX_AUTHORITY); i++) {
		const struct dns_rr *rr = &s->m->rr[i];
		struct dns_name name;

		if (rr->class != DNS_CLASS_IN)
			continue;
		if (rr->type == DNS_TYPE_SOA || rr->type == DNS_TYPE_NS)
			name = rr->owner;
		else if (rr->type != DNS_TYPE_RRSIG || !rdata_name(s, rr, 0, &name) ||
			 !dns_name__within(&rr->owner, &name)) /* a zone signs its own */
			continue;
		if (above_chain(s, &name))
			add_apex(apexes, &name);
	}
}

static void keep_authority(struct scrub *s)
{
	struct apexes apexes;

	find_apexes(s, &apexes);
	for (unsigned int i = s->first[1]; i < look_until(s, DNS_AUTHORITY, MAX_AUTHORITY); i++) {
		const struct dns_rr *rr = &s->m->rr[i];
		bool keep = false;

		if (rr->class != DNS_CLASS_IN)
			continue;
		switch (rr->type) {
		case DNS_TYPE_SOA:
		case DNS_TYPE_NS:
		case DNS_TYPE_DS:
			keep = above_chain(s, &rr->owner);
			break;
		case DNS_TYPE_NSEC:
		case DNS_TYPE_NSEC3:
		case DNS_TYPE_RRSIG:
			for (unsigned int k = 0; k < apexes.n && !keep; k++)
				keep = dns_name__within(&rr->owner, &apexes.name[k]);
			break;
		}
		if (keep)
			keep_rr(s, i);
	}
}

/* Names that a kept record leads to: hosts of SRV and MX, name servers. */
struct targets {
	unsigned int n;
	uint8_t place[TARGET_PLACES]; /* by hash, the next one where occupied: 1 + index; 0: none */
	uint64_t hash[MAX_TARGETS];
	struct dns_name name[MAX_TARGETS];
};

static bool is_target(const struct targets *targets, const struct dns_name *name, uint64_t hash)
{
	for (unsigned int at = hash % TARGET_PLACES; targets->place[at];
	     at = (at + 1) % TARGET_PLACES) {
		unsigned int i = targets->place[at] - 1;

		if (targets->hash[i] == hash && dns_name__equal(&targets->name[i], name))
			return true;
	}
	return false;
}

static void add_target(struct targets *targets, const struct dns_name *name)
{
	uint64_t hash = message__hash(name);
	unsigned int at = hash % TARGET_PLACES;

	if (targets->n == MAX_TARGETS || is_target(targets, name, hash))
		return;
	while (targets->place[at])
		at = (at + 1) % TARGET_PLACES;
	targets->name[targets->n] = *name;
	targets->hash[targets->n++] = hash;
	targets->place[at] = targets->n;
}

static void keep_additional(struct scrub *s)
{
	struct scrubbed *out = s->out;
	unsigned int n_kept = out->count[0] + out->count[1];
	struct targets targets;
	struct dns_name name;

	if (s->first[2] == s->first[3])
		return;
	targets.n = 0;
	memset(targets.place, 0, sizeof(targets.place));
	for (unsigned int i = 0; i < n_kept && targets.n < MAX_TARGETS; i++) {
		const struct dns_rr *rr = &s->m->rr[out->order[i]];

		if (rr->type != DNS_TYPE_SOA && rr->type != DNS_TYPE_NSEC &&
		    rr->type != DNS_TYPE_RRSIG && rdata_name(s, rr, 0, &name))
			add_target(&targets, &name);
	}
	for (unsigned int i = s->first[2]; i < look_until(s, DNS_ADDITIONAL, MAX_ADDITIONAL); i++) {
		const struct dns_rr *rr = &s->m->rr[i];

		if (rr->class == DNS_CLASS_IN && is_target(&targets, &rr->owner, s->m->hash[i]))
			keep_rr(s, i);
	}
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
		keep_rr(s, i);
}

/* Every name that CNAMEs lead to from the question's, along however many at once. */
static void find_related(struct scrub *s)
{
	s->n_chain = 1;
	for (unsigned int n = 0; n < s->n_chain; n++) {
		for (unsigned int i = s->first[0]; i < s->first[1]; i++) {
			struct dns_name target;

			if (at_link(s, i, n) && s->m->rr[i].type == DNS_TYPE_CNAME &&
			    s->n_chain < MAX_RELATED && rdata_name(s, &s->m->rr[i], 0, &target) &&
			    !in_chain(s, &target))
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
			keep_rr(s, i);
	}
	keep_authority(s);
	keep_additional(s);
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
		keep_authority(&s);
		keep_additional(&s);
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
