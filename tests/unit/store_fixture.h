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
	uint32_t n = capacity[0] + capacity[1] + 256;

	store__plan(capacity, maps->slab_entries);
	maps->mmapable = mapped;
	maps->index_fd = fixture_map(BPF_MAP_TYPE_HASH, "t_index", 8, 4, n, 0);
	for (int i = 0; i < NODENS_CLASSES; i++) {
		maps->slab_fd[i] = fixture_map(BPF_MAP_TYPE_ARRAY, "t_slab", 4, slot_class_size[i],
					       maps->slab_entries[i], mapped ? BPF_F_MMAPABLE : 0);
		if (maps->slab_fd[i] < 0)
			return false;
	}
	maps->grace_inner_fd = fixture_map(BPF_MAP_TYPE_ARRAY, "t_inner", 4, 4, 1, 0);
	opts.inner_map_fd = maps->grace_inner_fd;
	maps->grace_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "t_grace", 4, 4, 1, &opts);
	return maps->index_fd >= 0 && maps->grace_fd >= 0;
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
	uint32_t slab_entries[NODENS_CLASSES];
	struct publisher *publisher;
	int err;

	store__plan(config->capacity, slab_entries);
	err = publisher__none(slab_entries, &publisher);
	return err ? err : store__open(publisher, config, clock_now(), out);
}

static inline void fixture_close(struct store_maps *maps)
{
	close(maps->index_fd);
	close(maps->grace_fd);
	close(maps->grace_inner_fd);
	for (int i = 0; i < NODENS_CLASSES; i++)
		close(maps->slab_fd[i]);
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

/* What a program would find: false where the index or the slot has nothing. */
static inline bool kernel_slot(const struct store_maps *maps, uint64_t hash, uint32_t *number,
			       union slot_buf *slot)
{
	uint32_t cls, index;

	if (bpf_map_lookup_elem(maps->index_fd, &hash, number))
		return false;
	cls = NODENS_SLOT_CLASS(*number);
	index = NODENS_SLOT_INDEX(*number);
	memset(slot, 0, sizeof(*slot));
	return cls < NODENS_CLASSES &&
	       !bpf_map_lookup_elem(maps->slab_fd[cls], &index, slot->bytes);
}

/* What a program does on a hit. */
static inline void kernel_mark(const struct store_maps *maps, uint32_t number, uint32_t hits,
			       uint32_t last_use)
{
	uint32_t cls = NODENS_SLOT_CLASS(number), index = NODENS_SLOT_INDEX(number);
	union slot_buf slot;

	assert_int_equal(bpf_map_lookup_elem(maps->slab_fd[cls], &index, slot.bytes), 0);
	slot.slot.hits += hits;
	slot.slot.last_use = last_use;
	assert_int_equal(bpf_map_update_elem(maps->slab_fd[cls], &index, slot.bytes, 0), 0);
}

static inline unsigned int index_count(const struct store_maps *maps)
{
	uint64_t key, next;
	unsigned int n = 0;
	int err = bpf_map_get_next_key(maps->index_fd, NULL, &next);

	for (; !err; n++) {
		key = next;
		err = bpf_map_get_next_key(maps->index_fd, &key, &next);
	}
	return n;
}

#endif /* STORE_FIXTURE_H */
