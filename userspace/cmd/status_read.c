// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Where `nodens status` has what it knows from: the agent's tables, the control block, counters.
 * Contract: status.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/pinned.h"
#include "cmd/status.h"
#include "datapath/device_counts.h"
#include "link/node_lock.h"
#include "publish/table.h"

/* Programs are loaded meanwhile, by a verifier that may take its time. */
#define STARTING_NS (60 * NSEC_PER_SEC)
/* What an agent that hangs left as a base is no longer near now. */
#define BASE_MAX_NS (15 * NSEC_PER_SEC)
/* The same of a device's counts: one of many has its turn later. */
#define DEVICE_BASE_MAX_NS (40 * NSEC_PER_SEC)

/* ---- the tables ---- */

static int no_permission(const char *what)
{
	fprintf(stderr, "nodens status: %s: no permission: run as root\n", what);
	return EXIT_NO_PERMISSION;
}

/* Rows of a table that are in use, malloc'd. That there is no table is no failure. */
static void *rows_of(const char *dir, const char *name, uint32_t row_size, size_t *n)
{
	struct table table = { .fd = -1 };
	char *rows;

	*n = 0;
	if (table__open(&table, dir, name, row_size))
		return NULL;
	rows = calloc(table.n + 1, row_size);
	for (uint32_t i = 0; rows && i < table.n; i++)
		*n += !table__get(&table, i, rows + *n * row_size);
	table__close(&table);
	return rows;
}

static void read_devices(struct status *status, const char *dir)
{
	size_t n, used = 0;
	struct publish_device *rows = rows_of(dir, PUBLISH_DEVICES, sizeof(*rows), &n);

	for (size_t i = 0; rows && i < n; i++) {
		if (rows[i].state != PUBLISH_NO_DEVICE)
			rows[used++] = rows[i];
	}
	status->devices = rows;
	status->n_devices = used;
}

/* @counts: as they are now. */
static void set_rates(const struct status *status, const struct publish_device *device,
		      struct status_counts *counts)
{
	uint64_t now_ns = clock_now();

	if (status->agent == STATUS_ALIVE && device->base_ns &&
	    now_ns - device->base_ns < DEVICE_BASE_MAX_NS)
		status__rates_by_device(counts, (double)(now_ns - device->base_ns) / NSEC_PER_SEC,
					&device->base);
}

static void read_counts(struct status *status, const struct datapath *dp)
{
	bool any = false;

	status->counts = calloc(status->n_devices + 1, sizeof(*status->counts));
	for (size_t i = 0; status->counts && i < status->n_devices; i++) {
		struct status_counts *counts = &status->counts[i];

		counts->known = !device_counts__get(dp, status->devices[i].ifindex, &counts->n);
		any |= counts->known;
		set_rates(status, &status->devices[i], counts);
	}
	/* without any the programs count nothing there, either */
	status->others.known = any && !device_counts__get_others(dp, &status->others.n);
}

static void read_upstreams(struct status *status, const char *dir)
{
	size_t n, used = 0;
	struct publish_upstream *rows = rows_of(dir, PUBLISH_UPSTREAMS, sizeof(*rows), &n);

	for (size_t i = 0; rows && i < n; i++) {
		if (rows[i].state != PUBLISH_NO_UPSTREAM)
			rows[used++] = rows[i];
	}
	status->upstreams = rows;
	status->n_upstreams = used;
}

/* What it wrote reads otherwise than this one's. */
static int other_version(bool runs)
{
	fprintf(stderr,
		"nodens status: %s: ask the nodens of that version, in the agent's container\n",
		runs ? "an agent of another version runs here"
		     : "not running; an agent of another version was here");
	return runs ? EXIT_DEGRADED : EXIT_NOT_RUNNING;
}

/* 0, or -errno of the table of the agent. @writer: whether it is there, as far as a file tells. */
static int read_info(struct status *status, const char *dir, bool *writer)
{
	struct table table = { .fd = -1 };
	int ret = table__open(&table, dir, PUBLISH_INFO, sizeof(status->info));

	if (ret)
		return ret;
	*writer = table.is_file && table__has_writer(&table);
	ret = table__get(&table, 0, &status->info);
	table__close(&table);
	if (ret) {
		memset(&status->info, 0, sizeof(status->info));
		status->half_written = ret == -EAGAIN;
	}
	read_devices(status, dir);
	read_upstreams(status, dir);
	return ret == -EAGAIN ? 0 : ret;
}

/* ---- rates ---- */

static void read_agent_counters(const char *dir, uint64_t v[AGENT_FIRST_GAUGE])
{
	struct table table = { .fd = -1 };

	memset(v, 0, AGENT_FIRST_GAUGE * sizeof(*v));
	if (table__open(&table, dir, AGENT_STATS_MAP, sizeof(uint64_t)))
		return;
	for (uint32_t i = 0; i < AGENT_FIRST_GAUGE; i++)
		table__read(&table, i, &v[i]);
	table__close(&table);
}

void status__counters(struct datapath *dp, const char *dir, struct publish_base *out)
{
	*out = (struct publish_base){ .at_ns = clock_now() };
	if (dp)
		datapath__counters(dp, out->kernel);
	read_agent_counters(dir, out->agent);
}

static void read_counters(const struct status *status, struct datapath *dp, const char *dir,
			  struct publish_base *out)
{
	status__counters(dp, dir, out);
	out->evicted = status->info.evicted;
}

