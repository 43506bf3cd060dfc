/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Replies, refusals, slots and the hash at their edges; what hostile answers cost.
 *
 * Contract: bytes are compared with bytes written out here, or read by ldns.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "dns/answer.h"
#include "wire.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RESPONSE     (DNS_QR | DNS_RD | DNS_RA)

static struct answer *decode(const uint8_t *msg, size_t len, const char *qname, uint16_t qtype)
{
	struct dns_name name = wire__name(qname);
	enum verdict verdict;
	struct answer *answer = NULL;

	assert_int_equal(answer__decode(msg, len, &name, qtype, 0, &verdict, &answer), 0);
	assert_true(verdict == VERDICT_POSITIVE || verdict == VERDICT_NEGATIVE);
	return answer;
}

static struct answer *answer_of(const char *qname, uint16_t qtype, uint16_t flags,
				const char *records)
{
	struct wire_message m = { 1, flags, qname, qtype, { records } };
	static uint8_t msg[DNS_MAX_MSG];

	return decode(msg, wire__build(msg, &m), qname, qtype);
}

static struct dns_query query_for(const char *qname, uint16_t qtype, uint16_t flags)
{
	return (struct dns_query){ .id = 0xabcd,
				   .flags = flags,
				   .qname = wire__name(qname),
				   .qtype = qtype,
				   .qclass = DNS_CLASS_IN };
}

/* Every octet of a reply, once. */
static void test_octets(void **state)
{
	static const char want[] = "\xab\xcd\x85\x80\0\1\0\2\0\0\0\1"
				   "\2Ab\1c\0\0\1\0\1"
				   "\xc0\x0c\0\1\0\1\1\2\3\4\0\4\xc0\0\2\2"
				   "\xc0\x0c\0\1\0\1\1\2\3\4\0\4\xc0\0\2\1"
				   "\0\0\x29\4\xd0\0\0\x80\0\0\0";
	struct answer *answer = answer_of("ab.c.", 1, RESPONSE | DNS_AD,
					  "ab.c. 5 IN A 192.0.2.1\nab.c. 6 IN A 192.0.2.2");
	struct dns_query query = query_for("Ab.c.", 1, DNS_RD);
	struct reply_options opts = { .limit = 512, .ttl_s = 0x01020304, .rotate = 3 };
	uint8_t msg[512];
	int len = sizeof(want) - 1;

	(void)state;
	query.edns = true;
	query.edns_do = true;
	assert_int_equal(reply__build(msg, sizeof(msg), &query, answer, &opts), len);
	assert_int_equal(msg[3], 0xa0); /* DO asks for AD as well */
	msg[3] = 0x80;
	assert_memory_equal(msg, want, len);
	assert_int_equal(reply__build(msg, len - 1, &query, answer, &opts), -ENOSPC);
	answer__free(answer);
}

static void test_flags(void **state)
{
	static const struct {
		uint16_t stored, asked;
		bool edns_do;
		uint16_t want;
	} cases[] = {
		{ DNS_RA, 0, false, DNS_AA | DNS_RA },
		{ DNS_RA, DNS_RD | DNS_CD, false, DNS_AA | DNS_RA | DNS_RD | DNS_CD },
		{ 0, DNS_RD, false, DNS_AA | DNS_RD },
		{ DNS_RA, DNS_AD, false, DNS_AA | DNS_RA },
		{ DNS_RA | DNS_AD, 0, false, DNS_AA | DNS_RA },
		{ DNS_RA | DNS_AD, DNS_AD, false, DNS_AA | DNS_RA | DNS_AD },
		{ DNS_RA | DNS_AD, 0, true, DNS_AA | DNS_RA | DNS_AD },
		/* What a client has no business to set. */
		{ DNS_RA, DNS_TC | DNS_AA | DNS_RA | DNS_RCODE | 0x40, false, DNS_AA | DNS_RA },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer *answer =
			answer_of("a.", 1, DNS_QR | cases[i].stored, "a. 5 IN A 192.0.2.1");
		struct dns_query query = query_for("a.", 1, cases[i].asked);
		struct reply_options opts = { .limit = 512 };
		uint8_t msg[512];

		query.edns = query.edns_do = cases[i].edns_do;
		assert_true(reply__build(msg, sizeof(msg), &query, answer, &opts) > 0);
		assert_int_equal(msg[2] << 8 | msg[3], DNS_QR | cases[i].want);
		answer__free(answer);
	}
}

