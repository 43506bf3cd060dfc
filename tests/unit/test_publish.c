// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of the tables that the agent publishes in: files, and maps with and without mmap; rows that
 * are read while they are written; writers that ended.
 *
 * Contract: needs root for maps; mounts a bpffs in a mount namespace of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/quantiles.h"
#include "base/text.h"
#include "publish/records.h"
#include "publish/row.h"
#include "publish/table.h"

#define NAME	      "nodens_test"
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct row {
	uint64_t sum;
	uint64_t words[127];
};

struct place {
	const char *name;
	bool bpf, mmapable;
	char dir[64];
};

static struct place places[] = {
	{ "a file", false, false, "" },
	{ "a map with mmap", true, true, "" },
	{ "a map without", true, false, "" },
};

static int setup(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		strcpy(places[i].dir, "/tmp/nodens-test-XXXXXX");
		if (!mkdtemp(places[i].dir) ||
		    (places[i].bpf && mount("bpf", places[i].dir, "bpf", 0, NULL)))
			return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	char path[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(path, sizeof(path), "%s/" NAME, places[i].dir);
		unlink(path);
		if (places[i].bpf)
			umount(places[i].dir);
		rmdir(places[i].dir);
	}
	return 0;
}

static struct table create(const struct place *place, uint32_t n)
{
	struct table table = { .fd = -1 };

	assert_int_equal(
		table__create(&table, place->dir, NAME, sizeof(struct row), n, place->mmapable), 0);
	return table;
}

static struct table open_table(const struct place *place)
{
	struct table table = { .fd = -1 };

	assert_int_equal(table__open(&table, place->dir, NAME, sizeof(struct row)), 0);
	return table;
}

static void fill(struct row *row, uint64_t with)
{
	for (size_t i = 0; i < ARRAY_SIZE(row->words); i++)
		row->words[i] = with;
}

static void test_what_is_written_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct table out = create(&places[i], 4), in = open_table(&places[i]);
		struct row row = { 0 }, got;

		assert_int_equal(table__get(&in, 2, &got), -ENOENT);
		fill(&row, 7);
		table__put(&out, 2, &row);
		assert_int_equal(table__get(&in, 2, &got), 0);
		assert_memory_equal(&got, &row, sizeof(row));
		assert_int_equal(table__get(&in, 1, &got), -ENOENT);
		table__close(&out);
		/* whoever wrote it is gone */
		assert_int_equal(table__get(&in, 2, &got), 0);
		table__close(&in);
	}
}

/* As the agent's counters are: words without sums. */
static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct table out = { .fd = -1 }, in = { .fd = -1 };
		uint64_t got;

		assert_int_equal(table__create(&out, places[i].dir, NAME, 8, 3, places[i].mmapable),
				 0);
		((uint64_t *)out.rows)[2] = 7;
		table__sync(&out);
		assert_int_equal(table__open(&in, places[i].dir, NAME, 8), 0);
		assert_int_equal(in.n, 3);
		assert_int_equal(table__read(&in, 2, &got), 0);
		assert_int_equal(got, 7);
		table__close(&in);
		table__close(&out);
	}
}

static void test_a_new_one_takes_the_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct table first = create(&places[i], 1), in = open_table(&places[i]), second;
		struct row row = { 0 }, got;

		fill(&row, 1);
		table__put(&first, 0, &row);
		second = create(&places[i], 8);
		fill(&row, 2);
		table__put(&second, 7, &row);
		/* who has the first open reads on in that */
		assert_int_equal(table__get(&in, 0, &got), 0);
		assert_int_equal(got.words[0], 1);
		table__close(&in);
		in = open_table(&places[i]);
		assert_int_equal(table__get(&in, 0, &got), -ENOENT);
		assert_int_equal(table__get(&in, 7, &got), 0);
		table__close(&in);
		table__close(&first);
		table__close(&second);
	}
}

/* Who ends takes what is its own. */
static void test_only_ones_own_is_removed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct table first = create(&places[i], 1), second = create(&places[i], 1), in;

		table__remove(&first);
		in = open_table(&places[i]);
		table__remove(&in);
		table__close(&in);
		in = open_table(&places[i]);
		table__close(&in);
		table__remove(&second);
		assert_int_equal(table__open(&in, places[i].dir, NAME, sizeof(struct row)),
				 -ENOENT);
		table__close(&first);
		table__close(&second);
	}
}

static void test_other_versions_and_none(void **state)
{
	struct table table = { .fd = -1 };

	(void)state;
	assert_int_equal(table__open(&table, "/nowhere/at/all", NAME, 8), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct table out = create(&places[i], 1);

		assert_int_equal(table__open(&table, places[i].dir, "nodens_none", 8), -ENOENT);
		for (uint32_t size = 8; size <= 8192; size *= 2) {
			if (size != sizeof(struct row))
				assert_int_equal(table__open(&table, places[i].dir, NAME, size),
						 -ESTALE);
		}
		table__close(&out);
	}
	assert_int_equal(table.fd, -1);
}

