/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A loop whose time stands still until a test moves it: first all I/O that is ready is run, then
 * time jumps to the next timer.
 *
 * Contract: base/loop.h. Sockets are real: over the loopback interface what is sent has arrived
 * when send() returns, unless the machine is so busy that the kernel puts it off; whoever knows
 * that something is under way says so with owed().
 */
#ifndef NODENS_VIRTUAL_LOOP_H
#define NODENS_VIRTUAL_LOOP_H

#include <unistd.h>

#include "base/loop.h"

struct virtual_loop {
	struct loop loop; /* first: see virtual_of() */
	uint64_t now_ns;
	struct list timers; /* by their time */
	/* Has something been sent that has not been received? May be NULL. */
	bool (*owed)(void *ctx);
	void *ctx;
};

/* Time begins here: late enough that nothing counts as never. */
#define VIRTUAL_BEGIN_NS (1000 * NSEC_PER_SEC)
/* Real time that is given to what is owed. */
#define VIRTUAL_OWED_US 2000000

static inline struct virtual_loop *virtual_of(const struct loop *loop)
{
	return (struct virtual_loop *)loop;
}

static inline uint64_t virtual_now(const struct loop *loop)
{
	return virtual_of(loop)->now_ns;
}

static inline int virtual_start(struct loop_timer *timer, uint64_t now_ns)
{
	struct list *timers = &virtual_of(timer->loop)->timers, *at = timers->next;

	(void)now_ns;
	while (at != timers && list_entry(at, struct loop_timer, by_due)->due_ns <= timer->due_ns)
		at = at->next;
	list__append(at, &timer->by_due); /* before it */
	return 0;
}

static inline void virtual_stop(struct loop_timer *timer)
{
	list__del(&timer->by_due);
}

static inline int virtual_loop__open(struct virtual_loop *v)
{
	static const struct loop_ops ops = { virtual_now, virtual_start, virtual_stop };

	*v = (struct virtual_loop){ .now_ns = VIRTUAL_BEGIN_NS };
	list__init(&v->timers);
	v->loop.ops = &ops;
	v->loop.events = event_base_new();
	return v->loop.events ? 0 : -1;
}

static inline void virtual_loop__close(struct virtual_loop *v)
{
	loop__close(&v->loop);
}

/* All that is ready, and what that leads to, without time. */
static inline void virtual_loop__io(struct virtual_loop *v)
{
	int us = 0, active;

	do {
		event_base_get_max_events(v->loop.events, EVENT_BASE_COUNT_ACTIVE, 1);
		event_base_loop(v->loop.events, EVLOOP_NONBLOCK);
		active = event_base_get_max_events(v->loop.events, EVENT_BASE_COUNT_ACTIVE, 1);
		if (!active && v->owed && us < VIRTUAL_OWED_US && v->owed(v->ctx)) {
			usleep(50);
			us += active = 50;
		}
	} while (active);
}

/* Until @end_ns, or until @stop (may be NULL) says so, of which it returns the last word. */
static inline bool virtual_loop__run(struct virtual_loop *v, uint64_t end_ns,
				     bool (*stop)(void *ctx), void *ctx)
{
	for (;;) {
		struct loop_timer *timer;

		virtual_loop__io(v);
		if (stop && stop(ctx))
			return true;
		timer = list_entry(v->timers.next, struct loop_timer, by_due);
		if (list__empty(&v->timers) || timer->due_ns > end_ns)
			break;
		if (timer->due_ns > v->now_ns)
			v->now_ns = timer->due_ns;
		list__del(&timer->by_due);
		loop_timer__fire(timer);
	}
	if (end_ns > v->now_ns)
		v->now_ns = end_ns;
	return false;
}

#endif /* NODENS_VIRTUAL_LOOP_H */
