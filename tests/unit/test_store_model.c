// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The store against a simple model, over tens of thousands of random operations; after each of
 * them the maps are read as the programs read them. Without maps: what was put is what one gets.
 *
 * What must hold: an answer is the last one put, or none; what a program finds under a hash is a
 * sound slot with that answer; a published slot never changes; a withdrawn one does not before its
 * grace period is over; no kind exceeds its capacity; the index and the store agree.
 */
#include "grace_by_hand.h"
#include "store_fixture.h"
#include "store_flush.h"

#define NAMES 160
#define OPS   20000

/* One question, and what was last put for it. */
struct question {
	char text[64];
	struct dns_name name;
	uint64_t hash;
	bool known;
	uint8_t last;
	unsigned int n;
	int kind;
	uint64_t expires_ns;
};

/* A slot that a program may still read. */
struct watched {
	uint32_t number;
	uint64_t ticket; /* 0: published */
	union slot_buf bytes;
};

struct model {
	bool published;
	struct store_maps maps; /* where published */
	struct store_config config;
	struct store *store;
	uint64_t key[NODENS_HASH_WORDS], now;
	struct question q[NAMES];
	struct watched *watched;
	unsigned int n_watched;
	unsigned int seed;
};

static unsigned int rnd(struct model *m, unsigned int n)
{
	return rand_r(&m->seed) % n;
}

static void read_slot(const struct model *m, uint32_t number, union slot_buf *slot)
{
	assert_int_equal(fixture_slot(&m->maps, number, slot), 0);
}

static void assert_unchanged(const struct model *m, const struct watched *w)
{
	union slot_buf slot;

	read_slot(m, w->number, &slot);
	slot.slot.hits = w->bytes.slot.hits;
	slot.slot.last_use = w->bytes.slot.last_use;
	assert_memory_equal(&slot, &w->bytes, sizeof(slot));
}

static struct watched *watched_find(struct model *m, uint32_t number)
{
	for (unsigned int i = 0; i < m->n_watched; i++)
		if (m->watched[i].number == number)
			return &m->watched[i];
	return NULL;
}

static const struct question *question_of(const struct model *m, uint64_t hash)
{
	for (int i = 0; i < NAMES; i++)
		if (m->q[i].hash == hash)
			return &m->q[i];
	return NULL;
}

/* A program's view of what the index names. */
static void check_named(struct model *m, uint32_t named, unsigned int live[2])
{
	const struct question *q;
	unsigned int fits;
	struct watched *w;
	struct dns_name name;
	union slot_buf slot;
	uint32_t number;
	uint64_t hash;

	fixture_slot(&m->maps, named, &slot);
	slot__name(&slot.slot, &name);
	hash = question__hash(m->key, &name, ntohs(slot.slot.qtype), slot.slot.key_flags);
	assert_true(kernel_slot(&m->maps, hash, &number, &slot));
	assert_int_equal(number, named);
	q = question_of(m, hash);
	assert_non_null(q);
	assert_true(slot__check(&slot.slot, sizeof(slot)));
	assert_int_equal(slot.slot.name_len, q->name.len);
	assert_memory_equal(slot.slot.data, q->name.wire, q->name.len);
	assert_int_equal(slot.slot.kind, q->kind);
	fits = (1232 - 12 - q->name.len - 4) / 16;
	assert_int_equal(ntohs(slot.slot.ancount), q->n < fits ? q->n : fits);
	assert_int_equal(slot.slot.partial, q->n > (1232 - 12 - q->name.len - 4 - 11) / 16u);
	assert_int_equal(slot.bytes[slot.slot.blob_at + 15], q->last);
	live[slot.slot.kind]++;
	w = watched_find(m, number);
	if (w) {
		assert_int_equal(w->ticket, 0); /* in use again before its grace period was over */
		assert_memory_equal(w->bytes.slot.data, slot.slot.data, slot.slot.name_len);
		return;
	}
	m->watched = realloc(m->watched, ++m->n_watched * sizeof(*m->watched));
	m->watched[m->n_watched - 1] = (struct watched){ .number = number, .bytes = slot };
}

