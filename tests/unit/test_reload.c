// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of what a reload says of itself: what is at work, and why it is not what the file says; a
 * file that goes, comes back as it was, or broken. Time is what the test says it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/reload.h"
#include "base/clock.h"

#define GOOD   ".:53 {\n    reload 2s 1s\n    forward . 192.0.2.1\n}\n"
#define BETTER ".:53 {\n    reload 2s 1s\n    forward . 192.0.2.2\n}\n"
#define BROKEN ".:53 {\n    reload 2s 1s\n    forwrad . 192.0.2.1\n}\n"

struct world {
	char dir[32], path[64];
	struct run_options opts;
	struct agent_stats stats;
	struct conf conf; /* at work */
	struct reload *reload;
	uint64_t now;
};

static void write_file(const struct world *w, const char *text)
{
	FILE *file = fopen(w->path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static const struct corefile *corefile_of(void *ctx)
{
	return ((struct world *)ctx)->conf.cf;
}

static const struct plan *plan_of(void *ctx)
{
	return ((struct world *)ctx)->conf.plan;
}

static int take(void *ctx, struct corefile *cf, const struct plan *plan)
{
	struct world *w = ctx;

	corefile__free(w->conf.cf);
	w->conf.cf = cf;
	*w->conf.plan = *plan;
	return 0;
}

static void refused_map(void *ctx)
{
	(void)ctx;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char *argv[] = { (char *)"run", (char *)"-conf", w->path, (char *)"-mode",
			 (char *)"listen" };
	struct reload_config config = { .opts = &w->opts,
					.stats = &w->stats,
					.corefile = corefile_of,
					.plan = plan_of,
					.take = take,
					.refused = refused_map,
					.ctx = w };
	struct error err;

	strcpy(w->dir, "/tmp/nodens-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/Corefile", w->dir);
	write_file(w, GOOD);
	assert_int_equal(run_options__parse(&w->opts, 5, argv, &err), 0);
	assert_int_equal(conf__load(&w->opts, &w->conf, &err), 0);
	assert_int_equal(reload_open(&config, w->conf.watch, &w->reload), 0);
	w->conf.watch = NULL;
	w->now = NSEC_PER_SEC;
	reload_watch(w->reload, w->now);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	reload_close(w->reload);
	conf__free(&w->conf);
	unlink(w->path);
	rmdir(w->dir);
	free(w);
	return 0;
}

/* So many looks later: what it says, or "". */
static const char *after(struct world *w, unsigned int looks)
{
	const char *why;
	int64_t since;

	while (looks--) {
		w->now += 4 * NSEC_PER_SEC;
		reload_watch(w->reload, w->now);
	}
	why = reload_refused(w->reload, &since);
	assert_int_equal(why != NULL, since != 0);
	return why ? why : "";
}

static void test_a_file_that_comes_back(void **state)
{
	struct world *w = *state;

	assert_string_equal(after(w, 3), "");
	unlink(w->path);
	assert_string_equal(after(w, 1), "");
	assert_non_null(strstr(after(w, 1), "gone"));
	write_file(w, GOOD);
	assert_string_equal(after(w, 1), "");
	assert_int_equal(w->stats.v[AGENT_STAT_RELOADS], 0);
	unlink(w->path);
	after(w, 2);
	write_file(w, BETTER);
	assert_string_equal(after(w, 1), "");
	assert_int_equal(w->stats.v[AGENT_STAT_RELOADS], 1);
}

/* What was refused is, until something else is read. */
static void test_a_broken_file_that_comes_back(void **state)
{
	struct world *w = *state;

	write_file(w, BROKEN);
	assert_non_null(strstr(after(w, 1), "forwrad"));
	unlink(w->path);
	assert_non_null(strstr(after(w, 1), "forwrad"));
	assert_non_null(strstr(after(w, 2), "gone"));
	write_file(w, BROKEN);
	assert_non_null(strstr(after(w, 1), "forwrad"));
	assert_non_null(strstr(after(w, 3), "forwrad"));
	write_file(w, GOOD);
	assert_string_equal(after(w, 1), "");
	assert_int_equal(w->stats.v[AGENT_STAT_RELOADS_FAILED], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_file_that_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_broken_file_that_comes_back, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
