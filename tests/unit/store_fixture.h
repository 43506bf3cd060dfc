/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Real maps for tests of the store, answers to put there, and the kernel's view of it.
 *
 * Contract: included by one test program each; needs root. The maps are not pinned and go with the
 * process.
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/clock.h"
#include "dns/slot.h"
#include "store/store.h"
#include "index_fixture.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define NSEC	      1000000000ull

static inline uint64_t fixture_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NSEC + t.tv_nsec;
}

static inline int fixture_map(enum bpf_map_type type, const char *name, uint32_t key,
			      uint32_t value, uint32_t entries, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);

	return bpf_map_create(type, name, key, value, entries, &opts);
}

/* False where this process may not make maps. */
static inline bool fixture_maps(struct store_maps *maps, const uint32_t capacity[2], bool mapped)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	maps->slabs.max = store__plan(capacity);
	maps->slabs.mmapable = mapped;
	maps->slabs.fd = steps__create(maps->slabs.max, mapped);
	maps->index_fd = fixture_map(BPF_MAP_TYPE_ARRAY, "t_index", 4, sizeof(struct nodens_bucket),
				     index__buckets((uint64_t)capacity[0] + capacity[1]),
				     mapped ? BPF_F_MMAPABLE : 0);
	maps->grace_inner_fd = fixture_map(BPF_MAP_TYPE_ARRAY, "t_inner", 4, 4, 1, 0);
	opts.inner_map_fd = maps->grace_inner_fd;
	maps->grace_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "t_grace", 4, 4, 1, &opts);
	return maps->index_fd >= 0 && maps->slabs.fd >= 0 && maps->grace_fd >= 0;
}

/* A store over these maps. */
static inline int fixture_open(const struct store_maps *maps, const struct store_config *config,
			       struct store **out)
{
	struct publisher *publisher;
	int err = publisher__maps(maps, &publisher);

	return err ? err : store__open(publisher, config, clock_now(), out);
}

/* A store that nobody else reads. */
static inline int fixture_open_none(const struct store_config *config, struct store **out)
{
	struct publisher *publisher;
	int err = publisher__none(store__plan(config->capacity), &publisher);

	return err ? err : store__open(publisher, config, clock_now(), out);
}

static inline void fixture_close(struct store_maps *maps)
{
	close(maps->index_fd);
	close(maps->grace_fd);
	close(maps->grace_inner_fd);
	close(maps->slabs.fd);
}

static inline struct dns_name fixture_name(const char *text)
{
	struct dns_name name = {};

	if (dns_name__from_text(&name, text))
		fail_msg("bad name in test: %s", text);
	dns_name__lower(&name);
	return name;
}

/* @n A records, all of them 10.0.0.@last; freed by answer__free(), as any. */
static inline struct answer *fixture_answer(const char *text, unsigned int n, uint8_t last)
{
	static const uint8_t a[16] = { 0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 10, 0, 0, 0 };
	struct answer *answer = calloc(1, sizeof(*answer) + n * (16 + ANSWER_RR_BYTES));

	if (!answer)
		abort();
	answer->qname = fixture_name(text);
	answer->qtype = DNS_TYPE_A;
	answer->flags = DNS_QR | DNS_RA;
	answer->count[DNS_ANSWER_SECTION] = n;
	answer->ttl_s = 30;
	answer->n_ttl = n;
	answer->ttl_at = (uint16_t *)(answer + 1);
	answer->blob_len = n * 16;
	answer->end_at = answer->ttl_at + n;
	answer->blob = (uint8_t *)(answer->end_at + n);
	for (unsigned int i = 0; i < n; i++) {
		memcpy(answer->blob + i * 16, a, 16);
		answer->blob[i * 16 + 15] = last;
		answer->ttl_at[i] = i * 16 + 6;
		answer->end_at[i] = (i + 1) * 16;
	}
	if (n >= 2) {
		answer->rot_count = n;
		answer->rot_size = 16;
	}
	return answer;
}

/* A look at the slabs that is kept from one call to the next: mapping them takes longer than a
 * test's step. */
static inline struct steps *fixture_steps(const struct store_maps *maps)
{
	static struct steps *steps;
	static uint32_t id;
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(maps->slabs.fd, &info, &len), 0);
	if (!steps || id != info.id) {
		steps__close(steps);
		steps = NULL;
		id = info.id;
		assert_int_equal(steps__open(&maps->slabs, true, &steps), 0);
	}
	assert_int_equal(steps__refresh(steps), 0);
	return steps;
}

/* The bytes of a slot as programs see them. */
static inline int fixture_slot(const struct store_maps *maps, uint32_t number, union slot_buf *slot)
{
	uint32_t cls = NODENS_SLOT_CLASS(number);

	memset(slot, 0, sizeof(*slot));
	if (cls >= NODENS_CLASSES)
		return -EINVAL;
	return steps__read(fixture_steps(maps), number, slot->bytes, slot_class_size[cls]);
}

/* The same the other way: what nobody but the agent does. */
static inline int fixture_set_slot(const struct store_maps *maps, uint32_t number,
				   const union slot_buf *slot)
{
	return steps__write(fixture_steps(maps), number, slot->bytes,
			    slot_class_size[NODENS_SLOT_CLASS(number)]);
}

/* What a program would find: false where the index or the slot has nothing. */
static inline bool kernel_slot(const struct store_maps *maps, uint64_t hash, uint32_t *number,
			       union slot_buf *slot)
{
	return fixture_find(maps->index_fd, hash, number) && !fixture_slot(maps, *number, slot);
}

/* What a program does on a hit. */
static inline void kernel_mark(const struct store_maps *maps, uint32_t number, uint32_t hits,
			       uint32_t last_use)
{
	union slot_buf slot;

	assert_int_equal(fixture_slot(maps, number, &slot), 0);
	slot.slot.hits += hits;
	slot.slot.last_use = last_use;
	assert_int_equal(fixture_set_slot(maps, number, &slot), 0);
}

static inline unsigned int index_count(const struct store_maps *maps)
{
	return fixture_published(maps->index_fd);
}

#endif /* STORE_FIXTURE_H */
