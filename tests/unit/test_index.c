// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of the index, mapped and by bpf(): a reader finds what a model says, at the load that is
 * promised, whatever is removed beside the writer; a walk sees all, and it ends.
 */
#include <math.h>

#include "store_fixture.h"

static uint64_t state_of_random;

static uint64_t random_hash(void)
{
	uint64_t x = state_of_random += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static int make_map(uint32_t buckets, bool mapped)
{
	int fd = fixture_map(BPF_MAP_TYPE_ARRAY, "t_index", 4, sizeof(struct nodens_bucket),
			     buckets, mapped ? BPF_F_MMAPABLE : 0);

	if (fd < 0) {
		print_message("no permission to make maps\n");
		skip();
	}
	return fd;
}

static struct index *open_index(int fd, bool mapped)
{
	struct index *index = NULL;

	assert_int_equal(index__open(fd, mapped, &index), 0);
	return index;
}

static void assert_empty(int fd)
{
	static const struct nodens_bucket empty;
	struct nodens_bucket bucket;

	for (uint32_t i = 0; i < fixture_buckets(fd); i++) {
		assert_int_equal(bpf_map_lookup_elem(fd, &i, &bucket), 0);
		assert_memory_equal(&bucket, &empty, sizeof(bucket));
	}
}

/* At random set, replaced, removed: the index is what a plain list says, for the reader as well. */
static void test_model(void **state)
{
	enum { HASHES = 200 };
	bool mapped = *(bool *)*state;
	int fd = make_map(32, mapped);
	struct index *index = open_index(fd, mapped);
	uint64_t hash[HASHES];
	int64_t want[HASHES];
	unsigned int full = 0;

	state_of_random = 1;
	for (int i = 0; i < HASHES; i++) {
		hash[i] = random_hash();
		want[i] = -1;
	}
	for (int round = 0; round < 20000; round++) {
		int i = random_hash() % HASHES;
		uint32_t number = random_hash() % 16 ? random_hash() % 4096 : 0, found = 0;

		if (random_hash() % 5 < 3) {
			int err = index__set(index, hash[i], number);

			assert_true(!err || (err == -ENOSPC && want[i] < 0));
			full += !!err;
			want[i] = err ? -1 : (int64_t)number;
		} else {
			assert_int_equal(index__remove(index, hash[i]), 0);
			want[i] = -1;
		}
		i = random_hash() % HASHES;
		assert_int_equal(fixture_find(fd, hash[i], &found), want[i] >= 0);
		assert_true(want[i] < 0 || found == want[i]);
		assert_int_equal(index__find(index, hash[i], &found), want[i] < 0 ? -ENOENT : 0);
		assert_true(want[i] < 0 || found == want[i]);
	}
	/* 120 of 224 places on average, 5 buckets each: full now and then */
	assert_in_range(full, 0, 200);
	for (int i = 0; i < HASHES; i++)
		assert_int_equal(index__remove(index, hash[i]), 0);
	assert_empty(fd);
	index__close(index);
	close(fd);
}

/* Share of entries beyond their home, at @mean a home: Poisson's law, places alone. */
static double share_beyond(double mean)
{
	double p = exp(-mean), over = 0;

	for (int k = 1; k < 64; k++) {
		p *= mean / k;
		if (k > NODENS_BUCKET_ENTRIES)
			over += p * (k - NODENS_BUCKET_ENTRIES);
	}
	return over / mean;
}

/* The largest load that is promised: as many lie further on as theory says, and all find a place.
 */
static void test_load(void **state)
{
	enum { BUCKETS = 65536, ENTRIES = 4 * BUCKETS };
	int fd = make_map(BUCKETS, true);
	struct index *index = open_index(fd, true);
	unsigned int refused = 0, beyond = 0;
	struct index_place at = {};
	double want;
	uint32_t number;

	(void)state;
	assert_int_equal(index__buckets(ENTRIES), BUCKETS);
	assert_int_equal(index__buckets(ENTRIES + 1), 2 * BUCKETS);
	assert_int_equal(index__buckets(1000000), 262144); /* 16 MB */
	assert_int_equal(index__buckets(0), NODENS_INDEX_MIN);
	state_of_random = 2;
	for (uint32_t i = 0; i < ENTRIES; i++)
		refused += !!index__set(index, random_hash(), i);
	state_of_random = 2;
	for (uint32_t i = 0; i < ENTRIES; i++) {
		if (index__find(index, random_hash(), &number))
			refused--;
		else
			assert_int_equal(number, i);
	}
	assert_int_equal(refused, 0); /* all that were refused, and no others, are not there */
	while (index__next(index, &at, &number) > 0)
		beyond += at.entry >> 32 & 7 ? 1 : 0;
	want = share_beyond(4) * ENTRIES;
	print_message("%u of %u entries (%.2f %%) lie beyond their home; %.0f by Poisson's law\n",
		      beyond, ENTRIES, 100.0 * beyond / ENTRIES, want);
	/* those that lie further on take places of others */
	assert_true(beyond > 0.9 * want && beyond < 1.5 * want);
	for (unsigned int round = 0; round < 4; round++) {
		state_of_random = 100 + round;
		refused = 0;
		for (uint32_t i = 0; i < 1000; i++)
			refused += index__set(index, random_hash(), 1) == -ENOSPC;
		assert_in_range(refused, 0, 2);
	}
	index__close(index);
	close(fd);
}

/* So full that many find no place: those are refused, all others are there. */
static void test_full(void **state)
{
	bool mapped = *(bool *)*state;
	int fd = make_map(NODENS_INDEX_MIN, mapped);
	struct index *index = open_index(fd, mapped);
	unsigned int n = 0;
	uint32_t number;

	state_of_random = 3;
	for (uint32_t i = 0; i < 500; i++)
		n += !index__set(index, random_hash(), i);
	assert_in_range(n, 50, NODENS_INDEX_MIN * NODENS_BUCKET_ENTRIES);
	assert_int_equal(fixture_published(fd), n);
	state_of_random = 3;
	for (uint32_t i = 0; i < 500; i++) {
		if (fixture_find(fd, random_hash(), &number)) {
			assert_int_equal(number, i);
			n--;
		}
	}
	assert_int_equal(n, 0);
	index__close(index);
	close(fd);
}

/* Two hashes of one home and tag have one entry; the reader gets what was set last, or nothing. */
static void test_same_tag(void **state)
{
	bool mapped = *(bool *)*state;
	int fd = make_map(64, mapped);
	struct index *index = open_index(fd, mapped);
	uint64_t a = 0x1234567890abcdefull, b = a ^ 1ull << 40;
	uint32_t number;

	assert_int_equal(index__set(index, a, 1), 0);
	assert_int_equal(index__set(index, b, 2), 0);
	assert_true(fixture_find(fd, a, &number) && number == 2);
	assert_int_equal(index__remove(index, a), 0);
	assert_false(fixture_find(fd, b, &number));
	assert_empty(fd);
	index__close(index);
	close(fd);
}

static void test_walk(void **state)
{
	enum { N = 3000 };
	static uint8_t seen[N];
	bool mapped = *(bool *)*state;
	int fd = make_map(index__buckets(N), mapped);
	struct index *index = open_index(fd, mapped), *other = open_index(fd, mapped);
	struct index_place at = {};
	uint64_t hash[N];
	uint32_t number;
	int ret;

	memset(seen, 0, sizeof(seen));
	assert_int_equal(index__next(index, &at, &number), 0);
	assert_int_equal(index__next(index, &at, &number), 0);
	state_of_random = 4;
	for (uint32_t i = 0; i < N; i++) {
		hash[i] = random_hash();
		assert_int_equal(index__set(index, hash[i], i), 0);
	}
	/* what was handed out may go, what was not yet is removed or replaced by others */
	at = (struct index_place){};
	while ((ret = index__next(index, &at, &number)) > 0) {
		uint32_t victim = random_hash() % N;

		assert_true(number < N && !seen[number]);
		assert_true(index__fits(index, &at, hash[number]));
		assert_false(index__fits(index, &at, ~hash[number]));
		seen[number] = 1;
		if (number % 3 == 0) {
			assert_int_equal(index__remove_at(index, &at), 0);
			assert_int_equal(index__remove_at(index, &at), -ENOENT);
			assert_int_equal(index__again(index, &at, &number), -ENOENT);
			seen[(uint32_t)at.entry - 1] = 2;
		}
		if (victim % 10 == 1) {
			assert_int_equal(index__remove(other, hash[victim]), 0);
			seen[victim] = 2;
		}
	}
	assert_int_equal(ret, 0);
	for (uint32_t i = 0; i < N; i++) {
		assert_true(seen[i]);
		assert_int_equal(fixture_find(fd, hash[i], &number), seen[i] == 1);
		assert_int_equal(index__remove(index, hash[i]), 0);
	}
	assert_empty(fd);
	index__close(other);
	index__close(index);
	close(fd);
}

/* An entry that was replaced in its place since it was seen is removed; another hash's is not. */
static void test_remove_replaced(void **state)
{
	bool mapped = *(bool *)*state;
	int fd = make_map(64, mapped);
	struct index *index = open_index(fd, mapped);
	uint64_t hash = 0x1234567890abcdefull;
	struct index_place at = {}, old;
	uint32_t number;

	assert_int_equal(index__set(index, hash, 1), 0);
	assert_int_equal(index__next(index, &at, &number), 1);
	old = at;
	assert_int_equal(index__set(index, hash, 2), 0);
	assert_int_equal(index__again(index, &at, &number), 0);
	assert_int_equal(number, 2);
	assert_int_equal(index__remove_at(index, &old), 0);
	assert_empty(fd);
	assert_int_equal(index__set(index, hash ^ 1, 3), 0);
	assert_int_equal(index__remove_at(index, &old), -ENOENT);
	assert_true(fixture_find(fd, hash ^ 1, &number));
	index__close(index);
	close(fd);
}

static void set_count(int fd, uint32_t home, uint64_t beyond)
{
	struct nodens_bucket bucket;

	assert_int_equal(bpf_map_lookup_elem(fd, &home, &bucket), 0);
	bucket.beyond = beyond;
	assert_int_equal(bpf_map_update_elem(fd, &home, &bucket, BPF_ANY), 0);
}

/*
 * Whatever the counts were, after settling every entry is found; those that said too little say no
 * more than there is.
 */
static void test_settle(void **state)
{
	enum { N = 250 };
	bool mapped = *(bool *)*state;
	int fd = make_map(index__buckets(N), mapped);
	struct index *index = open_index(fd, mapped);
	uint64_t hash[N];
	struct nodens_bucket bucket;
	uint32_t number;

	for (int garbage = 0; garbage < 2; garbage++) {
		state_of_random = 5;
		for (uint32_t i = 0; i < N; i++) {
			hash[i] = random_hash();
			assert_int_equal(index__set(index, hash[i], i), 0);
		}
		for (uint32_t i = 0; i < fixture_buckets(fd); i++)
			set_count(fd, i, garbage ? random_hash() : 0);
		assert_int_equal(index__settle(index), 0);
		for (uint32_t i = 0; i < N; i++) {
			assert_true(fixture_find(fd, hash[i], &number) && number == i);
			assert_int_equal(index__remove(index, hash[i]), 0);
		}
		assert_int_equal(fixture_published(fd), 0);
		if (!garbage)
			assert_empty(fd);
	}
	for (uint32_t i = 0; i < fixture_buckets(fd); i++)
		set_count(fd, i, 0);
	/* an entry of more strides than there are */
	bucket = (struct nodens_bucket){ .entry = { 7ull << 32 | 1 } };
	number = 0;
	assert_int_equal(bpf_map_update_elem(fd, &number, &bucket, BPF_ANY), 0);
	assert_int_equal(index__settle(index), 0);
	assert_empty(fd);
	index__close(index);
	close(fd);
}

/*
 * Settled while somebody is removing an entry: its place is empty by then, its count goes down
 * afterwards. No other entry of its home is overlooked.
 */
static void test_settle_beside(void **state)
{
	enum { N = NODENS_BUCKET_ENTRIES + 2 };
	bool mapped = *(bool *)*state;
	int fd = make_map(64, mapped);
	struct index *index = open_index(fd, mapped);
	struct nodens_bucket home, bucket;
	uint32_t at = 5, other, number;

	/* of one home and stride: two that lie one stride on */
	for (uint64_t i = 0; i < N; i++)
		assert_int_equal(index__set(index, 5ull << 58 | i << 20 | 3, i), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &at, &home), 0);
	assert_int_equal(home.beyond, 2);
	other = at + 3;
	assert_int_equal(bpf_map_lookup_elem(fd, &other, &bucket), 0);
	number = (uint32_t)bucket.entry[0] - 1;
	bucket.entry[0] = 0;
	assert_int_equal(bpf_map_update_elem(fd, &other, &bucket, BPF_ANY), 0);
	assert_int_equal(index__settle(index), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &at, &home), 0);
	set_count(fd, at, home.beyond - 1);
	for (uint64_t i = 0; i < N; i++) {
		uint32_t found;

		assert_int_equal(fixture_find(fd, 5ull << 58 | i << 20 | 3, &found), i != number);
	}
	index__close(index);
	close(fd);
}

