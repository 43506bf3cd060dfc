// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What time does to the store, under a clock that the test sets: refreshes of what is hot, stale
 * answers, and how long the loop is held up where there are many entries.
 */
#include "store_world.h"
#include "store_flush.h"

/* A minute-hand: programs' hit samples and the store's own times, from one clock. */
static void at(struct world *w, double s)
{
	static uint64_t zero;

	if (!s)
		zero = w->now;
	w->now = zero + (uint64_t)(s * NSEC);
}

static struct {
	unsigned int n;
	struct store_question last;
} asked;

static void on_refresh(void *ctx, const struct store_question *question, uint64_t now_ns)
{
	(void)ctx;
	(void)now_ns;
	asked.n++;
	asked.last = *question;
}

static void open_refreshing(struct world *w, uint32_t capacity)
{
	memset(&asked, 0, sizeof(asked));
	w->config = (struct store_config){
		.capacity = { capacity, capacity },
		.bufsize = 1232,
		.hash_key = w->key,
		.refresh = on_refresh,
	};
	w->now = 1000 * NSEC; /* always alike to the units that times are counted in */
	if (!fixture_maps(&w->maps, w->config.capacity, w->mapped)) {
		print_message("no permission to make maps\n");
		skip();
	}
	assert_int_equal(fixture_open(&w->maps, &w->config, &w->store), 0);
	at(w, 0);
}

static void put_as(struct world *w, const char *text, const struct store_put *how)
{
	assert_int_equal(store__put(w->store, fixture_answer(text, 1, 1), how, w->now), 0);
}

/* Hits in the kernel at this moment. */
static void hit(struct world *w, const char *text, unsigned int n)
{
	union slot_buf slot;
	uint32_t number;

	assert_true(kernel_slot(&w->maps, hash_of(w, text), &number, &slot));
	kernel_mark(&w->maps, number, n, w->now >> 30);
}

/* From @from to @to, a tick each 250 ms: how often refreshes were asked for. */
static unsigned int ticks(struct world *w, double from, double to)
{
	unsigned int before = asked.n;

	for (double s = from; s < to; s += 0.25) {
		at(w, s);
		store__tick(w->store, w->now);
	}
	at(w, to);
	return asked.n - before;
}

/* Does a program answer with it now? *stale: with a TTL of 0. */
static bool usable(struct world *w, const char *text, bool *stale)
{
	union slot_buf slot;
	uint32_t number;

	if (!kernel_slot(&w->maps, hash_of(w, text), &number, &slot))
		return false;
	*stale = slot.slot.expires_ns <= w->now;
	return slot.slot.expires_ns + slot.slot.stale_s * NSEC > w->now;
}

static const struct answer *get_stale(struct world *w, const char *text)
{
	struct dns_name name = fixture_name(text);
	uint32_t past_s;

	return store__get_stale(w->store, &name, DNS_TYPE_A, 0, w->now, &past_s);
}

static void want(struct world *w, const char *text)
{
	struct dns_name name = fixture_name(text);

	store__want(w->store, &name, DNS_TYPE_A, 0);
}

/* CoreDNS' own cases: TTL 80 with 10 % fires with 8 s left or less, TTL 5 with 1. */
static void test_prefetch_window(void **state)
{
	static const struct {
		uint32_t ttl_s, left_s;
	} cases[] = { { 80, 8 }, { 5, 1 }, { 5, 3 }, { 30, 15 } };
	struct world *w = *state;

	open_refreshing(w, 100);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct store_put how = {
			.ttl_s = cases[i].ttl_s,
			.refresh = STORE_REFRESH_USED,
			.refresh_hits = 1,
			.refresh_within_ns = 120 * NSEC,
			.refresh_left_s = cases[i].left_s,
		};
		double opens = cases[i].ttl_s - cases[i].left_s;

		at(w, 0);
		put_as(w, "a.", &how);
		at(w, 0.1);
		hit(w, "a.", 3);
		assert_int_equal(ticks(w, 0.1, opens - 0.1), 0);
		assert_int_equal(ticks(w, opens + 0.05, opens + 0.55), 1);
		assert_int_equal(asked.last.qtype, DNS_TYPE_A);
		/* nothing came of it: not at once again */
		assert_int_equal(ticks(w, opens + 0.55,
				       opens + (cases[i].left_s < 5 ? cases[i].left_s : 5) - 0.1),
				 0);
		flush_store(w->store, NULL, 0);
		grace_period();
	}
}

