/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A walk over the index: every hash and its slot number, in no order.
 *
 * Contract: the index may change under the walk. What is there throughout is
 * seen at least once; what comes or goes meanwhile may or may not be. What the
 * walk has handed out may be deleted.
 */
#ifndef NODENS_INDEX_WALK_H
#define NODENS_INDEX_WALK_H

#include <stdbool.h>
#include <stdint.h>

struct index_walk;

/* @by_key: as on kernels before 5.6. */
int index_walk__open(int index_fd, bool by_key, struct index_walk **out);
void index_walk__close(struct index_walk *walk);
/*
 * 1 and an element, 0 at the end, -errno. -EAGAIN (by key only): others
 * deleted so much that not all was seen.
 */
int index_walk__next(struct index_walk *walk, uint64_t *hash, uint32_t *slot);

#endif /* NODENS_INDEX_WALK_H */
