// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of the store over real maps, mapped and not: what is kept, who has to go, and what the
 * programs find of it.
 */
#include "store_world.h"
#include "store_flush.h"

#include "store/store_priv.h"

static void test_put_get(void **state)
{
	struct world *w = *state;
	struct dns_name name = fixture_name("a.example.");
	const struct answer *answer;
	union slot_buf slot;
	uint32_t number, ttl_s;

	open_world(w, 100, 100);
	assert_null(get(w, "a.example."));
	assert_int_equal(put_n(w, "a.example.", NODENS_POSITIVE, 3, 7), 0);
	answer = store__get(w->store, &name, DNS_TYPE_A, 0, w->now + NSEC / 2, &ttl_s);
	assert_non_null(answer);
	assert_int_equal(ttl_s, 30);
	assert_int_equal(answer->count[0], 3);
	assert_int_equal(answer->blob[47], 7);
	assert_true(kernel_slot(&w->maps, hash_of(w, "a.example."), &number, &slot));
	assert_true(slot__check(&slot.slot, sizeof(slot)));
	assert_int_equal(slot.slot.expires_ns, w->now + 30 * NSEC);
	assert_int_equal(slot.slot.stored_ns, w->now);
	assert_int_equal(slot.slot.kind, NODENS_POSITIVE);
	assert_int_equal(ntohs(slot.slot.ancount), 3);

	/* another type, other flags: other questions */
	assert_null(store__get(w->store, &name, DNS_TYPE_AAAA, 0, w->now, &ttl_s));
	assert_null(store__get(w->store, &name, DNS_TYPE_A, NODENS_KEY_DO, w->now, &ttl_s));
	/* the last nanosecond counts as a second, the one after it not at all */
	assert_non_null(store__get(w->store, &name, DNS_TYPE_A, 0, w->now + 30 * NSEC - 1, &ttl_s));
	assert_int_equal(ttl_s, 1);
	assert_null(store__get(w->store, &name, DNS_TYPE_A, 0, w->now + 30 * NSEC, &ttl_s));
}

/*
 * Clients choose the names. Those that differ in octets 6 and 7 of each word of eight alone have
 * the low 13 bits of NH in common; yet the table of what is kept is as one that is filled at
 * random.
 */
static void test_colliding_names(void **state)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz012345";
	char text[] = "aaaaaaaaaaaaaaaaaaaa.example.";
	unsigned int run = 0, longest = 0;
	struct world *w = *state;

	open_world(w, 800, 0);
	for (unsigned int n = 0; n < 800; n++) {
		/* octets of the wire form, which begins with the label's length */
		text[5] = digits[n & 31];
		text[6] = digits[n >> 5 & 31];
		text[13] = digits[n >> 10 & 31];
		assert_int_equal(put(w, text, NODENS_POSITIVE), 0);
	}
	for (uint32_t i = 0; i <= w->store->table.mask; i++) {
		run = w->store->table.slots[i] ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	/* of 2,048 places; at random more than 60 in a row come once in 10^6 */
	assert_in_range(longest, 1, 60);
}

static void test_bad_input(void **state)
{
	struct world *w = *state;

	open_world(w, 100, 0);
	assert_int_equal(store__put(w->store, fixture_answer("a.", 1, 1),
				    &(struct store_put){ .kind = 0, .ttl_s = 0 }, w->now),
			 -EINVAL);
	assert_int_equal(store__put(w->store, fixture_answer("a.", 1, 1),
				    &(struct store_put){ .kind = 2, .ttl_s = 1 }, w->now),
			 -EINVAL);
	assert_int_equal(store__put(w->store, fixture_answer("a.", 1, 1),
				    &(struct store_put){ .kind = -1, .ttl_s = 1 }, w->now),
			 -EINVAL);
	assert_int_equal(put(w, "a.", NODENS_NEGATIVE), -ENOSPC); /* no capacity at all */
	assert_int_equal(stats(w).refused, 1);
	assert_int_equal(store__put(w->store, fixture_answer("a.", 1, 1),
				    &(struct store_put){ .kind = 0, .ttl_s = UINT32_MAX }, w->now),
			 0);
	assert_non_null(get(w, "a."));
	assert_int_equal(index_count(&w->maps), 1);
	store__close(NULL);
	grace__close(NULL);
}

