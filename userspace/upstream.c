// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Exchanges with upstreams: choice, time-outs, health. Contract: upstream.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "upstream_priv.h"

#define IDLE_SOCKET_S 10
/* Once an upstream is taken for dead, who waited for it this long waits no more. */
#define GIVE_UP_NS (250 * NSEC_PER_MS)
/* A probe of a dead upstream; then the next is sent, lest its return goes unnoticed for long. */
#define PROBE_NS NSEC_PER_SEC
#define PROBE_LEAST_NS (50 * NSEC_PER_MS) /* between probes, whatever health_check says */

static void attempt_next(struct exchange *ex, uint64_t now);

int upstreams__random16(struct upstreams *ups)
{
	if (!ups->random_left) {
		if (getrandom(ups->random, sizeof(ups->random), 0) != sizeof(ups->random))
			return -EIO;
		ups->random_left = RANDOM_IDS;
	}
	return ups->random[--ups->random_left];
}

static uint64_t earliest_end(const struct upstreams *ups)
{
	uint64_t end = UINT64_MAX;
	const struct exchange *ex;

	if (!list__empty(&ups->by_attempt)) {
		ex = list_entry(ups->by_attempt.next, struct exchange, by_attempt);
		end = ex->attempt_ns;
	}
	if (!list__empty(&ups->by_deadline)) {
		ex = list_entry(ups->by_deadline.next, struct exchange, by_deadline);
		if (ex->deadline_ns < end)
			end = ex->deadline_ns;
	}
	return end;
}

/* A timer that fires too early sets itself anew, so it is set only when there is none. */
static void timer_set(struct upstreams *ups, uint64_t now)
{
	uint64_t end = earliest_end(ups), wait_us;
	struct timeval tv;

	if (ups->timer_set || end == UINT64_MAX)
		return;
	wait_us = end > now ? (end - now) / 1000 + 1 : 1;
	tv.tv_sec = wait_us / 1000000;
	tv.tv_usec = wait_us % 1000000;
	ups->timer_set = !evtimer_add(ups->timer, &tv);
}

static void exchange_release(struct exchange *ex, bool clean)
{
	list__del(&ex->by_attempt);
	if (ex->udp)
		upstream_udp__release(ex, clean);
	if (ex->tcp)
		upstream_tcp__release(ex, clean);
}

static void exchange_unlink(struct exchange *ex)
{
	exchange_release(ex, true);
	list__del(&ex->by_deadline);
	list__del(&ex->in_conn);
	if (ex->probe || !ex->group)
		return;
	ex->group->in_flight--;
	ex->group->owner->config.stats->v[AGENT_STAT_IN_FLIGHT]--;
	ex->group = NULL;
}

static void exchange_finish(struct exchange *ex, struct answer *answer, enum admission admission)
{
	exchange_unlink(ex);
	ex->done(ex, answer, admission);
}

static void probe_start(struct upstream *upstream)
{
	struct upstreams *ups = upstream->group->owner;
	struct exchange *ex = &upstream->probe;
	uint64_t now = clock_now();

	if (upstream->probing)
		return;
	upstream->probing = true;
	upstreams_count(ups, AGENT_STAT_UPSTREAM_PROBES);
	*ex = (struct exchange){
		.qname = upstream->group->probe_name,
		.qtype = DNS_TYPE_NS,
		.done = ex->done,
		.group = upstream->group,
		.upstream = upstream,
		.started_ns = now,
		.use_tcp = upstream->group->forward->force_tcp,
		.probe = true,
	};
	attempt_next(ex, now);
}

static void probe_again_later(struct upstream *upstream)
{
	uint64_t wait_ns = upstream->group->forward->health_check_ns;
	struct timeval tv;

	if (wait_ns < PROBE_LEAST_NS)
		wait_ns = PROBE_LEAST_NS;
	tv.tv_sec = wait_ns / NSEC_PER_SEC;
	tv.tv_usec = wait_ns % NSEC_PER_SEC / 1000;
	evtimer_add(upstream->probe_timer, &tv);
}

