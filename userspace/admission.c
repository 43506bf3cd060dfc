/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Admission: node-cache's rules on which answers to keep, and which of their records.
 *
 * Contract: work is bounded: a chain has at most MAX_CHAIN names, and at most MAX_TARGETS names of
 * rdata bring records of the additional section along. A record of a class other than IN answers
 * nothing that nodens asks: in the answer section it is off the chain, elsewhere it is left out.
 */
#include <string.h>

#include "admission.h"
#include "dns_rdata.h"

#define MAX_CHAIN   16	/* names; BIND stops at 16 as well, unbound and Go before */
#define MAX_APEXES  8	/* zones that DNSSEC records of one answer come from */
#define MAX_TARGETS 128 /* above NODENS_MAX_RR: answers with more are no slot's */

struct judge {
	const struct message *m;
	struct judgement *out;
	uint16_t first[DNS_SECTIONS + 1]; /* a section's first record; the records' end */
	struct dns_name chain[MAX_CHAIN]; /* the question's name and what it is an alias of */
	unsigned int n_chain;
};

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

/* Take the answer's untaken records at @owner of @type, then the signatures over that type. */
static void take_rrset(struct judge *j, const struct dns_name *owner, uint16_t type)
{
	for (int signatures = 0; signatures < 2; signatures++) {
		for (unsigned int i = j->first[0]; i < j->first[1]; i++) {
			const struct dns_rr *rr = &j->m->rr[i];

			if (!j->out->taken[i] && rr->class == DNS_CLASS_IN &&
			    (signatures ? covered_type(j, rr) : rr->type) == type &&
			    dns_name__equal(&rr->owner, owner))
				take(j, i);
		}
	}
}

/* DNAMEs of which the CNAME at @owner may be made (RFC 6672), and their signatures. */
static void take_dnames(struct judge *j, const struct dns_name *owner)
{
	for (unsigned int i = j->first[0]; i < j->first[1]; i++) {
		const struct dns_rr *rr = &j->m->rr[i];

		if (!j->out->taken[i] && rr->class == DNS_CLASS_IN &&
		    (rr->type == DNS_TYPE_DNAME || covered_type(j, rr) == DNS_TYPE_DNAME) &&
		    rr->owner.len < owner->len && dns_name__within(owner, &rr->owner))
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
		const struct dns_name *owner = chain_end(j);
		const struct dns_rr *cname = NULL;

		n_final = 0;
		for (unsigned int i = first[0]; i < first[1]; i++) {
			const struct dns_rr *rr = &j->m->rr[i];

			if (rr->class != DNS_CLASS_IN || !dns_name__equal(&rr->owner, owner))
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
		take_dnames(j, owner);
		take_rrset(j, owner, DNS_TYPE_CNAME);
		rdata_name(j, cname, 0, &j->chain[j->n_chain]);
		for (unsigned int i = 0; i < j->n_chain; i++)
			if (dns_name__equal(&j->chain[i], &j->chain[j->n_chain]))
				return CHAIN_BROKEN;
		j->n_chain++;
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
		take_rrset(j, chain_end(j), j->m->qtype);
	} else {
		for (unsigned int i = j->first[0]; i < j->first[1]; i++)
			if (j->m->rr[i].class == DNS_CLASS_IN &&
			    dns_name__equal(&j->m->rr[i].owner, chain_end(j)))
				take(j, i);
	}
	for (unsigned int i = out->final_at; i < out->count[0]; i++)
		if (asked_for(j, &j->m->rr[out->order[i]]))
			out->final_count++;
}

/* The SOA of a zone that the chain's last name is in. */
static const struct dns_rr *find_soa(const struct judge *j)
{
	for (unsigned int i = j->first[1]; i < j->first[2]; i++) {
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
	for (unsigned int i = j->first[1]; i < j->first[2]; i++) {
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
	for (unsigned int i = j->first[1]; i < j->first[2]; i++) {
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

/* Records at names that a kept record leads to: hosts of SRV and MX, name servers. */
static void take_additional(struct judge *j)
{
	struct judgement *out = j->out;
	struct dns_name target[MAX_TARGETS];
	unsigned int n = 0, kept = out->count[0] + out->count[1];

	if (j->first[2] == j->first[3])
		return;
	for (unsigned int i = 0; i < kept && n < MAX_TARGETS; i++) {
		const struct dns_rr *rr = &j->m->rr[out->order[i]];

		if (rr->type != DNS_TYPE_SOA && rr->type != DNS_TYPE_NSEC &&
		    rr->type != DNS_TYPE_RRSIG && rdata_name(j, rr, 0, &target[n]))
			n++;
	}
	for (unsigned int i = j->first[2]; i < j->first[3]; i++) {
		const struct dns_rr *rr = &j->m->rr[i];

		if (rr->class != DNS_CLASS_IN)
			continue;
		for (unsigned int k = 0; k < n; k++) {
			if (dns_name__equal(&rr->owner, &target[k])) {
				take(j, i);
				break;
			}
		}
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

	if (uncacheable_type(j->m->qtype) || (j->m->rcode == DNS_NXDOMAIN && j->first[1]))
		return ADMIT_PASS;
	end = follow_chain(j);
	if (end == CHAIN_BROKEN)
		return ADMIT_PASS;
	take_final(j);
	if (out->count[0] != j->first[1]) /* a record off the chain */
		return ADMIT_PASS;
	if (end == CHAIN_COMPLETE)
		return ADMIT_POSITIVE;

	soa = find_soa(j);
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

static void take_all(struct judge *j)
{
	memset(j->out->count, 0, sizeof(j->out->count));
	j->out->final_count = 0;
	for (unsigned int i = 0; i < j->m->n_rr; i++)
		take(j, i);
}

void admission__judge(const struct message *message, struct judgement *out)
{
	struct judge j = { .m = message, .out = out, .n_chain = 1 };

	for (unsigned int i = 0; i < message->n_rr; i++) {
		const struct dns_rr *rr = &message->rr[i];

		for (int section = rr->section; section < DNS_SECTIONS; section++)
			j.first[section + 1]++;
		if (!i || rr->ttl_s < out->ttl_s)
			out->ttl_s = rr->ttl_s;
	}
	j.chain[0] = *message->qname;
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
		take_all(&j);
	}
}
