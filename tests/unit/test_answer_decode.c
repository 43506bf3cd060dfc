// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Upstreams' messages taken apart: which are no answer to the question, which are malformed, and
 * what is there of one that is cut. What is kept of a sound one: test_scrub.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dns/answer.h"
#include "wire.h"

#define RESPONSE (DNS_QR | DNS_RD | DNS_RA)

/* Messages that are no answer to the question leave everything as it was. */
static void test_not_an_answer(void **state)
{
	static const struct {
		const char *name, *qname;
		uint16_t qtype, flags;
		enum verdict want;
	} cases[] = {
		{ "as asked", "a.test.", 1, RESPONSE, VERDICT_NEGATIVE },
		{ "other case", "A.tESt.", 1, RESPONSE, VERDICT_NEGATIVE },
		{ "a query", "a.test.", 1, DNS_RD, VERDICT_DROP },
		{ "another name", "b.test.", 1, RESPONSE, VERDICT_DROP },
		{ "a longer name", "a.a.test.", 1, RESPONSE, VERDICT_DROP },
		{ "another type", "a.test.", 28, RESPONSE, VERDICT_DROP },
		{ "NOTIFY", "a.test.", 1, RESPONSE | 4 << 11, VERDICT_DROP },
		{ "UPDATE", "a.test.", 1, RESPONSE | 5 << 11, VERDICT_DROP },
		{ "truncated", "a.test.", 1, RESPONSE | DNS_TC, VERDICT_TRUNCATED },
		{ "truncated, another name", "b.test.", 1, RESPONSE | DNS_TC, VERDICT_DROP },
	};
	struct dns_name qname = wire__name("a.test.");
	static uint8_t msg[DNS_MAX_MSG];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire_message m = {
			1, cases[i].flags, cases[i].qname, cases[i].qtype, { 0 }
		};
		enum verdict got = VERDICT_POSITIVE;
		struct answer *answer = (void *)&got;
		size_t len = wire__build(msg, &m);

		print_message("    %s\n", cases[i].name);
		assert_int_equal(answer__decode(msg, len, &qname, 1, 0, &got, &answer), 0);
		assert_int_equal(got, cases[i].want);
		if (got == VERDICT_NEGATIVE)
			answer__free(answer);
		else
			assert_ptr_equal(answer, &got);
	}
}

/* What is there of a message that is cut anywhere, or that promises more than it has. */
static void test_salvage(void **state)
{
	struct wire_message m = { 1,
				  RESPONSE,
				  "a.test.",
				  1,
				  { "a.test. 30 IN A 192.0.2.1\na.test. 30 IN A 192.0.2.2" } };
	struct dns_name qname = wire__name("a.test."), other = wire__name("b.test.");
	size_t question = DNS_HEADER + qname.len + 4;
	static uint8_t msg[DNS_MAX_MSG];
	size_t len = wire__build(msg, &m), rr = (len - question) / 2;

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		struct answer *answer = NULL;
		enum verdict got = VERDICT_DROP;
		bool at_end = false;
		int ret = answer__salvage(msg, cut, &qname, 1, 0, &at_end, &got, &answer);

		if (cut < question || cut == len) { /* whose is it?; nothing is missing */
			assert_int_equal(ret, -EBADMSG);
			assert_null(answer);
			continue;
		}
		assert_int_equal(ret, 0);
		assert_int_equal(got, VERDICT_PASS);
		assert_int_equal(at_end, (cut - question) % rr == 0);
		assert_int_equal(answer->count[0], (cut - question) / rr);
		assert_int_equal(answer->flags & DNS_TC, DNS_TC);
		answer__free(answer);
	}
	/* Any counts; the octets of a name that points to itself are no cut. */
	for (int i = 0; i < 4; i++) {
		struct answer *answer = NULL;
		enum verdict got = VERDICT_DROP;
		bool at_end = false;

		wire__build(msg, &m);
		msg[6 + 2 * (i % 3)] = 0xff;
		if (i == 3)
			msg[question + 1] = question;
		assert_int_equal(answer__salvage(msg, len, &qname, 1, 0, &at_end, &got, &answer),
				 i == 3 ? -EBADMSG : 0);
		if (i == 3)
			continue;
		assert_true(at_end);
		assert_int_equal(got, i == 2 ? VERDICT_POSITIVE : VERDICT_PASS);
		assert_int_equal(answer->flags & DNS_TC, i == 2 ? 0 : DNS_TC);
		answer__free(answer);
		assert_int_equal(answer__salvage(msg, len, &other, 1, 0, &at_end, &got, &answer),
				 -EBADMSG);
	}
}

static void test_header_counts(void **state)
{
	struct wire_message m = { 1, RESPONSE, "a.test.", 1, { "a.test. 30 IN A 192.0.2.1" } };
	struct dns_name qname = wire__name("a.test.");
	enum verdict got = VERDICT_POSITIVE;
	struct answer *answer = NULL;
	static uint8_t msg[DNS_MAX_MSG];
	size_t len = wire__build(msg, &m), question = DNS_HEADER + qname.len + 4;

	(void)state;
	msg[5] = 0; /* QDCOUNT */
	assert_int_equal(answer__decode(msg, len, &qname, 1, 0, &got, &answer), 0);
	assert_int_equal(got, VERDICT_DROP);
	msg[5] = 2;
	assert_int_equal(answer__decode(msg, len, &qname, 1, 0, &got, &answer), 0);
	assert_int_equal(got, VERDICT_DROP);
	msg[5] = 1;
	msg[question - 1] = 3; /* class CH */
	assert_int_equal(answer__decode(msg, len, &qname, 1, 0, &got, &answer), 0);
	assert_int_equal(got, VERDICT_DROP);
	msg[question - 1] = 1;
	msg[6] = 0xff; /* more records than there is room for */
	assert_int_equal(answer__decode(msg, len, &qname, 1, 0, &got, &answer), -EBADMSG);
	msg[6] = 0;
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(answer__decode(msg, cut, &qname, 1, 0, &got, &answer), -EBADMSG);
	assert_null(answer);
	/* Octets behind the last record. */
	assert_int_equal(answer__decode(msg, len + 5, &qname, 1, 0, &got, &answer), 0);
	assert_int_equal(got, VERDICT_POSITIVE);
	answer__free(answer);
}