static void on_probe_timer(evutil_socket_t fd, short what, void *arg)
{
	struct upstream *upstream = arg;
	struct exchange *ex = &upstream->probe;

	(void)fd;
	(void)what;
	if (!upstream->down)
		return;
	probe_again_later(upstream);
	if (upstream->probing) {
		if (clock_now() - ex->started_ns < PROBE_NS)
			return;
		upstreams_count(upstream->group->owner, AGENT_STAT_UPSTREAM_TIMEOUTS);
		exchange_unlink(ex);
		upstream->probing = false;
	}
	probe_start(upstream);
}

static void probe_done(struct exchange *ex, struct answer *answer, enum admission admission)
{
	struct upstream *upstream = list_entry(ex, struct upstream, probe);

	(void)admission;
	answer__free(answer);
	upstream->probing = false;
}

static void upstream_succeeded(struct upstream *upstream)
{
	struct upstreams *ups = upstream->group->owner;

	upstream->fails = 0;
	upstream->answered = true;
	ups->answered = true;
	if (!upstream->down)
		return;
	upstream->down = false;
	evtimer_del(upstream->probe_timer);
	ups->config.stats->v[AGENT_STAT_UPSTREAMS_DOWN]--;
	if (ups->config.changed)
		ups->config.changed(ups->config.ctx, upstream->addr, true);
}

/*
 * An upstream is dead: who else waits for it goes on to the next one now. First
 * taken out, then failed: a callback may start or cancel any exchange.
 */
static void upstream_abandon(struct upstream *upstream, uint64_t now)
{
	struct upstreams *ups = upstream->group->owner;
	struct list *node, *next, gone;

	list__init(&gone);
	for (node = ups->by_attempt.next; node != &ups->by_attempt; node = next) {
		struct exchange *ex = list_entry(node, struct exchange, by_attempt);

		next = node->next;
		if (ex->upstream != upstream || ex->probe ||
		    ex->attempt_ns - ups->config.read_ns + GIVE_UP_NS > now)
			continue;
		list__del(node);
		list__append(&gone, node);
	}
	while (!list__empty(&gone)) {
		struct exchange *ex = list_entry(gone.next, struct exchange, by_attempt);

		upstreams_count(ups, AGENT_STAT_UPSTREAM_TIMEOUTS);
		exchange_release(ex, true);
		attempt_next(ex, now);
	}
}

static void upstream_has_failed(struct upstream *upstream, uint64_t now)
{
	const struct corefile_forward *forward = upstream->group->forward;
	struct upstreams *ups = upstream->group->owner;

	upstream->fails++;
	if (upstream->down || !forward->max_fails || upstream->fails < forward->max_fails)
		return;
	upstream->down = true;
	ups->config.stats->v[AGENT_STAT_UPSTREAMS_DOWN]++;
	if (ups->config.changed)
		ups->config.changed(ups->config.ctx, upstream->addr, false);
	/* Not from here: the probe could fail at once, and so on. */
	event_active(upstream->probe_timer, EV_TIMEOUT, 0);
	if (upstream->group->n > 1)
		upstream_abandon(upstream, now);
}

static size_t first_choice(struct upstream_group *group)
{
	int random;

	switch (group->forward->policy) {
	case COREFILE_POLICY_SEQUENTIAL:
		return 0;
	case COREFILE_POLICY_ROUND_ROBIN:
		return group->round_robin++ % group->n;
	default:
		random = group->n > 1 ? upstreams__random16(group->owner) : 0;
		return random < 0 ? 0 : random % group->n;
	}
}

/*
 * Live ones first, each once; then the live ones again, until time is up; and
 * only where all others refused, those that are taken for dead. Who caused a
 * network error is not asked again: it said no.
 */
static struct upstream *choose(struct exchange *ex)
{
	struct upstream_group *group = ex->group;
	struct upstream *live = NULL, *dead = NULL, *dead_again = NULL;

