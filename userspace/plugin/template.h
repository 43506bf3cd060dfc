/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The template plugin: answers written as text with actions.
 *
 * Contract: pure but for malloc and its counters. Which actions of Go's templates are known:
 * config/template_text.h. What a template says depends on the question alone, so its answers are
 * kept as an upstream's are, but for those with an extended error, which no cache of ours can hold.
 */
#ifndef NODENS_TEMPLATE_H
#define NODENS_TEMPLATE_H

#include "plugin/plugin.h"

struct templates;

/* -EINVAL with @err: a regular expression or an action that is not known; -ENOMEM. */
int template__open(const struct corefile_template *list, size_t len,
		   const struct corefile_zones *block_zones, struct templates **out,
		   struct error *err);
void template__close(struct templates *templates);

/* *ede: what goes along with the answer, also with SERVFAIL; NULL: nothing. */
enum plugin_result template__answer(struct templates *templates, const struct plugin_query *query,
				    struct answer **out, const struct ede **ede);

/* How often the index-th template matched; had an action that could not be executed; made no
 * record.
 */
enum template_event {
	TEMPLATE_MATCH,
	TEMPLATE_FAILURE,
	TEMPLATE_RR_FAILURE,
	TEMPLATE_EVENTS,
};
uint64_t template__count(const struct templates *templates, size_t index,
			 enum template_event event);

/* Names, with the dot at their end, that alone are matched: for preloading; until @fn says false.
 */
void template__exact(const struct templates *templates,
		     bool (*fn)(void *ctx, const struct dns_name *name, uint16_t qtype), void *ctx);
/* Suffixes that templates take off the net; of plugin_preload denied and wanted are looked at. */
void template__denied(struct templates *templates, const struct plugin_preload *to);
/* Might a template say something of a name below @name? */
bool template__below(const struct templates *templates, const struct dns_name *name);

extern const struct plugin template_plugin;

#endif /* NODENS_TEMPLATE_H */
