// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Timers over libevent. Contract: loop.h.
 */
#include "base/loop.h"

#include <errno.h>

static uint64_t system_now(const struct loop *loop)
{
	(void)loop;
	return clock_now();
}

static void on_event(evutil_socket_t fd, short what, void *timer)
{
	(void)fd;
	(void)what;
	loop_timer__fire(timer);
}

static int libevent_start(struct loop_timer *timer, uint64_t now)
{
	uint64_t after_us = timer->due_ns > now ? (timer->due_ns - now + 999) / 1000 : 0;
	struct timeval tv = { after_us / 1000000, after_us % 1000000 };

	if (!event_initialized(&timer->event) &&
	    evtimer_assign(&timer->event, timer->loop->events, on_event, timer))
		return -ENOMEM;
	return evtimer_add(&timer->event, &tv) ? -ENOMEM : 0;
}

static void libevent_stop(struct loop_timer *timer)
{
	evtimer_del(&timer->event);
}

int loop__open(struct loop *loop)
{
	static const struct loop_ops libevent = { system_now, libevent_start, libevent_stop };

	loop->events = event_base_new();
	if (!loop->events)
		return -ENOMEM;
	loop->ops = &libevent;
	return 0;
}

void loop__close(struct loop *loop)
{
	if (loop->events)
		event_base_free(loop->events);
	loop->events = NULL;
}

void loop_timer__init(struct loop_timer *timer, struct loop *loop,
		      void (*fire)(void *ctx, uint64_t now_ns), void *ctx)
{
	*timer = (struct loop_timer){ .loop = loop, .fire = fire, .ctx = ctx };
}

static int timer_start(struct loop_timer *timer, uint64_t now)
{
	int ret = timer->loop->ops->start(timer, now);

	timer->set = !ret;
	return ret;
}

int loop_timer__set_at(struct loop_timer *timer, uint64_t due_ns)
{
	loop_timer__stop(timer);
	timer->every_ns = 0;
	timer->due_ns = due_ns;
	return timer_start(timer, loop__now(timer->loop));
}

int loop_timer__set(struct loop_timer *timer, uint64_t after_ns)
{
	return loop_timer__set_at(timer, loop__now(timer->loop) + after_ns);
}

int loop_timer__every(struct loop_timer *timer, uint64_t period_ns)
{
	int ret = loop_timer__set(timer, period_ns);

	if (!ret)
		timer->every_ns = period_ns;
	return ret;
}

void loop_timer__stop(struct loop_timer *timer)
{
	if (timer->set)
		timer->loop->ops->stop(timer);
	timer->set = false;
}

void loop_timer__fire(struct loop_timer *timer)
{
	uint64_t now = loop__now(timer->loop);

	timer->set = false;
	if (timer->every_ns) {
		timer->due_ns += timer->every_ns;
		if (timer->due_ns <= now)
			timer->due_ns = now + timer->every_ns;
		timer_start(timer, now); /* it was set before: no memory is needed */
	}
	timer->fire(timer->ctx, now);
}
