/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What rewrite.c (the plugin, and the way there), rewrite_name.c (one rule's names) and
 * rewrite_revert.c (the way back) share.
 */
#ifndef NODENS_REWRITE_PRIV_H
#define NODENS_REWRITE_PRIV_H

#include "base/regex.h"
#include "plugin/rewrite.h"

#define NAME_TEXT 1024

struct rule {
	const struct corefile_rewrite *config;
	struct regex *from;    /* of a name rule by regex, and of ttl and rcode rules */
	struct regex **answer; /* of the answer rules */
};

struct rewrite {
	struct rule *rules;
	size_t len;
	size_t options_max; /* octets that the edns0 rules come to */
	bool changes, tells_client;
};

/* Does @text end in @suffix, whatever the case? */
bool rewrite_ends_in(const char *text, const char *suffix);
/*
 * @to with {0}, {1}... replaced by what the groups matched, those that there are, as CoreDNS does;
 * false: too long.
 */
bool rewrite_substitute(const char *to, const struct regex_match *match, char *out, size_t size);
/*
 * The rule's new name for @name. False: it does not match; *wrong: it makes what is no name, or
 * whether it matches cannot be told.
 */
bool rewrite_new_name(const struct rule *rule, const struct dns_name *name,
		      struct regex_budget *budget, struct dns_name *out, bool *wrong);

#endif /* NODENS_REWRITE_PRIV_H */
