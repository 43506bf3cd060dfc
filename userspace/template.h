/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The template plugin: answers written as text with holes.
 *
 * Contract: pure but for malloc. Of Go's templates these actions are known: .Name .Type .Class
 * .Zone .Group.NAME .Match, index .Match N, index .Group "NAME", with - to trim blanks. So what a
 * template says depends on the question alone.
 */
#ifndef NODENS_TEMPLATE_H
#define NODENS_TEMPLATE_H

#include "local.h"

struct templates;

/* -EINVAL with @err: a regular expression or an action that is not known; -ENOMEM. */
int template__open(const struct corefile_template *list, size_t len,
		   const struct corefile_zones *block_zones, struct templates **out, char *err,
		   size_t err_size);
void template__close(struct templates *templates);

/* Could the parser take this text? Fills @why. */
int template__check(const char *text, char *why, size_t why_size);

enum local_result template__answer(const struct templates *templates,
				   const struct local_query *query, struct answer **out);

/* Names, with the dot at their end, that alone are matched: for preloading. */
void template__exact(const struct templates *templates,
		     void (*fn)(void *ctx, const struct dns_name *name, uint16_t qtype), void *ctx);
/*
 * Suffixes at and below which every question is answered NXDOMAIN; @nxdomain is that answer, with
 * the SOA that the template gives it, if any.
 */
void template__blackholes(const struct templates *templates,
			  void (*fn)(void *ctx, const struct dns_name *suffix,
				     const struct answer *nxdomain),
			  void *ctx);

#endif /* NODENS_TEMPLATE_H */
