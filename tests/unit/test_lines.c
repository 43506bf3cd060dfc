// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Lines to a pipe: whole ones, in order, never waited for, and none lost without a word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/line_writer.h"

#define MANY 20000

struct pipe_world {
	int fd[2];
	struct lines *lines;
	char got[4 * 1024 * 1024];
	size_t len;
};

static int setup(void **state)
{
	struct pipe_world *w = calloc(1, sizeof(*w));

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(w->fd), 0);
	assert_int_equal(fcntl(w->fd[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(lines__open(w->fd[1], LOG_FORMAT_TEXT, &w->lines), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct pipe_world *w = *state;

	lines__close(w->lines);
	close(w->fd[0]);
	close(w->fd[1]);
	free(w);
	return 0;
}

static void drain(struct pipe_world *w)
{
	ssize_t n;

	while ((n = read(w->fd[0], w->got + w->len, sizeof(w->got) - 1 - w->len)) > 0)
		w->len += (size_t)n;
	w->got[w->len] = '\0';
}

static void add_text(struct pipe_world *w, const char *text, size_t len)
{
	struct log_record record = {
		.level = LOG_LEVEL_INFO, .plugin = "log", .text = text, .len = len
	};

	lines__add(w->lines, &record);
}

static void add(struct pipe_world *w, unsigned int number)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "line %06u with some text behind it", number);

	add_text(w, text, (size_t)len);
}

static void test_whole_and_in_order(void **state)
{
	struct pipe_world *w = *state;
	char *at = w->got, *end;

	for (unsigned int i = 0; i < MANY; i++) {
		add(w, i);
		if (i % 100 == 0)
			drain(w);
	}
	lines__flush(w->lines);
	drain(w);
	for (unsigned int i = 0; i < MANY; i++, at = end + 1) {
		unsigned int number;

		end = strchr(at, '\n');
		assert_non_null(end);
		assert_int_equal(sscanf(at, "[INFO] line %u with some text", &number), 1);
		assert_int_equal(number, i);
		assert_int_equal(end - at, 7 + 36);
	}
	assert_string_equal(at, "");
}

/* Were one write to wait, this test would not end. */
static void test_nobody_reads(void **state)
{
	struct pipe_world *w = *state;
	unsigned long long dropped = 0;
	size_t whole = 0, warnings = 0;

	for (unsigned int i = 0; i < MANY; i++)
		add(w, i);
	drain(w);
	lines__flush(w->lines);
	drain(w);
	lines__flush(w->lines);
	drain(w);
	lines__flush(w->lines);
	drain(w);
	lines__flush(w->lines);
	drain(w);
	lines__flush(w->lines);
	drain(w);
	add(w, MANY); /* with a word about what is missing */
	lines__flush(w->lines);
	drain(w);
	for (char *at = w->got; *at; at = strchr(at, '\n') + 1) {
		if (sscanf(at, "[WARNING] %llu lines of this log were dropped", &dropped) == 1)
			warnings++;
		else
			whole += !strncmp(at, "[INFO] line ", 12);
	}
	assert_int_equal(warnings, 1);
	assert_int_equal(whole + dropped, MANY + 1);
	assert_int_equal(lines__dropped(w->lines), dropped);
	assert_in_range(whole, 4000, MANY - 1);
}

static void test_long_lines_are_cut(void **state)
{
	struct pipe_world *w = *state;
	char text[3 * LOG_LINE];

	memset(text, 'x', sizeof(text));
	add_text(w, text, sizeof(text));
	add_text(w, "next", 4);
	lines__flush(w->lines);
	drain(w);
	assert_int_equal(w->len, LOG_LINE + strlen("[INFO] next\n"));
	assert_string_equal(w->got + LOG_LINE - 1, "\n[INFO] next\n");
}

static void test_a_reader_that_left(void **state)
{
	struct pipe_world *w = *state;

	close(w->fd[0]);
	for (unsigned int i = 0; i < MANY; i++)
		add(w, i);
	lines__flush(w->lines);
	w->fd[0] = open("/dev/null", O_RDONLY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole_and_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_reads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_lines_are_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_reader_that_left, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