static void test_limit(void **state)
{
	struct answer *answer = answer_of("a.", 1, RESPONSE, "a. 5 IN A 192.0.2.1");
	struct dns_query query = query_for("A.", 1, DNS_RD);
	struct reply_options opts = { .rotate = 0 };
	uint8_t msg[512];

	(void)state;
	for (int edns = 0; edns < 2; edns++) {
		size_t size = answer__size(answer, edns);

		query.edns = edns;
		opts.limit = size;
		assert_int_equal(reply__build(msg, sizeof(msg), &query, answer, &opts), size);
		assert_int_equal(msg[2] & 2, 0);
		opts.limit = size - 1;
		assert_int_equal(reply__build(msg, size - 16, &query, answer, &opts), size - 16);
		assert_int_equal(msg[2] & 2, 2);
		assert_int_equal(reply__build(msg, size - 17, &query, answer, &opts), -ENOSPC);
		assert_memory_equal(msg + 6, edns ? "\0\0\0\0\0\1" : "\0\0\0\0\0\0", 6);
		assert_memory_equal(msg + DNS_HEADER, "\1A\0\0\1\0\1", 7);
	}
	answer__free(answer);
}

static void test_empty(void **state)
{
	struct dns_name name = wire__name("Ab.");
	struct answer *answer = answer__empty(&name, 28, NODENS_KEY_CD, DNS_SERVFAIL);
	struct dns_query query = query_for("Ab.", 28, DNS_RD);
	struct reply_options opts = { .limit = 512 };
	uint8_t msg[512];

	(void)state;
	assert_memory_equal(answer->qname.wire, "\2ab", 4);
	assert_int_equal(answer->key_flags, NODENS_KEY_CD);
	assert_int_equal(reply__build(msg, sizeof(msg), &query, answer, &opts), 20);
	assert_memory_equal(msg, "\xab\xcd\x81\x82\0\1\0\0\0\0\0\0\2Ab\0\0\x1c\0\1", 20);
	assert_int_equal(answer__slot_size(answer), 72);
	answer__free(answer);
	answer__free(NULL);
}

#define BYTES(text) text, sizeof(text) - 1

static void test_refuse(void **state)
{
	static const struct {
		const char *query;
		size_t query_len;
		uint16_t rcode;
		const char *want;
		size_t want_len;
	} cases[] = {
		{ BYTES("\1\2\1\0\0\2\0\0\0\0\0\0"), DNS_FORMERR,
		  BYTES("\1\2\x81\1\0\0\0\0\0\0\0\0") },
		{ BYTES("\1\2\x28\0\0\1\0\0\0\0\0\0\0\0\6\0\1"), DNS_NOTIMP,
		  BYTES("\1\2\xa8\4\0\0\0\0\0\0\0\0") },
		{ BYTES("\1\2\1\x10\0\1\0\0\0\0\0\0\1A\0\0\x10\0\3"), DNS_REFUSED,
		  BYTES("\1\2\x81\x15\0\1\0\0\0\0\0\0\1A\0\0\x10\0\3") },
		{ BYTES("\1\2\1\0\0\1\0\0\0\0\0\1\1A\0\0\1\0\1\0\0\x29\2\0\0\1\x80\0\0\0"),
		  DNS_BADVERS,
		  BYTES("\1\2\x81\0\0\1\0\0\0\0\0\1\1A\0\0\1\0\1\0\0\x29\4\xd0\1\0\x80\0\0\0") },
		/* Nothing to show a question of. */
		{ BYTES("\1\2\1\0\0\1\0\0\0\0\0\0\1"), DNS_REFUSED,
		  BYTES("\1\2\x81\5\0\0\0\0\0\0\0\0") },
	};
	uint8_t msg[512];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const uint8_t *query = (const uint8_t *)cases[i].query;

		assert_int_equal(
			reply__refuse(msg, sizeof(msg), query, cases[i].query_len, cases[i].rcode),
			cases[i].want_len);
		assert_memory_equal(msg, cases[i].want, cases[i].want_len);
		assert_int_equal(reply__refuse(msg, cases[i].want_len - 1, query,
					       cases[i].query_len, cases[i].rcode),
				 -ENOSPC);
	}
	assert_int_equal(reply__refuse(msg, sizeof(msg), msg, 11, DNS_FORMERR), -EINVAL);
}

