/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Grace periods that the test makes: so that each test says when one is over.
 *
 * Contract: included by one test program each, in place of store/grace.c; see store_fixture.h.
 */
#ifndef GRACE_BY_HAND_H
#define GRACE_BY_HAND_H

#include "store_fixture.h"

#include "store/grace.h"

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

#endif /* GRACE_BY_HAND_H */
