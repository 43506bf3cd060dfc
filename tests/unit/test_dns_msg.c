/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Names, the cursor and queries: each rule and each way to break it.
 *
 * Contract: messages are written out octet by octet here, so that malformed ones can be.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns/msg.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_name_text(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL: refused */
		size_t len;
	} cases[] = {
		{ ".", ".", 1 },
		{ "a", "a.", 3 },
		{ "a.", "a.", 3 },
		{ "A.b-C.", "A.b-C.", 7 },
		{ "a\\.b.c.", "a\\.b.c.", 7 },
		{ "a\\046b.", "a\\.b.", 5 },
		{ "\\000\\255.", "\\000\\255.", 4 },
		{ "\\ \\\\\\\".", "\\032\\\\\\\".", 5 },
		{ "*._tcp.x.", "*._tcp.x.", 10 },
		{ "", NULL, 0 },
		{ "..", NULL, 0 },
		{ ".a", NULL, 0 },
		{ "a..b", NULL, 0 },
		{ "a\\", NULL, 0 },
		{ "a\\2", NULL, 0 },
		{ "a\\256", NULL, 0 },
		{ "a\\25x", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct dns_name name = { .len = 77 };
		int err = dns_name__from_text(&name, cases[i].in);
		char text[1024];

		if (!cases[i].out) {
			assert_int_equal(err, -EINVAL);
			assert_int_equal(name.len, 77);
			continue;
		}
		assert_int_equal(err, 0);
		assert_int_equal(name.len, cases[i].len);
		assert_int_equal(dns_name__to_text(&name, text, sizeof(text)),
				 strlen(cases[i].out));
		assert_string_equal(text, cases[i].out);
		assert_int_equal(dns_name__to_text(&name, text, strlen(text)), -ENOSPC);
	}
}

static void test_name_limits(void **state)
{
	char text[1100], back[1024];
	struct dns_name name;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[63] = '\0';
	assert_int_equal(dns_name__from_text(&name, text), 0);
	text[63] = 'x';
	text[64] = '\0';
	assert_int_equal(dns_name__from_text(&name, text), -EINVAL);
	text[63] = text[127] = text[191] = '.';
	text[64] = 'x';
	text[253] = '\0'; /* 3 * 64 + 62 + 1 octets: 255 */
	assert_int_equal(dns_name__from_text(&name, text), 0);
	assert_int_equal(name.len, 255);
	text[253] = '.';
	text[254] = '\0';
	assert_int_equal(dns_name__from_text(&name, text), 0);
	assert_int_equal(name.len, 255);
	text[253] = 'x';
	assert_int_equal(dns_name__from_text(&name, text), -EINVAL);
	for (int i = 0; i < 127; i++)
		memcpy(text + 2 * i, "a.", 3);
	assert_int_equal(dns_name__from_text(&name, text), 0);
	assert_int_equal(name.len, 255);
	strcat(text, "a");
	assert_int_equal(dns_name__from_text(&name, text), -EINVAL);

	/* The longest text: every octet escaped. */
	name.len = 255;
	memset(name.wire, 1, sizeof(name.wire));
	for (int i = 0; i < 3; i++)
		name.wire[64 * i] = 63;
	name.wire[192] = 61;
	name.wire[254] = 0;
	assert_int_equal(dns_name__to_text(&name, back, sizeof(back)), 4 * 250 + 4);
}

