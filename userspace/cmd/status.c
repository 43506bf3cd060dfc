// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens status`: how it goes on this node, and what is wrong.
 *
 * Contract: reads only. Exit status 0 well, 1 degraded, 2 usage, 3 not running, 4 no permission.
 */
#include "cmd/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/pinned.h"

#define WATCH_S 2

struct status_options {
	bool json, watch;
	const char *bpffs, *cni_results;
};

static const char about[] =
	"Says how it goes on this node: problems first, then the agent, the addresses served,\n"
	"devices, cache, queries of the last 10 s and upstreams. Works while the agent lives,\n"
	"hangs or is dead, and without the kernel path.\n"
	"\n"
	"Exit status: 0 well, 1 degraded, 2 wrong usage, 3 not running, 4 no permission.";

static const struct option_row rows[] = {
	{ "json", NULL, "one JSON object: docs/schema/status.json", .kind = &option_switch,
	  offsetof(struct status_options, json) },
	{ "watch", NULL, "again every 2 s, until it is stopped", .kind = &option_switch,
	  offsetof(struct status_options, watch) },
	PINNED_BPFFS_ROW(offsetof(struct status_options, bpffs)),
	PINNED_CNI_ROW(offsetof(struct status_options, cni_results)),
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

int status__exit(const struct status *status, const struct problems *problems)
{
	if (status->agent == STATUS_DEAD)
		return EXIT_NOT_RUNNING;
	return problems->n && problems->list[0].severity != SEVERITY_NOTICE ? EXIT_DEGRADED : 0;
}

/* Without names the rest is as true. */
static void name_pods(const struct status_options *opts, struct status *status)
{
	int ret = status__name_pods(status, opts->cni_results);

	if (ret)
		fprintf(stderr, "nodens status: cannot find out pods' names: %s\n", strerror(-ret));
}

static int show(const struct status_options *opts)
{
	struct problems problems;
	struct status status;
	int ret = status__read(opts->bpffs, &status);

	if (ret < 0) {
		name_pods(opts, &status);
		status__problems(&status, &problems);
		ret = status__exit(&status, &problems);
		if (opts->json) {
			print_json_value(status__json(&status, &problems),
					 (opts->watch ? JSON_COMPACT : JSON_INDENT(1)) |
						 JSON_REAL_PRECISION(10));
			putchar('\n');
		} else {
			status__print(&status, &problems, status__columns());
		}
	}
	status__free(&status);
	return ret;
}

static int watch(const struct status_options *opts)
{
	bool screen = isatty(STDOUT_FILENO) && !opts->json;
	int ret;

	for (bool first = true;; first = false) {
		if (screen)
			fputs("\033[H\033[2J", stdout);
		else if (!first && !opts->json)
			putchar('\n');
		ret = show(opts);
		if (ret == EXIT_NO_PERMISSION || pinned__finish("status"))
			return ret ? ret : EXIT_DEGRADED;
		sleep(WATCH_S);
	}
}

int cmd_status(int argc, char **argv)
{
	struct status_options opts = { .bpffs = NODENS_PIN_DIR, .cni_results = NODENS_CNI_RESULTS };
	int ret = pinned__parse(argv[0], rows, N_ROWS, &opts, argc, argv, "", about, NULL);

	if (ret >= 0)
		return ret;
	if (opts.watch)
		return watch(&opts);
	ret = show(&opts);
	return pinned__finish(argv[0]) ? EXIT_DEGRADED : ret;
}
