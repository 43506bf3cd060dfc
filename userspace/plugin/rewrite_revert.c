// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * An answer turned back into that of the client's question. Contract: rewrite.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dns/compose.h"
#include "rewrite_priv.h"

#define TYPE_NAPTR 35 /* RFC 3403 */

/* The names that a question has had: one before each name rule, and the last. */
struct names {
	struct regex_budget budget; /* of these, and of all names of the answer */
	struct dns_name before[REWRITE_MAX_RULES];
	struct dns_name after[REWRITE_MAX_RULES];
};

static void trace(const struct rewrite *rewrite, const struct rewrite_result *result,
		  const struct dns_name *qname, struct names *names)
{
	struct dns_name now = *qname;
	bool unused;

	names->budget = (struct regex_budget){ 0 };
	for (size_t i = 0; i < result->n; i++) {
		const struct rule *rule = &rewrite->rules[result->applied[i]];

		names->before[i] = now;
		if (rule->config->kind == COREFILE_REWRITE_NAME)
			rewrite_new_name(rule, &now, &names->budget, &now, &unused);
		names->after[i] = now;
	}
}

/* @from or a name below it becomes @to or one below that. */
static void remap(const struct dns_name *from, const struct dns_name *to, struct dns_name *name)
{
	size_t labels = name->len - from->len;

	if (from->len > name->len || !dns_name__within(name, from) ||
	    labels + to->len > DNS_MAX_NAME)
		return;
	memcpy(name->wire + labels, to->wire, to->len);
	name->len = labels + to->len;
}

/* A suffix rule the other way round. */
static void unsuffix(const struct corefile_rewrite *config, struct dns_name *name)
{
	char text[NAME_TEXT], new[2 * NAME_TEXT];

	if (dns_name__to_text(name, text, sizeof(text)) < 0 || !rewrite_ends_in(text, config->to))
		return;
	snprintf(new, sizeof(new), "%.*s%s", (int)(strlen(text) - strlen(config->to)), text,
		 config->from);
	if (!dns_name__from_text(name, new))
		dns_name__lower(name);
}

/* The last one first, as CoreDNS goes back. -ELOOP: whether it matches cannot be told. */
static int answer_rule(const struct rule *rule, bool value, struct regex_budget *budget,
		       struct dns_name *name)
{
	char text[NAME_TEXT], new[NAME_TEXT];
	struct regex_match match;

	for (size_t k = rule->config->answers_len; k-- > 0;) {
		int ret;

		if (rule->config->answers[k].value != value ||
		    dns_name__to_text(name, text, sizeof(text)) < 0)
			continue;
		ret = regex__match(rule->answer[k], text, budget, &match);
		if (ret < 0)
			return ret;
		if (ret &&
		    rewrite_substitute(rule->config->answers[k].to, &match, new, sizeof(new)))
			dns_name__from_text(name, new);
	}
	return 0;
}

/*
 * A name of the answer as it was before the rules, the last of them first. An exact rule is
 * `answer auto` always. -ELOOP as answer_rule().
 */
static int revert_name(const struct rewrite *rewrite, const struct rewrite_result *result,
		       struct names *names, bool value, struct dns_name *name)
{
	for (size_t i = result->n; i-- > 0;) {
		const struct rule *rule = &rewrite->rules[result->applied[i]];
		const struct corefile_rewrite *config = rule->config;
		int ret;

		if (config->kind != COREFILE_REWRITE_NAME)
			continue;
		ret = answer_rule(rule, value, &names->budget, name);
		if (ret)
			return ret;
		if (config->answer_auto && config->match == COREFILE_MATCH_SUFFIX)
			unsuffix(config, name);
		else if (config->answer_auto || config->match == COREFILE_MATCH_EXACT)
			remap(&names->after[i], &names->before[i], name);
	}
	return 0;
}

/* Does the first name in the rdata stand for the record's value? Those that CoreDNS rewrites. */
static bool has_value(uint16_t type)
{
	switch (type) {
	case DNS_TYPE_CNAME:
	case DNS_TYPE_DNAME:
	case DNS_TYPE_NS:
	case DNS_TYPE_PTR:
	case DNS_TYPE_SOA:
	case DNS_TYPE_MX:
	case DNS_TYPE_SRV:
	case TYPE_NAPTR:
		return true;
	default:
		return false;
	}
}

