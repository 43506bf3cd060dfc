/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The memory of slots as the kernel has it: steps of NODENS_STEP_CELLS cells each, in an array of
 * maps that programs read. It begins empty; the agent adds a step when it needs one.
 *
 * Contract: one writer, the agent, which alone makes steps. Whoever may open the pins may read.
 * Steps are numbered without gaps. Where steps can be mapped (5.5) they are one range of memory;
 * else it holds what this process wrote, and what the kernel has is read by bpf().
 */
#ifndef NODENS_STEPS_H
#define NODENS_STEPS_H

#include <stdbool.h>
#include <stdint.h>

#include "dns/slot.h"

#define STEP_BYTES ((size_t)NODENS_STEP_CELLS * NODENS_CELL)

struct steps_config {
	int fd;		 /* steps__create()'s; stays the caller's */
	uint32_t max;	 /* its size */
	const char *dir; /* where steps are pinned: N for step N; NULL: nowhere, which only root
			    can open again */
	bool mmapable;
};

struct steps;

/* A map for at most @max steps, none in it. A descriptor or -errno. */
int steps__create(uint32_t max, bool mmapable);

/*
 * All steps that there are. @config, but for dir's text, is copied. -ESTALE: a pin is not of the
 * step that programs have; -ENOMEM; -errno of bpf() or mmap().
 */
int steps__open(const struct steps_config *config, bool writable, struct steps **out);
void steps__close(struct steps *steps);
uint32_t steps__count(const struct steps *steps);
/* Memory of the slots; max steps long. */
uint8_t *steps__memory(const struct steps *steps);
/*
 * One more, in two parts: made, which waits for a grace period (8-30 ms) and may be done by another
 * thread, and added to @steps (at once; takes @fd over). steps__make() returns a descriptor.
 * -ENOSPC: there are max; -ENOMEM, -EPERM: the kernel gives no more memory; all is as it was then.
 */
int steps__make(const struct steps *steps);
int steps__add(struct steps *steps, int fd);
/* Steps that somebody else has added since. -errno: those before it are there. */
int steps__refresh(struct steps *steps);

/* The slot's @size bytes as the kernel has them. -ENOENT: there is no such step. */
int steps__read(const struct steps *steps, uint32_t slot, void *to, size_t size);
/*
 * The same the other way; only where they are not mapped this is a system call (two, in fact).
 * -EINVAL: these bytes would go beyond the cell.
 */
int steps__write(struct steps *steps, uint32_t slot, const void *from, size_t size);

#endif /* NODENS_STEPS_H */
