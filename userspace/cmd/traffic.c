// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Spans of time, and what counters say of them. Contract: traffic.h.
 */
#include "cmd/traffic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "link/pods.h"
#include "publish/table.h"
#include "traffic_priv.h"

#define PODS_EVERY_NS (10 * NSEC_PER_SEC)
#define MEASURE_US    100000 /* for the first guess of how much there is */
#define LOOK_EVERY_NS (250 * NSEC_PER_MS)

/* ---- lists ---- */

static int tally_open(struct tally *tally)
{
	for (int i = 0; i < TRAFFIC_LISTS; i++) {
		bool clients = i == TRAFFIC_CLIENTS;
		int ret = heavy__new(clients ? sizeof(struct traffic_client) : TRAFFIC_KEY_MAX,
				     clients ? sizeof(struct traffic_use)
					     : sizeof(struct traffic_name),
				     &tally->lists[i]);

		if (ret)
			return ret;
	}
	return 0;
}

static void tally_close(struct tally *tally)
{
	for (int i = 0; i < TRAFFIC_LISTS; i++)
		heavy__free(tally->lists[i]);
}

static void tally_clear(struct tally *tally)
{
	for (int i = 0; i < TRAFFIC_LISTS; i++)
		heavy__clear(tally->lists[i]);
	tally->one_in = 0;
	tally->lost = 0;
	tally->gap_ns = 0;
	tally->by_slots = false;
}

/* ---- counters ---- */

/* The programs' replies so far, by rcode, and those that the agent told of. */
static void read_replies(struct traffic_work *work, uint64_t replies[RCODE_COUNT])
{
	struct datapath *dp = work->look.datapath;
	struct nodens_series series;

	memcpy(replies, work->agent_replies, sizeof(work->agent_replies));
	for (uint32_t i = 0; dp && i < datapath__series_count(dp); i++) {
		if (datapath__series(dp, i, &series))
			continue;
		for (unsigned int k = 0; k < NODENS_SERIES_REPLIES; k++) {
			unsigned int rcode = k & ((1 << RCODE_BITS) - 1);

			replies[rcode < RCODE_COUNT ? rcode : RCODE_OTHER] += series.replies[k];
		}
	}
}

static void read_counts(struct traffic_work *work, struct traffic_counts *counts)
{
	status__counters(work->look.datapath, work->look.dir, &counts->base);
	read_replies(work, counts->replies);
}

/* An agent that was started anew may count from 0. */
static void add_growth(uint64_t *sums, const uint64_t *before, const uint64_t *now, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sums[i] += now[i] >= before[i] ? now[i] - before[i] : now[i];
}

static void add_counts(struct traffic_counts *sum, const struct traffic_counts *before,
		       const struct traffic_counts *now)
{
	sum->base.at_ns += now->base.at_ns - before->base.at_ns;
	add_growth(sum->base.kernel, before->base.kernel, now->base.kernel, NODENS_CTR_COUNT);
	add_growth(sum->base.agent, before->base.agent, now->base.agent, AGENT_FIRST_GAUGE);
	add_growth(sum->replies, before->replies, now->replies, RCODE_COUNT);
}

/* Up to now. */
static void count(struct traffic_work *work)
{
	struct traffic_counts now;

	read_counts(work, &now);
	add_counts(&work->since, &work->at, &now);
	add_counts(&work->all, &work->at, &now);
	work->at = now;
}

static void set_counters(struct tally *tally, const struct traffic_counts *counts)
{
	static const struct publish_base none;

	tally->rates = (struct status_rates){};
	status__rates_between(&tally->rates, &none, &counts->base);
	for (int i = 0; i < RCODE_COUNT; i++)
		tally->rcodes[i] = tally->rates.seconds > 0
					   ? (double)counts->replies[i] / tally->rates.seconds
					   : 0;
}

/* ---- upstreams ---- */

