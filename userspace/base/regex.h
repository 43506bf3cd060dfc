/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Regular expressions out of the configuration, on PCRE2.
 *
 * Contract: CoreDNS' are Go's (RE2), which PCRE2 reads but for rare corners. Matching is bounded,
 * for one name and for all names of a message: whether an expression that takes too long for a name
 * matches it is not known, and the caller has to take that for a failure, not for a no.
 */
#ifndef NODENS_REGEX_H
#define NODENS_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGEX_GROUPS 64 /* the whole, and more than the 32 nibbles of an IPv6 address */

/* Of a message: one name that needs as many as a name may (333,000), and three that need a tenth.
 */
#define REGEX_STEPS 450000

struct regex;

/* What matches of one message have taken beyond what each has for nothing; begins as zeros. */
struct regex_budget {
	uint32_t steps;
};

struct regex_match {
	const char *subject;
	size_t n; /* groups of the expression, the whole included; what matched nothing is empty */
	struct {
		size_t at, len;
	} group[REGEX_GROUPS];
};

/* -EINVAL with what is wrong in @why, -ENOMEM. */
int regex__open(const char *pattern, struct regex **out, char *why, size_t why_size);
void regex__close(struct regex *regex);
/* 1, 0; -ELOOP: a bound was reached; *match is then untouched, as with 0. */
int regex__match(const struct regex *regex, const char *subject, struct regex_budget *budget,
		 struct regex_match *match);
/* The number of a named group; -ENOENT. */
int regex__group(const struct regex *regex, const char *name);

#endif /* NODENS_REGEX_H */
