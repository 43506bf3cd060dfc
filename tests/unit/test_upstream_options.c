// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The options of forward that bound what is asked, and why nobody answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "upstream_questions.h"

#define SILENT_ALL(f)                                  \
	for (int silent = 0; silent < FAKES; silent++) \
	(f).fake[silent].behaviour = FAKE_SILENT

static unsigned int queries(const struct upstream_fixture *f)
{
	return f->fake[0].queries + f->fake[1].queries + f->fake[2].queries;
}

/* Asks until all of the @n upstreams are taken for dead. */
static void kill_all(struct upstream_fixture *f, struct upstream_group *group, unsigned int n)
{
	struct question q;

	SILENT_ALL(*f);
	for (int i = 0; f->stats.v[AGENT_STAT_UPSTREAMS_DOWN] < n && i < 10; i++)
		ask(f, group, &q);
	assert_int_equal(f->stats.v[AGENT_STAT_UPSTREAMS_DOWN], n);
}

static void test_failfast(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1 %2 {\n max_fails 1\n"
						      " failfast_all_unhealthy_upstreams\n}\n}\n");
	unsigned int before;
	struct question q;

	(void)state;
	kill_all(&f, group, 2);
	before = queries(&f);
	f.stats.v[AGENT_STAT_HEALTHCHECK_BROKEN] = 0;
	question_set(&f, &q, "www.example.");
	assert_int_equal(exchange__start(group, &q.exchange, f.v.now_ns), 0);
	assert_int_equal(q.done, 1); /* at once */
	assert_false(q.answered);
	assert_string_equal(q.error, "no healthy proxies");
	assert_int_equal(f.stats.v[AGENT_STAT_HEALTHCHECK_BROKEN], 1);
	fixture_run_for(&f, 20);
	assert_int_equal(queries(&f), before);
	/* A probe ends it. */
	f.fake[1].behaviour = FAKE_ANSWERS;
	assert_true(fixture_run(&f, &f.came_up, 1));
	ask(&f, group, &q);
	assert_true(q.answered);
	fixture_close(&f);
}

/* Without failfast one of them is asked all the same, whatever the policy says, and counted. */
static void test_all_down_one_is_asked(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group =
		open_group(&f, ".:53 {\n forward . %1 %2 %3 {\n max_fails 1\n policy sequential\n"
			       " health_check 60s\n}\n}\n");
	unsigned int asked[FAKES] = { 0 };
	struct question q;

	(void)state;
	kill_all(&f, group, 3);
	f.stats.v[AGENT_STAT_HEALTHCHECK_BROKEN] = 0;
	for (int i = 0; i < 60; i++) {
		unsigned int before[FAKES];

		for (int k = 0; k < FAKES; k++)
			before[k] = f.fake[k].queries;
		question_set(&f, &q, "www.example.");
		assert_int_equal(exchange__start(group, &q.exchange, f.v.now_ns), 0);
		fixture_run_for(&f, 5);
		exchange__cancel(&q.exchange);
		for (int k = 0; k < FAKES; k++)
			asked[k] += f.fake[k].queries - before[k];
	}
	assert_true(f.stats.v[AGENT_STAT_HEALTHCHECK_BROKEN] >= 60);
	for (int k = 0; k < FAKES; k++)
		assert_true(asked[k] > 3);
	for (int k = 0; k < FAKES; k++)
		f.fake[k].behaviour = FAKE_ANSWERS;
	ask(&f, group, &q);
	assert_true(q.answered);
	fixture_close(&f);
}

static void test_max_connect_attempts(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group;
	char text[256];
	struct question q;

	(void)state;
	for (unsigned int most = 1; most <= 3; most++) {
		snprintf(text, sizeof(text),
			 ".:53 {\n forward . %%1 %%2 %%3 {\n policy sequential\n"
			 " max_connect_attempts %u\n}\n}\n",
			 most);
		group = open_group(&f, text);
		fake_close(&f.fake[0]);
		f.fake[1].behaviour = FAKE_SILENT;
		ask(&f, group, &q);
		assert_int_equal(q.answered, most == 3);
		assert_int_equal(f.fake[1].queries, most > 1);
		assert_int_equal(f.fake[2].queries, most > 2);
		fixture_close(&f);
	}
}

/* An answer that another one is to be preferred to: asked elsewhere, once each; the last one
 * counts. */