/* The refreshed answer is hot from its beginning, and its window is its own. */
static void test_prefetch_goes_on(void **state)
{
	struct store_put how = {
		.ttl_s = 5,
		.refresh = STORE_REFRESH_USED,
		.refresh_hits = 10,
		.refresh_within_ns = 60 * NSEC,
		.refresh_left_s = 1,
	};
	struct world *w = *state;

	open_refreshing(w, 100);
	put_as(w, "a.", &how);
	at(w, 1);
	hit(w, "a.", 10);
	for (int round = 0; round < 5; round++) {
		double begin = round * 4.3;

		assert_int_equal(ticks(w, begin + 1, begin + 4), 0);
		assert_int_equal(ticks(w, begin + 4.1, begin + 4.3), 1);
		put_as(w, "a.", &how); /* what was asked for comes */
		grace_period();
		hit(w, "a.", 1);
	}
}

/* Hot is who had so many hits without a gap. */
static void test_prefetch_needs_hits(void **state)
{
	struct store_put how = {
		.ttl_s = 100,
		.refresh = STORE_REFRESH_USED,
		.refresh_hits = 3,
		.refresh_within_ns = 20 * NSEC,
		.refresh_left_s = 10,
	};
	struct world *w = *state;

	open_refreshing(w, 100);
	put_as(w, "none.", &how);
	put_as(w, "two.", &how);
	put_as(w, "gap.", &how);
	put_as(w, "agent.", &how);
	how.refresh = STORE_REFRESH_NEVER;
	put_as(w, "never.", &how);
	ticks(w, 0, 30);
	hit(w, "gap.", 9);
	ticks(w, 30, 80);
	hit(w, "gap.", 2); /* the nine are too long ago */
	hit(w, "two.", 2);
	hit(w, "never.", 100);
	for (int i = 0; i < 3; i++)
		assert_non_null(get(w, "agent."));
	assert_int_equal(ticks(w, 80, 99.5), 2);
	/* once when the window opened, once more 5.4 s later: nothing came of the first */
	assert_true(dns_name__equal(&asked.last.qname, &(struct dns_name){ 7, "\5agent" }));
	at(w, 95);
}

/* serve_stale 1h, TTL 60. */
static void test_stale_for_an_hour(void **state)
{
	static const struct {
		double minutes;
		bool served;
	} cases[] = { { 0.9, true },  { 30, true },    { 60, true },
		      { 60.9, true }, { 61.2, false }, { 70, false } };
	struct store_put how = { .ttl_s = 60, .stale_s = 3600, .keep_s = 3600 };
	struct world *w = *state;
	bool stale;

	open_refreshing(w, 100);
	put_as(w, "a.", &how);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		at(w, cases[i].minutes * 60);
		assert_int_equal(usable(w, "a.", &stale), cases[i].served);
		if (cases[i].served)
			assert_int_equal(stale, cases[i].minutes > 1);
		assert_int_equal(get_stale(w, "a.") != NULL,
				 cases[i].served && cases[i].minutes > 1);
		store__tick(w->store, w->now);
		store__tick(w->store, w->now);
	}
	assert_int_equal(index_count(&w->maps), 0);
	assert_int_equal(stats(w).expired, 1);
}

/* What the agent alone may serve, until it says that programs may. */
static void test_stale_published(void **state)
{
	struct store_put how = { .ttl_s = 10, .keep_s = 100 };
	struct dns_name name = fixture_name("a.");
	struct world *w = *state;
	bool stale;

	open_refreshing(w, 100);
	put_as(w, "a.", &how);
	at(w, 20);
	store__tick(w->store, w->now);
	assert_false(usable(w, "a.", &stale));
	assert_non_null(get_stale(w, "a."));
	assert_int_equal(store__publish_stale(w->store, &name, DNS_TYPE_A, 0, 12, w->now), 0);
	assert_true(usable(w, "a.", &stale));
	at(w, 31.9);
	assert_true(usable(w, "a.", &stale));
	at(w, 33.1);
	assert_false(usable(w, "a.", &stale));
	/* not past the time that it is kept */
	at(w, 105);
	assert_int_equal(store__publish_stale(w->store, &name, DNS_TYPE_A, 0, 60, w->now), 0);
	at(w, 111.1);
	assert_false(usable(w, "a.", &stale));
	assert_int_equal(store__publish_stale(w->store, &name, DNS_TYPE_A, 0, 60, w->now), -ENOENT);
	assert_int_equal(store__remove(w->store, &name, DNS_TYPE_A, 0), 0);
	assert_int_equal(store__remove(w->store, &name, DNS_TYPE_A, 0), -ENOENT);
	assert_int_equal(index_count(&w->maps), 0);
}

