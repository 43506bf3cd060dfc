// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Entries by name, type and what they say. Contract: selection.h.
 */
#include "cmd/selection.h"

#include <endian.h>
#include <string.h>

#include "cmd/cmd.h"
#include "dns/rrtype.h"

static int take_name(struct selection *sel, const char *command, const char *text, bool tree)
{
	bool below = !tree && !strncmp(text, "*.", 2);

	if (dns_name__from_text(&sel->name, text + (below ? 2 : 0))) {
		fprintf(stderr, "nodens %s: \"%s\" is not a domain name\n", command, text);
		return EXIT_USAGE;
	}
	dns_name__lower(&sel->name);
	sel->names = tree ? SELECT_TREE : below ? SELECT_BELOW : SELECT_NAME;
	return -1;
}

int selection__take(struct selection *sel, const char *command, const char *name, const char *type,
		    bool tree)
{
	int ret = name ? take_name(sel, command, name, tree) : -1;

	if (ret >= 0)
		return ret;
	if (tree && !name) {
		fprintf(stderr, "nodens %s: -tree needs a name\n", command);
		return EXIT_USAGE;
	}
	if (type && rrtype__parse(type, &sel->type)) {
		fprintf(stderr, "nodens %s: \"%s\" is not a record type: A, AAAA... or TYPE1\n",
			command, type);
		return EXIT_USAGE;
	}
	sel->by_type = type;
	return -1;
}

static bool has_name(const struct selection *sel, const struct dns_name *name)
{
	if (sel->names == SELECT_NAME)
		return dns_name__equal(name, &sel->name);
	return dns_name__within(name, &sel->name) &&
	       (sel->names == SELECT_TREE || name->len > sel->name.len);
}

bool selection__has(const struct selection *sel, const struct pinned_entry *entry, bool sound)
{
	const struct nodens_slot *slot = &entry->copy.slot;

	if (!sound)
		return sel->names == SELECT_ALL && !sel->nx;
	if (sel->nx && (be16toh(slot->flags) & DNS_RCODE) != DNS_NXDOMAIN)
		return false;
	if (sel->names == SELECT_ALL)
		return true;
	if (slot->key_flags & NODENS_KEY_NX_BELOW && dns_name__within(&sel->name, &entry->name))
		return true;
	if (sel->by_type && be16toh(slot->qtype) != sel->type)
		return false;
	return has_name(sel, &entry->name);
}
