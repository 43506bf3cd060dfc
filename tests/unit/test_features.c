// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Kernels that programs are not loaded into, by what uname() says of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datapath/datapath_priv.h"

static void test_interleaves(void **state)
{
	static const struct {
		const char *release, *version;
		bool interleaves;
	} rows[] = {
		{ "6.18.0-rt1", "#1 SMP PREEMPT_RT Mon Nov 3 00:00:00 UTC 2025", true },
		{ "6.12.57+deb13-rt-amd64", "#1 SMP PREEMPT_RT Debian 6.12.57-1 (2025-11-05)",
		  true },
		{ "7.0", "#1 SMP PREEMPT_RT", true },
		{ "of nobody's counting", "#1 SMP PREEMPT_RT", true },
		{ "6.1.0-41-rt-amd64", "#1 SMP PREEMPT_RT Debian 6.1.158-1 (2025-11-09)", false },
		{ "5.10.0-36-rt-amd64", "#1 SMP PREEMPT_RT Debian 5.10.244-1", false },
		{ "6.18.0", "#1 SMP PREEMPT_DYNAMIC Mon Nov 3 00:00:00 UTC 2025", false },
		{ "6.12.57+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.57-1", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(features_interleaves(rows[i].release, rows[i].version),
				 rows[i].interleaves);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interleaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
