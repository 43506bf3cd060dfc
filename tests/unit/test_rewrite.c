// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Rewrites: what a question becomes, what is put on it for upstreams, and how its answer is turned
 * back.
 */
#include <arpa/inet.h>

#include "plugin_fixture.h"
#include "plugin/rewrite.h"

struct fixture {
	struct plugin_fixture local;
	struct rewrite *rewrite;
};

static void open_fixture(struct fixture *f, const char *rules)
{
	const struct corefile_block *block;
	char text[4096];

	snprintf(text, sizeof(text), ". {\n%s\n}\n", rules);
	plugin_fixture_open(&f->local, text);
	block = f->local.block;
	if (rewrite__open(block->rewrites, block->rewrites_len, &f->rewrite, &f->local.err))
		fail_msg("%s", f->local.err.text);
}

static void close_fixture(struct fixture *f)
{
	rewrite__close(f->rewrite);
	plugin_fixture_close(&f->local);
}

static struct rewrite_result *apply_for(const struct fixture *f, const char *name, const char *type,
					const struct plugin_client *client)
{
	struct dns_name qname = name_of(name);
	struct plugin_query query = { &qname, type_of(type), DNS_CLASS_IN, 0, client };

	return rewrite__apply(f->rewrite, &query);
}

static struct rewrite_result *apply(const struct fixture *f, const char *name, const char *type)
{
	return apply_for(f, name, type, NULL);
}

/* A label that takes an expression like ^(a+)+[.] to regex__match()'s bound. */
#define SLOW "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"

/* ---- the way there ---- */