static void test_longest_name(void **state)
{
	struct world *w = *state;
	struct dns_name name = { .len = DNS_MAX_NAME };
	struct answer *answer;
	uint32_t ttl_s;

	open_world(w, 100, 100);
	for (int at = 0; at < 254; at += at < 192 ? 64 : 62) {
		name.wire[at] = at < 192 ? 63 : 61;
		memset(name.wire + at + 1, 'x', name.wire[at]);
	}
	for (unsigned int n = 1; n < 100; n++) {
		answer = fixture_answer("x.", n, n);
		answer->qname = name;
		assert_int_equal(store__put(w->store, answer,
					    &(struct store_put){ .kind = 0, .ttl_s = 30 }, w->now),
				 0);
		answer =
			(struct answer *)store__get(w->store, &name, DNS_TYPE_A, 0, w->now, &ttl_s);
		assert_non_null(answer);
		assert_int_equal(answer->count[0], n);
		grace_period();
	}
	assert_int_equal(index_count(&w->maps), 1);
}

static void test_replace(void **state)
{
	struct world *w = *state;
	uint32_t first, second;
	union slot_buf slot;

	open_world(w, 100, 100);
	put_n(w, "a.", NODENS_POSITIVE, 1, 1);
	kernel_slot(&w->maps, hash_of(w, "a."), &first, &slot);
	kernel_mark(&w->maps, first, 5, 77);
	put_n(w, "a.", NODENS_POSITIVE, 1, 2);
	kernel_slot(&w->maps, hash_of(w, "a."), &second, &slot);
	assert_int_not_equal(first, second);
	assert_int_equal(get(w, "a.")->blob[15], 2);
	assert_int_equal(slot.slot.hits, 5); /* its hit samples go on */
	assert_int_equal(slot.slot.last_use, 77);
	/* the kinds are counted apart */
	put_n(w, "a.", NODENS_NEGATIVE, 1, 3);
	assert_int_equal(get(w, "a.")->blob[15], 3);
	assert_int_equal(stats(w).entries[0], 0);
	assert_int_equal(stats(w).entries[1], 1);
	assert_int_equal(stats(w).replaced, 2);
	assert_int_equal(index_count(&w->maps), 1);
}

/* A retired slot keeps its bytes and is not taken until its grace period is over. */
static void test_grace(void **state)
{
	struct world *w = *state;
	uint32_t first, number;
	union slot_buf before, after;
	unsigned int n, refused = 0;

	open_world(w, 100, 100);
	put_n(w, "a.", NODENS_POSITIVE, 1, 1);
	kernel_slot(&w->maps, hash_of(w, "a."), &first, &before);
	for (n = 0; n < 1000; n++) {
		refused += put_n(w, "a.", NODENS_POSITIVE, 1, n) == -ENOSPC;
		if (kernel_slot(&w->maps, hash_of(w, "a."), &number, &after) && n)
			assert_int_not_equal(number, first);
	}
	assert_true(refused > 0 && refused < 1000);
	assert_true(clock_of_grace.hurried > 0);
	assert_int_equal(stats(w).refused, refused);
	assert_int_equal(fixture_slot(&w->maps, first, &after), 0);
	assert_memory_equal(&before, &after, sizeof(before));

	/* a period that had begun before the last withdrawal frees only what came before it */
	clock_of_grace.started++;
	assert_int_equal(put_n(w, "a.", NODENS_POSITIVE, 1, 9), -ENOSPC);
	clock_of_grace.passed = clock_of_grace.started;
	assert_int_equal(put_n(w, "a.", NODENS_POSITIVE, 1, 9), 0);
	assert_int_equal(get(w, "a.")->blob[15], 9);
}

