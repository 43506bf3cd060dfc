// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Questions and answers rewritten. Contract: rewrite.h.
 */
#include "rewrite.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regex.h"
#include "synth.h"

#define NAME_TEXT 1024

struct rule {
	const struct corefile_rewrite *config;
	struct regex *from;    /* of a name rule by regex, and of ttl and rcode rules */
	struct regex **answer; /* of the answer rules */
};

struct rewrite {
	struct rule *rules;
	size_t len;
};

static int open_rule(const struct corefile_rewrite *config, struct rule *rule, char *why,
		     size_t why_size)
{
	int ret = 0;

	rule->config = config;
	rule->answer = calloc(config->answers_len + 1, sizeof(*rule->answer));
	if (!rule->answer)
		return -ENOMEM;
	if (config->match == COREFILE_MATCH_REGEX && config->from)
		ret = regex__open(config->from, &rule->from, why, why_size);
	for (size_t i = 0; !ret && i < config->answers_len; i++)
		ret = regex__open(config->answers[i].from, &rule->answer[i], why, why_size);
	return ret;
}

int rewrite__open(const struct corefile_rewrite *rules, size_t len, struct rewrite **out, char *err,
		  size_t err_size)
{
	struct rewrite *rewrite = calloc(1, sizeof(*rewrite));
	char why[256] = "out of memory";
	int ret = 0;

	if (!rewrite)
		return -ENOMEM;
	rewrite->rules = calloc(len, sizeof(*rewrite->rules));
	if (!rewrite->rules)
		ret = -ENOMEM;
	for (size_t i = 0; !ret && i < len; i++) {
		rewrite->len++;
		ret = open_rule(&rules[i], &rewrite->rules[i], why, sizeof(why));
		if (ret)
			snprintf(err, err_size, "%s:%u: rewrite: %s", rules[i].file, rules[i].line,
				 why);
	}
	if (ret) {
		rewrite__close(rewrite);
		return ret;
	}
	*out = rewrite;
	return 0;
}

void rewrite__close(struct rewrite *rewrite)
{
	if (!rewrite)
		return;
	for (size_t i = 0; i < rewrite->len; i++) {
		struct rule *rule = &rewrite->rules[i];

		regex__close(rule->from);
		for (size_t k = 0; rule->answer && k < rule->config->answers_len; k++)
			regex__close(rule->answer[k]);
		free(rule->answer);
	}
	free(rewrite->rules);
	free(rewrite);
}

void rewrite_result__free(struct rewrite_result *result)
{
	free(result);
}

/* @to with {0}, {1}... replaced by what the groups matched; false: too long. */
static bool substitute(const char *to, const struct regex_match *match, char *out, size_t size)
{
	size_t n = 0;

	while (*to) {
		const char *from = to;
		size_t len = 1;

		if (to[0] == '{' && isdigit((unsigned char)to[1]) && to[2] == '}') {
			size_t group = to[1] - '0';

			len = group < match->n ? match->group[group].len : 0;
			from = match->subject + match->group[group < match->n ? group : 0].at;
			to += 3;
		} else {
			to++;
		}
		if (n + len >= size)
			return false;
		memcpy(out + n, from, len);
		n += len;
	}
	out[n] = '\0';
	return true;
}

static bool ends_in(const char *text, const char *suffix)
{
	size_t len = strlen(text), suffix_len = strlen(suffix);

	return len >= suffix_len && !strcasecmp(text + len - suffix_len, suffix);
}