/* Stale and asked for, of a program or of the agent: asked about anew, each 5.4 s at most. */
static void test_stale_is_refreshed(void **state)
{
	struct store_put how = { .ttl_s = 2, .stale_s = 100, .keep_s = 100 };
	struct world *w = *state;

	open_refreshing(w, 100);
	put_as(w, "program.", &how);
	at(w, 0);
	assert_int_equal(ticks(w, 0, 6), 0); /* nobody wants it */
	hit(w, "program.", 1);
	assert_int_equal(ticks(w, 6, 8), 1);
	hit(w, "program.", 1);
	assert_int_equal(ticks(w, 8, 11), 0);
	assert_int_equal(ticks(w, 11, 20), 1);
	flush_store(w->store, NULL, 0);
	at(w, 0);
	how.stale_s = 0;
	put_as(w, "agent.", &how);
	assert_int_equal(ticks(w, 0, 6), 0);
	assert_non_null(get_stale(w, "agent."));
	assert_int_equal(ticks(w, 6, 8), 0);
	want(w, "agent.");
	assert_int_equal(ticks(w, 8, 10), 1);
	assert_int_equal(ticks(w, 10, 20), 0);
}

/* A SERVFAIL is nothing against what is kept, alive or stale, and gives way to any answer. */
static void test_weak(void **state)
{
	struct store_put strong = { .ttl_s = 10, .keep_s = 10 };
	struct store_put weak = { .kind = NODENS_NEGATIVE, .ttl_s = 5, .weak = true };
	struct store_put denial = { .kind = NODENS_NEGATIVE, .ttl_s = 10, .keep_s = 10 };
	struct world *w = *state;

	open_refreshing(w, 100);
	put_as(w, "a.", &strong);
	assert_int_equal(store__put(w->store, fixture_answer("a.", 0, 0), &weak, w->now), -EEXIST);
	at(w, 15);
	assert_int_equal(store__put(w->store, fixture_answer("a.", 0, 0), &weak, w->now), -EEXIST);
	at(w, 21);
	put_as(w, "a.", &weak);
	put_as(w, "a.", &strong);
	assert_int_equal(stats(w).entries[NODENS_POSITIVE], 1);
	/* what was denied is there again */
	put_as(w, "b.", &denial);
	at(w, 35);
	assert_non_null(get_stale(w, "b."));
	put_as(w, "b.", &strong);
	assert_null(get_stale(w, "b."));
	assert_non_null(get(w, "b."));
}

/* keepttl: the agent says what programs say. */
static void test_keep_ttl(void **state)
{
	struct store_put how = { .ttl_s = 30, .keep_ttl = true };
	struct world *w = *state;

	open_refreshing(w, 100);
	put_as(w, "slot.", &how);
	/* too large for a slot: the agent's heap has it */
	assert_int_equal(store__put(w->store, fixture_answer("heap.", 200, 1), &how, w->now), 0);
	how.keep_ttl = false;
	put_as(w, "other.", &how);
	at(w, 12);
	assert_int_equal(get(w, "slot.")->says_ttl_s, 30);
	assert_int_equal(get(w, "heap.")->says_ttl_s, 30);
	assert_int_equal(get(w, "other.")->says_ttl_s, 0);
}

/* ---- many ---- */

#define MANY 65536

static void put_many(struct world *w, const struct store_put *how)
{
	char text[40];

	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "n%d.default.svc.cluster.local.", i);
		put_as(w, text, how);
		if (i % 256 == 0)
			grace_period();
	}
}

/* Of this thread: what it costs, not what other processes make it wait. */
static uint64_t cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static double ms_since(uint64_t begin)
{
	return (cpu_now() - begin) / 1e6;
}

struct longest {
	double ms;
	unsigned int asked;
};

static struct longest longest_tick(struct world *w, double from, double to)
{
	struct longest longest = { 0, 0 };

	for (double s = from; s < to; s += 0.25) {
		unsigned int before = asked.n;
		uint64_t begin;
		double ms;

		at(w, s);
		begin = cpu_now();
		store__tick(w->store, w->now);
		ms = ms_since(begin);
		grace_period();
		if (ms > longest.ms)
			longest.ms = ms;
		if (asked.n - before > longest.asked)
			longest.asked = asked.n - before;
	}
	return longest;
}

