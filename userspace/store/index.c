// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The index as buckets of one cache line. Contract: index.h.
 *
 * At 4 entries a home bucket of 7 places, Poisson's law leaves 2.1 % of the entries to a bucket
 * further on, and of the buckets an eighth is full: so many of a million find none of five places
 * to have room. Entries never move, so a walk sees each of them, and a reader needs no second look.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "store/index.h"

#define ENTRIES_A_BUCKET 4

struct index {
	int fd;
	uint32_t mask;		   /* of bucket numbers */
	unsigned int shift;	   /* of a hash: its home bucket */
	struct nodens_bucket *mem; /* NULL: by bpf() */
	size_t bytes;
};

uint32_t index__buckets(uint64_t entries)
{
	uint32_t n = NODENS_INDEX_MIN;

	while ((uint64_t)n * ENTRIES_A_BUCKET < entries && n < 1u << 31)
		n *= 2;
	return n;
}

/* ---- buckets ---- */

static int bucket_read(const struct index *index, uint32_t number, struct nodens_bucket *copy)
{
	const struct nodens_bucket *from;

	if (!index->mem)
		return bpf_map_lookup_elem(index->fd, &number, copy);
	from = &index->mem[number];
	for (int i = 0; i < NODENS_BUCKET_ENTRIES; i++)
		copy->entry[i] = __atomic_load_n(&from->entry[i], __ATOMIC_RELAXED);
	copy->beyond = __atomic_load_n(&from->beyond, __ATOMIC_RELAXED);
	return 0;
}

