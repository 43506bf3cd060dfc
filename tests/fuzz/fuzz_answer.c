/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Fuzz target: an upstream's bytes through the decoder, a slot and a reply.
 *
 * Contract: the question asked is the one in the message, so that what follows it is reached. What
 * comes out is a message that decodes to itself, and the same from a slot as from the answer.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "dns/answer.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* Pretend that the message answers a query of ours; false if it has no question at all. */
static bool question_of(const uint8_t *msg, size_t len, struct dns_query *query)
{
	struct dns_cursor cur;

	memset(query, 0, sizeof(*query));
	dns_cursor__init(&cur, msg, len);
	cur.at = DNS_HEADER;
	dns_cursor__name(&cur, &query->qname);
	query->qtype = dns_cursor__u16(&cur);
	query->qclass = DNS_CLASS_IN;
	return !cur.error;
}

static void check_sum(const struct answer *answer, const struct nodens_slot *slot)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < answer->blob_len; i++) {
		sum += i % 2 ? answer->blob[i] : answer->blob[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	MUST(ntohs(slot->blob_sum) == sum);
}

static void check_slot(const struct answer *answer, const struct dns_query *query,
		       const struct reply_options *opts)
{
	static uint8_t a[DNS_MAX_MSG], b[DNS_MAX_MSG];
	static union {
		struct nodens_slot slot;
		uint8_t octets[NODENS_SIZE_LARGEST];
	} u;
	size_t size = answer__slot_size(answer);
	struct answer *back;
	int len;

	MUST(size <= sizeof(u));
	memset(&u, 0, sizeof(u));
	answer__to_slot(answer, &u.slot);
	MUST(answer__slot_valid(&u.slot, size) && !answer__slot_valid(&u.slot, size - 1));
	check_sum(answer, &u.slot);
	back = answer__from_slot(&u.slot);
	MUST(back);
	if (back->rot_count == answer->rot_count) {
		len = reply__build(a, sizeof(a), query, answer, opts);
		MUST(reply__build(b, sizeof(b), query, back, opts) == len && !memcmp(a, b, len));
	}
	answer__free(back);
}

static void check_again(const uint8_t *msg, size_t len, const struct dns_query *query,
			enum verdict want, const struct answer *answer)
{
	struct answer *again = NULL;
	enum verdict verdict;

	MUST(!answer__decode(msg, len, &query->qname, query->qtype, 0, &verdict, &again));
	MUST(verdict == want);
	MUST(again->blob_len == answer->blob_len &&
	     !memcmp(again->blob, answer->blob, answer->blob_len));
	MUST(again->rot_count == answer->rot_count && again->flags == answer->flags);
	answer__free(again);
}

/* What is left of a message that lacks something makes a reply, too. */
static void check_salvage(const uint8_t *data, size_t size, const struct dns_query *query)
{
	struct reply_options opts = { .limit = DNS_MAX_MSG };
	static uint8_t msg[DNS_MAX_MSG];
	enum verdict verdict = VERDICT_DROP;
	struct answer *answer = NULL;
	bool at_end = false;

	if (answer__salvage(data, size, &query->qname, query->qtype, 0, &at_end, &verdict,
			    &answer)) {
		MUST(!answer && verdict == VERDICT_DROP);
		return;
	}
	MUST(answer && verdict != VERDICT_DROP && verdict != VERDICT_TRUNCATED);
	MUST(verdict == VERDICT_PASS || at_end);
	MUST(reply__build(msg, sizeof(msg), query, answer, &opts) > 0);
	answer__free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reply_options opts = { .limit = DNS_MAX_MSG };
	static uint8_t msg[DNS_MAX_MSG];
	enum verdict verdict = VERDICT_DROP;
	struct answer *answer = NULL;
	struct dns_query query;
	int len;

	if (!question_of(data, size, &query))
		return 0;
	check_salvage(data, size, &query);
	if (answer__decode(data, size, &query.qname, query.qtype, 0, &verdict, &answer)) {
		MUST(!answer && verdict == VERDICT_DROP);
		return 0;
	}
	if (!answer) {
		MUST(verdict == VERDICT_DROP || verdict == VERDICT_TRUNCATED);
		return 0;
	}
	query.flags = DNS_AD;
	query.edns = data[0] & 1;
	query.edns_do = query.edns && data[0] & 2;
	opts.ttl_s = answer->ttl_s;
	opts.rotate = 0;
	len = reply__build(msg, sizeof(msg), &query, answer, &opts);
	MUST(len == (int)answer__size(answer, query.edns));
	if (verdict == VERDICT_POSITIVE || verdict == VERDICT_NEGATIVE)
		check_again(msg, len, &query, verdict, answer);
	opts.rotate = data[1];
	MUST(reply__build(msg, sizeof(msg), &query, answer, &opts) == len);
	if (answer__slot_size(answer))
		check_slot(answer, &query, &opts);
	answer__free(answer);
	return 0;
}
