// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of files of names for the probe directive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/prober_priv.h"

static char path[64];

static struct probe_names names_of(const char *text, const char *zone)
{
	struct corefile_zone zones[1] = { { .text = zone } };
	const struct corefile_block block = { .zones = zones, .zones_len = 1 };
	struct probe_names names;
	const char *why;
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(dns_name__from_config(&zones[0].name, zone, &why), 0);
	assert_true(probe_names_read(path, &block, &names));
	return names;
}

static void assert_name(const struct dns_name *name, const char *wanted)
{
	char text[1024];

	assert_true(dns_name__to_text(name, text, sizeof(text)) > 0);
	assert_string_equal(text, wanted);
}

static void test_names(void **state)
{
	struct probe_names names =
		names_of("# what must be had\n\nAPI.example.org\n  db.example.org."
			 "\t# of all shops\r\napi.example.org\n#x\nlast.example.org",
			 "example.org");

	(void)state;
	assert_int_equal(names.len, 3);
	assert_name(&names.list[0], "api.example.org.");
	assert_name(&names.list[1], "db.example.org.");
	assert_name(&names.list[2], "last.example.org.");
	assert_string_equal(names.problem, "");
	assert_int_equal(names_of("", ".").len, 0);
}

static void test_wrong(void **state)
{
	struct probe_names names = names_of("a.example.org\nb.example.com\nc..example.org\n"
					    "d.example.org e.example.org\n\x1b[31m\n",
					    "example.org");
	char wanted[256];

	(void)state;
	assert_int_equal(names.len, 1);
	snprintf(wanted, sizeof(wanted),
		 "probe %s: lines that are no name of the block's zones: 4, the first is line 2",
		 path);
	assert_string_equal(names.problem, wanted);
}

static void test_many(void **state)
{
	char *text = malloc(10000 * 24), wanted[256];
	struct probe_names names;
	size_t at = 0;

	(void)state;
	for (int i = 0; i < 10000; i++)
		at += sprintf(text + at, "n%d.example.org\n", i);
	names = names_of(text, ".");
	free(text);
	assert_int_equal(names.len, COREFILE_PROBE_MAX);
	assert_name(&names.list[63], "n63.example.org.");
	snprintf(wanted, sizeof(wanted), "probe %s: 10000 names; the first 64 are probed", path);
	assert_string_equal(names.problem, wanted);
}

static void test_no_file(void **state)
{
	const struct corefile_block block = { .zones_len = 0 };
	struct probe_names names;

	(void)state;
	names_of("", ".");
	assert_int_equal(truncate(path, PROBE_FILE_MAX + 1), 0);
	assert_false(probe_names_read(path, &block, &names));
	assert_non_null(strstr(names.problem, ": File too large"));
	unlink(path);
	assert_false(probe_names_read(path, &block, &names));
	assert_non_null(strstr(names.problem, ": No such file or directory"));
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(probe_names_read(path, &block, &names));
	assert_non_null(strstr(names.problem, ": is no file"));
	assert_int_equal(names.len, 0);
}

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/nodens-probe-%d", (int)getpid());
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
