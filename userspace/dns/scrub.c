/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Admission: node-cache's rules on which answers to keep, and which of their records.
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

#define MAX_CHAIN      12  /* names: 11 aliases, as unbound; BIND has 16 */
#define MAX_RELATED    32  /* names of what is handed on, but not kept */
#define MAX_APEXES     8   /* zones that DNSSEC records of one answer come from */
#define MAX_TARGETS    128 /* above NODENS_MAX_RR: answers with more are no slot's */
#define TARGET_PLACES  256
#define MAX_AUTHORITY  128
#define NO_SOA_TTL_S   5 /* CoreDNS' least */
#define MAX_ADDITIONAL 512

struct judge {
	const struct message *m;
	struct judgement *out;
	uint16_t first[DNS_SECTIONS + 1];   /* a section's first record; the records' end */
	struct dns_name chain[MAX_RELATED]; /* the question's name and what it is an alias of */
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
static bool at_link(const struct judge *j, unsigned int i, unsigned int n)
{
	return j->m->hash[i] == j->chain_hash[n] && j->m->rr[i].class == DNS_CLASS_IN &&
	       dns_name__equal(&j->m->rr[i].owner, &j->chain[n]);
}

static void add_link(struct judge *j, const struct dns_name *name)
{
	j->chain[j->n_chain] = *name;
	j->chain_hash[j->n_chain++] = message__hash(name);
}

static bool in_chain(const struct judge *j, const struct dns_name *name)
{
	uint64_t hash = message__hash(name);

	for (unsigned int i = 0; i < j->n_chain; i++)
		if (j->chain_hash[i] == hash && dns_name__equal(&j->chain[i], name))
			return true;
	return false;
}

/* The end of a section, as far as it is looked at. */
static unsigned int look_until(const struct judge *j, enum dns_section section, unsigned int max)
{
	unsigned int first = j->first[section], end = j->first[section + 1];

	return end - first > max ? first + max : end;
}

enum chain_end {
	CHAIN_COMPLETE, /* ends in the type that was asked for */
	CHAIN_DANGLING, /* ends in no record, or there is none */
	CHAIN_BROKEN,	/* not one chain */
};

static void take(struct judge *j, unsigned int i)
{
	struct judgement *out = j->out;
	unsigned int kept = out->count[0] + out->count[1] + out->count[2];

	out->order[kept] = i;
	out->taken[i] = true;
	out->count[j->m->rr[i].section]++;
}

static const struct dns_name *chain_end(const struct judge *j)
{
	return &j->chain[j->n_chain - 1];
}

/* Is @apex a name that has authority over a name of the chain? */
static bool above_chain(const struct judge *j, const struct dns_name *apex)
{
	for (unsigned int i = 0; i < j->n_chain; i++)
		if (dns_name__within(&j->chain[i], apex))
			return true;
	return false;
}

static uint16_t covered_type(const struct judge *j, const struct dns_rr *rr)
{
	const uint8_t *rdata = j->m->msg + rr->rdata_at;

	return rr->type == DNS_TYPE_RRSIG ? rdata[0] << 8 | rdata[1] : 0;
}

/* The n-th name in the rdata. */
static bool rdata_name(const struct judge *j, const struct dns_rr *rr, unsigned int n,
		       struct dns_name *name)
{
	struct dns_rdata_part part;
	struct dns_rdata rdata;