/* -ENOENT: the place does not hold @old any more. */
static int entry_swap(struct index *index, const struct index_place *at, uint64_t entry)
{
	__u64 old = at->entry;
	struct nodens_bucket copy;
	int err;

	if (index->mem)
		return __atomic_compare_exchange_n(&index->mem[at->bucket].entry[at->place], &old,
						   entry, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
			       ? 0
			       : -ENOENT;
	err = bpf_map_lookup_elem(index->fd, &at->bucket, &copy);
	if (err)
		return err;
	if (copy.entry[at->place] != old)
		return -ENOENT;
	copy.entry[at->place] = entry;
	return bpf_map_update_elem(index->fd, &at->bucket, &copy, BPF_ANY);
}

/* Entries so many strides on. */
static unsigned int count_of(uint64_t beyond, unsigned int step)
{
	return beyond >> (step - 1) * NODENS_BEYOND_BITS & 0xffff;
}

/* @beyond with one more or one less so many strides on; it stays as it is where that cannot be. */
static uint64_t counted(uint64_t beyond, unsigned int step, int by)
{
	uint64_t one = 1ull << (step - 1) * NODENS_BEYOND_BITS;

	if (count_of(beyond, step) == (by > 0 ? 0xffff : 0))
		return beyond;
	return by > 0 ? beyond + one : beyond - one;
}

static int beyond_count(struct index *index, uint32_t home, unsigned int step, int by)
{
	struct nodens_bucket copy;
	__u64 *beyond, old;
	int err;

	if (index->mem) {
		beyond = &index->mem[home].beyond;
		old = __atomic_load_n(beyond, __ATOMIC_RELAXED);
		while (!__atomic_compare_exchange_n(beyond, &old, counted(old, step, by), false,
						    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			;
		return 0;
	}
	err = bpf_map_lookup_elem(index->fd, &home, &copy);
	if (err)
		return err;
	copy.beyond = counted(copy.beyond, step, by);
	return bpf_map_update_elem(index->fd, &home, &copy, BPF_ANY);
}

/* ---- where a hash may be ---- */

static uint32_t stride(uint64_t entry)
{
	return (uint32_t)(entry >> 35) | 1;
}

static unsigned int step_of(uint64_t entry)
{
	return entry >> 32 & 7;
}

static uint32_t home_of(const struct index *index, const struct index_place *at)
{
	return (at->bucket - step_of(at->entry) * stride(at->entry)) & index->mask;
}

/* The buckets that may hold a hash, the home first. */
struct probe {
	uint64_t key; /* the upper half of an entry there */
	uint64_t beyond;
	uint32_t bucket;
	unsigned int step;
	struct nodens_bucket copy;
};

static int probe_read(const struct index *index, struct probe *p)
{
	int err = bucket_read(index, p->bucket, &p->copy);

	if (!err && !p->step)
		p->beyond = p->copy.beyond;
	return err;
}

static int probe_begin(const struct index *index, uint64_t hash, struct probe *p)
{
	p->key = hash << 35;
	p->bucket = hash >> index->shift;
	p->step = 0;
	return probe_read(index, p);
}

void index__expect(const struct index *index, uint64_t hash)
{
	if (index->mem)
		__builtin_prefetch(&index->mem[hash >> index->shift]);
}

/* 1: there is another bucket, now read; 0: that was the last. */
static int probe_next(const struct index *index, struct probe *p)
{
	int err;

	if (p->step == NODENS_INDEX_STEPS)
		return 0;
	if (p->step)
		p->beyond >>= NODENS_BEYOND_BITS;
	p->step++;
	p->key += NODENS_ENTRY_STEP;
	p->bucket = (p->bucket + stride(p->key)) & index->mask;
	err = probe_read(index, p);
	return err ? err : 1;
}

/* The hash's own entry in this bucket, from place *@from on. */
static bool probe_match(const struct probe *p, uint32_t from, struct index_place *at)
{
	for (uint32_t i = from; i < NODENS_BUCKET_ENTRIES; i++) {
		uint64_t entry = p->copy.entry[i];

		if (entry && !((entry ^ p->key) >> 32)) {
			*at = (struct index_place){ p->bucket, i, entry };
			return true;
		}
	}
	return false;
}

static bool probe_empty(const struct probe *p, struct index_place *at)
{
	for (uint32_t i = 0; i < NODENS_BUCKET_ENTRIES; i++) {
		if (!p->copy.entry[i]) {
			*at = (struct index_place){ p->bucket, i, 0 };
			return true;
		}
	}
	return false;
}

/* Are there entries of this home further on? */
static bool probe_more(const struct probe *p)
{
	return p->step ? p->beyond >> NODENS_BEYOND_BITS : p->beyond;
}

int index__find(const struct index *index, uint64_t hash, uint32_t *slot)
{
	struct index_place at;
	struct probe p;
	int err = probe_begin(index, hash, &p);

	if (err)
		return err;
	while (!probe_match(&p, 0, &at)) {
		err = probe_more(&p) ? probe_next(index, &p) : 0;
		if (err <= 0)
			return err ? err : -ENOENT;
	}
	*slot = (uint32_t)at.entry - 1;
	return 0;
}

int index__set(struct index *index, uint64_t hash, uint32_t slot)
{
	struct index_place at, empty = {};
	uint64_t empty_key = 0;
	bool room = false;
	struct probe p;
	int err = probe_begin(index, hash, &p);

	if (err)
		return err;
	for (;;) {
		if (probe_match(&p, 0, &at) &&
		    !entry_swap(index, &at, p.key | ((uint64_t)slot + 1)))
			return 0;
		if (!room && probe_empty(&p, &empty)) {
			room = true;
			empty_key = p.key;
		}
		if (room && index->mem && !probe_more(&p))
			break;
		err = probe_next(index, &p);
		if (err <= 0)
			break;
	}
	if (err < 0 || !room)
		return err < 0 ? err : -ENOSPC;
	at = empty;
	at.entry = empty_key;
	if (step_of(empty_key)) {
		err = beyond_count(index, home_of(index, &at), step_of(empty_key), 1);
		if (err)
			return err;
	}
	/* nobody else fills places */
	return entry_swap(index, &empty, empty_key | ((uint64_t)slot + 1));
}

static int remove_entry(struct index *index, const struct index_place *at)
{
	int err = entry_swap(index, at, 0);

	if (!err && step_of(at->entry))
		err = beyond_count(index, home_of(index, at), step_of(at->entry), -1);
	return err;
}

int index__remove(struct index *index, uint64_t hash)
{
	struct index_place at;
	struct probe p;
	int err = probe_begin(index, hash, &p);

	while (!err) {
		at.place = -1;
		while (!err && probe_match(&p, at.place + 1, &at)) {
			err = remove_entry(index, &at);
			if (err == -ENOENT) /* somebody else was faster */
				err = 0;
		}
		if (err || (index->mem && !probe_more(&p)))
			return err;
		err = probe_next(index, &p);
		if (err <= 0)
			return err;
		err = 0;
	}
	return err;
}

/* ---- walking ---- */

int index__next(const struct index *index, struct index_place *at, uint32_t *slot)
{
	struct nodens_bucket copy;
	uint32_t place = at->entry ? at->place + 1 : at->place;
	int err;

	for (uint32_t bucket = at->bucket; bucket <= index->mask; bucket++, place = 0) {
		err = bucket_read(index, bucket, &copy);
		if (err)
			return err;
		for (; place < NODENS_BUCKET_ENTRIES; place++) {
			if (!copy.entry[place])
				continue;
			*at = (struct index_place){ bucket, place, copy.entry[place] };
			*slot = (uint32_t)at->entry - 1;
			return 1;
		}
	}
	*at = (struct index_place){ index->mask + 1, 0, 0 };
	return 0;
}

bool index__fits(const struct index *index, const struct index_place *at, uint64_t hash)
{
	return !((at->entry ^ hash << 35) >> 35) && home_of(index, at) == hash >> index->shift;
}

int index__again(const struct index *index, struct index_place *at, uint32_t *slot)
{
	struct nodens_bucket copy;
	uint64_t entry;
	int err = bucket_read(index, at->bucket, &copy);

	if (err)
		return err;
	entry = copy.entry[at->place];
	if (!entry || (entry ^ at->entry) >> 32)
		return -ENOENT;
	at->entry = entry;
	*slot = (uint32_t)entry - 1;
	return 0;
}

int index__remove_at(struct index *index, const struct index_place *at)
{
	struct index_place now = *at;
	uint32_t slot;
	int err;

	do
		err = remove_entry(index, &now);
	while (err == -ENOENT && !(err = index__again(index, &now, &slot)));
	return err;
}

/*
 * No count is taken down: an entry that somebody is removing at this moment may be gone already and
 * its count be about to go down.
 */
static int raise_counts(struct index *index, uint32_t home, uint64_t least)
{
	struct nodens_bucket copy;
	int err = bucket_read(index, home, &copy);

	for (unsigned int step = 1; step <= NODENS_INDEX_STEPS; step++) {
		unsigned int count = count_of(copy.beyond, step);

		for (; !err && count < count_of(least, step); count++)
			err = beyond_count(index, home, step, 1);
	}
	return err;
}

int index__settle(struct index *index)
{
	uint64_t *beyond = calloc((size_t)index->mask + 1, sizeof(*beyond));
	struct index_place at = {};
	uint32_t slot;
	int err;

	if (!beyond)
		return -ENOMEM;
	while ((err = index__next(index, &at, &slot)) > 0) {
		uint64_t *home = &beyond[home_of(index, &at)];

		if (step_of(at.entry) > NODENS_INDEX_STEPS)
			entry_swap(index, &at, 0);
		else if (step_of(at.entry))
			*home = counted(*home, step_of(at.entry), 1);
	}
	for (uint32_t i = 0; !err && i <= index->mask; i++)
		err = raise_counts(index, i, beyond[i]);
	free(beyond);
	return err;
}

/* ---- open and close ---- */

int index__open(int fd, bool mapped, struct index **out)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	struct index *index;
	void *mem;

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != sizeof(struct nodens_bucket) ||
	    info.max_entries < NODENS_INDEX_MIN || info.max_entries & (info.max_entries - 1))
		return -EINVAL;
	index = calloc(1, sizeof(*index));
	if (!index)
		return -ENOMEM;
	index->fd = fd;
	index->mask = info.max_entries - 1;
	index->shift = 64 - __builtin_ctz(info.max_entries);
	index->bytes = (info.max_entries * sizeof(struct nodens_bucket) + page - 1) / page * page;
	if (mapped) {
		mem = mmap(NULL, index->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (mem == MAP_FAILED) {
			int err = -errno;

			free(index);
			return err;
		}
		index->mem = mem;
	}
	*out = index;
	return 0;
}

void index__close(struct index *index)
{
	if (!index)
		return;
	if (index->mem)
		munmap(index->mem, index->bytes);
	free(index);
}
