// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens top`: what is asked most on this node, by whom, and what takes long.
 *
 * Contract: reads only, but for sessions of its own. Exit status 0, 1 where it could not go on, 2
 * for wrong usage.
 */
#include "cmd/top.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "watch/session.h"

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

static void handle_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void print_line(void *ctx, const char *line)
{
	(void)ctx;
	puts(line);
}

/* False: nobody reads it any more. */
static bool print_interval(const struct top_options *opts, const struct top *top, bool first)
{
	if (opts->json) {
		print_json_value(top__json(top), JSON_COMPACT | JSON_REAL_PRECISION(8));
		putchar('\n');
	} else {
		if (!first)
			putchar('\n');
		top__head(top, print_line, NULL);
		top__table(top, print_line, NULL);
	}
	return !fflush(stdout);
}

/* One interval: reads what comes, and shows the one before while it waits. */
static bool wait_interval(struct top *top, uint64_t until_ns, bool screen)
{
	uint64_t now_ns;

	while (!ended && (now_ns = clock_now()) < until_ns) {
		int left_ms = (int)((until_ns - now_ns) / NSEC_PER_MS) + 1;
		bool changed = false;

		if (left_ms > SESSION_READ_MS)
			left_ms = SESSION_READ_MS;
		if (!screen)
			poll(NULL, 0, left_ms);
		else if (!top_screen__wait(top, left_ms, &changed))
			return false;
		if (changed)
			top_screen__draw(top);
		traffic__turn(top->traffic);
	}
	return !ended;
}

static int watch(const struct top_options *opts, struct top *top, bool screen)
{
	uint64_t interval_ns = opts->interval_s * NSEC_PER_SEC, at_ns = clock_now();
	int ret = EXIT_SUCCESS;

	if (screen)
		top_screen__draw(top);
	for (bool first = true;; first = false) {
		at_ns += interval_ns;
		if (!wait_interval(top, at_ns, screen))
			break;
		/* a reading that took longer than an interval is followed by a whole one */
		ret = traffic__interval(top->traffic);
		if (ret >= 0)
			break;
		ret = EXIT_SUCCESS;
		if (clock_now() > at_ns + interval_ns)
			at_ns = clock_now();
		if (screen)
			top_screen__draw(top);
		else if (!print_interval(opts, top, first) || opts->once)
			break;
	}
	return ret;
}

static const char about[] =
	"Shows what is asked most on this node, and by whom: hot names, names that do not exist,\n"
	"clients (as NAMESPACE/POD where that is known), what misses waited for longest, "
	"timeouts,\n"
	"upstreams, devices. On a terminal as a screen (keys 1 to 7 or s: what is shown; /: names "
	"below a\n"
	"suffix; r: since the start or of the last interval; q: end), else as a table each\n"
	"interval.\n"
	"\n"
	"Up to 10,000 queries a second all are seen. Above that one in 2 to 64 is, and cached "
	"names\n"
	"are counted by samples of their slots: +-% says two standard deviations. Shares and "
	"rcodes\n"
	"of the head, and what is said of devices, are exact.";

static const struct option_row rows[] = {
	{ "n", "ROWS", "so many rows (20)", .kind = &option_u32, offsetof(struct top_options, rows),
	  "is not from 1 to 1000", 1, 1000 },
	{ "d", "SECONDS", "an interval (1)", .kind = &option_u32,
	  offsetof(struct top_options, interval_s), "is not from 1 to 3600", 1, 3600 },
	{ "s", "WHAT", "names, nx, clients, slow, timeouts, upstreams or devices (names)",
	  .kind = &option_choice, offsetof(struct top_options, view),
	  "is none of names, nx, clients, slow, timeouts, upstreams, devices", 0, TOP_VIEWS - 1,
	  top_views },
	{ "f", "SUFFIX", "names below it alone", .kind = &option_text,
	  offsetof(struct top_options, suffix), "is no name" },
	{ "p", "POD", "of this NAMESPACE/POD, or address, alone", .kind = &option_text,
	  offsetof(struct top_options, traffic.pod), "is no pod" },
	{ "once", NULL, "one table, after one interval", .kind = &option_switch,
	  offsetof(struct top_options, once) },
	{ "json", NULL, "one JSON object a line each interval: docs/schema/top.json",
	  .kind = &option_switch, offsetof(struct top_options, json) },
	PINNED_BPFFS_ROW(offsetof(struct top_options, traffic.bpffs)),
	PINNED_CNI_ROW(offsetof(struct top_options, traffic.cni_results)),
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

int cmd_top(int argc, char **argv)
{
	struct top_options opts = {
		.rows = 20,
		.interval_s = 1,
		.suffix = ".",
		.traffic = { .bpffs = NODENS_PIN_DIR, .cni_results = NODENS_CNI_RESULTS },
	};
	struct top top = {};
	bool screen;
	int ret = pinned__parse(argv[0], rows, N_ROWS, &opts, argc, argv, "", about, NULL);

	if (ret >= 0)
		return ret;
	if (dns_name__from_text(&opts.traffic.suffix, opts.suffix)) {
		fprintf(stderr, "nodens top: -f: \"%s\" is no name\n", opts.suffix);
		return EXIT_USAGE;
	}
	handle_signals();
	ret = traffic__open(&opts.traffic, argv[0], &top.traffic);
	if (ret >= 0)
		return ret;
	top.tally = &top.traffic->last;
	top.view = opts.view;
	top.rows = opts.rows;
	top.columns = isatty(STDOUT_FILENO) ? status__columns() : 0;
	screen = !opts.once && !opts.json && top_screen__open();
	ret = watch(&opts, &top, screen);
	if (screen)
		top_screen__close();
	traffic__close(top.traffic);
	return ret ? ret : pinned__finish(argv[0]);
}
