// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Exchanges with upstreams: what is sent when, to whom, until when.
 * Contract: upstream.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "upstream_priv.h"

/* Once an upstream is taken for dead, who waited for it this long waits no more. */
#define GIVE_UP_NS (250 * NSEC_PER_MS)

/* ---- attempts ---- */

void attempt_reason(struct attempt *attempt, int error)
{
	attempt->exchange->silent &= error == -ETIMEDOUT;
	if (attempt->tcp)
		upstream_tcp_reason(attempt, error);
	else if (attempt->udp)
		upstream_reason(attempt->upstream, "udp", upstream_udp_fd(attempt), error);
	memcpy(attempt->exchange->error, attempt->upstream->reason,
	       sizeof(attempt->exchange->error));
}

void attempt_release(struct attempt *attempt, bool clean)
{
	if (!attempt->upstream)
		return;
	if (attempt->udp || attempt->tcp)
		attempt_tell(attempt, NULL, 0);
	list__del(&attempt->by_end);
	if (attempt->udp)
		upstream_udp_release(attempt, clean);
	if (attempt->tcp)
		upstream_tcp_release(attempt, clean);
	list__del(&attempt->in_conn);
	attempt->upstream = NULL;
	attempt->exchange->n_open--;
}

/*
 * Room for an attempt, or NULL. The last one that seems to be refused makes way: those before it
 * are waited for, in case that was forged.
 */
static struct attempt *attempt_place(struct exchange *ex)
{
	struct attempt *last = NULL;

	for (int i = 0; i < EXCHANGE_ATTEMPTS; i++) {
		struct attempt *attempt = &ex->attempts[i];

		if (!attempt->upstream)
			return attempt;
		if (attempt->refused && (!last || attempt->sent_ns >= last->sent_ns))
			last = attempt;
	}
	if (last)
		attempt_release(last, true);
	return last;
}

/* @how: again, edns where it is not what the upstream is asked with anyway, and edns_refused. */
static int attempt_send(struct exchange *ex, struct upstream *upstream, struct attempt how,
			uint64_t now)
{
	struct upstreams *ups = exchange_owner(ex);
	struct attempt *attempt = attempt_place(ex);
	bool stream = ex->use_tcp || upstream->tls;
	int ret;

	if (!attempt)
		return -ENOBUFS;
	*attempt = (struct attempt){
		.exchange = ex,
		.upstream = upstream,
		.sent_ns = now,
		.again = how.again,
		.edns = how.edns ? how.edns : upstream_edns(ex, upstream, now),
		.edns_refused = how.edns_refused,
	};
	upstreams_count(ups, stream ? AGENT_STAT_UPSTREAM_TCP : AGENT_STAT_UPSTREAM_UDP);
	ret = stream ? upstream_tcp_send(attempt) : upstream_udp_send(attempt);
	if (ret) {
		attempt_count_error(attempt);
		upstream_reason(upstream, stream ? "tcp" : "udp", -1, ret);
		attempt_reason(attempt, ret);
		attempt->upstream = NULL;
		return ret;
	}
	ex->n_open++;
	ex->asked.upstream = upstream;
	ex->asked.tries += ex->asked.tries < UINT8_MAX;
	if (!ex->probe)
		upstream->numbers->v.requests++;
	list__append(&ex->group->read->by_end, &attempt->by_end);
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
	answer__free(ex->part);
	ex->part = NULL;
	if (!ex->probe) {
		ex->group->in_flight--;
		exchange_owner(ex)->config.stats->v[AGENT_STAT_IN_FLIGHT]--;
	}
	ex->group = NULL;
}

void exchange_finish(struct exchange *ex, struct answer *answer, enum verdict verdict)
{
	if (!answer) {
		answer = ex->part;
		verdict = ex->part_verdict;
		ex->part = NULL;
	}
	exchange_unlink(ex);
	ex->done(ex, answer, verdict);
}

/* Out of descriptors or memory is our trouble, not the upstream's. */
static bool own_fault(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS ||
	       error == -EIO;
}

void upstreams_failed(struct upstream_group *group, uint32_t bits)
{
	for (unsigned int i = 0; bits; i++, bits >>= 1) {
		if (bits & 1)
			upstream_failed(&group->list[i]);
	}
}