/* A child writes ten thousand times a second and more; no row that is read has parts of two. */
static void test_rows_are_never_torn(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct table out = create(&places[i], 1), in;
		unsigned int seen = 0;
		struct row row = { 0 }, got;
		uint64_t last = 0;
		pid_t pid;

		fill(&row, 1);
		table__put(&out, 0, &row);
		pid = fork();
		if (!pid) {
			for (uint64_t n = 1;; n++) {
				fill(&row, n);
				table__put(&out, 0, &row);
				usleep(1);
			}
		}
		in = open_table(&places[i]);
		for (int n = 0; n < 20000; n++) {
			assert_int_equal(table__get(&in, 0, &got), 0);
			seen += got.words[0] != last;
			last = got.words[0];
			for (size_t k = 1; k < ARRAY_SIZE(got.words); k++)
				assert_int_equal(got.words[k], got.words[0]);
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_true(seen > 10);
		table__close(&in);
		table__close(&out);
	}
}

static void test_half_a_row_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct table out = create(&places[i], 1), in = open_table(&places[i]);
		struct row row = { 0 }, got;

		fill(&row, 3);
		table__put(&out, 0, &row);
		/* as a writer leaves it that was killed half way */
		((struct row *)out.rows)->words[5] = 4;
		table__sync(&out);
		assert_int_equal(table__get(&in, 0, &got), -EAGAIN);
		table__close(&in);
		table__close(&out);
	}
}

static void test_the_writer_of_a_file(void **state)
{
	struct table out = create(&places[0], 1), in = open_table(&places[0]);

	(void)state;
	assert_true(table__has_writer(&in));
	table__close(&out);
	assert_false(table__has_writer(&in));
	table__close(&in);
}

/* In /dev/shm anybody may have made it. */
static void test_a_strangers_file_is_not_read(void **state)
{
	struct table out = create(&places[0], 1), in = { .fd = -1 };
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/" NAME, places[0].dir);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(table__open(&in, places[0].dir, NAME, sizeof(struct row)), -EPERM);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(table__open(&in, places[0].dir, NAME, sizeof(struct row)), -ELOOP);
	table__close(&out);
}

static void test_every_octet_counts(void **state)
{
	struct row row = { 0 };

	(void)state;
	fill(&row, 0x0123456789abcdefull);
	row__seal(&row, sizeof(row));
	assert_true(row__sound(&row, sizeof(row)));
	for (size_t i = 0; i < sizeof(row); i++) {
		((uint8_t *)&row)[i] ^= 0x80;
		assert_false(row__sound(&row, sizeof(row)));
		((uint8_t *)&row)[i] ^= 0x80;
	}
	memset(&row, 0, sizeof(row));
	assert_true(row__empty(&row, sizeof(row)));
	assert_false(row__sound(&row, sizeof(row)));
}

/* ---- quantiles ---- */

static void test_quantiles(void **state)
{
	struct quantiles q = { 0 };
	uint64_t now = 1000 * QUANTILES_SPAN_NS, p;

	(void)state;
	assert_int_equal(quantiles__get(&q, now, 50), 0);
	for (uint64_t us = 1; us <= 1000; us++)
		quantiles__add(&q, now, us * 1000);
	for (unsigned int percent = 1; percent <= 100; percent++) {
		p = quantiles__get(&q, now, percent);
		assert_in_range(p, percent * 10000 * 7 / 8 - 1000, percent * 10000 * 9 / 8 + 1000);
	}
	/* an hour is longer than any bucket, and no bucket is beyond the last */
	quantiles__add(&q, now, 3600 * 1000000000ull);
	assert_true(quantiles__get(&q, now, 100) > 10 * 1000000000ull);
	/* kept for one span after its own, no longer */
	assert_true(quantiles__get(&q, now + QUANTILES_SPAN_NS, 50));
	assert_int_equal(quantiles__get(&q, now + 2 * QUANTILES_SPAN_NS, 50), 0);
}

static void test_printable(void **state)
{
	char to[8];

	(void)state;
	assert_string_equal(text__printable(to, sizeof(to), "a\033[31\n\x7f\xc3z"), "a?[31??");
	assert_string_equal(text__printable(to, 1, "abc"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_a_new_one_takes_the_place),
		cmocka_unit_test(test_only_ones_own_is_removed),
		cmocka_unit_test(test_other_versions_and_none),
		cmocka_unit_test(test_rows_are_never_torn),
		cmocka_unit_test(test_half_a_row_is_said),
		cmocka_unit_test(test_the_writer_of_a_file),
		cmocka_unit_test(test_a_strangers_file_is_not_read),
		cmocka_unit_test(test_every_octet_counts),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_printable),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
