// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A question through the plugins of its block: rewrites, our own answers, upstreams, and what
 * becomes of an answer on the way back (rewrites, aliases, dns64).
 * Contract: resolver_priv.h. Each question ends in one call of pending_finish*().
 */
#include <string.h>

#include "plugin/cname.h"
#include "plugin/dns64.h"
#include "resolver_priv.h"

/* What was asked under another name or type becomes what was asked for. */
static void revert(struct pending *pending, struct answer **answer, enum admission *admission)
{
	const struct question *q = &pending->question;
	struct answer *reverted = NULL;
	bool none = !*answer;

	if (!pending->rewritten || !pending->rewritten->reverts)
		return;
	/* also SERVFAIL for want of an answer may be meant by a rule */
	if (none) {
		*answer = answer__empty(&q->qname, q->qtype, q->key_flags, DNS_SERVFAIL);
		*admission = ADMIT_PASS;
	}
	if (!*answer)
		return;
	if (rewrite__revert(pending->asked->rewrite, pending->rewritten, *answer,
			    &pending->asked_name, pending->native ? DNS_TYPE_A : q->qtype,
			    q->key_flags & ~NODENS_KEY_AGENT, admission, &reverted))
		reverted = NULL;
	answer__free(*answer);
	*answer = reverted;
	if (none && pending_failed(reverted)) {
		answer__free(reverted);
		*answer = NULL;
	}
}

