/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The agent's side of the store: slots in mmapped slabs, published through the
 * kernel's index; plus a cache of its own for answers that no slot holds.
 *
 * Contract: one writer, the event loop's thread. A slot is filled while no
 * index entry names it, published by one index update, and after it is
 * withdrawn not written again before a grace period has passed (grace.h).
 *
 * Every entry has an element in the index, so whoever deletes there (`nodens
 * flush`) flushes the agent's memory too. An answer over bufsize is published
 * as TC=1 and kept whole by the agent, for TCP; one that fits bufsize but no
 * slot is published as expired, so the programs miss it and the agent answers.
 * For these answers there are 12 MiB (positive) and 4 MiB (negative) besides.
 */
#ifndef NODENS_STORE_H
#define NODENS_STORE_H

#include <stdio.h>

#include "answer.h"

struct store;

struct store_maps {
	int index_fd;
	int slab_fd[NODENS_CLASSES];
	uint32_t slab_entries[NODENS_CLASSES];
	bool mmapable; /* else slots are written with bpf() */
	int grace_fd;  /* array of maps whose update waits for all programs */
	int grace_inner_fd;
};

struct store_config {
	uint32_t capacity[2]; /* NODENS_POSITIVE, NODENS_NEGATIVE */
	uint16_t bufsize;     /* larger answers are published as TC=1 */
	const uint64_t *hash_key;
};

struct store_stats {
	uint64_t entries[2], capacity[2];
	uint64_t bytes;	     /* slabs, the agent's tables and answers; not the index */
	uint64_t inserts;    /* of them: */
	uint64_t replaced;   /* took the place of an entry with the same hash */
	uint64_t collisions; /* which was another question's */
	uint64_t evicted[2], expired;
	uint64_t refused; /* not cached: nothing to evict, or all that was still in grace */
};

/* Slab sizes for a capacity: what to create the maps with. */
void store__plan(const uint32_t capacity[2], uint32_t slab_entries[NODENS_CLASSES]);

/*
 * Opens over existing maps; entries found published, sound and live are
 * adopted, all others leave the index. Waits for a grace period (8-30 ms).
 * -EINVAL: maps of another shape; -errno of bpf(), mmap() or the thread.
 */
int store__open(const struct store_maps *maps, const struct store_config *config,
		struct store **out);
void store__close(struct store *store); /* leaves the maps' content */

/*
 * Keep @answer (taken over, also on failure) for ttl_s seconds from now_ns
 * (CLOCK_MONOTONIC). An older one of the same question goes, its use marks go
 * on. Returns 0; -EINVAL for a ttl_s of 0 or an unknown kind; -ENOSPC where no
 * slot could be had: then it is merely not cached, and an older one stays.
 * 1-3 us, one or two of them system calls (at 65,536 entries).
 */
int store__put(struct store *store, struct answer *answer, int kind, uint32_t ttl_s,
	       uint64_t now_ns);

/*
 * Find a live answer; *ttl_s is what is left, at least 1. The result is valid
 * until the next call into the store. NULL: a miss, for which no system call
 * is made; a hit makes one, to ask the index.
 */
const struct answer *store__get(struct store *store, const struct dns_name *qname_lower,
				uint16_t qtype, uint8_t key_flags, uint64_t now_ns,
				uint32_t *ttl_s);

/* Remove @name (NULL: all), one @qtype or all (0). Returns how many went. */
int store__flush(struct store *store, const struct dns_name *qname_lower, uint16_t qtype);
/* Withdraw what has expired: 1,024 entries a call at most; call about every second. */
void store__sweep(struct store *store, uint64_t now_ns);
void store__stats(const struct store *store, struct store_stats *stats);

#endif /* NODENS_STORE_H */
