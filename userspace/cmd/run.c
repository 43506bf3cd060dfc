// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens run`: the agent in the foreground.
 *
 * Contract: everything that flags and Corefile say is checked before the
 * first kernel object is made. Exit status 0 after SIGTERM, SIGINT or SIGQUIT,
 * 1 when it could not start or go on, 2 for wrong flags.
 */
#include "cmd/cmd.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/agent.h"
#include "cmd/config.h"

/*
 * Buffers of this size and more are mapped, so that of each only the pages that it uses are there.
 * This is glibc's own figure. Unless it is set glibc raises it to the size of the largest buffer
 * that is freed, the Corefile's among them, and all that come after it lie in the heap.
 */
#define MAPPED_FROM (128 * 1024)

int cmd_run(int argc, char **argv)
{
	struct run_options opts;
	struct conf conf;
	int status;

	mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
	status = cmd_config__load(argc, argv, "run", &opts, &conf);
	if (status >= 0)
		return status;
	log__set_level(opts.log_level);
	status = agent__run(&opts, &conf) ? EXIT_FAILURE : EXIT_SUCCESS;
	conf__free(&conf);
	return status;
}
