// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens report`: watches for a while, and says what to change.
 *
 * Contract: reads only, but for sessions of its own. Exit status 0 nothing to report, 1 something,
 * or names and pods were not seen, 2 usage, 3 not running, 4 no permission.
 */
#include "cmd/report.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "watch/session.h"

#define FOR_MAX_S 3600

struct report_options {
	bool json;
	const char *span;
	struct traffic_options traffic;
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

static const char about[] =
	"Watches this node's queries for a while, then says what to change, the worst first, each\n"
	"with a number: search paths, short TTLs, truncated answers, upstreams, the cache's size, "
	"a\n"
	"pod that floods. What was seen is reported also where it is interrupted.\n"
	"\n"
	"Exit status: 0 nothing to report, 1 something, or names and pods could not be seen,\n"
	"2 wrong usage, 3 not running, 4 no permission.";

static const struct option_row rows[] = {
	{ "for", "TIME", "how long it watches: 5s, 2m (60s)", .kind = &option_text,
	  offsetof(struct report_options, span), "is no time" },
	{ "json", NULL, "one JSON object: docs/schema/report.json", .kind = &option_switch,
	  offsetof(struct report_options, json) },
	PINNED_BPFFS_ROW(offsetof(struct report_options, traffic.bpffs)),
	PINNED_CNI_ROW(offsetof(struct report_options, traffic.cni_results)),
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* Seconds, or 0: it is none from 1 s to an hour. */
static unsigned int seconds_of(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || n > FOR_MAX_S)
		return 0;
	if (!strcmp(end, "m"))
		n *= 60;
	else if (strcmp(end, "s") != 0 && *end)
		return 0;
	return n <= FOR_MAX_S ? n : 0;
}

/* An exit status, said, or -1. */
static int watch(struct traffic *traffic, unsigned int seconds)
{
	uint64_t end_ns = clock_now() + seconds * NSEC_PER_SEC;
	uint64_t interval_ns = clock_now() + NSEC_PER_SEC;
	int ret = -1;

	while (!ended && clock_now() < end_ns && ret < 0) {
		poll(NULL, 0, SESSION_READ_MS);
		traffic__turn(traffic);
		if (clock_now() < interval_ns)
			continue;
		ret = traffic__interval(traffic);
		interval_ns = clock_now() + NSEC_PER_SEC;
	}
	return ret < 0 ? traffic__interval(traffic) : ret;
}

/* What was watched, and how well. */
struct watched {
	struct traffic *traffic;
	const struct status *before;
	const char *not_seen; /* why, or NULL */
	bool restarted;	      /* the agent */
};

/* What an item that has no counter may have been, at most, a second. */
static double bound(const struct watched *watched, enum traffic_list list)
{
	const struct traffic *traffic = watched->traffic;

	if (traffic->all.rates.seconds <= 0)
		return 0;
	return (double)heavy__bound(traffic->all.lists[list]) / traffic->all.rates.seconds;
}

static json_t *left_out_json(const struct report *report)
{
	json_t *left_out = json_object();

	for (size_t i = 0; i < REPORT_CODES && report->left_out[i].n; i++)
		json_object_set_new(left_out, report->left_out[i].code,
				    json_integer((json_int_t)report->left_out[i].n));
	return left_out;
}

static void print_json(const struct report *report, const struct watched *watched)
{
	const struct tally *all = &watched->traffic->all;
	json_t *findings = json_array();
	char node[64];

	for (size_t i = 0; i < report->n; i++) {
		const struct finding *finding = &report->list[i];

		json_array_append_new(findings,
				      json_pack("{ss ss ss ss sO}", "code", finding->code,
						"subject", finding->subject, "text", finding->text,
						"fix", finding->fix, "figures", finding->figures));
	}
	print_json_value(
		json_pack("{si ss sf sf sf sb sI ss? s{sf sf} so so}", "schema", 1, "node",
			  text__printable(node, sizeof(node), watched->before->info.node),
			  "seconds", all->rates.seconds, "gap_s", (double)all->gap_ns / 1e9,
			  "queries", all->rates.queries, "restarted", watched->restarted, "lost",
			  (json_int_t)all->lost, "not_seen", watched->not_seen, "bound", "names",
			  bound(watched, TRAFFIC_NAMES), "clients", bound(watched, TRAFFIC_CLIENTS),
			  "left_out", left_out_json(report), "findings", findings),
		JSON_INDENT(1) | JSON_REAL_PRECISION(8));
	putchar('\n');
}

/* What the numbers lack. */
static void print_limits(const struct report *report, const struct watched *watched)
{
	const struct traffic *traffic = watched->traffic;
	double names = bound(watched, TRAFFIC_NAMES), clients = bound(watched, TRAFFIC_CLIENTS);

	for (size_t i = 0; i < REPORT_CODES && report->left_out[i].n; i++)
		printf("Of %s there are %zu more; the %d worst are listed.\n",
		       report->left_out[i].code, report->left_out[i].n, REPORT_PER_CODE);
	if (watched->not_seen)
		printf("Not all names and pods were seen: %s\n", watched->not_seen);
	if (traffic->all.gap_ns)
		printf("Of %.1f s names and pods were not seen for %.1f s: their numbers are too "
		       "low.\n",
		       traffic->all.rates.seconds, (double)traffic->all.gap_ns / 1e9);
	if (watched->restarted)
		puts("The agent was started anew meanwhile: evictions were not counted.");
	if (traffic->all.lost)
		printf("%llu events were lost: numbers of names and pods are too low.\n",
		       (unsigned long long)traffic->all.lost);
	if (names > 0)
		printf("More than %d names were asked for: one that is not counted has at most "
		       "%.1f q/s.\n",
		       HEAVY_COUNTERS, names);
	if (clients > 0)
		printf("More than %d clients have asked: one that is not counted has at most %.1f "
		       "q/s.\n",
		       HEAVY_COUNTERS, clients);
}

static void print_text(const struct report *report, const struct watched *watched)
{
	for (size_t i = 0; i < report->n; i++) {
		const struct finding *finding = &report->list[i];

		printf("%zu %s%s%s %s\n", i + 1, finding->subject, finding->subject[0] ? ": " : "",
		       finding->text, finding->fix);
	}
	if (!report->n)
		puts(watched->not_seen ? "nothing to report of what was seen"
				       : "nothing to report");
	print_limits(report, watched);
}

/* What there is to say of the time that is over; the exit status. */
static int say(const struct report_options *opts, struct traffic *traffic,
	       const struct status *before, const struct status *after)
{
	struct watched watched = {
		.traffic = traffic,
		.before = before,
		.not_seen = traffic->no_session,
		.restarted = after && after->info.started_ns &&
			     after->info.started_ns != before->info.started_ns,
	};
	static struct report report;
	int ret;

	report__find(&report, traffic, before, after);
	if (opts->json)
		print_json(&report, &watched);
	else
		print_text(&report, &watched);
	ret = report.n || watched.not_seen ? EXIT_DEGRADED : 0;
	report__free(&report);
	return ret;
}

static int not_running(void)
{
	fprintf(stderr, "nodens is not running here: `nodens status` says more\n");
	return EXIT_NOT_RUNNING;
}

/* Where there is no agent at the end, what was seen of names and pods is reported all the same. */
static int look(const struct report_options *opts, unsigned int seconds, struct status *before,
		struct status *after)
{
	struct traffic *traffic = NULL;
	int ret = traffic__open(&opts->traffic, "report", &traffic), said;

