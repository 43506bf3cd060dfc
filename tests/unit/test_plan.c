// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Flags and Corefile to served addresses and sockets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "config/plan.h"

/* "ADDR ADDR": what is served; "ADDR:PORT ...": what is bound. */
static void print(const struct plan *plan, char *served, char *bound)
{
	char ip[INET6_ADDRSTRLEN];

	served[0] = bound[0] = '\0';
	for (int i = 0; i < plan->n_served; i++) {
		inet_ntop(plan->served[i].family, &plan->served[i].v4, ip, sizeof(ip));
		sprintf(served + strlen(served), "%s%s", i ? " " : "", ip);
	}
	for (int i = 0; i < plan->n_listen; i++) {
		const union sockaddr_any *addr = &plan->listen[i].addr;
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)addr;
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addr;

		inet_ntop(addr->sa.sa_family,
			  addr->sa.sa_family == AF_INET ? (const void *)&v4->sin_addr
							: (const void *)&v6->sin6_addr,
			  ip, sizeof(ip));
		sprintf(bound + strlen(bound), "%s%s:%u%s", i ? " " : "", ip, ntohs(v4->sin_port),
			plan->listen[i].implied ? "?" : "");
	}
}

static int make(const char *localip, bool listen, const char *text, struct plan *plan,
		struct error *err)
{
	char *argv[] = { (char *)"run", (char *)"-localip", (char *)localip, (char *)"-mode",
			 (char *)(listen ? "listen" : "steer") };
	struct error cf_err = { "" };
	struct run_options opts;
	struct corefile *cf;
	int ret;

	assert_int_equal(run_options__parse(&opts, 5, argv, err), 0);
	if (corefile__parse(&corefile_host_options, "Corefile", text, strlen(text), &cf, &cf_err))
		fail_msg("%s", cf_err.text);
	err->text[0] = '\0';
	ret = plan__make(&opts, cf, plan, err);
	corefile__free(cf);
	return ret;
}

#define FORWARD "\n forward . 192.0.2.1\n"

static void test_steer(void **state)
{
	static const struct {
		const char *localip, *text, *served, *warning;
	} cases[] = {
		{ "10.0.0.1,fd00::1", ".:53 {" FORWARD "}\n", "10.0.0.1 fd00::1", "" },
		{ "", ".:53 {\n bind 10.0.0.1 fd00::1" FORWARD "}\n", "10.0.0.1 fd00::1", "" },
		{ "10.0.0.1", ".:53 {\n bind 10.0.0.2" FORWARD "}\n", "10.0.0.1", "10.0.0.1" },
		{ "10.0.0.1", ".:53 {\n bind 0.0.0.0" FORWARD "}\n", "10.0.0.1", "" },
	};
	char served[512], bound[512];
	struct error err;
	struct plan plan;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (make(cases[i].localip, false, cases[i].text, &plan, &err))
			fail_msg("%zu: %s", i, err.text);
		print(&plan, served, bound);
		assert_string_equal(served, cases[i].served);
		assert_string_equal(bound, "");
		assert_false(plan.wildcard);
		if (!strstr(plan.warning, cases[i].warning) ||
		    !cases[i].warning[0] != !plan.warning[0])
			fail_msg("%zu: warning \"%s\"", i, plan.warning);
	}
}