static void test_failover(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group =
		open_group(&f, ".:53 {\n forward . %1 %2 %3 {\n policy sequential\n"
			       " failover SERVFAIL\n}\n}\n");
	struct question q;

	(void)state;
	f.fake[0].behaviour = FAKE_SERVFAIL;
	ask(&f, group, &q); /* asked twice: it has not shown that it knows OPT */
	assert_int_equal(q.verdict, VERDICT_POSITIVE);
	assert_int_equal(f.fake[1].queries, 1);
	assert_int_equal(f.fake[2].queries, 0);
	f.fake[1].behaviour = f.fake[2].behaviour = FAKE_SERVFAIL;
	ask(&f, group, &q);
	assert_int_equal(q.verdict, VERDICT_SERVFAIL);
	assert_true(f.fake[2].queries >= 1);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAMS_DOWN], 0);
	/* The others say nothing: then it is the answer, and soon. */
	f.fake[1].behaviour = f.fake[2].behaviour = FAKE_SILENT;
	ask(&f, group, &q);
	assert_int_equal(q.verdict, VERDICT_SERVFAIL);
	/* Other rcodes are answers. */
	f.fake[0].behaviour = FAKE_FORMERR;
	ask(&f, group, &q);
	assert_int_equal(q.flags & DNS_RCODE, DNS_FORMERR);
	fixture_close(&f);
}

/* Each forward has its own. */
static void test_read_timeout(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *fast = open_group(
		&f, "fast:53 {\n forward . %1 %2 {\n read_timeout 100ms\n policy sequential\n}\n}\n"
		    "slow:53 {\n forward . %1 %2 {\n read_timeout 600ms\n policy sequential\n"
		    " max_fails 0\n}\n}\n");
	struct upstream_group *slow = open_more(&f, 1);
	struct question a, b;
	uint64_t begin = f.v.now_ns;

	(void)state;
	f.fake[0].behaviour = FAKE_SILENT;
	question_set(&f, &b, "www.example.");
	assert_int_equal(exchange__start(slow, &b.exchange, begin), 0);
	question_set(&f, &a, "www.example.");
	assert_int_equal(exchange__start(fast, &a.exchange, begin), 0);
	assert_true(fixture_run(&f, &a.done, 1));
	assert_true(a.answered);
	assert_in_range(a.ended_ns - begin, 100 * NSEC_PER_MS, 300 * NSEC_PER_MS);
	assert_int_equal(b.done, 0);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_TIMEOUTS], 1);
	assert_true(fixture_run(&f, &b.done, 1));
	assert_true(b.answered);
	fixture_close(&f);
}

static void test_source_address(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group =
		open_group(&f, ".:53 {\n forward . %1 {\n source_address 127.0.0.7\n}\n}\n");
	struct question q;

	(void)state;
	for (int i = 0; i < 100; i++) {
		ask(&f, group, &q);
		assert_true(q.answered);
		assert_int_equal(f.fake[0].last_addr, 0x7f000007);
	}
	assert_true(f.fake[0].n_ports > 95);
	upstreams__probe(f.ups);
	fixture_close(&f);
	/* One that is not this machine's: nobody is reached, and that is said. */
	group = open_group(&f, ".:53 {\n forward . %1 {\n source_address 192.0.2.1\n}\n}\n");
	ask(&f, group, &q);
	assert_false(q.answered);
	assert_non_null(strstr(q.error, "annot assign requested address"));
	fixture_close(&f);
}

static void test_max_fails_0(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(
		&f, ".:53 {\n forward . %1 %2 {\n max_fails 0\n policy sequential\n}\n}\n");
	struct question q;

	(void)state;
	f.fake[0].behaviour = FAKE_SILENT;
	for (unsigned int i = 1; i <= 6; i++) {
		ask(&f, group, &q);
		assert_true(q.answered);
		assert_int_equal(f.fake[0].queries, i);
	}
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAMS_DOWN], 0);
	assert_int_equal(f.fake[0].probes, 0);
	fixture_close(&f);
}

/* What a probe asks. */
static void test_health_check_options(void **state)
{
	static const struct {
		const char *options, *domain;
		bool rd;
	} cases[] = {
		{ "0.5s", ".", true },
		{ "0.5s no_rec", ".", false },
		{ "0.5s domain health.example", "health.example.", true },
		{ "0.5s no_rec domain health.example", "health.example.", false },
	};
	struct upstream_fixture f;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), ".:53 {\n forward . %%1 {\n health_check %s\n}\n}\n",
			 cases[i].options);
		open_group(&f, text);
		assert_int_equal(dns_name__from_text(&f.fake[0].probe_name, cases[i].domain), 0);
		upstreams__probe(f.ups);
		assert_true(fixture_run(&f, &f.fake[0].probes, 1));
		assert_int_equal(f.fake[0].queries, 0);
		assert_int_equal(f.fake[0].last_probe[2] & 1, cases[i].rd);
		fixture_close(&f);
	}
}