/* n addresses at "a.": n * 16 octets. */
static struct answer *addresses(unsigned int n)
{
	char *text = malloc(n * 40 + 1), *p = text;
	struct answer *answer;

	for (unsigned int i = 0; i < n; i++)
		p += sprintf(p, "a. 5 IN A 10.0.%u.%u\n", i / 256, i % 256);
	answer = answer_of("a.", 1, RESPONSE, text);
	free(text);
	return answer;
}

static void test_slot_limits(void **state)
{
	static const struct {
		unsigned int n;
		size_t size; /* 0: no slot */
		unsigned int rotating;
	} cases[] = {
		{ 1, 72 + 16 + 2, 0 },
		{ 2, 72 + 32 + 4, 2 },
		/* 12 + 3 + 4 + 11 and 16 a record: 30 records fit everybody, 31 do not */
		{ 30, 72 + 30 * 18, 30 },
		{ 31, 72 + 31 * 24 + 14, 31 },
		{ 75, 72 + 75 * 24 + 14, 75 }, /* 1,200 octets of records */
		{ 76, 0, 0 },
	};
	static union {
		struct nodens_slot slot;
		uint8_t octets[NODENS_SIZE_LARGEST];
	} u;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer *answer = addresses(cases[i].n), *back;

		assert_int_equal(answer->rot_count, cases[i].n > 1 ? cases[i].n : 0);
		assert_int_equal(answer__slot_size(answer), cases[i].size);
		if (cases[i].size) {
			memset(&u, 0, sizeof(u));
			answer__to_slot(answer, &u.slot);
			assert_int_equal(u.slot.rot_count, cases[i].rotating);
			assert_int_equal(u.slot.ancount, htons(cases[i].n));
			back = answer__from_slot(&u.slot);
			assert_int_equal(back->rot_count, cases[i].rotating);
			answer__free(back);
		}
		answer__free(answer);
	}
}

/* More records than a slot may have, few octets each. */
static void test_slot_records(void **state)
{
	(void)state;
	for (unsigned int n = NODENS_MAX_RR; n <= NODENS_MAX_RR + 1; n++) {
		char text[8192], *p = text;
		struct answer *answer;

		for (unsigned int i = 0; i < n; i++)
			p += sprintf(p, ". 5 IN TYPE999 \\# 1 %02x\n", i);
		answer = answer_of(".", 999, RESPONSE, text);
		assert_int_equal(answer->n_ttl, n);
		assert_int_equal(answer__slot_size(answer) != 0, n == NODENS_MAX_RR);
		answer__free(answer);
	}
}

/* A slot that lies is not followed. */
static void test_slot_hostile(void **state)
{
	uint8_t *msg;
	struct answer *answer = addresses(3);
	size_t size = answer__slot_size(answer), accepted = 0;
	union {
		struct nodens_slot slot;
		uint8_t octets[NODENS_SIZE_LARGEST];
	} good, bad;
	struct reply_options opts = { .limit = DNS_MAX_MSG, .rotate = 1 };
	struct dns_query query = query_for("a.", 1, 0);

	(void)state;
	memset(&good, 0, sizeof(good));
	answer__to_slot(answer, &good.slot);
	for (size_t at = 0; at < size; at++) {
		for (int value = 0; value < 256; value++) {
			struct answer *back;

			bad = good;
			bad.octets[at] = value;
			if (!answer__slot_valid(&bad.slot, sizeof(bad)))
				continue;
			accepted++;
			back = answer__from_slot(&bad.slot);
			assert_non_null(back);
			msg = malloc(answer__size(back, false));
			query.qname = back->qname;
			assert_true(reply__build(msg, answer__size(back, false), &query, back,
						 &opts) > 0);
			free(msg);
			answer__free(back);
		}
	}
	assert_true(accepted > size);
	memset(&bad, 0, sizeof(bad));
	assert_false(answer__slot_valid(&bad.slot, sizeof(bad)));
	assert_null(answer__from_slot(&bad.slot));
	answer__free(answer);
}

