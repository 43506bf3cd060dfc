/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An answer in the one form that nodens keeps: what the slots of the kernel's
 * store hold, what the agent's own cache holds, and what replies are built of.
 *
 * Contract: pure. answer__decode() takes an upstream's bytes apart and writes
 * them anew (compressed, TTLs zeroed, OPT removed), so nothing of the
 * upstream's encoding survives.
 */
#ifndef NODENS_ANSWER_H
#define NODENS_ANSWER_H

#include "dns/msg.h"

/* What may be done with an upstream's message (node-cache's rules). */
enum verdict {
	VERDICT_POSITIVE,  /* cache as success */
	VERDICT_NEGATIVE,  /* cache as denial */
	VERDICT_SERVFAIL,  /* cache as denial for the servfail time */
	VERDICT_PASS,	   /* hand to the client, do not cache */
	VERDICT_DROP,	   /* not an answer to this question: count, wait on */
	VERDICT_TRUNCATED, /* TC=1: ask again over TCP */
};

#define ANSWER_MAX_RR 4096

#define ANSWER_RR_BYTES (2 * sizeof(uint16_t)) /* of an answer in memory, a record besides blob */

/*
 * An answer. blob is the message after its question, with compression pointers
 * that are right behind a 12-byte header and this question; ttl_at the offsets
 * in blob of each TTL field (all zero in blob).
 */
struct answer {
	struct dns_name qname; /* lower case */
	uint16_t qtype;
	uint8_t key_flags;
	uint16_t flags; /* host order: QR, AA, RA, AD, rcode as stored policy says */
	uint16_t count[DNS_SECTIONS];
	uint32_t ttl_s;	     /* for all RRs: the least (RFC 2308 for negatives), not clamped */
	uint32_t says_ttl_s; /* out of the store: each reply says this; 0: what is left */
	uint16_t rot_at;     /* where the A or AAAA RRs to rotate begin in blob */
	uint16_t rot_count;  /* 0, or 2 and more of rot_size bytes each, contiguous */
	uint8_t rot_size;
	bool below_only; /* an NXDOMAIN-below's: not of the name itself */
	/*
	 * A slot's: not all records are here. No reply has more than limit octets; with room for
	 * more_len octets of records there would be one more; with fewer than n_required records a
	 * reply is TC=1.
	 */
	bool partial;
	uint16_t limit, more_len, n_required;
	uint16_t n_ttl; /* one a record */
	uint16_t *ttl_at;
	uint16_t *end_at; /* in blob, of a record; of an additional one, of the last of its RRset */
	uint16_t blob_len;
	uint8_t *blob; /* one allocation with ttl_at and end_at behind the struct */
};

/*
 * Take apart @msg, which came in reply to (qname, qtype, key_flags).
 * On VERDICT_DROP and VERDICT_TRUNCATED *out is untouched; else *out is a new
 * answer (answer__free). What becomes of records off the chain or out of bailiwick: scrub.h.
 * Without records in the message ttl_s is 0, but for NODATA without a SOA: 5 s.
 * Errors: -EBADMSG malformed, -ENOMEM, -EMSGSIZE more than ANSWER_MAX_RR records, or written
 * anew over DNS_MAX_MSG octets; outputs are then untouched.
 */
int answer__decode(const uint8_t *msg, size_t len, const struct dns_name *qname, uint16_t qtype,
		   uint8_t key_flags, enum verdict *verdict, struct answer **out);

/*
 * What is there of a message for this question that is truncated (TC=1), or that ends before its
 * counts say. *at_end: it ends where a record ends. *verdict: VERDICT_PASS and TC in the answer's
 * flags where something is lost, but for additional records at *at_end. -EBADMSG: it is no such
 * message; others as answer__decode().
 */
int answer__salvage(const uint8_t *msg, size_t len, const struct dns_name *qname, uint16_t qtype,
		    uint8_t key_flags, bool *at_end, enum verdict *verdict, struct answer **out);

/* The same of a message that we made: no record of it is a stranger. */
int answer__decode_own(const uint8_t *msg, size_t len, const struct dns_name *qname, uint16_t qtype,
		       uint8_t key_flags, enum verdict *verdict, struct answer **out);

