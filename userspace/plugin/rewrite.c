// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Questions and answers rewritten. Contract: rewrite.h.
 */
#include "plugin/rewrite.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/regex.h"
#include "plugin/rewrite_edns0.h"
#include "plugin/synth.h"

#define NAME_TEXT 1024

struct rule {
	const struct corefile_rewrite *config;
	struct regex *from;    /* of a name rule by regex, and of ttl and rcode rules */
	struct regex **answer; /* of the answer rules */
};

struct rewrite {
	struct rule *rules;
	size_t len;
	size_t options_max; /* octets that the edns0 rules come to */
	bool changes, of_client;
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
	size_t options = 0;
	int ret = 0;

	if (!rewrite)
		return -ENOMEM;
	rewrite->rules = calloc(len, sizeof(*rewrite->rules));
	if (!rewrite->rules)
		ret = -ENOMEM;
	for (size_t i = 0; !ret && i < len; i++) {
		rewrite->len++;
		options += rewrite_edns0__max(&rules[i]);
		rewrite->of_client |= rules[i].edns0_source >= COREFILE_EDNS0_CLIENT_IP;
		rewrite->changes |= rules[i].kind != COREFILE_REWRITE_EDNS0 &&
				    rules[i].kind != COREFILE_REWRITE_TTL;
		ret = open_rule(&rules[i], &rewrite->rules[i], why, sizeof(why));
		if (ret)
			snprintf(err, err_size, "%s:%u: rewrite: %s", rules[i].file, rules[i].line,
				 why);
	}
	if (!ret && options > DNS_MAX_OPTIONS) {
		snprintf(err, err_size, "%s:%u: rewrite: edns0: more than %d octets of options",
			 rules[0].file, rules[0].line, DNS_MAX_OPTIONS);
		ret = -EINVAL;
	}
	rewrite->options_max = options;
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

/* "{12}" at @s: 12, and *len; -1: it is none. */
static int reference(const char *s, size_t *len)
{
	int value = 0;
	size_t i = 1;

	if (s[0] != '{' || !isdigit((unsigned char)s[1]))
		return -1;
	for (; isdigit((unsigned char)s[i]) && value < REGEX_GROUPS; i++)
		value = value * 10 + s[i] - '0';
	if (s[i] != '}')
		return -1;
	*len = i + 1;
	return value;
}

/*
 * @to with {0}, {1}... replaced by what the groups matched, those that there are, as CoreDNS does;
 * false: too long.
 */
static bool substitute(const char *to, const struct regex_match *match, char *out, size_t size)
{
	size_t n = 0;

	while (*to) {
		const char *from = to;
		size_t len = 1, skip = 1;
		int group = reference(to, &skip);

		if (group >= 0 && (size_t)group < match->n) {
			len = match->group[group].len;
			from = match->subject + match->group[group].at;
		} else {
			skip = 1;
		}
		to += skip;
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

/* 1: the name that @text becomes by the rule; 0: it does not apply; -ELOOP: nobody knows. */
static int rewrite_name(const struct rule *rule, const char *text, char *out, size_t size)
{
	const char *from = rule->config->from, *at;
	const char *to = rule->config->to ? rule->config->to : ""; /* ttl and rcode have none */
	struct regex_match match;
	int n = -1, ret;

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
		ret = regex__match(rule->from, text, &match);
		return ret > 0 ? substitute(to, &match, out, size) : ret;
	}
	return n >= 0 && (size_t)n < size;
}

/* ---- the way there ---- */

/*
 * The rule's new name for @name. False: it does not match; *wrong: it makes what is no name, or
 * whether it matches cannot be told.
 */
static bool new_name(const struct rule *rule, const struct dns_name *name, struct dns_name *out,
		     bool *wrong)
{
	char text[NAME_TEXT], new[NAME_TEXT];
	int ret;

	if (dns_name__to_text(name, text, sizeof(text)) < 0)
		return false;
	ret = rewrite_name(rule, text, new, sizeof(new));
	if (ret < 0)
		*wrong = true;
	if (ret <= 0)
		return ret;
	if (rule->config->kind != COREFILE_REWRITE_NAME)
		return true;
	if (dns_name__from_text(out, new))
		*wrong = true;
	else
		dns_name__lower(out);
	return true;
}

static bool apply(const struct rule *rule, const struct plugin_client *client,
		  struct rewrite_result *result)
{
	const struct corefile_rewrite *config = rule->config;

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
		return new_name(rule, &result->qname, &result->qname, &result->invalid);
	case COREFILE_REWRITE_EDNS0:
		return rewrite_edns0__apply(config, client, result);
	}
	return false;
}

struct rewrite_result *rewrite__apply(const struct rewrite *rewrite,
				      const struct plugin_query *query)
{
	struct rewrite_result *result = calloc(1, sizeof(*result) + rewrite->options_max);

	if (!result)
		return NULL;
	result->qname = *query->qname;
	result->qtype = query->qtype;
	result->qclass = query->qclass;
	for (size_t i = 0; i < rewrite->len && result->n < REWRITE_MAX_RULES; i++) {
		const struct rule *rule = &rewrite->rules[i];

		if (!apply(rule, query->client, result))
			continue;
		result->reverts |= rule->config->kind != COREFILE_REWRITE_EDNS0;
		result->applied[result->n++] = i;
		if (!rule->config->go_on)
			break;
	}
	if (result->n)
		return result;
	free(result);
	return NULL;
}

bool rewrite__touches(const struct rewrite *rewrite, const struct plugin_query *query)
{
	struct rewrite_result *result = rewrite__apply(rewrite, query);
	bool touches = result && result->reverts;

	free(result);
	return touches;
}

bool rewrite__changes(const struct rewrite *rewrite)
{
	return rewrite->changes;
}

bool rewrite__of_client(const struct rewrite *rewrite)
{
	return rewrite->of_client;
}

/* ---- the way back ---- */

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
			new_name(rule, &now, &now, &unused);
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

	if (dns_name__to_text(name, text, sizeof(text)) < 0 || !ends_in(text, config->to))
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
		    substitute(rule->config->answers[k].to, &match, new, sizeof(new)))
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
