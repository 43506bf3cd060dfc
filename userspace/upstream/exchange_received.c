// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What comes back from upstreams, and what counts as an answer.
 * Contract: upstream.h.
 */
#include <errno.h>
#include <string.h>

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

static void set_part(struct exchange *ex, struct answer *part, enum verdict verdict)
{
	answer__free(ex->part);
	ex->part = part;
	ex->part_verdict = verdict;
}

/* Over UDP: the whole is asked for over TCP. @part, which may be NULL, is kept for want of it. */
static void received_truncated(struct attempt *attempt, struct answer *part, enum verdict verdict,
			       uint64_t now)
{
	struct upstream *upstream = attempt->upstream;
	struct exchange *ex = attempt->exchange;
	struct attempt how = { .edns = attempt->edns };

	upstreams_count(exchange_owner(ex), AGENT_STAT_UPSTREAM_TRUNCATED);
	if (part)
		set_part(ex, part, verdict);
	if (attempt->tcp) {
		attempt_failed(attempt, -EBADMSG);
		return;
	}
	for (int i = 0; i < EXCHANGE_ATTEMPTS; i++)
		attempt_release(&ex->attempts[i], true);
	list__del(&ex->by_resend);
	ex->use_tcp = true;
	attempt_once_more(ex, upstream, how, now);
}

/* No question, no records before the additional section. */
static bool header_alone(const uint8_t *msg)
{
	static const uint8_t none[6];

	return !(msg[2] & DNS_OPCODE >> 8) && !memcmp(msg + 4, none, sizeof(none));
}

/* The OPT of a reply, which tells that EDNS is known there; RFC 6891, 7. */
static bool find_opt(const uint8_t *msg, size_t len, struct dns_rr *rr)
{
	unsigned int n = (msg[6] << 8 | msg[7]) + (msg[8] << 8 | msg[9]) + (msg[10] << 8 | msg[11]);
	struct dns_cursor cur;

	dns_cursor__records(&cur, msg, len);
	while (n-- && !cur.error) {
		dns_cursor__rr(&cur, rr);
		if (!cur.error && rr->type == DNS_TYPE_OPT)
			return true;
	}
	return false;
}

/* Whatever an upstream's health is probed with, any answer is one. */
static bool is_judged(const struct exchange *ex)
{
	return !ex->probe || ex->watch;
}

/*
 * RFC 6891, 7: FORMERR, perhaps of a header alone, or NOTIMP says that OPT is not known there,
 * BADVERS that it is known wrongly; some say SERVFAIL. 0, or the rcode.
 */
static uint16_t refuses_edns(const struct attempt *attempt, const uint8_t *msg, size_t len)
{
	const struct upstream *upstream = attempt->upstream;
	uint16_t rcode = msg[3] & DNS_RCODE;
	struct dns_rr opt;

	if (!is_judged(attempt->exchange) || attempt->edns == EDNS_NONE || upstream->tls)
		return 0;
	switch (rcode) {
	case DNS_FORMERR:
		break;
	case DNS_NOTIMP:
	case DNS_SERVFAIL:
		if (upstream_edns_proven(upstream, upstreams_now(upstream->group->owner)) ||
		    find_opt(msg, len, &opt))
			return 0;
		break;
	case DNS_NOERROR: /* only a message without an answer can say that the version is bad */
		if (msg[6] | msg[7] | msg[8] | msg[9] || !msg[11] || !find_opt(msg, len, &opt) ||
		    opt.ttl_s >> 24 << 4 != DNS_BADVERS)
			return 0;
		rcode = DNS_BADVERS;
		break;
	default:
		return 0;
	}
	return header_alone(msg) || question_ours(attempt->exchange, msg, len) ? rcode : 0;
}

