/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The configuration read again, while queries are answered.
 *
 * Contract: what cannot be taken leaves what there is at work, and is one line in the log.
 */
#ifndef NODENS_RELOAD_H
#define NODENS_RELOAD_H

#include "base/counters.h"
#include "config/nodecache.h"

struct reload_config {
	const struct run_options *opts;
	struct agent_stats *stats;
	const struct corefile *(*corefile)(void *ctx); /* at work */
	const struct plan *(*plan)(void *ctx);	       /* likewise */
	/* To be at work from now on; takes @cf over, on failure as well, which has been logged. */
	int (*take)(void *ctx, struct corefile *cf, const struct plan *plan);
	void (*refused)(void *ctx); /* a ConfigMap that is read besides the Corefile */
	void *ctx;
};

struct reload;

/* Takes @watch over: what the configuration at work was made of. -ENOMEM. */
int reload_open(const struct reload_config *config, struct conf_watch *watch, struct reload **out);
void reload_close(struct reload *reload);

/* @reason for the log. */
void reload_now(struct reload *reload, const char *reason);
/* Each second: is it time to look, and does it read differently? */
void reload_watch(struct reload *reload, uint64_t now_ns);

/* Seconds since 1970: when the configuration at work was read. */
int64_t reload_read_s(const struct reload *reload);
/* Why it stayed when it was read again last, and since when that is so; NULL: it did not. */
const char *reload_refused(const struct reload *reload, int64_t *since_s);

#endif /* NODENS_RELOAD_H */
