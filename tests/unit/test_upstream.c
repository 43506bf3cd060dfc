// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Exchanges with upstreams that answer, are silent or closed; forgeries: test_upstream_forgery.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "upstream/upstream_priv.h"
#include "upstream_questions.h"

static void test_answer(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	struct question q;

	(void)state;
	assert_false(upstreams__answered(f.ups, NULL));
	ask(&f, group, &q);
	assert_true(q.answered);
	assert_int_equal(q.verdict, VERDICT_POSITIVE);
	assert_true(upstreams__answered(f.ups, NULL));
	assert_int_equal(f.stats.v[AGENT_STAT_EXCHANGES], 1);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_UDP], 1);
	assert_int_equal(f.stats.v[AGENT_STAT_IN_FLIGHT], 0);
	fixture_close(&f);
}

static void test_silence_leads_to_the_next(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group =
		open_group(&f, ".:53 {\n forward . %1 %2 " SEQUENTIAL "\n}\n");
	uint64_t begin = f.v.now_ns;
	struct question q;

	(void)state;
	f.fake[0].behaviour = FAKE_SILENT;
	ask(&f, group, &q);
	assert_true(q.answered);
	assert_true(q.ended_ns - begin >= READ_NS);
	assert_int_equal(f.fake[1].queries, 1);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_TIMEOUTS], 1);
	/* The second failure in a row: from now on the other is asked first. */
	ask(&f, group, &q);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAMS_DOWN], 1);
	begin = f.v.now_ns;
	ask(&f, group, &q);
	assert_true(q.answered);
	assert_true(q.ended_ns - begin < READ_NS / 2);
	assert_int_equal(f.fake[0].queries, 2);
	/* A probe finds it back. */
	f.fake[0].behaviour = FAKE_ANSWERS;
	fixture_run_for(&f, 1200);
	assert_true(f.fake[0].probes > 0);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAMS_DOWN], 0);
	assert_int_equal(f.came_up, f.went_down);
	ask(&f, group, &q);
	assert_int_equal(f.fake[0].queries, 3);
	fixture_close(&f);
}

static void test_all_silent(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1 %2\n}\n");
	uint64_t begin = f.v.now_ns;
	struct question q;

	(void)state;
	f.fake[0].behaviour = f.fake[1].behaviour = FAKE_SILENT;
	ask(&f, group, &q);
	assert_false(q.answered);
	assert_true(q.ended_ns - begin >= DEADLINE_NS);
	assert_true(q.ended_ns - begin < DEADLINE_NS + 300 * NSEC_PER_MS);
	assert_int_equal(f.stats.v[AGENT_STAT_IN_FLIGHT], 0);
	fixture_close(&f);
}

/* An upstream that answered fast before is not waited for until it has failed. */
static void test_a_lost_query_is_sent_again(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = NULL;
	struct question q;
	uint64_t begin;

	(void)state;
	assert_int_equal(fixture_open(&f, ".:53 {\n forward . %1 %2 " SEQUENTIAL "\n}\n",
				      FORWARD_READ_NS, UPSTREAM_DEADLINE_NS),
			 0);
	assert_int_equal(
		upstream_group__open(f.ups, &f.cf->blocks[0].forwards[0], &group, &no_error), 0);
	ask(&f, group, &q);
	f.fake[0].behaviour = FAKE_SILENT;
	begin = f.v.now_ns;
	ask(&f, group, &q);
	assert_true(q.answered);
	assert_true(q.ended_ns - begin >= 380 * NSEC_PER_MS);
	assert_true(q.ended_ns - begin < 900 * NSEC_PER_MS);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_RESENT], 1);
	fixture_close(&f);
}

/* The next one is asked at once; where all refuse, each of them again and again until time is up.
 */