static void test_wrong_map(void **state)
{
	static const uint32_t shapes[][3] = {
		{ BPF_MAP_TYPE_HASH, 64, 8 },
		{ BPF_MAP_TYPE_ARRAY, 8, 8 },
		{ BPF_MAP_TYPE_ARRAY, 64, 4 },
		{ BPF_MAP_TYPE_ARRAY, 64, 24 },
	};
	struct index *index = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		int fd = fixture_map(shapes[i][0], "t_wrong", 4, shapes[i][1], shapes[i][2], 0);

		assert_true(fd >= 0);
		assert_int_equal(index__open(fd, *(bool *)*state, &index), -EINVAL);
		close(fd);
	}
	assert_int_equal(index__open(-1, *(bool *)*state, &index), -EBADFD);
	assert_null(index);
	index__close(NULL);
}

#define both(test)                                                        \
	{ #test " (mapped)", test, NULL, NULL, (void *)&(bool){ true } }, \
	{                                                                 \
#test " (by bpf)", test, NULL, NULL, (void *)&(bool)      \
		{                                                         \
			false                                             \
		}                                                         \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		both(test_model),     cmocka_unit_test(test_load),
		both(test_full),      both(test_same_tag),
		both(test_walk),      both(test_remove_replaced),
		both(test_settle),    both(test_settle_beside),
		both(test_wrong_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