static void test_listen(void **state)
{
	static const struct {
		const char *localip, *text, *served, *bound;
		bool wildcard;
	} cases[] = {
		{ "", ".:53 {\n bind 10.0.0.1 fd00::1" FORWARD "}\n", "10.0.0.1 fd00::1",
		  "10.0.0.1:53 fd00::1:53", false },
		{ "10.0.0.7", ".:53 {" FORWARD "}\n", "10.0.0.7", "10.0.0.7:53", false },
		/* bind says more than -localip. */
		{ "10.0.0.7", ".:53 {\n bind 10.0.0.1" FORWARD "}\n", "10.0.0.1", "10.0.0.1:53",
		  false },
		{ "", ".:5300 {\n bind 10.0.0.1" FORWARD "}\n", "", "10.0.0.1:5300", false },
		{ "", ".:53 {" FORWARD "}\n", "", "0.0.0.0:53 :::53?", true },
		{ "", ".:53 {\n bind ::" FORWARD "}\n", "", ":::53 0.0.0.0:53?", true },
		{ "", ".:53 {\n bind 0.0.0.0" FORWARD "}\n", "", "0.0.0.0:53", true },
		{ "",
		  "a:53 {\n bind 10.0.0.1 10.0.0.1" FORWARD "}\nb:53 {\n bind 10.0.0.1" FORWARD
		  "}\n",
		  "10.0.0.1", "10.0.0.1:53", false },
		/* Both cannot be bound, and the wildcard takes all. */
		{ "", "a:53 {\n bind 10.0.0.1" FORWARD "}\nb:53 {\n bind 0.0.0.0" FORWARD "}\n", "",
		  "0.0.0.0:53", true },
		{ "", "a:53 {\n bind 0.0.0.0" FORWARD "}\nb:53 {\n bind 10.0.0.1" FORWARD "}\n", "",
		  "0.0.0.0:53", true },
	};
	char served[512], bound[512];
	struct error err;
	struct plan plan;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (make(cases[i].localip, true, cases[i].text, &plan, &err))
			fail_msg("%zu: %s", i, err.text);
		print(&plan, served, bound);
		assert_string_equal(served, cases[i].served);
		assert_string_equal(bound, cases[i].bound);
		assert_int_equal(plan.wildcard, cases[i].wildcard);
	}
}

/* Started as node-cache is, with these flags: which mode, and what is bound beside it? */
static void test_nodecache(void **state)
{
	static const struct {
		const char *flags[3], *bind;
		enum agent_mode mode;
		const char *served, *bound;
	} cases[] = {
		/* kube-proxy: pods are steered, the node's own processes come to the link */
		{ { NULL },
		  "10.0.0.1 fd00::1",
		  MODE_STEER,
		  "10.0.0.1 fd00::1",
		  "10.0.0.1:53 fd00::1:53" },
		{ { "-setupinterface=true" },
		  "10.0.0.1 fd00::1",
		  MODE_STEER,
		  "10.0.0.1 fd00::1",
		  "10.0.0.1:53 fd00::1:53" },
		/* a local redirect policy: the pod's own addresses */
		{ { "-setupinterface=false" }, "0.0.0.0", MODE_LISTEN, "", "0.0.0.0:53" },
		{ { "-setupinterface=false", "-mode=steer" },
		  "10.0.0.1 fd00::1",
		  MODE_STEER,
		  "10.0.0.1 fd00::1",
		  "" },
		/* every address of the node, beside those that are steered */
		{ { NULL },
		  "0.0.0.0",
		  MODE_STEER,
		  "10.0.0.1 fd00::1",
		  "0.0.0.0:53? 10.0.0.1:53 fd00::1:53" },
		{ { NULL },
		  "::",
		  MODE_STEER,
		  "10.0.0.1 fd00::1",
		  "0.0.0.0:53? :::53? 10.0.0.1:53 fd00::1:53" },
		{ { NULL },
		  NULL,
		  MODE_STEER,
		  "10.0.0.1 fd00::1",
		  "0.0.0.0:53? :::53? 10.0.0.1:53 fd00::1:53" },
		{ { "-setupinterface=false" }, NULL, MODE_LISTEN, "", "0.0.0.0:53 :::53?" },
		/* port 53 is what steering is for */
		{ { "-dns.port=5300" }, "10.0.0.1", MODE_LISTEN, "", "10.0.0.1:5300" },
		{ { "-mode=listen" }, "10.0.0.1", MODE_LISTEN, "10.0.0.1", "10.0.0.1:53" },
	};
	char served[512], bound[512], text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *argv[8] = { (char *)"nodens", (char *)"-localip=10.0.0.1,fd00::1" };
		struct run_options opts;
		struct error err;
		struct corefile *cf;
		struct plan plan;
		int argc = 2;

		for (; cases[i].flags[argc - 2]; argc++)
			argv[argc] = (char *)cases[i].flags[argc - 2];
		assert_int_equal(run_options__parse(&opts, argc, argv, &err), 0);
		snprintf(text, sizeof(text), ".:%u {\n %s%s" FORWARD "}\n", opts.dns_port,
			 cases[i].bind ? "bind " : "", cases[i].bind ? cases[i].bind : "");
		assert_int_equal(corefile__parse(&corefile_host_options, "Corefile", text,
						 strlen(text), &cf, NULL),
				 0);
		if (plan__make(&opts, cf, &plan, &err))
			fail_msg("%zu: %s", i, err.text);
		corefile__free(cf);
		print(&plan, served, bound);
		assert_int_equal(plan.mode, cases[i].mode);
		assert_string_equal(served, cases[i].served);
		assert_string_equal(bound, cases[i].bound);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *localip;
		bool listen;
		const char *text, *said;
	} cases[] = {
		{ "", false, ".:53 {" FORWARD "}\n", "no address to serve" },
		{ "", false, ".:53 {\n bind 0.0.0.0" FORWARD "}\n", "no address to serve" },
		{ "10.0.0.1", false, "\n.:5300 {" FORWARD "}\n", "no block is for port 53" },
		/* One name, two answers, one cache. */
		{ "", true,
		  ".:53 {\n bind 10.0.0.1\n cache" FORWARD "}\n.:53 {\n bind 10.0.0.2" FORWARD
		  "}\n",
		  "Corefile:6: zone ." },
		{ "", false,
		  "a.b {\n bind 10.0.0.1\n cache" FORWARD "}\n. {\n bind 10.0.0.1 10.0.0.2" FORWARD
		  "}\n",
		  "zone a.b." },
	};
	struct error err;
	struct plan plan, before;

	(void)state;
	memset(&plan, 0x5a, sizeof(plan));
	before = plan;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			make(cases[i].localip, cases[i].listen, cases[i].text, &plan, &err),
			-EINVAL);
		if (!strstr(err.text, cases[i].said))
			fail_msg("%zu: \"%s\" does not hold \"%s\"", i, err.text, cases[i].said);
		assert_memory_equal(&plan, &before, sizeof(plan));
	}
}