static void test_closed_ports(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group =
		open_group(&f, ".:53 {\n forward . %1 %2 %3 " SEQUENTIAL "\n}\n");
	uint64_t begin = f.v.now_ns;
	struct question q;

	(void)state;
	fake_close(&f.fake[0]);
	ask(&f, group, &q);
	assert_true(q.answered);
	assert_true(q.ended_ns - begin < READ_NS);
	assert_int_equal(f.fake[1].queries, 1);
	fake_close(&f.fake[1]);
	fake_close(&f.fake[2]);
	begin = f.v.now_ns;
	ask(&f, group, &q);
	assert_false(q.answered);
	assert_true(q.ended_ns - begin >= DEADLINE_NS);
	assert_true(q.ended_ns - begin < DEADLINE_NS + 300 * NSEC_PER_MS);
	assert_non_null(strstr(q.error, "connection refused"));
	/* 10 ms, 20, 40 ... 400: not a flood. */
	assert_in_range(f.stats.v[AGENT_STAT_UPSTREAM_UDP] - f.stats.v[AGENT_STAT_UPSTREAM_PROBES],
			1 + 6, 2 + 30);
	fixture_close(&f);
}

/* One that is restarted: nobody's question is lost, whether or not another one is known. */
static void test_an_upstream_that_is_away_for_a_moment(void **state)
{
	enum { MANY = 40 };
	struct upstream_fixture f;
	struct upstream_group *group;
	struct question *q = calloc(MANY, sizeof(*q));

	(void)state;
	assert_int_equal(fixture_open(&f, ".:53 {\n forward . %1\n}\n", FORWARD_READ_NS,
				      UPSTREAM_DEADLINE_NS),
			 0);
	group = open_more(&f, 0);
	fake_close(&f.fake[0]);
	for (int i = 0; i < MANY; i++) {
		question_set(&f, &q[i], "www.example.");
		assert_int_equal(exchange__start(group, &q[i].exchange, f.v.now_ns), 0);
		fixture_run_for(&f, 700 / MANY);
	}
	assert_int_equal(fake_reopen(&f.fake[0]), 0);
	fixture_run_for(&f, 500);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(q[i].done, 1);
		assert_true(q[i].answered);
	}
	fixture_close(&f);
	free(q);
}

static void test_a_broken_answer_leads_to_the_next(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group =
		open_group(&f, ".:53 {\n forward . %1 %2 " SEQUENTIAL "\n}\n");
	struct question q;

	(void)state;
	f.fake[0].behaviour = FAKE_BROKEN;
	for (int i = 0; i < 5; i++) {
		ask(&f, group, &q);
		assert_true(q.answered);
	}
	assert_int_equal(f.fake[0].queries, 5);
	assert_int_equal(f.fake[1].queries, 5);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAMS_DOWN], 0);
	fixture_close(&f);
}

/* SERVFAIL is an answer; nobody else is asked. */
static void test_servfail_is_passed_on(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group =
		open_group(&f, ".:53 {\n forward . %1 %2 " SEQUENTIAL "\n}\n");
	struct question q;

	(void)state;
	f.fake[0].behaviour = FAKE_SERVFAIL;
	ask(&f, group, &q);
	assert_true(q.answered);
	assert_int_equal(q.verdict, VERDICT_SERVFAIL);
	assert_int_equal(f.fake[1].queries, 0);
	fixture_close(&f);
}

/*
 * The fakes have no TCP, a closed port there: what they sent is handed on, and says that it is not
 * whole.
 */
static void test_truncation_without_tcp(void **state)
{
	static const struct {
		enum behaviour kind;
		enum verdict verdict;
		unsigned int records;
		bool tc;
	} cases[] = {
		{ FAKE_TRUNCATES, VERDICT_PASS, 1, true },
		{ FAKE_CUT, VERDICT_PASS, 0, true },
		{ FAKE_SHORT, VERDICT_PASS, 1, true },
		{ FAKE_NO_OPT, VERDICT_POSITIVE, 1, false },
	};
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	struct question q;

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f.fake[0].behaviour = cases[i].kind;
		ask(&f, group, &q);
		assert_true(q.answered);
		assert_int_equal(q.verdict, cases[i].verdict);
		assert_int_equal(q.records, cases[i].records);
		assert_int_equal(!!(q.flags & DNS_TC), cases[i].tc);
		assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_TRUNCATED], i + 1);
		assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_TCP], i + 1);
	}
	fixture_close(&f);
}

