/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What template.c (the plugin), template_answer.c (answers to questions) and template_static.c
 * (what can be said before any) share.
 */
#ifndef NODENS_TEMPLATE_PRIV_H
#define NODENS_TEMPLATE_PRIV_H

#include "plugin/template.h"
#include "config/template_text.h"

#define TEMPLATE_NAME_TEXT 1024

struct template
{
	const struct corefile_template *config;
	const struct corefile_zones *zones;
	struct ede ede;
	struct regex **match;
	struct record_template **records[DNS_SECTIONS];
	uint64_t events[TEMPLATE_EVENTS];
};

struct templates {
	struct corefile_zones block_zones;
	struct template *list;
	size_t len;
};

/* The longest of its zones that @name is in; NULL: none. */
const struct corefile_zone *template_zone(const struct template *t, const struct dns_name *name);
/* Its answer. -EINVAL: a record that is none, counted. */
int template_build(struct template *t, const struct template_values *values,
		   const struct plugin_query *query, struct answer **out);

#endif /* NODENS_TEMPLATE_PRIV_H */