static void test_name_compare(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal, within;
	} cases[] = {
		{ "www.example.com", "WWW.Example.COM", true, true },
		{ "www.example.com", "example.com", false, true },
		{ "www.example.com", "com", false, true },
		{ "www.example.com", ".", false, true },
		{ ".", ".", true, true },
		{ ".", "com", false, false },
		{ "example.com", "www.example.com", false, false },
		{ "wwwexample.com", "example.com", false, false },
		{ "\\003com.test", "com.test", false, false },
		{ "a\\003com", "com", false, false },
		{ "[.test", "{.test", false, false },
		{ "@`.test", "`@.test", false, false },
		{ "\\193.test", "\\225.test", false, false },
		{ "abcdefgh\\200Z.test", "ABCDEFGH\\200z.test", true, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct dns_name a, b, lower;

		assert_int_equal(dns_name__from_text(&a, cases[i].a), 0);
		assert_int_equal(dns_name__from_text(&b, cases[i].b), 0);
		assert_int_equal(dns_name__equal(&a, &b), cases[i].equal);
		assert_int_equal(dns_name__within(&a, &b), cases[i].within);
		lower = a;
		dns_name__lower(&lower);
		assert_true(dns_name__equal(&a, &lower));
	}
	/* The same octet by octet, at every place of a word. */
	for (int c = 0; c < 256; c++) {
		for (int d = 0; d < 256; d++) {
			struct dns_name a = { 20, "\022aaaaaaaaaaaaaaaaaa" };
			struct dns_name b = a;
			int at = 1 + (c + d) % 18;

			a.wire[at] = c;
			b.wire[at] = d;
			assert_int_equal(dns_name__equal(&a, &b), dns_lower(c) == dns_lower(d));
		}
	}
}

/* A message of 12 octets of header and these. */
struct octets {
	size_t len;
	const char *at;
};
#define LABEL_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LABEL_64 LABEL_63 "a"
#define OCTETS(text)                   \
	{                              \
		sizeof(text) - 1, text \
	}

