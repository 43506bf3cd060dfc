// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Plugins that each client's query meets before the cache: acl and any.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>

#include "base/sockaddr.h"
#include "plugin/acl.h"
#include "plugin/any.h"
#include "plugin_fixture.h"

struct fixture {
	struct plugin_fixture plugin;
	const struct plugin *of;
	void *state;
};

static void open_fixture(struct fixture *f, const struct plugin *of, const char *text)
{
	struct plugin_open open;

	*f = (struct fixture){ .of = of };
	plugin_fixture_open(&f->plugin, text);
	open = (struct plugin_open){ .block = f->plugin.block,
				     .zones = f->plugin.zones,
				     .err = &f->plugin.err };
	assert_int_equal(of->open(&open, &f->state), 0);
}

static void close_fixture(struct fixture *f)
{
	if (f->state && f->of->close)
		f->of->close(f->state);
	plugin_fixture_close(&f->plugin);
}

/* What a client at @from is told: "pass", "drop", or the rcode and the extended error's code. */
static const char *told(struct fixture *f, const char *from, const char *name, const char *type)
{
	static char text[64];
	union sockaddr_any peer = { .sa.sa_family = strchr(from, ':') ? AF_INET6 : AF_INET };
	struct plugin_client client = { &peer.sa, &peer.sa, false };
	struct dns_name qname = name_of(name);
	struct plugin_query query = { &qname, type_of(type), DNS_CLASS_IN, 0, &client };
	struct plugin_reply reply = { .drop = false };

	if (!f->state)
		return "pass";
	assert_int_equal(inet_pton(peer.sa.sa_family, from,
				   peer.sa.sa_family == AF_INET6 ? (void *)&peer.v6.sin6_addr
								 : &peer.v4.sin_addr),
			 1);
	if (f->of->admit(f->state, &query, &reply) == PLUGIN_NEXT)
		return "pass";
	if (reply.drop)
		return "drop";
	assert_non_null(reply.answer);
	snprintf(text, sizeof(text), "%u %u", reply.answer->flags & DNS_RCODE,
		 reply.ede ? reply.ede->code : 0);
	answer__free(reply.answer);
	return text;
}

static bool agent_only(struct fixture *f, const char *name, const char *type)
{
	struct dns_name qname = name_of(name);

	return f->state && f->of->agent_only(f->state, &qname, type_of(type));
}

static bool below(struct fixture *f, const char *name)
{
	struct dns_name qname = name_of(name);

	return f->state && f->of->answers_below(f->state, &qname);
}

#define BLOCKED	 "5 15"
#define FILTERED "0 17"

/* Those of CoreDNS' documentation, and others. */
static void test_policies(void **state)
{
	static const struct {
		const char *acl, *from, *name, *type, *want;
	} cases[] = {
		{ "block type A net 192.168.0.0/16", "192.168.3.4", "x.test.", "A", BLOCKED },
		{ "block type A net 192.168.0.0/16", "192.168.3.4", "x.test.", "AAAA", "pass" },
		{ "block type A net 192.168.0.0/16", "192.169.3.4", "x.test.", "A", "pass" },
		{ "filter type A net 192.168.0.0/16", "192.168.3.4", "x.test.", "A", FILTERED },
		{ "drop net 192.0.2.0/24", "192.0.2.255", "x.test.", "MX", "drop" },
		{ "allow net 192.168.1.0/24\n block net 192.168.0.0/16", "192.168.1.9", "x.test.",
		  "A", "pass" },
		{ "allow net 192.168.1.0/24\n block net 192.168.0.0/16", "192.168.2.9", "x.test.",
		  "A", BLOCKED },
		{ "allow net 192.168.0.0/24 192.168.1.0/24\n block", "192.168.1.1", "x.test.", "A",
		  "pass" },
		{ "allow net 192.168.0.0/24 192.168.1.0/24\n block", "192.168.2.1", "x.test.", "A",
		  BLOCKED },
		{ "allow net 192.168.0.0/24 192.168.1.0/24\n block", "2001:db8::1", "x.test.", "A",
		  BLOCKED },
		{ "block net 2001:db8::/33", "2001:db8:7fff::1", "x.test.", "A", BLOCKED },
		{ "block net 2001:db8::/33", "2001:db8:8000::1", "x.test.", "A", "pass" },
		{ "block net 192.0.2.1", "192.0.2.1", "x.test.", "A", BLOCKED },
		{ "block net 192.0.2.1", "192.0.2.2", "x.test.", "A", "pass" },
		{ "block net 192.0.2.1", "::ffff:192.0.2.1", "x.test.", "A", BLOCKED },
		{ "block net 2001:db8::5", "2001:db8::5", "x.test.", "A", BLOCKED },
		{ "block net 2001:db8::5", "2001:db8::6", "x.test.", "A", "pass" },
		{ "block net 192.0.2.1 *", "2001:db8::6", "x.test.", "A", BLOCKED },
		{ "BLOCK TYPE A AAAA NET 192.0.2.1", "192.0.2.1", "x.test.", "AAAA", BLOCKED },
		{ "block type * net 192.0.2.1", "192.0.2.1", "x.test.", "TXT", BLOCKED },
		{ "block type ANY", "192.0.2.1", "x.test.", "ANY", BLOCKED },
		{ "block type ANY", "192.0.2.1", "x.test.", "A", "pass" },
		{ "allow", "192.0.2.1", "x.test.", "A", "pass" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		char text[512];

		snprintf(text, sizeof(text), "test {\n whoami\n acl {\n %s\n }\n}\n", cases[i].acl);
		open_fixture(&f, &acl_plugin, text);
		if (strcmp(told(&f, cases[i].from, cases[i].name, cases[i].type), cases[i].want))
			fail_msg("%s, from %s: %s", cases[i].acl, cases[i].from,
				 told(&f, cases[i].from, cases[i].name, cases[i].type));
		close_fixture(&f);
	}
}

/* An allow ends it for all rules; what no policy of a rule fits goes on to the next rule. */
static void test_rules(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, &acl_plugin,
		     "test {\n whoami\n"
		     " acl a.test {\n  allow net 10.0.0.1\n  block type MX\n }\n"
		     " acl {\n  block net 10.0.0.0/8\n }\n}\n");
	assert_string_equal(told(&f, "10.0.0.1", "x.a.test.", "A"), "pass");
	assert_string_equal(told(&f, "10.0.0.1", "x.test.", "A"), BLOCKED);
	assert_string_equal(told(&f, "10.0.0.2", "x.a.test.", "A"), BLOCKED);
	assert_string_equal(told(&f, "11.0.0.2", "x.a.test.", "A"), "pass");
	assert_string_equal(told(&f, "11.0.0.2", "x.a.test.", "MX"), BLOCKED);
	assert_string_equal(told(&f, "11.0.0.2", "b.test.", "MX"), "pass");
	close_fixture(&f);
}

