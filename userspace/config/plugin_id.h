/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The plugins that a query meets, and their names: what events, metrics and the chain know a plugin
 * by. Their order is not here: resolver/chain.c has it.
 */
#ifndef NODENS_PLUGIN_ID_H
#define NODENS_PLUGIN_ID_H

#define PLUGINS(X)                    \
	X(NONE, "")                   \
	X(CACHE, "cache")             \
	X(FORWARD, "forward")         \
	X(HOSTS, "hosts")             \
	X(TEMPLATE, "template")       \
	X(WHOAMI, "whoami")           \
	X(DNS64, "dns64")             \
	X(REWRITE, "rewrite")         \
	X(LOOP, "loop")               \
	X(LOADBALANCE, "loadbalance") \
	X(CNAME, "cname")             \
	X(ACL, "acl")                 \
	X(ANY, "any")

enum plugin_id {
#define X(id, name) PLUGIN_##id,
	PLUGINS(X)
#undef X
		PLUGIN_COUNT
};

#endif /* NODENS_PLUGIN_ID_H */
