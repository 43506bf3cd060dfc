// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * DNS64: RFC 6052's own examples, when an answer is made, and what it says.
 */
#include <arpa/inet.h>
#include <errno.h>

#include "plugin/dns64.h"
#include "plugin_fixture.h"

/* RFC 6052, 2.4: 192.0.2.33 under each length. */
static void test_examples(void **state)
{
	static const struct {
		const char *prefix;
		int len;
		const char *want;
	} rows[] = {
		{ "2001:db8::", 32, "2001:db8:c000:221::" },
		{ "2001:db8:100::", 40, "2001:db8:1c0:2:21::" },
		{ "2001:db8:122::", 48, "2001:db8:122:c000:2:2100::" },
		{ "2001:db8:122:300::", 56, "2001:db8:122:3c0:0:221::" },
		{ "2001:db8:122:344::", 64, "2001:db8:122:344:c0:2:2100:0" },
		{ "2001:db8:122:344::", 96, "2001:db8:122:344::c000:221" },
		{ "64:ff9b::", 96, "64:ff9b::c000:221" },
	};
	static const uint8_t address[] = { 192, 0, 2, 33 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct corefile_dns64 dns64 = { .prefix_len = rows[i].len };
		uint8_t got[16], want[16];

		assert_int_equal(inet_pton(AF_INET6, rows[i].prefix, dns64.prefix), 1);
		assert_int_equal(inet_pton(AF_INET6, rows[i].want, want), 1);
		dns64__embed(&dns64, address, got);
		assert_memory_equal(got, want, 16);
	}
}

#define SOA "test. 300 IN SOA ns.test. h.test. 1 2 3 4 60"

static void test_wants(void **state)
{
	static const struct {
		uint16_t rcode;
		const char *answer, *authority;
		bool wants, wants_all;
	} rows[] = {
		{ DNS_NOERROR, NULL, SOA, true, true },
		{ DNS_NOERROR, NULL, NULL, true, true },
		{ DNS_NOERROR, "a.test. 60 IN AAAA 2001:db8::1", NULL, false, true },
		{ DNS_NOERROR, "a.test. 60 IN CNAME b.test.", SOA, true, true },
		{ DNS_NOERROR, "a.test. 60 IN CNAME b.test.\nb.test. 60 IN AAAA 2001:db8::1", NULL,
		  false, true },
		{ DNS_NXDOMAIN, NULL, SOA, false, false },
		{ DNS_SERVFAIL, NULL, NULL, true, true },
		{ DNS_REFUSED, NULL, NULL, true, true },
		/* RFC 6147, 5.1.4 */
		{ DNS_NOERROR, "a.test. 60 IN AAAA ::ffff:192.0.2.1", NULL, true, true },
		{ DNS_NOERROR,
		  "a.test. 60 IN AAAA ::ffff:192.0.2.1\na.test. 60 IN AAAA 2001:db8::1", NULL,
		  false, true },
	};
	struct corefile_dns64 some = { .prefix_len = 96 }, all = some;

	(void)state;
	all.translate_all = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum verdict verdict;
		struct answer *answer =
			upstream_answer("a.test.", "AAAA", rows[i].rcode, rows[i].answer,
					rows[i].authority, &verdict);

		if (dns64__wants(&some, answer) != rows[i].wants ||
		    dns64__wants(&all, answer) != rows[i].wants_all)
			fail_msg("row %zu", i);
		answer__free(answer);
	}
}

/* What is left of a cut answer says nothing of the addresses that were cut off. */
static void test_wants_part(void **state)
{
	static const char *const parts[] = { NULL, "a.test. 60 IN CNAME b.test." };
	struct corefile_dns64 some = { .prefix_len = 96 }, all = some;

	(void)state;
	all.translate_all = true;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		enum verdict verdict;
		struct answer *answer = part_of_answer("a.test.", "AAAA", true, parts[i], &verdict);

		assert_false(dns64__wants(&some, answer));
		assert_true(dns64__wants(&all, answer));
		answer__free(answer);
	}
}

