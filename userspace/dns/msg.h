/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reading a DNS message (RFC 1035, 4.1): a bounded, sticky cursor over
 * untrusted bytes.
 *
 * Contract: pure. No allocation, no I/O, no clock; any input of any length up
 * to 65,535 bytes yields a value or an error and never a read outside of it.
 */
#ifndef NODENS_DNS_MSG_H
#define NODENS_DNS_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/name.h"

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_NS = 2,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_HINFO = 13,
	DNS_TYPE_MX = 15,
	DNS_TYPE_TXT = 16,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_SRV = 33,
	DNS_TYPE_DNAME = 39,
	DNS_TYPE_OPT = 41,
	DNS_TYPE_DS = 43,
	DNS_TYPE_RRSIG = 46,
	DNS_TYPE_NSEC = 47,
	DNS_TYPE_NSEC3 = 50,
	DNS_TYPE_META_FIRST = 128, /* to META_LAST: Q- and meta-types (RFC 6895, 3.1) */
	DNS_TYPE_TKEY = 249,
	DNS_TYPE_TSIG = 250,
	DNS_TYPE_IXFR = 251,
	DNS_TYPE_AXFR = 252,
	DNS_TYPE_META_LAST = 254,
	DNS_TYPE_ANY = 255,
};

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16,
};

#define DNS_CLASS_IN  1
#define DNS_CLASS_CH  3
#define DNS_CLASS_HS  4
#define DNS_CLASS_ANY 255
#define DNS_HEADER    12
#define DNS_MIN_UDP   512 /* RFC 1035, 4.2.1: every client takes so much */
#define DNS_MAX_MSG   65535

/* Header flags (RFC 1035, 4.1.1; RFC 4035 for AD and CD), host order. */
#define DNS_QR	   0x8000
#define DNS_OPCODE 0x7800
#define DNS_AA	   0x0400
#define DNS_TC	   0x0200
#define DNS_RD	   0x0100
#define DNS_RA	   0x0080
#define DNS_AD	   0x0020
#define DNS_CD	   0x0010
#define DNS_RCODE  0x000f

/* A received query, as far as nodens cares. */
struct dns_query {
	uint16_t id;
	uint16_t flags;		/* host order, as received */
	struct dns_name qname;	/* the client's case */
	uint16_t qtype, qclass; /* host order */
	bool edns;
	bool edns_do;
	uint8_t edns_version;
	uint16_t edns_size; /* as stated; 0 without EDNS */
	uint8_t key_flags;  /* NODENS_KEY_* */
};

/*
 * What to do with bytes that arrived as a query, as CoreDNS does: silence for
 * less than a header or QR=1, an rcode for what it refuses, or a query.
 */
enum dns_verdict {
	DNS_ANSWER, /* query filled in whole */
	DNS_REFUSE, /* answer with *rcode: FORMERR, NOTIMP; BADVERS and REFUSED (a class other
		     * than IN) with query filled in as well */
	DNS_SILENCE,
};

enum dns_verdict dns_query__parse(const uint8_t *msg, size_t len, struct dns_query *query,
				  uint16_t *rcode);

/*
 * Build a query for upstream: ID, RD, CD when key_flags say so, AD (RFC 6840, 5.7: the stored
 * answer's AD then serves clients that ask for it), question with the name as given, OPT with
 * @edns_size (0: no OPT) and DO when key_flags say so. Returns its length, or -ENOSPC.
 */
int dns_query__build(uint8_t *msg, size_t size, uint16_t id, const struct dns_name *qname,
		     uint16_t qtype, uint8_t key_flags, uint16_t edns_size);

/*
 * The query that a client sent, into @msg, of DNS_MIN_UDP octets, as far as the parsed one tells:
 * ID, flags, question, and OPT where edns_size is known, without its options. Its length.
 */
size_t dns_query__rebuild(const struct dns_query *query, uint8_t *msg);

#define DNS_MAX_OPTIONS 512 /* octets: what we put on an upstream's query besides */

/* Options (OPT's rdata) for a query just built, if it has OPT. Returns the new length, -ENOSPC. */
int dns_query__add_options(uint8_t *msg, size_t size, size_t len, const uint8_t *options,
			   size_t options_len);

enum dns_section { DNS_ANSWER_SECTION, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS };

/* One record inside a message; rdata may hold compressed names of the message. */
struct dns_rr {
	struct dns_name owner;
	uint16_t type, class; /* host order */
	uint32_t ttl_s;
	uint32_t rdata_at; /* in the message; of one that is being made there may be more */
	uint16_t rdata_len;
	uint8_t section;
};

/* The cursor; after an error every call fails and the error stays. */
struct dns_cursor {
	const uint8_t *msg;
	size_t len;
	size_t at;
	size_t steps; /* left for labels and pointers of names: work is linear in the message */
	int error;    /* 0 or -EBADMSG */
};

void dns_cursor__init(struct dns_cursor *cur, const uint8_t *msg, size_t len);
/* The same, at the message's first record: behind its question, if it has one; with more it fails.
 */
void dns_cursor__records(struct dns_cursor *cur, const uint8_t *msg, size_t len);
uint16_t dns_cursor__u16(struct dns_cursor *cur);
uint32_t dns_cursor__u32(struct dns_cursor *cur);
/* Follows compression (RFC 1035, 4.1.4): backward pointers only, bounded. */
void dns_cursor__name(struct dns_cursor *cur, struct dns_name *name);
void dns_cursor__rr(struct dns_cursor *cur, struct dns_rr *rr);
/* What follows the owner. */
void dns_cursor__rr_fields(struct dns_cursor *cur, struct dns_rr *rr);

#endif /* NODENS_DNS_MSG_H */