static bool published(const struct model *m, const struct watched *w)
{
	struct dns_name name;
	uint32_t number;
	uint64_t hash;

	slot__name(&w->bytes.slot, &name);
	hash = question__hash(m->key, &name, ntohs(w->bytes.slot.qtype), w->bytes.slot.key_flags);
	return fixture_find(m->maps.index_fd, hash, &number) && number == w->number;
}

static void check_watched(struct model *m)
{
	for (unsigned int i = 0; i < m->n_watched; i++) {
		struct watched *w = &m->watched[i];

		if (w->ticket && w->ticket <= clock_of_grace.passed) {
			*w = m->watched[--m->n_watched];
			i--;
			continue;
		}
		assert_unchanged(m, w);
		if (!w->ticket && !published(m, w))
			w->ticket = clock_of_grace.started + 1;
	}
}

static void check(struct model *m)
{
	unsigned int live[2] = {};
	struct store_stats stats;
	struct index_place at = {};
	struct index *index;
	uint32_t number;

	if (!m->published) {
		store__stats(m->store, &stats);
		for (int kind = 0; kind < 2; kind++)
			assert_true(stats.entries[kind] <= m->config.capacity[kind]);
		return;
	}
	check_watched(m);
	index = fixture_index(m->maps.index_fd);
	while (index__next(index, &at, &number) > 0)
		check_named(m, number, live);
	index__close(index);
	store__stats(m->store, &stats);
	for (int kind = 0; kind < 2; kind++) {
		assert_true(live[kind] <= m->config.capacity[kind]);
		assert_int_equal(stats.entries[kind], live[kind]);
	}
}

static void do_put(struct model *m, struct question *q)
{
	static const unsigned int sizes[] = { 1, 1, 1, 2, 4, 8, 20, 70, 74, 75, 100, 3000 };
	unsigned int n = sizes[rnd(m, ARRAY_SIZE(sizes))], ttl_s = 1 + rnd(m, 20);
	uint8_t last = rnd(m, 256);
	int kind = rnd(m, 3) == 0, err;

	err = store__put(m->store, fixture_answer(q->text, n, last),
			 &(struct store_put){ .kind = kind, .ttl_s = ttl_s }, m->now);
	if (err) {
		assert_int_equal(err, -ENOSPC);
		return;
	}
	q->known = true;
	q->last = last;
	q->n = n;
	q->kind = kind;
	q->expires_ns = m->now + ttl_s * NSEC;
	if (!m->published)
		assert_non_null(store__get(m->store, &q->name, DNS_TYPE_A, 0, m->now, &ttl_s));
}

static void do_get(struct model *m, const struct question *q)
{
	uint32_t ttl_s = 0;
	const struct answer *answer = store__get(m->store, &q->name, DNS_TYPE_A, 0, m->now, &ttl_s);

	if (!answer)
		return;
	assert_true(q->known);
	assert_true(m->now < q->expires_ns);
	assert_int_equal(ttl_s, (q->expires_ns - m->now + NSEC - 1) / NSEC);
	assert_int_equal(answer->count[0], q->n);
	assert_int_equal(answer->blob_len, 16 * q->n);
	assert_int_equal(answer->blob[15], q->last);
	assert_int_equal(answer->qname.len, q->name.len);
	assert_memory_equal(answer->qname.wire, q->name.wire, q->name.len);
}

static void do_flush(struct model *m, struct question *q)
{
	uint32_t ttl_s;

	flush_store(m->store, &q->name, rnd(m, 2));
	q->known = false;
	assert_null(store__get(m->store, &q->name, DNS_TYPE_A, 0, m->now, &ttl_s));
}