/* A reply without its question tells of the upstream: waiting for more helps nobody. */
static void test_a_header_alone(void **state)
{
	static const struct {
		uint16_t flags;
		bool answered;
		enum verdict verdict;
	} cases[] = {
		{ DNS_QR | DNS_REFUSED, true, VERDICT_PASS },
		{ DNS_QR | DNS_RA | DNS_SERVFAIL, true, VERDICT_SERVFAIL },
		{ DNS_QR | DNS_NOTIMP, true, VERDICT_SERVFAIL },
		{ DNS_QR | DNS_FORMERR, true, VERDICT_PASS },
		{ DNS_QR | DNS_NXDOMAIN, false, 0 }, /* of which name? */
		{ DNS_QR, false, 0 },
		{ DNS_REFUSED, false, 0 },		      /* a query */
		{ DNS_QR | 5 << 11 | DNS_REFUSED, false, 0 }, /* of an UPDATE */
	};
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	struct question q;

	(void)state;
	f.fake[0].behaviour = FAKE_HEADER;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t begin = f.v.now_ns;

		f.fake[0].header_flags = cases[i].flags;
		ask(&f, group, &q);
		assert_int_equal(q.answered, cases[i].answered);
		if (!q.answered)
			continue;
		assert_true(q.ended_ns - begin < READ_NS);
		assert_int_equal(q.verdict, cases[i].verdict);
		assert_int_equal(q.flags & DNS_RCODE, cases[i].flags & DNS_RCODE);
	}
	/* Its own question is what TCP is for. */
	f.stats.v[AGENT_STAT_UPSTREAM_TCP] = 0;
	f.fake[0].header_flags = DNS_QR | DNS_TC;
	ask(&f, group, &q);
	assert_false(q.answered);
	assert_true(f.stats.v[AGENT_STAT_UPSTREAM_TCP] >= 1);
	fixture_close(&f);
}

static void test_policies(void **state)
{
	static const struct {
		const char *text;
		unsigned int least, most; /* of 90 queries, at each */
	} cases[] = {
		{ ".:53 {\n forward . %1 %2 %3 {\n policy round_robin\n}\n}\n", 30, 30 },
		{ ".:53 {\n forward . %1 %2 %3 {\n policy random\n}\n}\n", 10, 60 },
	};
	struct upstream_group *group;
	struct upstream_fixture f;
	struct question q;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		group = open_group(&f, cases[i].text);
		for (int n = 0; n < 90; n++)
			ask(&f, group, &q);
		for (int k = 0; k < FAKES; k++)
			assert_in_range(f.fake[k].queries, cases[i].least, cases[i].most);
		fixture_close(&f);
	}
}

static void test_max_concurrent(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group =
		open_group(&f, ".:53 {\n forward . %1 {\n max_concurrent 2\n}\n}\n");
	struct question q[3];

	(void)state;
	f.fake[0].behaviour = FAKE_SILENT;
	for (int i = 0; i < 3; i++)
		question_set(&f, &q[i], "www.example.");
	assert_int_equal(exchange__start(group, &q[0].exchange, f.v.now_ns), 0);
	assert_int_equal(exchange__start(group, &q[1].exchange, f.v.now_ns), 0);
	assert_int_equal(exchange__start(group, &q[2].exchange, f.v.now_ns), -EBUSY);
	assert_int_equal(f.stats.v[AGENT_STAT_IN_FLIGHT], 2);
	exchange__cancel(&q[0].exchange);
	assert_int_equal(exchange__start(group, &q[2].exchange, f.v.now_ns), 0);
	exchange__cancel(&q[1].exchange);
	exchange__cancel(&q[2].exchange);
	assert_int_equal(f.stats.v[AGENT_STAT_IN_FLIGHT], 0);
	fixture_run_for(&f, 50);
	assert_int_equal(q[0].done + q[1].done + q[2].done, 0);
	fixture_close(&f);
}