static void test_cursor_names(void **state)
{
	static const struct {
		struct octets body;
		size_t at;
		const char *want; /* NULL: malformed */
		size_t end;
	} cases[] = {
		{ OCTETS("\1a\0"), 12, "a.", 15 },
		{ OCTETS("\0"), 12, ".", 13 },
		{ OCTETS("\1a\0\1b\xc0\x0c"), 15, "b.a.", 19 },
		{ OCTETS("\1a\0\xc0\x0c"), 15, "a.", 17 },
		{ OCTETS("\1a\0\1b\xc0\x0c\xc0\x0f"), 19, "b.a.", 21 },
		{ OCTETS("\1a\0\xc0\x0e"), 15, ".", 17 },
		/* forwards, to itself, into its own labels, into the header */
		{ OCTETS("\xc0\x0e\1a\0"), 12, NULL, 0 },
		{ OCTETS("\xc0\x0c"), 12, NULL, 0 },
		{ OCTETS("\1a\xc0\x0c"), 12, NULL, 0 },
		{ OCTETS("\1a\xc0\x0d"), 12, NULL, 0 },
		{ OCTETS("\xc0\x04"), 12, NULL, 0 },
		{ OCTETS("\3\1a\0\xc0\x0d"), 12, NULL, 0 },
		/* cut short */
		{ OCTETS(""), 12, NULL, 0 },
		{ OCTETS("\1"), 12, NULL, 0 },
		{ OCTETS("\1a"), 12, NULL, 0 },
		{ OCTETS("\5ab\0"), 12, NULL, 0 },
		{ OCTETS("\1a\0\xc0"), 15, NULL, 0 },
		/* label kinds that there are none of */
		{ OCTETS("\x40" LABEL_64 "\0"), 12, NULL, 0 },
		{ OCTETS("\x80" LABEL_64 LABEL_64 "\0"), 12, NULL, 0 },
		{ OCTETS("\x3f" LABEL_64 "\0"), 12, NULL, 0 },
		{ OCTETS("\x3f" LABEL_63 "\0"), 12, LABEL_63 ".", 77 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len = DNS_HEADER + cases[i].body.len;
		uint8_t *msg = calloc(1, len); /* of that very size, for the sanitizer */
		struct dns_name name;
		struct dns_cursor cur;
		char text[1024];

		memcpy(msg + DNS_HEADER, cases[i].body.at, cases[i].body.len);
		dns_cursor__init(&cur, msg, len);
		cur.at = cases[i].at;
		dns_cursor__name(&cur, &name);
		if (cases[i].want) {
			assert_int_equal(cur.error, 0);
			assert_int_equal(cur.at, cases[i].end);
			assert_true(dns_name__to_text(&name, text, sizeof(text)) > 0);
			assert_string_equal(text, cases[i].want);
		} else {
			assert_int_equal(cur.error, -EBADMSG);
			cur.at = 0; /* the error stays */
			dns_cursor__u16(&cur);
			assert_int_equal(cur.at, 0);
		}
		free(msg);
	}
}

/* Behind no question, behind one; more than that, or one that is cut, is an error. */
static void test_cursor_records(void **state)
{
	static const uint8_t question[] = { 1, 'a', 0, 0, 1, 0, 1 };
	uint8_t msg[DNS_HEADER + 2 * sizeof(question)] = { 0 };
	struct dns_cursor cur;

	(void)state;
	memcpy(msg + DNS_HEADER, question, sizeof(question));
	memcpy(msg + DNS_HEADER + sizeof(question), question, sizeof(question));
	dns_cursor__records(&cur, msg, sizeof(msg));
	assert_int_equal(cur.error, 0);
	assert_int_equal(cur.at, DNS_HEADER);
	msg[5] = 1;
	dns_cursor__records(&cur, msg, sizeof(msg));
	assert_int_equal(cur.error, 0);
	assert_int_equal(cur.at, DNS_HEADER + sizeof(question));
	for (size_t len = 0; len < DNS_HEADER + sizeof(question); len++) {
		dns_cursor__records(&cur, msg, len);
		assert_int_equal(cur.error, -EBADMSG);
	}
	msg[5] = 2;
	dns_cursor__records(&cur, msg, sizeof(msg));
	assert_int_equal(cur.error, -EBADMSG);
	msg[4] = 1;
	msg[5] = 0;
	dns_cursor__records(&cur, msg, sizeof(msg));
	assert_int_equal(cur.error, -EBADMSG);
}

static void test_cursor_name_bounds(void **state)
{
	uint8_t msg[1024] = { 0 };
	struct dns_cursor cur;
	struct dns_name name;
	size_t at = DNS_HEADER;

	(void)state;
	/* 127 labels of one octet: the longest; one pointer each is the most that there can be. */
	at++; /* a root to end on */
	for (int i = 0; i < 128; i++) {
		msg[at] = 1;
		msg[at + 1] = 'a';
		msg[at + 2] = 0xc0 | (i ? at - 4 : DNS_HEADER) >> 8;
		msg[at + 3] = (i ? at - 4 : DNS_HEADER) & 0xff;
		at += 4;
	}
	for (int i = 125; i < 128; i++) {
		dns_cursor__init(&cur, msg, at);
		cur.at = DNS_HEADER + 1 + 4 * i;
		dns_cursor__name(&cur, &name);
		assert_int_equal(cur.error, i < 127 ? 0 : -EBADMSG);
		if (i < 127)
			assert_int_equal(name.len, 2 * (i + 1) + 1);
	}
	/* Pointers to pointers without end. */
	for (at = DNS_HEADER + 1; at + 2 <= sizeof(msg); at += 2) {
		size_t to = at == DNS_HEADER + 1 ? DNS_HEADER : at - 2;

		msg[at] = 0xc0 | to >> 8;
		msg[at + 1] = to & 0xff;
	}
	dns_cursor__init(&cur, msg, sizeof(msg));
	cur.at = DNS_HEADER + 1 + 2 * 126;
	dns_cursor__name(&cur, &name);
	assert_int_equal(cur.error, 0);
	cur.at = DNS_HEADER + 1 + 2 * 127;
	dns_cursor__name(&cur, &name);
	assert_int_equal(cur.error, -EBADMSG);

	dns_cursor__init(&cur, msg, DNS_MAX_MSG + 1);
	assert_int_equal(dns_cursor__u16(&cur), 0);
	assert_int_equal(cur.error, -EBADMSG);
}

static void test_cursor_rr(void **state)
{
	static const uint8_t msg[] = "\0\0\0\0\0\0\0\0\0\0\0\0"
				     "\1a\0\0\1\0\1\0\0\1\2\0\4\300\0\2\1";
	struct dns_cursor cur;
	struct dns_rr rr;
	size_t len = sizeof(msg) - 1;

	(void)state;
	dns_cursor__init(&cur, msg, len);
	cur.at = DNS_HEADER;
	dns_cursor__rr(&cur, &rr);
	assert_int_equal(cur.error, 0);
	assert_int_equal(rr.type, DNS_TYPE_A);
	assert_int_equal(rr.class, DNS_CLASS_IN);
	assert_int_equal(rr.ttl_s, 258);
	assert_int_equal(rr.rdata_len, 4);
	assert_memory_equal(msg + rr.rdata_at, "\300\0\2\1", 4);
	assert_int_equal(cur.at, len);
	for (size_t cut = DNS_HEADER; cut < len; cut++) {
		dns_cursor__init(&cur, msg, cut);
		cur.at = DNS_HEADER;
		dns_cursor__rr(&cur, &rr);
		assert_int_equal(cur.error, -EBADMSG);
	}
}

#define HEADER(flags, counts) "\x12\x34" flags counts
#define ONE		      "\0\1\0\0\0\0\0\0"
#define ONE_OPT		      "\0\1\0\0\0\0\0\1"
#define Q		      "\1A\1b\0\0\1\0\1"
#define OPT(ttl, rdata)	      "\0\0\x29\4\xd0" ttl rdata
#define RD		      "\1\0"

static const struct {
	const char *name;
	struct octets msg;
	enum dns_verdict want;
	uint16_t rcode;
} queries[] = {
	{ "plain", OCTETS(HEADER(RD, ONE) Q), DNS_ANSWER, 0 },
	{ "trailing octets", OCTETS(HEADER(RD, ONE) Q "xyz"), DNS_ANSWER, 0 },
	{ "the root", OCTETS(HEADER(RD, ONE) "\0\0\2\0\1"), DNS_ANSWER, 0 },
	{ "EDNS", OCTETS(HEADER(RD, ONE_OPT) Q OPT("\0\0\0\0", "\0\0")), DNS_ANSWER, 0 },
	{ "a cookie", OCTETS(HEADER(RD, ONE_OPT) Q OPT("\0\0\0\0", "\0\6\0\12\0\2ab")), DNS_ANSWER,
	  0 },
	{ "client subnet", OCTETS(HEADER(RD, ONE_OPT) Q OPT("\0\0\0\0", "\0\4\0\10\0\0")),
	  DNS_ANSWER, 0 },
	{ "another additional record", OCTETS(HEADER(RD, ONE_OPT) Q "\0\0\1\0\1\0\0\0\0\0\0"),
	  DNS_ANSWER, 0 },

	{ "nothing", OCTETS(""), DNS_SILENCE, 0 },
	{ "11 octets", OCTETS("\0\0\1\0\0\1\0\0\0\0\0"), DNS_SILENCE, 0 },
	{ "a response", OCTETS(HEADER("\x81\0", ONE) Q), DNS_SILENCE, 0 },
	{ "a response, malformed", OCTETS(HEADER("\x80\0", "\0\7\0\0\0\0\0\0")), DNS_SILENCE, 0 },

	{ "STATUS", OCTETS(HEADER("\x10\0", "\0\0\0\0\0\0\0\0")), DNS_REFUSE, DNS_NOTIMP },
	{ "NOTIFY", OCTETS(HEADER("\x20\0", ONE) Q), DNS_REFUSE, DNS_NOTIMP },
	{ "UPDATE", OCTETS(HEADER("\x28\0", ONE) Q), DNS_REFUSE, DNS_NOTIMP },

	{ "no question", OCTETS(HEADER(RD, "\0\0\0\0\0\0\0\0")), DNS_REFUSE, DNS_FORMERR },
	{ "two questions", OCTETS(HEADER(RD, "\0\2\0\0\0\0\0\0") Q Q), DNS_REFUSE, DNS_FORMERR },
	{ "a header alone", OCTETS(HEADER(RD, ONE)), DNS_REFUSE, DNS_FORMERR },
	{ "half a name", OCTETS(HEADER(RD, ONE) "\1A\1"), DNS_REFUSE, DNS_FORMERR },
	{ "no class", OCTETS(HEADER(RD, ONE) "\1A\0\0\1"), DNS_REFUSE, DNS_FORMERR },
	{ "a pointer to itself", OCTETS(HEADER(RD, ONE) "\xc0\x0c\0\1\0\1"), DNS_REFUSE,
	  DNS_FORMERR },
	{ "a pointer into the header", OCTETS(HEADER(RD, ONE) "\1A\xc0\4\0\1\0\1"), DNS_REFUSE,
	  DNS_FORMERR },
	{ "an odd label",
	  OCTETS(HEADER(RD, ONE) "\x41"
				 "A\0\0\1\0\1"),
	  DNS_REFUSE, DNS_FORMERR },
	{ "OPT missing", OCTETS(HEADER(RD, ONE_OPT) Q), DNS_REFUSE, DNS_FORMERR },
	{ "OPT cut", OCTETS(HEADER(RD, ONE_OPT) Q "\0\0\x29\4\xd0"), DNS_REFUSE, DNS_FORMERR },
	{ "OPT of a name", OCTETS(HEADER(RD, ONE_OPT) Q "\1x" OPT("\0\0\0\0", "\0\0")), DNS_REFUSE,
	  DNS_FORMERR },
	{ "OPT's options too short", OCTETS(HEADER(RD, ONE_OPT) Q OPT("\0\0\0\0", "\0\3\0\12\0")),
	  DNS_REFUSE, DNS_FORMERR },
	{ "an option too long", OCTETS(HEADER(RD, ONE_OPT) Q OPT("\0\0\0\0", "\0\4\0\12\0\1")),
	  DNS_REFUSE, DNS_FORMERR },
	{ "two OPTs",
	  OCTETS(HEADER(RD, "\0\1\0\0\0\0\0\2") Q OPT("\0\0\0\0", "\0\0") OPT("\0\0\0\0", "\0\0")),
	  DNS_REFUSE, DNS_FORMERR },
	{ "OPT as an answer", OCTETS(HEADER(RD, "\0\1\0\1\0\0\0\0") Q OPT("\0\0\0\0", "\0\0")),
	  DNS_REFUSE, DNS_FORMERR },
	{ "two answers",
	  OCTETS(HEADER(RD, "\0\1\0\2\0\0\0\0") Q "\0\0\1\0\1\0\0\0\0\0\0"
						  "\0\0\1\0\1\0\0\0\0\0\0"),
	  DNS_REFUSE, DNS_FORMERR },

	{ "EDNS version 1", OCTETS(HEADER(RD, ONE_OPT) Q OPT("\0\1\0\0", "\0\0")), DNS_REFUSE,
	  DNS_BADVERS },
	{ "class CH", OCTETS(HEADER(RD, ONE) "\1A\0\0\x10\0\3"), DNS_REFUSE, DNS_REFUSED },
	{ "class ANY", OCTETS(HEADER(RD, ONE) "\1A\0\0\x10\0\xff"), DNS_REFUSE, DNS_REFUSED },
};

static void test_query_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(queries); i++) {
		uint8_t *msg = malloc(queries[i].msg.len + 1);
		struct dns_query query = { .id = 1 };
		uint16_t rcode = 0;
		enum dns_verdict got;

		memcpy(msg, queries[i].msg.at, queries[i].msg.len);
		msg = realloc(msg, queries[i].msg.len ? queries[i].msg.len : 1);
		got = dns_query__parse(msg, queries[i].msg.len, &query, &rcode);
		if (got != queries[i].want || rcode != queries[i].rcode)
			fail_msg("%s: %d, rcode %d", queries[i].name, got, rcode);
		if (got == DNS_SILENCE || rcode == DNS_NOTIMP || rcode == DNS_FORMERR)
			assert_int_equal(query.id, 1);
		else
			assert_int_equal(query.id, 0x1234);
		free(msg);
	}
}