/* A program's hit, somewhere. */
static void do_mark(struct model *m, const struct question *q)
{
	union slot_buf slot;
	uint32_t number;

	if (m->published && kernel_slot(&m->maps, q->hash, &number, &slot))
		kernel_mark(&m->maps, number, 1 + rnd(m, 3), (uint32_t)(m->now >> 30));
}

static void open_store(struct model *m)
{
	grace_period(); /* one thread's end, another one's beginning */
	assert_int_equal(m->published ? fixture_open(&m->maps, &m->config, &m->store)
				      : fixture_open_none(&m->config, &m->store),
			 0);
}

static void do_reopen(struct model *m)
{
	store__close(m->store);
	m->store = NULL;
	open_store(m);
	for (int i = 0; !m->published && i < NAMES; i++)
		m->q[i].known = false;
	/* opening withdraws what it does not adopt, and then waits: all that is out is free */
	check_watched(m);
	grace_period();
}

static void period_begins(struct model *m)
{
	check_watched(m); /* what is out by now, it covers */
	if (clock_of_grace.started == clock_of_grace.passed)
		clock_of_grace.started++;
}

static void one_operation(struct model *m)
{
	struct question *q = &m->q[rnd(m, NAMES)];
	unsigned int op = rnd(m, 1000);

	if (op < 500)
		do_put(m, q);
	else if (op < 750)
		do_get(m, q);
	else if (op < 850)
		do_mark(m, q);
	else if (op < 880)
		do_flush(m, q);
	else if (op < 900)
		m->now += rnd(m, 2000) * (NSEC / 1000);
	else if (op < 910)
		store__tick(m->store, m->now);
	else if (op < 950)
		period_begins(m);
	else if (op < 998)
		clock_of_grace.passed = clock_of_grace.started; /* and is over */
	else if (op < 999)
		flush_store(m->store, NULL, 0);
	else
		do_reopen(m);
}

enum how { MAPPED, NOT_MAPPED, NO_MAPS };

static void run(enum how how, unsigned int seed, uint32_t positive, uint32_t negative)
{
	struct model *m = calloc(1, sizeof(*m));

	m->seed = seed;
	m->now = fixture_now();
	m->config = (struct store_config){
		.capacity = { positive, negative },
		.bufsize = 1232,
		.hash_key = m->key,
	};
	for (int i = 0; i < NODENS_HASH_WORDS; i++)
		m->key[i] = (uint64_t)rand_r(&m->seed) << 33 ^ (uint64_t)rand_r(&m->seed) << 5;
	for (int i = 0; i < NAMES; i++) {
		snprintf(m->q[i].text, sizeof(m->q[i].text), "n%d.%.*s.example.", i, 1 + i % 40,
			 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst");
		m->q[i].name = fixture_name(m->q[i].text);
		m->q[i].hash = question__hash(m->key, &m->q[i].name, DNS_TYPE_A, 0);
	}
	m->published = how != NO_MAPS;
	if (m->published && !fixture_maps(&m->maps, m->config.capacity, how == MAPPED)) {
		print_message("no permission to make maps\n");
		free(m);
		skip();
	}
	open_store(m);
	for (int i = 0; i < OPS; i++) {
		one_operation(m);
		if (i < 500 || i % 16 == 0)
			check(m);
	}
	store__close(m->store);
	if (m->published)
		fixture_close(&m->maps);
	free(m->watched);
	free(m);
}

static void test_mapped(void **state)
{
	(void)state;
	run(MAPPED, 1, 60, 30);
}

static void test_not_mapped(void **state)
{
	(void)state;
	run(NOT_MAPPED, 2, 60, 30);
}

static void test_roomy(void **state)
{
	(void)state;
	run(MAPPED, 3, 200, 200);
}

static void test_no_maps(void **state)
{
	(void)state;
	run(NO_MAPS, 4, 60, 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mapped),
		cmocka_unit_test(test_not_mapped),
		cmocka_unit_test(test_roomy),
		cmocka_unit_test(test_no_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
