// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens flush`: answers out of the cache, with an agent or without.
 *
 * Contract: deletes from the kernel's index, which the agent asks before it
 * answers from its own memory; so what is flushed is gone for both.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/config.h"
#include "dns/rrtype.h"
#include "cmd/pinned.h"

struct selection {
	bool by_name, by_type;
	struct dns_name name;
	uint16_t type;
};

static int parse(int argc, char **argv, struct selection *sel)
{
	if (argc > 2) {
		fprintf(stderr, "nodens flush: \"%s\": at most a name and a type\n", argv[2]);
		return -EINVAL;
	}
	if (argc > 0) {
		if (dns_name__from_text(&sel->name, argv[0])) {
			fprintf(stderr, "nodens flush: \"%s\" is not a domain name\n", argv[0]);
			return -EINVAL;
		}
		dns_name__lower(&sel->name);
		sel->by_name = true;
	}
	if (argc > 1) {
		if (rrtype__parse(argv[1], &sel->type)) {
			fprintf(stderr,
				"nodens flush: \"%s\" is not a record type: A, AAAA... or"
				" TYPE1\n",
				argv[1]);
			return -EINVAL;
		}
		sel->by_type = true;
	}
	return 0;
}

/* Without a name, what is no sound slot goes too. */
static bool selected(const struct selection *sel, const struct pinned_entry *entry, bool sound)
{
	if (!sel->by_name)
		return true;
	if (!sound || !dns_name__equal(&entry->name, &sel->name))
		return false;
	return !sel->by_type || be16toh(entry->copy.slot.qtype) == sel->type;
}

/* Returns how many went, or -errno. */
static long flush(struct pinned *pinned, const struct selection *sel)
{
	struct pinned_entry entry;
	long n = 0;
	bool sound;
	int ret;

	while ((ret = pinned__next(pinned, &entry, &sound)) > 0) {
		if (!selected(sel, &entry, sound))
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

static const char about[] =
	"Removes the answers for NAME (of TYPE, or of all types, NXDOMAIN-below included), or all\n"
	"answers, from the kernel's cache and the agent's, and prints how many there were. Ends\n"
	"with 1 where there was none for NAME.";

int cmd_flush(int argc, char **argv)
{
	struct selection sel = {};
	struct pinned_options opts;
	struct pinned pinned;
	int first, ret;
	long n;

	ret = pinned__options(argc, argv, " [NAME [TYPE]]", about, NULL, &opts, &first);
	if (ret >= 0)
		return ret;
	if (parse(argc - first, argv + first, &sel))
		return EXIT_USAGE;
	ret = pinned__open(&pinned, argv[0], opts.bpffs);
	if (ret >= 0)
		return ret;
	n = flush(&pinned, &sel);
	pinned__close(&pinned);
	if (n < 0)
		return EXIT_FAILURE;
	printf("flushed %ld\n", n);
	ret = pinned__finish(argv[0]);
	return sel.by_name && !n ? EXIT_FAILURE : ret;
}
