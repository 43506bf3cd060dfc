// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * An answer turned back into that of the client's question. Contract: rewrite.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "plugin/synth.h"
#include "rewrite_priv.h"

static int set_name(ldns_rdf **rdf, const struct dns_name *name)
{
	ldns_rdf *new = synth__name(name);

	if (!new)
		return -ENOMEM;
	ldns_rdf_deep_free(*rdf);
	*rdf = new;
	return 0;
}

/* The names that a question has had: one before each name rule, and the last. */
struct names {
	struct dns_name before[REWRITE_MAX_RULES];
	struct dns_name after[REWRITE_MAX_RULES];
};

static void trace(const struct rewrite *rewrite, const struct rewrite_result *result,
		  const struct dns_name *qname, struct names *names)
{
	struct dns_name now = *qname;
	bool unused;

	for (size_t i = 0; i < result->n; i++) {
		const struct rule *rule = &rewrite->rules[result->applied[i]];

		names->before[i] = now;
		if (rule->config->kind == COREFILE_REWRITE_NAME)
			rewrite_new_name(rule, &now, &now, &unused);
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

/* The last one first, as CoreDNS goes back. */
static void answer_rule(const struct rule *rule, bool value, struct dns_name *name)
{
	char text[NAME_TEXT], new[NAME_TEXT];
	struct regex_match match;

	for (size_t k = rule->config->answers_len; k-- > 0;) {
		if (rule->config->answers[k].value == value &&
		    dns_name__to_text(name, text, sizeof(text)) >= 0 &&
		    regex__match(rule->answer[k], text, &match) > 0 &&
		    rewrite_substitute(rule->config->answers[k].to, &match, new, sizeof(new)))
			dns_name__from_text(name, new);
	}
}

/*
 * A name of the answer as it was before the rules, the last of them first. An exact rule is
 * `answer auto` always.
 */
static void revert_name(const struct rewrite *rewrite, const struct rewrite_result *result,
			const struct names *names, bool value, struct dns_name *name)
{
	for (size_t i = result->n; i-- > 0;) {
		const struct rule *rule = &rewrite->rules[result->applied[i]];
		const struct corefile_rewrite *config = rule->config;

		if (config->kind != COREFILE_REWRITE_NAME)
			continue;
		answer_rule(rule, value, name);
		if (config->answer_auto && config->match == COREFILE_MATCH_SUFFIX)
			unsuffix(config, name);
		else if (config->answer_auto || config->match == COREFILE_MATCH_EXACT)
			remap(&names->after[i], &names->before[i], name);
	}
}

/* Which of a record's names stands for its value: those that CoreDNS rewrites. */
static bool is_value(const ldns_rr *rr, size_t index)
{
	switch (ldns_rr_get_type(rr)) {
	case LDNS_RR_TYPE_CNAME:
	case LDNS_RR_TYPE_DNAME:
	case LDNS_RR_TYPE_NS:
	case LDNS_RR_TYPE_PTR:
	case LDNS_RR_TYPE_SOA:
		return index == 0;
	case LDNS_RR_TYPE_MX:
		return index == 1;
	case LDNS_RR_TYPE_SRV:
		return index == 3;
	case LDNS_RR_TYPE_NAPTR:
		return index == 5;
	default:
		return false;
	}
}

static void limit_ttl(const struct rewrite *rewrite, const struct rewrite_result *result,
		      ldns_rr *rr)
{
	for (size_t i = 0; i < result->n; i++) {
		const struct corefile_rewrite *rule = rewrite->rules[result->applied[i]].config;
		uint32_t ttl = ldns_rr_ttl(rr);

		if (rule->kind != COREFILE_REWRITE_TTL)
			continue;
		if (ttl < rule->ttl_min_s)
			ttl = rule->ttl_min_s;
		if (ttl > rule->ttl_max_s)
			ttl = rule->ttl_max_s;
		ldns_rr_set_ttl(rr, ttl);
	}
}

static int revert_rr(const struct rewrite *rewrite, const struct rewrite_result *result,
		     const struct names *names, ldns_rr *rr)
{
	const struct dns_name *first = &names->before[0];
	ldns_rdf *owner = ldns_rdf_clone(ldns_rr_owner(rr));
	struct dns_name name;
	int ret = owner ? synth__to_name(owner, &name) : -ENOMEM;

	if (!ret) {
		revert_name(rewrite, result, names, false, &name);
		/* what was asked for is the client's name, whatever the rules say of answers */
		if (dns_name__equal(&name, &result->qname))
			name = *first;
		ret = set_name(&owner, &name);
	}
	if (ret) {
		ldns_rdf_deep_free(owner);
		return ret;
	}
	ldns_rdf_deep_free(ldns_rr_owner(rr));
	ldns_rr_set_owner(rr, owner);
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		ldns_rdf *rdf;

		if (!is_value(rr, i) || synth__to_name(ldns_rr_rdf(rr, i), &name))
			continue;
		revert_name(rewrite, result, names, true, &name);
		rdf = synth__name(&name);
		if (!rdf)
			return -ENOMEM;
		ldns_rdf_deep_free(ldns_rr_set_rdf(rr, rdf, i));
	}
	limit_ttl(rewrite, result, rr);
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

static int revert_section(const struct rewrite *rewrite, const struct rewrite_result *result,
			  const struct names *names, const ldns_rr_list *list,
			  enum dns_section section, struct synth *to)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < ldns_rr_list_rr_count(list); i++) {
		ldns_rr *rr = ldns_rr_clone(ldns_rr_list_rr(list, i));

		if (!rr)
			return -ENOMEM;
		ret = revert_rr(rewrite, result, names, rr);
		if (ret)
			ldns_rr_free(rr);
		else
			ret = synth__add_rr(to, section, rr);
	}
	return ret;
}

