// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Flags, Corefile and plan, checked. Contract: config.h.
 */
#include "cmd/cmd.h"
#include "cmd/config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/version.h"
#include "config/corefile.h"

/* As CoreDNS lists them. */
static void show_plugins(void)
{
	const char *name;

	printf("Server types:\n  dns\n\nOther plugins:\n");
	for (size_t i = 0; (name = corefile__directive(i)); i++)
		printf("  dns.%s\n", name);
}

int cmd_config__load(int argc, char **argv, const char *command, struct run_options *opts,
		     struct conf *conf)
{
	struct error err = { .text = "" };
	int ret = run_options__parse(opts, argc, argv, &err);

	if (ret == -ECANCELED) {
		printf("usage: nodens %s [FLAG...]\n\n", command);
		run_options__help(stdout);
		return EXIT_SUCCESS;
	}
	log__set_format(ret ? run_options__log_format(argc, argv) : opts->log_format);
	if (ret) {
		log_error("%s", err.text);
		return EXIT_USAGE;
	}
	if (opts->show == SHOW_VERSION) {
		printf("nodens %s (%s)\n", version__number, version__revision);
		return EXIT_SUCCESS;
	}
	if (opts->show == SHOW_PLUGINS) {
		show_plugins();
		return EXIT_SUCCESS;
	}
	if (!conf__load(opts, conf, &err))
		return -1;
	conf__free(conf);
	log_error("%s", err.text);
	return EXIT_FAILURE;
}

void cmd_config__warn(const struct run_options *opts, const struct conf *conf)
{
	for (unsigned int i = 0; i < opts->n_ignored; i++)
		log_info("%s", opts->ignored[i]);
	for (size_t i = 0; i < conf->cf->warnings_len; i++)
		log_warn("%s", conf->cf->warnings[i]);
	for (size_t i = 0; i < conf->notes.len; i++)
		log_warn("%s", conf->notes.text[i]);
	if (conf->plan->warning[0])
		log_warn("%s", conf->plan->warning);
}