/* Whoever waits for an upstream when it is given up is moved on, each exactly once. */
static void test_many_waiting_when_one_dies(void **state)
{
	enum { MANY = 300 };
	struct upstream_fixture f;
	struct upstream_group *group = NULL;
	struct question *q = calloc(MANY, sizeof(*q));
	uint64_t begin;

	(void)state;
	assert_int_equal(fixture_open(&f, ".:53 {\n forward . %1 %2 " SEQUENTIAL "\n}\n",
				      FORWARD_READ_NS, UPSTREAM_DEADLINE_NS),
			 0);
	assert_int_equal(
		upstream_group__open(f.ups, &f.cf->blocks[0].forwards[0], &group, &no_error), 0);
	f.fake[0].behaviour = FAKE_SILENT;
	begin = f.v.now_ns;
	for (int i = 0; i < MANY; i++) {
		question_set(&f, &q[i], "www.example.");
		assert_int_equal(exchange__start(group, &q[i].exchange, f.v.now_ns), 0);
	}
	for (int i = 0; i < MANY; i++) {
		assert_true(fixture_run(&f, &q[i].done, 1));
		assert_true(q[i].answered);
	}
	assert_true(f.v.now_ns - begin < FORWARD_READ_NS + 2 * NSEC_PER_SEC);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(q[i].done, 1);
	assert_int_equal(f.stats.v[AGENT_STAT_IN_FLIGHT], 0);
	fixture_close(&f);
	free(q);
}

/*
 * Whoever waits for an upstream when it is taken for dead moves on at once, not at the time at
 * which the query would be sent once more anyway: of the two queries one is.
 */
static void test_who_waits_moves_on(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = NULL;
	struct question q[2];

	(void)state;
	assert_int_equal(
		fixture_open(
			&f, ".:53 {\n forward . %1 %2 {\n policy sequential\n max_fails 1\n }\n}\n",
			FORWARD_READ_NS, UPSTREAM_DEADLINE_NS),
		0);
	assert_int_equal(
		upstream_group__open(f.ups, &f.cf->blocks[0].forwards[0], &group, &no_error), 0);
	f.fake[0].behaviour = FAKE_SILENT;
	for (int i = 0; i < 2; i++) {
		question_set(&f, &q[i], "www.example.");
		assert_int_equal(exchange__start(group, &q[i].exchange, f.v.now_ns), 0);
		if (!i)
			fixture_run_for(&f, 100);
	}
	for (int i = 0; i < 2; i++) {
		assert_true(fixture_run(&f, &q[i].done, 1));
		assert_true(q[i].answered);
	}
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_RESENT], 1);
	fixture_close(&f);
}

static void test_probe(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1 %2\n}\n");

	(void)state;
	(void)group;
	f.fake[0].behaviour = FAKE_SILENT;
	f.fake[1].behaviour = FAKE_SERVFAIL; /* that, too, is an answer */
	upstreams__probe(f.ups);
	upstreams__probe(f.ups); /* one at a time */
	fixture_run_for(&f, 50);
	assert_true(upstreams__answered(f.ups, NULL));
	assert_int_equal(f.fake[0].probes, 1);
	assert_int_equal(f.fake[1].probes, 1);
	assert_int_equal(f.stats.v[AGENT_STAT_EXCHANGES], 0);
	assert_int_equal(f.stats.v[AGENT_STAT_IN_FLIGHT], 0);
	fixture_close(&f); /* with a probe under way */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_silence_leads_to_the_next),
		cmocka_unit_test(test_all_silent),
		cmocka_unit_test(test_a_lost_query_is_sent_again),
		cmocka_unit_test(test_closed_ports),
		cmocka_unit_test(test_an_upstream_that_is_away_for_a_moment),
		cmocka_unit_test(test_a_broken_answer_leads_to_the_next),
		cmocka_unit_test(test_servfail_is_passed_on),
		cmocka_unit_test(test_truncation_without_tcp),
		cmocka_unit_test(test_a_header_alone),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_max_concurrent),
		cmocka_unit_test(test_many_waiting_when_one_dies),
		cmocka_unit_test(test_who_waits_moves_on),
		cmocka_unit_test(test_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
