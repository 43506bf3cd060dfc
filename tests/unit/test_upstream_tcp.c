// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Upstreams over TCP: kept connections, and peers that close, stall and answer in any order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "observe/metrics.h"
#include "stream_fixture.h"

#define FORCE_TCP ".:53 {\n forward . %1 {\n force_tcp\n}\n}\n"

static struct upstream_group *open_tcp(struct upstream_fixture *f, struct stream_fake *tcp,
				       const char *text)
{
	struct upstream_group *group = NULL;

	assert_int_equal(fixture_open(f, text, FORWARD_READ_NS, UPSTREAM_DEADLINE_NS), 0);
	group = open_more(f, 0);
	stream_fake_open(tcp, f->v.loop.events, f->fake[0].port);
	return group;
}

static void close_tcp(struct upstream_fixture *f, struct stream_fake *tcp)
{
	assert_int_equal(f->stats.v[AGENT_STAT_IN_FLIGHT], 0);
	stream_fake_close(tcp);
	fixture_close(f);
}

/* force_tcp wins over prefer_udp; the connection is kept and serves again. */
static void test_force_tcp_keeps_one_connection(void **state)
{
	struct upstream_stats m;
	struct upstream_fixture f;
	struct stream_fake tcp;
	struct upstream_group *group =
		open_tcp(&f, &tcp, ".:53 {\n forward . %1 {\n prefer_udp\n force_tcp\n}\n}\n");
	struct question q;

	(void)state;
	for (int i = 0; i < 5; i++) {
		ask(&f, group, &q);
		assert_true(q.answered);
	}
	assert_int_equal(f.fake[0].queries, 0);
	assert_int_equal(tcp.queries, 5);
	assert_int_equal(tcp.connections, 1);
	assert_true(upstreams__metrics(f.ups, 0, &m));
	assert_int_equal(m.conn_cache_misses[UPSTREAM_TCP], 1);
	assert_int_equal(m.conn_cache_hits[UPSTREAM_TCP], 4);
	close_tcp(&f, &tcp);
}

static void test_idle_connections_expire(void **state)
{
	struct upstream_fixture f;
	struct stream_fake tcp;
	struct upstream_group *group =
		open_tcp(&f, &tcp, ".:53 {\n forward . %1 {\n force_tcp\n expire 1s\n}\n}\n");
	struct question q;

	(void)state;
	ask(&f, group, &q);
	assert_int_equal(tcp.open, 1);
	for (int i = 0; tcp.open && i < 50; i++)
		fixture_run_for(&f, 100);
	assert_int_equal(tcp.open, 0);
	ask(&f, group, &q);
	assert_true(q.answered);
	assert_int_equal(tcp.connections, 2);
	close_tcp(&f, &tcp);
}

/* In use all the time or not: there is a new one after a while. */
static void test_connections_grow_old(void **state)
{
	struct upstream_fixture f;
	struct stream_fake tcp;
	struct upstream_group *group = open_tcp(
		&f, &tcp,
		".:53 {\n forward . %1 {\n force_tcp\n expire 200ms\n max_age 200ms\n}\n}\n");
	uint64_t begin = f.v.now_ns;
	struct question q;

	(void)state;
	do {
		ask(&f, group, &q);
		assert_true(q.answered);
		fixture_run_for(&f, 20);
	} while (f.v.now_ns - begin < NSEC_PER_SEC);
	assert_in_range(tcp.connections, 3, 6);
	assert_int_equal(tcp.open, 1);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_ERRORS], 0);
	close_tcp(&f, &tcp);
}

/* So many that 64 queries on each do not do, and then none of them needs one. */
static void test_max_idle_conns(void **state)
{
	enum { MANY = 300 };
	struct upstream_fixture f;
	struct stream_fake tcp;
	struct upstream_group *group = open_tcp(
		&f, &tcp, ".:53 {\n forward . %1 {\n force_tcp\n max_idle_conns 2\n}\n}\n");
	struct question *q = calloc(MANY, sizeof(*q));

	(void)state;
	for (int i = 0; i < MANY; i++) {
		question_set(&f, &q[i], "www.example.");
		assert_int_equal(exchange__start(group, &q[i].exchange, f.v.now_ns), 0);
	}
	for (int i = 0; i < MANY; i++)
		assert_true(fixture_run(&f, &q[i].done, 1) && q[i].answered);
	fixture_run_for(&f, 50);
	assert_true(tcp.connections >= 4);
	assert_int_equal(tcp.open, 2);
	close_tcp(&f, &tcp);
	free(q);
}

