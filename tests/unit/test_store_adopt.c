// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of what a store makes of maps that it did not begin with: an earlier agent's, other ones,
 * garbage.
 */
#include "store_world.h"
#include "store_flush.h"

static void test_adopt(void **state)
{
	struct world *w = *state;
	char text[32];

	open_world(w, 1000, 1000);
	/* a third expired in the first second after boot */
	for (int i = 0; i < 900; i++) {
		snprintf(text, sizeof(text), "n%d.", i);
		store__put(w->store, fixture_answer(text, i % 50 ? 1 + i % 9 : 70, i),
			   &(struct store_put){ .kind = i & 1, .ttl_s = i % 3 ? 300 : 1 },
			   i % 3 ? w->now : 0);
	}
	put_n(w, "big.", NODENS_POSITIVE, 200, 1);
	reopen(w);
	assert_int_equal(stats(w).entries[0], 301);
	assert_int_equal(stats(w).entries[1], 300);
	assert_int_equal(index_count(&w->maps), 601);
	for (int i = 0; i < 900; i++) {
		const struct answer *answer;

		snprintf(text, sizeof(text), "n%d.", i);
		answer = get(w, text);
		assert_int_equal(!!answer, i % 3 != 0);
		if (answer)
			assert_int_equal(answer->blob[15], (uint8_t)i);
	}
	/* its records went with the agent; the programs go on to answer TC=1 */
	assert_null(get(w, "big."));
	put_n(w, "big.", NODENS_POSITIVE, 200, 1);
	assert_non_null(get(w, "big."));
	/* every slot can be had */
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "m%d.", i);
		assert_int_equal(put_n(w, text, i & 1, 1, i), 0);
		grace_period();
	}
	assert_int_equal(stats(w).entries[0] + stats(w).entries[1], 2000);
	reopen(w);
	assert_int_equal(index_count(&w->maps), 2000);
	assert_int_equal(stats(w).entries[0], 1000);
	/* a smaller capacity over the same maps */
	w->config.capacity[0] = 10;
	w->config.capacity[1] = 0;
	reopen(w);
	assert_true(stats(w).entries[0] <= 10);
	assert_int_equal(stats(w).entries[1], 0);
	assert_int_equal(index_count(&w->maps), stats(w).entries[0]);
	/* another key: nothing is what it says */
	w->key[3]++;
	w->key[DNS_NAME_WORDS]++;
	reopen(w);
	assert_int_equal(index_count(&w->maps), 0);
}

/* Slots that were not adopted, below one that was, can be had again. */
/* What a configuration said is that configuration's; the next one says what it says. */
static void test_adopt_not_fixed(void **state)
{
	struct store_put how = { .kind = NODENS_POSITIVE, .ttl_s = 30 };
	struct world *w = *state;

	open_world(w, 100, 100);
	assert_int_equal(store__put(w->store, fixture_answer("asked.", 1, 1), &how, w->now), 0);
	how.fixed = true;
	assert_int_equal(store__put(w->store, fixture_answer("hosts.", 1, 1), &how, w->now), 0);
	reopen(w);
	assert_non_null(get(w, "asked."));
	assert_null(get(w, "hosts."));
	assert_int_equal(index_count(&w->maps), 1);
}

static void test_adopt_gaps(void **state)
{
	struct world *w = *state;
	unsigned int n[2] = {};
	char text[32];

	for (int round = 0; round < 2; round++) {
		if (round == 0)
			open_world(w, 100, 100);
		else
			reopen(w);
		while (put(w, "again.", NODENS_POSITIVE) == 0)
			n[round]++;
		assert_true(n[round] > 100);
		grace_period();
		flush_store(w->store, NULL, 0);
		for (int i = 0; i < 60; i++) {
			snprintf(text, sizeof(text), "n%d.", i);
			store__put(w->store, fixture_answer(text, 1, 1),
				   &(struct store_put){ .kind = 0, .ttl_s = 1 },
				   i < 59 ? 0 : w->now + 60 * NSEC);
		}
	}
	assert_in_range(n[1], n[0] - 2, n[0]);
}