/* The programs may have what every client may ask, and nothing else. */
static void test_what_programs_may_have(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, &acl_plugin,
		     "test {\n whoami\n"
		     " acl a.test {\n  filter type A net 10.0.0.1\n }\n"
		     " acl b.test {\n  allow type A\n  block net 10.0.0.0/8\n }\n}\n");
	assert_true(agent_only(&f, "a.test.", "A"));
	assert_true(agent_only(&f, "x.a.test.", "A"));
	assert_false(agent_only(&f, "x.a.test.", "AAAA"));
	assert_false(agent_only(&f, "x.b.test.", "A"));
	assert_true(agent_only(&f, "x.b.test.", "AAAA"));
	assert_false(agent_only(&f, "x.test.", "A"));
	assert_true(below(&f, "test."));
	assert_true(below(&f, "x.a.test."));
	assert_true(below(&f, "b.test."));
	assert_false(below(&f, "c.test."));
	close_fixture(&f);
	/* nothing that anybody may not: no plugin */
	open_fixture(&f, &acl_plugin, "test {\n whoami\n acl {\n  allow net 10.0.0.1\n }\n}\n");
	assert_null(f.state);
	close_fixture(&f);
}

/* What is asked under another name is judged by that, and nobody knows what programs would find. */
static void test_rewrites(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, &acl_plugin,
		     "test {\n whoami\n rewrite name a.test b.test\n"
		     " acl b.test {\n  block net 10.0.0.1\n }\n}\n");
	assert_string_equal(told(&f, "10.0.0.1", "a.test.", "A"), BLOCKED);
	assert_string_equal(told(&f, "10.0.0.2", "a.test.", "A"), "pass");
	assert_string_equal(told(&f, "10.0.0.1", "c.test.", "A"), "pass");
	assert_true(agent_only(&f, "a.test.", "A"));
	assert_true(agent_only(&f, "c.test.", "A"));
	close_fixture(&f);
}

/* AAAA records that are made of A records are told to nobody who may not ask for those. */
static void test_dns64(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, &acl_plugin,
		     "test {\n whoami\n dns64\n"
		     " acl {\n  allow type AAAA\n  block type A net 2001:db8::/32\n }\n}\n");
	assert_string_equal(told(&f, "2001:db8::1", "a.test.", "AAAA"), BLOCKED);
	assert_string_equal(told(&f, "2001:db9::1", "a.test.", "AAAA"), "pass");
	assert_true(agent_only(&f, "a.test.", "AAAA"));
	assert_false(agent_only(&f, "a.test.", "TXT"));
	close_fixture(&f);
}

static void test_any(void **state)
{
	union sockaddr_any peer = { .sa.sa_family = AF_INET };
	struct plugin_client client = { &peer.sa, &peer.sa, false };
	struct dns_name qname = name_of("x.test.");
	struct plugin_query query = { &qname, DNS_TYPE_ANY, DNS_CLASS_IN, 0, &client };
	struct plugin_reply reply = { .drop = false };
	struct fixture f;

	(void)state;
	open_fixture(&f, &any_plugin, "test {\n whoami\n any\n}\n");
	assert_int_equal(any_plugin.admit(f.state, &query, &reply), PLUGIN_ANSWER);
	assert_string_equal(answer_text(reply.answer),
			    "NOERROR x.test. 8482 IN HINFO \"ANY obsoleted\" \"See RFC 8482\"");
	query.qtype = DNS_TYPE_A;
	assert_int_equal(any_plugin.admit(f.state, &query, &reply), PLUGIN_NEXT);
	assert_true(agent_only(&f, "x.test.", "ANY"));
	assert_false(agent_only(&f, "x.test.", "A"));
	close_fixture(&f);
	open_fixture(&f, &any_plugin, "test {\n whoami\n}\n");
	assert_null(f.state);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_what_programs_may_have),
		cmocka_unit_test(test_rewrites),
		cmocka_unit_test(test_dns64),
		cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