static void test_answers_out_of_order(void **state)
{
	struct upstream_fixture f;
	struct stream_fake tcp;
	struct upstream_group *group = open_tcp(&f, &tcp, FORCE_TCP);
	struct question a, b;

	(void)state;
	tcp.behaviour = STREAM_TWO_REVERSED;
	question_set(&f, &a, "a.example.");
	question_set(&f, &b, "b.example.");
	assert_int_equal(exchange__start(group, &a.exchange, f.v.now_ns), 0);
	assert_int_equal(exchange__start(group, &b.exchange, f.v.now_ns), 0);
	assert_true(fixture_run(&f, &a.done, 1));
	assert_true(a.answered && b.answered);
	assert_true(b.ended_ns <= a.ended_ns);
	assert_int_equal(tcp.connections, 1);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_MISMATCHES], 0);
	close_tcp(&f, &tcp);
}

/* A late answer to a query that was given up finds no other with its ID on that connection. */
static void test_ids_are_not_used_again(void **state)
{
	struct upstream_fixture f;
	struct stream_fake tcp;
	struct upstream_group *group = open_tcp(&f, &tcp, FORCE_TCP);
	struct question q;

	(void)state;
	for (int i = 0; i < 2000; i++)
		ask(&f, group, &q);
	assert_int_equal(tcp.connections, 1);
	assert_int_equal(tcp.queries, 2000);
	assert_int_equal(tcp.ids_again, 0);
	close_tcp(&f, &tcp);
}

/* A kept connection that was closed meanwhile costs nothing; of fresh ones more are made. */
static void test_closed_connections(void **state)
{
	struct upstream_fixture f;
	struct stream_fake tcp;
	struct upstream_group *group = open_tcp(&f, &tcp, FORCE_TCP);
	struct question q;
	uint64_t begin;

	(void)state;
	tcp.behaviour = STREAM_ONCE;
	for (int i = 0; i < 20; i++) {
		ask(&f, group, &q);
		assert_true(q.answered);
	}
	assert_int_equal(tcp.queries, 20);
	tcp.behaviour = STREAM_CLOSES;
	begin = f.v.now_ns;
	ask(&f, group, &q);
	assert_false(q.answered);
	assert_in_range(q.ended_ns - begin, 5 * NSEC_PER_SEC, 5001 * NSEC_PER_MS);
	assert_non_null(strstr(q.error, "read tcp 127.0.0.1:"));
	assert_non_null(strstr(q.error, "EOF"));
	close_tcp(&f, &tcp);
}

/* Behind one address there may be several, one of which has just died. */
static void test_fresh_connections_that_end(void **state)
{
	static const enum stream_behaviour kinds[] = { STREAM_CLOSES_THRICE, STREAM_RESETS_THRICE };
	struct upstream_fixture f;
	struct stream_fake tcp;
	struct question q;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct upstream_group *group = open_tcp(&f, &tcp, FORCE_TCP);
		uint64_t begin = f.v.now_ns;

		tcp.behaviour = kinds[i];
		ask(&f, group, &q);
		assert_true(q.answered);
		assert_int_equal(tcp.connections, 4);
		assert_true(q.ended_ns - begin < 400 * NSEC_PER_MS);
		close_tcp(&f, &tcp);
	}
}

/* Nobody listens for a moment. */
static void test_an_upstream_that_is_away_for_a_moment(void **state)
{
	struct upstream_fixture f;
	struct stream_fake tcp;
	struct upstream_group *group = open_tcp(&f, &tcp, FORCE_TCP);
	struct question q[8];

	(void)state;
	stream_fake_close(&tcp);
	for (int i = 0; i < 8; i++) {
		question_set(&f, &q[i], "www.example.");
		assert_int_equal(exchange__start(group, &q[i].exchange, f.v.now_ns), 0);
		fixture_run_for(&f, 80);
		assert_int_equal(q[i].done, 0);
	}
	stream_fake_open(&tcp, f.v.loop.events, f.fake[0].port);
	fixture_run_for(&f, 500);
	for (int i = 0; i < 8; i++)
		assert_true(q[i].done == 1 && q[i].answered);
	close_tcp(&f, &tcp);
}

static void test_cut_within_an_answer(void **state)
{
	struct upstream_fixture f;
	struct stream_fake tcp;
	struct upstream_group *group = open_tcp(
		&f, &tcp, ".:53 {\n forward . %1 %2 {\n force_tcp\n policy sequential\n}\n}\n");
	struct stream_fake other;
	struct question q;
	uint64_t begin;

	(void)state;
	stream_fake_open(&other, f.v.loop.events, f.fake[1].port);
	tcp.behaviour = STREAM_CUT;
	ask(&f, group, &q);
	assert_true(q.answered);
	assert_int_equal(tcp.queries, 1);
	assert_int_equal(other.queries, 1);
	/* without another one it is asked again, as long as there is time */
	stream_fake_close(&other);
	stream_fake_open(&other, f.v.loop.events, f.fake[1].port);
	other.behaviour = STREAM_CUT;
	begin = f.v.now_ns;
	ask(&f, group, &q);
	assert_false(q.answered);
	assert_in_range(q.ended_ns - begin, 5 * NSEC_PER_SEC, 5001 * NSEC_PER_MS);
	stream_fake_close(&other);
	close_tcp(&f, &tcp);
}

