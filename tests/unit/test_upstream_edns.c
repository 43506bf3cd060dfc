// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Upstreams, and ways to them, that do not take EDNS or what it leads to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stream_fixture.h"
#include "upstream/upstream_priv.h"

static struct upstream_group *open_slow(struct upstream_fixture *f, const char *text)
{
	assert_int_equal(fixture_open(f, text, FORWARD_READ_NS, UPSTREAM_DEADLINE_NS), 0);
	return open_more(f, 0);
}

/* Who says that it does not take OPT is asked once more without, and from then on without. */
static void test_said_in_words(void **state)
{
	static const enum behaviour kinds[] = { FAKE_NO_EDNS, FAKE_NO_EDNS_HEADER, FAKE_NOTIMP_EDNS,
						FAKE_BADVERS_EDNS };
	struct upstream_fixture f;
	struct question q;

	(void)state;
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct upstream_group *group =
			open_group(&f, ".:53 {\n forward . %1 %2 " SEQUENTIAL "\n}\n");

		f.fake[0].behaviour = kinds[i];
		for (unsigned int k = 0; k < 3; k++) {
			ask(&f, group, &q);
			assert_true(q.answered);
			assert_int_equal(q.verdict, VERDICT_POSITIVE);
			assert_int_equal(f.fake[0].queries, 2 + k);
			assert_int_equal(f.fake[0].last_edns, 0);
		}
		assert_int_equal(f.fake[1].queries, 0);
		assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_MISMATCHES], 0);
		fixture_close(&f);
	}
}

/* Without OPT it says the same: asked once more, not for ever, and nothing is learnt. */
static void test_said_whatever_is_asked(void **state)
{
	static const struct {
		enum behaviour kind;
		uint16_t rcode;
	} cases[] = { { FAKE_FORMERR, DNS_FORMERR }, { FAKE_SERVFAIL, DNS_SERVFAIL } };
	struct upstream_fixture f;
	struct question q;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");

		f.fake[0].behaviour = cases[i].kind;
		for (unsigned int k = 1; k <= 3; k++) {
			ask(&f, group, &q);
			assert_true(q.answered);
			assert_int_equal(q.flags & DNS_RCODE, cases[i].rcode);
			assert_int_equal(f.fake[0].queries, 2 * k);
		}
		/* Who has answered a query with OPT says SERVFAIL of the name. */
		f.fake[0].behaviour = FAKE_ANSWERS;
		ask(&f, group, &q);
		assert_int_equal(f.fake[0].last_edns, 1232);
		f.fake[0].behaviour = FAKE_SERVFAIL;
		ask(&f, group, &q);
		assert_int_equal(q.verdict, VERDICT_SERVFAIL);
		assert_int_equal(f.fake[0].queries, 8);
		fixture_close(&f);
	}
}

/* Who sends an OPT knows it: that SERVFAIL is of the name. */
static void test_servfail_with_opt(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	struct question q;

	(void)state;
	f.fake[0].behaviour = FAKE_SERVFAIL_OPT;
	ask(&f, group, &q);
	assert_int_equal(q.verdict, VERDICT_SERVFAIL);
	assert_int_equal(f.fake[0].queries, 1);
	fixture_close(&f);
}

static void test_servfail_to_opt(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	struct question q;

	(void)state;
	f.fake[0].behaviour = FAKE_SERVFAIL_EDNS;
	for (unsigned int k = 0; k < 4; k++) {
		ask(&f, group, &q);
		assert_int_equal(q.verdict, VERDICT_POSITIVE);
	}
	assert_int_equal(f.fake[0].queries, 2 + 2 + 1 + 1);
	fixture_close(&f);
}

/* Nothing comes: found out within a second, and after two exchanges at once. */
static void test_opt_is_dropped(void **state)
{
	static const char *const texts[] = { ".:53 {\n forward . %1\n}\n",
					     ".:53 {\n forward . %1 %2 %3 " SEQUENTIAL "\n}\n" };
	struct upstream_fixture f;
	struct question q;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct upstream_group *group = open_slow(&f, texts[i]);
		uint64_t begin = 0;

		for (int k = 0; k < FAKES; k++)
			f.fake[k].behaviour = FAKE_DROPS_EDNS;
		for (int k = 0; k < 2 + 6 * i; k++) {
			begin = f.v.now_ns;
			ask(&f, group, &q);
			assert_true(q.answered);
			assert_true(q.ended_ns - begin < NSEC_PER_SEC);
		}
		begin = f.v.now_ns;
		ask(&f, group, &q);
		assert_true(q.answered);
		assert_true(q.ended_ns - begin < 200 * NSEC_PER_MS);
		fixture_run_for(&f, 600); /* probes have no OPT */
		assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAMS_DOWN], 0);
		fixture_close(&f);
	}
}

/* Small answers come, large ones do not: a size that comes, and TCP for the rest. */
static void test_large_answers_are_dropped(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_slow(&f, ".:53 {\n forward . %1\n}\n");
	struct stream_fake tcp;
	struct question q;
	uint64_t begin;

	(void)state;
	stream_fake_open(&tcp, f.v.loop.events, f.fake[0].port);
	for (int k = 0; k < 2; k++) {
		f.fake[0].behaviour = FAKE_ANSWERS;
		ask(&f, group, &q);
		assert_int_equal(f.fake[0].last_edns, 1232);
		f.fake[0].behaviour = FAKE_DROPS_LARGE;
		begin = f.v.now_ns;
		ask(&f, group, &q);
		assert_true(q.answered);
		assert_int_equal(f.fake[0].last_edns, 512);
		assert_true(q.ended_ns - begin < NSEC_PER_SEC);
		assert_int_equal(tcp.queries, k + 1);
	}
	begin = f.v.now_ns;
	ask(&f, group, &q);
	assert_true(q.answered);
	assert_true(q.ended_ns - begin < 200 * NSEC_PER_MS);
	stream_fake_close(&tcp);
	fixture_close(&f);
}

/* Packets are lost, all that are under way at once perhaps: that is not about OPT. */
static void test_a_loss_is_no_proof(void **state)
{
	enum { MANY = 20 };
	struct upstream_fixture f;
	struct upstream_group *group = open_slow(&f, ".:53 {\n forward . %1\n}\n");
	struct question *many = calloc(MANY, sizeof(*many)), q;

	(void)state;
	f.fake[0].behaviour = FAKE_SILENT;
	for (int i = 0; i < MANY; i++) {
		question_set(&f, &many[i], "www.example.");
		assert_int_equal(exchange__start(group, &many[i].exchange, f.v.now_ns), 0);
	}
	fixture_run_for(&f, 100);
	f.fake[0].behaviour = FAKE_ANSWERS;
	for (int i = 0; i < MANY; i++)
		assert_true(fixture_run(&f, &many[i].done, 1) && many[i].answered);
	ask(&f, group, &q);
	assert_int_equal(f.fake[0].last_edns, 1232);
	fixture_close(&f);
	free(many);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_said_in_words),
		cmocka_unit_test(test_said_whatever_is_asked),
		cmocka_unit_test(test_servfail_with_opt),
		cmocka_unit_test(test_servfail_to_opt),
		cmocka_unit_test(test_opt_is_dropped),
		cmocka_unit_test(test_large_answers_are_dropped),
		cmocka_unit_test(test_a_loss_is_no_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