static void test_capacity(void **state)
{
	struct world *w = *state;
	char text[32];

	open_world(w, 50, 20);
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "neg%d.example.", i);
		assert_int_equal(put(w, text, NODENS_NEGATIVE), 0);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "pos%d.example.", i);
		assert_int_equal(put(w, text, NODENS_POSITIVE), 0);
		assert_non_null(get(w, text));
		assert_true(stats(w).entries[0] <= 50);
		grace_period();
	}
	assert_int_equal(stats(w).entries[0], 50);
	assert_int_equal(stats(w).evicted[0], 950);
	assert_int_equal(stats(w).entries[1], 10);
	assert_int_equal(stats(w).evicted[1], 0);
	assert_int_equal(index_count(&w->maps), 60);
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "neg%d.example.", i);
		assert_non_null(get(w, text));
	}
	/* and the other way round */
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "neg%d.example.", i);
		put(w, text, NODENS_NEGATIVE);
		grace_period();
	}
	assert_int_equal(stats(w).entries[0], 50);
	assert_int_equal(stats(w).entries[1], 20);
}

/* While nothing but grace periods can help, nobody is evicted in vain. */
static void test_refused_evicts_nobody(void **state)
{
	struct world *w = *state;
	unsigned int i = 0, evicted;
	char text[32];

	open_world(w, 200, 20);
	do {
		snprintf(text, sizeof(text), "n%u.", i++);
	} while (put(w, text, NODENS_POSITIVE) == 0);
	evicted = stats(w).evicted[0];
	assert_true(evicted > 0);
	for (int k = 0; k < 100; k++) {
		snprintf(text, sizeof(text), "n%u.", i++);
		assert_int_equal(put(w, text, NODENS_POSITIVE), -ENOSPC);
	}
	assert_int_equal(stats(w).evicted[0], evicted);
	assert_int_equal(stats(w).entries[0], 200);
	assert_int_equal(put(w, "other.", NODENS_NEGATIVE), 0);
	grace_period();
	assert_int_equal(put(w, text, NODENS_POSITIVE), 0);
	assert_int_equal(stats(w).entries[0], 200);
}

/* A kind's capacity holds, whatever the class of its answers up to 256 bytes. */
static void test_plan(void **state)
{
	struct world *w = *state;
	char text[64];

	for (unsigned int n = 1; n <= 8; n += 7) {
		open_world(w, 3000, 3000);
		for (int i = 0; i < 6000; i++) {
			snprintf(text, sizeof(text), "n%d.example.", i);
			assert_int_equal(put_n(w, text, i & 1, n, 1), 0);
		}
		assert_int_equal(index_count(&w->maps), 6000);
		if (n == 8)
			break; /* closed by teardown */
		store__close(w->store);
		fixture_close(&w->maps);
	}
}

static void test_second_chance(void **state)
{
	struct world *w = *state;
	uint32_t number;
	union slot_buf slot;
	char text[32];

	open_world(w, 40, 20);
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "n%d.", i);
		put(w, text, NODENS_POSITIVE);
	}
	/* a few are used: by programs (in each of the two marks), and by the agent */
	kernel_slot(&w->maps, hash_of(w, "n0."), &number, &slot);
	kernel_mark(&w->maps, number, 1, 0);
	kernel_slot(&w->maps, hash_of(w, "n5."), &number, &slot);
	kernel_mark(&w->maps, number, 0, 1);
	assert_non_null(get(w, "n9."));
	for (int i = 0; i < 37; i++) {
		snprintf(text, sizeof(text), "m%d.", i);
		put(w, text, NODENS_POSITIVE);
		grace_period();
	}
	/* exactly the unused ones had to go, in their order */
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "n%d.", i);
		assert_int_equal(kernel_slot(&w->maps, hash_of(w, text), &number, &slot),
				 i == 0 || i == 5 || i == 9);
	}
	/* no use since: the second chance was the last */
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "o%d.", i);
		put(w, text, NODENS_POSITIVE);
		grace_period();
	}
	assert_false(kernel_slot(&w->maps, hash_of(w, "n0."), &number, &slot));
	assert_false(kernel_slot(&w->maps, hash_of(w, "n5."), &number, &slot));
	assert_false(kernel_slot(&w->maps, hash_of(w, "n9."), &number, &slot));
	assert_int_equal(stats(w).entries[0], 40);
}

