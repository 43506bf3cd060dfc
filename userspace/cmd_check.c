// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens check`: is this configuration right, and what does it come to?
 *
 * Contract: takes the flags of `nodens run`; touches nothing. Exit status 0,
 * or 1 with one line on stderr.
 */
#include <stdlib.h>

#include "cmd.h"
#include "cmd_config.h"
#include "log.h"

int cmd_check(int argc, char **argv)
{
	struct run_options opts;
	struct conf conf;
	int status;

	status = cmd_config__load(argc, argv, "check", &opts, &conf);
	if (status >= 0)
		return status;
	cmd_config__warn(&opts, &conf);
	corefile__print(conf.cf, stdout);
	conf__free(&conf);
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
