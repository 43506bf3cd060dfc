/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The event loop as its users see it: what time it is, and timers. Handed to whoever waits for
 * something, so that a test can hand over one whose time it sets (tests/unit/virtual_loop.h).
 *
 * Contract: single-threaded. Time is CLOCK_MONOTONIC in ns, which the programs' ktime counts too,
 * and never runs back. Sockets are libevent's, by loop->events.
 */
#ifndef NODENS_LOOP_H
#define NODENS_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/list.h"

struct loop_timer;

struct loop {
	struct event_base *events;
	const struct loop_ops *ops;
};

/* The clock and the timers: the system's and libevent's, or a test's. */
struct loop_ops {
	uint64_t (*now)(const struct loop *loop);
	/* From timer->due_ns on, call loop_timer__fire() from the loop, once. 0 or -ENOMEM. */
	int (*start)(struct loop_timer *timer, uint64_t now_ns);
	void (*stop)(struct loop_timer *timer);
};

/* Embedded in what it belongs to. All zero is a timer that was never set: it can be stopped. */
struct loop_timer {
	struct loop *loop;
	void (*fire)(void *ctx, uint64_t now_ns);
	void *ctx;
	uint64_t due_ns;
	uint64_t every_ns; /* 0: once */
	bool set;
	struct event event; /* libevent's timers */
	struct list by_due; /* a test's timers */
};

/* -ENOMEM. */
int loop__open(struct loop *loop);
void loop__close(struct loop *loop); /* of one that was never opened (all zero): nothing */

static inline uint64_t loop__now(const struct loop *loop)
{
	return loop->ops->now(loop);
}

/* @fire may set, stop or free the timer. */
void loop_timer__init(struct loop_timer *timer, struct loop *loop,
		      void (*fire)(void *ctx, uint64_t now_ns), void *ctx);
/* Once, at @due_ns, or in the loop's next turn if that is over. Moves one that is set. -ENOMEM. */
int loop_timer__set_at(struct loop_timer *timer, uint64_t due_ns);
/* The same, @after_ns from now. */
int loop_timer__set(struct loop_timer *timer, uint64_t after_ns);
/* The first time @period_ns from now, then each @period_ns; a turn that was missed is left out. */
int loop_timer__every(struct loop_timer *timer, uint64_t period_ns);
void loop_timer__stop(struct loop_timer *timer);

/* For implementations: its time has come. */
void loop_timer__fire(struct loop_timer *timer);

#endif /* NODENS_LOOP_H */