static void test_query_fields(void **state)
{
	static const char msg[] = HEADER("\1\x30", ONE_OPT) Q OPT("\0\0\x80\0", "\0\0");
	static const char plain[] = HEADER(RD, ONE) Q;
	struct dns_query query;
	uint16_t rcode;

	(void)state;
	assert_int_equal(dns_query__parse((uint8_t *)msg, sizeof(msg) - 1, &query, &rcode),
			 DNS_ANSWER);
	assert_int_equal(query.flags, DNS_RD | DNS_AD | DNS_CD);
	assert_int_equal(query.qname.len, 5);
	assert_memory_equal(query.qname.wire, "\1A\1b", 5);
	assert_int_equal(query.qtype, 1);
	assert_int_equal(query.qclass, 1);
	assert_true(query.edns && query.edns_do);
	assert_int_equal(query.edns_size, 1232);
	assert_int_equal(query.key_flags, NODENS_KEY_DO | NODENS_KEY_CD);
	assert_int_equal(dns_query__parse((uint8_t *)plain, sizeof(plain) - 1, &query, &rcode),
			 DNS_ANSWER);
	assert_false(query.edns || query.edns_do);
	assert_int_equal(query.edns_size, 0);
	assert_int_equal(query.key_flags, 0);
}

/* What is built is what is parsed. */
static void test_query_build(void **state)
{
	struct dns_query query;
	struct dns_name name;
	uint8_t msg[512];
	uint16_t rcode;

	(void)state;
	assert_int_equal(dns_name__from_text(&name, "wWw.example.COM."), 0);
	for (uint8_t flags = 0; flags < 4; flags++) {
		for (uint16_t size = 0; size <= 1232; size += 1232) {
			int want = DNS_HEADER + name.len + 4 + (size ? 11 : 0);

			assert_int_equal(dns_query__build(msg, want - 1, 7, &name, 28, flags, size),
					 -ENOSPC);
			assert_int_equal(dns_query__build(msg, want, 7, &name, 28, flags, size),
					 want);
			assert_int_equal(dns_query__parse(msg, want, &query, &rcode), DNS_ANSWER);
			assert_int_equal(query.id, 7);
			assert_int_equal(query.qtype, 28);
			assert_memory_equal(query.qname.wire, name.wire, name.len);
			assert_int_equal(query.edns_size, size);
			assert_int_equal(query.key_flags, size ? flags : flags & NODENS_KEY_CD);
			assert_int_equal(query.flags & ~DNS_CD, DNS_RD | DNS_AD);
		}
	}
}

/* The example of RFC 4034, 6.1, and what compares octets only. */
static void test_order(void **state)
{
	static const char *const names[] = {
		".",	       "example",	  "a.example", "yljkjljk.a.example",
		"z.a.example", "zabc.a.example",  "z.example", "\\001.z.example",
		"*.z.example", "\\200.z.example",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		for (size_t k = 0; k < COUNT(names); k++) {
			struct dns_name a, b;
			int order;

			assert_int_equal(dns_name__from_text(&a, names[i]), 0);
			assert_int_equal(dns_name__from_text(&b, names[k]), 0);
			order = dns_wire__order(a.wire, b.wire);
			assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_text),	   cmocka_unit_test(test_name_limits),
		cmocka_unit_test(test_name_compare),	   cmocka_unit_test(test_order),
		cmocka_unit_test(test_cursor_names),	   cmocka_unit_test(test_cursor_records),
		cmocka_unit_test(test_cursor_name_bounds), cmocka_unit_test(test_cursor_rr),
		cmocka_unit_test(test_query_verdicts),	   cmocka_unit_test(test_query_fields),
		cmocka_unit_test(test_query_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