/* A use that no eviction has looked at yet outlives the answer's refresh; an old one does not. */
static void test_refresh_keeps_use(void **state)
{
	struct world *w = *state;
	uint32_t number;
	union slot_buf slot;
	char text[32];

	open_world(w, 20, 20);
	put(w, "hot.", NODENS_POSITIVE);
	kernel_slot(&w->maps, hash_of(w, "hot."), &number, &slot);
	kernel_mark(&w->maps, number, 9, 9);
	for (int round = 0; round < 2; round++) {
		put(w, "hot.", NODENS_POSITIVE);
		for (int i = 0; i < 25; i++) {
			snprintf(text, sizeof(text), "n%d.%d.", round, i);
			put(w, text, NODENS_POSITIVE);
			grace_period();
		}
		assert_int_equal(kernel_slot(&w->maps, hash_of(w, "hot."), &number, &slot),
				 round == 0);
	}
}

/* With all entries in use somebody has to go all the same, after a bounded search. */
static void test_all_used(void **state)
{
	struct world *w = *state;
	char text[32];

	open_world(w, 500, 20);
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "n%d.", i);
		put(w, text, NODENS_POSITIVE);
		assert_non_null(get(w, text));
	}
	assert_int_equal(put(w, "new.", NODENS_POSITIVE), 0);
	assert_non_null(get(w, "new."));
	assert_int_equal(stats(w).entries[0], 500);
	assert_int_equal(stats(w).evicted[0], 1);
}

static void test_expired_first(void **state)
{
	struct world *w = *state;
	char text[32];

	open_world(w, 40, 20);
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "n%d.", i);
		store__put(w->store, fixture_answer(text, 1, 1),
			   &(struct store_put){ .kind = 0, .ttl_s = i == 30 ? 5 : 3000 }, w->now);
		assert_non_null(get(w, text)); /* used: only its age can tell */
	}
	w->now += 7 * NSEC;
	put(w, "new.", NODENS_POSITIVE);
	assert_int_equal(stats(w).expired, 1);
	assert_int_equal(stats(w).evicted[0], 0);
	w->now -= 7 * NSEC;
	assert_null(get(w, "n30."));
	assert_non_null(get(w, "n0."));
}

static void test_sweep(void **state)
{
	struct world *w = *state;
	char text[32];
	int sweeps = 0;

	open_world(w, 4000, 4000);
	for (int i = 0; i < 4000; i++) {
		snprintf(text, sizeof(text), "n%d.", i);
		store__put(w->store, fixture_answer(text, 1 + i % 9, 1),
			   &(struct store_put){ .kind = i & 1, .ttl_s = i < 3000 ? 5 : 60 },
			   w->now);
	}
	store__tick(w->store, w->now + 5 * NSEC - 1);
	assert_int_equal(index_count(&w->maps), 4000);
	while (index_count(&w->maps) > 1000) {
		store__tick(w->store, w->now + 7 * NSEC);
		assert_true(++sweeps < 10);
	}
	assert_true(sweeps > 1); /* bounded */
	assert_int_equal(stats(w).expired, 3000);
	assert_non_null(get(w, "n3999."));
	store__tick(w->store, w->now + 1000 * NSEC);
	assert_int_equal(index_count(&w->maps), 0);
}

