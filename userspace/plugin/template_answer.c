// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A question to the answer that templates give it. Contract: template.h.
 */
#include <string.h>

#include "dns/rrtype.h"
#include "plugin/synth.h"
#include "template_priv.h"

#define MAX_RR 8192 /* characters of one record, executed */

#define CLASS_CH 3

static int add_records(struct template *t, const struct template_values *values,
		       enum dns_section section, struct synth *synth)
{
	struct record_template **record = t->records[section];
	char text[MAX_RR];
	int ret = 0;

	for (; !ret && *record; record++) {
		enum template_event event = TEMPLATE_FAILURE;

		ret = record_template__execute(*record, values, text, sizeof(text));
		if (!ret) {
			event = TEMPLATE_RR_FAILURE;
			ret = synth__add(synth, section, text);
		}
		t->events[event] += !!ret;
	}
	return ret;
}

int template_build(struct template *t, const struct template_values *values,
		   const struct plugin_query *query, struct answer **out)
{
	struct synth synth;
	int ret = synth__open(&synth, query->qname, query->qtype, t->config->rcode);

	if (!ret)
		ret = add_records(t, values, DNS_ANSWER_SECTION, &synth);
	if (!ret)
		ret = add_records(t, values, DNS_AUTHORITY, &synth);
	if (!ret)
		ret = add_records(t, values, DNS_ADDITIONAL, &synth);
	if (!ret)
		ret = synth__answer(&synth, query->qname, query->qtype, query->key_flags, NULL,
				    out);
	synth__close(&synth);
	return ret;
}

const struct corefile_zone *template_zone(const struct template *t, const struct dns_name *name)
{
	const struct corefile_zone *best = NULL;

	for (size_t i = 0; i < t->zones->len; i++) {
		const struct corefile_zone *zone = &t->zones->list[i];

		if (dns_name__within(name, &zone->name) &&
		    (!best || zone->name.len > best->name.len))
			best = zone;
	}
	return best;
}

/*
 * 1: it matches the name of values->name, which is to be set; fills in regex and match. 0; -ELOOP:
 * that cannot be told (base/regex.h).
 */
static int matches_name(const struct template *t, struct template_values *values,
			struct regex_budget *budget)
{
	values->regex = NULL;
	values->match = (struct regex_match){ .subject = values->name, .n = 1 };
	values->match.group[0].len = strlen(values->name);
	for (size_t i = 0; i < t->config->match.len; i++) {
		int ret = regex__match(t->match[i], values->name, budget, &values->match);

		if (ret > 0)
			values->regex = t->match[i];
		if (ret)
			return ret;
	}
	return !t->config->match.len;
}

/* A question of any type is every template's. */
static bool is_asked(const struct corefile_template *config, const struct plugin_query *query)
{
	return (config->class == DNS_TYPE_ANY || config->class == query->qclass) &&
	       (config->type == DNS_TYPE_ANY || query->qtype == DNS_TYPE_ANY ||
		config->type == query->qtype);
}

static enum plugin_result answer_with(struct template *t, const struct template_values *values,
				      const struct plugin_query *query, struct answer **out,
				      const struct ede **ede)
{
	t->events[TEMPLATE_MATCH]++;
	*ede = t->config->has_ede ? &t->ede : NULL;
	if (t->config->rcode == DNS_SERVFAIL)
		return PLUGIN_SERVFAIL;
	if (!template_build(t, values, query, out))
		return PLUGIN_ANSWER;
	*ede = NULL;
	return PLUGIN_SERVFAIL;
}

enum plugin_result template__answer(struct templates *templates, const struct plugin_query *query,
				    struct answer **out, const struct ede **ede)
{
	struct template_values values = { .class = query->qclass == CLASS_CH ? "CH" : "IN" };
	char name[TEMPLATE_NAME_TEXT], type[RRTYPE_TEXT];
	struct regex_budget budget = { 0 };

	*ede = NULL;
	if (dns_name__to_text(query->qname, name, sizeof(name)) < 0)
		return PLUGIN_NEXT;
	values.name = name;
	for (size_t i = 0; i < templates->len; i++) {
		struct template *t = &templates->list[i];
		const struct corefile_zone *zone = template_zone(t, query->qname);
		int matches;

		if (!zone || !is_asked(t->config, query))
			continue;
		values.zone = zone->text;
		values.type = rrtype__text(
			query->qtype == DNS_TYPE_ANY ? t->config->type : query->qtype, type);
		matches = matches_name(t, &values, &budget);
		if (matches > 0)
			return answer_with(t, &values, query, out, ede);
		/* perhaps it is one to be blocked: nobody else answers it */
		if (matches < 0) {
			t->events[TEMPLATE_FAILURE]++;
			return PLUGIN_SERVFAIL;
		}
		/* CoreDNS once said NXDOMAIN without sending it, and says SERVFAIL since. */
		if (!plugin__falls_through(&t->config->fallthrough, query->qname))
			return PLUGIN_SERVFAIL;
	}
	return PLUGIN_NEXT;
}
