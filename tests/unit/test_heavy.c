// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of watch/heavy.h, against an exact count of the same keys: under Zipf's law, and beside a
 * flood of a million keys that come once each.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "watch/heavy.h"

#define NAMES 20000
#define TOP   10

static uint64_t state_of_random;

static uint32_t next_random(void)
{
	state_of_random = state_of_random * 6364136223846793005ull + 1442695040888963407ull;
	return state_of_random >> 33;
}

/* Ranks by Zipf's law: 1/r, by the sum up to each. */
static double *zipf(void)
{
	double *upto = calloc(NAMES, sizeof(*upto)), sum = 0;

	assert_non_null(upto);
	for (int i = 0; i < NAMES; i++)
		upto[i] = sum += 1.0 / (i + 1);
	for (int i = 0; i < NAMES; i++)
		upto[i] /= sum;
	return upto;
}

static int draw(const double *upto)
{
	double x = next_random() / 2147483648.0;
	int low = 0, high = NAMES - 1;

	while (low < high) {
		int mid = (low + high) / 2;

		if (upto[mid] < x)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct heavy *make(void)
{
	struct heavy *heavy = NULL;

	state_of_random = 1;
	assert_int_equal(heavy__new(64, sizeof(uint64_t), &heavy), 0);
	return heavy;
}

/* @weight of the key, and in its extra how often it came since it has its counter. */
static void add(struct heavy *heavy, const char *kind, unsigned int i, uint64_t weight)
{
	char key[32];
	uint64_t *extra = heavy__add(heavy, key, sprintf(key, "%s%u", kind, i), weight);

	assert_non_null(extra);
	*extra += weight;
}

static int number_of(const struct heavy_item *item)
{
	char text[32];

	snprintf(text, sizeof(text), "%.*s", (int)item->len - 1, (const char *)item->key + 1);
	return atoi(text);
}

/* What each counter says is true of what was counted exactly. */
static void check_bounds(const struct heavy *heavy, const uint64_t *exact, uint64_t all)
{
	struct heavy_item items[HEAVY_COUNTERS];
	size_t n = heavy__top(heavy, items, HEAVY_COUNTERS);
	uint64_t bound = heavy__bound(heavy), sum = 0;
	bool *seen = calloc(NAMES, sizeof(*seen));

	assert_non_null(seen);
	assert_true(bound <= all / HEAVY_COUNTERS);
	for (size_t i = 0; i < n; i++) {
		uint64_t at_least = items[i].n - items[i].error, truth = 1;

		sum += items[i].n;
		assert_true(items[i].error <= bound);
		assert_int_equal(*(const uint64_t *)items[i].extra, at_least);
		if (i)
			assert_true(at_least <= items[i - 1].n - items[i - 1].error);
		if (items[i].key[0] == 'z') {
			int name = number_of(&items[i]);

			seen[name] = true;
			truth = exact[name];
		}
		assert_true(at_least <= truth && truth <= items[i].n);
	}
	assert_int_equal(sum, all);
	for (int i = 0; i < NAMES; i++)
		assert_true(seen[i] || exact[i] <= bound);
	free(seen);
}

static void check_top(const struct heavy *heavy, const uint64_t *exact)
{
	struct heavy_item items[TOP];

	assert_int_equal(heavy__top(heavy, items, TOP), TOP);
	for (int i = 0; i < TOP; i++) {
		char key[32];

		assert_int_equal(items[i].len, sprintf(key, "z%d", i));
		assert_memory_equal(items[i].key, key, items[i].len);
		/* one that comes often has its counter for good before much is in the list */
		assert_true(items[i].n - items[i].error >= exact[i] - exact[i] / 50);
	}
}

static void test_few_are_exact(void **state)
{
	struct heavy *heavy = make();
	struct heavy_item items[HEAVY_COUNTERS];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < HEAVY_COUNTERS; i++)
			add(heavy, "z", i, 1 + i);
		assert_int_equal(heavy__bound(heavy), 1);
		assert_int_equal(heavy__top(heavy, items, HEAVY_COUNTERS), HEAVY_COUNTERS);
		for (int i = 0; i < HEAVY_COUNTERS; i++) {
			assert_int_equal(items[i].n, HEAVY_COUNTERS - i);
			assert_int_equal(items[i].error, 0);
		}
		assert_non_null(heavy__find(heavy, "z7", 2));
		assert_null(heavy__find(heavy, "y7", 2));
		heavy__clear(heavy);
		assert_null(heavy__find(heavy, "z7", 2));
		assert_int_equal(heavy__bound(heavy), 0);
		assert_int_equal(heavy__top(heavy, items, HEAVY_COUNTERS), 0);
	}
	heavy__free(heavy);
}

static void test_keys_that_are_none(void **state)
{
	struct heavy *heavy = make();
	char key[65] = "";

	(void)state;
	assert_null(heavy__add(heavy, key, 0, 1));
	assert_null(heavy__add(heavy, key, 65, 1));
	assert_non_null(heavy__add(heavy, key, 64, 1));
	assert_null(heavy__find(heavy, key, 63));
	heavy__free(heavy);
	heavy__free(NULL);
}

/* With @per_query keys beside each, that come once. */
static void zipf_beside(unsigned int queries, unsigned int per_query)
{
	struct heavy *heavy = make();
	uint64_t *exact = calloc(NAMES, sizeof(*exact)), all = 0;
	double *upto = zipf();
	unsigned int flood = 0;

	assert_non_null(exact);
	for (unsigned int i = 0; i < queries; i++) {
		int name = draw(upto);

		exact[name]++;
		add(heavy, "z", name, 1);
		for (unsigned int k = 0; k < per_query; k++)
			add(heavy, "f", flood++, 1);
		all += 1 + per_query;
	}
	check_bounds(heavy, exact, all);
	check_top(heavy, exact);
	free(upto);
	free(exact);
	heavy__free(heavy);
}

static void test_zipf(void **state)
{
	(void)state;
	zipf_beside(1000000, 0);
}

/* Of six queries five are for a name that nobody asks again: a million of those. */
static void test_flood(void **state)
{
	struct mallinfo2 before = mallinfo2(), after;

	(void)state;
	zipf_beside(200000, 5);
	after = mallinfo2();
	assert_true(after.uordblks <= before.uordblks + 4096);
}

/* Nothing is allocated but at the start. */
static void test_memory(void **state)
{
	struct heavy *heavy = make();
	struct mallinfo2 before = mallinfo2(), after;

	(void)state;
	for (unsigned int i = 0; i < 1000000; i++)
		add(heavy, "f", i, 1);
	after = mallinfo2();
	assert_int_equal(after.uordblks, before.uordblks);
	assert_true(before.uordblks < 1u << 20);
	heavy__free(heavy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_are_exact), cmocka_unit_test(test_keys_that_are_none),
		cmocka_unit_test(test_zipf),	      cmocka_unit_test(test_flood),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