/* Whatever the maps hold: no crash, and the index names only sound slots of ours afterwards. */
static void test_adopt_garbage(void **state)
{
	struct world *w = *state;
	union slot_buf good, slot;
	uint32_t number, adopted = 0;
	unsigned int seed = 4711;

	open_world(w, 300, 300);
	put_n(w, "abc.example.", NODENS_POSITIVE, 3, 1);
	assert_true(kernel_slot(&w->maps, hash_of(w, "abc.example."), &number, &good));
	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < 20; i++) {
			uint64_t hash = rand_r(&seed) % 4
						? (uint64_t)rand_r(&seed) << 33 | rand_r(&seed)
						: hash_of(w, "abc.example.");
			uint32_t bucket = rand_r(&seed) % fixture_buckets(w->maps.index_fd);
			struct nodens_bucket garbage;
			uint32_t cls = rand_r(&seed) % NODENS_CLASSES;
			uint32_t units = slot_class_size[cls] / NODENS_UNIT;
			uint32_t cell = rand_r(&seed) % 16;
			uint32_t at = rand_r(&seed) % (NODENS_CELL / slot_class_size[cls]);

			slot = good;
			for (int k = rand_r(&seed) % 4; k > 0; k--)
				slot.bytes[rand_r(&seed) % 120] ^= 1 << rand_r(&seed) % 8;
			number = NODENS_SLOT(cls, cell * (NODENS_CELL / NODENS_UNIT) + at * units);
			assert_int_equal(fixture_set_slot(&w->maps, number, &slot), 0);
			if (rand_r(&seed) % 8 == 0)
				number = (uint32_t)rand_r(&seed) * 3;
			fixture_publish(w->maps.index_fd, hash, number);
			if (rand_r(&seed) % 4)
				continue;
			bpf_map_lookup_elem(w->maps.index_fd, &bucket, &garbage);
			for (int k = rand_r(&seed) % 4; k > 0; k--)
				((uint8_t *)&garbage)[rand_r(&seed) % sizeof(garbage)] ^=
					1 << rand_r(&seed) % 8;
			bpf_map_update_elem(w->maps.index_fd, &bucket, &garbage, 0);
		}
		reopen(w);
		assert_true(stats(w).entries[0] + stats(w).entries[1] <= 1);
		assert_int_equal(index_count(&w->maps), stats(w).entries[0] + stats(w).entries[1]);
		if (stats(w).entries[0]) {
			adopted++;
			assert_true(
				kernel_slot(&w->maps, hash_of(w, "abc.example."), &number, &slot));
			assert_true(slot__check(&slot.slot, sizeof(slot)));
			get(w, "abc.example.");
		}
	}
	assert_true(adopted > 20);
}

/* Maps of another shape than they should have are refused. */
static void test_wrong_maps(void **state)
{
	struct world *w = *state;
	struct store_maps maps;
	struct store *store = NULL;

	open_world(w, 100, 100);
	maps = w->maps;
	maps.slabs.max++;
	assert_int_equal(fixture_open(&maps, &w->config, &store), -EINVAL);
	maps = w->maps;
	maps.slabs.fd = maps.grace_inner_fd;
	maps.slabs.max = 1;
	assert_int_equal(fixture_open(&maps, &w->config, &store), -EINVAL);
	maps = w->maps;
	maps.index_fd = maps.slabs.fd;
	assert_int_equal(fixture_open(&maps, &w->config, &store), -EINVAL);
	maps = w->maps;
	maps.index_fd = -1;
	assert_int_equal(fixture_open(&maps, &w->config, &store), -EBADFD);
	maps.slabs.fd = -1;
	assert_int_equal(fixture_open(&maps, &w->config, &store), -EBADFD);
	assert_null(store);
}

/* An index smaller than the capacity: what finds no place is refused, nothing breaks. */
static void test_small_index(void **state)
{
	struct world *w = *state;
	char text[32];
	int refused = 0;

	open_world(w, 100, 100);
	store__close(w->store);
	close(w->maps.index_fd);
	w->maps.index_fd =
		fixture_map(BPF_MAP_TYPE_ARRAY, "t_index", 4, sizeof(struct nodens_bucket),
			    NODENS_INDEX_MIN, w->maps.slabs.mmapable ? BPF_F_MMAPABLE : 0);
	assert_int_equal(fixture_open(&w->maps, &w->config, &w->store), 0);
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "n%d.", i);
		if (put(w, text, NODENS_POSITIVE)) {
			refused++;
			assert_null(get(w, text));
		} else {
			assert_non_null(get(w, text));
		}
		grace_period();
	}
	assert_int_equal(stats(w).refused, refused);
	assert_int_equal(index_count(&w->maps), stats(w).entries[0]);
	assert_in_range(stats(w).entries[0], 40, NODENS_INDEX_MIN * NODENS_BUCKET_ENTRIES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		both(test_adopt),	  both(test_adopt_not_fixed), both(test_adopt_gaps),
		both(test_adopt_garbage), both(test_wrong_maps),      both(test_small_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