/* As in kubespray's sample: zones of other ports beside those that are steered. */
static void test_other_ports(void **state)
{
	static const char text[] =
		".:53 {\n bind 10.0.0.1\n cache 30" FORWARD "}\n"
		"example.com example.io:1053 {\n bind 10.0.0.1\n cache 5" FORWARD
		"}\nx.io:1054 {\n bind 0.0.0.0" FORWARD "}\ny.io:1055 {" FORWARD "}\n";
	char served[512], bound[512];
	struct error err;
	struct plan plan;

	(void)state;
	for (int listen = 0; listen < 2; listen++) {
		if (make("10.0.0.1", listen, text, &plan, &err))
			fail_msg("%s", err.text);
		print(&plan, served, bound);
		assert_string_equal(served, "10.0.0.1");
		assert_string_equal(bound,
				    listen ? "10.0.0.1:53 10.0.0.1:1053 0.0.0.0:1054 10.0.0.1:1055"
					   : "10.0.0.1:1053 0.0.0.0:1054 10.0.0.1:1055");
	}
}

/* Without a cache there is nothing to mix up. */
static void test_two_views_without_cache(void **state)
{
	struct error err;
	struct plan plan;

	(void)state;
	assert_int_equal(make("", true,
			      ".:53 {\n bind 10.0.0.1" FORWARD "}\n.:53 {\n bind 10.0.0.2" FORWARD
			      "}\n",
			      &plan, &err),
			 0);
	assert_int_equal(plan.n_listen, 2);
}

static void test_local_addresses(void **state)
{
	struct error err;
	struct plan plan;

	(void)state;
	assert_int_equal(make("", true, ".:53 {" FORWARD "}\n", &plan, &err), 0);
	plan__local_addrs(&plan);
	for (int i = 0; i < plan.n_served; i++) {
		if (plan.served[i].family == AF_INET)
			assert_int_not_equal(ntohl(plan.served[i].v4.s_addr) >> 24, 127);
		else
			assert_false(IN6_IS_ADDR_LOOPBACK(&plan.served[i].v6));
	}
	assert_false(plan__device_holds(&plan, "lo"));
	assert_false(plan__device_holds(&plan, "no-such-device"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steer),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_nodecache),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_two_views_without_cache),
		cmocka_unit_test(test_other_ports),
		cmocka_unit_test(test_local_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