/* With a key of zeros, NH of a word is the product of its halves: so swapped halves collide. */
static void test_collision(void **state)
{
	struct world *w = *state;
	struct dns_name a = fixture_name("abc.xyz."), b = fixture_name("xyz.abc.");
	struct answer *answer;
	uint32_t ttl_s;

	memset(w->key, 0, sizeof(w->key));
	open_world(w, 100, 100);
	assert_true(question__hash(w->key, &a, 1, 0) == question__hash(w->key, &b, 1, 0));
	put(w, "abc.xyz.", NODENS_POSITIVE);
	assert_null(get(w, "xyz.abc."));
	answer = fixture_answer("xyz.abc.", 1, 2);
	assert_int_equal(store__put(w->store, answer,
				    &(struct store_put){ .kind = NODENS_NEGATIVE, .ttl_s = 30 },
				    w->now),
			 0);
	assert_null(get(w, "abc.xyz."));
	assert_int_equal(get(w, "xyz.abc.")->blob[15], 2);
	assert_int_equal(stats(w).collisions, 1);
	assert_int_equal(stats(w).entries[0], 0);
	assert_int_equal(stats(w).entries[1], 1);
	assert_int_equal(flush_store(w->store, &a, 0), 0);
	assert_int_equal(flush_store(w->store, &b, 0), 1);
	assert_null(store__get(w->store, &b, 1, 0, w->now, &ttl_s));
}

static void test_truncated(void **state)
{
	struct world *w = *state;
	union slot_buf slot;
	uint32_t number;

	open_world(w, 100, 100);
	/* 12 + 11 + 4 + 11 and 16 a record: 74 records fit 1232 bytes, 75 do without OPT alone */
	put_n(w, "a.example.", NODENS_POSITIVE, 74, 1);
	assert_true(kernel_slot(&w->maps, hash_of(w, "a.example."), &number, &slot));
	assert_int_equal(slot.slot.partial, 0);
	assert_true(slot.slot.expires_ns > w->now);
	put_n(w, "a.example.", NODENS_POSITIVE, 75, 1);
	assert_true(kernel_slot(&w->maps, hash_of(w, "a.example."), &number, &slot));
	assert_int_equal(slot.slot.partial, 1);
	assert_int_equal(slot.slot.blob_len, 75 * 16);
	assert_int_equal(ntohs(slot.slot.ancount), 75);
	assert_int_equal(slot.slot.expires_ns, w->now + 30 * NSEC);
	assert_true(slot__check(&slot.slot, sizeof(slot)));
	assert_int_equal(get(w, "a.example.")->count[0], 75); /* for clients over TCP */
	assert_int_equal(index_count(&w->maps), 1);
	/* it shrinks again */
	put_n(w, "a.example.", NODENS_POSITIVE, 2, 1);
	assert_true(kernel_slot(&w->maps, hash_of(w, "a.example."), &number, &slot));
	assert_int_equal(slot.slot.partial, 0);
	assert_int_equal(get(w, "a.example.")->count[0], 2);
}

/* More than a slot holds: the agent has it all, the programs what they may send of it. */
static void test_in_part(void **state)
{
	struct world *w = *state;
	struct dns_name name = fixture_name("a.example.");
	union slot_buf slot;
	uint32_t number;

	open_world(w, 100, 100);
	w->config.bufsize = 4096;
	reopen(w);
	for (unsigned int n = 97; n < 200; n += 30) {
		assert_int_equal(put_n(w, "a.example.", NODENS_POSITIVE, n, 1), 0);
		assert_int_equal(get(w, "a.example.")->count[0], n);
		kernel_slot(&w->maps, hash_of(w, "a.example."), &number, &slot);
		assert_true(slot.slot.expires_ns > w->now);
		assert_int_equal(slot.slot.partial, 1);
		assert_int_equal(ntohs(slot.slot.ancount), 75);
	}
	assert_int_equal(flush_store(w->store, &name, 0), 1);
	assert_null(get(w, "a.example."));
	assert_int_equal(index_count(&w->maps), 0);
}