/* The agent's reading of some ten seconds ago and one now; else two, a second apart. */
static void read_rates(struct status *status, struct datapath *dp, const char *dir)
{
	const struct publish_base *base = &status->info.base;
	struct publish_base before, after;

	read_counters(status, dp, dir, &after);
	if (status->agent == STATUS_ALIVE && base->at_ns &&
	    after.at_ns - base->at_ns < BASE_MAX_NS) {
		status->rates.from_agent = true;
		status__rates_between(&status->rates, base, &after);
		return;
	}
	if (!dp)
		return;
	before = after;
	sleep(1);
	read_counters(status, dp, dir, &after);
	status__rates_between(&status->rates, &before, &after);
}

/* ---- cache ---- */

static void count_cache(struct status *status, const char *bpffs, struct datapath *dp)
{
	struct pinned_cache cache = { .entries = { 0 } };
	struct pinned pinned;

	status->bytes = dp ? datapath__bytes(dp) : status->info.cache_bytes;
	if (status->agent == STATUS_ALIVE && status__published(status)) {
		status->entries = status->info.entries[0] + status->info.entries[1];
		status->capacity = status->info.capacity[0] + status->info.capacity[1];
		return;
	}
	if (!dp || pinned__open(&pinned, "status", bpffs) >= 0)
		return;
	pinned__count(&pinned, &cache);
	pinned__close(&pinned);
	status->entries = cache.entries[0] + cache.entries[1];
	status->capacity = (uint64_t)cache.capacity[0] + cache.capacity[1];
}

/* ---- the whole ---- */

static void judge_agent(struct status *status, bool runs)
{
	uint64_t hung = status->has_maps && status->hung_ns ? status->hung_ns : STATUS_ROW_HUNG_NS;

	if (status__starts(status))
		hung = STARTING_NS;
	if (!runs)
		status->agent = STATUS_DEAD;
	else
		status->agent = status__beat_age_ns(status) > hung ? STATUS_HUNG : STATUS_ALIVE;
}

static int read_with_maps(const char *bpffs, struct status *status)
{
	struct error err = { .text = "" };
	struct datapath *dp;
	const struct nodens_ctl *ctl;
	bool writer = false, runs;
	pid_t pid = 0;
	int ret = datapath__open_pinned(bpffs, &dp, &err);

	if (ret == -EPERM || ret == -EACCES)
		return no_permission(bpffs);
	if (ret) {
		fprintf(stderr, "nodens status: %s\n", err.text);
		return ret == -ENOENT ? EXIT_NOT_RUNNING : EXIT_DEGRADED;
	}
	ctl = datapath__ctl(dp);
	status->has_maps = true;
	status->beat_ns = ctl->heartbeat_ns;
	status->lease_ns = ctl->lease_ns;
	status->hung_ns = ctl->hung_ns;
	status->shed = ctl->shed;
	ret = read_info(status, datapath__dir(dp), &writer);
	runs = datapath__agent_runs(bpffs, &pid) > 0;
	if (ret == -ESTALE) {
		datapath__close(dp);
		return other_version(runs);
	}
	status->now_ns = clock_now();
	judge_agent(status, runs);
	status->pid = ctl->agent_pid;
	read_counts(status, dp);
	read_rates(status, dp, datapath__dir(dp));
	count_cache(status, bpffs, dp);
	datapath__close(dp);
	return -1;
}

static int not_running(const char *bpffs, int ret)
{
	bool held = node_lock__held();

	if (ret == -EACCES || ret == -EPERM)
		return no_permission("/run/nodens");
	if (ret == -ESTALE)
		return other_version(held);
	if (held)
		fprintf(stderr,
			"nodens status: an agent runs in this network namespace, but nothing of it "
			"is to be seen here: it has another --bpffs than %s, or is in another "
			"container\n",
			bpffs);
	else
		fprintf(stderr, "nodens is not running here: nothing under %s\n", bpffs);
	return held ? EXIT_DEGRADED : EXIT_NOT_RUNNING;
}

/* An agent without the kernel path, perhaps. */
static int read_without_maps(const char *bpffs, struct status *status)
{
	bool writer = false;
	char dir[PATH_MAX];
	int ret = publish__run_dir(dir, false);

	if (!ret)
		ret = read_info(status, dir, &writer);
	if (ret)
		return not_running(bpffs, ret);
	status->now_ns = clock_now();
	status->pid = status->info.pid;
	judge_agent(status, writer);
	read_rates(status, NULL, dir);
	count_cache(status, bpffs, NULL);
	return -1;
}

int status__read(const char *bpffs, struct status *status)
{
	char layout[PATH_MAX];
	struct stat st;
	int ret;

	memset(status, 0, sizeof(*status));
	status->now_s = time(NULL);
	snprintf(layout, sizeof(layout), "%s/layout-%d", bpffs, NODENS_LAYOUT);
	if (!lstat(layout, &st))
		ret = read_with_maps(bpffs, status);
	else if (errno == EACCES)
		ret = no_permission(bpffs);
	else
		ret = read_without_maps(bpffs, status);
	if (ret >= 0)
		return ret;
	status__find_standby(status);
	status__find_notrack(status);
	return -1;
}

int status__name_pods(struct status *status, const char *cni_results)
{
	struct pod_behind *behind = calloc(status->n_devices + 1, sizeof(*behind));
	struct pods *pods;
	int ret = behind ? pods__open(NULL, cni_results, &pods) : -ENOMEM;

	if (ret) {
		free(behind);
		return ret;
	}
	for (size_t i = 0; i < status->n_devices; i++)
		behind[i].ifindex = (int)status->devices[i].ifindex;
	pods__behind(pods, behind, status->n_devices);
	pods__close(pods);
	status->pods = behind;
	return 0;
}

void status__free(struct status *status)
{
	free(status->devices);
	free(status->pods);
	free(status->counts);
	free(status->upstreams);
	status->devices = NULL;
	status->pods = NULL;
	status->counts = NULL;
	status->upstreams = NULL;
}
