// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Probes: of upstreams that went down, and of those that have not answered yet. Contract:
 * upstream_priv.h.
 */
#include <errno.h>

#include "upstream_priv.h"

/* A probe of a dead upstream; then the next is sent, lest its return goes unnoticed for long. */
#define PROBE_NS       NSEC_PER_SEC
#define PROBE_LEAST_NS (50 * NSEC_PER_MS) /* between probes, whatever health_check says */
/* Nobody waits for one that has not answered yet where another one of its group has. */
#define PROBE_UNHEARD_NS (5 * NSEC_PER_SEC)

static void probe_ended(struct upstream *upstream)
{
	upstream->probing = false;
	/* One more chance than the others had: only now it is worth a word. */
	if (upstream->down && !upstream->notified)
		upstream_tell(upstream, false);
}

static void probe_give_up(struct upstream *upstream)
{
	struct attempt *attempt = &upstream->probe.attempts[0];

	attempt_count_timeout(attempt);
	attempt_reason(attempt, attempt->refused ? attempt->refused : -ETIMEDOUT);
	upstream->numbers->v.healthcheck_failures++;
	exchange_unlink(&upstream->probe);
	probe_ended(upstream);
}

static void probe_done(struct exchange *ex, struct answer *answer, enum verdict verdict)
{
	(void)verdict;
	answer__free(answer);
	probe_ended(list_entry(ex, struct upstream, probe));
}

/* Where one is under way that little is to be hoped for, it makes way. */
static void probe_start(struct upstream *upstream)
{
	const struct attempt *attempt = &upstream->probe.attempts[0];
	uint64_t now = upstreams_now(upstream->group->owner);

	if (upstream->probing) {
		if (!attempt->refused && now - attempt->sent_ns < PROBE_NS)
			return;
		probe_give_up(upstream);
	}
	upstream->probing = true;
	upstream->probed_ns = now;
	exchange_probe(upstream, probe_done, now);
}

static void probe_again_later(struct upstream *upstream)
{
	uint64_t wait_ns = upstream->group->forward->health_check_ns;

	loop_timer__set(&upstream->probe_timer,
			wait_ns > PROBE_LEAST_NS ? wait_ns : PROBE_LEAST_NS);
}

static void on_probe_timer(void *arg, uint64_t now)
{
	struct upstream *upstream = arg;

	(void)now;
	probe_again_later(upstream);
	probe_start(upstream);
}

static void on_went_down(void *arg, uint64_t now)
{
	struct upstream *upstream = arg;

	if (upstream->group->n > 1)
		exchanges_abandon(upstream, now);
	if (!upstream->group->owner->retired)
		on_probe_timer(upstream, now);
}

void upstream_probe_init(struct upstream *upstream)
{
	struct loop *loop = upstream->group->owner->config.loop;

	loop_timer__init(&upstream->went_down, loop, on_went_down, upstream);
	loop_timer__init(&upstream->probe_timer, loop, on_probe_timer, upstream);
}

void upstream_probe_close(struct upstream *upstream)
{
	exchange_unlink(&upstream->probe);
	loop_timer__stop(&upstream->went_down);
	loop_timer__stop(&upstream->probe_timer);
}

/* One that is down has its timer besides. */
static bool is_due(const struct upstream *upstream, bool waited_for, uint64_t now)
{
	if (upstream->heard_ns || waited_for)
		return !upstream->heard_ns;
	return !upstream->down &&
	       (!upstream->probed_ns || now - upstream->probed_ns >= PROBE_UNHEARD_NS);
}

void upstreams__probe(struct upstreams *ups)
{
	uint64_t now = upstreams_now(ups);

	for (struct upstream_group *group = ups->groups; group; group = group->next) {
		bool waits = !upstream_group__answered(group);

		for (size_t i = 0; i < group->n; i++) {
			if (is_due(&group->list[i], waits, now))
				probe_start(&group->list[i]);
		}
	}
}
