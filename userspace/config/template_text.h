/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Text with holes, as Go's templates write it, and what fills them.
 *
 * Contract: pure but for malloc. Of Go's templates the actions of FORM_ACTIONS are known, with - to
 * trim blanks; so what comes out depends on a question's name, type and class alone.
 */
#ifndef NODENS_TEMPLATE_FORM_H
#define NODENS_TEMPLATE_FORM_H

#include "base/regex.h"

#define FORM_ACTIONS                                                                          \
	".Name, .Type, .Class, .Zone, .Group.NAME, index .Match N, index .Group \"NAME\" or " \
	"parseInt .Group.NAME BASE BITS"

struct form;

struct form_values {
	const char *name, *type, *class, *zone;
	const struct regex *regex; /* that matched; NULL: there is none, and everything matches */
	struct regex_match match;
};

/* @text must outlive the form. -EINVAL with @why; -ENOMEM. */
int form__read(const char *text, struct form **out, char *why, size_t why_size);
/* Could the parser take this text? Errors as form__read(). */
int form__check(const char *text, char *why, size_t why_size);
void form__free(struct form *form);
/* The same text whatever the question's name and type? */
bool form__is_constant(const struct form *form);
/* -EINVAL: a group that the expression does not have, or is no number; -ENOSPC. */
int form__fill(const struct form *form, const struct form_values *values, char *out, size_t size);

#endif /* NODENS_TEMPLATE_FORM_H */
