// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of the check of a slot's bytes: whatever passes is harmless, and damage that a program
 * would send on does not pass.
 */
#include "store_fixture.h"

static size_t make(union slot_buf *buf, const char *name, unsigned int n)
{
	struct answer *answer = fixture_answer(name, n, 1);
	size_t size = answer__slot_size(answer);

	memset(buf, 0, sizeof(*buf));
	answer__to_slot(answer, &buf->slot);
	answer__free(answer);
	return size;
}

static void test_good(void **state)
{
	static const char *const names[] = { ".", "a.", "abcdef.", "abcdefg.", "a.b.c.d.e.f.g.h." };
	union slot_buf buf;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (unsigned int n = 0; n <= 75; n++) {
			size_t size = make(&buf, names[i], n);

			assert_true(slot__check(&buf.slot, size));
			assert_true(slot__check(&buf.slot, sizeof(buf)));
			/* not one byte less */
			assert_false(slot__check(&buf.slot, size - 1));
		}
	}
}

static void test_each_field(void **state)
{
	union slot_buf good, buf;
	size_t size = make(&good, "abc.example.", 3);

	(void)state;
#define BAD(statement)                                      \
	do {                                                \
		buf = good;                                 \
		statement;                                  \
		assert_false(slot__check(&buf.slot, size)); \
	} while (0)
	BAD(buf.slot.name_len = 0);
	BAD(buf.slot.name_len++);
	BAD(buf.slot.name_len = 255);
	BAD(buf.slot.blob_at += 8);
	BAD(buf.slot.blob_at = 0);
	BAD(buf.slot.blob_len--);
	BAD(buf.slot.blob_len = 65535);
	BAD(buf.slot.ttls_at += 2);
	BAD(buf.slot.ttls_at = 65534);
	BAD(buf.slot.n_ttl++);
	BAD(buf.slot.n_ttl = 97);
	BAD(buf.slot.n_ttl_odd++);
	BAD(buf.slot.blob_sum ^= 1);
	BAD(buf.slot.rot_at++);
	BAD(buf.slot.rot_count = 65);
	BAD(buf.slot.rot_count = 1);
	BAD(buf.slot.rot_size = 17);
	BAD(buf.slot.partial = 1);
	BAD(buf.slot.unused = 1);
	BAD(buf.slot.key_flags = 4);
	BAD(buf.slot.data[1] = 'A');
	BAD(buf.slot.data[0] = 2);
	BAD(buf.slot.data[0] = 64);
	BAD(buf.slot.data[13] = 1);		    /* padding of the name */
	BAD(buf.bytes[buf.slot.blob_at + 15] ^= 1); /* an address */
	BAD(buf.bytes[buf.slot.ttls_at] = 255);
#undef BAD
}

/* Any bytes at all: no read outside (under ASan), and what passes can be taken apart. */
static void test_random(void **state)
{
	unsigned int seed = 42, passed = 0;
	union slot_buf good;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		size_t size = make(&good, i & 1 ? "abc.example." : "x.", i % 7);
		uint8_t *exact = malloc(size);
		struct answer *answer;

		memcpy(exact, good.bytes, size);
		for (int k = rand_r(&seed) % 3; k > 0; k--)
			exact[rand_r(&seed) % size] = rand_r(&seed);
		if (slot__check((struct nodens_slot *)exact, size)) {
			passed++;
			memcpy(good.bytes, exact, size);
			answer = answer__from_slot(&good.slot);
			assert_non_null(answer);
			answer__free(answer);
		}
		free(exact);
	}
	assert_in_range(passed, 70000, 190000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_each_field),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