static uint32_t limit_ttl(const struct rewrite *rewrite, const struct rewrite_result *result,
			  uint32_t ttl_s)
{
	for (size_t i = 0; i < result->n; i++) {
		const struct corefile_rewrite *rule = rewrite->rules[result->applied[i]].config;

		if (rule->kind != COREFILE_REWRITE_TTL)
			continue;
		if (ttl_s < rule->ttl_min_s)
			ttl_s = rule->ttl_min_s;
		if (ttl_s > rule->ttl_max_s)
			ttl_s = rule->ttl_max_s;
	}
	return ttl_s;
}

/* @owner: what the last record's has become, for the next one's is mostly the same. */
static int revert_rr(const struct rewrite *rewrite, const struct rewrite_result *result,
		     struct names *names, struct dns_rr *rr, bool same_owner,
		     struct dns_name *owner)
{
	int ret;

	if (!same_owner) {
		*owner = rr->owner;
		ret = revert_name(rewrite, result, names, false, owner);
		if (ret)
			return ret;
		/* what was asked for is the client's name, whatever the rules say of answers */
		if (dns_name__equal(owner, &result->qname))
			*owner = names->before[0];
	}
	rr->owner = *owner;
	rr->ttl_s = limit_ttl(rewrite, result, rr->ttl_s);
	return 0;
}

static uint16_t revert_rcode(const struct rewrite *rewrite, const struct rewrite_result *result,
			     uint16_t rcode)
{
	for (size_t i = 0; i < result->n; i++) {
		const struct corefile_rewrite *rule = rewrite->rules[result->applied[i]].config;

		if (rule->kind == COREFILE_REWRITE_RCODE && rule->from_number == rcode)
			return rule->to_number;
	}
	return rcode;
}

static int revert_records(const struct rewrite *rewrite, const struct rewrite_result *result,
			  const struct dns_name *qname, struct records *from, struct compose *to)
{
	struct dns_name owner, value;
	struct names names;
	int ret;

	trace(rewrite, result, qname, &names);
	while ((ret = records__next(from)) > 0) {
		bool has = has_value(from->rr.type) && records__name(from, &value);

		ret = revert_rr(rewrite, result, &names, &from->rr, from->same_owner, &owner);
		if (!ret && has)
			ret = revert_name(rewrite, result, &names, true, &value);
		if (!ret)
			ret = compose__add(to, from, has ? &value : NULL);
		if (ret)
			break;
	}
	return ret;
}

static bool is_denial(const struct answer *answer)
{
	uint16_t rcode = answer->flags & DNS_RCODE;

	return rcode == DNS_NOERROR || rcode == DNS_NXDOMAIN;
}

int rewrite__revert(const struct rewrite *rewrite, const struct rewrite_result *result,
		    const struct answer *answer, const struct dns_name *qname, uint16_t qtype,
		    uint8_t key_flags, enum verdict *verdict, struct answer **out)
{
	enum verdict second = VERDICT_PASS;
	struct compose *to = NULL;
	struct answer *made = NULL;
	struct records from;
	uint16_t flags = answer->flags & (DNS_AA | DNS_RA | DNS_TC);
	int ret = records__open(&from, answer);

	flags |= revert_rcode(rewrite, result, answer->flags & DNS_RCODE);
	if (!ret)
		ret = compose__open(qname, qtype, key_flags, answer->n_ttl, &to);
	if (!ret)
		ret = revert_records(rewrite, result, qname, &from, to);
	if (!ret)
		ret = compose__answer(to, flags, &second, &made);
	records__close(&from);
	compose__close(to);
	if (ret)
		return ret;
	/* without records there is but one TTL, and that is known better than it can be read again
	 */
	if (!made->ttl_s)
		made->ttl_s = answer->ttl_s;
	/* the SOA of a denial is that of the name that was asked for: the verdict is, too */
	if (*verdict == VERDICT_NEGATIVE && second == VERDICT_PASS && is_denial(made))
		second = VERDICT_NEGATIVE;
	if (*verdict != VERDICT_PASS)
		*verdict = second;
	*out = made;
	return 0;
}
