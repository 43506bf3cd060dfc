// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The template plugin: opened, closed, in the chain. Contract: template.h.
 */
#include "plugin/template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "template_priv.h"

/* ---- open and close ---- */

static int open_records(const struct corefile_strings *texts, struct record_template ***out,
			char *why, size_t why_size)
{
	int ret = 0;

	*out = calloc(texts->len + 1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (size_t i = 0; !ret && i < texts->len; i++)
		ret = record_template__parse(texts->list[i], &(*out)[i], why, why_size);
	return ret;
}

static int open_one(struct template *t, const struct corefile_template *config,
		    const struct corefile_zones *block_zones, char *why, size_t why_size)
{
	int ret = 0;

	t->config = config;
	t->zones = config->zones.len ? &config->zones : block_zones;
	t->ede = (struct ede){ config->ede_code, config->ede_text };
	t->match = calloc(config->match.len + 1, sizeof(*t->match));
	if (!t->match)
		return -ENOMEM;
	for (size_t i = 0; !ret && i < config->match.len; i++)
		ret = regex__open(config->match.list[i], &t->match[i], why, why_size);
	if (!ret)
		ret = open_records(&config->answer, &t->records[DNS_ANSWER_SECTION], why, why_size);
	if (!ret)
		ret = open_records(&config->authority, &t->records[DNS_AUTHORITY], why, why_size);
	if (!ret)
		ret = open_records(&config->additional, &t->records[DNS_ADDITIONAL], why, why_size);
	return ret;
}

int template__open(const struct corefile_template *list, size_t len,
		   const struct corefile_zones *block_zones, struct templates **out,
		   struct error *err)
{
	struct templates *templates = calloc(1, sizeof(*templates));
	char why[256] = "out of memory";
	int ret = 0;

	if (!templates)
		return -ENOMEM;
	templates->block_zones = *block_zones;
	templates->list = calloc(len, sizeof(*templates->list));
	if (!templates->list)
		ret = -ENOMEM;
	for (size_t i = 0; !ret && i < len; i++) {
		templates->len++;
		ret = open_one(&templates->list[i], &list[i], &templates->block_zones, why,
			       sizeof(why));
		if (ret)
			error__set(err, ret, "%s:%u: template: %s", list[i].file, list[i].line,
				   why);
	}
	if (ret) {
		template__close(templates);
		return ret;
	}
	*out = templates;
	return 0;
}

static void close_records(struct record_template **records)
{
	for (size_t i = 0; records && records[i]; i++)
		record_template__free(records[i]);
	free(records);
}

void template__close(struct templates *templates)
{
	if (!templates)
		return;
	for (size_t i = 0; templates->list && i < templates->len; i++) {
		struct template *t = &templates->list[i];

		for (size_t k = 0; t->match && k < t->config->match.len; k++)
			regex__close(t->match[k]);
		free(t->match);
		for (int k = 0; k < DNS_SECTIONS; k++)
			close_records(t->records[k]);
	}
	free(templates->list);
	free(templates);
}

uint64_t template__count(const struct templates *templates, size_t index, enum template_event event)
{
	return index < templates->len ? templates->list[index].events[event] : 0;
}

/* ---- in the chain ---- */

static int open_block(const struct plugin_open *open, void **state)
{
	const struct corefile_block *block = open->block;
	struct templates *templates;
	int ret;

	if (!block->templates_len)
		return 0;
	ret = template__open(block->templates, block->templates_len, &open->zones, &templates,
			     open->err);
	if (!ret)
		*state = templates;
	return ret;
}

static void close_block(void *state)
{
	template__close(state);
}

static enum plugin_result template_query(void *state, struct passage *passage)
{
	const struct ede *ede;
	enum plugin_result result =
		template__answer(state, &passage->query, &passage->answer, &ede);

	/* a CNAME's target is asked for: what the client is told is the CNAME's */
	if (!passage->kept[PLUGIN_CNAME].held)
		passage->ede = ede;
	if (result == PLUGIN_SERVFAIL)
		return plugin__fail(passage, DNS_SERVFAIL,
				    "template: nothing matches, or a record is none");
	if (result == PLUGIN_ANSWER)
		passage->verdict = plugin__verdict(passage->answer);
	return result;
}

static bool answers_below(const void *state, const struct dns_name *name)
{
	return template__below(state, name);
}

static void preload(void *state, const struct plugin_preload *to)
{
	if (to->question)
		template__exact(state, to->question, to->ctx);
	if (to->denied)
		template__denied(state, to);
}

const struct plugin template_plugin = {
	.id = PLUGIN_TEMPLATE,
	.open = open_block,
	.close = close_block,
	.query = template_query,
	.answers_below = answers_below,
	.preload = preload,
};
