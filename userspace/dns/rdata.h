/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where the domain names in a record's rdata are.
 *
 * Contract: pure; an iterator over untrusted rdata. Types that are not known have no names
 * (RFC 3597), and their rdata is one run of octets.
 */
#ifndef NODENS_DNS_RDATA_H
#define NODENS_DNS_RDATA_H

#include "dns/msg.h"

struct dns_rdata {
	struct dns_cursor cur;
	size_t end; /* of the rdata, in the message */
	const char *format;
};

struct dns_rdata_part {
	bool is_name;
	bool compress;	  /* a name that may be written compressed (RFC 1035's types) */
	uint32_t at, len; /* in the message, if not a name */
	struct dns_name name;
};

void dns_rdata__init(struct dns_rdata *rdata, const uint8_t *msg, size_t len,
		     const struct dns_rr *rr);
/* 1 and the next part; 0 at the end; -EBADMSG: the rdata is not one of its type. */
int dns_rdata__next(struct dns_rdata *rdata, struct dns_rdata_part *part);

#endif /* NODENS_DNS_RDATA_H */
