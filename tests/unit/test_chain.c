// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The chain of plugins: each once, each known by its directive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "resolver/resolver_priv.h"

static const char *const names[PLUGIN_COUNT] = {
#define X(id, name) [PLUGIN_##id] = name,
	PLUGINS(X)
#undef X
};

static bool has_directive(const char *name)
{
	const char *known;

	for (size_t i = 0; (known = corefile__directive(i)); i++) {
		if (!strcmp(known, name))
			return true;
	}
	return false;
}

static void test_names(void **state)
{
	bool seen[PLUGIN_COUNT] = { false };

	(void)state;
	for (size_t i = 0; i < chain_len; i++) {
		enum plugin_id id = chain_plugins[i]->id;

		if (seen[id])
			fail_msg("%s is twice in the chain", names[id]);
		seen[id] = true;
		/* follows what template makes */
		if (id != PLUGIN_CNAME && !has_directive(names[id]))
			fail_msg("%s has no directive", names[id]);
	}
}

/* What the order is for: see the comment at chain_plugins. */
static void test_order(void **state)
{
	static const enum plugin_id before[][2] = {
		{ PLUGIN_ACL, PLUGIN_ANY },	     { PLUGIN_LOADBALANCE, PLUGIN_DNS64 },
		{ PLUGIN_DNS64, PLUGIN_CNAME },	     { PLUGIN_CNAME, PLUGIN_REWRITE },
		{ PLUGIN_REWRITE, PLUGIN_TEMPLATE }, { PLUGIN_TEMPLATE, PLUGIN_HOSTS },
		{ PLUGIN_HOSTS, PLUGIN_FORWARD },    { PLUGIN_FORWARD, PLUGIN_WHOAMI },
	};
	size_t at[PLUGIN_COUNT];

	(void)state;
	for (size_t i = 0; i < PLUGIN_COUNT; i++)
		at[i] = chain_len;
	for (size_t i = 0; i < chain_len; i++)
		at[chain_plugins[i]->id] = i;
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		assert_true(at[before[i][0]] < at[before[i][1]] && at[before[i][1]] < chain_len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
