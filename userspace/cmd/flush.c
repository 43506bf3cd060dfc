// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens flush`: answers out of the cache, with an agent or without.
 *
 * Contract: deletes from the kernel's index, which the agent asks before it
 * answers from its own memory, renews an answer or answers with what has expired;
 * so what is flushed is gone for both. Exit status 1 where a name was given and nothing
 * answered for it; 2 for wrong usage, 3 not running, 4 no permission.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/selection.h"

#define PASSES_MAX 50

struct flush_options {
	bool tree, nx;
	const char *bpffs;
};

/* Of what was stored before @before_ns. Returns how many went, or -errno. */
static long flush_once(struct pinned *pinned, const struct selection *sel, uint64_t before_ns)
{
	struct pinned_entry entry;
	long n = 0;
	bool sound;
	int ret;

	pinned->at = (struct index_place){ 0 };
	while ((ret = pinned__next(pinned, &entry, &sound)) > 0) {
		if (!selection__has(sel, &entry, sound) ||
		    (sound && entry.copy.slot.stored_ns >= before_ns))
			continue;
		ret = index__remove_at(pinned->index, &entry.at);
		if (ret && ret != -ENOENT) {
			fprintf(stderr, "nodens flush: cannot remove from the index: %s\n",
				strerror(-ret));
			return ret;
		}
		n += !ret;
	}
	return ret ? ret : n;
}

/*
 * Without a mapping (before Linux 5.5) the agent writes back whole buckets, and so may undo a
 * removal of the same instant (store/index.h). What was there before is looked for again until none
 * is left.
 */
static long flush(struct pinned *pinned, const struct selection *sel)
{
	const struct timespec pause = { .tv_nsec = 10 * NSEC_PER_MS };
	uint64_t began_ns = clock_now();
	long n = flush_once(pinned, sel, UINT64_MAX), again = n;

	for (int i = 0; i < PASSES_MAX && again > 0 && !pinned->maps.slabs.mmapable; i++) {
		nanosleep(&pause, NULL);
		again = flush_once(pinned, sel, began_ns);
	}
	return again < 0 ? again : n;
}

static const char about[] =
	"Removes what answers for NAME (for TYPE, or all types), an NXDOMAIN of a name above that\n"
	"covers it included; for *.ZONE, what answers for names below ZONE; without a name, all.\n"
	"It is gone from the kernel's cache and the agent's, and how many there were is printed.\n"
	"What an upstream is asked at that moment is cached when its answer comes, and what the\n"
	"Corefile itself says of a name (hosts, template) comes back.\n"
	"\n"
	"Exit status: 0, 1 there was none for NAME, 2 wrong usage, 3 not running,\n"
	"4 no permission.";

#define AT(member) offsetof(struct flush_options, member)
static const struct option_row rows[] = {
	{ "tree", NULL, "NAME and all names below it", .kind = &option_switch, AT(tree) },
	{ "nx", NULL, "of these, what says that a name does not exist", .kind = &option_switch,
	  AT(nx) },
	PINNED_BPFFS_ROW(AT(bpffs)),
};
#undef AT

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

int cmd_flush(int argc, char **argv)
{
	struct flush_options opts = { .bpffs = NODENS_PIN_DIR };
	struct selection sel = {};
	const char *words[2];
	struct pinned pinned;
	int ret = pinned__words(argv[0], rows, N_ROWS, &opts, argc, argv, " [NAME [TYPE]]", about,
				words, 2);
	long n;

	if (ret < 0)
		ret = selection__take(&sel, argv[0], words[0], words[1], opts.tree);
	if (ret >= 0)
		return ret;
	sel.nx = opts.nx;
	ret = pinned__open(&pinned, argv[0], opts.bpffs);
	if (ret >= 0)
		return ret;
	n = flush(&pinned, &sel);
	pinned__close(&pinned);
	if (n < 0)
		return EXIT_FAILURE;
	printf("flushed %ld\n", n);
	ret = pinned__finish(argv[0]);
	return sel.names != SELECT_ALL && !n ? EXIT_FAILURE : ret;
}
