/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What an upstream's message is worth: whether its records answer the question, whether it may be
 * cached, and which records a client gets to see, in what order.
 *
 * Contract: pure, no allocation; the rules are node-cache's.
 */
#ifndef NODENS_SCRUB_H
#define NODENS_SCRUB_H

#include "dns/answer.h"

/* A message whose every record has been read and whose rdata is known to be well-formed. */
struct message {
	const uint8_t *msg; /* as received, but for the question's name: lower case */
	size_t len;
	const struct dns_name *qname; /* lower case */
	uint16_t qtype;
	uint16_t flags; /* host order, as received */
	uint16_t rcode; /* with OPT's upper bits */
	uint16_t n_rr;
	struct dns_rr *rr; /* without OPT and others about the transport, and unwanted DNSSEC */
	uint64_t *hash;	   /* of each record's owner: dns_name__hash() */
	bool own;	   /* we made it: no record is a stranger */
	bool dnssec;	   /* asked for, by DO */
};

/* What of a message is worth keeping. */
struct scrubbed {
	enum verdict verdict;
	uint32_t ttl_s; /* the least; 0 without records */
	uint16_t flags; /* to store */
	uint16_t count[DNS_SECTIONS];
	uint16_t final_at, final_count; /* in order: the RRset that was asked for */
	uint16_t *order; /* the caller's, room for n_rr: indexes of what is kept, by section */
	bool *kept;	 /* the caller's, room for n_rr, zeroed */
};

/*
 * RFC 4035, 3.2.1: who did not ask for DNSSEC, by DO or by the type itself, does not get it. (The
 * case of DS is where a zone is referred to, of which no client of a cache hears.)
 */
bool message__unwanted(const struct message *message, uint16_t type);

void scrub__classify(const struct message *message, struct scrubbed *out);

#endif /* NODENS_SCRUB_H */
