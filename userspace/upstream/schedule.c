// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * When an exchange is looked at again, and the one timer for all of them. Contract:
 * upstream_priv.h.
 */
#include "upstream_priv.h"

/* How long a query may be out before a second one is sent, and then each further one. */
static const uint64_t resend_after_ns[RESENDS] = {
	[RESEND_SOON] = 400 * NSEC_PER_MS,
	[RESEND_LATE] = NSEC_PER_SEC,
	[RESEND_REFUSED] = 10 * NSEC_PER_MS,
	20 * NSEC_PER_MS,
	40 * NSEC_PER_MS,
	80 * NSEC_PER_MS,
	160 * NSEC_PER_MS,
	320 * NSEC_PER_MS,
	[RESENDS - 1] = 400 * NSEC_PER_MS, /* and then always */
};

static uint64_t earliest_end(const struct upstreams *ups)
{
	uint64_t end = UINT64_MAX, t;

	if (!list__empty(&ups->by_deadline))
		end = list_entry(ups->by_deadline.next, struct exchange, by_deadline)->deadline_ns;
	for (const struct read_class *read = ups->reads; read; read = read->next) {
		if (list__empty(&read->by_end))
			continue;
		t = list_entry(read->by_end.next, struct attempt, by_end)->sent_ns;
		if (t + read->read_ns < end)
			end = t + read->read_ns;
	}
	for (int i = 0; i < RESENDS; i++) {
		if (list__empty(&ups->by_resend[i]))
			continue;
		t = list_entry(ups->by_resend[i].next, struct exchange, by_resend)->resend_ns;
		if (t < end)
			end = t;
	}
	return end;
}

/* A timer that fires too early sets itself anew: with many exchanges it is seldom touched. */
void upstreams_schedule(struct upstreams *ups)
{
	uint64_t end = earliest_end(ups);

	if (end != UINT64_MAX && (!ups->timer.set || end < ups->timer.due_ns))
		loop_timer__set_at(&ups->timer, end);
}

static void resend_set(struct exchange *ex, enum resend after, uint64_t now)
{
	struct upstreams *ups = exchange_owner(ex);

	ex->resend_ns = now + resend_after_ns[after];
	list__append(&ups->by_resend[after], &ex->by_resend);
}

bool exchange_has_another(const struct exchange *ex, const struct upstream *but)
{
	const struct upstream_group *group = ex->group;

	for (size_t i = 0; i < group->n; i++) {
		if (&group->list[i] != but && !group->list[i].down && !(ex->tried >> i & 1))
			return true;
	}
	return false;
}

unsigned int exchange_waited_for(const struct exchange *ex)
{
	unsigned int n = 0;

	for (int i = 0; i < EXCHANGE_ATTEMPTS; i++)
		n += ex->attempts[i].upstream && !ex->attempts[i].refused;
	return n;
}

/* The first time: soon, unless there is only this one, and it is slower than that. */
void exchange_plan_resend(struct exchange *ex, const struct upstream *upstream, uint64_t now)
{
	uint64_t usual_ns = upstream->rtt_ns + 4 * upstream->rtt_var_ns;

	list__del(&ex->by_resend);
	if (ex->probe || ex->once)
		return;
	if (exchange_waited_for(ex) == 1 &&
	    (usual_ns <= resend_after_ns[RESEND_SOON] || exchange_has_another(ex, upstream)))
		resend_set(ex, RESEND_SOON, now);
	else if (usual_ns <= resend_after_ns[RESEND_LATE])
		resend_set(ex, RESEND_LATE, now);
}

void exchange_plan_retry(struct exchange *ex, uint64_t now)
{
	enum resend after = RESEND_REFUSED + ex->n_refused;

	if (after < RESENDS - 1)
		ex->n_refused++;
	list__del(&ex->by_resend);
	resend_set(ex, after, now);
	upstreams_schedule(exchange_owner(ex));
}
