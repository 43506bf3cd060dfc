// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Of the authority and additional sections: the records that go with what is kept of the answer.
 * Contract: scrub_priv.h.
 */
#include <string.h>

#include "scrub_priv.h"

#define MAX_APEXES    8	  /* zones that DNSSEC records of one answer come from */
#define MAX_TARGETS   128 /* above NODENS_MAX_RR: answers with more are no slot's */
#define TARGET_PLACES 256

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
	for (unsigned int i = s->first[1]; i < scrub_section_end(s, DNS_AUTHORITY); i++) {
		const struct dns_rr *rr = &s->m->rr[i];
		struct dns_name name;

		if (rr->class != DNS_CLASS_IN)
			continue;
		if (rr->type == DNS_TYPE_SOA || rr->type == DNS_TYPE_NS)
			name = rr->owner;
		else if (rr->type != DNS_TYPE_RRSIG || !scrub_rdata_name(s, rr, 0, &name) ||
			 !dns_name__within(&rr->owner, &name)) /* a zone signs its own */
			continue;
		if (scrub_above_chain(s, &name))
			add_apex(apexes, &name);
	}
}

void scrub_keep_authority(struct scrub *s)
{
	struct apexes apexes;

	find_apexes(s, &apexes);
	for (unsigned int i = s->first[1]; i < scrub_section_end(s, DNS_AUTHORITY); i++) {
		const struct dns_rr *rr = &s->m->rr[i];
		bool keep = false;

		if (rr->class != DNS_CLASS_IN)
			continue;
		switch (rr->type) {
		case DNS_TYPE_SOA:
		case DNS_TYPE_NS:
		case DNS_TYPE_DS:
			keep = scrub_above_chain(s, &rr->owner);
			break;
		case DNS_TYPE_NSEC:
		case DNS_TYPE_NSEC3:
		case DNS_TYPE_RRSIG:
			for (unsigned int k = 0; k < apexes.n && !keep; k++)
				keep = dns_name__within(&rr->owner, &apexes.name[k]);
			break;
		}
		if (keep)
			scrub_keep(s, i);
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
	uint64_t hash = dns_name__hash(name);
	unsigned int at = hash % TARGET_PLACES;

	if (targets->n == MAX_TARGETS || is_target(targets, name, hash))
		return;
	while (targets->place[at])
		at = (at + 1) % TARGET_PLACES;
	targets->name[targets->n] = *name;
	targets->hash[targets->n++] = hash;
	targets->place[at] = targets->n;
}

void scrub_keep_additional(struct scrub *s)
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
		    rr->type != DNS_TYPE_RRSIG && scrub_rdata_name(s, rr, 0, &name))
			add_target(&targets, &name);
	}
	for (unsigned int i = s->first[2]; i < scrub_section_end(s, DNS_ADDITIONAL); i++) {
		const struct dns_rr *rr = &s->m->rr[i];

		if (rr->class == DNS_CLASS_IN && is_target(&targets, &rr->owner, s->m->hash[i]))
			scrub_keep(s, i);
	}
}
