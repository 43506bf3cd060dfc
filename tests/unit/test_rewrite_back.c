// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Rewrites: how the answer to what a question became is turned back.
 */
#include "rewrite_fixture.h"

#define SOA(zone) zone " 300 IN SOA ns." zone " h." zone " 1 2 3 4 60"

static void test_answers(void **state)
{
	static const struct {
		const char *rules, *name;
		uint16_t rcode;
		const char *answer, *authority, *want;
	} rows[] = {
		{ "rewrite name a.test b.back", "a.test.", 0, "b.back. 60 IN A 192.0.2.1", NULL,
		  "NOERROR a.test. 60 IN A 192.0.2.1" },
		/* exact is auto: also in what is below, and in values */
		{ "rewrite name a.test b.back", "a.test.", 0,
		  "b.back. 60 IN CNAME x.b.back.\nx.b.back. 60 IN A 192.0.2.1", NULL,
		  "NOERROR a.test. 60 IN CNAME x.a.test., x.a.test. 60 IN A 192.0.2.1" },
		{ "rewrite name a.test b.back", "a.test.", 0,
		  "b.back. 60 IN CNAME c.other.\nc.other. 60 IN A 192.0.2.1", NULL,
		  "NOERROR a.test. 60 IN CNAME c.other., c.other. 60 IN A 192.0.2.1" },
		/* without auto the owner that was asked for all the same */
		{ "rewrite name suffix .test .back", "a.test.", 0, "a.back. 60 IN A 192.0.2.1",
		  NULL, "NOERROR a.test. 60 IN A 192.0.2.1" },
		{ "rewrite name suffix .test .back", "a.test.", 0,
		  "a.back. 60 IN CNAME b.back.\nb.back. 60 IN A 192.0.2.1", NULL,
		  "NOERROR a.test. 60 IN CNAME b.back., b.back. 60 IN A 192.0.2.1" },
		{ "rewrite name suffix .test .back answer auto", "a.test.", 0,
		  "a.back. 60 IN CNAME b.back.\nb.back. 60 IN A 192.0.2.1", NULL,
		  "NOERROR a.test. 60 IN CNAME b.test., b.test. 60 IN A 192.0.2.1" },
		{ "rewrite name suffix .test .back answer auto", "a.test.", 0,
		  "a.back. 60 IN CNAME b.other.\nb.other. 60 IN CNAME c.back.\n"
		  "c.back. 60 IN A 192.0.2.1",
		  NULL,
		  "NOERROR a.test. 60 IN CNAME b.other., b.other. 60 IN CNAME c.test., "
		  "c.test. 60 IN A 192.0.2.1" },
		{ "rewrite name prefix a. b. answer auto", "a.test.", 0,
		  "b.test. 60 IN CNAME x.b.test.\nx.b.test. 60 IN A 192.0.2.1", NULL,
		  "NOERROR a.test. 60 IN CNAME x.a.test., x.a.test. 60 IN A 192.0.2.1" },
		/* CoreDNS' example */
		{ "rewrite stop {\n"
		  " name regex (.*)-(us-west-1)\\.coredns\\.rocks {1}.service.{2}.consul\n"
		  " answer name (.*)\\.service\\.(us-west-1)\\.consul {1}-{2}.coredns.rocks\n}",
		  "ftp-us-west-1.coredns.rocks.", 0,
		  "ftp.service.us-west-1.consul. 60 IN A 10.10.10.10", NULL,
		  "NOERROR ftp-us-west-1.coredns.rocks. 60 IN A 10.10.10.10" },
		/* values alone */
		{ "rewrite name regex (.*)[.]test {1}.back answer name (.*)[.]back {1}.test "
		  "answer value (.*)[.]back {1}.test",
		  "a.test.", 0, "a.back. 60 IN CNAME b.back.\nb.back. 60 IN A 192.0.2.1", NULL,
		  "NOERROR a.test. 60 IN CNAME b.test., b.test. 60 IN A 192.0.2.1" },
		/* several rules: undone from the last one on */
		{ "rewrite continue name a.test b.test\nrewrite name b.test c.back", "a.test.", 0,
		  "c.back. 60 IN A 192.0.2.1", NULL, "NOERROR a.test. 60 IN A 192.0.2.1" },
		/* In one answer, or with a word for each; the last one of a kind first. */
		{ "rewrite name suffix .test .back answer auto answer value (.*)[.]inner {1}.outer",
		  "a.test.", 0, "a.back. 60 IN CNAME b.inner.", NULL,
		  "NOERROR a.test. 60 IN CNAME b.outer." },
		{ "rewrite name Suffix .test .back answer auto value (.*)[.]inner {1}.outer",
		  "a.test.", 0, "a.back. 60 IN CNAME b.inner.", NULL,
		  "NOERROR a.test. 60 IN CNAME b.outer." },
		{ "rewrite name regex (.*)[.]test {1}.back answer name (.*)[.]back {1}.test value "
		  "(.*)[.]inner {1}.outer",
		  "a.test.", 0, "a.back. 60 IN CNAME b.inner.", NULL,
		  "NOERROR a.test. 60 IN CNAME b.outer." },
		{ "rewrite stop {\nname regex (.*)[.]test {1}.back\nanswer name (.*)[.]back "
		  "{1}.test\n"
		  "answer value (.*)[.]two {1}.three\nanswer value (.*)[.]one {1}.two\n}",
		  "a.test.", 0, "a.back. 60 IN CNAME b.one.", NULL,
		  "NOERROR a.test. 60 IN CNAME b.three." },
		{ "rewrite continue name suffix .test .mid answer auto\n"
		  "rewrite name suffix .mid .back answer auto",
		  "a.test.", 0, "a.back. 60 IN CNAME b.back.\nb.back. 60 IN A 192.0.2.1", NULL,
		  "NOERROR a.test. 60 IN CNAME b.test., b.test. 60 IN A 192.0.2.1" },
		/* negative ones */
		{ "rewrite name a.test b.back", "a.test.", DNS_NXDOMAIN, NULL, SOA("back."),
		  "NXDOMAIN | back. 60 IN SOA ns.back. h.back. 1 2 3 4 60" },
		{ "rewrite rcode suffix test NXDOMAIN NOERROR", "a.test.", DNS_NXDOMAIN, NULL,
		  SOA("test."), "NOERROR | test. 60 IN SOA ns.test. h.test. 1 2 3 4 60" },
		{ "rewrite rcode suffix test NXDOMAIN NOERROR", "a.test.", DNS_REFUSED, NULL, NULL,
		  "REFUSED" },
		{ "rewrite rcode suffix test SERVFAIL NXDOMAIN", "a.test.", DNS_SERVFAIL, NULL,
		  NULL, "NXDOMAIN" },
		/* TTLs */
		{ "rewrite ttl a.test 15", "a.test.", 0, "a.test. 60 IN A 192.0.2.1", NULL,
		  "NOERROR a.test. 15 IN A 192.0.2.1" },
		{ "rewrite ttl a.test 30-300", "a.test.", 0, "a.test. 5 IN A 192.0.2.1", NULL,
		  "NOERROR a.test. 30 IN A 192.0.2.1" },
		{ "rewrite ttl a.test 30-300", "a.test.", 0, "a.test. 600 IN A 192.0.2.1", NULL,
		  "NOERROR a.test. 300 IN A 192.0.2.1" },
		{ "rewrite ttl a.test 30-300", "a.test.", 0, "a.test. 60 IN A 192.0.2.1", NULL,
		  "NOERROR a.test. 60 IN A 192.0.2.1" },
		{ "rewrite ttl a.test -30", "a.test.", 0, "a.test. 60 IN A 192.0.2.1", NULL,
		  "NOERROR a.test. 30 IN A 192.0.2.1" },
		{ "rewrite ttl a.test 30-", "a.test.", 0, "a.test. 60 IN A 192.0.2.1", NULL,
		  "NOERROR a.test. 60 IN A 192.0.2.1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct answer *from, *to = NULL;
		struct dns_name qname = name_of(rows[i].name);
		struct rewrite_result *result;
		enum verdict verdict;
		char name[1024];
		const char *got;
		struct fixture f;

		open_fixture(&f, rows[i].rules);
		result = apply(&f, rows[i].name, "A");
		assert_non_null(result);
		dns_name__to_text(&result->qname, name, sizeof(name));
		from = upstream_answer(name, "A", rows[i].rcode, rows[i].answer, rows[i].authority,
				       &verdict);
		assert_int_equal(rewrite__revert(f.rewrite, result, from, &qname, DNS_TYPE_A, 0,
						 &verdict, &to),
				 0);
		assert_true(dns_name__equal(&to->qname, &qname));
		got = answer_text(to);
		if (strcmp(got, rows[i].want))
			fail_msg("%s\ngot  \"%s\"\nwant \"%s\"", rows[i].rules, got, rows[i].want);
		answer__free(from);
		rewrite_result__free(result);
		close_fixture(&f);
	}
}

/* SRV's and MX's names, not SOA's mailbox nor text. */
static void test_values(void **state)
{
	static const char rules[] = "rewrite name suffix .test .back answer auto";
	struct dns_name qname = name_of("a.test.");
	struct answer *from, *to = NULL;
	struct rewrite_result *result;
	enum verdict verdict;
	struct fixture f;

	(void)state;
	open_fixture(&f, rules);
	result = apply(&f, "a.test.", "SRV");
	from = upstream_answer("a.back.", "SRV", 0,
			       "a.back. 60 IN SRV 1 2 3 h.back.\na.back. 60 IN SRV 1 2 3 o.other.",
			       "back. 60 IN NS ns.back.", &verdict);
	assert_int_equal(
		rewrite__revert(f.rewrite, result, from, &qname, type_of("SRV"), 0, &verdict, &to),
		0);
	assert_string_equal(answer_text(to),
			    "NOERROR a.test. 60 IN SRV 1 2 3 h.test., a.test. 60 IN SRV 1 2 3 "
			    "o.other.");
	assert_int_equal(verdict, VERDICT_POSITIVE);
	answer__free(from);
	rewrite_result__free(result);
	close_fixture(&f);
}

static void test_what_it_changes(void **state)
{
	static const struct {
		const char *rules;
		bool changes;
	} rows[] = {
		{ "rewrite ttl a.test 5", false },
		{ "rewrite edns0 nsid set", false },
		{ "rewrite name a.test b.test", true },
		{ "rewrite type A AAAA", true },
		{ "rewrite rcode a.test NXDOMAIN NOERROR", true },
		{ "rewrite class IN CH", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		open_fixture(&f, rows[i].rules);
		assert_int_equal(rewrite__changes(f.rewrite), rows[i].changes);
		close_fixture(&f);
	}
}

/* A denial is kept under the client's name as it would be under its own, for no longer. */
static void test_denials(void **state)
{
	static const struct {
		const char *rules;
		uint16_t rcode;
		const char *answer, *want;
		enum verdict verdict;
	} rows[] = {
		{ "rewrite name a.test v4only.back", DNS_NOERROR, NULL,
		  "NOERROR | back. 60 IN SOA ns.back. h.back. 1 2 3 4 60", VERDICT_NEGATIVE },
		{ "rewrite name a.test v4only.back", DNS_NXDOMAIN, NULL,
		  "NXDOMAIN | back. 60 IN SOA ns.back. h.back. 1 2 3 4 60", VERDICT_NEGATIVE },
		{ "rewrite name a.test v4only.back", DNS_NOERROR,
		  "v4only.back. 90 IN CNAME x.back.",
		  "NOERROR a.test. 60 IN CNAME x.back. | back. 60 IN SOA ns.back. h.back. 1 2 3 4 "
		  "60",
		  VERDICT_NEGATIVE },
		{ "rewrite continue name a.test v4only.back\nrewrite rcode exact v4only.back "
		  "NXDOMAIN NOERROR",
		  DNS_NXDOMAIN, NULL, "NOERROR | back. 60 IN SOA ns.back. h.back. 1 2 3 4 60",
		  VERDICT_NEGATIVE },
		{ "rewrite continue name a.test v4only.back\nrewrite rcode exact v4only.back "
		  "NXDOMAIN REFUSED",
		  DNS_NXDOMAIN, NULL, "REFUSED | back. 60 IN SOA ns.back. h.back. 1 2 3 4 60",
		  VERDICT_PASS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dns_name qname = name_of("a.test.");
		struct answer *from, *to = NULL;
		struct rewrite_result *result;
		enum verdict verdict;
		struct fixture f;

		open_fixture(&f, rows[i].rules);
		result = apply(&f, "a.test.", "AAAA");
		assert_non_null(result);
		from = upstream_answer("v4only.back.", "AAAA", rows[i].rcode, rows[i].answer,
				       "back. 300 IN SOA ns.back. h.back. 1 2 3 4 60", &verdict);
		assert_int_equal(verdict, VERDICT_NEGATIVE);
		assert_int_equal(rewrite__revert(f.rewrite, result, from, &qname, DNS_TYPE_AAAA, 0,
						 &verdict, &to),
				 0);
		assert_int_equal(verdict, rows[i].verdict);
		assert_int_equal(to->ttl_s, 60);
		assert_string_equal(answer_text(to), rows[i].want); /* frees it */
		answer__free(from);
		rewrite_result__free(result);
		close_fixture(&f);
	}
}

/* A part of an answer stays one, and is not kept. */
static void test_part(void **state)
{
	static const char *const rules[] = {
		"rewrite ttl a.test 5",
		"rewrite name a.test b.back",
		"rewrite name suffix .test .back answer auto",
		"rewrite name regex (.*)[.]test {1}.back answer name (.*)[.]back {1}.test",
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rules) / sizeof(rules[0]); i++) {
		struct dns_name qname = name_of("a.test.");
		char name[DNS_NAME_TEXT], records[2 * DNS_NAME_TEXT];
		struct rewrite_result *result;
		struct answer *from, *to = NULL;
		enum verdict verdict;
		struct fixture f;

		open_fixture(&f, rules[i / 2]);
		result = apply(&f, "a.test.", "A");
		assert_non_null(result);
		dns_name__to_text(&result->qname, name, sizeof(name));
		snprintf(records, sizeof(records), "%s 60 IN A 192.0.2.1", name);
		from = part_of_answer(name, "A", i % 2, records, &verdict);
		assert_int_equal(rewrite__revert(f.rewrite, result, from, &qname, DNS_TYPE_A, 0,
						 &verdict, &to),
				 0);
		if (!(to->flags & DNS_TC) || verdict != VERDICT_PASS)
			fail_msg("%s: TC is lost, or it is kept", rules[i / 2]);
		assert_int_equal(to->count[DNS_ANSWER_SECTION], 1);
		answer__free(to);
		answer__free(from);
		rewrite_result__free(result);
		close_fixture(&f);
	}
}

/* A name that a rule may have to change does not go out as it is: there is no answer. */
static void test_limit(void **state)
{
	static const struct {
		const char *rules, *answer;
		bool none;
	} rows[] = {
		{ "answer name ^(a+)+[.]back[.]$ x.test",
		  "a.back. 60 IN CNAME " SLOW ".back.\n" SLOW ".back. 60 IN A 192.0.2.1", true },
		{ "answer name (.*)[.]back {1}.test value ^(a+)+[.]back[.]$ x.test",
		  "a.back. 60 IN CNAME " SLOW ".back.\n" SLOW ".back. 60 IN A 192.0.2.1", true },
		{ "answer name (.*)[.]back {1}.test value ^(a+)+[.]back[.]$ x.test",
		  "a.back. 60 IN CNAME b.back.\nb.back. 60 IN A 192.0.2.1", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct passage passage = { .qname = name_of("a.test."), .qtype = DNS_TYPE_A };
		struct fixture f;
		char rules[512];

		snprintf(rules, sizeof(rules), "rewrite name regex (.*)[.]test {1}.back %s",
			 rows[i].rules);
		open_fixture(&f, rules);
		passage.kept[PLUGIN_REWRITE].own = apply(&f, "a.test.", "A");
		assert_non_null(passage.kept[PLUGIN_REWRITE].own);
		passage.answer =
			upstream_answer("a.back.", "A", 0, rows[i].answer, NULL, &passage.verdict);
		assert_false(rewrite_plugin.response(f.rewrite, &passage));
		if (!passage.answer != rows[i].none || !passage.error == rows[i].none)
			fail_msg("%s: %s", rows[i].rules,
				 passage.error ? passage.error : "answered");
		answer__free(passage.answer);
		rewrite_plugin.release(&passage.kept[PLUGIN_REWRITE]);
		close_fixture(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_values),
		cmocka_unit_test(test_denials), cmocka_unit_test(test_what_it_changes),
		cmocka_unit_test(test_part),	cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
