// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Exchanges with upstreams: what is sent when, and what counts as an answer.
 * Contract: upstream.h.
 */
#include <errno.h>
#include <string.h>

#include "upstream_priv.h"

/* How long a query may be out before a second one is sent, and then each further one. */
static const uint64_t resend_after_ns[RESENDS] = {
	[RESEND_SOON] = NSEC_PER_SEC / 2,
	[RESEND_LATE] = NSEC_PER_SEC,
};

/* Once an upstream is taken for dead, who waited for it this long waits no more. */
#define GIVE_UP_NS (250 * NSEC_PER_MS)

static struct upstreams *owner(const struct exchange *ex)
{
	return ex->group->owner;
}

/* ---- timers ---- */

static uint64_t earliest_end(const struct upstreams *ups)
{
	uint64_t end = UINT64_MAX, t;

	if (!list__empty(&ups->by_deadline))
		end = list_entry(ups->by_deadline.next, struct exchange, by_deadline)->deadline_ns;
	if (!list__empty(&ups->by_end)) {
		t = list_entry(ups->by_end.next, struct attempt, by_end)->sent_ns;
		if (t + ups->config.read_ns < end)
			end = t + ups->config.read_ns;
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
static void timer_set(struct upstreams *ups, uint64_t now)
{
	uint64_t end = earliest_end(ups), wait_us;
	struct timeval tv;

	if (end >= ups->timer_ns)
		return;
	wait_us = end > now ? (end - now) / 1000 + 1 : 1;
	tv.tv_sec = wait_us / 1000000;
	tv.tv_usec = wait_us % 1000000;
	if (!evtimer_add(ups->timer, &tv))
		ups->timer_ns = end;
}

static void resend_set(struct exchange *ex, enum resend after, uint64_t now)
{
	struct upstreams *ups = owner(ex);

	ex->resend_ns = now + resend_after_ns[after];
	list__append(&ups->by_resend[after], &ex->by_resend);
}

/* The first time: soon, unless this upstream is slower than that, unknown, or taken for dead. */
static void resend_plan(struct exchange *ex, const struct upstream *upstream, uint64_t now)
{
	uint64_t usual_ns = upstream->rtt_ns + 4 * upstream->rtt_var_ns;

	list__del(&ex->by_resend);
	if (ex->probe || ex->use_tcp || upstream->down)
		return;
	if (ex->n_open == 1 && upstream->rtt_ns && usual_ns <= resend_after_ns[RESEND_SOON])
		resend_set(ex, RESEND_SOON, now);
	else if (usual_ns <= resend_after_ns[RESEND_LATE])
		resend_set(ex, RESEND_LATE, now);
}

/* ---- attempts ---- */

static void attempt_release(struct attempt *attempt, bool clean)
{
	if (!attempt->upstream)
		return;
	list__del(&attempt->by_end);
	if (attempt->udp)
		upstream_udp__release(attempt, clean);
	if (attempt->tcp)
		upstream_tcp__release(attempt, clean);
	list__del(&attempt->in_conn);
	attempt->upstream = NULL;
	attempt->exchange->n_open--;
}

static int attempt_send(struct exchange *ex, struct upstream *upstream, bool again, uint64_t now)
{
	struct upstreams *ups = owner(ex);
	struct attempt *attempt = ex->attempts;
	int ret;

	while (attempt->upstream)
		if (++attempt == ex->attempts + EXCHANGE_ATTEMPTS)
			return -ENOBUFS;
	*attempt = (struct attempt){
		.exchange = ex,
		.upstream = upstream,
		.sent_ns = now,
		.again = again,
	};
	upstreams_count(ups, ex->use_tcp ? AGENT_STAT_UPSTREAM_TCP : AGENT_STAT_UPSTREAM_UDP);
	ret = ex->use_tcp ? upstream_tcp__send(attempt) : upstream_udp__send(attempt);
	if (ret) {
		attempt->upstream = NULL;
		return ret;
	}
	ex->n_open++;
	list__append(&ups->by_end, &attempt->by_end);
	return 0;
}

void exchange_unlink(struct exchange *ex)
{
	if (!ex->group)
		return;
	for (int i = 0; i < EXCHANGE_ATTEMPTS; i++)
		attempt_release(&ex->attempts[i], true);
	list__del(&ex->by_deadline);
	list__del(&ex->by_resend);
	if (!ex->probe) {
		ex->group->in_flight--;
		owner(ex)->config.stats->v[AGENT_STAT_IN_FLIGHT]--;
	}
	ex->group = NULL;
}

static void exchange_finish(struct exchange *ex, struct answer *answer, enum admission admission)
{
	exchange_unlink(ex);
	ex->done(ex, answer, admission);
}

/* Out of descriptors or memory is our trouble, not the upstream's. */
static bool own_fault(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS ||
	       error == -EIO;
}

static void failed_all(struct upstream_group *group, uint32_t bits, uint64_t now)
{
	for (unsigned int i = 0; bits; i++, bits >>= 1) {
		if (bits & 1)
			upstream_has_failed(&group->list[i], now);
	}
}

/*
 * Ask whoever is next. Ends the exchange where nobody is left to be asked or to
 * be waited for. True: a query went out.
 */
static bool attempt_next(struct exchange *ex, uint64_t now)
{
	struct upstream_group *group = ex->group;
	struct upstream *upstream;
	uint32_t refused = 0;
	bool sent = false;

	while ((upstream = upstream_choose(ex))) {
		int ret;

		ex->tried |= 1u << upstream_index(upstream);
		ex->next = (upstream_index(upstream) + 1) % group->n;
		ret = attempt_send(ex, upstream, false, now);
		sent = !ret;
		if (sent)
			break;
		upstreams_count(group->owner, AGENT_STAT_UPSTREAM_ERRORS);
		if (own_fault(ret))
			break;
		refused |= 1u << upstream_index(upstream);
		ex->errored |= refused;
	}
	if (sent)
		resend_plan(ex, upstream, now);
	else if (!ex->n_open)
		exchange_finish(ex, NULL, ADMIT_PASS);
	failed_all(group, refused, now); /* from here on the exchange may be gone */
	return sent;
}

void attempt__failed(struct attempt *attempt, int error)
{
	struct upstream *upstream = attempt->upstream;
	struct exchange *ex = attempt->exchange;
	struct upstreams *ups = owner(ex);
	uint64_t now = clock_now();

	upstreams_count(ups, AGENT_STAT_UPSTREAM_ERRORS);
	attempt_release(attempt, false);
	ex->errored |= 1u << upstream_index(upstream);
	if (ex->probe)
		exchange_finish(ex, NULL, ADMIT_PASS);
	else if (!ex->n_open)
		attempt_next(ex, now);
	timer_set(ups, now);
	/* Last, for what it may lead to. A malformed answer is an answer: the upstream lives. */
	if (error != -EBADMSG && !own_fault(error))
		upstream_has_failed(upstream, now);
}

void attempt__again(struct attempt *attempt)
{
	struct upstream *upstream = attempt->upstream;
	struct exchange *ex = attempt->exchange;
	uint64_t now = clock_now();
	int ret;

	attempt_release(attempt, true);
	/* The place is free again, so it is this one that is used. */
	ret = attempt_send(ex, upstream, true, now);
	timer_set(upstream->group->owner, now);
	if (!ret)
		return;
	upstreams_count(owner(ex), AGENT_STAT_UPSTREAM_ERRORS);
	ex->errored |= 1u << upstream_index(upstream);
	if (ex->probe)
		exchange_finish(ex, NULL, ADMIT_PASS);
	else if (!ex->n_open)
		attempt_next(ex, now);
}

static void attempt_timed_out(struct attempt *attempt, uint64_t now)
{
	struct upstream *upstream = attempt->upstream;
	struct exchange *ex = attempt->exchange;

	upstreams_count(owner(ex), AGENT_STAT_UPSTREAM_TIMEOUTS);
	attempt_release(attempt, false);
	if (ex->probe)
		exchange_finish(ex, NULL, ADMIT_PASS);
	else if (!ex->n_open)
		attempt_next(ex, now);
	upstream_has_failed(upstream, now);
}

static void exchange_timed_out(struct exchange *ex, uint64_t now)
{
	struct upstreams *ups = owner(ex);
	struct upstream *silent = NULL;

	for (int i = 0; i < EXCHANGE_ATTEMPTS; i++) {
		struct attempt *attempt = &ex->attempts[i];

		if (!attempt->upstream)
			continue;
		upstreams_count(ups, AGENT_STAT_UPSTREAM_TIMEOUTS);
		silent = attempt->upstream;
		attempt_release(attempt, false);
	}
	exchange_finish(ex, NULL, ADMIT_PASS);
	if (silent)
		upstream_has_failed(silent, now);
}

/* Nothing came so far: one more query, from another port and perhaps to another upstream. */
static void exchange_resend(struct exchange *ex, uint64_t now)
{
	struct upstreams *ups = owner(ex);

	list__del(&ex->by_resend);
	if (ex->use_tcp || ex->n_open == EXCHANGE_ATTEMPTS)
		return;
	if (attempt_next(ex, now))
		upstreams_count(ups, AGENT_STAT_UPSTREAM_RESENT);
}

void exchanges_timer(evutil_socket_t fd, short what, void *arg)
{
	struct upstreams *ups = arg;
	uint64_t now = clock_now();

	(void)fd;
	(void)what;
	ups->timer_ns = UINT64_MAX;
	while (!list__empty(&ups->by_deadline)) {
		struct exchange *ex =
			list_entry(ups->by_deadline.next, struct exchange, by_deadline);

		if (ex->deadline_ns > now)
			break;
		exchange_timed_out(ex, now);
	}
	while (!list__empty(&ups->by_end)) {
		struct attempt *attempt = list_entry(ups->by_end.next, struct attempt, by_end);

		if (attempt->sent_ns + ups->config.read_ns > now)
			break;
		attempt_timed_out(attempt, now);
	}
	for (int i = 0; i < RESENDS; i++) {
		while (!list__empty(&ups->by_resend[i])) {
			struct exchange *ex =
				list_entry(ups->by_resend[i].next, struct exchange, by_resend);

			if (ex->resend_ns > now)
				break;
			exchange_resend(ex, now);
		}
	}
	timer_set(ups, now);
}

/*
 * An upstream is dead: who waits for nobody else goes on to the next one now.
 * First taken out, then moved on: a callback may start or cancel any exchange.
 */
void exchanges_abandon(struct upstream *upstream, uint64_t now)
{
	struct upstreams *ups = upstream->group->owner;
	struct list *node, *next, gone;

	list__init(&gone);
	for (node = ups->by_end.next; node != &ups->by_end; node = next) {
		struct attempt *attempt = list_entry(node, struct attempt, by_end);

		next = node->next;
		if (attempt->upstream != upstream || attempt->exchange->probe ||
		    attempt->sent_ns + GIVE_UP_NS > now)
			continue;
		list__del(node);
		list__append(&gone, node);
	}
	while (!list__empty(&gone)) {
		struct attempt *attempt = list_entry(gone.next, struct attempt, by_end);
		struct exchange *ex = attempt->exchange;

		upstreams_count(ups, AGENT_STAT_UPSTREAM_TIMEOUTS);
		attempt_release(attempt, true);
		if (!ex->n_open)
			attempt_next(ex, now);
	}
}

/* ---- what comes back ---- */

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

static void received_truncated(struct attempt *attempt, uint64_t now)
{
	struct upstream *upstream = attempt->upstream;
	struct exchange *ex = attempt->exchange;
	int ret;

	upstreams_count(owner(ex), AGENT_STAT_UPSTREAM_TRUNCATED);
	if (ex->use_tcp) {
		attempt__failed(attempt, -EBADMSG);
		return;
	}
	for (int i = 0; i < EXCHANGE_ATTEMPTS; i++)
		attempt_release(&ex->attempts[i], true);
	list__del(&ex->by_resend);
	ex->use_tcp = true;
	ret = attempt_send(ex, upstream, false, now);
	if (ret) {
		upstreams_count(owner(ex), AGENT_STAT_UPSTREAM_ERRORS);
		ex->errored |= 1u << upstream_index(upstream);
		attempt_next(ex, now);
	}
}

/*
 * Upstreams that were asked before the one that answered, and were silent all
 * the time: for them this counts as a failure, lest each query waits for them.
 */
static uint32_t overtaken(const struct exchange *ex, const struct attempt *winner)
{
	uint32_t bits = 0;

	for (int i = 0; i < EXCHANGE_ATTEMPTS; i++) {
		const struct attempt *attempt = &ex->attempts[i];

		if (attempt->upstream && attempt->upstream != winner->upstream &&
		    attempt->sent_ns < winner->sent_ns &&
		    attempt->upstream->heard_ns < attempt->sent_ns)
			bits |= 1u << upstream_index(attempt->upstream);
	}
	return bits;
}

static void received_answer(struct attempt *attempt, struct answer *answer,
			    enum admission admission, uint64_t now)
{
	struct exchange *ex = attempt->exchange;
	struct upstream_group *group = ex->group;
	uint32_t silent = ex->n_open > 1 ? overtaken(ex, attempt) : 0;

	exchange_finish(ex, answer, admission);
	failed_all(group, silent, now);
}

bool attempt__received(struct attempt *attempt, const uint8_t *msg, size_t len)
{
	struct exchange *ex = attempt->exchange;
	struct upstreams *ups = owner(ex);
	enum admission admission = ADMIT_DROP;
	struct answer *answer = NULL;
	uint64_t now;
	int ret = 0;

	if (len < DNS_HEADER || (msg[0] << 8 | msg[1]) != attempt->id || !(msg[2] & 0x80)) {
		upstreams_count(ups, AGENT_STAT_UPSTREAM_MISMATCHES);
		upstream_tell(ex->group, UPSTREAM_DROPPED);
		return false;
	}
	/* Whatever a probe is answered, it is answered. */
	if (!ex->probe) {
		ret = answer__decode(msg, len, &ex->qname, ex->qtype, ex->key_flags, &admission,
				     &answer);
		if (ret == -EBADMSG && !question_ours(ex, msg, len))
			ret = 0;
		if (!ret && admission == ADMIT_DROP) {
			upstreams_count(ups, AGENT_STAT_UPSTREAM_MISMATCHES);
			upstream_tell(ex->group, UPSTREAM_DROPPED);
			return false;
		}
		if (ret) {
			attempt__failed(attempt, -EBADMSG);
			return true;
		}
	}
	now = clock_now();
	upstream_succeeded(attempt->upstream, attempt->sent_ns, now);
	if (!ex->probe && admission == ADMIT_TRUNCATED)
		received_truncated(attempt, now);
	else
		received_answer(attempt, answer, admission, now);
	return true;
}

/* ---- begin and end ---- */

static void exchange_init(struct exchange *ex, struct upstream_group *group)
{
	ex->group = group;
	ex->tried = ex->errored = 0;
	ex->next = ex->n_open = 0;
	ex->use_tcp = group->forward->force_tcp;
	ex->probe = false;
	list__init(&ex->by_deadline);
	list__init(&ex->by_resend);
	for (int i = 0; i < EXCHANGE_ATTEMPTS; i++)
		ex->attempts[i].upstream = NULL;
}

int exchange__start(struct upstream_group *group, struct exchange *ex, uint64_t now)
{
	struct upstreams *ups = group->owner;

	if (group->forward->max_concurrent && group->in_flight >= group->forward->max_concurrent)
		return -EBUSY;
	upstreams_count(ups, AGENT_STAT_EXCHANGES);
	ups->config.stats->v[AGENT_STAT_IN_FLIGHT]++;
	group->in_flight++;
	exchange_init(ex, group);
	ex->deadline_ns = now + ups->config.deadline_ns;
	ex->next = upstream_first_choice(group);
	list__append(&ups->by_deadline, &ex->by_deadline);
	if (attempt_next(ex, now))
		timer_set(ups, now);
	return 0;
}

void exchange__cancel(struct exchange *ex)
{
	exchange_unlink(ex);
}

static void probe_done(struct exchange *ex, struct answer *answer, enum admission admission)
{
	struct upstream *upstream = list_entry(ex, struct upstream, probe);

	(void)admission;
	answer__free(answer);
	upstream_probe_ended(upstream);
}

void exchange_probe(struct upstream *upstream, uint64_t now)
{
	struct upstreams *ups = upstream->group->owner;
	struct exchange *ex = &upstream->probe;

	upstreams_count(ups, AGENT_STAT_UPSTREAM_PROBES);
	ex->qname = upstream->group->probe_name;
	ex->qtype = DNS_TYPE_NS;
	ex->done = probe_done;
	exchange_init(ex, upstream->group);
	ex->probe = true;
	if (attempt_send(ex, upstream, false, now)) {
		upstreams_count(ups, AGENT_STAT_UPSTREAM_ERRORS);
		exchange_finish(ex, NULL, ADMIT_PASS);
		upstream_has_failed(upstream, now);
		return;
	}
	timer_set(ups, now);
}