static void probe_failed(struct exchange *ex, struct upstream *upstream)
{
	if (!ex->watch)
		upstream->numbers->v.healthcheck_failures++;
	exchange_finish(ex, NULL, VERDICT_PASS);
}

/* Whom to ask, if anybody, with what is allowed and who lives; error says why nobody. */
static struct upstream *next_upstream(struct exchange *ex)
{
	const struct corefile_forward *forward = ex->group->forward;
	struct upstream *upstream;

	if (forward->max_connect_attempts && ex->n_sent >= forward->max_connect_attempts)
		return NULL;
	/* but who refused may be back: that is no silence */
	if (ex->once && ex->n_sent >= ex->group->n && !ex->refused)
		return NULL;
	upstream = upstream_choose(ex);
	if (!upstream && !ex->error[0])
		snprintf(ex->error, sizeof(ex->error), "no healthy proxies");
	/* CoreDNS counts those that failfast turns away, too. */
	if (upstream ? upstream->down : forward->failfast && !ex->n_sent)
		upstreams_count(ex->group->owner, AGENT_STAT_HEALTHCHECK_BROKEN);
	return upstream;
}

/*
 * Ask whoever is next: who has refused in this exchange only if that is @due, else later. Ends the
 * exchange where nobody is left to be asked or to be waited for. True: a query went out.
 */
static bool attempt_next(struct exchange *ex, bool due, uint64_t now)
{
	struct upstream_group *group = ex->group;
	struct upstream *upstream;
	uint32_t refused = 0;
	bool sent = false, later = false;

	while ((upstream = next_upstream(ex))) {
		uint32_t bit = 1u << upstream_index(upstream);
		int ret;

		later = ex->refused & bit && !due;
		if (later)
			break;
		due = false;
		ex->tried |= bit;
		ex->next = (upstream_index(upstream) + 1) % group->n;
		ret = attempt_send(ex, upstream, (struct attempt){ .again = false }, now);
		ex->n_sent++;
		sent = !ret;
		if (sent || own_fault(ret))
			break;
		refused |= bit;
		ex->refused |= bit;
	}
	if (sent)
		exchange_plan_resend(ex, upstream, now);
	else if (later && !ex->part) /* which is worth more than what may come */
		exchange_plan_retry(ex, now);
	else if (later || !ex->n_open)
		exchange_finish(ex, NULL, VERDICT_PASS);
	upstreams_failed(group, refused);
	return sent;
}

/*
 * An answer of @upstream came that another one is to be preferred to, if there is one: where nobody
 * else lives, this is the answer, and who gave it is not asked again for a better one.
 */
void exchange_fail_over(struct exchange *ex, const struct upstream *upstream, uint64_t now)
{
	ex->n_failed_over++;
	ex->refused |= 1u << upstream_index(upstream);
	if (exchange_waited_for(ex))
		return;
	if (!exchange_has_another(ex, upstream))
		exchange_finish(ex, NULL, VERDICT_PASS);
	else if (attempt_next(ex, false, now))
		upstreams_schedule(exchange_owner(ex));
}

/* One attempt less, or one of which little is to be hoped for. */
static void go_on(struct exchange *ex, uint64_t now)
{
	if (!exchange_waited_for(ex))
		attempt_next(ex, false, now);
}

/* The same upstream once more, for a reason of its own; if that fails, the next one. */
void attempt_once_more(struct exchange *ex, struct upstream *upstream, struct attempt how,
		       uint64_t now)
{
	/* What is sent now replaces what is over: the place is free. */
	if (!attempt_send(ex, upstream, how, now)) {
		upstreams_schedule(exchange_owner(ex));
		return;
	}
	ex->refused |= 1u << upstream_index(upstream);
	if (ex->probe)
		probe_failed(ex, upstream);
	else
		go_on(ex, now);
}

/* What it will say the next time, too: a malformed message, a certificate that does not do. */
static bool lasting(int error)
{
	return error == -EBADMSG || error == -EPROTO;
}