	for (size_t k = 0; k < group->n; k++) {
		size_t i = (ex->next + k) % group->n;
		struct upstream *upstream = &group->list[i];

		if (ex->errored >> i & 1)
			continue;
		if (!upstream->down && !(ex->tried >> i & 1))
			return upstream;
		if (!upstream->down)
			live = live ? live : upstream;
		else if (!(ex->tried >> i & 1))
			dead = dead ? dead : upstream;
		else
			dead_again = dead_again ? dead_again : upstream;
	}
	if (live) {
		ex->tried = 0;
		return live;
	}
	return dead ? dead : dead_again;
}

static int attempt_send(struct exchange *ex, uint64_t now)
{
	struct upstreams *ups = ex->group->owner;
	int ret;

	upstreams_count(ups, ex->use_tcp ? AGENT_STAT_UPSTREAM_TCP : AGENT_STAT_UPSTREAM_UDP);
	ret = ex->use_tcp ? upstream_tcp__send(ex) : upstream_udp__send(ex);
	if (ret)
		return ret;
	ex->attempt_ns = now + ups->config.read_ns;
	list__append(&ups->by_attempt, &ex->by_attempt);
	timer_set(ups, now);
	return 0;
}

/* Out of descriptors or memory is our trouble, not the upstream's. */
static bool own_fault(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS ||
	       error == -EIO;
}

static void attempt_next(struct exchange *ex, uint64_t now)
{
	struct upstreams *ups = ex->group->owner;

	for (;;) {
		int ret;

		if (!ex->probe) {
			struct upstream *upstream = choose(ex);
			size_t i;

			if (!upstream)
				break;
			i = upstream - ex->group->list;
			ex->upstream = upstream;
			ex->tried |= 1u << i;
			ex->next = (i + 1) % ex->group->n;
		}
		ret = attempt_send(ex, now);
		if (!ret)
			return;
		upstreams_count(ups, AGENT_STAT_UPSTREAM_ERRORS);
		if (own_fault(ret))
			break;
		ex->errored |= 1u << (ex->upstream - ex->group->list);
		upstream_has_failed(ex->upstream, now);
		if (ex->probe)
			break;
	}
	exchange_finish(ex, NULL, ADMIT_PASS);
}

void upstream__failed(struct exchange *ex, int error)
{
	struct upstream *upstream = ex->upstream;
	uint64_t now = clock_now();

	upstreams_count(ex->group->owner, AGENT_STAT_UPSTREAM_ERRORS);
	exchange_release(ex, false);
	ex->errored |= 1u << (upstream - ex->group->list);
	/* A malformed answer is an answer: the upstream lives. */
	if (error != -EBADMSG && !own_fault(error))
		upstream_has_failed(upstream, now);
	if (ex->probe)
		exchange_finish(ex, NULL, ADMIT_PASS);
	else
		attempt_next(ex, now);
}

void upstream__again(struct exchange *ex)
{
	int ret;

	ex->again = true;
	exchange_release(ex, true);
	ret = attempt_send(ex, clock_now());
	if (ret)
		upstream__failed(ex, ret);
}

static void attempt_timed_out(struct exchange *ex, uint64_t now)
{
	struct upstream *upstream = ex->upstream;
	bool over = ex->probe || now >= ex->deadline_ns;

	upstreams_count(ex->group->owner, AGENT_STAT_UPSTREAM_TIMEOUTS);
	exchange_release(ex, false);
	if (over)
		exchange_finish(ex, NULL, ADMIT_PASS);
	else
		attempt_next(ex, now);
	/* Last: this may move other exchanges on, but never this one, which is not at it. */
	upstream_has_failed(upstream, now);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct upstreams *ups = arg;
	uint64_t now = clock_now();
	struct exchange *ex;

	(void)fd;
	(void)what;
	ups->timer_set = false;
	while (!list__empty(&ups->by_deadline)) {
		ex = list_entry(ups->by_deadline.next, struct exchange, by_deadline);
		if (ex->deadline_ns > now)
			break;
		attempt_timed_out(ex, now);
	}
	while (!list__empty(&ups->by_attempt)) {
		ex = list_entry(ups->by_attempt.next, struct exchange, by_attempt);
		if (ex->attempt_ns > now)
			break;
		attempt_timed_out(ex, now);
	}
	timer_set(ups, now);
}