/* Under another name, type or class, as rules say; false: they make nonsense of it. */
static bool rewrite(struct pending *pending, struct local_query *query)
{
	struct exchange *ex = &pending->exchange;
	struct rewrite_result *result;

	rewrite_result__free(pending->rewritten);
	pending->rewritten = NULL;
	ex->options_len = 0;
	if (!pending->asked->rewrite)
		return true;
	result = pending->rewritten = rewrite__apply(pending->asked->rewrite, query);
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
static bool dns64_begin(struct pending *pending, struct answer *answer, enum admission admission,
			uint64_t now)
{
	const struct corefile_dns64 *dns64 = &pending->section->block->dns64;
	bool over_ipv6 = section__of_client(pending->section)
				 ? pending->asker.peer.sa.sa_family == AF_INET6
				 : pending->question.key_flags & NODENS_KEY_AGENT;
	bool serves = dns64->allow_ipv4 || over_ipv6;

	if (!dns64->enabled || !serves || pending->question.qtype != DNS_TYPE_AAAA ||
	    pending->native || !answer || validates(&pending->question) ||
	    !dns64__wants(dns64, answer))
		return false;
	pending->native = answer;
	pending->native_admission = admission;
	pending_ask(pending, DNS_TYPE_A, now);
	return true;
}

/* Of the A answer that was asked for: the AAAA answer made from it, or the native one. */
static void dns64_end(struct pending *pending, struct answer **answer, enum admission *admission)
{
	const struct question *q = &pending->question;
	struct answer *made = NULL;

	if (!pending_failed(*answer) &&
	    !dns64__synthesize(&pending->section->block->dns64, *answer, pending->native, &q->qname,
			       q->key_flags & ~NODENS_KEY_AGENT, &made)) {
		*admission = ADMIT_POSITIVE;
	} else {
		made = pending->native;
		pending->native = NULL;
		*admission = pending->native_admission;
	}
	answer__free(*answer);
	*answer = made;
}

static void ask_name(struct pending *pending, struct section *section, const struct dns_name *name,
		     uint16_t qtype, uint64_t now);

/* @then is the answer for the target of pending->alias; *answer becomes both, or NULL. */
static void alias_end(struct pending *pending, const struct answer *then, struct answer **answer,
		      enum admission *admission)
{
	struct answer *joined = NULL;

	if (then && alias__join(pending->alias, then, admission, &joined))
		joined = NULL;
	answer__free(pending->alias);
	pending->alias = NULL;
	*answer = joined;
}

/*
 * A template's CNAME is followed, as CoreDNS does: a stub resolver would not. True: *answer was
 * taken, and the target is asked for; else it is whole.
 */
static bool alias_begin(struct pending *pending, struct answer **answer, enum admission *admission,
			uint64_t now)
{
	struct resolver *resolver = pending->resolver;
	const struct corefile *cf = resolver->config.corefile;
	const struct corefile_block *block;
	const struct answer *cached = NULL;
	struct dns_name target;
	struct answer live;
	uint32_t ttl_s;

	if (!*answer || pending->n_aliases == ALIAS_MAX || !alias__target(*answer, &target))
		return false;
	block = corefile__block_for(cf, target.wire, target.len);
	if (!block)
		return false;
	pending->n_aliases++;
	pending->alias = *answer;
	if (resolver->config.store)
		cached = store__get(resolver->config.store, &target, (*answer)->qtype,
				    (*answer)->key_flags, now, &ttl_s);
	if (!cached) {
		ask_name(pending, &resolver->sections[block - cf->blocks], &target,
			 (*answer)->qtype, now);
		return true;
	}
	live = *cached;
	live.ttl_s = ttl_s;
	alias_end(pending, &live, answer, admission);
	return false;
}

static void answered(struct pending *pending, struct answer *answer, enum admission admission,
		     const struct section_answer *local, uint64_t now)
{
	static const struct section_answer by_template = { .plugin = "template" };
	struct answer *then;

	revert(pending, &answer, &admission);
	if (pending->alias) {
		then = answer;
		alias_end(pending, then, &answer, &admission);
		answer__free(then);
		if (!local || local->exact)
			local = &by_template;
	}
	if (local && !local->exact && alias_begin(pending, &answer, &admission, now))
		return;
	if (pending->native)
		dns64_end(pending, &answer, &admission);
	else if (dns64_begin(pending, answer, admission, now))
		return;
	pending_finish(pending, answer, admission, local, now);
}

static void exchanged(struct exchange *exchange, struct answer *answer, enum admission admission);

/* The forward that has not been asked: the longest FROM at first, then the others in file order. */
static const struct corefile_forward *next_forward(struct pending *pending)
{
	const struct corefile_block *block = pending->asked->block;
	const struct dns_name *name = &pending->exchange.qname;
	const struct corefile_forward *forward;

	if (!pending->forward)
		return corefile__forward_for(block, name->wire, name->len);
	for (size_t i = 0; i < block->forwards_len && i < 64; i++) {
		forward = &block->forwards[i];
		if (!(pending->forwards_asked >> i & 1) &&
		    corefile__forward_takes(forward, name->wire, name->len))
			return forward;
	}
	return NULL;
}

static void pending_forward(struct pending *pending, uint64_t now)
{
	const struct corefile_block *block = pending->asked->block;
	const struct corefile_forward *forward = next_forward(pending);
	size_t index = forward ? forward - block->forwards : 0;

	if (!forward && block->whoami) {
		pending_finish_whoami(pending);
		return;
	}
	if (!forward) {
		pending_finish_rcode(pending, DNS_SERVFAIL, "no plugin of the block answers");
		return;
	}
	pending->exchange.once = resolver_unanswered_lately(pending, now);
	pending->forward = forward;
	pending->forwards_asked |= 1ull << (index & 63);
	if (exchange__start(pending->asked->groups[index], &pending->exchange, now))
		pending_finish_rcode(pending, DNS_REFUSED, pending->exchange.error);
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
	struct pending *pending = (struct pending *)exchange;
	uint64_t now = resolver_now(pending->resolver);

	if (answer && wants_next(pending->forward, answer) && next_forward(pending)) {
		answer__free(answer);
		pending_forward(pending, now);
		return;
	}
	answered(pending, answer, admission, NULL, now);
}

_Static_assert(offsetof(struct pending, exchange) == 0, "exchanged() casts");

static enum admission admission_of(const struct answer *answer)
{
	return (answer->flags & DNS_RCODE) == DNS_NOERROR && answer->count[DNS_ANSWER_SECTION]
		       ? ADMIT_POSITIVE
		       : ADMIT_NEGATIVE;
}

/* From the first plugin of the block on. */
static void ask_name(struct pending *pending, struct section *section, const struct dns_name *name,
		     uint16_t qtype, uint64_t now)
{
	struct exchange *ex = &pending->exchange;
	struct section_answer local;
	enum local_result result;
	const struct client *asker = &pending->asker;
	struct local_client client = { &asker->peer.sa, &asker->local.sa, asker->tcp };
	struct local_query query = {
		.qname = &ex->qname,
		.qtype = qtype,
		.qclass = DNS_CLASS_IN,
		.key_flags = pending->question.key_flags & ~NODENS_KEY_AGENT,
		.client = asker->peer.sa.sa_family != AF_UNSPEC ? &client : NULL,
	};

	pending->asked = section;
	pending->asked_name = ex->qname = *name;
	ex->qtype = qtype;
	ex->key_flags = query.key_flags;
	ex->done = exchanged;
	pending->forward = NULL;
	pending->forwards_asked = 0;
	if (!rewrite(pending, &query)) {
		pending_finish_rcode(pending, DNS_SERVFAIL, "rewrite: the new name is none");
		return;
	}
	result = section__answer(section, &query, &local);
	if (!pending->alias)
		pending->ede = local.ede;
	switch (result) {
	case LOCAL_ANSWER:
		answered(pending, local.answer, admission_of(local.answer), &local, now);
		return;
	case LOCAL_SERVFAIL:
		pending_finish_rcode(pending, DNS_SERVFAIL, local.error);
		return;
	default:
		break;
	}
	/* upstreams are asked for class IN alone */
	if (query.qclass != DNS_CLASS_IN)
		pending_finish_rcode(pending, DNS_REFUSED, "rewrite: no upstream for this class");
	else
		pending_forward(pending, now);
}

/* For the question or, with dns64, its A records. */
void pending_ask(struct pending *pending, uint16_t qtype, uint64_t now)
{
	ask_name(pending, pending->section, &pending->question.qname, qtype, now);
}
