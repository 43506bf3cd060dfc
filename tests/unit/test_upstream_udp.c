// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Queries that leave together: which of them share a port, and what they have of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "upstream/upstream_priv.h"
#include "upstream_questions.h"

#define SHARED 8 /* upstream/udp.c */

static void start(struct upstream_fixture *f, struct upstream_group *group, struct question *q,
		  unsigned int i)
{
	char name[32];

	snprintf(name, sizeof(name), "n%u.example.", i);
	question_set(f, q, name);
	assert_int_equal(exchange__start(group, &q->exchange, f->v.now_ns), 0);
}

static void finish(struct upstream_fixture *f, struct question *q, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		assert_true(fixture_run(f, &q[i].done, 1));
		assert_int_equal(q[i].done, 1);
		assert_true(q[i].answered);
	}
}

/* Those of one turn, up to SHARED; those of the next have another, answered or not. */
static void test_one_turn(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	struct question q[2 * SHARED + 1], next;

	(void)state;
	for (unsigned int i = 0; i < 2 * SHARED + 1; i++)
		start(&f, group, &q[i], i);
	assert_int_equal(f.fake[0].queries, 0);
	finish(&f, q, 2 * SHARED + 1);
	assert_int_equal(f.fake[0].queries, 2 * SHARED + 1);
	assert_int_equal(f.fake[0].n_ports, 3);
	f.fake[0].behaviour = FAKE_SILENT;
	start(&f, group, &q[0], 0);
	fixture_run_for(&f, 1);
	assert_int_equal(f.fake[0].n_ports, 4);
	start(&f, group, &next, 1);
	fixture_run_for(&f, 1);
	assert_int_equal(f.fake[0].n_ports, 5);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_MISMATCHES], 0);
	exchange__cancel(&q[0].exchange);
	exchange__cancel(&next.exchange);
	fixture_close(&f);
}

/* Each upstream has its own, and a question that is put again goes from another one. */
static void test_none_twice(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group =
		open_group(&f, ".:53 {\n forward . %1 %2 {\n policy round_robin\n}\n}\n");
	struct question q[4];

	(void)state;
	f.fake[0].behaviour = f.fake[1].behaviour = FAKE_SILENT;
	for (unsigned int i = 0; i < 4; i++)
		start(&f, group, &q[i], i);
	fixture_run_for(&f, 20);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(f.fake[i].queries, 2);
		assert_int_equal(f.fake[i].n_ports, 1);
	}
	for (unsigned int i = 0; i < 4; i++) {
		const struct attempt *attempt = q[i].exchange.attempts;

		assert_ptr_equal(attempt->udp, q[(i + 2) % 4].exchange.attempts[0].udp);
		assert_int_not_equal(attempt->id, q[(i + 2) % 4].exchange.attempts[0].id);
	}
	fixture_run_for(&f, 600);
	for (unsigned int i = 0; i < 4; i++) {
		const struct attempt *attempts = q[i].exchange.attempts;

		for (int a = 0; a < EXCHANGE_ATTEMPTS; a++) {
			for (int b = 0; b < a; b++)
				assert_true(!attempts[a].udp || attempts[a].udp != attempts[b].udp);
		}
		exchange__cancel(&q[i].exchange);
	}
	fixture_close(&f);
}

static struct exchange *goes_with_it;

static void on_done_cancel(struct exchange *exchange, struct answer *answer, enum verdict verdict)
{
	on_done(exchange, answer, verdict);
	exchange__cancel(goes_with_it);
}

/* Whoever goes takes nothing from the others: before they are sent, or while answers are read. */
static void test_some_go(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	struct question q[SHARED], one;

	(void)state;
	for (unsigned int i = 0; i < SHARED; i++)
		start(&f, group, &q[i], i);
	exchange__cancel(&q[0].exchange);
	q[1].exchange.done = on_done_cancel;
	goes_with_it = &q[2].exchange;
	finish(&f, q + 1, 1);
	finish(&f, q + 3, SHARED - 3);
	assert_int_equal(q[0].done + q[2].done, 0);
	assert_int_equal(f.fake[0].n_ports, 1);
	/* all of them, before the turn ends: there is nothing to send */
	f.fake[0].queries = 0;
	for (unsigned int i = 0; i < SHARED; i++)
		start(&f, group, &q[i], i);
	for (unsigned int i = 0; i < SHARED; i++)
		exchange__cancel(&q[i].exchange);
	fixture_run_for(&f, 20);
	assert_int_equal(f.fake[0].queries, 0);
	ask(&f, group, &one);
	assert_true(one.answered);
	fixture_close(&f);
}

/* What is said twice, or under another's ID, is nobody's answer. */
static void test_lies(void **state)
{
	static const enum behaviour lies[] = { FAKE_TWICE, FAKE_WRONG_ID_FIRST,
					       FAKE_WRONG_QUESTION_FIRST, FAKE_FLOODS };
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	struct question q[SHARED];

	(void)state;
	for (unsigned int lie = 0; lie < sizeof(lies) / sizeof(lies[0]); lie++) {
		unsigned int n = lies[lie] == FAKE_FLOODS ? 1 : SHARED;

		f.fake[0].behaviour = lies[lie];
		for (unsigned int i = 0; i < n; i++)
			start(&f, group, &q[i], i);
		finish(&f, q, n);
		f.fake[0].behaviour = FAKE_ANSWERS;
		for (unsigned int i = 0; i < SHARED; i++)
			start(&f, group, &q[i], 100 + i);
		finish(&f, q, SHARED);
	}
	fixture_close(&f);
}

/* A closed port is said of one query, and heard by all: each asks the other upstream at once. */
static void test_refused(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group =
		open_group(&f, ".:53 {\n forward . %1 %2 " SEQUENTIAL "\n}\n");
	struct question q[SHARED];
	uint64_t began_ns;

	(void)state;
	fake_close(&f.fake[0]);
	began_ns = f.v.now_ns;
	for (unsigned int i = 0; i < SHARED; i++)
		start(&f, group, &q[i], i);
	finish(&f, q, SHARED);
	assert_true(f.v.now_ns - began_ns < 100 * NSEC_PER_MS);
	assert_int_equal(f.fake[1].queries, SHARED);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_TIMEOUTS], 0);
	assert_true(f.stats.v[AGENT_STAT_UPSTREAM_ERRORS] >= SHARED);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_turn), cmocka_unit_test(test_none_twice),
		cmocka_unit_test(test_some_go),	 cmocka_unit_test(test_lies),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
