// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of share.c: who is one client, and what one client can have.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/share.h"

static void test_who_is_a_client(void **state)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 }, b = a, c = a;
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001) };
	struct share *held[4];
	struct shares shares;

	(void)state;
	inet_pton(AF_INET6, "2001:db8:0:1::1", &a.sin6_addr);
	inet_pton(AF_INET6, "2001:db8:0:1:8::2", &b.sin6_addr);
	inet_pton(AF_INET6, "2001:db8:0:2::1", &c.sin6_addr);
	shares__init(&shares);
	assert_null(shares__heaviest(&shares));
	held[0] = shares__take(&shares, (struct sockaddr *)&a, 0);
	held[1] = shares__take(&shares, (struct sockaddr *)&b, 0);
	held[2] = shares__take(&shares, (struct sockaddr *)&c, 0);
	held[3] = shares__take(&shares, (struct sockaddr *)&four, 0);
	/* one /64 is one client, of two addresses */
	assert_int_equal(share__client(held[0]), 2);
	assert_ptr_not_equal(held[0], held[1]);
	assert_int_equal(share__client(held[2]), 1);
	assert_int_equal(share__client(held[3]), 1);
	assert_ptr_equal(shares__take(&shares, (struct sockaddr *)&a, 0), held[0]);
	assert_ptr_equal(shares__heaviest(&shares), held[0]);
	share__give(held[0]);
	share__give(held[0]);
	assert_int_equal(share__client(held[1]), 1);
	for (int i = 1; i < 4; i++)
		share__give(held[i]);
	assert_null(shares__heaviest(&shares));
}

/* Takes with @limit until it is refused; how many it were. Sources differ in their last octet. */
static unsigned int take_all(struct shares *shares, const char *source, unsigned int n_sources,
			     uint32_t device, unsigned int limit, struct share **held)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6 };
	unsigned int n = 0, refused = 0;

	inet_pton(AF_INET6, source, &addr.sin6_addr);
	while (refused < n_sources) {
		refused = 0;
		for (unsigned int i = 0; i < n_sources; i++) {
			int ret;

			addr.sin6_addr.s6_addr[15] = i;
			ret = shares__take_below(shares, (struct sockaddr *)&addr, device, limit,
						 &held[n]);
			if (!ret)
				n++;
			else
				refused++;
			assert_true(!ret || ret == -EDQUOT);
		}
	}
	return n;
}

static void test_limits(void **state)
{
	static const struct {
		const char *source;
		unsigned int n_sources, want;
		uint32_t device;
	} rows[] = {
		{ "::ffff:10.0.0.0", 1, 10, 0 }, /* one address */
		{ "::ffff:10.0.0.0", 5, 50, 0 }, /* each its own client */
		{ "2001:db8::", 1, 10, 0 },	 { "2001:db8::", 5, 20, 0 }, /* one /64 */
		{ "::ffff:10.0.0.0", 5, 20, 7 }, /* one pod, whatever it sends from */
		{ "2001:db8::", 1, 10, 7 },
	};
	static struct shares shares;
	struct share *held[64], *other;
	struct sockaddr_in victim = { .sin_family = AF_INET };

	(void)state;
	shares__init(&shares);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned int n = take_all(&shares, rows[i].source, rows[i].n_sources,
					  rows[i].device, 10, held);

		assert_int_equal(n, rows[i].want);
		/* another client has its share still */
		victim.sin_addr.s_addr = htonl(0x0a010001);
		assert_int_equal(
			shares__take_below(&shares, (struct sockaddr *)&victim, 0, 10, &other), 0);
		share__give(other);
		while (n)
			share__give(held[--n]);
		assert_null(shares__heaviest(&shares));
	}
	share__give(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_a_client),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
