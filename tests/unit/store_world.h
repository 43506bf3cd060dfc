/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A store over maps of its own, with a clock and with grace periods that the test makes: so that
 * each test says when one is over.
 *
 * Contract: included by one test program each, in place of store/grace.c; see store_fixture.h.
 */
#ifndef STORE_WORLD_H
#define STORE_WORLD_H

#include "store_fixture.h"

#include "store/grace.h"

/* In place of store/grace.c. */
static struct {
	uint64_t started, passed;
	unsigned int hurried;
} clock_of_grace;

int grace__open(int outer_fd, int inner_fd, struct grace **out)
{
	assert_true(outer_fd >= 0 && inner_fd >= 0);
	*out = (struct grace *)&clock_of_grace;
	return 0;
}

void grace__close(struct grace *grace)
{
	(void)grace;
}

uint64_t grace__ticket(struct grace *grace)
{
	(void)grace;
	return clock_of_grace.started + 1;
}

uint64_t grace__passed(struct grace *grace)
{
	(void)grace;
	return clock_of_grace.passed;
}

void grace__hurry(struct grace *grace)
{
	(void)grace;
	clock_of_grace.hurried++;
}

/* Nothing is made ahead. */
void grace__grow(struct grace *grace, const struct steps *steps)
{
	(void)grace;
	(void)steps;
}

int grace__grown(struct grace *grace)
{
	(void)grace;
	return -ENODATA;
}

static inline void grace_period(void)
{
	clock_of_grace.passed = ++clock_of_grace.started;
}

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
