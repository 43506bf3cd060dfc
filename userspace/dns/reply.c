/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Replies to clients, out of an answer and the client's own query.
 *
 * Contract: pure. reply__build() and the kernel's programs make the same bytes of the same slot:
 * change both or neither.
 */
#include <errno.h>
#include <string.h>

#include "dns/answer.h"

#define OPT_SIZE 11 /* RFC 6891, 6.1.2 */
#define OPT_DO	 0x8000

#define EDE_OPTION 15 /* RFC 8914, 2 */
#define EDE_FIXED  6  /* option code, length, INFO-CODE */

static uint8_t *put_u16(uint8_t *p, uint16_t value)
{
	*p++ = value >> 8;
	*p++ = value & 0xff;
	return p;
}

static size_t ede_text_len(const struct ede *ede)
{
	return ede && ede->text ? strnlen(ede->text, EDE_TEXT_MAX) : 0;
}

static size_t ede_size(const struct ede *ede)
{
	return ede ? EDE_FIXED + ede_text_len(ede) : 0;
}

/* No other options: what a client sent is between it and nodens, what an upstream sent is not
 * stored. */
static uint8_t *put_opt(uint8_t *p, const struct dns_query *query, uint16_t rcode,
			const struct ede *ede)
{
	size_t text_len = ede_text_len(ede);

	*p++ = 0;
	p = put_u16(p, DNS_TYPE_OPT);
	p = put_u16(p, NODENS_OPT_SIZE);
	*p++ = rcode >> 4;
	*p++ = 0; /* version */
	p = put_u16(p, query->edns_do ? OPT_DO : 0);
	p = put_u16(p, ede_size(ede));
	if (!ede)
		return p;
	p = put_u16(p, EDE_OPTION);
	p = put_u16(p, sizeof(uint16_t) + text_len);
	p = put_u16(p, ede->code);
	memcpy(p, ede->text ? ede->text : "", text_len);
	return p + text_len;
}

static uint8_t *put_question(uint8_t *p, const struct dns_query *query)
{
	memcpy(p, query->qname.wire, query->qname.len);
	p = put_u16(p + query->qname.len, query->qtype);
	return put_u16(p, query->qclass);
}

static uint16_t reply_flags(const struct dns_query *query, const struct answer *answer)
{
	uint16_t flags = answer->flags | (query->flags & (DNS_RD | DNS_CD));

	if (!query->edns_do && !(query->flags & DNS_AD))
		flags &= ~DNS_AD;
	return flags;
}

/* The rdata of the set moves round under owners, types and TTLs that are all the same. */
static void rotate(uint8_t *blob, const struct answer *answer, const struct answer_part *part,
		   uint32_t by)
{
	size_t size = answer->rot_size, rdata_len = size == 16 ? 4 : 16;
	size_t rdata_at = answer->rot_at + size - rdata_len, n = answer->rot_count;

	for (size_t i = 0; i < part->rotating; i++)
		memcpy(blob + rdata_at + i * size,
		       answer->blob + rdata_at + (i + by % n) % n * size, rdata_len);
}

static uint8_t *put_part(uint8_t *blob, const struct answer *answer, const struct answer_part *part,
			 const struct reply_options *opts)
{
	memcpy(blob, answer->blob, part->len);
	rotate(blob, answer, part, opts->rotate);
	for (unsigned int i = 0; i < part->n_rr; i++) {
		uint8_t *ttl = put_u16(blob + answer->ttl_at[i], opts->ttl_s >> 16);

		put_u16(ttl, opts->ttl_s & 0xffff);
	}
	return blob + part->len;
}

int reply__build(uint8_t *msg, size_t size, const struct dns_query *query,
		 const struct answer *answer, const struct reply_options *opts)
{
	size_t limit = answer->partial && answer->limit < opts->limit ? answer->limit : opts->limit;
	size_t rest = DNS_HEADER + query->qname.len + 4 + (query->edns ? OPT_SIZE : 0);
	const struct ede *ede = query->edns ? opts->ede : NULL;
	uint16_t flags = reply_flags(query, answer);
	struct answer_part part;
	uint8_t *p = msg;

	/* the error's text goes before an answer does */
	if (rest + answer->blob_len + ede_size(ede) > limit)
		ede = NULL;
	rest += ede_size(ede);
	answer__part(answer, limit - rest, &part);
	if (size < rest + part.len)
		return -ENOSPC;
	p = put_u16(p, query->id);
	p = put_u16(p, part.truncated ? flags | DNS_TC : flags);
	p = put_u16(p, 1);
	p = put_u16(p, part.count[DNS_ANSWER_SECTION]);
	p = put_u16(p, part.count[DNS_AUTHORITY]);
	p = put_u16(p, part.count[DNS_ADDITIONAL] + query->edns);
	p = put_question(p, query);
	p = put_part(p, answer, &part, opts);
	if (query->edns)
		p = put_opt(p, query, DNS_NOERROR, ede);
	return p - msg;
}

int reply__refuse(uint8_t *msg, size_t size, const uint8_t *query, size_t query_len, uint16_t rcode)
{
	bool whole = rcode == DNS_BADVERS || rcode == DNS_REFUSED;
	struct dns_query q = { .edns = false };
	uint8_t *p = msg;
	uint16_t flags, unused;

	if (query_len < DNS_HEADER)
		return -EINVAL;
	/* A refusal that shows the question needs a query of which the question could be read. */
	whole = whole && dns_query__parse(query, query_len, &q, &unused) != DNS_SILENCE &&
		q.qname.len;
	if (size < DNS_HEADER + (whole ? q.qname.len + 4u + (q.edns ? OPT_SIZE : 0) : 0))
		return -ENOSPC;
	flags = query[2] << 8 | query[3];
	flags = DNS_QR | (flags & (DNS_OPCODE | DNS_RD | DNS_CD)) | (rcode & DNS_RCODE);
	*p++ = query[0];
	*p++ = query[1];
	p = put_u16(p, flags);
	p = put_u16(p, whole);
	p = put_u16(p, 0);
	p = put_u16(p, 0);
	p = put_u16(p, whole && q.edns);
	if (!whole)
		return p - msg;
	p = put_question(p, &q);
	if (q.edns)
		p = put_opt(p, &q, rcode, NULL);
	return p - msg;
}
