/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A store over maps of its own, with a clock and with grace periods that the test makes.
 *
 * Contract: included by one test program each; see store_fixture.h and grace_by_hand.h.
 */
#ifndef STORE_WORLD_H
#define STORE_WORLD_H

#include "grace_by_hand.h"
#include "store_fixture.h"

struct world {
	bool mapped;
	struct store_maps maps;
	struct store_config config;
	struct store *store;
	uint64_t now;
	uint64_t key[NODENS_HASH_WORDS];
};

static inline void open_world(struct world *w, uint32_t positive, uint32_t negative)
{
	w->config = (struct store_config){
		.capacity = { positive, negative },
		.bufsize = 1232,
		.hash_key = w->key,
	};
	w->now = fixture_now();
	if (!fixture_maps(&w->maps, w->config.capacity, w->mapped)) {
		print_message("no permission to make maps\n");
		skip();
	}
	assert_int_equal(fixture_open(&w->maps, &w->config, &w->store), 0);
}

static inline void reopen(struct world *w)
{
	store__close(w->store);
	w->store = NULL;
	assert_int_equal(fixture_open(&w->maps, &w->config, &w->store), 0);
}

static inline int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->mapped = *(bool *)*state;
	for (int i = 0; i < NODENS_HASH_WORDS; i++)
		w->key[i] = 0x0123456789abcdefull * (2 * i + 1);
	memset(&clock_of_grace, 0, sizeof(clock_of_grace));
	*state = w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	store__close(w->store);
	fixture_close(&w->maps);
	free(w);
	return 0;
}

static inline uint64_t hash_of(const struct world *w, const char *text)
{
	struct dns_name name = fixture_name(text);

	return question__hash(w->key, &name, DNS_TYPE_A, 0);
}

static inline const struct answer *get(struct world *w, const char *text)
{
	struct dns_name name = fixture_name(text);
	uint32_t ttl_s;

	return store__get(w->store, &name, DNS_TYPE_A, 0, w->now, &ttl_s);
}

static inline int put_n(struct world *w, const char *text, int kind, unsigned int n, uint8_t last)
{
	return store__put(w->store, fixture_answer(text, n, last),
			  &(struct store_put){ .kind = kind, .ttl_s = 30 }, w->now);
}

static inline int put(struct world *w, const char *text, int kind)
{
	return put_n(w, text, kind, 1, 1);
}

static inline struct store_stats stats(const struct world *w)
{
	struct store_stats s;

	store__stats(w->store, &s);
	return s;
}

#define both(test)                                                             \
	{ #test " (mapped)", test, setup, teardown, (void *)&(bool){ true } }, \
	{                                                                      \
#test " (not mapped)", test, setup, teardown, (void *)&(bool)  \
		{                                                              \
			false                                                  \
		}                                                              \
	}

#endif /* STORE_WORLD_H */
