/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What an edns0 rule of the rewrite plugin does to a query's options.
 *
 * Contract: pure. result->options holds OPT's rdata, with room for rewrite_edns0__max() of every
 * rule that is applied to it.
 */
#ifndef NODENS_REWRITE_EDNS0_H
#define NODENS_REWRITE_EDNS0_H

#include "plugin/rewrite.h"

/* Octets that the rule's option may take; of a rule that is none, a few. */
size_t rewrite_edns0__max(const struct corefile_rewrite *rule);
/* False: the rule does not apply. @client: who asks; NULL: nobody in particular. */
bool rewrite_edns0__apply(const struct corefile_rewrite *config, const struct plugin_client *client,
			  struct rewrite_result *result);

#endif /* NODENS_REWRITE_EDNS0_H */
