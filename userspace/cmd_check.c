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
	struct corefile *cf;
	struct plan *plan;
	int status;

	status = cmd_config__load(argc, argv, "check", &opts, &cf, &plan);
	if (status >= 0)
		return status;
	for (size_t i = 0; i < cf->warnings_len; i++)
		log_warn("%s", cf->warnings[i]);
	if (plan->warning[0])
		log_warn("%s", plan->warning);
	corefile__print(cf, stdout);
	free(plan);
	corefile__free(cf);
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
