/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What `nodens run` and `nodens check` begin with: flags, Corefile, plan.
 *
 * Contract: makes no kernel object. Errors are one line on stderr.
 */
#ifndef NODENS_CMD_CONFIG_H
#define NODENS_CMD_CONFIG_H

#include "config/nodecache.h"

/* -1: all is well, *conf is filled in; else an exit status, and it has been said why. */
int cmd_config__load(int argc, char **argv, const char *command, struct run_options *opts,
		     struct conf *conf);
/* What is odd about it but works. */
void cmd_config__warn(const struct run_options *opts, const struct conf *conf);

#endif /* NODENS_CMD_CONFIG_H */
