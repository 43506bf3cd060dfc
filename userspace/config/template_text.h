/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Text with actions, as Go's templates write it, and what they are replaced by.
 *
 * Contract: pure but for malloc. Of Go's templates the actions of TEMPLATE_ACTIONS are known, with
 * - to trim blanks; so what comes out depends on a question's name, type and class alone.
 */
#ifndef NODENS_TEMPLATE_TEXT_H
#define NODENS_TEMPLATE_TEXT_H

#include "base/regex.h"

#define TEMPLATE_ACTIONS                                                                      \
	".Name, .Type, .Class, .Zone, .Group.NAME, index .Match N, index .Group \"NAME\" or " \
	"parseInt .Group.NAME BASE BITS"

struct record_template;

struct template_values {
	const char *name, *type, *class, *zone;
	const struct regex *regex; /* that matched; NULL: there is none, and everything matches */
	struct regex_match match;
};

/* @text must outlive it. -EINVAL with @why; -ENOMEM. */
int record_template__parse(const char *text, struct record_template **out, char *why,
			   size_t why_size);
/* Could the parser take this text? Errors as record_template__parse(). */
int record_template__check(const char *text, char *why, size_t why_size);
void record_template__free(struct record_template *record);
/* The same text whatever the question's name and type? */
bool record_template__is_constant(const struct record_template *record);
/* -EINVAL: a group that the expression does not have, or is no number; -ENOSPC. */
int record_template__execute(const struct record_template *record,
			     const struct template_values *values, char *out, size_t size);

#endif /* NODENS_TEMPLATE_TEXT_H */