static void received_no_edns(struct attempt *attempt, uint16_t rcode, uint64_t now)
{
	struct attempt how = { .edns = EDNS_NONE, .edns_refused = rcode };
	struct upstream *upstream = attempt->upstream;
	struct exchange *ex = attempt->exchange;

	attempt_release(attempt, true);
	attempt_once_more(ex, upstream, how, now);
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

/* As CoreDNS: as often as there are others. */
static bool fails_over(const struct exchange *ex, const struct answer *answer)
{
	const struct upstream_group *group = ex->group;

	return answer && ex->n_failed_over + 1u < group->n &&
	       group->forward->failover_rcodes >> (answer->flags & DNS_RCODE) & 1;
}

/* Another had to be asked besides, and answered first: no timeout of a client's, but of theirs. */
static void count_silent(struct upstream_group *group, uint32_t bits)
{
	for (unsigned int i = 0; bits; i++, bits >>= 1)
		group->list[i].numbers->v.timeouts += bits & 1;
}

static void received_answer(struct attempt *attempt, struct answer *answer, enum verdict verdict,
			    uint64_t now)
{
	const struct upstream *upstream = attempt->upstream;
	struct exchange *ex = attempt->exchange;
	struct upstream_group *group = ex->group;
	uint32_t silent;

	if (!ex->probe && fails_over(ex, answer)) {
		set_part(ex, answer, verdict);
		attempt_release(attempt, true);
		exchange_fail_over(ex, upstream, now);
		return;
	}
	silent = ex->n_open > 1 ? overtaken(ex, attempt) : 0;
	ex->asked.upstream = upstream;
	ex->asked.timed_out |= silent != 0;

	exchange_finish(ex, answer, verdict);
	count_silent(group, silent);
	upstreams_failed(group, silent);
}

static void heard(struct attempt *attempt, const uint8_t *msg, size_t len, uint64_t now)
{
	struct upstream_stats *numbers = &attempt->upstream->numbers->v;

	if (!attempt->exchange->probe)
		histogram__add(&numbers->answered[rcode__of(msg[3] & DNS_RCODE)],
			       now - attempt->sent_ns);
	upstream_edns_learn(attempt, msg, len, now);
	upstream_succeeded(attempt->upstream, attempt->sent_ns, now);
}

/* What a reply without its question says of the upstream's state, not of the name. */
static int judge_header(const struct attempt *attempt, const uint8_t *msg, enum verdict *verdict,
			struct answer **answer)
{
	const struct exchange *ex = attempt->exchange;
	uint16_t rcode = msg[3] & DNS_RCODE;

	if (msg[2] & DNS_TC >> 8) {
		*verdict = VERDICT_TRUNCATED;
		return 0;
	}
	if (rcode != DNS_SERVFAIL && rcode != DNS_NOTIMP && rcode != DNS_REFUSED &&
	    rcode != DNS_FORMERR)
		return 0;
	*answer = answer__empty(&ex->qname, ex->qtype, ex->key_flags, rcode);
	if (!*answer)
		return -ENOMEM;
	*verdict = rcode == DNS_SERVFAIL || rcode == DNS_NOTIMP ? VERDICT_SERVFAIL : VERDICT_PASS;
	return 0;
}

/* Of a message that lacks something. Over TCP that is its last word: there is no more to be had. */
static int judge_part(const struct attempt *attempt, const uint8_t *msg, size_t len, bool tc,
		      enum verdict *verdict, struct answer **answer)
{
	const struct exchange *ex = attempt->exchange;
	bool at_end = false;
	int ret = answer__salvage(msg, len, &ex->qname, ex->qtype, ex->key_flags, &at_end, verdict,
				  answer);

	if (ret || tc)
		return ret;
	return attempt->tcp && !at_end ? -EBADMSG : 0;
}

/*
 * 0 with what @msg is worth; -EBADMSG and others: an answer, but a broken one. *part: there is more
 * of it over TCP, and *answer is what there is, or NULL.
 */
static int judge(const struct attempt *attempt, const uint8_t *msg, size_t len,
		 enum verdict *verdict, struct answer **answer, bool *part)
{
	const struct exchange *ex = attempt->exchange;
	bool tc;
	int ret;

	if (header_alone(msg)) {
		ret = judge_header(attempt, msg, verdict, answer);
		*part = !ret && *verdict == VERDICT_TRUNCATED;
		return ret;
	}
	ret = answer__decode(msg, len, &ex->qname, ex->qtype, ex->key_flags, verdict, answer);
	if (ret == -EBADMSG && !question_ours(ex, msg, len))
		return 0;
	tc = !ret && *verdict == VERDICT_TRUNCATED;
	if (ret != -EBADMSG && !tc)
		return ret;
	ret = judge_part(attempt, msg, len, tc, verdict, answer);
	*part = tc || (!ret && !attempt->tcp);
	return tc ? 0 : ret;
}

static bool received(struct attempt *attempt, const uint8_t *msg, size_t len)
{
	struct exchange *ex = attempt->exchange;
	enum verdict verdict = VERDICT_DROP;
	struct answer *answer = NULL;
	bool part = false;
	uint16_t no_edns;
	uint64_t now;
	int ret = 0;

	if (len < DNS_HEADER || (msg[0] << 8 | msg[1]) != attempt->id || !(msg[2] & 0x80)) {
		upstream_dropped(ex->group);
		return false;
	}
	no_edns = refuses_edns(attempt, msg, len);
	if (is_judged(ex) && !no_edns)
		ret = judge(attempt, msg, len, &verdict, &answer, &part);
	if (ret) {
		answer__free(answer);
		attempt_failed(attempt, -EBADMSG);
		return true;
	}
	if (is_judged(ex) && !no_edns && verdict == VERDICT_DROP) {
		upstream_dropped(ex->group);
		return false;
	}
	now = upstreams_now(exchange_owner(ex));
	heard(attempt, msg, len, now);
	attempt_tell(attempt, msg, len);
	if (no_edns)
		received_no_edns(attempt, no_edns, now);
	else if (part)
		received_truncated(attempt, answer, verdict, now);
	else
		received_answer(attempt, answer, verdict, now);
	return true;
}

const struct attempt_events exchange_events = {
	.received = received,
	.failed = attempt_failed,
	.refused = attempt_refused,
	.again = attempt_again,
};
