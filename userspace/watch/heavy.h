/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The most frequent of any number of keys, in constant memory: Space-Saving (Metwally, Agrawal, El
 * Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams, 2005).
 *
 * Contract: all memory is had at the start. With m counters, after a weight of W in all: a key has
 * weighed what its counter says, or less by its error at most; errors, and what a key without a
 * counter has weighed, are heavy__bound() at most, which is W / m at most. So every key above that
 * is there. Up to m different keys all is exact. Adding costs O(log m).
 */
#ifndef NODENS_HEAVY_H
#define NODENS_HEAVY_H

#include <stddef.h>
#include <stdint.h>

#define HEAVY_COUNTERS 1024

struct heavy;

/* Keys have 1 to @key_max octets; @extra: bytes that the caller keeps beside each. -ENOMEM. */
int heavy__new(size_t key_max, size_t extra, struct heavy **out);
void heavy__free(struct heavy *heavy); /* NULL: nothing */
void heavy__clear(struct heavy *heavy);

/*
 * Returns the key's extra, all zero where the key had no counter before; valid until the next
 * heavy__add(). NULL: the key is too long, or empty.
 */
void *heavy__add(struct heavy *heavy, const void *key, size_t len, uint64_t weight);
/* The same of a key that has a counter, else NULL. */
void *heavy__find(struct heavy *heavy, const void *key, size_t len);

/* What a key without a counter has weighed, at most. */
uint64_t heavy__bound(const struct heavy *heavy);

struct heavy_item {
	const uint8_t *key;
	size_t len;
	uint64_t n, error; /* it weighed at least n - error, n at most */
	const void *extra;
};

/* Those with the greatest n - error, up to @max, the greatest first; valid until the next add. */
size_t heavy__top(const struct heavy *heavy, struct heavy_item *items, size_t max);

#endif /* NODENS_HEAVY_H */