static const char *synthesize(const char *a, const char *native, const char *authority)
{
	struct dns_name qname = name_of("a.test.");
	struct corefile_dns64 dns64 = { .prefix_len = 96 };
	struct answer *from, *instead, *made = NULL;
	enum verdict verdict;
	int ret;

	inet_pton(AF_INET6, "64:ff9b::", dns64.prefix);
	from = upstream_answer("a.test.", "A", 0, a, NULL, &verdict);
	instead = upstream_answer("a.test.", "AAAA", 0, native, authority, &verdict);
	ret = dns64__synthesize(&dns64, from, instead, &qname, 0, &made);
	answer__free(from);
	answer__free(instead);
	if (ret) {
		assert_int_equal(ret, -ENOENT);
		return "none";
	}
	assert_int_equal(made->qtype, DNS_TYPE_AAAA);
	assert_false(made->flags & DNS_AD);
	return answer_text(made);
}

static void test_synthesize(void **state)
{
	(void)state;
	/* RFC 6147, 5.1.7: the TTL is the least of A's and of the denial's */
	assert_string_equal(synthesize("a.test. 300 IN A 192.0.2.1", NULL, SOA),
			    "NOERROR a.test. 60 IN AAAA 64:ff9b::c000:201");
	assert_string_equal(
		synthesize("a.test. 30 IN A 192.0.2.1\na.test. 30 IN A 192.0.2.2", NULL, SOA),
		"NOERROR a.test. 30 IN AAAA 64:ff9b::c000:201, "
		"a.test. 30 IN AAAA 64:ff9b::c000:202");
	/* or of 10 minutes */
	assert_string_equal(synthesize("a.test. 3000 IN A 192.0.2.1", NULL, NULL),
			    "NOERROR a.test. 600 IN AAAA 64:ff9b::c000:201");
	assert_string_equal(
		synthesize("a.test. 3000 IN A 192.0.2.1", "a.test. 60 IN AAAA 2001:db8::1", NULL),
		"NOERROR a.test. 600 IN AAAA 64:ff9b::c000:201");
	assert_string_equal(
		synthesize("a.test. 30 IN CNAME b.test.\nb.test. 30 IN A 192.0.2.1", NULL, SOA),
		"NOERROR a.test. 30 IN CNAME b.test., b.test. 30 IN AAAA 64:ff9b::c000:201");
	assert_string_equal(synthesize("a.test. 30 IN CNAME b.test.", NULL, SOA), "none");
	assert_string_equal(synthesize(NULL, NULL, SOA), "none");
}

/* Of a part of an answer a part is made, and that is not kept. */
static void test_part(void **state)
{
	static const struct {
		bool part, tc;
	} rows[] = { { false, false }, { true, true }, { true, false } };
	static const char records[] = "a.test. 30 IN A 192.0.2.1\na.test. 30 IN A 192.0.2.2";
	struct corefile_dns64 dns64 = { .prefix_len = 96 };

	(void)state;
	inet_pton(AF_INET6, "64:ff9b::", dns64.prefix);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct passage passage = {
			.question = { .qname = name_of("a.test."), .qtype = DNS_TYPE_AAAA },
		};
		struct plugin_kept *kept = &passage.kept[PLUGIN_DNS64];
		struct answer *native =
			upstream_answer("a.test.", "AAAA", 0, NULL, SOA, &kept->held_verdict);
		struct answer *a = rows[i].part ? part_of_answer("a.test.", "A", rows[i].tc,
								 records, &passage.verdict)
						: upstream_answer("a.test.", "A", 0, records, NULL,
								  &passage.verdict);

		kept->held = native;
		passage.answer = a;
		assert_false(dns64_plugin.response(&dns64, &passage));
		assert_ptr_not_equal(passage.answer, native);
		assert_int_equal(!!(passage.answer->flags & DNS_TC), rows[i].part);
		assert_int_equal(passage.verdict, rows[i].part ? VERDICT_PASS : VERDICT_POSITIVE);
		assert_string_equal(answer_text(passage.answer),
				    "NOERROR a.test. 30 IN AAAA 64:ff9b::c000:201, "
				    "a.test. 30 IN AAAA 64:ff9b::c000:202");
		answer__free(native);
		answer__free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),   cmocka_unit_test(test_wants),
		cmocka_unit_test(test_wants_part), cmocka_unit_test(test_synthesize),
		cmocka_unit_test(test_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