/* All of 65,536 are hot at once, stale at once, over at once. The bound is for a busy machine. */
static void test_many(void **state)
{
	struct store_put how = {
		.ttl_s = 30,
		.stale_s = 20,
		.keep_s = 20,
		.refresh = STORE_REFRESH_ALWAYS,
		.refresh_left_s = 15,
	};
	static const char *const what[] = { "idle", "in the window", "stale", "over" };
	static const double until[] = { 0, 14.5, 29.5, 49.5, 80 };
	struct world *w = *state;

	open_refreshing(w, MANY);
	put_many(w, &how);
	for (int i = 0; i < 4; i++) {
		struct longest longest = longest_tick(w, until[i], until[i + 1]);

		print_message("%s, %s: longest tick %.2f ms, %u refreshes\n",
			      w->mapped ? "mapped" : "not mapped", what[i], longest.ms,
			      longest.asked);
		assert_true(longest.ms < 200);
		assert_in_range(longest.asked, 0, STORE_REFRESHES_MAX);
	}
	assert_int_equal(index_count(&w->maps), 0);
	/* none was left out for the others' sake */
	assert_true(asked.n >= 20000);
}

static bool all_to_one(void *ctx, const struct store_question *question,
		       const struct nodens_slot *slot, struct store_put *put)
{
	(void)ctx;
	(void)slot;
	put->partition = question->qname.wire[2] & 1;
	put->stale_s = put->keep_s = 60;
	return true;
}

/* What a reload costs. */
static void test_many_owners(void **state)
{
	static const uint32_t capacity[][2] = { { MANY, 0 }, { MANY, 0 } };
	struct store_put how = { .ttl_s = 3000 };
	struct world *w = *state;
	uint64_t begin;
	double ms;

	open_refreshing(w, MANY);
	put_many(w, &how);
	begin = cpu_now();
	assert_int_equal(store__set_partitions(w->store, capacity, 2, all_to_one, NULL, w->now), 0);
	ms = ms_since(begin);
	print_message("%s: partitions of %u set in %.1f ms\n", w->mapped ? "mapped" : "not mapped",
		      MANY, ms);
	assert_true(ms < 1000);
	assert_int_equal(stats(w).entries[NODENS_POSITIVE], MANY);
}

static void put_numbered(struct world *w, unsigned int n)
{
	struct store_put how = { .ttl_s = 3000 };
	char name[16];

	open_refreshing(w, n);
	for (unsigned int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "f%u.", i);
		put_as(w, name, &how);
	}
}

static void flush_behind_its_back(struct world *w, unsigned int from, unsigned int to)
{
	char name[16];

	for (unsigned int i = from; i < to; i++) {
		snprintf(name, sizeof(name), "f%u.", i);
		fixture_unpublish(w->maps.index_fd, hash_of(w, name));
	}
}

static void tick_until(struct world *w, double from, double to)
{
	for (double s = from; s < to; s += 0.25) {
		at(w, s);
		store__tick(w->store, w->now);
	}
}

/* What somebody took out of the index, and nobody asks for, is counted no longer than two rounds.
 */
static void test_flushed_is_noticed(void **state)
{
	struct world *w = *state;

	put_numbered(w, 5000);
	tick_until(w, 0, 30);
	assert_int_equal(stats(w).entries[NODENS_POSITIVE], 5000);
	flush_behind_its_back(w, 0, 4500);
	tick_until(w, 30, 57);
	assert_int_equal(stats(w).entries[NODENS_POSITIVE], 500);
	assert_int_equal(index_count(&w->maps), 500);
	/* of a few each is looked for in each round */
	flush_behind_its_back(w, 4999, 5000);
	tick_until(w, 57, 71);
	assert_int_equal(stats(w).entries[NODENS_POSITIVE], 499);
	assert_non_null(get(w, "f4998."));
}

/* Of so many that a round looks at one in twenty, a few that are gone are noticed in some rounds,
 * wherever they are. */
static void test_few_flushed_of_many(void **state)
{
	static const unsigned int gone[] = { 0, 1, 7777, 13000, 19998 };
	struct world *w = *state;
	double s = 0;

	put_numbered(w, 20000);
	for (unsigned int i = 0; i < ARRAY_SIZE(gone); i++) {
		flush_behind_its_back(w, gone[i], gone[i] + 1);
		tick_until(w, s, s + 22.0 * 13);
		s += 22.0 * 13;
		assert_int_equal(stats(w).entries[NODENS_POSITIVE], 20000 - 1 - i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		both(test_prefetch_window),
		both(test_prefetch_goes_on),
		both(test_prefetch_needs_hits),
		both(test_stale_for_an_hour),
		both(test_stale_published),
		both(test_stale_is_refreshed),
		both(test_weak),
		both(test_keep_ttl),
		both(test_flushed_is_noticed),
		both(test_few_flushed_of_many),
		both(test_many),
		both(test_many_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
