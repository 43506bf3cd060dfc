/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The acl plugin: which clients may ask what.
 *
 * Contract: a client is the source address of its query, as it came. What is judged is the question
 * as rewrites make it. Of names that not every client may ask the programs know nothing: they
 * cannot tell one client from another.
 */
#ifndef NODENS_ACL_H
#define NODENS_ACL_H

#include "plugin/plugin.h"

extern const struct plugin acl_plugin;

#endif /* NODENS_ACL_H */
