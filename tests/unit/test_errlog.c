// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of the errors plugin: lines, consolidation under a clock of the test's own, patterns and
 * reasons that would take long or make two lines of one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "observe/errlog.h"

#define TIMEOUT "read udp 10.0.0.1:41234->10.0.0.10:53: i/o timeout"

struct world {
	struct corefile_block block[2];
	struct corefile_consolidate patterns[4];
	struct corefile cf;
	struct errlog *el;
	int lines;
	enum log_level level;
	char text[4096];
	uint64_t now;
};

static void on_line(void *ctx, enum log_level level, const char *text)
{
	struct world *w = ctx;

	w->lines++;
	w->level = level;
	snprintf(w->text, sizeof(w->text), "%s", text);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->cf.blocks = w->block;
	w->cf.blocks_len = 2;
	w->block[0].errors.enabled = true;
	w->block[0].errors.consolidate = w->patterns;
	w->now = 1000 * NSEC_PER_SEC;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	errlog__close(w->el);
	free(w);
	return 0;
}

static void open_with(struct world *w, size_t n)
{
	w->block[0].errors.consolidate_len = n;
	assert_int_equal(errlog__open(&w->cf, on_line, w, &w->el), 0);
}

static void event(struct world *w, size_t block, const char *reason)
{
	struct dns_name name;

	assert_int_equal(dns_name__from_text(&name, "WWW.example.org."), 0);
	errlog__event(w->el, block, DNS_SERVFAIL, &name, DNS_TYPE_AAAA, reason, w->now);
}

static void test_line(void **state)
{
	struct world *w = *state;

	open_with(w, 0);
	event(w, 0, TIMEOUT);
	assert_int_equal(w->lines, 1);
	assert_int_equal(w->level, LOG_LEVEL_ERROR);
	assert_string_equal(w->text, "plugin/errors: 2 www.example.org. AAAA: " TIMEOUT);
	event(w, 1, TIMEOUT); /* no errors plugin there */
	event(w, 2, TIMEOUT); /* no such block */
	assert_int_equal(w->lines, 1);
	event(w, 0, "a\nb\033[2J");
	assert_string_equal(strrchr(w->text, ' '), " a?b?[2J");
}

static void test_consolidate(void **state)
{
	struct world *w = *state;

	w->patterns[0] =
		(struct corefile_consolidate){ 30 * NSEC_PER_SEC, "^read udp .* i/o timeout$",
					       LOG_LEVEL_WARN, false };
	w->patterns[1] = (struct corefile_consolidate){ 300 * NSEC_PER_SEC, "timeout",
							LOG_LEVEL_INFO, false };
	open_with(w, 2);
	event(w, 0, TIMEOUT);
	w->now += 29 * NSEC_PER_SEC;
	event(w, 0, TIMEOUT);
	errlog__tick(w->el, w->now);
	assert_int_equal(w->lines, 0);
	w->now += NSEC_PER_SEC; /* 30 s after the first */
	errlog__tick(w->el, w->now);
	assert_int_equal(w->lines, 1);
	assert_int_equal(w->level, LOG_LEVEL_WARN);
	assert_string_equal(w->text, "plugin/errors: 2 errors like '^read udp .* i/o timeout$' "
				     "occurred in last 30s");
	/* nothing since: nothing more is said */
	w->now += 1000 * NSEC_PER_SEC;
	errlog__tick(w->el, w->now);
	assert_int_equal(w->lines, 1);
	/* the first pattern that matches has it; others have a time of their own */
	event(w, 0, "dial tcp: timeout");
	event(w, 0, "refused");
	assert_int_equal(w->lines, 2);
	assert_string_equal(w->text, "plugin/errors: 2 www.example.org. AAAA: refused");
	w->now += 300 * NSEC_PER_SEC;
	errlog__tick(w->el, w->now);
	assert_int_equal(w->lines, 3);
	assert_int_equal(w->level, LOG_LEVEL_INFO);
	assert_string_equal(w->text,
			    "plugin/errors: 1 errors like 'timeout' occurred in last 5m0s");
	/* without a tick in between the next one closes the interval */
	event(w, 0, TIMEOUT);
	event(w, 0, TIMEOUT);
	w->now += 31 * NSEC_PER_SEC;
	event(w, 0, TIMEOUT);
	assert_int_equal(w->lines, 4);
	assert_memory_equal(w->text, "plugin/errors: 2 errors", 23);
	/* and the end writes what is left */
	errlog__close(w->el);
	w->el = NULL;
	assert_int_equal(w->lines, 5);
	assert_memory_equal(w->text, "plugin/errors: 1 errors", 23);
}

static void test_show_first(void **state)
{
	struct world *w = *state;

	w->patterns[0] = (struct corefile_consolidate){ 30 * NSEC_PER_SEC, "timeout$",
							LOG_LEVEL_WARN, true };
	open_with(w, 1);
	event(w, 0, TIMEOUT);
	assert_int_equal(w->lines, 1);
	assert_int_equal(w->level, LOG_LEVEL_WARN);
	assert_string_equal(w->text, "plugin/errors: 2 www.example.org. AAAA: " TIMEOUT);
	/* one only: no summary */
	w->now += 30 * NSEC_PER_SEC;
	errlog__tick(w->el, w->now);
	assert_int_equal(w->lines, 1);
	for (int i = 0; i < 3; i++)
		event(w, 0, TIMEOUT);
	assert_int_equal(w->lines, 2);
	w->now += 30 * NSEC_PER_SEC;
	errlog__tick(w->el, w->now);
	assert_int_equal(w->lines, 3);
	assert_string_equal(w->text,
			    "plugin/errors: 3 errors like 'timeout$' occurred in last 30s");
}

static void test_durations(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = { { 500, "500ms" },	     { 1500, "1.5s" },	    { 2000, "2s" },
		      { 60000, "1m0s" },     { 90250, "1m30.25s" }, { 3600000, "1h0m0s" },
		      { 5400000, "1h30m0s" } };
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char want[128];

		w->patterns[0] = (struct corefile_consolidate){ cases[i].ms * NSEC_PER_MS, "x",
								LOG_LEVEL_ERROR, false };
		open_with(w, 1);
		event(w, 0, "x");
		errlog__close(w->el);
		w->el = NULL;
		snprintf(want, sizeof(want), "plugin/errors: 1 errors like 'x' occurred in last %s",
			 cases[i].text);
		assert_string_equal(w->text, want);
	}
}

/* Of this thread: what a busy machine gives to others does not count. */
static uint64_t cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* A pattern that backtracks for ever costs some microseconds and does not match. */
static void test_slow_pattern(void **state)
{
	struct world *w = *state;
	char reason[200];
	uint64_t begin;

	w->patterns[0] = (struct corefile_consolidate){ NSEC_PER_SEC, "^(([a-z])+.)+[A-Z]([a-z])+$",
							LOG_LEVEL_ERROR, false };
	open_with(w, 1);
	memset(reason, 'a', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	begin = cpu_now();
	event(w, 0, reason);
	assert_true(cpu_now() - begin < 100 * NSEC_PER_MS);
	assert_int_equal(w->lines, 1);
}

static void test_bad_pattern(void **state)
{
	struct world *w = *state;

	w->patterns[0] = (struct corefile_consolidate){ NSEC_PER_SEC, "(", LOG_LEVEL_ERROR, false };
	w->block[0].errors.consolidate_len = 1;
	assert_int_equal(errlog__open(&w->cf, on_line, w, &w->el), -22);
	assert_null(w->el);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_consolidate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_show_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_durations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_pattern, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_pattern, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
