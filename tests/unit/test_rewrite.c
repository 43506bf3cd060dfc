// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Rewrites: what a question becomes, and what is put on it for upstreams. Its answer:
 * test_rewrite_back.c.
 */
#include <arpa/inet.h>

#include "rewrite_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_options_that_are_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