	if (ret < 0)
		ret = watch(traffic, seconds);
	if (ret < 0) {
		ret = status__read(opts->traffic.bpffs, after);
		if (ret < 0 && after->agent == STATUS_DEAD)
			ret = not_running();
		said = say(opts, traffic, before, ret < 0 ? after : NULL);
		ret = ret < 0 ? said : ret;
	}
	traffic__close(traffic);
	return ret;
}

int cmd_report(int argc, char **argv)
{
	struct report_options opts = {
		.span = "60s",
		.traffic = { .search_paths = true,
			     .bpffs = NODENS_PIN_DIR,
			     .cni_results = NODENS_CNI_RESULTS },
	};
	struct sigaction action = { .sa_handler = on_signal };
	struct status before = {}, after = {};
	unsigned int seconds;
	int ret = pinned__parse(argv[0], rows, N_ROWS, &opts, argc, argv, "", about, NULL);

	if (ret >= 0)
		return ret;
	seconds = seconds_of(opts.span);
	if (!seconds || dns_name__from_text(&opts.traffic.suffix, ".")) {
		fprintf(stderr, "nodens report: --for: \"%s\" is not from 1s to 60m\n", opts.span);
		return EXIT_USAGE;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	ret = status__read(opts.traffic.bpffs, &before);
	if (ret < 0 && before.agent == STATUS_DEAD)
		ret = not_running();
	if (ret < 0)
		ret = look(&opts, seconds, &before, &after);
	status__free(&before);
	status__free(&after);
	return pinned__finish(argv[0]) ? EXIT_DEGRADED : ret;
}