/* How often a dead upstream is asked whether it lives. */
static void test_health_check_interval(void **state)
{
	static const char *const intervals[] = { "100ms", "1s" };
	unsigned int probes[2];
	struct upstream_fixture f;
	struct upstream_group *group;
	char text[256];
	struct question q;

	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
			 ".:53 {\n forward . %%1 {\n max_fails 1\n health_check %s\n}\n}\n",
			 intervals[i]);
		group = open_group(&f, text);
		fake_close(&f.fake[0]); /* each probe fails at once */
		ask(&f, group, &q);
		f.stats.v[AGENT_STAT_UPSTREAM_PROBES] = 0;
		fixture_run_for(&f, 2200);
		probes[i] = f.stats.v[AGENT_STAT_UPSTREAM_PROBES];
		fixture_close(&f);
	}
	assert_in_range(probes[1], 1, 4);
	assert_true(probes[0] > 2 * probes[1]);
}

static void test_reasons(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group =
		open_group(&f, ".:53 {\n forward . %1 {\n max_concurrent 1\n}\n}\n");
	char to[64];
	struct question q, second;

	(void)state;
	snprintf(to, sizeof(to), "->127.0.0.1:%u: ", f.fake[0].port);
	f.fake[0].behaviour = FAKE_SILENT;
	ask(&f, group, &q);
	assert_ptr_equal(strstr(q.error, "read udp 127.0.0.1:"), q.error);
	assert_non_null(strstr(q.error, to));
	assert_string_equal(strstr(q.error, to) + strlen(to), "i/o timeout");
	f.fake[0].behaviour = FAKE_BROKEN;
	ask(&f, group, &q);
	assert_string_equal(strstr(q.error, to) + strlen(to), "malformed message");

	question_set(&f, &q, "www.example.");
	question_set(&f, &second, "www.example.");
	f.fake[0].behaviour = FAKE_SILENT;
	assert_int_equal(exchange__start(group, &q.exchange, f.v.now_ns), 0);
	assert_int_equal(exchange__start(group, &second.exchange, f.v.now_ns), -EBUSY);
	assert_string_equal(second.exchange.error, "concurrent queries exceeded maximum 1");
	assert_int_equal(f.stats.v[AGENT_STAT_MAX_CONCURRENT], 1);
	exchange__cancel(&q.exchange);

	fake_close(&f.fake[0]);
	ask(&f, group, &q);
	assert_string_equal(strstr(q.error, to) + strlen(to), "read: connection refused");
	fixture_close(&f);
}

/* TCP, where nobody listens: that much CoreDNS says, too. */
static void test_reason_of_tcp(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group =
		open_group(&f, ".:53 {\n forward . %1 {\n force_tcp\n}\n}\n");
	char want[96];
	struct question q;

	(void)state;
	ask(&f, group, &q);
	snprintf(want, sizeof(want), "dial tcp 127.0.0.1:%u: connect: connection refused",
		 f.fake[0].port);
	assert_string_equal(q.error, want);
	fixture_close(&f);
}

/* A lost query is asked for elsewhere within half a second, also where the usual time is long. */
static void test_a_lost_query_goes_elsewhere(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = NULL;
	struct question q;
	uint64_t begin;

	(void)state;
	for (int slow = 0; slow < 2; slow++) {
		assert_int_equal(fixture_open(&f, ".:53 {\n forward . %1 %2 " SEQUENTIAL "\n}\n",
					      FORWARD_READ_NS, UPSTREAM_DEADLINE_NS),
				 0);
		group = open_more(&f, 0);
		f.fake[0].behaviour = FAKE_SLOW;
		if (slow)
			ask(&f, group, &q);
		f.fake[0].behaviour = FAKE_SILENT;
		begin = f.v.now_ns;
		ask(&f, group, &q);
		assert_true(q.answered);
		assert_true(q.ended_ns - begin < 900 * NSEC_PER_MS);
		assert_int_equal(f.fake[1].queries, 1);
		assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_RESENT], 1);
		fixture_close(&f);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failfast),
		cmocka_unit_test(test_all_down_one_is_asked),
		cmocka_unit_test(test_max_connect_attempts),
		cmocka_unit_test(test_failover),
		cmocka_unit_test(test_read_timeout),
		cmocka_unit_test(test_source_address),
		cmocka_unit_test(test_max_fails_0),
		cmocka_unit_test(test_health_check_options),
		cmocka_unit_test(test_health_check_interval),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_reason_of_tcp),
		cmocka_unit_test(test_a_lost_query_goes_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
