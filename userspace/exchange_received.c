// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What comes back from upstreams, and what counts as an answer.
 * Contract: upstream.h.
 */
#include <errno.h>

#include "upstream_priv.h"

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
	struct attempt how = { .plain = attempt->plain };

	upstreams_count(exchange_owner(ex), AGENT_STAT_UPSTREAM_TRUNCATED);
	if (attempt->tcp) {
		attempt__failed(attempt, -EBADMSG);
		return;
	}
	for (int i = 0; i < EXCHANGE_ATTEMPTS; i++)
		attempt_release(&ex->attempts[i], true);
	list__del(&ex->by_resend);
	ex->use_tcp = true;
	attempt_once_more(ex, upstream, how, now);
}

/* RFC 6891, 7: FORMERR, perhaps of a header alone, says that OPT is not known there. */
static bool refuses_edns(const struct attempt *attempt, const uint8_t *msg, size_t len)
{
	if (attempt->exchange->probe || attempt->plain || (msg[3] & DNS_RCODE) != DNS_FORMERR)
		return false;
	return !(msg[4] | msg[5]) || question_ours(attempt->exchange, msg, len);
}

static void received_formerr(struct attempt *attempt, uint64_t now)
{
	struct upstream *upstream = attempt->upstream;
	struct exchange *ex = attempt->exchange;

	attempt_release(attempt, true);
	attempt_once_more(ex, upstream, (struct attempt){ .plain = true }, now);
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
	upstreams_failed(group, silent, now);
}

static void heard(struct attempt *attempt, const uint8_t *msg, uint64_t now)
{
	struct metrics_upstream *numbers = &attempt->upstream->numbers->v;

	if (!attempt->exchange->probe)
		metrics_time__add(&numbers->answered[metrics__rcode(msg[3] & DNS_RCODE)],
				  now - attempt->sent_ns);
	upstream_succeeded(attempt->upstream, attempt->sent_ns, now);
}

/* 0 with what @msg is worth; -EBADMSG and others: an answer, but a broken one. */
static int judge(const struct attempt *attempt, const uint8_t *msg, size_t len,
		 enum admission *admission, struct answer **answer)
{
	const struct exchange *ex = attempt->exchange;
	int ret = answer__decode(msg, len, &ex->qname, ex->qtype, ex->key_flags, admission, answer);

	if (ret == -EBADMSG && !question_ours(ex, msg, len))
		ret = 0;
	/* Without OPT it does not like us either. */
	if (!ret && *admission == ADMIT_DROP && (msg[3] & DNS_RCODE) == DNS_FORMERR &&
	    !(msg[4] | msg[5]))
		ret = -EBADMSG;
	return ret;
}

bool attempt__received(struct attempt *attempt, const uint8_t *msg, size_t len)
{
	struct exchange *ex = attempt->exchange;
	enum admission admission = ADMIT_DROP;
	struct answer *answer = NULL;
	bool formerr;
	uint64_t now;
	int ret = 0;

	if (len < DNS_HEADER || (msg[0] << 8 | msg[1]) != attempt->id || !(msg[2] & 0x80)) {
		upstream_dropped(ex->group);
		return false;
	}
	formerr = refuses_edns(attempt, msg, len);
	/* Whatever a probe is answered, it is answered. */
	if (!ex->probe && !formerr)
		ret = judge(attempt, msg, len, &admission, &answer);
	if (ret) {
		attempt__failed(attempt, -EBADMSG);
		return true;
	}
	if (!ex->probe && !formerr && admission == ADMIT_DROP) {
		upstream_dropped(ex->group);
		return false;
	}
	now = clock_now();
	heard(attempt, msg, now);
	if (formerr)
		received_formerr(attempt, now);
	else if (!ex->probe && admission == ADMIT_TRUNCATED)
		received_truncated(attempt, now);
	else
		received_answer(attempt, answer, admission, now);
	return true;
}
