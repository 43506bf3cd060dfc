// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Space-Saving. Contract: heavy.h.
 *
 * Counters lie in a heap, the lightest at its root, which is the one that a new key takes over once
 * all are in use; keys are found by a hash under the process' secret.
 */
#include "watch/heavy.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret_hash.h"

#define N_CHAINS (2 * HEAVY_COUNTERS)
#define NONE	 UINT16_MAX

struct counter {
	uint64_t n, error;
	uint16_t at;   /* in the heap */
	uint16_t next; /* in its chain */
	uint16_t chain;
	uint16_t len;
	uint8_t *key; /* key_max octets of heavy->keys */
};

struct heavy {
	size_t key_max, extra_size, used;
	struct counter counters[HEAVY_COUNTERS];
	uint16_t heap[HEAVY_COUNTERS]; /* of counters */
	uint16_t chains[N_CHAINS];
	uint8_t *keys, *extras;
};

int heavy__new(size_t key_max, size_t extra, struct heavy **out)
{
	struct heavy *heavy = malloc(sizeof(*heavy));

	if (!heavy)
		return -ENOMEM;
	heavy->key_max = key_max;
	heavy->extra_size = (extra + 7) / 8 * 8;
	heavy->keys = malloc(HEAVY_COUNTERS * key_max);
	heavy->extras = malloc(HEAVY_COUNTERS * heavy->extra_size + 8);
	if (!heavy->keys || !heavy->extras) {
		heavy__free(heavy);
		return -ENOMEM;
	}
	for (size_t i = 0; i < HEAVY_COUNTERS; i++)
		heavy->counters[i].key = heavy->keys + i * key_max;
	heavy__clear(heavy);
	*out = heavy;
	return 0;
}

void heavy__free(struct heavy *heavy)
{
	if (!heavy)
		return;
	free(heavy->keys);
	free(heavy->extras);
	free(heavy);
}

void heavy__clear(struct heavy *heavy)
{
	heavy->used = 0;
	memset(heavy->chains, 0xff, sizeof(heavy->chains));
}

static void *extra_of(const struct heavy *heavy, const struct counter *counter)
{
	return heavy->extras + (counter - heavy->counters) * heavy->extra_size;
}

/* ---- the heap ---- */

static uint64_t weight_at(const struct heavy *heavy, size_t at)
{
	return heavy->counters[heavy->heap[at]].n;
}

static void put_at(struct heavy *heavy, size_t at, uint16_t counter)
{
	heavy->heap[at] = counter;
	heavy->counters[counter].at = at;
}

static void swap(struct heavy *heavy, size_t a, size_t b)
{
	uint16_t counter = heavy->heap[a];

	put_at(heavy, a, heavy->heap[b]);
	put_at(heavy, b, counter);
}

/* The one at @at has become heavier. */
static void sink(struct heavy *heavy, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < heavy->used &&
		    weight_at(heavy, child + 1) < weight_at(heavy, child))
			child++;
		if (child >= heavy->used || weight_at(heavy, at) <= weight_at(heavy, child))
			return;
		swap(heavy, at, child);
		at = child;
	}
}

/* The last one is new. */
static void rise(struct heavy *heavy, size_t at)
{
	while (at && weight_at(heavy, at) < weight_at(heavy, (at - 1) / 2)) {
		swap(heavy, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
}

/* ---- keys ---- */

static uint16_t chain_of(const void *key, size_t len)
{
	return secret_hash(key, len) % N_CHAINS;
}

static struct counter *find(struct heavy *heavy, uint16_t chain, const void *key, size_t len)
{
	for (uint16_t i = heavy->chains[chain]; i != NONE; i = heavy->counters[i].next) {
		struct counter *counter = &heavy->counters[i];

		if (counter->len == len && !memcmp(counter->key, key, len))
			return counter;
	}
	return NULL;
}

static void unlink_key(struct heavy *heavy, const struct counter *counter)
{
	uint16_t *link = &heavy->chains[counter->chain];

	while (&heavy->counters[*link] != counter)
		link = &heavy->counters[*link].next;
	*link = counter->next;
}

/* A counter for a key that has none: a free one, or the lightest, whose weight is its error. */
static struct counter *take(struct heavy *heavy)
{
	struct counter *counter;

	if (heavy->used < HEAVY_COUNTERS) {
		size_t at = heavy->used++;

		put_at(heavy, at, at);
		counter = &heavy->counters[at];
		counter->n = counter->error = 0;
		rise(heavy, at);
		return counter;
	}
	counter = &heavy->counters[heavy->heap[0]];
	unlink_key(heavy, counter);
	counter->error = counter->n;
	return counter;
}

void *heavy__add(struct heavy *heavy, const void *key, size_t len, uint64_t weight)
{
	uint16_t chain;
	struct counter *counter;

	if (!len || len > heavy->key_max)
		return NULL;
	chain = chain_of(key, len);
	counter = find(heavy, chain, key, len);
	if (!counter) {
		counter = take(heavy);
		memcpy(counter->key, key, len);
		counter->len = len;
		counter->chain = chain;
		counter->next = heavy->chains[chain];
		heavy->chains[chain] = counter - heavy->counters;
		memset(extra_of(heavy, counter), 0, heavy->extra_size);
	}
	counter->n += weight;
	sink(heavy, counter->at);
	return extra_of(heavy, counter);
}

void *heavy__find(struct heavy *heavy, const void *key, size_t len)
{
	struct counter *counter =
		len && len <= heavy->key_max ? find(heavy, chain_of(key, len), key, len) : NULL;

	return counter ? extra_of(heavy, counter) : NULL;
}

uint64_t heavy__bound(const struct heavy *heavy)
{
	return heavy->used < HEAVY_COUNTERS ? 0 : weight_at(heavy, 0);
}

/* ---- the heaviest ---- */

static uint64_t at_least(const struct counter *counter)
{
	return counter->n - counter->error;
}

static int heavier_first(const void *a, const void *b)
{
	const struct counter *x = *(const struct counter *const *)a,
			     *y = *(const struct counter *const *)b;

	if (at_least(x) != at_least(y))
		return at_least(x) > at_least(y) ? -1 : 1;
	/* so that rows of the same weight do not dance */
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->key, y->key, x->len);
}

size_t heavy__top(const struct heavy *heavy, struct heavy_item *items, size_t max)
{
	const struct counter *sorted[HEAVY_COUNTERS];

	if (!heavy->used)
		return 0;
	for (size_t i = 0; i < heavy->used; i++)
		sorted[i] = &heavy->counters[i];
	qsort(sorted, heavy->used, sizeof(*sorted), heavier_first);
	if (max > heavy->used)
		max = heavy->used;
	for (size_t i = 0; i < max; i++)
		items[i] = (struct heavy_item){
			.key = sorted[i]->key,
			.len = sorted[i]->len,
			.n = sorted[i]->n,
			.error = sorted[i]->error,
			.extra = extra_of(heavy, sorted[i]),
		};
	return max;
}