/* Is the question in @msg ours? Only asked of malformed messages. */
static bool question_ours(const struct exchange *ex, const uint8_t *msg, size_t len)
{
	struct dns_name name = { .len = 0 };
	struct dns_cursor cur;
	uint16_t type, class;

	if ((msg[4] << 8 | msg[5]) != 1)
		return false;
	dns_cursor__init(&cur, msg, len);
	cur.at = DNS_HEADER;
	dns_cursor__name(&cur, &name);
	type = dns_cursor__u16(&cur);
	class = dns_cursor__u16(&cur);
	return !cur.error && type == ex->qtype && class == DNS_CLASS_IN &&
	       dns_name__equal(&name, &ex->qname);
}

static void received_truncated(struct exchange *ex)
{
	uint64_t now = clock_now();
	int ret;

	upstreams_count(ex->group->owner, AGENT_STAT_UPSTREAM_TRUNCATED);
	if (ex->use_tcp) {
		upstream__failed(ex, -EBADMSG);
		return;
	}
	exchange_release(ex, true);
	ex->use_tcp = true;
	ret = attempt_send(ex, now);
	if (ret)
		upstream__failed(ex, ret);
}

bool upstream__received(struct exchange *ex, const uint8_t *msg, size_t len)
{
	struct upstreams *ups = ex->group->owner;
	enum admission admission = ADMIT_DROP;
	struct answer *answer = NULL;
	int ret;

	if (len < DNS_HEADER || (msg[0] << 8 | msg[1]) != ex->id || !(msg[2] & 0x80)) {
		upstreams_count(ups, AGENT_STAT_UPSTREAM_MISMATCHES);
		return false;
	}
	if (ex->probe) {
		/* Whatever it says, it answers. */
		upstream_succeeded(ex->upstream);
		exchange_finish(ex, NULL, ADMIT_PASS);
		return true;
	}
	ret = answer__decode(msg, len, &ex->qname, ex->qtype, ex->key_flags, &admission, &answer);
	if (ret == -EBADMSG && !question_ours(ex, msg, len))
		ret = 0;
	if (!ret && admission == ADMIT_DROP) {
		upstreams_count(ups, AGENT_STAT_UPSTREAM_MISMATCHES);
		return false;
	}
	if (ret) {
		upstream__failed(ex, -EBADMSG);
		return true;
	}
	upstream_succeeded(ex->upstream);
	if (admission == ADMIT_TRUNCATED)
		received_truncated(ex);
	else
		exchange_finish(ex, answer, admission);
	return true;
}

int exchange__start(struct upstream_group *group, struct exchange *ex, uint64_t now)
{
	struct upstreams *ups = group->owner;

	if (group->forward->max_concurrent && group->in_flight >= group->forward->max_concurrent)
		return -EBUSY;
	upstreams_count(ups, AGENT_STAT_EXCHANGES);
	ups->config.stats->v[AGENT_STAT_IN_FLIGHT]++;
	group->in_flight++;
	ex->group = group;
	ex->deadline_ns = now + ups->config.deadline_ns;
	ex->tried = ex->errored = 0;
	ex->udp = NULL;
	ex->tcp = NULL;
	ex->use_tcp = group->forward->force_tcp;
	ex->again = ex->probe = false;
	ex->next = first_choice(group);
	list__init(&ex->by_attempt);
	list__init(&ex->in_conn);
	list__append(&ups->by_deadline, &ex->by_deadline);
	attempt_next(ex, now);
	return 0;
}

