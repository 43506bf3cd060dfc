// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Devices that come and go: however many, a line in 10 s, and each counted in one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/device_sum.h"
#include "base/clock.h"

/* What @call logs, of a call with @now. */
static const char *said(struct device_sum *sum, uint64_t now_s, int first)
{
	static char text[1024];
	FILE *out = tmpfile();
	int before = dup(STDERR_FILENO);

	assert_non_null(out);
	dup2(fileno(out), STDERR_FILENO);
	if (first)
		device_sum_say_first(sum);
	else
		device_sum_say(sum, 42, now_s * NSEC_PER_SEC);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(out);
	text[fread(text, 1, sizeof(text) - 1, out)] = 0;
	fclose(out);
	return text;
}

static void test_a_line_in_ten_seconds(void **state)
{
	struct device_sum sum = { .came = 0 };

	(void)state;
	assert_string_equal(said(&sum, 100, 0), "");
	for (unsigned int i = 0; i < 500; i++)
		device_sum_came(&sum, "veth1", "", 100 * NSEC_PER_SEC);
	assert_string_equal(said(&sum, 101, 0), "");
	for (unsigned int i = 0; i < 7; i++)
		device_sum_left(&sum, 105 * NSEC_PER_SEC);
	assert_string_equal(said(&sum, 109, 0), "");
	assert_string_equal(said(&sum, 110, 0),
			    "info: devices: 500 attached to, 7 left in the last 10 s; attached to "
			    "now: 42\n");
	assert_string_equal(said(&sum, 120, 0), "");
	device_sum_left(&sum, 125 * NSEC_PER_SEC);
	assert_string_equal(said(&sum, 134, 0), "");
	assert_string_equal(said(&sum, 135, 0),
			    "info: devices: 0 attached to, 1 left in the last 10 s; attached to "
			    "now: 42\n");
}

static void test_who_is_ahead(void **state)
{
	struct device_sum sum = { .came = 0 };

	(void)state;
	device_sum_came(&sum, "veth1", "", 0);
	device_sum_came(&sum, "veth2", "cil_from_container", 0);
	device_sum_came(&sum, "veth3", "other", 0);
	assert_string_equal(said(&sum, 10, 0),
			    "info: devices: 3 attached to, 0 left in the last 10 s; attached to "
			    "now: 42\n"
			    "info: devices: another program runs before nodens on 2 of them, as "
			    "cil_from_container on veth2\n");
	device_sum_came(&sum, "veth4", "", 20 * NSEC_PER_SEC);
	assert_null(strstr(said(&sum, 30, 0), "another program"));
}

static void test_at_start(void **state)
{
	struct device_sum sum = { .came = 0 };

	(void)state;
	device_sum_came(&sum, "veth1", "", 0);
	assert_string_equal(said(&sum, 0, 1), "");
	device_sum_came(&sum, "veth1", "theirs", 0);
	device_sum_left(&sum, 0);
	assert_string_equal(said(&sum, 0, 1),
			    "info: devices: 1 detached that an earlier agent was attached to: this "
			    "one's flags leave them out\n"
			    "info: devices: another program runs before nodens on 1 of them, as "
			    "theirs on veth1\n");
	/* and of what was there at start no line comes later */
	assert_string_equal(said(&sum, 100, 0), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_in_ten_seconds),
		cmocka_unit_test(test_who_is_ahead),
		cmocka_unit_test(test_at_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