void attempt_failed(struct attempt *attempt, int error)
{
	struct upstream *upstream = attempt->upstream;
	struct exchange *ex = attempt->exchange;
	struct upstreams *ups = exchange_owner(ex);
	uint32_t bit = 1u << upstream_index(upstream);
	uint64_t now = upstreams_now(ups);
	bool watch = ex->watch;

	attempt_count_error(attempt);
	attempt_reason(attempt, error);
	attempt_release(attempt, false);
	ex->refused |= bit;
	if (lasting(error))
		ex->barred |= bit;
	if (ex->probe)
		probe_failed(ex, upstream);
	else
		go_on(ex, now);
	upstreams_schedule(ups);
	/* A malformed answer is an answer: the upstream lives. */
	if (error != -EBADMSG && !own_fault(error) && !watch)
		upstream_failed(upstream);
}

void attempt_refused(struct attempt *attempt, int error)
{
	struct exchange *ex = attempt->exchange;
	struct upstreams *ups = exchange_owner(ex);
	uint64_t now = upstreams_now(ups);

	attempt_count_error(attempt);
	if (attempt->refused)
		return;
	attempt->refused = error;
	attempt_reason(attempt, error);
	ex->refused |= 1u << upstream_index(attempt->upstream);
	if (ex->probe)
		return; /* it ends with its time, or makes way for the next one */
	go_on(ex, now);
	upstreams_schedule(ups);
}

void attempt_again(struct attempt *attempt)
{
	struct upstream *upstream = attempt->upstream;
	struct exchange *ex = attempt->exchange;
	struct attempt how = { .again = true, .edns = attempt->edns };

	attempt_release(attempt, true);
	attempt_once_more(ex, upstream, how, upstreams_now(exchange_owner(ex)));
}

static void attempt_timed_out(struct attempt *attempt, uint64_t now)
{
	struct upstream *upstream = attempt->upstream;
	struct exchange *ex = attempt->exchange;
	bool watch = ex->watch;

	attempt_count_timeout(attempt);
	ex->asked.timed_out = true;
	attempt_reason(attempt, attempt->refused ? attempt->refused : -ETIMEDOUT);
	attempt_release(attempt, false);
	ex->n_timed_out += !ex->use_tcp && !upstream->tls;
	if (ex->part) /* for that it is not asked again */
		ex->refused |= 1u << upstream_index(upstream);
	if (ex->probe)
		probe_failed(ex, upstream);
	else
		go_on(ex, now);
	if (!watch)
		upstream_failed(upstream);
}

static void exchange_timed_out(struct exchange *ex)
{
	struct upstream *silent = NULL;

	for (int i = 0; i < EXCHANGE_ATTEMPTS; i++) {
		struct attempt *attempt = &ex->attempts[i];

		if (!attempt->upstream)
			continue;
		attempt_count_timeout(attempt);
		ex->asked.timed_out = true;
		silent = attempt->upstream;
		attempt_reason(attempt, attempt->refused ? attempt->refused : -ETIMEDOUT);
		attempt_release(attempt, false);
	}
	exchange_finish(ex, NULL, VERDICT_PASS);
	if (silent)
		upstream_failed(silent);
}

/* Besides the next one: else who drops queries with OPT would be taken for dead. */
static bool ask_without_opt(struct exchange *ex, uint64_t now)
{
	const struct upstream *upstream = upstream_edns_doubted(ex, now);
	struct attempt how = { .edns = EDNS_NONE };

	return upstream && !ex->group->forward->max_connect_attempts &&
	       !attempt_send(ex, &ex->group->list[upstream_index(upstream)], how, now);
}

/* Nothing came so far: one more query, from another port and perhaps to another upstream. */
static void exchange_resend(struct exchange *ex, uint64_t now)
{
	struct upstreams *ups = exchange_owner(ex);
	bool sent;

	list__del(&ex->by_resend);
	if (exchange_waited_for(ex) == EXCHANGE_ATTEMPTS)
		return;
	sent = ex->group->n > 1 && ask_without_opt(ex, now);
	/* who has had his say is not asked again while another one has his time */
	if (!ex->part || exchange_has_another(ex, NULL))
		sent |= attempt_next(ex, true, now);
	if (sent)
		upstreams_count(ups, AGENT_STAT_UPSTREAM_RESENT);
}

