// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Blocks with caches of their own: each has what its capacity says, whatever the others do, and
 * keeps it over a reload.
 */
#include "store_world.h"

static void open_partitions(struct world *w, const uint32_t (*partitions)[2], uint32_t n)
{
	uint32_t capacity[2] = { 0, 0 };

	for (uint32_t i = 0; i < n * 2; i++)
		capacity[i % 2] += partitions[i / 2][i % 2];
	w->config = (struct store_config){
		.capacity = { capacity[0], capacity[1] },
		.bufsize = 1232,
		.hash_key = w->key,
		.partitions = partitions,
		.n_partitions = n,
	};
	w->now = fixture_now();
	if (!fixture_maps(&w->maps, w->config.capacity, w->mapped)) {
		print_message("no permission to make maps\n");
		skip();
	}
	assert_int_equal(fixture_open(&w->maps, &w->config, &w->store), 0);
}

/* @n answers "KIND-PARTITION-i." of @partition. */
static void flood(struct world *w, uint16_t partition, int kind, int n)
{
	struct store_put how = { .kind = kind, .ttl_s = 30, .partition = partition };
	char text[32];

	for (int i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "k%d-o%d-%d.", kind, partition, i);
		assert_int_equal(store__put(w->store, fixture_answer(text, 1, 1), &how, w->now), 0);
		grace_period();
	}
}

static struct store_partition_stats of(const struct world *w, uint32_t partition, int kind)
{
	struct store_partition_stats s;

	assert_int_equal(store__partition_stats(w->store, partition, kind, &s), 0);
	return s;
}

/* 9,984 fit in 9984; one more, and one goes, its own. */
static void test_full(void **state)
{
	static const uint32_t partitions[][2] = { { 9984, 100 }, { 50, 50 }, { 0, 7 } };
	struct world *w = *state;

	open_partitions(w, partitions, 3);
	flood(w, 0, NODENS_NEGATIVE, 100);
	flood(w, 1, NODENS_POSITIVE, 50);
	flood(w, 0, NODENS_POSITIVE, 9984);
	assert_int_equal(of(w, 0, NODENS_POSITIVE).entries, 9984);
	assert_int_equal(of(w, 0, NODENS_POSITIVE).evicted, 0);
	assert_int_equal(index_count(&w->maps), 9984 + 150);
	put_n(w, "one-more.", NODENS_POSITIVE, 1, 1);
	assert_int_equal(of(w, 0, NODENS_POSITIVE).evicted, 1);
	assert_int_equal(of(w, 0, NODENS_POSITIVE).entries, 9984);
	flood(w, 1, NODENS_NEGATIVE, 500);
	flood(w, 2, NODENS_NEGATIVE, 500);
	assert_int_equal(of(w, 0, NODENS_NEGATIVE).evicted, 0);
	assert_int_equal(of(w, 0, NODENS_POSITIVE).evicted, 1);
	assert_int_equal(of(w, 1, NODENS_POSITIVE).evicted, 0);
	assert_int_equal(of(w, 1, NODENS_NEGATIVE).entries, 50);
	assert_int_equal(of(w, 2, NODENS_NEGATIVE).entries, 7);
	assert_int_equal(stats(w).room, 9984 + 100 + 50 + 50 + 7);
}

struct map {
	int to[3];
	unsigned int asked;
};

static bool moved(void *ctx, const struct store_question *question, const struct nodens_slot *slot,
		  struct store_put *put)
{
	struct map *map = ctx;

	(void)slot;
	map->asked++;
	put->partition = map->to[question->partition];
	return map->to[question->partition] >= 0;
}

/* A reload: two blocks change places, one goes, and the capacity of one is less. */
static void test_reload(void **state)
{
	static const uint32_t before[][2] = { { 40, 40 }, { 40, 40 }, { 40, 40 } };
	static const uint32_t after[][2] = { { 40, 40 }, { 10, 40 } };
	static const uint32_t large[][2] = { { 400, 0 }, { 400, 0 } };
	struct map map = { .to = { 1, 0, -1 } };
	struct world *w = *state;

	open_partitions(w, before, 3);
	for (uint16_t partition = 0; partition < 3; partition++)
		flood(w, partition, NODENS_POSITIVE, 40);
	assert_int_equal(store__set_partitions(w->store, after, 2, moved, &map, w->now), 0);
	assert_int_equal(map.asked, 120);
	assert_int_equal(of(w, 0, NODENS_POSITIVE).entries, 40); /* was 1 */
	assert_int_equal(of(w, 1, NODENS_POSITIVE).entries, 10); /* was 0 */
	assert_non_null(get(w, "k0-o1-0."));
	assert_null(get(w, "k0-o0-29.")); /* the oldest went */
	assert_non_null(get(w, "k0-o0-30."));
	assert_null(get(w, "k0-o2-39."));
	assert_int_equal(index_count(&w->maps), 50);
	/* more than the maps were made for: in proportion */
	assert_int_equal(store__set_partitions(w->store, large, 2, NULL, NULL, w->now), 1);
	assert_int_equal(of(w, 0, NODENS_POSITIVE).capacity, 120);
	assert_int_equal(of(w, 1, NODENS_POSITIVE).capacity, 120);
	assert_int_equal(store__set_partitions(w->store, large, 0, NULL, NULL, w->now), -EINVAL);
}

static bool stale_for_an_hour(void *ctx, const struct store_question *question,
			      const struct nodens_slot *slot, struct store_put *put)
{
	unsigned int *asked = ctx;

	(void)question;
	(void)slot;
	++*asked;
	put->stale_s = put->keep_s = 3600;
	return true;
}

/* What somebody flushed does not come back because a reload writes something into each slot. */
static void test_flushed_before_a_reload(void **state)
{
	static const uint32_t all[][2] = { { 40, 40 } };
	unsigned int asked = 0;
	struct world *w = *state;

	open_partitions(w, all, 1);
	flood(w, 0, NODENS_POSITIVE, 2);
	fixture_unpublish(w->maps.index_fd, hash_of(w, "k0-o0-0."));
	assert_int_equal(store__set_partitions(w->store, all, 1, stale_for_an_hour, &asked, w->now),
			 0);
	assert_int_equal(asked, 1);
	assert_null(get(w, "k0-o0-0."));
	assert_non_null(get(w, "k0-o0-1."));
	assert_int_equal(index_count(&w->maps), 1);
	assert_int_equal(of(w, 0, NODENS_POSITIVE).entries, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		both(test_full),
		both(test_reload),
		both(test_flushed_before_a_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