/* An answer with no records and this rcode (SERVFAIL, REFUSED). */
struct answer *answer__empty(const struct dns_name *qname, uint16_t qtype, uint8_t key_flags,
			     uint16_t rcode);
void answer__free(struct answer *answer);

/*
 * The answer for every name at and below @name: rcode, flags and below_only of @nxdomain and its
 * SOA, if it has one, written so that it fits behind a question of any length. key_flags: of the
 * queries that it answers. -ENOMEM, -EBADMSG.
 */
int answer__make_nx_below(const struct answer *nxdomain, const struct dns_name *name,
			  uint8_t key_flags, struct answer **out);

/* Length of the UDP message this answer makes for a client without / with OPT. */
size_t answer__size(const struct answer *answer, bool edns);

/*
 * What of an answer fits: the one rule for who takes less than the whole, which the programs have
 * from the slot's struct nodens_prefixes.
 */
struct answer_part {
	unsigned int n_rr; /* its first records */
	size_t len;	   /* of them in the blob */
	uint16_t count[DNS_SECTIONS];
	uint16_t rotating; /* of rot_count */
	bool truncated;	   /* TC=1 */
};

/* @room: octets for records. */
void answer__part(const struct answer *answer, size_t room, struct answer_part *part);
/*
 * The answer as a slot holds it, for clients that get at most @limit octets and for messages of
 * NODENS_MAX_MSG; *out is NULL where that is the whole. Else *out is a new, partial answer: its A
 * or AAAA set begins with record @rotate of the whole one, so that each gets its turn. -ENOMEM.
 */
int answer__for_slot(const struct answer *answer, uint16_t limit, uint32_t rotate,
		     struct answer **out);

/* Bytes of slot that this answer needs, or 0 where a slot cannot hold it (too
 * many RRs, too large for the largest class). */
size_t answer__slot_size(const struct answer *answer);
/* Fill a zeroed slot of at least that size; expiry and marks are the store's. */
void answer__to_slot(const struct answer *answer, struct nodens_slot *slot);
/*
 * Whether the first @size bytes at @slot are a whole slot whose offsets all lie inside: to ask
 * before slots found in maps are used; of memory that is being written meanwhile, ask a copy.
 * @size is at least the header's.
 */
bool answer__slot_valid(const struct nodens_slot *slot, size_t size);
/*
 * The reverse, for dump and for answering from a slot: a new answer, or NULL (no memory, or not a
 * slot that answer__to_slot() could have written, whose largest class is then looked at).
 */
struct answer *answer__from_slot(const struct nodens_slot *slot);

/* The client's hash of a question, as headers/nodens_abi.h defines it. */
uint64_t question__hash(const uint64_t key[NODENS_HASH_WORDS], const struct dns_name *qname_lower,
			uint16_t qtype, uint8_t key_flags);

/* An extended error (RFC 8914); no slot has one. */
struct ede {
	uint16_t code;
	const char *text; /* UTF-8; may be NULL */
};

#define EDE_TEXT_MAX 255 /* octets; what is longer is cut off */

struct reply_options {
	size_t limit;	       /* largest message, 512 and more: answer__part() */
	uint32_t ttl_s;	       /* written into every RR */
	uint32_t rotate;       /* rotation of the A/AAAA set, any number */
	const struct ede *ede; /* for a client that sent OPT; NULL: none */
};

/*
 * Build the reply to @query out of @answer: the client's ID, RD, CD and
 * question bytes; AD only if stored and the client set AD or DO; OPT only for
 * a client that sent one, no options but opts->ede. Returns the length, or -ENOSPC.
 * The kernel's programs build the same bytes (bpf/reply.bpf.h).
 */
int reply__build(uint8_t *msg, size_t size, const struct dns_query *query,
		 const struct answer *answer, const struct reply_options *opts);
/*
 * The reply to a query that dns_query__parse() refused with @rcode: a 12-byte header; for BADVERS
 * and REFUSED with the question and, for a client that sent one, OPT. Returns the length, -ENOSPC,
 * or -EINVAL for a query without a header.
 */
int reply__refuse(uint8_t *msg, size_t size, const uint8_t *query, size_t query_len,
		  uint16_t rcode);

#endif /* NODENS_ANSWER_H */
