/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The one clock: what the store's expiry times and the heartbeat are in.
 *
 * Contract: CLOCK_MONOTONIC, ns; the programs' ktime counts the same.
 */
#ifndef NODENS_CLOCK_H
#define NODENS_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MS  1000000ull

static inline uint64_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* CLOCK_REALTIME less CLOCK_MONOTONIC: the first may be set, the second stands while the machine
 * sleeps. */
static inline int64_t clock_epoch(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)(now.tv_sec * NSEC_PER_SEC + now.tv_nsec - clock_now());
}

#endif /* NODENS_CLOCK_H */
