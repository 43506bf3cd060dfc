// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * An agent without the kernel path says so again, every half hour and no oftener. The rest is
 * tests/ns/test-bare's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent_priv.h"
#include "clock.h"

/* Lines on stderr of a call each second, from @from_s on for @for_s. */
static unsigned int lines(struct agent *agent, uint64_t from_s, uint64_t for_s)
{
	FILE *out = tmpfile();
	int c, before = dup(STDERR_FILENO);
	unsigned int n = 0;

	assert_non_null(out);
	dup2(fileno(out), STDERR_FILENO);
	for (uint64_t s = from_s; s < from_s + for_s; s++)
		agent_bare__remind(agent, s * NSEC_PER_SEC);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(out);
	while ((c = fgetc(out)) != EOF)
		n += c == '\n';
	fclose(out);
	return n;
}

static void test_reminds(void **state)
{
	static struct agent agent = { .bare = true };

	(void)state;
	/* that it is so was said at the start */
	assert_int_equal(lines(&agent, 1000, 1800), 0);
	assert_int_equal(lines(&agent, 2800, 1), 1);
	assert_int_equal(lines(&agent, 2801, 5 * 1800), 5);
}

static void test_nothing_to_say(void **state)
{
	static struct agent agent = { .bare = false };

	(void)state;
	assert_int_equal(lines(&agent, 1000, 10000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reminds),
		cmocka_unit_test(test_nothing_to_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