static void test_questions(void **state)
{
	static const struct {
		const char *rules, *name, *type, *want;
	} rows[] = {
		{ "rewrite name a.test b.test", "a.test.", "A", "b.test. A" },
		{ "rewrite name a.test b.test", "x.a.test.", "A", "as it is" },
		{ "rewrite name exact A.test B.Test", "a.test.", "A", "b.test. A" },
		{ "rewrite name prefix pre- post-", "pre-x.test.", "A", "post-x.test. A" },
		{ "rewrite name prefix pre- post-", "x.pre-.test.", "A", "as it is" },
		{ "rewrite name suffix .a.test .b.test", "x.y.a.test.", "A", "x.y.b.test. A" },
		{ "rewrite name suffix .a.test .b.test", "a.test.", "A", "as it is" },
		{ "rewrite name suffix a.test b.test", "xa.test.", "A", "xb.test. A" },
		{ "rewrite name substring ab x", "ab.cab.ab.test.", "A", "x.cx.x.test. A" },
		{ "rewrite name substring nosuch x", "ab.test.", "A", "as it is" },
		/* CoreDNS' examples */
		{ "rewrite name substring service.us-west-1.example.org service.us-west-1.consul",
		  "ftp.service.us-west-1.example.org.", "A", "ftp.service.us-west-1.consul. A" },
		{ "rewrite name regex (.*)-(us-west-1)\\.example\\.org {1}.service.{2}.consul",
		  "ftp-us-west-1.example.org.", "A", "ftp.service.us-west-1.consul. A" },
		{ "rewrite name suffix .schmoogle.com. .google.com.", "www.schmoogle.com.", "A",
		  "www.google.com. A" },
		{ "rewrite name regex (a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)[.]test {11}{10}{0}.test",
		  "abcdefghijk.test.", "A", "kjabcdefghijk.test.test. A" },
		{ "rewrite name regex ^(a).* {1}{2}.test", "a.test.", "A", "a{2}.test. A" },
		{ "rewrite name regex ^x{3}[.]test y.test", "xxx.test.", "A", "y.test. A" },
		/* what is no name */
		{ "rewrite name a.test a..b", "a.test.", "A", "invalid" },
		{ "rewrite name regex (.*) {1}{1}{1}{1}{1}{1}{1}{1}{1}{1}",
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test.", "A", "invalid" },
		/* whether it matches cannot be told */
		{ "rewrite name regex ^(a+)+[.]test[.]$ b.test", SLOW ".test.", "A", "invalid" },
		{ "rewrite ttl regex ^(a+)+[.]test[.]$ 5", SLOW ".test.", "A", "invalid" },
		/* stop and continue */
		{ "rewrite name a.test b.test\nrewrite name b.test c.test", "a.test.", "A",
		  "b.test. A" },
		{ "rewrite continue name a.test b.test\nrewrite name b.test c.test", "a.test.", "A",
		  "c.test. A" },
		{ "rewrite continue name a.test b.test\nrewrite type A AAAA\nrewrite type AAAA TXT",
		  "a.test.", "A", "b.test. AAAA" },
		{ "rewrite stop name x.test y.test\nrewrite name a.test b.test", "a.test.", "A",
		  "b.test. A" },
		{ "rewrite type ANY HINFO", "a.test.", "ANY", "a.test. HINFO" },
		{ "rewrite type ANY HINFO", "a.test.", "A", "as it is" },
		{ "rewrite class CH IN", "a.test.", "A", "as it is" },
		{ "rewrite class IN CH", "a.test.", "A", "a.test. A CH" },
		{ "rewrite ttl a.test 5", "a.test.", "A", "a.test. A" },
		{ "rewrite ttl a.test 5", "b.test.", "A", "as it is" },
		{ "rewrite rcode regex ^a NXDOMAIN NOERROR", "a.test.", "A", "a.test. A" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char got[1200] = "as it is", name[1024], type[RRTYPE_TEXT];
		struct rewrite_result *result;
		struct fixture f;

		open_fixture(&f, rows[i].rules);
		result = apply(&f, rows[i].name, rows[i].type);
		if (result && result->invalid) {
			strcpy(got, "invalid");
		} else if (result) {
			dns_name__to_text(&result->qname, name, sizeof(name));
			snprintf(got, sizeof(got), "%s %s%s", name,
				 rrtype__text(result->qtype, type),
				 result->qclass == DNS_CLASS_IN ? "" : " CH");
			assert_true(result->reverts);
		}
		if (strcmp(got, rows[i].want))
			fail_msg("%s\n%s: got \"%s\", want \"%s\"", rows[i].rules, rows[i].name,
				 got, rows[i].want);
		rewrite_result__free(result);
		close_fixture(&f);
	}
}

/* "CODE LENGTH DATA" of each, hexadecimal, or "none". */
static void options_text(const struct rewrite_result *result, char got[256])
{
	char *at = got;

	strcpy(got, "none");
	for (size_t k = 0; result && k < result->options_len;) {
		const uint8_t *o = result->options + k;
		unsigned int len = o[2] << 8 | o[3];

		at += sprintf(at, "%s%02x%02x %02x%02x", at == got ? "" : " ", o[0], o[1], o[2],
			      o[3]);
		for (unsigned int j = 0; j < len; j++)
			at += sprintf(at, "%s%02x", j ? "" : " ", o[4 + j]);
		k += 4 + len;
	}
}

static void test_options(void **state)
{
	static const struct {
		const char *rules, *want;
	} rows[] = {
		{ "rewrite edns0 nsid set", "0003 0000" },
		{ "rewrite edns0 local set 0xffee 0x61626364", "ffee 0004 61626364" },
		{ "rewrite edns0 local set 0xffee abcd", "ffee 0004 61626364" },
		{ "rewrite edns0 local append 65001 x", "fde9 0001 78" },
		{ "rewrite edns0 local replace 65001 x", "none" },
		{ "rewrite edns0 local unset 65001", "none" },
		{ "rewrite edns0 local set 1 a\nrewrite edns0 local set 2 b", "0001 0001 61" },
		{ "rewrite continue edns0 local set 1 a\nrewrite edns0 local set 2 b",
		  "0001 0001 61 0002 0001 62" },
		{ "rewrite continue edns0 local set 1 a\nrewrite edns0 local set 1 bb",
		  "0001 0002 6262" },
		{ "rewrite continue edns0 local set 1 a\nrewrite edns0 local append 1 bb",
		  "0001 0001 61" },
		{ "rewrite continue edns0 local set 1 a\nrewrite continue edns0 local set 2 b\n"
		  "rewrite continue edns0 local replace 1 c\nrewrite edns0 local unset 2",
		  "0001 0001 63" },
		/* one that does not apply does not stop the others */
		{ "rewrite edns0 local replace 1 a\nrewrite edns0 local set 2 b", "0002 0001 62" },
		/* and the name goes its own way */
		{ "rewrite continue name a.test b.test\nrewrite edns0 local set 2 b",
		  "0002 0001 62" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rewrite_result *result;
		struct fixture f;
		char got[256];

		open_fixture(&f, rows[i].rules);
		result = apply(&f, "a.test.", "A");
		options_text(result, got);
		if (strcmp(got, rows[i].want))
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].rules, got, rows[i].want);
		if (result)
			assert_int_equal(result->reverts, !!strstr(rows[i].rules, "name"));
		rewrite_result__free(result);
		close_fixture(&f);
	}
}

/* Of the query, and of who asks: what CoreDNS' edns0.go and wire.go put there; RFC 7871, 6. */
static void test_variables(void **state)
{
	static const struct {
		const char *rules, *over4, *over6, *nobody;
	} rows[] = {
		{ "rewrite edns0 local set 1 {qname}", "0001 0007 612e746573742e",
		  "0001 0007 612e746573742e", "0001 0007 612e746573742e" },
		{ "rewrite edns0 local set 1 {qtype}", "0001 0002 001c", "0001 0002 001c",
		  "0001 0002 001c" },
		{ "rewrite edns0 local set 1 {client_ip}", "0001 0004 c0000263",
		  "0001 0010 20010db8000000000000000000abcdef", "none" },
		{ "rewrite edns0 local append 1 {client_port}", "0001 0002 1234", "0001 0002 1235",
		  "none" },
		{ "rewrite edns0 local set 1 {protocol}", "0001 0003 756470", "0001 0003 746370",
		  "none" },
		{ "rewrite edns0 local set 1 {server_ip} revert", "0001 0004 0a000001",
		  "0001 0010 fd000000000000000000000000000001", "none" },
		{ "rewrite edns0 local set 1 {server_port}", "0001 0002 0035", "0001 0002 0036",
		  "none" },
		{ "rewrite edns0 local replace 1 {client_ip}", "none", "none", "none" },
		{ "rewrite continue edns0 local set 1 ab\nrewrite edns0 local set 1 {client_port}",
		  "0001 0002 1234", "0001 0002 1235", "0001 0002 6162" },
		{ "rewrite edns0 subnet set 24 56", "0008 0007 00011800c00002",
		  "0008 000b 0002380020010db8000000", "none" },
		{ "rewrite edns0 subnet append 30 125", "0008 0008 00011e00c0000260",
		  "0008 0014 00027d0020010db8000000000000000000abcde8", "none" },
		{ "rewrite edns0 subnet set 0 0", "0008 0004 00010000", "0008 0004 00020000",
		  "none" },
		{ "rewrite edns0 subnet set 32 128 revert", "0008 0008 00012000c0000263",
		  "0008 0014 0002800020010db8000000000000000000abcdef", "none" },
		{ "rewrite continue edns0 subnet set 24 56\nrewrite edns0 subnet unset", "none",
		  "none", "none" },
		{ "rewrite continue EDNS0 Local SET 1 {qtype}", "0001 0002 001c", "0001 0002 001c",
		  "0001 0002 001c" },
	};
	struct sockaddr_in peer4 = { .sin_family = AF_INET, .sin_port = htons(0x1234) },
			   local4 = { .sin_family = AF_INET, .sin_port = htons(53) };
	struct sockaddr_in6 peer6 = { .sin6_family = AF_INET6, .sin6_port = htons(0x1235) },
			    local6 = { .sin6_family = AF_INET6, .sin6_port = htons(54) };
	struct plugin_client clients[] = {
		{ (struct sockaddr *)&peer4, (struct sockaddr *)&local4, false },
		{ (struct sockaddr *)&peer6, (struct sockaddr *)&local6, true },
	};

	(void)state;
	inet_pton(AF_INET, "192.0.2.99", &peer4.sin_addr);
	inet_pton(AF_INET, "10.0.0.1", &local4.sin_addr);
	inet_pton(AF_INET6, "2001:db8::ab:cdef", &peer6.sin6_addr);
	inet_pton(AF_INET6, "fd00::1", &local6.sin6_addr);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *want[] = { rows[i].over4, rows[i].over6, rows[i].nobody };
		struct fixture f;

		open_fixture(&f, rows[i].rules);
		for (int k = 0; k < 3; k++) {
			struct rewrite_result *result;
			char got[256];

			result = apply_for(&f, "a.test.", "AAAA", k < 2 ? &clients[k] : NULL);
			options_text(result, got);
			if (strcmp(got, want[k]))
				fail_msg("%s: got \"%s\", want \"%s\"", rows[i].rules, got,
					 want[k]);
			rewrite_result__free(result);
		}
		assert_int_equal(rewrite_plugin.tells_client(f.rewrite),
				 strstr(rows[i].rules, "{q") == NULL);
		close_fixture(&f);
	}
}

static void test_options_that_are_too_long(void **state)
{
	struct error err = { "" };
	char text[2048] = ". {\n";
	struct plugin_fixture local;
	struct rewrite *rewrite;

	(void)state;
	for (int i = 0; i < 3; i++) {
		snprintf(text + strlen(text), 64, "rewrite continue edns0 local set %d ",
			 65001 + i);
		for (int k = 0; k < 200; k++)
			strcat(text, "x");
		strcat(text, "\n");
	}
	strcat(text, "}\n");
	plugin_fixture_open(&local, text);
	assert_true(rewrite__open(local.block->rewrites, local.block->rewrites_len, &rewrite,
				  &err) < 0);
	assert_non_null(strstr(err.text, "Corefile:2: rewrite: edns0: more than 512 octets"));
	plugin_fixture_close(&local);
}

/* ---- and back ---- */

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
		cmocka_unit_test(test_questions), cmocka_unit_test(test_options),
		cmocka_unit_test(test_variables), cmocka_unit_test(test_options_that_are_too_long),
		cmocka_unit_test(test_answers),	  cmocka_unit_test(test_values),
		cmocka_unit_test(test_denials),	  cmocka_unit_test(test_what_it_changes),
		cmocka_unit_test(test_part),	  cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
