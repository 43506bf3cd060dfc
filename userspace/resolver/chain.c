// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A question through the plugins of its block: rewrites, our own answers, upstreams, and what
 * becomes of an answer on the way back (rewrites, CNAMEs, dns64).
 * Contract: resolver_priv.h. Each question ends in one call of inflight_finish*().
 */
#include <string.h>

#include "plugin/cname.h"
#include "plugin/dns64.h"
#include "resolver_priv.h"

/* What was asked under another name or type becomes what was asked for. */
static void revert(struct inflight *flight, struct answer **answer, enum admission *admission)
{
	const struct question *q = &flight->question;
	struct answer *reverted = NULL;
	bool none = !*answer;

	if (!flight->rewritten || !flight->rewritten->reverts)
		return;
	/* also SERVFAIL for want of an answer may be meant by a rule */
	if (none) {
		*answer = answer__empty(&q->qname, q->qtype, q->key_flags, DNS_SERVFAIL);
		*admission = ADMIT_PASS;
	}
	if (!*answer)
		return;
	if (rewrite__revert(flight->asked->rewrite, flight->rewritten, *answer, &flight->asked_name,
			    flight->native ? DNS_TYPE_A : q->qtype,
			    q->key_flags & ~NODENS_KEY_AGENT, admission, &reverted))
		reverted = NULL;
	answer__free(*answer);
	*answer = reverted;
	if (none && inflight_failed(reverted)) {
		answer__free(reverted);
		*answer = NULL;
	}
}

/* Under another name, type or class, as rules say; false: they make nonsense of it. */
static bool rewrite(struct inflight *flight, struct plugin_query *query)
{
	struct exchange *ex = &flight->exchange;
	struct rewrite_result *result;

	rewrite_result__free(flight->rewritten);
	flight->rewritten = NULL;
	ex->options_len = 0;
	if (!flight->asked->rewrite)
		return true;
	result = flight->rewritten = rewrite__apply(flight->asked->rewrite, query);
	if (!result)
		return true;
	ex->qname = result->qname;
	ex->qtype = query->qtype = result->qtype;
	ex->options = result->options;
	ex->options_len = result->options_len;
	query->qclass = result->qclass;
	return !result->invalid;
}

/* RFC 6147, 5.5: who asks with both validates, and could not validate what was made. */
static bool validates(const struct question *q)
{
	return (q->key_flags & (NODENS_KEY_DO | NODENS_KEY_CD)) == (NODENS_KEY_DO | NODENS_KEY_CD);
}

/* True: @answer was taken, and an A record is asked for. */
static bool dns64_begin(struct inflight *flight, struct answer *answer, enum admission admission,
			uint64_t now)
{
	const struct corefile_dns64 *dns64 = &flight->sb->config->dns64;
	bool over_ipv6 = server_block__of_client(flight->sb)
				 ? flight->asker.peer.sa.sa_family == AF_INET6
				 : flight->question.key_flags & NODENS_KEY_AGENT;
	bool serves = dns64->allow_ipv4 || over_ipv6;

	if (!dns64->enabled || !serves || flight->question.qtype != DNS_TYPE_AAAA ||
	    flight->native || !answer || validates(&flight->question) ||
	    !dns64__wants(dns64, answer))
		return false;
	flight->native = answer;
	flight->native_admission = admission;
	inflight_ask(flight, DNS_TYPE_A, now);
	return true;
}

/* Of the A answer that was asked for: the AAAA answer made from it, or the native one. */
static void dns64_end(struct inflight *flight, struct answer **answer, enum admission *admission)
{
	const struct question *q = &flight->question;
	struct answer *made = NULL;

	if (!inflight_failed(*answer) &&
	    !dns64__synthesize(&flight->sb->config->dns64, *answer, flight->native, &q->qname,
			       q->key_flags & ~NODENS_KEY_AGENT, &made)) {
		*admission = ADMIT_POSITIVE;
	} else {
		made = flight->native;
		flight->native = NULL;
		*admission = flight->native_admission;
	}
	answer__free(*answer);
	*answer = made;
}

static void ask_name(struct inflight *flight, struct server_block *sb, const struct dns_name *name,
		     uint16_t qtype, uint64_t now);

/* @then is the answer for the target of flight->cname; *answer becomes both, or NULL. */
static void cname_end(struct inflight *flight, const struct answer *then, struct answer **answer,
		      enum admission *admission)
{
	struct answer *joined = NULL;

	if (then && cname__join(flight->cname, then, admission, &joined))
		joined = NULL;
	answer__free(flight->cname);
	flight->cname = NULL;
	*answer = joined;
}

/*
 * A template's CNAME is followed, as CoreDNS does: a stub resolver would not. True: *answer was
 * taken, and the target is asked for; else it is whole.
 */
static bool cname_begin(struct inflight *flight, struct answer **answer, enum admission *admission,
			uint64_t now)
{
	struct resolver *resolver = flight->resolver;
	const struct corefile *cf = resolver->config.corefile;
	const struct corefile_block *block;
	const struct answer *cached = NULL;
	struct dns_name target;
	struct answer live;
	uint32_t ttl_s;

	if (!*answer || flight->n_cnames == CNAME_MAX || !cname__target(*answer, &target))
		return false;
	block = corefile__block_for(cf, target.wire, target.len);
	if (!block)
		return false;
	flight->n_cnames++;
	flight->cname = *answer;
	if (resolver->config.store)
		cached = store__get(resolver->config.store, &target, (*answer)->qtype,
				    (*answer)->key_flags, now, &ttl_s);
	if (!cached) {
		ask_name(flight, &resolver->blocks[block - cf->blocks], &target, (*answer)->qtype,
			 now);
		return true;
	}
	live = *cached;
	live.ttl_s = ttl_s;
	cname_end(flight, &live, answer, admission);
	return false;
}

