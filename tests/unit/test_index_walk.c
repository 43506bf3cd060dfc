// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of the walk over the index, by batches and key by key: all is seen, also while the walker
 * or somebody else deletes, and it ends.
 */
#include "store_fixture.h"

#include "store/index_walk.h"

#define N 20000

static int make_map(uint32_t n)
{
	int fd = fixture_map(BPF_MAP_TYPE_HASH, "t_index", 8, 4, N, 0);

	if (fd < 0) {
		print_message("no permission to make maps\n");
		skip();
	}
	for (uint64_t key = 0; key < n; key++) {
		uint32_t value = key * 3;
		uint64_t hash = key * 0x9e3779b97f4a7c15ull;

		assert_int_equal(bpf_map_update_elem(fd, &hash, &value, BPF_ANY), 0);
	}
	return fd;
}

static struct index_walk *open_walk(int fd, bool by_key)
{
	struct index_walk *walk = NULL;

	assert_int_equal(index_walk__open(fd, by_key, &walk), 0);
	return walk;
}

static void test_all_seen(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 4095, 4096, 4097, N };
	static uint8_t seen[N];
	uint64_t hash;
	uint32_t slot;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int fd = make_map(sizes[i]), ret;
		struct index_walk *walk = open_walk(fd, *(bool *)*state);
		unsigned int n = 0;

		memset(seen, 0, sizeof(seen));
		while ((ret = index_walk__next(walk, &hash, &slot)) > 0) {
			assert_true(slot % 3 == 0 && slot / 3 < sizes[i]);
			assert_true(hash == slot / 3 * 0x9e3779b97f4a7c15ull);
			assert_int_equal(seen[slot / 3]++, 0);
			n++;
		}
		assert_int_equal(ret, 0);
		assert_int_equal(index_walk__next(walk, &hash, &slot), 0);
		assert_int_equal(n, sizes[i]);
		index_walk__close(walk);
		close(fd);
	}
}

/* What was handed out may go at once, and all of it. */
static void test_delete(void **state)
{
	int fd = make_map(N), ret;
	struct index_walk *walk = open_walk(fd, *(bool *)*state);
	unsigned int n = 0;
	uint64_t hash;
	uint32_t slot;

	while ((ret = index_walk__next(walk, &hash, &slot)) > 0) {
		assert_int_equal(bpf_map_delete_elem(fd, &hash), 0);
		n++;
	}
	assert_int_equal(ret, 0);
	assert_int_equal(n, N);
	assert_int_not_equal(bpf_map_get_next_key(fd, NULL, &hash), 0);
	index_walk__close(walk);
	close(fd);
}

/* Somebody else deletes at random and puts back: it ends, having seen what stayed, or says so. */
static void test_others_delete(void **state)
{
	static uint8_t seen[N];
	int fd = make_map(N), ret;
	struct index_walk *walk = open_walk(fd, *(bool *)*state);
	unsigned int seed = 7, steps = 0;
	uint64_t hash, other;
	uint32_t slot;

	memset(seen, 0, sizeof(seen));
	while ((ret = index_walk__next(walk, &hash, &slot)) > 0) {
		assert_true(++steps <= 3 * N);
		seen[slot / 3] = 1;
		other = (uint64_t)(rand_r(&seed) % (N / 2)) * 0x9e3779b97f4a7c15ull;
		bpf_map_delete_elem(fd, &other);
	}
	assert_true(ret == 0 || ret == -EAGAIN);
	for (unsigned int i = N / 2; !ret && i < N; i++)
		assert_int_equal(seen[i], 1);
	index_walk__close(walk);
	close(fd);
}

static void test_wrong_map(void **state)
{
	int fd = fixture_map(BPF_MAP_TYPE_ARRAY, "t_array", 4, 4, 1, 0);
	struct index_walk *walk = NULL;

	assert_int_equal(index_walk__open(fd, *(bool *)*state, &walk), -EINVAL);
	close(fd);
	fd = fixture_map(BPF_MAP_TYPE_HASH, "t_hash", 8, 8, 1, 0);
	assert_int_equal(index_walk__open(fd, *(bool *)*state, &walk), -EINVAL);
	close(fd);
	assert_int_equal(index_walk__open(-1, *(bool *)*state, &walk), -EBADFD);
	assert_null(walk);
	index_walk__close(NULL);
}

#define both(test)                                                          \
	{ #test " (batches)", test, NULL, NULL, (void *)&(bool){ false } }, \
	{                                                                   \
#test " (by key)", test, NULL, NULL, (void *)&(bool)        \
		{                                                           \
			true                                                \
		}                                                           \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		both(test_all_seen),
		both(test_delete),
		both(test_others_delete),
		both(test_wrong_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