/* The name that @text becomes by the rule; false: the rule does not apply. */
static bool rewrite_name(const struct rule *rule, const char *text, char *out, size_t size)
{
	const char *from = rule->config->from, *to = rule->config->to, *at;
	struct regex_match match;
	int n = -1;

	switch (rule->config->match) {
	case COREFILE_MATCH_EXACT:
		if (strcasecmp(text, from))
			return false;
		n = snprintf(out, size, "%s", to);
		break;
	case COREFILE_MATCH_PREFIX:
		if (strncasecmp(text, from, strlen(from)))
			return false;
		n = snprintf(out, size, "%s%s", to, text + strlen(from));
		break;
	case COREFILE_MATCH_SUFFIX:
		if (!ends_in(text, from))
			return false;
		n = snprintf(out, size, "%.*s%s", (int)(strlen(text) - strlen(from)), text, to);
		break;
	case COREFILE_MATCH_SUBSTRING:
		at = strcasestr(text, from);
		if (!at || !*from)
			return false;
		/* as strings.Replace with -1: each of them */
		n = 0;
		while (n >= 0 && (size_t)n < size) {
			int more = snprintf(out + n, size - n, "%.*s%s",
					    (int)(at ? at - text : (long)strlen(text)), text,
					    at ? to : "");

			n += more;
			if (!at)
				break;
			text = at + strlen(from);
			at = strcasestr(text, from);
		}
		break;
	case COREFILE_MATCH_REGEX:
		return regex__match(rule->from, text, &match) && substitute(to, &match, out, size);
	}
	return n >= 0 && (size_t)n < size;
}

static bool apply(const struct rule *rule, struct rewrite_result *result, uint8_t *did)
{
	const struct corefile_rewrite *config = rule->config;
	char text[NAME_TEXT], new[NAME_TEXT];
	struct dns_name name;

	switch (config->kind) {
	case COREFILE_REWRITE_TYPE:
		if (result->qtype != config->from_number)
			return false;
		result->qtype = config->to_number;
		return true;
	case COREFILE_REWRITE_CLASS:
		if (result->qclass != config->from_number)
			return false;
		result->qclass = config->to_number;
		return true;
	case COREFILE_REWRITE_NAME:
	case COREFILE_REWRITE_TTL:
	case COREFILE_REWRITE_RCODE:
		if (dns_name__to_text(&result->qname, text, sizeof(text)) < 0 ||
		    !rewrite_name(rule, text, new, sizeof(new)))
			return false;
		if (config->kind != COREFILE_REWRITE_NAME)
			return true;
		if (dns_name__from_text(&name, new))
			return false;
		result->qname = name;
		dns_name__lower(&result->qname);
		*did = 1;
		return true;
	case COREFILE_REWRITE_EDNS0:
		return false;
	}
	return false;
}

struct rewrite_result *rewrite__apply(const struct rewrite *rewrite,
				      const struct local_query *query)
{
	struct rewrite_result *result = calloc(1, sizeof(*result));
	uint8_t did = 0;

	if (!result)
		return NULL;
	result->qname = *query->qname;
	result->qtype = query->qtype;
	result->qclass = query->qclass;
	for (size_t i = 0; i < rewrite->len && result->n < REWRITE_MAX_RULES; i++) {
		const struct rule *rule = &rewrite->rules[i];

		if (!apply(rule, result, &did))
			continue;
		result->applied[result->n++] = rule->config;
		if (!rule->config->go_on)
			break;
	}
	if (result->n)
		return result;
	free(result);
	return NULL;
}

/* ---- the way back ---- */

static int set_name(ldns_rdf **rdf, const char *text)
{
	ldns_rdf *new = NULL;

	if (ldns_str2rdf_dname(&new, text) != LDNS_STATUS_OK)
		return -EINVAL;
	ldns_rdf_deep_free(*rdf);
	*rdf = new;
	return 0;
}

static const struct rule *rule_of(const struct rewrite *rewrite,
				  const struct corefile_rewrite *config)
{
	for (size_t i = 0; i < rewrite->len; i++) {
		if (rewrite->rules[i].config == config)
			return &rewrite->rules[i];
	}
	return NULL;
}

/* A name of the answer by the answer rules of what was applied; true: *rdf is new. */
static bool rewrite_rdf(const struct rewrite *rewrite, const struct rewrite_result *result,
			bool value, ldns_rdf **rdf)
{
	char text[NAME_TEXT], new[NAME_TEXT];
	struct regex_match match;
	struct dns_name name;

	if (synth__to_name(*rdf, &name) || dns_name__to_text(&name, text, sizeof(text)) < 0)
		return false;
	for (size_t i = 0; i < result->n; i++) {
		const struct rule *rule = rule_of(rewrite, result->applied[i]);

		for (size_t k = 0; rule && k < rule->config->answers_len; k++) {
			if (rule->config->answers[k].value == value &&
			    regex__match(rule->answer[k], text, &match) &&
			    substitute(rule->config->answers[k].to, &match, new, sizeof(new)))
				return !set_name(rdf, new);
		}
	}
	return false;
}

