/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What scrub.c (the answer section and the verdict) and scrub_sections.c (the other two) share.
 *
 * Contract: work is linear in the number of records.
 */
#ifndef NODENS_SCRUB_PRIV_H
#define NODENS_SCRUB_PRIV_H

#include "dns/rdata.h"
#include "dns/scrub.h"

#define MAX_RELATED 32 /* names of what is handed on, but not kept */

struct scrub {
	const struct message *m;
	struct scrubbed *out;
	uint16_t first[DNS_SECTIONS + 1];   /* a section's first record; the records' end */
	struct dns_name chain[MAX_RELATED]; /* the question's name, and CNAME targets from it on */
	uint64_t chain_hash[MAX_RELATED];
	unsigned int n_chain;
};

static inline void scrub_keep(struct scrub *s, unsigned int i)
{
	struct scrubbed *out = s->out;
	unsigned int n_kept = out->count[0] + out->count[1] + out->count[2];

	out->order[n_kept] = i;
	out->kept[i] = true;
	out->count[s->m->rr[i].section]++;
}

/* Is @apex a name that has authority over a name of the chain? */
static inline bool scrub_above_chain(const struct scrub *s, const struct dns_name *apex)
{
	for (unsigned int i = 0; i < s->n_chain; i++)
		if (dns_name__within(&s->chain[i], apex))
			return true;
	return false;
}

/* The n-th name in the rdata; false: there is none. */
static inline bool scrub_rdata_name(const struct scrub *s, const struct dns_rr *rr, unsigned int n,
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

/* The end of a section, as far as it is looked at. */
static inline unsigned int scrub_section_end(const struct scrub *s, enum dns_section section)
{
	static const unsigned int most[DNS_SECTIONS] = {
		[DNS_ANSWER_SECTION] = UINT16_MAX,
		[DNS_AUTHORITY] = 128,
		[DNS_ADDITIONAL] = 512,
	};
	unsigned int first = s->first[section], end = s->first[section + 1];

	return end - first > most[section] ? first + most[section] : end;
}

/* scrub_sections.c: keep what belongs to the chain, and to the records that are kept. */
void scrub_keep_authority(struct scrub *s);
void scrub_keep_additional(struct scrub *s);

#endif /* NODENS_SCRUB_PRIV_H */
