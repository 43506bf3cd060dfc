/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Queries: those of clients taken apart, those for upstreams put together.
 *
 * Contract: pure; what is refused and how is CoreDNS' behaviour, so that a client sees no change.
 */
#include <string.h>
#include <errno.h>

#include "dns/msg.h"

#define OPT_SIZE 11 /* root, type, class, TTL, RDLEN (RFC 6891, 6.1.2) */
#define OPT_DO	 0x8000

/* Records that a query may have, as CoreDNS' accepts them: IXFR's SOA, OPT and TSIG. */
#define MAX_ANCOUNT 1
#define MAX_NSCOUNT 1
#define MAX_ARCOUNT 2

/* Options must fill the rdata exactly; none of them is of interest. */
static bool options_valid(const uint8_t *rdata, size_t len)
{
	struct dns_cursor cur;

	dns_cursor__init(&cur, rdata, len);
	while (!cur.error && cur.at < len) {
		dns_cursor__u16(&cur);
		cur.at += dns_cursor__u16(&cur);
	}
	return !cur.error && cur.at == len;
}

static bool read_opt(const uint8_t *msg, const struct dns_rr *rr, struct dns_query *query)
{
	if (query->edns || rr->section != DNS_ADDITIONAL || rr->owner.len != 1)
		return false;
	if (!options_valid(msg + rr->rdata_at, rr->rdata_len))
		return false;
	query->edns = true;
	query->edns_size = rr->class;
	query->edns_version = rr->ttl_s >> 16 & 0xff;
	query->edns_do = rr->ttl_s & OPT_DO;
	if (query->edns_do)
		query->key_flags |= NODENS_KEY_DO;
	return true;
}

static bool read_sections(struct dns_cursor *cur, const uint16_t count[DNS_SECTIONS],
			  struct dns_query *query)
{
	struct dns_rr rr;

	/* Never compressed: there is nothing before it that the cursor lets a pointer lead to. */
	dns_cursor__name(cur, &query->qname);
	query->qtype = dns_cursor__u16(cur);
	query->qclass = dns_cursor__u16(cur);
	if (cur->error)
		return false;
	for (int section = 0; section < DNS_SECTIONS; section++) {
		for (int i = 0; i < count[section]; i++) {
			dns_cursor__rr(cur, &rr);
			rr.section = section;
			if (cur->error)
				return false;
			if (rr.type == DNS_TYPE_OPT && !read_opt(cur->msg, &rr, query))
				return false;
		}
	}
	return true;
}

enum dns_verdict dns_query__parse(const uint8_t *msg, size_t len, struct dns_query *query,
				  uint16_t *rcode)
{
	struct dns_query q = { .edns = false };
	uint16_t count[DNS_SECTIONS], qdcount;
	struct dns_cursor cur;

	dns_cursor__init(&cur, msg, len);
	q.id = dns_cursor__u16(&cur);
	q.flags = dns_cursor__u16(&cur);
	qdcount = dns_cursor__u16(&cur);
	for (int i = 0; i < DNS_SECTIONS; i++)
		count[i] = dns_cursor__u16(&cur);
	if (cur.error || q.flags & DNS_QR)
		return DNS_SILENCE;

	if (q.flags & DNS_OPCODE) {
		*rcode = DNS_NOTIMP;
		return DNS_REFUSE;
	}
	if (q.flags & DNS_CD)
		q.key_flags |= NODENS_KEY_CD;
	*rcode = DNS_FORMERR;
	if (qdcount != 1 || count[DNS_ANSWER_SECTION] > MAX_ANCOUNT ||
	    count[DNS_AUTHORITY] > MAX_NSCOUNT || count[DNS_ADDITIONAL] > MAX_ARCOUNT ||
	    !read_sections(&cur, count, &q))
		return DNS_REFUSE;

	*query = q;
	*rcode = DNS_NOERROR;
	if (q.edns && q.edns_version)
		*rcode = DNS_BADVERS;
	else if (q.qclass != DNS_CLASS_IN)
		*rcode = DNS_REFUSED;
	return *rcode ? DNS_REFUSE : DNS_ANSWER;
}

static uint8_t *put_u16(uint8_t *p, uint16_t value)
{
	*p++ = value >> 8;
	*p++ = value & 0xff;
	return p;
}

int dns_query__build(uint8_t *msg, size_t size, uint16_t id, const struct dns_name *qname,
		     uint16_t qtype, uint8_t key_flags, uint16_t edns_size)
{
	uint8_t *p = msg;

	if (size < DNS_HEADER + qname->len + 4u + (edns_size ? OPT_SIZE : 0))
		return -ENOSPC;
	p = put_u16(p, id);
	p = put_u16(p, DNS_RD | DNS_AD | (key_flags & NODENS_KEY_CD ? DNS_CD : 0));
	p = put_u16(p, 1);
	p = put_u16(p, 0);
	p = put_u16(p, 0);
	p = put_u16(p, edns_size ? 1 : 0);
	memcpy(p, qname->wire, qname->len);
	p += qname->len;
	p = put_u16(p, qtype);
	p = put_u16(p, DNS_CLASS_IN);
	if (edns_size) {
		*p++ = 0;
		p = put_u16(p, DNS_TYPE_OPT);
		p = put_u16(p, edns_size);
		p = put_u16(p, 0);
		p = put_u16(p, key_flags & NODENS_KEY_DO ? OPT_DO : 0);
		p = put_u16(p, 0);
	}
	return p - msg;
}

size_t dns_query__rebuild(const struct dns_query *query, uint8_t *msg)
{
	/* 12 octets, 255 of a name, 4 and 11 always fit */
	int len = dns_query__build(msg, DNS_MIN_UDP, query->id, &query->qname, query->qtype,
				   query->key_flags, query->edns_size);

	put_u16(msg + 2, query->flags);
	return len;
}

int dns_query__add_options(uint8_t *msg, size_t size, size_t len, const uint8_t *options,
			   size_t options_len)
{
	if (!options_len || !msg[11]) /* ARCOUNT: OPT is the last record, and empty */
		return len;
	if (len + options_len > size)
		return -ENOSPC;
	memcpy(msg + len, options, options_len);
	put_u16(msg + len - 2, options_len);
	return len + options_len;
}