	dns_rdata__init(&rdata, j->m->msg, j->m->len, rr);
	while (dns_rdata__next(&rdata, &part) > 0) {
		if (part.is_name && !n--) {
			*name = part.name;
			return true;
		}
	}
	return false;
}

static bool asked_for(const struct judge *j, const struct dns_rr *rr)
{
	return rr->type == j->m->qtype || j->m->qtype == DNS_TYPE_ANY;
}

/* Take the answer's untaken records at the chain's end of @type, then the signatures over that
 * type. */
static void take_rrset(struct judge *j, uint16_t type)
{
	unsigned int n = j->n_chain - 1;

	for (int signatures = 0; signatures < (j->m->dnssec ? 2 : 1); signatures++) {
		for (unsigned int i = j->first[0]; i < j->first[1]; i++) {
			const struct dns_rr *rr = &j->m->rr[i];

			if (at_link(j, i, n) && !j->out->taken[i] &&
			    (signatures ? covered_type(j, rr) : rr->type) == type)
				take(j, i);
		}
	}
}

/* DNAMEs of which the CNAME at @owner may be made (RFC 6672), and their signatures. */
static void take_dnames(struct judge *j, const struct dns_name *owner)
{
	for (unsigned int i = j->first[0]; i < j->first[1]; i++) {
		const struct dns_rr *rr = &j->m->rr[i];

		if ((rr->type == DNS_TYPE_DNAME || covered_type(j, rr) == DNS_TYPE_DNAME) &&
		    !j->out->taken[i] && rr->class == DNS_CLASS_IN && rr->owner.len < owner->len &&
		    dns_name__within(owner, &rr->owner))
			take(j, i);
	}
}

/*
 * Go from the question's name along CNAMEs, taking records in the order in which resolvers like to
 * read them. The chain's records may have come in any order.
 */
static enum chain_end follow_chain(struct judge *j)
{
	const uint16_t *first = j->first;
	unsigned int n_final;

