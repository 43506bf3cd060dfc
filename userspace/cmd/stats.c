// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens stats`: what the programs, the agent and the cache have counted, with
 * an agent at work or without.
 *
 * Contract: reads only. Counters are sums over CPUs that go on changing, so two
 * of them may be a packet apart.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/pinned.h"
#include "publish/records.h"
#include "publish/table.h"

/* A number with its name, to print. */
struct row {
	const char *name, *help;
	uint64_t value;
	bool always; /* in the text also when it is 0 */
};

struct section {
	const char *name;
	struct row rows[NODENS_CTR_COUNT + AGENT_STAT_COUNT];
	size_t n;
};

static void add(struct section *section, const char *name, const char *help, uint64_t value,
		bool always)
{
	section->rows[section->n++] = (struct row){ name, help, value, always };
}

static int kernel_section(struct pinned *pinned, struct section *section)
{
	static const struct {
		const char *name, *help;
	} counters[] = {
#define X(id, name, help) [NODENS_CTR_##id] = { name, help },
		NODENS_OUTCOMES(X) NODENS_HIT_KINDS(X) NODENS_STEERS(X)
#undef X
	};
	uint64_t values[NODENS_CTR_COUNT];
	int ret = datapath__counters(pinned->datapath, values);

	if (ret) {
		fprintf(stderr, "nodens stats: cannot read the counters: %s\n", strerror(-ret));
		return ret;
	}
	section->name = "kernel";
	/* for whoever divides hits by misses, a truncated answer is a hit */
	values[NODENS_CTR_HIT] += values[NODENS_CTR_HIT_TC];
	for (int i = 0; i < NODENS_CTR_COUNT; i++) {
		const char *help = counters[i].help;

		if (i == NODENS_CTR_HIT)
			help = "answered in the kernel, TC=1 included";
		if (i == NODENS_CTR_HIT_TC)
			help = "of them with TC=1";
		add(section, counters[i].name, help, values[i],
		    i == NODENS_CTR_HIT || i == NODENS_CTR_MISS);
	}
	return 0;
}

/* No table: no agent ever ran over these maps. An older agent may have had fewer counters. */
static void agent_section(const char *dir, bool running, struct section *section)
{
	static const struct {
		const char *name, *help;
	} stats[] = {
#define X(id, name, help) [AGENT_STAT_##id] = { name, help },
		AGENT_STATS(X) AGENT_GAUGES(X)
#undef X
	};
	struct table table = { .fd = -1 };

	section->name = "agent";
	add(section, "running", "1 if an agent runs", running, true);
	if (table__open(&table, dir, AGENT_STATS_MAP, sizeof(uint64_t)))
		return;
	/* What one that is gone had under way, or had attached to, says nothing of now. */
	for (uint32_t i = 0; i < (running ? AGENT_STAT_COUNT : AGENT_FIRST_GAUGE); i++) {
		uint64_t value;

		if (!table__read(&table, i, &value))
			add(section, stats[i].name, stats[i].help, value,
			    i == AGENT_STAT_QUERIES || i == AGENT_STAT_DEVICES ||
				    i == AGENT_STAT_DEVICES_WANTED);
	}
	table__close(&table);
}

static int cache_section(struct pinned *pinned, struct section *section)
{
	struct pinned_cache count = { .entries = { 0 } };
	int ret = pinned__count(pinned, &count);

	if (ret < 0)
		return ret;
	section->name = "cache";
	add(section, "entries", "live answers in the kernel", count.entries[0] + count.entries[1],
	    true);
	add(section, "capacity", "answers that there may be",
	    (uint64_t)count.capacity[0] + count.capacity[1], true);
	add(section, "slot_bytes", "memory for answers so far; more comes as it fills",
	    steps__count(pinned->steps) * STEP_BYTES, true);
	add(section, "bytes", "memory of all maps, as the kernel states it",
	    datapath__bytes(pinned->datapath), true);
	add(section, "positive_entries", "of them, answers with records",
	    count.entries[NODENS_POSITIVE], true);
	add(section, "positive_capacity", "", count.capacity[NODENS_POSITIVE], true);
	add(section, "positive_bytes", "slots they take", count.bytes[NODENS_POSITIVE], true);
	add(section, "negative_entries", "NXDOMAIN, NODATA, SERVFAIL",
	    count.entries[NODENS_NEGATIVE], true);
	add(section, "negative_capacity", "", count.capacity[NODENS_NEGATIVE], true);
	add(section, "negative_bytes", "slots they take", count.bytes[NODENS_NEGATIVE], true);
	return 0;
}

static void print_text(const struct section *section)
{
	printf("%s\n", section->name);
	for (size_t i = 0; i < section->n; i++) {
		const struct row *row = &section->rows[i];

		if (row->value || row->always)
			printf("  %-20s %14llu%s%s\n", row->name, (unsigned long long)row->value,
			       *row->help ? "  " : "", row->help);
	}
}

static void print_json(const struct section sections[3])
{
	json_t *all = json_pack("{si}", "schema", 1);

	for (int i = 0; i < 3; i++) {
		json_t *rows = json_object();

		if (!sections[i].name) {
			json_decref(rows);
			continue;
		}

		for (size_t k = 0; k < sections[i].n; k++)
			json_object_set_new(rows, sections[i].rows[k].name,
					    json_integer((json_int_t)sections[i].rows[k].value));
		json_object_set_new(all, sections[i].name, rows);
	}
	print_json_value(all, JSON_INDENT(1));
	putchar('\n');
}

static int collect(struct pinned *pinned, const char *bpffs, struct section sections[3])
{
	int ret = kernel_section(pinned, &sections[0]);
	pid_t pid;

	if (ret)
		return ret;
	agent_section(datapath__dir(pinned->datapath), datapath__agent_runs(bpffs, &pid) > 0,
		      &sections[1]);
	return cache_section(pinned, &sections[2]);
}

/* Of an agent without the kernel path there are its own counters. */
static bool collect_without_maps(const char *bpffs, struct section sections[3])
{
	struct table table = { .fd = -1 };
	char dir[PATH_MAX];

	if (pinned__has_maps(bpffs) || publish__run_dir(dir, false) ||
	    table__open(&table, dir, AGENT_STATS_MAP, sizeof(uint64_t)))
		return false;
	agent_section(dir, table__has_writer(&table), &sections[1]);
	table__close(&table);
	return true;
}

static const char about[] =
	"Prints the counters of the programs in the kernel, of the agent, and the cache's\n"
	"size. \"hits\" are all queries answered in the kernel; \"hits_truncated\" says how\n"
	"many of them with TC=1. The steer_* and returned counters say what became of\n"
	"packets that are counted above as misses, tcp or agent_*. Counters at 0 are left\n"
	"out of the text, not of JSON.";

int cmd_stats(int argc, char **argv)
{
	struct section sections[3] = {};
	struct pinned_options opts;
	struct pinned pinned;
	int ret;

	ret = pinned__options(argc, argv, "", about, "one JSON object: docs/schema/stats.json",
			      &opts, NULL);
	if (ret >= 0)
		return ret;
	if (!collect_without_maps(opts.bpffs, sections)) {
		ret = pinned__open(&pinned, argv[0], opts.bpffs);
		if (ret >= 0)
			return ret;
		ret = collect(&pinned, opts.bpffs, sections);
		pinned__close(&pinned);
		if (ret)
			return EXIT_FAILURE;
	}
	if (opts.json)
		print_json(sections);
	for (int i = 0; i < 3 && !opts.json; i++) {
		if (sections[i].name)
			print_text(&sections[i]);
	}
	return pinned__finish(argv[0]);
}