static void answered(struct inflight *flight, struct answer *answer, enum admission admission,
		     const struct server_block_answer *local, uint64_t now)
{
	static const struct server_block_answer by_template = { .plugin = PLUGIN_TEMPLATE };
	struct answer *then;

	revert(flight, &answer, &admission);
	if (flight->cname) {
		then = answer;
		cname_end(flight, then, &answer, &admission);
		answer__free(then);
		if (!local || local->exact)
			local = &by_template;
	}
	if (local && !local->exact && cname_begin(flight, &answer, &admission, now))
		return;
	if (flight->native)
		dns64_end(flight, &answer, &admission);
	else if (dns64_begin(flight, answer, admission, now))
		return;
	inflight_finish(flight, answer, admission, local, now);
}

static void exchanged(struct exchange *exchange, struct answer *answer, enum admission admission);

/* The forward that has not been asked: the longest FROM at first, then the others in file order. */
static const struct corefile_forward *next_forward(struct inflight *flight)
{
	const struct corefile_block *block = flight->asked->config;
	const struct dns_name *name = &flight->exchange.qname;
	const struct corefile_forward *forward;

	if (!flight->forward)
		return corefile__forward_for(block, name->wire, name->len);
	for (size_t i = 0; i < block->forwards_len && i < 64; i++) {
		forward = &block->forwards[i];
		if (!(flight->forwards_asked >> i & 1) &&
		    corefile__forward_takes(forward, name->wire, name->len))
			return forward;
	}
	return NULL;
}

static void inflight_forward(struct inflight *flight, uint64_t now)
{
	const struct corefile_block *block = flight->asked->config;
	const struct corefile_forward *forward = next_forward(flight);
	size_t index = forward ? forward - block->forwards : 0;

	if (!forward && block->whoami) {
		inflight_finish_whoami(flight);
		return;
	}
	if (!forward) {
		inflight_finish_rcode(flight, DNS_SERVFAIL, "no plugin of the block answers");
		return;
	}
	flight->exchange.once = resolver_unanswered_lately(flight, now);
	flight->forward = forward;
	flight->forwards_asked |= 1ull << (index & 63);
	if (exchange__start(flight->asked->groups[index], &flight->exchange, now))
		inflight_finish_rcode(flight, DNS_REFUSED, flight->exchange.error);
}

static bool wants_next(const struct corefile_forward *forward, const struct answer *answer)
{
	uint16_t rcode = answer->flags & DNS_RCODE;

	return forward->next_rcodes >> rcode & 1 ||
	       (forward->next_on_nodata && rcode == DNS_NOERROR &&
		!answer->count[DNS_ANSWER_SECTION]);
}

static void exchanged(struct exchange *exchange, struct answer *answer, enum admission admission)
{
	struct inflight *flight = (struct inflight *)exchange;
	uint64_t now = resolver_now(flight->resolver);

	if (answer && wants_next(flight->forward, answer) && next_forward(flight)) {
		answer__free(answer);
		inflight_forward(flight, now);
		return;
	}
	answered(flight, answer, admission, NULL, now);
}

_Static_assert(offsetof(struct inflight, exchange) == 0, "exchanged() casts");

static enum admission admission_of(const struct answer *answer)
{
	return (answer->flags & DNS_RCODE) == DNS_NOERROR && answer->count[DNS_ANSWER_SECTION]
		       ? ADMIT_POSITIVE
		       : ADMIT_NEGATIVE;
}

/* From the first plugin of the block on. */
static void ask_name(struct inflight *flight, struct server_block *sb, const struct dns_name *name,
		     uint16_t qtype, uint64_t now)
{
	struct exchange *ex = &flight->exchange;
	struct server_block_answer local;
	enum plugin_result result;
	const struct client *asker = &flight->asker;
	struct plugin_client client = { &asker->peer.sa, &asker->local.sa, asker->tcp };
	struct plugin_query query = {
		.qname = &ex->qname,
		.qtype = qtype,
		.qclass = DNS_CLASS_IN,
		.key_flags = flight->question.key_flags & ~NODENS_KEY_AGENT,
		.client = asker->peer.sa.sa_family != AF_UNSPEC ? &client : NULL,
	};

	flight->asked = sb;
	flight->asked_name = ex->qname = *name;
	ex->qtype = qtype;
	ex->key_flags = query.key_flags;
	ex->done = exchanged;
	flight->forward = NULL;
	flight->forwards_asked = 0;
	if (!rewrite(flight, &query)) {
		inflight_finish_rcode(flight, DNS_SERVFAIL, "rewrite: the new name is none");
		return;
	}
	result = server_block__answer(sb, &query, &local);
	if (!flight->cname)
		flight->ede = local.ede;
	switch (result) {
	case PLUGIN_ANSWER:
		answered(flight, local.answer, admission_of(local.answer), &local, now);
		return;
	case PLUGIN_SERVFAIL:
		inflight_finish_rcode(flight, DNS_SERVFAIL, local.error);
		return;
	default:
		break;
	}
	/* upstreams are asked for class IN alone */
	if (query.qclass != DNS_CLASS_IN)
		inflight_finish_rcode(flight, DNS_REFUSED, "rewrite: no upstream for this class");
	else
		inflight_forward(flight, now);
}

/* For the question or, with dns64, its A records. */
void inflight_ask(struct inflight *flight, uint16_t qtype, uint64_t now)
{
	ask_name(flight, flight->sb, &flight->question.qname, qtype, now);
}
