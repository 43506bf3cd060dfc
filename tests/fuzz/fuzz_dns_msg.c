/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Fuzz target: a client's bytes through the query parser, the refusal and the cursor.
 *
 * Contract: what is accepted is coherent: names survive the way to text and back, an accepted
 * query built anew parses to the same, a refusal is a response that would meet silence.
 */
#include <stdlib.h>
#include <string.h>

#include "dns/answer.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void check_name(const struct dns_name *name)
{
	struct dns_name back, lower = *name;
	char text[1024];

	MUST(dns_name__to_text(name, text, sizeof(text)) > 0);
	MUST(!dns_name__from_text(&back, text));
	MUST(back.len == name->len && !memcmp(back.wire, name->wire, name->len));
	dns_name__lower(&lower);
	MUST(dns_name__equal(name, &lower) && dns_name__within(name, &lower));
}

static void check_query(const struct dns_query *query)
{
	struct dns_query again;
	uint8_t msg[512];
	uint16_t rcode;
	int len;

	check_name(&query->qname);
	len = dns_query__build(msg, sizeof(msg), query->id, &query->qname, query->qtype,
			       query->key_flags, 1232);
	MUST(len > 0);
	MUST(dns_query__parse(msg, len, &again, &rcode) == DNS_ANSWER);
	MUST(again.id == query->id && again.qtype == query->qtype &&
	     again.key_flags == query->key_flags && again.edns_size == 1232);
	MUST(again.qname.len == query->qname.len &&
	     !memcmp(again.qname.wire, query->qname.wire, query->qname.len));
}

static void check_refusal(const uint8_t *msg, size_t len, uint16_t rcode)
{
	struct dns_query query;
	uint8_t out[512];
	uint16_t again;
	int out_len = reply__refuse(out, sizeof(out), msg, len, rcode);

	MUST(out_len >= DNS_HEADER);
	MUST(!memcmp(out, msg, 2) && (out[3] & 0xf) == (rcode & 0xf));
	MUST(dns_query__parse(out, out_len, &query, &again) == DNS_SILENCE);
	if (rcode != DNS_BADVERS && rcode != DNS_REFUSED)
		MUST(out_len == DNS_HEADER);
}

static void walk(const uint8_t *msg, size_t len)
{
	struct dns_cursor cur;
	struct dns_rr rr;

	dns_cursor__init(&cur, msg, len);
	cur.at = DNS_HEADER;
	while (!cur.error && cur.at < len) {
		size_t before = cur.at;

		dns_cursor__rr(&cur, &rr);
		if (cur.error)
			break;
		MUST(cur.at > before && cur.at <= len && rr.rdata_at + rr.rdata_len == cur.at);
		check_name(&rr.owner);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_query query;
	uint16_t rcode = 0;

	switch (dns_query__parse(data, size, &query, &rcode)) {
	case DNS_ANSWER:
		check_query(&query);
		break;
	case DNS_REFUSE:
		check_refusal(data, size, rcode);
		break;
	case DNS_SILENCE:
		MUST(size < DNS_HEADER || data[2] & 0x80);
	}
	walk(data, size);
	return 0;
}
