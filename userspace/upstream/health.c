// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Which upstream is next, which one is dead. Contract: upstream_priv.h.
 *
 * Nothing is sent from here, and no exchange is touched: that an upstream went down is an event of
 * the loop's next turn (probe.c), when whoever reported the failure has done with it.
 */
#include <string.h>

#include "upstream_priv.h"

/* ---- health ---- */

void upstream_tell(struct upstream *upstream, bool up)
{
	const struct upstreams_config *config = &upstream->group->owner->config;

	upstream->notified = !up;
	if (config->changed && !upstream->group->owner->retired)
		config->changed(config->ctx, upstream->addr, up, up ? NULL : upstream->reason);
}

static void measure(struct upstream *upstream, uint64_t rtt_ns)
{
	uint64_t off;

	if (!upstream->rtt_ns) {
		upstream->rtt_ns = rtt_ns;
		upstream->rtt_var_ns = rtt_ns / 2;
		return;
	}
	off = rtt_ns > upstream->rtt_ns ? rtt_ns - upstream->rtt_ns : upstream->rtt_ns - rtt_ns;
	upstream->rtt_var_ns = (3 * upstream->rtt_var_ns + off) / 4;
	upstream->rtt_ns = (7 * upstream->rtt_ns + rtt_ns) / 8;
}

void upstream_succeeded(struct upstream *upstream, uint64_t sent_ns, uint64_t now)
{
	measure(upstream, now - sent_ns);
	quantiles__add(&upstream->numbers->rtt, now, now - sent_ns);
	if (!upstream->heard_ns)
		upstream->since_ns = now;
	upstream->heard_ns = now;
	upstream->fails = 0;
	if (!upstream->down)
		return;
	upstream->down = false;
	upstream->since_ns = now;
	loop_timer__stop(&upstream->went_down);
	loop_timer__stop(&upstream->probe_timer);
	upstream_count_down(upstream, -1);
	if (upstream->notified)
		upstream_tell(upstream, true);
}

void upstream_failed(struct upstream *upstream)
{
	const struct corefile_forward *forward = upstream->group->forward;

	upstream->fails++;
	if (upstream->down || !forward->max_fails || upstream->fails < forward->max_fails)
		return;
	upstream->down = true;
	upstream->since_ns = upstreams_now(upstream->group->owner);
	upstream_count_down(upstream, 1);
	loop_timer__set(&upstream->went_down, 0);
}

/* How many are down is said of the configuration at work. */
void upstream_count_down(struct upstream *upstream, int by)
{
	struct upstreams *ups = upstream->group->owner;

	if (!ups->retired)
		ups->config.stats->v[AGENT_STAT_UPSTREAMS_DOWN] += by;
}

void upstream_health_inherit(struct upstream *upstream, const struct upstream *old)
{
	memcpy(upstream->reason, old->reason, sizeof(upstream->reason));
	/* of this forward none is taken for dead */
	if (old->down && !upstream->group->forward->max_fails)
		return;
	upstream->since_ns = old->since_ns;
	upstream->fails = old->fails;
	upstream->notified = old->notified;
	if (!old->down)
		return;
	upstream->down = true;
	upstream_count_down(upstream, 1);
	loop_timer__set(&upstream->went_down, 0);
}

void upstream_retire(struct upstream *upstream)
{
	if (upstream->down)
		upstream_count_down(upstream, -1);
	loop_timer__stop(&upstream->probe_timer);
}

/* ---- choice ---- */

static bool all_down(const struct upstream_group *group)
{
	for (size_t i = 0; i < group->n; i++) {
		if (!group->list[i].down)
			return false;
	}
	return true;
}

size_t upstream_first_choice(struct upstream_group *group)
{
	enum corefile_policy policy = group->forward->policy;
	int random;

	/* Then perhaps it is the probes that fail: any of them may answer. */
	if (all_down(group))
		policy = COREFILE_POLICY_RANDOM;
	switch (policy) {
	case COREFILE_POLICY_SEQUENTIAL:
		return 0;
	case COREFILE_POLICY_ROUND_ROBIN:
		return group->round_robin++ % group->n;
	default:
		random = group->n > 1 ? upstreams_random16(group->owner) : 0;
		return random < 0 ? 0 : random % group->n;
	}
}

/*
 * Live ones first, each once; then, once all of those have refused, the ones that are taken for
 * dead, each once and unless failfast is set; then the live ones again, or the dead ones, until
 * time is up. Who gave a malformed answer is not asked again.
 */
struct upstream *upstream_choose(struct exchange *ex)
{
	struct upstream_group *group = ex->group;
	struct upstream *live = NULL, *dead = NULL, *dead_again = NULL;
	bool refused = true;

	for (size_t k = 0; k < group->n; k++) {
		size_t i = (ex->next + k) % group->n;
		struct upstream *upstream = &group->list[i];
		bool tried = ex->tried >> i & 1;

		if (ex->barred >> i & 1)
			continue;
		if (!upstream->down && !tried)
			return upstream;
		if (!upstream->down) {
			live = live ? live : upstream;
			refused &= ex->refused >> i & 1;
		} else if (!tried) {
			dead = dead ? dead : upstream;
		} else {
			dead_again = dead_again ? dead_again : upstream;
		}
	}
	if (dead && refused && !group->forward->failfast)
		return dead;
	if (live) {
		ex->tried = 0;
		return live;
	}
	return group->forward->failfast ? NULL : dead_again;
}

/* ---- readiness ---- */

bool upstream_group__answered(const struct upstream_group *group)
{
	for (size_t i = 0; i < group->n; i++) {
		if (group->list[i].heard_ns)
			return true;
	}
	return false;
}

bool upstreams__answered(const struct upstreams *ups, const struct corefile_forward **waiting)
{
	for (const struct upstream_group *group = ups->groups; group; group = group->next) {
		if (upstream_group__answered(group))
			continue;
		if (waiting)
			*waiting = group->forward;
		return false;
	}
	return true;
}