static void limit_ttl(const struct rewrite_result *result, ldns_rr *rr)
{
	for (size_t i = 0; i < result->n; i++) {
		const struct corefile_rewrite *rule = result->applied[i];
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
		     const struct dns_name *qname, ldns_rr *rr)
{
	ldns_rdf *owner = ldns_rdf_clone(ldns_rr_owner(rr));
	struct dns_name name;

	if (!owner)
		return -ENOMEM;
	if (!rewrite_rdf(rewrite, result, false, &owner) && !synth__to_name(owner, &name) &&
	    dns_name__equal(&name, &result->qname)) {
		ldns_rdf_deep_free(owner);
		owner = synth__name(qname);
		if (!owner)
			return -ENOMEM;
	}
	ldns_rdf_deep_free(ldns_rr_owner(rr));
	ldns_rr_set_owner(rr, owner);
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		ldns_rdf *rdf = ldns_rdf_clone(ldns_rr_rdf(rr, i));

		if (rdf && rewrite_rdf(rewrite, result, true, &rdf))
			ldns_rdf_deep_free(ldns_rr_set_rdf(rr, rdf, i));
		else
			ldns_rdf_deep_free(rdf);
	}
	limit_ttl(result, rr);
	return 0;
}

static uint16_t revert_rcode(const struct rewrite_result *result, uint16_t rcode)
{
	for (size_t i = 0; i < result->n; i++) {
		const struct corefile_rewrite *rule = result->applied[i];

		if (rule->kind == COREFILE_REWRITE_RCODE && rule->from_number == rcode)
			return rule->to_number;
	}
	return rcode;
}

static int revert_section(const struct rewrite *rewrite, const struct rewrite_result *result,
			  const struct dns_name *qname, const ldns_rr_list *list,
			  enum dns_section section, struct synth *to)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < ldns_rr_list_rr_count(list); i++) {
		ldns_rr *rr = ldns_rr_clone(ldns_rr_list_rr(list, i));

		if (!rr)
			return -ENOMEM;
		ret = revert_rr(rewrite, result, qname, rr);
		if (ret)
			ldns_rr_free(rr);
		else
			ret = synth__add_rr(to, section, rr);
	}
	return ret;
}

int rewrite__revert(const struct rewrite *rewrite, const struct rewrite_result *result,
		    const struct answer *answer, const struct dns_name *qname, uint16_t qtype,
		    uint8_t key_flags, enum admission *admission, struct answer **out)
{
	enum admission judged = *admission;
	struct synth from, to = { .pkt = NULL };
	struct answer *made = NULL;
	int ret = synth__from_answer(&from, answer);

	if (!ret)
		ret = synth__open(&to, qname, qtype,
				  revert_rcode(result, answer->flags & DNS_RCODE));
	if (!ret)
		ret = revert_section(rewrite, result, qname, ldns_pkt_answer(from.pkt),
				     DNS_ANSWER_SECTION, &to);
	if (!ret)
		ret = revert_section(rewrite, result, qname, ldns_pkt_authority(from.pkt),
				     DNS_AUTHORITY, &to);
	if (!ret) {
		ldns_pkt_set_aa(to.pkt, ldns_pkt_aa(from.pkt));
		ret = synth__answer(&to, qname, qtype, key_flags, &judged, &made);
	}
	synth__close(&from);
	synth__close(&to);
	if (ret)
		return ret;
	/* negative answers have but one TTL, and theirs is known better than it can be read again
	 */
	if (!made->ttl_s)
		made->ttl_s = answer->ttl_s;
	*admission = judged;
	*out = made;
	return 0;
}