void exchange__cancel(struct exchange *ex)
{
	exchange_unlink(ex);
}

static void on_upkeep(evutil_socket_t fd, short what, void *arg)
{
	struct upstreams *ups = arg;
	uint64_t now = clock_now();

	(void)fd;
	(void)what;
	upstream_udp__close_idle(ups, IDLE_SOCKET_S);
	for (struct upstream_group *group = ups->groups; group; group = group->next) {
		uint64_t expire = group->forward->expire_ns;

		for (size_t i = 0; i < group->n; i++)
			upstream_tcp__close_idle(&group->list[i], now > expire ? now - expire : 0);
	}
}

bool upstreams__answered(const struct upstreams *ups)
{
	return ups->answered;
}

void upstreams__probe(struct upstreams *ups)
{
	for (struct upstream_group *group = ups->groups; group; group = group->next) {
		for (size_t i = 0; i < group->n; i++) {
			if (!group->list[i].answered)
				probe_start(&group->list[i]);
		}
	}
}

int upstreams__open(const struct upstreams_config *config, struct upstreams **out)
{
	static const struct timeval second = { 1, 0 };
	struct upstreams *ups = calloc(1, sizeof(*ups));

	if (!ups)
		return -ENOMEM;
	ups->config = *config;
	list__init(&ups->by_deadline);
	list__init(&ups->by_attempt);
	list__init(&ups->udp_idle[0]);
	list__init(&ups->udp_idle[1]);
	ups->timer = evtimer_new(config->base, on_timer, ups);
	ups->upkeep = event_new(config->base, -1, EV_PERSIST, on_upkeep, ups);
	if (!ups->timer || !ups->upkeep || evtimer_add(ups->upkeep, &second)) {
		upstreams__close(ups);
		return -ENOMEM;
	}
	*out = ups;
	return 0;
}

static void group_close(struct upstream_group *group)
{
	for (size_t i = 0; i < group->n; i++) {
		struct upstream *upstream = &group->list[i];

		if (upstream->probing)
			exchange_unlink(&upstream->probe);
		if (upstream->probe_timer)
			event_free(upstream->probe_timer);
		upstream_tcp__close_idle(upstream, UINT64_MAX);
	}
	free(group);
}

void upstreams__close(struct upstreams *ups)
{
	if (!ups)
		return;
	while (ups->groups) {
		struct upstream_group *group = ups->groups;

		ups->groups = group->next;
		group_close(group);
	}
	upstream_udp__close_idle(ups, 0);
	if (ups->timer)
		event_free(ups->timer);
	if (ups->upkeep)
		event_free(ups->upkeep);
	free(ups);
}

int upstream_group__open(struct upstreams *ups, const struct corefile_forward *forward,
			 struct upstream_group **out)
{
	size_t n = forward->upstreams_len;
	struct upstream_group *group = calloc(1, sizeof(*group) + n * sizeof(group->list[0]));

	if (!group)
		return -ENOMEM;
	group->owner = ups;
	group->forward = forward;
	group->n = n;
	group->probe_name.len = forward->health_check_domain.wire_len;
	memcpy(group->probe_name.wire, forward->health_check_domain.wire, group->probe_name.len);
	if (!group->probe_name.len)
		group->probe_name.len = 1; /* the root */
	for (size_t i = 0; i < n; i++) {
		struct upstream *upstream = &group->list[i];

		upstream->group = group;
		upstream->addr = &forward->upstreams[i];
		upstream->addr_len = upstream->addr->ss_family == AF_INET ?
					     sizeof(struct sockaddr_in) :
					     sizeof(struct sockaddr_in6);
		upstream->probe.done = probe_done;
		list__init(&upstream->conns);
		upstream->probe_timer = evtimer_new(ups->config.base, on_probe_timer, upstream);
		if (!upstream->probe_timer) {
			group_close(group);
			return -ENOMEM;
		}
	}
	group->next = ups->groups;
	ups->groups = group;
	*out = group;
	return 0;
}
