// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Memory of slots: it comes with use, goes from one size of answers to another, and where the
 * kernel gives no more, what there is is shared.
 */
#include "store_world.h"
#include "store_flush.h"
#include "store/store_priv.h"

/* A few sizes, by their records: one to 20 A. */
static const unsigned int records[] = { 1, 4, 8, 20 };

static void open_small(struct world *w, uint32_t capacity, uint32_t max_steps)
{
	open_world(w, capacity, capacity);
	store__close(w->store);
	close(w->maps.slabs.fd);
	w->maps.slabs.max = max_steps;
	w->maps.slabs.fd = steps__create(max_steps, w->mapped);
	assert_int_equal(fixture_open(&w->maps, &w->config, &w->store), 0);
}

static unsigned int put_many(struct world *w, const char *prefix, int kind, unsigned int n,
			     unsigned int n_records)
{
	unsigned int kept = 0;
	char text[32];

	for (unsigned int i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%s%u.example.", prefix, i);
		kept += put_n(w, text, kind, n_records, 1) == 0;
		grace_period();
	}
	return kept;
}

/* None at first; then about as much as the answers take. */
static void test_follows_use(void **state)
{
	struct world *w = *state;
	uint64_t bytes;

	open_world(w, 10000, 10000);
	assert_int_equal(w->store->publisher->n_steps, 0);
	bytes = stats(w).slot_bytes;
	assert_int_equal(bytes, 0);
	assert_int_equal(put_many(w, "a", NODENS_POSITIVE, 1, 1), 1);
	assert_int_equal(w->store->publisher->n_steps, 1);
	assert_int_equal(stats(w).slot_bytes_used, NODENS_CELL);
	/* 128 bytes each: 8,192 in a step */
	assert_int_equal(put_many(w, "n", NODENS_POSITIVE, 8000, 1), 8000);
	assert_int_equal(w->store->publisher->n_steps, 1);
	assert_int_equal(stats(w).slot_bytes, STEP_BYTES);
	reopen(w);
	assert_int_equal(stats(w).entries[0], 8001);
	assert_int_equal(w->store->publisher->n_steps, 1);
}

/* What answers of one size have left is there for those of another. */
static void test_classes_share(void **state)
{
	struct world *w = *state;
	uint32_t steps = 0;

	open_world(w, 3000, 0);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
			assert_int_equal(put_many(w, "n", NODENS_POSITIVE, 3000, records[i]), 3000);
			flush_store(w->store, NULL, 0);
			grace_period();
		}
		if (round == 0)
			steps = w->store->publisher->n_steps;
	}
	assert_int_equal(w->store->publisher->n_steps, steps);
	assert_in_range(steps, 1, 2);
	slots_reclaim(w->store);
	assert_int_equal(w->store->cells.in_use, 0);
}

/* A full cache: the new come in, others go; and each has what its capacity says of what there is.
 */
static void test_no_memory(void **state)
{
	struct world *w = *state;
	unsigned int kept, most;

	open_small(w, 6000, 1);
	/* 512 bytes each: 2,048 in a step */
	kept = put_many(w, "n", NODENS_POSITIVE, 6000, 20);
	assert_in_range(kept, 4000, 5999);
	assert_in_range(stats(w).entries[0], 1700, 2048);
	assert_true(stats(w).no_memory > 0);
	most = stats(w).entries[0];
	kept = put_many(w, "m", NODENS_NEGATIVE, 6000, 20);
	assert_in_range(kept, 2500, 5999);
	assert_in_range(stats(w).entries[1], most / 2 - 100, most / 2 + 100);
	assert_in_range(stats(w).entries[0], most / 2 - 200, most / 2 + 100);
	assert_int_equal(index_count(&w->maps), stats(w).entries[0] + stats(w).entries[1]);
	reopen(w);
	assert_int_equal(index_count(&w->maps), stats(w).entries[0] + stats(w).entries[1]);
	assert_true(stats(w).entries[0] > 500 && stats(w).entries[1] > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		both(test_follows_use),
		both(test_classes_share),
		both(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
