/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Whom a store publishes to: where its slots lie, who finds them, and when nobody can hold a slot
 * any more that was withdrawn.
 *
 * Contract: a publisher is one store's, which closes it.
 */
#ifndef NODENS_PUBLISHER_H
#define NODENS_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>

#include "nodens_abi.h"
#include "store/steps.h"

struct store_maps {
	int index_fd;
	struct steps_config slabs;
	int grace_fd; /* array of maps whose update waits for all programs */
	int grace_inner_fd;
};

struct publisher;

/*
 * To the programs that read @maps; its descriptors stay the caller's and outlive the publisher.
 * -EBADFD: one is not open; -EINVAL: maps of another shape; -ENOMEM; as steps__open().
 */
int publisher__maps(const struct store_maps *maps, struct publisher **out);

/*
 * To nobody: slots in the agent's own memory, no system calls, no grace periods, nothing to adopt.
 * -ENOMEM.
 */
int publisher__none(uint32_t max_steps, struct publisher **out);

#endif /* NODENS_PUBLISHER_H */
