// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Questions and answers rewritten. Contract: rewrite.h.
 */
#include "plugin/rewrite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugin/rewrite_edns0.h"
#include "rewrite_priv.h"

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

int rewrite__open(const struct corefile_rewrite *rules, size_t len, struct rewrite **out,
		  struct error *err)
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
		rewrite->tells_client |= rules[i].edns0_source >= COREFILE_EDNS0_CLIENT_IP;
		rewrite->changes |= rules[i].kind != COREFILE_REWRITE_EDNS0 &&
				    rules[i].kind != COREFILE_REWRITE_TTL;
		ret = open_rule(&rules[i], &rewrite->rules[i], why, sizeof(why));
		if (ret)
			error__set(err, ret, "%s:%u: rewrite: %s", rules[i].file, rules[i].line,
				   why);
	}
	if (!ret && options > DNS_MAX_OPTIONS) {
		ret = error__set(err, -EINVAL,
				 "%s:%u: rewrite: edns0: more than %d octets of options",
				 rules[0].file, rules[0].line, DNS_MAX_OPTIONS);
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

static bool apply(const struct rule *rule, const struct plugin_client *client,
		  struct regex_budget *budget, struct rewrite_result *result)
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
		return rewrite_new_name(rule, &result->qname, budget, &result->qname,
					&result->invalid);
	case COREFILE_REWRITE_EDNS0:
		return rewrite_edns0__apply(config, client, result);
	}
	return false;
}

struct rewrite_result *rewrite__apply(const struct rewrite *rewrite,
				      const struct plugin_query *query)
{
	struct rewrite_result *result = calloc(1, sizeof(*result) + rewrite->options_max);
	struct regex_budget budget = { 0 };

	if (!result)
		return NULL;
	result->qname = *query->qname;
	result->qtype = query->qtype;
	result->qclass = query->qclass;
	for (size_t i = 0; i < rewrite->len && result->n < REWRITE_MAX_RULES; i++) {
		const struct rule *rule = &rewrite->rules[i];

		if (!apply(rule, query->client, &budget, result))
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

bool rewrite__changes(const struct rewrite *rewrite)
{
	return rewrite->changes;
}

/* ---- in the chain ---- */

static int open_block(const struct plugin_open *open, void **state)
{
	const struct corefile_block *block = open->block;
	struct rewrite *rewrite;
	int ret;

	if (!block->rewrites_len)
		return 0;
	ret = rewrite__open(block->rewrites, block->rewrites_len, &rewrite, open->err);
	if (!ret)
		*state = rewrite;
	return ret;
}

static void close_block(void *state)
{
	rewrite__close(state);
}

/* Upstreams hear of the client: the answer is that client's. */
static bool tells_client(const void *state)
{
	return ((const struct rewrite *)state)->tells_client;
}

static enum plugin_result rewrite_query(void *state, struct passage *passage)
{
	struct rewrite_result *result = rewrite__apply(state, &passage->query);

	passage->kept[PLUGIN_REWRITE].own = result;
	if (!result)
		return PLUGIN_NEXT;
	passage->query.qname = &result->qname;
	passage->query.qtype = result->qtype;
	passage->query.qclass = result->qclass;
	passage->options = result->options;
	passage->options_len = result->options_len;
	passage->changed = result->reverts;
	if (result->invalid)
		return plugin__fail(passage, DNS_SERVFAIL, "rewrite: the new name is none");
	/* what depends on rules is not found out beforehand */
	if (passage->own_only && result->reverts)
		return plugin__fail(passage, DNS_SERVFAIL, "rewrite: another question");
	return PLUGIN_NEXT;
}

/* What was asked under another name or type becomes what was asked for. */
static bool rewrite_response(void *state, struct passage *passage)
{
	const struct rewrite_result *result = passage->kept[PLUGIN_REWRITE].own;
	struct answer *answer = passage->answer, *reverted = NULL;
	uint8_t key_flags = passage->query.key_flags;
	bool none = !answer;

	if (!result || !result->reverts)
		return false;
	/* also SERVFAIL for want of an answer may be meant by a rule */
	if (none) {
		answer = answer__empty(&passage->question.qname, passage->question.qtype,
				       passage->question.key_flags, DNS_SERVFAIL);
		passage->verdict = VERDICT_PASS;
	}
	if (!answer)
		return false;
	if (rewrite__revert(state, result, answer, &passage->qname, passage->qtype, key_flags,
			    &passage->verdict, &reverted)) {
		reverted = NULL;
		passage->error = "rewrite: the answer cannot be turned back";
	}
	answer__free(answer);
	passage->answer = reverted;
	if (none && plugin__failed(reverted))
		plugin__replace(passage, NULL);
	return false;
}

static void rewrite_release(struct plugin_kept *kept)
{
	rewrite_result__free(kept->own);
}

/* Before all plugins that answer: a rule may make another question of any name. */
static bool rewrite_answers_below(const void *state, const struct dns_name *name)
{
	(void)name;
	return rewrite__changes(state);
}

const struct plugin rewrite_plugin = {
	.id = PLUGIN_REWRITE,
	.open = open_block,
	.close = close_block,
	.tells_client = tells_client,
	.query = rewrite_query,
	.response = rewrite_response,
	.release = rewrite_release,
	.answers_below = rewrite_answers_below,
};
