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
	struct datapath *dp = work->pinned.datapath;
	struct nodens_series series;

	memcpy(replies, work->agent_replies, sizeof(work->agent_replies));
	for (uint32_t i = 0; i < datapath__series_count(dp); i++) {
		if (datapath__series(dp, i, &series))
			continue;
		for (unsigned int k = 0; k < NODENS_SERIES_REPLIES; k++) {
			unsigned int rcode = k & ((1 << RCODE_BITS) - 1);

			replies[rcode < RCODE_COUNT ? rcode : RCODE_OTHER] += series.replies[k];
		}
	}
}

static void set_counters(struct tally *tally, const struct publish_base *before,
			 const struct publish_base *now, const uint64_t before_replies[RCODE_COUNT],
			 const uint64_t replies[RCODE_COUNT])
{
	tally->rates = (struct status_rates){};
	status__rates_between(&tally->rates, before, now);
	for (int i = 0; i < RCODE_COUNT; i++)
		tally->rcodes[i] =
			tally->rates.seconds > 0
				? (double)(replies[i] - before_replies[i]) / tally->rates.seconds
				: 0;
}

/* ---- upstreams ---- */

static void read_upstreams(struct traffic_work *work)
{
	struct traffic *traffic = &work->traffic;
	struct table table = { .fd = -1 };
	uint64_t now_ns = clock_now();
	double s = (double)(now_ns - work->upstreams_ns) / NSEC_PER_SEC;

	if (table__open(&table, datapath__dir(work->pinned.datapath), PUBLISH_UPSTREAMS,
			sizeof(struct publish_upstream)))
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

static void read_counters(struct traffic_work *work, struct publish_base *base)
{
	status__counters(work->pinned.datapath, datapath__dir(work->pinned.datapath), base);
}

static void read_node(struct traffic_work *work)
{
	struct publish_info info;
	struct table table = { .fd = -1 };

	if (table__open(&table, datapath__dir(work->pinned.datapath), PUBLISH_INFO, sizeof(info)))
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

/* Sampling needs slots beside it, and those a reading to begin with. */
static int set_one_in(struct traffic_work *work, uint32_t one_in)
{
	if (work->queries && one_in != work->one_in)
		session__set_one_in(work->queries, one_in);
	if (work->queries)
		work->one_in = one_in;
	if (work->one_in == 1) {
		work->hits_known = false;
		return 0;
	}
	return work->hits_known ? 0 : traffic_slots_read(work);
}

static int start(struct traffic_work *work)
{
	struct publish_base before, after;
	struct status_rates rates = {};
	int ret;

	read_counters(work, &before);
	usleep(MEASURE_US);
	read_counters(work, &after);
	status__rates_between(&rates, &before, &after);
	work->one_in = one_in_for(rates.queries);
	traffic_sessions_open(work);
	ret = set_one_in(work, work->one_in);
	if (ret < 0)
		return ret;
	read_upstreams(work);
	work->current.one_in = work->one_in;
	read_counters(work, &work->base);
	read_replies(work, work->replies);
	work->first_base = work->base;
	memcpy(work->first_replies, work->replies, sizeof(work->replies));
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
	ret = pinned__open(&work->pinned, command, opts->bpffs);
	if (ret >= 0) {
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
	pods__close(work->pods);
	tally_close(&work->current);
	tally_close(&traffic->last);
	tally_close(&traffic->all);
	free(traffic->upstreams);
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

void traffic__turn(struct traffic *traffic)
{
	struct traffic_work *work = work_of(traffic);

	traffic_sessions_read(work);
	read_pods(work);
}

static void close_tallies(struct traffic_work *work)
{
	struct traffic *traffic = &work->traffic;
	struct publish_base now;
	uint64_t replies[RCODE_COUNT], lost = traffic_sessions_lost(work);

	read_counters(work, &now);
	read_replies(work, replies);
	work->current.lost = lost > work->lost ? lost - work->lost : 0;
	traffic->all.lost += work->current.lost;
	work->lost = lost;
	work->current.gap_ns = traffic_sessions_gap();
	traffic->all.gap_ns += work->current.gap_ns;
	work->current.by_slots = work->one_in != 1;
	traffic->all.by_slots |= work->current.by_slots;
	if (work->current.one_in > traffic->all.one_in)
		traffic->all.one_in = work->current.one_in;
	set_counters(&work->current, &work->base, &now, work->replies, replies);
	set_counters(&traffic->all, &work->first_base, &now, work->first_replies, replies);
	work->base = now;
	memcpy(work->replies, replies, sizeof(replies));
}

int traffic__interval(struct traffic *traffic)
{
	struct traffic_work *work = work_of(traffic);
	uint32_t one_in;
	struct tally tally;
	int ret = 0;

	traffic_sessions_read(work);
	if (work->one_in != 1 && !work->opts->pod)
		ret = traffic_slots_read(work);
	if (ret < 0) {
		fprintf(stderr, "nodens %s: cannot read the cache: %s\n", work->command,
			strerror(-ret));
		return EXIT_FAILURE;
	}
	close_tallies(work);
	read_upstreams(work);
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