	for (;;) {
		const struct dns_rr *cname = NULL;
		struct dns_name target;

		n_final = 0;
		for (unsigned int i = first[0]; i < first[1]; i++) {
			const struct dns_rr *rr = &j->m->rr[i];

			if (!at_link(j, i, j->n_chain - 1))
				continue;
			if (asked_for(j, rr)) {
				n_final++;
			} else if (rr->type == DNS_TYPE_CNAME) {
				if (cname)
					return CHAIN_BROKEN;
				cname = rr;
			}
		}
		if (!cname)
			break;
		if (n_final || j->n_chain == MAX_CHAIN)
			return CHAIN_BROKEN;
		take_dnames(j, chain_end(j));
		take_rrset(j, DNS_TYPE_CNAME);
		if (!rdata_name(j, cname, 0, &target) || in_chain(j, &target))
			return CHAIN_BROKEN;
		add_link(j, &target);
	}
	if (j->m->qtype == DNS_TYPE_CNAME && n_final > 1)
		return CHAIN_BROKEN;
	return n_final ? CHAIN_COMPLETE : CHAIN_DANGLING;
}

/* The RRset at the chain's end. */
static void take_final(struct judge *j)
{
	struct judgement *out = j->out;

	out->final_at = out->count[0];
	if (j->m->qtype != DNS_TYPE_ANY) {
		take_rrset(j, j->m->qtype);
	} else {
		for (unsigned int i = j->first[0]; i < j->first[1]; i++)
			if (at_link(j, i, j->n_chain - 1))
				take(j, i);
	}
	for (unsigned int i = out->final_at; i < out->count[0]; i++)
		if (asked_for(j, &j->m->rr[out->order[i]]))
			out->final_count++;
}

/* The SOA of a zone that the chain's last name is in. */
static const struct dns_rr *find_soa(const struct judge *j)
{
	for (unsigned int i = j->first[1]; i < look_until(j, DNS_AUTHORITY, MAX_AUTHORITY); i++) {
		const struct dns_rr *rr = &j->m->rr[i];

		if (rr->type == DNS_TYPE_SOA && rr->class == DNS_CLASS_IN &&
		    dns_name__within(chain_end(j), &rr->owner))
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
static void find_apexes(const struct judge *j, struct apexes *apexes)
{
	apexes->n = 0;
	for (unsigned int i = j->first[1]; i < look_until(j, DNS_AUTHORITY, MAX_AUTHORITY); i++) {
		const struct dns_rr *rr = &j->m->rr[i];
		struct dns_name name;

		if (rr->class != DNS_CLASS_IN)
			continue;
		if (rr->type == DNS_TYPE_SOA || rr->type == DNS_TYPE_NS)
			name = rr->owner;
		else if (rr->type != DNS_TYPE_RRSIG || !rdata_name(j, rr, 0, &name) ||
			 !dns_name__within(&rr->owner, &name)) /* a zone signs its own */
			continue;
		if (above_chain(j, &name))
			add_apex(apexes, &name);
	}
}

static void take_authority(struct judge *j)
{
	struct apexes apexes;

	find_apexes(j, &apexes);
	for (unsigned int i = j->first[1]; i < look_until(j, DNS_AUTHORITY, MAX_AUTHORITY); i++) {
		const struct dns_rr *rr = &j->m->rr[i];
		bool keep = false;

		if (rr->class != DNS_CLASS_IN)
			continue;
		switch (rr->type) {
		case DNS_TYPE_SOA:
		case DNS_TYPE_NS:
		case DNS_TYPE_DS:
			keep = above_chain(j, &rr->owner);
			break;
		case DNS_TYPE_NSEC:
		case DNS_TYPE_NSEC3:
		case DNS_TYPE_RRSIG:
			for (unsigned int k = 0; k < apexes.n && !keep; k++)
				keep = dns_name__within(&rr->owner, &apexes.name[k]);
			break;
		}
		if (keep)
			take(j, i);
	}
}

/* Names that a kept record leads to: hosts of SRV and MX, name servers. */
struct targets {
	unsigned int n;
	uint8_t place[TARGET_PLACES]; /* by hash, the next one where taken: 1 + index; 0: none */
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

static void take_additional(struct judge *j)
{
	struct judgement *out = j->out;
	unsigned int kept = out->count[0] + out->count[1];
	struct targets targets;
	struct dns_name name;

	if (j->first[2] == j->first[3])
		return;
	targets.n = 0;
	memset(targets.place, 0, sizeof(targets.place));
	for (unsigned int i = 0; i < kept && targets.n < MAX_TARGETS; i++) {
		const struct dns_rr *rr = &j->m->rr[out->order[i]];

		if (rr->type != DNS_TYPE_SOA && rr->type != DNS_TYPE_NSEC &&
		    rr->type != DNS_TYPE_RRSIG && rdata_name(j, rr, 0, &name))
			add_target(&targets, &name);
	}
	for (unsigned int i = j->first[2]; i < look_until(j, DNS_ADDITIONAL, MAX_ADDITIONAL); i++) {
		const struct dns_rr *rr = &j->m->rr[i];

		if (rr->class == DNS_CLASS_IN && is_target(&targets, &rr->owner, j->m->hash[i]))
			take(j, i);
	}
}

/* Types that a cache has no business with (RFC 6895, 3.1), ANY excepted. */
static bool uncacheable_type(uint16_t qtype)
{
	return qtype == 0 || qtype == DNS_TYPE_OPT ||
	       (qtype >= DNS_TYPE_META_FIRST && qtype <= DNS_TYPE_META_LAST);
}

/* ADMIT_POSITIVE, ADMIT_NEGATIVE or ADMIT_PASS for NOERROR and NXDOMAIN, records taken. */
static enum admission judge_records(struct judge *j)
{
	struct judgement *out = j->out;
	const struct dns_rr *soa;
	enum chain_end end;
	const uint8_t *minimum;
	uint32_t minimum_s;

	if (uncacheable_type(j->m->qtype))
		return ADMIT_PASS;
	end = follow_chain(j);
	/* RFC 2308, 2.1: a name may not exist which an alias leads to, but has no records then */
	if (end == CHAIN_BROKEN || (end == CHAIN_COMPLETE && j->m->rcode == DNS_NXDOMAIN))
		return ADMIT_PASS;
	take_final(j);
	if (out->count[0] != j->first[1]) /* a record off the chain */
		return ADMIT_PASS;
	if (end == CHAIN_COMPLETE)
		return ADMIT_POSITIVE;

	soa = find_soa(j);
	if (!soa && j->m->rcode == DNS_NOERROR && !j->m->n_rr && !j->m->own) {
		/* nothing at all, and no referral: kept for a moment, as CoreDNS does */
		out->ttl_s = NO_SOA_TTL_S;
		return ADMIT_NEGATIVE;
	}
	if (!soa)
		return ADMIT_PASS;
	/* RFC 2308, 5: MINIMUM is the last field. */
	minimum = j->m->msg + soa->rdata_at + soa->rdata_len - 4;
	minimum_s = (uint32_t)minimum[0] << 24 | minimum[1] << 16 | minimum[2] << 8 | minimum[3];
	if (minimum_s > INT32_MAX)
		minimum_s = 0;
	if (minimum_s < out->ttl_s)
		out->ttl_s = minimum_s;
	return ADMIT_NEGATIVE;
}

static void take_none(struct judge *j)
{
	memset(j->out->count, 0, sizeof(j->out->count));
	memset(j->out->taken, 0, j->m->n_rr * sizeof(j->out->taken[0]));
	j->out->final_count = 0;
}

static void take_all(struct judge *j)
{
	take_none(j);
	for (unsigned int i = 0; i < j->m->n_rr; i++)
		take(j, i);
}

/* Every name that aliases lead to from the question's, along however many at once. */
static void find_related(struct judge *j)
{
	j->n_chain = 1;
	for (unsigned int n = 0; n < j->n_chain; n++) {
		for (unsigned int i = j->first[0]; i < j->first[1]; i++) {
			struct dns_name target;

			if (at_link(j, i, n) && j->m->rr[i].type == DNS_TYPE_CNAME &&
			    j->n_chain < MAX_RELATED && rdata_name(j, &j->m->rr[i], 0, &target) &&
			    !in_chain(j, &target))
				add_link(j, &target);
		}
	}
}

/*
 * Of an answer that is not kept: what has to do with the question, as it came. What else an
 * upstream says, a client could take for the truth about somebody else's name.
 */
static void take_related(struct judge *j)
{
	take_none(j);
	find_related(j);
	for (unsigned int i = j->first[0]; i < j->first[1]; i++) {
		const struct dns_rr *rr = &j->m->rr[i];
		bool dname = rr->type == DNS_TYPE_DNAME || covered_type(j, rr) == DNS_TYPE_DNAME;
		bool related = false;

		for (unsigned int n = 0; n < j->n_chain && !related; n++)
			related = at_link(j, i, n) || (dname && rr->class == DNS_CLASS_IN &&
						       dns_name__within(&j->chain[n], &rr->owner));
		if (related)
			take(j, i);
	}
	take_authority(j);
	take_additional(j);
}

void admission__judge(const struct message *message, struct judgement *out)
{
	struct judge j;

	/* the chain's names are written before they are read: 8 KB not to be cleared each time */
	j.m = message;
	j.out = out;
	j.n_chain = 0;
	memset(j.first, 0, sizeof(j.first));
	for (unsigned int i = 0; i < message->n_rr; i++) {
		const struct dns_rr *rr = &message->rr[i];

		for (int section = rr->section; section < DNS_SECTIONS; section++)
			j.first[section + 1]++;
		if (!i || rr->ttl_s < out->ttl_s)
			out->ttl_s = rr->ttl_s;
	}
	add_link(&j, message->qname);
	out->flags = DNS_QR | (message->flags & (DNS_AA | DNS_RA | DNS_AD | DNS_RCODE));

	switch (message->rcode) {
	case DNS_NOERROR:
	case DNS_NXDOMAIN:
		out->admission = judge_records(&j);
		break;
	case DNS_SERVFAIL:
	case DNS_NOTIMP:
		/* Whatever records such a message has, they say nothing. */
		out->admission = ADMIT_SERVFAIL;
		break;
	default:
		out->admission = ADMIT_PASS;
		/* An extended rcode is between nodens and the upstream, like the OPT. */
		if (message->rcode > DNS_RCODE)
			out->flags = (out->flags & ~DNS_RCODE) | DNS_SERVFAIL;
	}

	switch (out->admission) {
	case ADMIT_POSITIVE:
	case ADMIT_NEGATIVE:
		take_authority(&j);
		take_additional(&j);
		/* fallthrough */
	case ADMIT_SERVFAIL:
		out->flags |= DNS_AA; /* as CoreDNS' cache does */
		break;
	default:
		/* zone transfers and the like are about more than the question's name */
		if (message->own || uncacheable_type(message->qtype))
			take_all(&j);
		else
			take_related(&j);
	}
}
