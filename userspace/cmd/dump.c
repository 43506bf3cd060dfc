// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens dump`: the live entries of the cache, with an agent or without.
 *
 * Contract: reads only. An entry that changes while it is read is left out or
 * shown as it was before or after, never mixed. Exit status 1 where a name was given and nothing
 * is printed; 2 for wrong usage, 3 not running, 4 no permission.
 */
#include "cmd/dump.h"

#include <endian.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/selection.h"

struct dump_options {
	bool json, answers, nx, stale;
	enum dump_order order;
	const char *bpffs;
};

struct dump {
	struct dump_options opts;
	struct selection sel;
	struct dump_sorted sorted;
	bool any; /* has been printed */
};

static bool is_wanted(const struct dump *dump, const struct nodens_slot *slot, uint64_t now_ns)
{
	bool stale;

	return dump_is_live(slot, now_ns, &stale) && (stale || !dump->opts.stale);
}

/* It may have expired since it was read. */
static void show(struct dump *dump, const struct nodens_slot *slot)
{
	uint64_t now = clock_now();

	if (!is_wanted(dump, slot, now))
		return;
	if (dump->opts.json)
		dump_print_json(slot, now, dump->opts.answers, !dump->any);
	else
		dump_print_text(slot, now, dump->opts.answers);
	dump->any = true;
}

/* To be sorted, no more is kept than a line says: this may be running in the agent's container. */
static int take(struct dump *dump, const struct pinned_entry *entry)
{
	const struct nodens_slot *slot = &entry->copy.slot;

	if (!selection__has(&dump->sel, entry, true) || !is_wanted(dump, slot, clock_now()))
		return 0;
	if (dump->opts.order != DUMP_UNSORTED)
		return dump_sorted_add(&dump->sorted, slot);
	show(dump, slot);
	return 0;
}

/* The records as they are by now. */
static void show_kept(struct dump *dump, struct pinned *pinned, const struct nodens_slot *kept)
{
	struct pinned_entry entry;
	struct dns_name name;

	if (!dump->opts.answers) {
		show(dump, kept);
		return;
	}
	slot__name(kept, &name);
	if (pinned__find(pinned, &name, be16toh(kept->qtype), kept->key_flags, &entry))
		show(dump, &entry.copy.slot);
}

/* 0, or -errno, said. */
static int walk(struct dump *dump, struct pinned *pinned)
{
	struct pinned_entry entry;
	bool sound;
	int ret;

	while ((ret = pinned__next(pinned, &entry, &sound)) > 0 && !ferror(stdout)) {
		ret = sound ? take(dump, &entry) : 0;
		if (ret) {
			fprintf(stderr, "nodens dump: %s\n", strerror(-ret));
			break;
		}
	}
	return ret < 0 ? ret : 0;
}

static int print(struct dump *dump, struct pinned *pinned)
{
	int ret;

	if (dump->opts.json)
		printf("{\"schema\":1,\"answers\":[");
	else
		dump_print_heading(dump->opts.answers);
	ret = walk(dump, pinned);
	dump_sort(&dump->sorted, dump->opts.order);
	for (size_t i = 0; i < dump->sorted.n && !ferror(stdout); i++)
		show_kept(dump, pinned, dump->sorted.list[i]);
	dump_sorted_free(&dump->sorted);
	if (dump->opts.json)
		printf("\n]}\n");
	return ret;
}

static const char about[] =
	"Prints the live answers in the cache, or those for NAME (an NXDOMAIN of a name above "
	"that\n"
	"covers it included), or for names below ZONE: name, type, response code, seconds left,\n"
	"hits (sampled: up to a second late), kind, and for which queries (DO, CD; TC: too\n"
	"large for UDP, answered with TC=1; STALE: expired, answered with a TTL of 0; AGENT: for\n"
	"the agent alone). Type \"cut\": NXDOMAIN for the name and all below it.\n"
	"\n"
	"Exit status: 0, 1 there is none for NAME, 2 wrong usage, 3 not running,\n"
	"4 no permission.";

#define AT(member) offsetof(struct dump_options, member)
static const struct option_row rows[] = {
	{ "answers", NULL, "their records, too, as dig prints them", .kind = &option_switch,
	  AT(answers) },
	{ "sort", "BY", "name; hits, the most first; ttl, the least first; none (none)",
	  .kind = &option_choice, AT(order), "is none of name, hits, ttl, none", 0, DUMP_ORDERS - 1,
	  dump_orders },
	{ "nx", NULL, "what says that a name does not exist, and that alone",
	  .kind = &option_switch, AT(nx) },
	{ "stale", NULL, "what has expired and is still answered with, and that alone",
	  .kind = &option_switch, AT(stale) },
	{ "json", NULL, "one JSON object: docs/schema/dump.json", .kind = &option_switch,
	  AT(json) },
	PINNED_BPFFS_ROW(AT(bpffs)),
};
#undef AT

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

int cmd_dump(int argc, char **argv)
{
	struct dump dump = { .opts.bpffs = NODENS_PIN_DIR };
	struct pinned pinned;
	const char *name;
	int ret = pinned__words(argv[0], rows, N_ROWS, &dump.opts, argc, argv, " [NAME|*.ZONE]",
				about, &name, 1);

	if (ret < 0)
		ret = selection__take(&dump.sel, argv[0], name, NULL, false);
	if (ret >= 0)
		return ret;
	dump.sel.nx = dump.opts.nx;
	ret = pinned__open(&pinned, argv[0], dump.opts.bpffs);
	if (ret >= 0)
		return ret;
	ret = print(&dump, &pinned);
	pinned__close(&pinned);
	if (ret)
		return EXIT_FAILURE;
	ret = pinned__finish(argv[0]);
	return dump.sel.names != SELECT_ALL && !dump.any ? EXIT_FAILURE : ret;
}