static int revert_records(const struct rewrite *rewrite, const struct rewrite_result *result,
			  const struct dns_name *qname, const ldns_pkt *from, struct synth *to)
{
	struct names names;
	int ret;

	trace(rewrite, result, qname, &names);
	ret = revert_section(rewrite, result, &names, ldns_pkt_answer(from), DNS_ANSWER_SECTION,
			     to);
	if (!ret)
		ret = revert_section(rewrite, result, &names, ldns_pkt_authority(from),
				     DNS_AUTHORITY, to);
	if (!ret)
		ret = revert_section(rewrite, result, &names, ldns_pkt_additional(from),
				     DNS_ADDITIONAL, to);
	ldns_pkt_set_aa(to->pkt, ldns_pkt_aa(from));
	ldns_pkt_set_ra(to->pkt, ldns_pkt_ra(from));
	return ret;
}

static bool is_denial(const struct answer *answer)
{
	uint16_t rcode = answer->flags & DNS_RCODE;

	return rcode == DNS_NOERROR || rcode == DNS_NXDOMAIN;
}

int rewrite__revert(const struct rewrite *rewrite, const struct rewrite_result *result,
		    const struct answer *answer, const struct dns_name *qname, uint16_t qtype,
		    uint8_t key_flags, enum admission *admission, struct answer **out)
{
	enum admission judged = ADMIT_PASS;
	struct synth from, to = { .pkt = NULL };
	struct answer *made = NULL;
	int ret = synth__from_answer(&from, answer);

	if (!ret)
		ret = synth__open(&to, qname, qtype,
				  revert_rcode(rewrite, result, answer->flags & DNS_RCODE));
	if (!ret)
		ret = revert_records(rewrite, result, qname, from.pkt, &to);
	if (!ret)
		ret = synth__answer(&to, qname, qtype, key_flags, &judged, &made);
	synth__close(&from);
	synth__close(&to);
	if (ret)
		return ret;
	/* without records there is but one TTL, and that is known better than it can be read again
	 */
	if (!made->ttl_s)
		made->ttl_s = answer->ttl_s;
	/* the SOA of a denial is that of the name that was asked for: the judgement is, too */
	if (*admission == ADMIT_NEGATIVE && judged == ADMIT_PASS && is_denial(made))
		judged = ADMIT_NEGATIVE;
	if (*admission != ADMIT_PASS)
		*admission = judged;
	*out = made;
	return 0;
}