/* Rdata that is not what its type says makes the whole message malformed. */
static void test_rdata(void **state)
{
	static const struct {
		uint16_t type;
		size_t len;
		const char *rdata;
		int want;
	} cases[] = {
		{ 1, 4, "\1\2\3\4", 0 },
		{ 1, 3, "\1\2\3\4", -EBADMSG },
		{ 1, 5, "\1\2\3\4\5", -EBADMSG },
		{ 1, 0, "", -EBADMSG },
		{ 28, 15, "123456789012345", -EBADMSG },
		{ 2, 2, "\300\14", 0 },
		{ 2, 3, "\1x\0", 0 },
		{ 2, 4, "\1x\0\0", -EBADMSG },
		{ 2, 2, "\1x\0", -EBADMSG }, /* a name that goes on behind its rdata */
		{ 2, 1, "\300\14", -EBADMSG },
		{ 2, 0, "", -EBADMSG },
		{ 15, 3, "\0\1\0", 0 },
		{ 15, 2, "\0\1", -EBADMSG },
		{ 6, 22,
		  "\0\0"
		  "12345678901234567890",
		  0 },
		{ 6, 21,
		  "\0\0"
		  "1234567890123456789",
		  -EBADMSG },
		{ 33, 6, "123456", -EBADMSG },
		{ 33, 7, "123456\0", 0 },
		{ 35, 8, "1234\0\0\0\0", 0 },
		{ 35, 9, "1234\0\1x\0\0", 0 },
		{ 35, 7, "1234\0\0\0", -EBADMSG },
		{ 35, 6, "1234\0\377", -EBADMSG },
		{ 35, 4, "1234", -EBADMSG },
		{ 46, 19, "123456789012345678\0", 0 },
		{ 46, 18, "123456789012345678", -EBADMSG },
		{ 65, 3, "\0\1\0", 0 },
		{ 65, 2, "\0\1", -EBADMSG },
		{ 16, 0, "", 0 }, /* not looked into */
		{ 999, 0, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire_message m = { 1, RESPONSE, "a.test.", cases[i].type, { 0 } };
		struct dns_name qname = wire__name("a.test.");
		enum verdict got = VERDICT_DROP;
		struct answer *answer = NULL;
		static uint8_t msg[DNS_MAX_MSG];
		uint8_t *p = msg + wire__build(msg, &m), *copy;
		int err;

		msg[7] = 1;
		memcpy(p, "\300\14\0\0\0\1\0\0\0\1\0", 11);
		p[3] = cases[i].type & 0xff;
		p[2] = cases[i].type >> 8;
		p[11] = cases[i].len;
		memcpy(p + 12, cases[i].rdata, cases[i].len);
		p += 12 + cases[i].len;
		copy = malloc(p - msg); /* of that very size, for the sanitizer */
		memcpy(copy, msg, p - msg);
		err = answer__decode(copy, p - msg, &qname, cases[i].type, 0, &got, &answer);
		if (err != cases[i].want)
			fail_msg("type %d, %zu octets: %d", cases[i].type, cases[i].len, err);
		answer__free(answer);
		free(copy);
	}
}

/* Records about the transport never reach a client; an extended rcode is no NOERROR. */
static void test_opt(void **state)
{
	struct wire_message m = { 1, RESPONSE, "a.test.", 1, { "a.test. 30 IN A 192.0.2.1" } };
	static const uint8_t opt[] = { 0, 0, 41, 4, 0xd0, 0, 0, 0x80, 0, 0,
				       8, 0, 10, 0, 4,	  1, 2, 3,    4 };
	struct dns_name qname = wire__name("a.test.");
	enum verdict got;
	struct answer *answer = NULL;
	static uint8_t msg[DNS_MAX_MSG];
	size_t len = wire__build(msg, &m);

	(void)state;
	memcpy(msg + len, opt, sizeof(opt));
	msg[11] = 1;
	len += sizeof(opt);
	assert_int_equal(answer__decode(msg, len, &qname, 1, 0, &got, &answer), 0);
	assert_int_equal(got, VERDICT_POSITIVE);
	assert_int_equal(answer->ttl_s, 30);
	assert_int_equal(answer->n_ttl, 1);
	assert_int_equal(answer->count[DNS_ADDITIONAL], 0);
	assert_int_equal(answer->blob_len, 16);
	answer__free(answer);

	msg[len - sizeof(opt) + 5] = 1; /* BADVERS */
	assert_int_equal(answer__decode(msg, len, &qname, 1, 0, &got, &answer), 0);
	assert_int_equal(got, VERDICT_PASS);
	assert_int_equal(answer->flags & DNS_RCODE, DNS_SERVFAIL);
	assert_int_equal(answer->n_ttl, 1);
	answer__free(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_an_answer), cmocka_unit_test(test_salvage),
		cmocka_unit_test(test_header_counts), cmocka_unit_test(test_rdata),
		cmocka_unit_test(test_opt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