void exchanges_timer(void *arg, uint64_t now)
{
	struct upstreams *ups = arg;

	while (!list__empty(&ups->by_deadline)) {
		struct exchange *ex =
			list_entry(ups->by_deadline.next, struct exchange, by_deadline);

		if (ex->deadline_ns > now)
			break;
		exchange_timed_out(ex);
	}
	for (struct read_class *read = ups->reads; read; read = read->next) {
		while (!list__empty(&read->by_end)) {
			struct attempt *attempt =
				list_entry(read->by_end.next, struct attempt, by_end);

			if (attempt->sent_ns + read->read_ns > now)
				break;
			attempt_timed_out(attempt, now);
		}
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
	upstreams_schedule(ups);
}

/*
 * An upstream is dead: who waits for nobody else goes on to the next one now.
 * First taken out, then moved on: a callback may start or cancel any exchange.
 */
void exchanges_abandon(struct upstream *upstream, uint64_t now)
{
	struct list *by_end = &upstream->group->read->by_end;
	struct list *node, *next, gone;

	list__init(&gone);
	for (node = by_end->next; node != by_end; node = next) {
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

		attempt_count_timeout(attempt);
		ex->asked.timed_out = true;
		attempt_reason(attempt, attempt->refused ? attempt->refused : -ETIMEDOUT);
		attempt_release(attempt, true);
		go_on(ex, now);
	}
}

/* ---- begin and end ---- */

static void exchange_init(struct exchange *ex, struct upstream_group *group)
{
	ex->group = group;
	ex->tried = ex->refused = ex->barred = 0;
	ex->next = ex->n_open = ex->n_refused = ex->n_timed_out = ex->n_failed_over = 0;
	ex->n_sent = 0;
	ex->error[0] = '\0';
	ex->silent = true;
	ex->use_tcp = group->forward->force_tcp;
	ex->part = NULL;
	ex->probe = ex->watch = false;
	list__init(&ex->by_deadline);
	list__init(&ex->by_resend);
	for (int i = 0; i < EXCHANGE_ATTEMPTS; i++)
		ex->attempts[i].upstream = NULL;
}

int exchange__start(struct upstream_group *group, struct exchange *ex, uint64_t now)
{
	struct upstreams *ups = group->owner;

	if (group->forward->max_concurrent && group->in_flight >= group->forward->max_concurrent) {
		upstreams_count(ups, AGENT_STAT_MAX_CONCURRENT);
		snprintf(ex->error, sizeof(ex->error), "concurrent queries exceeded maximum %u",
			 group->forward->max_concurrent);
		return -EBUSY;
	}
	upstreams_count(ups, AGENT_STAT_EXCHANGES);
	ups->config.stats->v[AGENT_STAT_IN_FLIGHT]++;
	group->in_flight++;
	exchange_init(ex, group);
	ex->deadline_ns = now + ups->config.deadline_ns;
	ex->next = upstream_first_choice(group);
	list__append(&ups->by_deadline, &ex->by_deadline);
	if (attempt_next(ex, false, now))
		upstreams_schedule(ups);
	return 0;
}

void exchange__cancel(struct exchange *ex)
{
	exchange_unlink(ex);
}

void exchange__watch(struct upstream_group *group, size_t index, struct exchange *ex, uint64_t now)
{
	struct upstream *upstream = &group->list[index];

	exchange_init(ex, group);
	ex->probe = ex->watch = true;
	if (attempt_send(ex, upstream, (struct attempt){ .again = false }, now))
		probe_failed(ex, upstream);
	else
		upstreams_schedule(group->owner);
}

void exchange_probe(struct upstream *upstream,
		    void (*done)(struct exchange *, struct answer *, enum verdict), uint64_t now)
{
	struct upstreams *ups = upstream->group->owner;
	struct exchange *ex = &upstream->probe;

	upstreams_count(ups, AGENT_STAT_UPSTREAM_PROBES);
	ex->qname = upstream->group->probe_name;
	ex->qtype = DNS_TYPE_NS;
	ex->done = done;
	exchange_init(ex, upstream->group);
	ex->probe = true;
	if (attempt_send(ex, upstream, (struct attempt){ .again = false }, now)) {
		probe_failed(ex, upstream);
		upstream_failed(upstream);
		return;
	}
	upstreams_schedule(ups);
}
