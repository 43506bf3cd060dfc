/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The rewrites of a Corefile, and questions put to them.
 */
#ifndef REWRITE_FIXTURE_H
#define REWRITE_FIXTURE_H

#include "plugin_fixture.h"
#include "plugin/rewrite.h"

struct fixture {
	struct plugin_fixture local;
	struct rewrite *rewrite;
};

static inline void open_fixture(struct fixture *f, const char *rules)
{
	const struct corefile_block *block;
	char text[4096];

	snprintf(text, sizeof(text), ". {\n%s\n}\n", rules);
	plugin_fixture_open(&f->local, text);
	block = f->local.block;
	if (rewrite__open(block->rewrites, block->rewrites_len, &f->rewrite, &f->local.err))
		fail_msg("%s", f->local.err.text);
}

static inline void close_fixture(struct fixture *f)
{
	rewrite__close(f->rewrite);
	plugin_fixture_close(&f->local);
}

static inline struct rewrite_result *apply_for(const struct fixture *f, const char *name,
					       const char *type, const struct plugin_client *client)
{
	struct dns_name qname = name_of(name);
	struct plugin_query query = { &qname, type_of(type), DNS_CLASS_IN, 0, client };

	return rewrite__apply(f->rewrite, &query);
}

static inline struct rewrite_result *apply(const struct fixture *f, const char *name,
					   const char *type)
{
	return apply_for(f, name, type, NULL);
}

/* A label that takes an expression like ^(a+)+[.] to regex__match()'s bound. */
#define SLOW "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"

#endif /* REWRITE_FIXTURE_H */