static void read_upstreams(struct traffic_work *work)
{
	struct traffic *traffic = &work->traffic;
	struct table table = { .fd = -1 };
	uint64_t now_ns = clock_now();
	double s = (double)(now_ns - work->upstreams_ns) / NSEC_PER_SEC;

	if (table__open(&table, work->look.dir, PUBLISH_UPSTREAMS, sizeof(struct publish_upstream)))
		return;
	free(traffic->upstreams);
	traffic->upstreams = calloc(table.n + 1, sizeof(*traffic->upstreams));
	traffic->n_upstreams = traffic->upstreams ? table.n : 0;
	for (uint32_t i = 0; i < traffic->n_upstreams; i++) {
		struct traffic_upstream *up = &traffic->upstreams[i];
		const struct publish_upstream *before =
			i < work->n_upstreams ? &work->upstreams[i] : NULL;

		if (table__get(&table, i, &up->row))
			memset(&up->row, 0, sizeof(up->row));
		if (!before || strcmp(before->to, up->row.to) || before->proto != up->row.proto ||
		    before->queries > up->row.queries)
			continue;
		up->queries = (double)(up->row.queries - before->queries) / s;
		up->timeouts = (double)(up->row.timeouts - before->timeouts) / s;
		up->failures = (double)(up->row.failures - before->failures) / s;
	}
	table__close(&table);
	free(work->upstreams);
	work->upstreams = calloc(traffic->n_upstreams + 1, sizeof(*work->upstreams));
	work->n_upstreams = work->upstreams ? traffic->n_upstreams : 0;
	for (uint32_t i = 0; i < work->n_upstreams; i++)
		work->upstreams[i] = traffic->upstreams[i].row;
	work->upstreams_ns = now_ns;
}

/* ---- life ---- */

static void read_node(struct traffic_work *work)
{
	struct publish_info info;
	struct table table = { .fd = -1 };

	if (table__open(&table, work->look.dir, PUBLISH_INFO, sizeof(info)))
		return;
	if (!table__get(&table, 0, &info))
		memcpy(work->traffic.node, info.node, sizeof(work->traffic.node));
	work->traffic.node[sizeof(work->traffic.node) - 1] = '\0';
	table__close(&table);
}

static void read_pods(struct traffic_work *work)
{
	struct pods *pods;

	if (work->pods && clock_now() - work->pods_read_ns < PODS_EVERY_NS)
		return;
	work->pods_read_ns = clock_now();
	if (pods__open(NULL, work->opts->cni_results, &pods))
		return;
	pods__close(work->pods);
	work->pods = pods;
}

/* One in so many that some TRAFFIC_EXACT a second are seen; a power of 2. */
static uint32_t one_in_for(double rate)
{
	uint32_t one_in = 1;

	while (one_in < TRAFFIC_ONE_IN_MAX && rate / one_in > TRAFFIC_EXACT)
		one_in *= 2;
	return one_in;
}

static int set_one_in(struct traffic_work *work, uint32_t one_in)
{
	if (work->queries && one_in != work->one_in)
		session__set_one_in(work->queries, one_in);
	if (work->queries)
		work->one_in = one_in;
	return traffic_slots_begin(work);
}

/* Whether there is nothing of single queries that it might see and does not. */
static bool sees(const struct traffic_work *work, uint64_t which)
{
	return which == work->which && work->agent;
}

static int start(struct traffic_work *work)
{
	struct traffic_counts before, after;
	struct status_rates rates = {};
	int ret;

	work->which = look__which(&work->look);
	read_counts(work, &before);
	usleep(MEASURE_US);
	read_counts(work, &after);
	status__rates_between(&rates, &before.base, &after.base);
	ret = traffic_sessions_open(work, one_in_for(rates.queries));
	if (ret < 0)
		return ret;
	read_upstreams(work);
	traffic_devices_read(work);
	work->looked_ns = clock_now();
	work->saw = sees(work, work->which);
	read_counts(work, &work->at);
	return 0;
}

int traffic__open(const struct traffic_options *opts, const char *command, struct traffic **out)
{
	struct traffic_work *work = calloc(1, sizeof(*work));
	int ret;

	if (!work) {
		fprintf(stderr, "nodens %s: no memory\n", command);
		return EXIT_FAILURE;
	}
	work->opts = opts;
	work->command = command;
	work->suffix = opts->suffix;
	ret = look__open(&work->look, command, opts->bpffs);
	if (!ret && work->look.datapath && pinned__open(&work->pinned, command, opts->bpffs) >= 0)
		ret = EXIT_FAILURE;
	if (ret) {
		look__close(&work->look);
		free(work);
		return ret;
	}
	ret = tally_open(&work->current);
	if (!ret)
		ret = tally_open(&work->traffic.last);
	if (!ret)
		ret = tally_open(&work->traffic.all);
	if (!ret) {
		read_node(work);
		read_pods(work);
		ret = start(work);
	}
	if (!ret) {
		*out = &work->traffic;
		return -1;
	}
	fprintf(stderr, "nodens %s: cannot look at queries: %s\n", command, strerror(-ret));
	traffic__close(&work->traffic);
	return EXIT_FAILURE;
}

