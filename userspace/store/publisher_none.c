// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A store that only the agent reads. Contract: publisher.h.
 *
 * All is as the store's own table has it: each change is a success, each entry is still there, and
 * whatever is withdrawn is free at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_priv.h"

static int grow_none(struct publisher *publisher)
{
	if (publisher->n_steps == publisher->max_steps)
		return -ENOSPC;
	publisher->n_steps++;
	return 0;
}

static void grow_ahead_none(struct publisher *publisher)
{
	(void)publisher;
}

static int write_none(struct publisher *publisher, uint32_t number, struct nodens_slot *to,
		      const union slot_buf *image, size_t size)
{
	(void)publisher;
	(void)number;
	memcpy(to, image, size);
	return 0;
}

static int load_none(struct publisher *publisher, uint32_t number, struct nodens_slot *to)
{
	(void)publisher;
	(void)number;
	(void)to;
	return 0;
}

static void expect_none(struct publisher *publisher, uint64_t hash)
{
	(void)publisher;
	(void)hash;
}

static int publish_none(struct publisher *publisher, uint64_t hash, uint32_t number)
{
	(void)publisher;
	(void)hash;
	(void)number;
	return 0;
}

static int withdraw_none(struct publisher *publisher, uint64_t hash)
{
	(void)publisher;
	(void)hash;
	return 0;
}

static bool names_none(struct publisher *publisher, uint64_t hash, uint32_t number)
{
	(void)publisher;
	(void)hash;
	(void)number;
	return true;
}

static bool fits_none(struct publisher *publisher, const struct index_place *at, uint64_t hash)
{
	(void)publisher;
	(void)at;
	(void)hash;
	return true;
}

static int walk_none(struct publisher *publisher, publisher_walk_fn *stays, void *ctx)
{
	(void)publisher;
	(void)stays;
	(void)ctx;
	return 0;
}

static int begin_none(struct publisher *publisher)
{
	(void)publisher;
	return 0;
}

static uint64_t no_period(struct publisher *publisher)
{
	(void)publisher;
	return 0;
}

static void hurry_none(struct publisher *publisher)
{
	(void)publisher;
}

static void close_none(struct publisher *publisher)
{
	pages_close(publisher->memory, publisher->max_steps * STEP_BYTES);
	free(publisher);
}

static const struct publisher_ops none = {
	.grow = grow_none,
	.grow_ahead = grow_ahead_none,
	.write = write_none,
	.load = load_none,
	.sample = slot_sample_in_place,
	.expect = expect_none,
	.publish = publish_none,
	.withdraw = withdraw_none,
	.names = names_none,
	.fits = fits_none,
	.walk = walk_none,
	.begin = begin_none,
	.ticket = no_period,
	.passed = no_period,
	.hurry = hurry_none,
	.close = close_none,
};

int publisher__none(uint32_t max_steps, struct publisher **out)
{
	struct publisher *publisher = calloc(1, sizeof(*publisher));

	if (!publisher)
		return -ENOMEM;
	publisher->ops = &none;
	publisher->in_place = true;
	publisher->max_steps = max_steps;
	publisher->memory = pages_open(max_steps * STEP_BYTES);
	if (!publisher->memory) {
		free(publisher);
		return -ENOMEM;
	}
	*out = publisher;
	return 0;
}
