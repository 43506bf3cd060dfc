/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Tells the service manager how the agent is (sd_notify(3)): a datagram to the socket that
 * NOTIFY_SOCKET names.
 *
 * Contract: without NOTIFY_SOCKET nothing happens. Never blocks, never fails: what the manager does
 * not hear it finds out by its own time limits.
 */
#ifndef NODENS_NOTIFY_H
#define NODENS_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STOPPING=1"; lines are separated by \n. */
void notify__state(const char *state);

/*
 * "WATCHDOG=1", at most three times in the interval of WATCHDOG_USEC, where the manager asks for
 * it. To be called with every beat of the agent, so that a hung agent falls silent. @now_ns:
 * loop__now().
 */
void notify__beat(uint64_t now_ns);

#endif /* NODENS_NOTIFY_H */