/* Computed by another program from the definition in nodens_abi.h. */
static void test_hash(void **state)
{
	uint64_t key[NODENS_HASH_WORDS];
	struct dns_name name;
	char text[260];

	(void)state;
	for (int i = 0; i < NODENS_HASH_WORDS; i++)
		key[i] = 0x9e3779b97f4a7c15ull * (i + 1);
	name = wire__name(".");
	assert_true(question__hash(key, &name, 2, 0) == 0x185d8b1a4b83710f);
	name = wire__name("www.example.com.");
	assert_true(question__hash(key, &name, 1, 0) == 0xf2067bf0f5516291);
	assert_true(question__hash(key, &name, 28, 3) == 0x5fc4ce09b22d7a3a);
	memset(name.wire + name.len, 0xff, sizeof(name.wire) - name.len);
	assert_true(question__hash(key, &name, 1, 0) == 0xf2067bf0f5516291);
	memset(text, 'x', sizeof(text));
	memset(text + 192, 'y', 61);
	text[63] = text[127] = text[191] = '.';
	text[253] = '\0';
	name = wire__name(text);
	assert_int_equal(name.len, 255);
	assert_true(question__hash(key, &name, 33, 1) == 0x87b45bf666fb2b7e);
}

/*
 * The case of the question is the client's alone: names in rdata that upstream wrote as pointers
 * into it are kept in lower case, others as they are.
 */
static void test_case(void **state)
{
	static const char msg[] = "\0\1\x81\x80\0\1\0\2\0\0\0\0\1A\1B\0\0\x05\0\1"
				  "\xc0\x0c\0\5\0\1\0\0\0\1\0\4\1X\xc0\x0e";
	static const char whole[] = "\0\1\x81\x80\0\1\0\1\0\0\0\0\1a\1b\0\0\x05\0\1"
				    "\xc0\x0c\0\5\0\1\0\0\0\1\0\5\1X\1B\0";
	struct reply_options opts = { .limit = 512 };
	struct dns_query query = query_for("a.b.", 5, 0);
	uint8_t octets[sizeof(msg) - 1], out[512];
	struct answer *answer;

	(void)state;
	memcpy(octets, msg, sizeof(octets));
	octets[7] = 1;
	answer = decode(octets, sizeof(octets), "A.b.", 5);
	assert_int_equal(reply__build(out, sizeof(out), &query, answer, &opts), sizeof(octets));
	assert_memory_equal(out + DNS_HEADER, "\1a\1b", 5);
	assert_memory_equal(out + sizeof(octets) - 4, "\1X\xc0\x0e", 4);
	answer__free(answer);

	answer = decode((uint8_t *)whole, sizeof(whole) - 1, "a.b.", 5);
	assert_int_equal(reply__build(out, sizeof(out), &query, answer, &opts), sizeof(whole) - 1);
	assert_memory_equal(out + sizeof(whole) - 1 - 5, "\1X\1B", 5);
	answer__free(answer);
}

