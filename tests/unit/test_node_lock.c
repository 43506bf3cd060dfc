// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of the lock of a network namespace: one has it, others see that without touching it.
 *
 * Contract: needs root; works in a network namespace of its own.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "link/node_lock.h"

static int setup(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNET);
}

static void test_one_has_it(void **state)
{
	int fd;

	(void)state;
	assert_false(node_lock__held());
	fd = node_lock__try();
	assert_true(fd >= 0);
	assert_true(node_lock__held());
	assert_int_equal(node_lock__try(), -EBUSY);
	close(fd);
	assert_false(node_lock__held());
}

/* Whoever looks, often, takes it from nobody: not from another who looks, nor from an agent. */
static void test_many_look(void **state)
{
	pid_t pid = fork();
	int fd;

	(void)state;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			node_lock__held();
	}
	for (int i = 0; i < 1000; i++) {
		assert_false(node_lock__held());
		fd = node_lock__try();
		assert_true(fd >= 0);
		close(fd);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_has_it),
		cmocka_unit_test(test_many_look),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
