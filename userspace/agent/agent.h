/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The agent as a whole: everything opened in order, one event loop, everything
 * closed again.
 *
 * Contract: returns when a signal ends it, or at once when it cannot start;
 * then one line has been logged and nothing of it is left on the node. The
 * only folder besides cmd/ that logs.
 */
#ifndef NODENS_AGENT_H
#define NODENS_AGENT_H

#include "config/nodecache.h"

/* 0 after a signal to end, -errno where it could not start or go on. */
/* Takes the Corefile out of @conf. */
int agent__run(const struct run_options *opts, struct conf *conf);

#endif /* NODENS_AGENT_H */