/* Large answers have a bound of their own, by kind, and go with their slots. */
static void test_heap_bound(void **state)
{
	struct world *w = *state;
	char text[32];
	const size_t *bytes;

	open_world(w, 5000, 5000);
	bytes = w->store->overflow.bytes;
	put_n(w, "neg.", NODENS_NEGATIVE, 3000, 1);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "big%d.", i);
		assert_int_equal(put_n(w, text, NODENS_POSITIVE, 3500, 1), 0);
		assert_int_equal(get(w, text)->count[0], 3500);
		assert_in_range(bytes[NODENS_POSITIVE], 1, 12 << 20);
		assert_true(stats(w).bytes > bytes[NODENS_POSITIVE]);
		grace_period();
	}
	assert_true(stats(w).entries[0] < 250);
	assert_int_equal(stats(w).entries[0] + stats(w).evicted[0], 1000);
	assert_int_equal(index_count(&w->maps), stats(w).entries[0] + 1);
	assert_non_null(get(w, "neg."));
	assert_int_equal(flush_store(w->store, NULL, 0), stats(w).inserts - stats(w).evicted[0]);
	assert_int_equal(bytes[NODENS_POSITIVE] + bytes[NODENS_NEGATIVE], 0);
}

static void test_flush(void **state)
{
	struct world *w = *state;
	struct dns_name a = fixture_name("a."), b = fixture_name("b.");
	struct answer *answer;

	open_world(w, 100, 100);
	for (int flags = 0; flags < 4; flags++) {
		for (int type = 1; type < 4; type++) {
			answer = fixture_answer("a.", 1, 1);
			answer->key_flags = flags;
			answer->qtype = type;
			store__put(w->store, answer,
				   &(struct store_put){ .kind = flags & 1, .ttl_s = 30 }, w->now);
		}
	}
	put(w, "b.", NODENS_POSITIVE);
	put(w, "aa.", NODENS_POSITIVE);
	assert_int_equal(flush_store(w->store, &a, 2), 4);
	assert_int_equal(flush_store(w->store, &a, 2), 0);
	assert_int_equal(flush_store(w->store, &a, 0), 8);
	assert_non_null(get(w, "b."));
	assert_int_equal(flush_store(w->store, &b, 28), 0);
	assert_int_equal(flush_store(w->store, NULL, 1), 2);
	assert_int_equal(index_count(&w->maps), 0);
	assert_int_equal(flush_store(w->store, NULL, 0), 0);
}

/* `nodens flush` deletes from the index behind the agent's back. */
static void test_foreign_flush(void **state)
{
	struct world *w = *state;
	uint64_t hash;
	uint32_t wrong = NODENS_SLOT(3, 1);

	open_world(w, 100, 100);
	put(w, "a.", NODENS_POSITIVE);
	put_n(w, "big.", NODENS_POSITIVE, 200, 1);
	hash = hash_of(w, "a.");
	fixture_unpublish(w->maps.index_fd, hash);
	hash = hash_of(w, "big.");
	fixture_unpublish(w->maps.index_fd, hash);
	assert_null(get(w, "a."));
	assert_null(get(w, "big."));
	assert_int_equal(stats(w).entries[0], 0);
	put(w, "a.", NODENS_POSITIVE);
	assert_non_null(get(w, "a."));
	/* gone, and put again before anybody asked */
	hash = hash_of(w, "a.");
	fixture_unpublish(w->maps.index_fd, hash);
	put_n(w, "a.", NODENS_POSITIVE, 1, 2);
	assert_int_equal(get(w, "a.")->blob[15], 2);
	/* an element that is none of ours goes */
	fixture_publish(w->maps.index_fd, hash, wrong);
	assert_null(get(w, "a."));
	assert_int_equal(index_count(&w->maps), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		both(test_put_get),
		both(test_colliding_names),
		both(test_bad_input),
		both(test_longest_name),
		both(test_replace),
		both(test_grace),
		both(test_capacity),
		both(test_plan),
		both(test_refused_evicts_nobody),
		both(test_second_chance),
		both(test_refresh_keeps_use),
		both(test_all_used),
		both(test_expired_first),
		both(test_sweep),
		both(test_collision),
		both(test_truncated),
		both(test_in_part),
		both(test_heap_bound),
		both(test_flush),
		both(test_foreign_flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
