/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Grace periods: when is a slot that was withdrawn from the index out of reach
 * of every BPF program that may have found it before?
 *
 * Contract: a thread of its own waits, so the caller never does. The kernel
 * returns from an update of a map-in-map only after all programs that ran at
 * that time have ended (Linux commit 1ae80cf31938, "bpf: wait for running BPF
 * programs when updating map-in-map"; user space relies on it, so it stays).
 * All functions but open and close are cheap and may be called by one thread.
 */
#ifndef NODENS_GRACE_H
#define NODENS_GRACE_H

#include <stdint.h>

#include "store/steps.h"

struct grace;

/*
 * @outer_fd: an array of maps with one entry; @inner_fd: a map to put there.
 * Both stay the caller's and must outlive the result. -errno of the first
 * update (which is done, and waited for, here) or of the thread.
 */
int grace__open(int outer_fd, int inner_fd, struct grace **out);
void grace__close(struct grace *grace);

/*
 * A ticket for all that has been withdrawn before this call: out of reach once
 * grace__passed() is at least the ticket. Tickets never decrease.
 */
uint64_t grace__ticket(struct grace *grace);
uint64_t grace__passed(struct grace *grace);

/* Slots run short: begin the next period without pausing for more to gather. */
void grace__hurry(struct grace *grace);

/*
 * Begin to make a step (steps__make(), which waits for a grace period itself): ahead of need, so
 * that the caller does not wait. Until grace__grown() @steps must not be changed.
 */
void grace__grow(struct grace *grace, const struct steps *steps);
/* What came of it, waited for: a descriptor or -errno. -ENODATA: grace__grow() was not called. */
int grace__grown(struct grace *grace);

#endif /* NODENS_GRACE_H */
