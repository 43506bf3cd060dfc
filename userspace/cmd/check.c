// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens check`: is this configuration right, and what does it come to?
 *
 * Contract: takes the flags of `nodens run`; touches nothing. Exit status 0,
 * or 1 with one line on stderr.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/config.h"
#include "base/log.h"

/* In comments, so that all of it together is a Corefile that reads the same. */
static void print_plan(const struct plan *plan)
{
	char text[SOCKADDR_TEXT];

	printf("# mode %s%s%s\n", plan->mode == MODE_STEER ? "steer" : "listen",
	       plan->why_mode ? ", because " : "", plan->why_mode ? plan->why_mode : "");
	printf("# answered in the kernel:");
	for (int i = 0; i < plan->n_served; i++)
		printf(" %s", served_addr__text(&plan->served[i], text, sizeof(text)));
	printf("%s\n# listens at:", plan->wildcard ? " every address of this machine" : "");
	for (int i = 0; i < plan->n_listen; i++)
		printf(" %s", sockaddr__text(&plan->listen[i].addr, text, sizeof(text)));
	printf("\n\n");
}

int cmd_check(int argc, char **argv)
{
	struct run_options opts;
	struct conf conf;
	int status;

	status = cmd_config__load(argc, argv, "check", &opts, &conf);
	if (status >= 0)
		return status;
	cmd_config__warn(&opts, &conf);
	run_options__print(&opts, stdout);
	print_plan(conf.plan);
	corefile__print(conf.cf, stdout);
	conf__free(&conf);
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