/* Owners, and rdata of RFC 1035's types, are compressed; other rdata is not, nor pointed to. */
static void test_compression(void **state)
{
	static const struct {
		uint16_t type;
		const char *records;
		size_t blob_len;
	} cases[] = {
		{ 5, "a.b. 5 IN CNAME c.b.", 12 + 4 },
		{ 15, "a.b. 5 IN MX 1 c.d.b.\na.b. 5 IN MX 2 e.c.d.b.", 12 + 2 + 6 + 12 + 2 + 4 },
		{ 33, "a.b. 5 IN SRV 1 2 3 c.b.\na.b. 5 IN SRV 1 2 3 c.b.", 2 * (12 + 6 + 5) },
		{ 39, "a.b. 5 IN DNAME a.b.", 12 + 5 },
		{ 65, "a.b. 5 IN HTTPS 1 a.b.", 12 + 2 + 5 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct answer *answer =
			answer_of("a.b.", cases[i].type, RESPONSE, cases[i].records);

		assert_int_equal(answer->blob_len, cases[i].blob_len);
		answer__free(answer);
	}
}

/* The root has no pointer: its records are not of the size that rotates. */
static void test_root(void **state)
{
	struct answer *answer =
		answer_of(".", 1, RESPONSE, ". 5 IN A 192.0.2.1\n. 5 IN A 192.0.2.2");

	(void)state;
	assert_int_equal(answer->blob_len, 30);
	assert_int_equal(answer->rot_count, 0);
	answer__free(answer);
}

#define LONG_LABELS 120

static uint8_t *put_u16(uint8_t *p, uint16_t value)
{
	*p++ = value >> 8;
	*p++ = value & 0xff;
	return p;
}

/* 120 labels; the last ones differ in case by @variant. */
static uint8_t *put_long_name(uint8_t *p, unsigned int variant)
{
	for (int i = 0; i < LONG_LABELS; i++) {
		*p++ = 1;
		*p++ = LONG_LABELS - i <= 8 && variant >> (LONG_LABELS - i - 1) & 1 ? 'A' : 'a';
	}
	*p++ = 0;
	return p;
}

enum hostility {
	SAME_NAME, /* every name a pointer to one of 241 octets */
	SUFFIXES,  /* to ends of it */
	ALIASES,   /* the same, as CNAMEs in the answer */
	CASES,	   /* to names like it but for the case at their end */
	POINTERS,  /* to pointers to pointers */
	HOSTILITIES
};

/* As many records as fit whose names cost as much as can be. */
static size_t hostile(uint8_t *msg, enum hostility kind)
{
	uint16_t type = kind == ALIASES ? 5 : 2, variant_at[16], n = 0, last = DNS_HEADER;
	uint8_t *p;

	memset(msg, 0, DNS_MAX_MSG);
	msg[2] = 0x81;
	msg[5] = 1;
	p = put_long_name(msg + DNS_HEADER, 0);
	p = put_u16(put_u16(p, type), 1);
	for (; n < ANSWER_MAX_RR && p - msg + 300 < DNS_MAX_MSG; n++) {
		uint16_t to = DNS_HEADER + (kind == SUFFIXES ? 2 * (n % 100) : 0), at = p - msg;

		p = put_u16(p, 0xc000 | (kind == POINTERS && n % 50 ? last : to));
		p = put_u16(put_u16(p, type), 1);
		p += 4;
		if (kind == CASES && n < 16) {
			p = put_u16(p, 2 * LONG_LABELS + 1);
			variant_at[n] = p - msg;
			p = put_long_name(p, n + 1);
			continue;
		}
		p = put_u16(p, 2);
		last = p - msg;
		if (kind == CASES)
			to = variant_at[8 + n % 8];
		else if (kind == POINTERS)
			to = at;
		p = put_u16(p, 0xc000 | to);
		if (last >= 0x3f00)
			last = DNS_HEADER;
		if (kind == POINTERS && at >= 0x3f00)
			put_u16(p - 2, 0xc000 | DNS_HEADER);
	}
	put_u16(msg + (kind == ALIASES ? 6 : 8), n);
	return p - msg;
}

static void test_cost(void **state)
{
	static uint8_t msg[DNS_MAX_MSG];

	(void)state;
	for (int kind = 0; kind < HOSTILITIES; kind++) {
		size_t len = hostile(msg, kind);
		struct dns_name name = { .len = 2 * LONG_LABELS + 1 };
		struct answer *answer = NULL;
		enum verdict verdict = VERDICT_DROP;
		clock_t start = clock();
		double seconds;
		int err;

		memcpy(name.wire, msg + DNS_HEADER, name.len);
		err = answer__decode(msg, len, &name, kind == ALIASES ? 5 : 2, 0, &verdict,
				     &answer);
		seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
		print_message(
			"    hostile message %d: %zu octets, %.1f ms (error %d, verdict %d)\n",
			kind, len, seconds * 1e3, err, verdict);
		assert_true(seconds < 2); /* sanitizers and slow machines included */
		answer__free(answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_octets),	     cmocka_unit_test(test_flags),
		cmocka_unit_test(test_limit),	     cmocka_unit_test(test_empty),
		cmocka_unit_test(test_refuse),	     cmocka_unit_test(test_slot_limits),
		cmocka_unit_test(test_slot_records), cmocka_unit_test(test_slot_hostile),
		cmocka_unit_test(test_hash),	     cmocka_unit_test(test_case),
		cmocka_unit_test(test_compression),  cmocka_unit_test(test_root),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
