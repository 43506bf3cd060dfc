// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Flags, Corefile and plan, checked. Contract: cmd_config.h.
 */
#include "cmd_config.h"

#include <errno.h>
#include <stdlib.h>

#include "log.h"

static int load_corefile(const struct run_options *opts, struct corefile **cf)
{
	struct corefile_error err = { .text = "" };
	int ret = corefile__load(opts->conf, cf, &err);

	if (ret)
		log_error("%s", err.text);
	return ret;
}

int cmd_config__load(int argc, char **argv, const char *command, struct run_options *opts,
		     struct corefile **cf, struct plan **plan)
{
	struct options_error err = { .text = "" };
	int ret = run_options__parse(opts, argc, argv, &err);

	if (ret == -ECANCELED) {
		printf("usage: nodens %s [FLAG...]\n\n", command);
		run_options__help(stdout);
		return EXIT_SUCCESS;
	}
	if (ret) {
		log_error("%s", err.text);
		return EXIT_USAGE;
	}
	if (load_corefile(opts, cf))
		return EXIT_FAILURE;
	*plan = calloc(1, sizeof(**plan));
	if (*plan && !plan__make(opts, *cf, *plan, &err))
		return -1;
	log_error("%s", *plan ? err.text : "out of memory");
	free(*plan);
	corefile__free(*cf);
	return EXIT_FAILURE;
}
