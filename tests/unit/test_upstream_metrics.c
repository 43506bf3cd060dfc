// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is counted of upstreams for the metrics, and that a reload counts on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "observe/metrics.h"
#include "upstream_questions.h"

/* Of the fake's address; NULL: it has no numbers. */
static const struct upstream_stats *numbers(const struct upstreams *ups, const struct fake *fake)
{
	static struct upstream_stats out;
	char to[32];

	snprintf(to, sizeof(to), "127.0.0.1:%u", fake->port);
	for (size_t i = 0; upstreams__metrics(ups, i, &out); i++) {
		if (!strcmp(out.to, to))
			return &out;
	}
	return NULL;
}

static uint64_t times(const struct histogram *time)
{
	uint64_t n = 0;

	for (int i = 0; i <= HISTOGRAM_BUCKETS; i++)
		n += time->bucket[i];
	return n;
}

static void test_requests_and_answers(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	const struct upstream_stats *m;
	struct question q;

	(void)state;
	for (int i = 0; i < 3; i++)
		ask(&f, group, &q);
	f.fake[0].behaviour = FAKE_SERVFAIL;
	ask(&f, group, &q);
	m = numbers(f.ups, &f.fake[0]);
	assert_non_null(m);
	assert_int_equal(m->requests, 4);
	assert_int_equal(times(&m->answered[RCODE_0]), 3);
	assert_int_equal(times(&m->answered[RCODE_2]), 1);
	assert_true(m->answered[RCODE_0].sum_ns > 0);
	assert_int_equal(m->conn_cache_hits[UPSTREAM_UDP] + m->conn_cache_misses[UPSTREAM_UDP], 4);
	assert_true(m->conn_cache_hits[UPSTREAM_UDP] > 0);
	assert_int_equal(m->healthcheck_failures, 0);
	fixture_close(&f);
}

/* A lost query is a request without an answer; a probe is neither. */
static void test_silence_and_probes(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group =
		open_group(&f, ".:53 {\n forward . %1 {\n max_fails 1\n}\n}\n");
	const struct upstream_stats *m;
	struct question q;

	(void)state;
	f.fake[0].behaviour = FAKE_SILENT;
	ask(&f, group, &q);
	assert_false(q.answered);
	fixture_run_for(&f, 1200);
	m = numbers(f.ups, &f.fake[0]);
	assert_int_equal(m->requests, f.fake[0].queries);
	assert_in_range(m->timeouts, 1, m->requests);
	assert_true(m->healthcheck_failures > 0);
	for (int i = 0; i < RCODE_COUNT; i++)
		assert_int_equal(times(&m->answered[i]), 0);
	fixture_close(&f);
}

/*
 * Nor are failures of what was no request: probes of health, and those of the probe directive.
 * Silence, a port that is closed, a connection refused.
 */
static void test_probes_are_no_requests(void **state)
{
	static const char *const forwards[] = {
		".:53 {\n forward . %1 {\n health_check 100ms\n}\n}\n",
		".:53 {\n forward . %1 {\n force_tcp\n health_check 100ms\n}\n}\n",
	};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct upstream_fixture f;
		struct upstream_group *group = open_group(&f, forwards[i / 2]);
		const struct upstream_stats *m;
		struct question q;

		f.fake[0].behaviour = FAKE_SILENT;
		if (i % 2)
			fake_close(&f.fake[0]);
		question_set(&f, &q, "www.example.");
		exchange__watch(group, 0, &q.exchange, f.v.now_ns);
		upstreams__probe(f.ups);
		assert_true(fixture_run(&f, &q.done, 1));
		assert_false(q.answered);
		/* the first of them failed, and then that of a second */
		for (int n = 0; n < 2; n++) {
			upstreams__probe(f.ups);
			fixture_run_for(&f, 1200);
		}
		assert_true(f.stats.v[AGENT_STAT_UPSTREAMS_DOWN]);
		m = numbers(f.ups, &f.fake[0]);
		assert_true(m->healthcheck_failures > 2);
		assert_int_equal(m->requests, 0);
		assert_int_equal(m->timeouts, 0);
		assert_int_equal(m->errors, 0);
		fixture_close(&f);
	}
}

/* Two forwards that name one address count in one place, and it is listed once. */
static void test_an_address_is_listed_once(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *a = open_group(
		&f, ".:53 {\n forward . %1 %2\n}\nb.example:53 {\n forward . %2 %1\n}\n");
	struct upstream_group *b = open_more(&f, 1);
	struct upstream_stats out;
	struct question q;

	(void)state;
	assert_true(upstreams__metrics(f.ups, 1, &out));
	assert_false(upstreams__metrics(f.ups, 2, &out));
	for (int i = 0; i < 8; i++) {
		ask(&f, a, &q);
		ask(&f, b, &q);
	}
	assert_int_equal(numbers(f.ups, &f.fake[0])->requests, f.fake[0].queries);
	assert_int_equal(numbers(f.ups, &f.fake[1])->requests, f.fake[1].queries);
	fixture_close(&f);
}

/* After a reload both generations count on in one place, until the older one is gone. */
static void test_a_reload_counts_on(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1 %2\n}\n"), *next;
	struct corefile *cf, *old_cf = f.cf;
	struct upstreams *old = f.ups;
	struct question q, late;
	uint64_t before;

	(void)state;
	for (int i = 0; i < 8; i++)
		ask(&f, group, &q);
	before = numbers(old, &f.fake[0])->requests;
	assert_true(before > 0);

	cf = fixture_corefile(&f, ".:53 {\n forward . %1 %3\n}\n");
	assert_non_null(cf);
	assert_int_equal(fixture_upstreams(&f, READ_NS, DEADLINE_NS), 0);
	f.cf = cf;
	next = open_more(&f, 0);
	upstreams__inherit(f.ups, old);
	assert_int_equal(numbers(f.ups, &f.fake[0])->requests, before);
	assert_null(numbers(f.ups, &f.fake[1]));
	assert_int_equal(numbers(f.ups, &f.fake[2])->requests, 0);

	/* One that the old generation had under way still counts. */
	f.fake[1].behaviour = FAKE_SILENT;
	question_set(&f, &late, "www.example.");
	assert_int_equal(exchange__start(group, &late.exchange, f.v.now_ns), 0);
	assert_true(fixture_run(&f, &late.done, 1));
	upstreams__close(old);
	corefile__free(old_cf);
	for (int i = 0; i < 8; i++)
		ask(&f, next, &q);
	assert_int_equal(numbers(f.ups, &f.fake[0])->requests, f.fake[0].queries);
	fixture_close(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_and_answers),
		cmocka_unit_test(test_silence_and_probes),
		cmocka_unit_test(test_probes_are_no_requests),
		cmocka_unit_test(test_an_address_is_listed_once),
		cmocka_unit_test(test_a_reload_counts_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
