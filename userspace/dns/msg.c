/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The cursor over a DNS message: numbers, names and records out of untrusted bytes.
 *
 * Contract: no read outside of the message, whatever it says; work per name is bounded by the
 * longest name and MAX_POINTERS, and that of all names by the message's length.
 */
#include <errno.h>
#include <string.h>

#include "dns/msg.h"

/*
 * A name has at most 127 labels, so no encoder has a use for more pointers than that; without a
 * bound a message of pointers to pointers would cost its length for every name.
 */
#define MAX_POINTERS 127

/*
 * Labels and pointers of all names together: two for each octet, and some. A record has 12 octets
 * at least; its names are read in ten steps or so, those below ip6.arpa in 36.
 */
#define STEPS(len) (4096 + 2 * (len))

#define QDCOUNT_AT 4

#define LABEL_KIND    0xc0 /* RFC 1035, 4.1.4 */
#define LABEL_POINTER 0xc0

void dns_cursor__init(struct dns_cursor *cur, const uint8_t *msg, size_t len)
{
	cur->msg = msg;
	cur->len = len;
	cur->at = 0;
	cur->steps = STEPS(len);
	cur->error = len > DNS_MAX_MSG ? -EBADMSG : 0;
}

static bool has(struct dns_cursor *cur, size_t len)
{
	if (!cur->error && (cur->at > cur->len || cur->len - cur->at < len))
		cur->error = -EBADMSG;
	return !cur->error;
}

uint16_t dns_cursor__u16(struct dns_cursor *cur)
{
	const uint8_t *p = cur->msg + cur->at;

	if (!has(cur, 2))
		return 0;
	cur->at += 2;
	return p[0] << 8 | p[1];
}

uint32_t dns_cursor__u32(struct dns_cursor *cur)
{
	uint32_t high = dns_cursor__u16(cur);

	return high << 16 | dns_cursor__u16(cur);
}

/*
 * The name at the cursor into @name; *end is where its bytes end. Each pointer must lead to before
 * the run of labels that it ends, so that no byte is read twice, and not into the header.
 */
static int read_name(struct dns_cursor *cur, struct dns_name *name, size_t *end)
{
	const uint8_t *msg = cur->msg;
	size_t len = cur->len, at = cur->at, n = 0, run = at;
	unsigned int pointers = 0;
	bool jumped = false;

	for (;;) {
		uint8_t label;

		if (at >= len || !cur->steps)
			return -EBADMSG;
		cur->steps--;
		label = msg[at];
		if ((label & LABEL_KIND) == LABEL_POINTER) {
			size_t to;

			if (at + 2 > len || ++pointers > MAX_POINTERS)
				return -EBADMSG;
			to = (label & ~LABEL_KIND) << 8 | msg[at + 1];
			if (to >= run || to < DNS_HEADER)
				return -EBADMSG;
			if (!jumped)
				*end = at + 2;
			jumped = true;
			at = run = to;
			continue;
		}
		if (label & LABEL_KIND)
			return -EBADMSG;
		if (label + 1u > len - at || n + label + 1 > DNS_MAX_NAME)
			return -EBADMSG;
		memcpy(name->wire + n, msg + at, label + 1);
		n += label + 1;
		at += label + 1;
		if (!label)
			break;
	}
	name->len = n;
	if (!jumped)
		*end = at;
	return 0;
}

void dns_cursor__name(struct dns_cursor *cur, struct dns_name *name)
{
	size_t end = 0;

	if (!has(cur, 1))
		return;
	cur->error = read_name(cur, name, &end);
	if (!cur->error)
		cur->at = end;
}

void dns_cursor__records(struct dns_cursor *cur, const uint8_t *msg, size_t len)
{
	struct dns_name qname;
	uint16_t questions;

	dns_cursor__init(cur, msg, len);
	cur->at = QDCOUNT_AT;
	questions = dns_cursor__u16(cur);
	cur->at = DNS_HEADER;
	if (questions > 1)
		cur->error = -EBADMSG;
	if (questions) {
		dns_cursor__name(cur, &qname);
		dns_cursor__u32(cur); /* type, class */
	}
}

void dns_cursor__rr(struct dns_cursor *cur, struct dns_rr *rr)
{
	dns_cursor__name(cur, &rr->owner);
	dns_cursor__rr_fields(cur, rr);
}

void dns_cursor__rr_fields(struct dns_cursor *cur, struct dns_rr *rr)
{
	rr->type = dns_cursor__u16(cur);
	rr->class = dns_cursor__u16(cur);
	rr->ttl_s = dns_cursor__u32(cur);
	rr->rdata_len = dns_cursor__u16(cur);
	if (!has(cur, rr->rdata_len))
		return;
	rr->rdata_at = cur->at;
	cur->at += rr->rdata_len;
}