/* The path died without a word: others find a new connection, and whoever waits is asked for again.
 */
static void test_a_silent_connection_is_left(void **state)
{
	struct upstream_fixture f;
	struct stream_fake tcp;
	struct upstream_group *group = open_tcp(&f, &tcp, FORCE_TCP);
	uint64_t begin = f.v.now_ns;
	struct question q;

	(void)state;
	tcp.behaviour = STREAM_SILENT_FIRST;
	ask(&f, group, &q);
	assert_true(q.answered);
	assert_true(q.ended_ns - begin < FORWARD_READ_NS);
	assert_int_equal(tcp.connections, 2);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_RESENT], 1);
	ask(&f, group, &q);
	assert_true(q.answered);
	assert_int_equal(tcp.connections, 2);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_RESENT], 1);
	close_tcp(&f, &tcp);
}

static void test_wrong_question_and_truncation(void **state)
{
	struct upstream_fixture f;
	struct stream_fake tcp;
	struct upstream_group *group = open_tcp(&f, &tcp, FORCE_TCP);
	struct question q;

	(void)state;
	tcp.behaviour = STREAM_TRUNCATES;
	ask(&f, group, &q);
	assert_true(q.answered);
	assert_int_equal(q.verdict, VERDICT_PASS);
	assert_int_equal(q.flags & DNS_TC, DNS_TC);
	tcp.behaviour = STREAM_WRONG_QUESTION;
	question_set(&f, &q, "www.example.");
	assert_int_equal(exchange__start(group, &q.exchange, f.v.now_ns), 0);
	fixture_run_for(&f, 300);
	assert_int_equal(q.done, 0);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_MISMATCHES], 1);
	exchange__cancel(&q.exchange);
	close_tcp(&f, &tcp);
}

/* UDP first, and TCP for the one answer that did not fit, whether or not it says so. */
static void test_truncation_over_udp(void **state)
{
	static const enum behaviour kinds[] = { FAKE_TRUNCATES, FAKE_CUT, FAKE_SHORT, FAKE_NO_OPT };
	struct upstream_fixture f;
	struct stream_fake tcp;
	struct upstream_group *group = open_tcp(&f, &tcp, ".:53 {\n forward . %1\n}\n");
	struct question q;

	(void)state;
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		f.fake[0].behaviour = kinds[i];
		ask(&f, group, &q);
		assert_true(q.answered);
		assert_int_equal(q.verdict, VERDICT_POSITIVE);
		assert_int_equal(q.flags & DNS_TC, 0);
		assert_int_equal(f.fake[0].queries, i + 1);
		assert_int_equal(tcp.queries, i + 1);
	}
	/* Where TCP says no more than UDP, that is what there is. */
	tcp.behaviour = STREAM_SHORT;
	f.fake[0].behaviour = FAKE_SHORT;
	ask(&f, group, &q);
	assert_true(q.answered);
	assert_int_equal(q.verdict, VERDICT_PASS);
	assert_int_equal(q.records, 1);
	close_tcp(&f, &tcp);
}

static void test_without_opt_over_tcp(void **state)
{
	struct upstream_fixture f;
	struct stream_fake tcp;
	struct upstream_group *group = open_tcp(&f, &tcp, FORCE_TCP);
	struct question q;

	(void)state;
	tcp.behaviour = STREAM_NO_EDNS;
	for (unsigned int i = 2; i <= 4; i++) {
		ask(&f, group, &q);
		assert_int_equal(q.verdict, VERDICT_POSITIVE);
		assert_int_equal(tcp.queries, i);
	}
	close_tcp(&f, &tcp);
}

/* Probes go the way of the queries. */
static void test_probes_over_tcp(void **state)
{
	struct upstream_fixture f;
	struct stream_fake tcp;

	(void)state;
	open_tcp(&f, &tcp, FORCE_TCP);
	upstreams__probe(f.ups);
	assert_true(fixture_run(&f, &tcp.probes, 1));
	assert_int_equal(f.fake[0].probes, 0);
	close_tcp(&f, &tcp);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_force_tcp_keeps_one_connection),
		cmocka_unit_test(test_idle_connections_expire),
		cmocka_unit_test(test_connections_grow_old),
		cmocka_unit_test(test_max_idle_conns),
		cmocka_unit_test(test_answers_out_of_order),
		cmocka_unit_test(test_ids_are_not_used_again),
		cmocka_unit_test(test_closed_connections),
		cmocka_unit_test(test_fresh_connections_that_end),
		cmocka_unit_test(test_an_upstream_that_is_away_for_a_moment),
		cmocka_unit_test(test_cut_within_an_answer),
		cmocka_unit_test(test_a_silent_connection_is_left),
		cmocka_unit_test(test_wrong_question_and_truncation),
		cmocka_unit_test(test_truncation_over_udp),
		cmocka_unit_test(test_without_opt_over_tcp),
		cmocka_unit_test(test_probes_over_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
