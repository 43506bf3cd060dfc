/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The link of -setupinterface: there while the agent is, looked after each
 * second.
 *
 * Contract: what is put right is a line in the log each time; what cannot be is
 * one, and one more when it could be after all.
 */
#ifndef NODENS_LOCAL_LINK_H
#define NODENS_LOCAL_LINK_H

#include "config/flags.h"

struct local_link;

struct local_link_config {
	const struct run_options *opts;
	/* It could not be put right; @missing: it is not there at all. */
	void (*failed)(void *ctx, bool missing);
	void *ctx;
};

/* *out NULL: none is wanted. -errno: it has been logged. */
int local_link_open(const struct local_link_config *config, struct local_link **out);
/* Once the sockets are bound: until then it may be somebody else's. */
int local_link_keep(struct local_link *link);
void local_link_review(struct local_link *link);
void local_link_close(struct local_link *link, bool remove);

#endif /* NODENS_LOCAL_LINK_H */
