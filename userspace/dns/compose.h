/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An answer made of the records of others: read one after the other, changed, put into a new one.
 *
 * Contract: pure but for malloc. Work is near linear in the octets of the answers, whatever their
 * names are like, names of rdata written out: at most ANSWER_MAX_RR of them, 255 octets each and a
 * SOA's twice.
 */
#ifndef NODENS_COMPOSE_H
#define NODENS_COMPOSE_H

#include "dns/answer.h"

/* The records of an answer in its order, TTLs as the answer has them. */
struct records {
	uint8_t *msg;
	size_t len;
	unsigned int left[DNS_SECTIONS];
	struct dns_cursor cur;
	uint16_t pointer; /* that was the last owner; 0: it was none */
	struct dns_name owner;
	struct dns_rr rr; /* the caller may change its owner, TTL and section */
	bool same_owner;  /* as it came, rr's is that of the record before */
};

/* -ENOMEM, -EINVAL; records__close() in any case. */
int records__open(struct records *records, const struct answer *answer);
void records__close(struct records *records);
/* 1: records->rr is the next one; 0: there is none; -EBADMSG. */
int records__next(struct records *records);
/* The first name in the rdata of records->rr; false: it has none. */
bool records__name(const struct records *records, struct dns_name *name);
const uint8_t *records__rdata(const struct records *records);

struct compose;

/* For at most @max_rr records. -EMSGSIZE: over ANSWER_MAX_RR; -ENOMEM. */
int compose__open(const struct dns_name *qname, uint16_t qtype, uint8_t key_flags,
		  unsigned int max_rr, struct compose **out);
void compose__close(struct compose *compose);
/*
 * records->rr, whose owner, TTL and section may have been changed, behind what is there; sections
 * in their order. @name: instead of the first in its rdata; NULL: as it is. -EMSGSIZE, -ENOMEM,
 * -EBADMSG.
 */
int compose__add(struct compose *compose, const struct records *records,
		 const struct dns_name *name);
/* The same with another type and rdata, in which there is no name. */
int compose__add_octets(struct compose *compose, const struct dns_rr *rr, uint16_t type,
			const uint8_t *rdata, size_t len);
/*
 * The answer. @flags: AA, RA, rcode, and TC: then it is no answer to be kept (VERDICT_PASS). Errors
 * as answer__decode_own().
 */
int compose__answer(struct compose *compose, uint16_t flags, enum verdict *verdict,
		    struct answer **out);

#endif /* NODENS_COMPOSE_H */