void traffic__close(struct traffic *traffic)
{
	struct traffic_work *work;

	if (!traffic)
		return;
	work = work_of(traffic);
	traffic_sessions_close(work);
	pinned__close(&work->pinned);
	look__close(&work->look);
	pods__close(work->pods);
	tally_close(&work->current);
	tally_close(&traffic->last);
	tally_close(&traffic->all);
	free(traffic->upstreams);
	free(traffic->devices);
	free((char *)traffic->no_session);
	free(work->upstreams);
	free(work->hits);
	free(work);
}

void traffic__set_suffix(struct traffic *traffic, const struct dns_name *suffix)
{
	struct traffic_work *work = work_of(traffic);

	work->suffix = *suffix;
	tally_clear(&work->current);
	tally_clear(&traffic->last);
	tally_clear(&traffic->all);
}

/* ---- time goes on ---- */

/* An agent's that was started anew. False: there is none, or not all of what it makes. */
static bool open_anew(struct traffic_work *work)
{
	struct pinned pinned = { .datapath = NULL };
	struct traffic_counts none = { .replies = {} };
	struct look look;

	if (look__try(&look, work->opts->bpffs, NULL))
		return false;
	if (look.datapath && pinned__try(&pinned, work->command, work->opts->bpffs, NULL)) {
		look__close(&look);
		return false;
	}
	traffic_sessions_read(work);
	traffic_sessions_count_lost(work);
	traffic_sessions_close(work);
	count(work);
	if (traffic_by_slots(work))
		traffic_slots_read(work);
	pinned__close(&work->pinned);
	look__close(&work->look);
	work->pinned = pinned;
	work->look = look;
	work->which = look__which(&look);
	work->hits_known = false;
	read_node(work);
	/* theirs began at 0 */
	none.base.at_ns = work->at.base.at_ns;
	memcpy(none.replies, work->agent_replies, sizeof(none.replies));
	work->at = none;
	return true;
}

/*
 * Opens maps and sessions again where they are not those of now, and notes for how long single
 * queries were not seen: from when it looked before.
 */
static void look_after(struct traffic_work *work)
{
	uint64_t which = look__which(&work->look);
	uint64_t now_ns = clock_now(), gap_ns = traffic_sessions_gap();

	if (!sees(work, which) && (which == work->which || open_anew(work))) {
		traffic_sessions_open(work, one_in_for(work->traffic.last.rates.queries));
		which = work->which;
	}
	if (!work->saw || !sees(work, which))
		gap_ns = now_ns - work->looked_ns;
	work->current.gap_ns += gap_ns;
	work->traffic.all.gap_ns += gap_ns;
	work->saw = sees(work, which);
	work->looked_ns = now_ns;
}

void traffic__turn(struct traffic *traffic)
{
	struct traffic_work *work = work_of(traffic);

	traffic_sessions_read(work);
	if (clock_now() >= work->looked_ns + LOOK_EVERY_NS)
		look_after(work);
	read_pods(work);
}

static void close_tallies(struct traffic_work *work)
{
	struct traffic *traffic = &work->traffic;

	traffic_sessions_count_lost(work);
	count(work);
	work->current.by_slots = work->one_in != 1;
	traffic->all.by_slots |= work->current.by_slots;
	if (work->current.one_in > traffic->all.one_in)
		traffic->all.one_in = work->current.one_in;
	set_counters(&work->current, &work->since);
	set_counters(&traffic->all, &work->all);
	if (work->opts->search_paths)
		traffic_search_all(&traffic->all);
	work->since = (struct traffic_counts){};
}

int traffic__interval(struct traffic *traffic)
{
	struct traffic_work *work = work_of(traffic);
	uint32_t one_in;
	struct tally tally;
	int ret = 0;

	traffic_sessions_read(work);
	look_after(work);
	if (traffic_by_slots(work))
		ret = traffic_slots_read(work);
	if (ret < 0) {
		fprintf(stderr, "nodens %s: cannot read the cache: %s\n", work->command,
			strerror(-ret));
		return EXIT_FAILURE;
	}
	close_tallies(work);
	read_upstreams(work);
	traffic_devices_read(work);
	one_in = one_in_for(work->current.rates.queries);
	if (work->current.lost && one_in <= work->one_in && work->one_in < TRAFFIC_ONE_IN_MAX)
		one_in = 2 * work->one_in;
	tally = traffic->last;
	traffic->last = work->current;
	work->current = tally;
	tally_clear(&work->current);
	ret = set_one_in(work, one_in);
	work->current.one_in = work->one_in;
	return ret < 0 ? EXIT_FAILURE : -1;
}
