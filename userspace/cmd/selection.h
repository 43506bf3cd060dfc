/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which entries of the cache a command is about: those that answer for a name, for names below
 * it, or all.
 *
 * Contract: an NXDOMAIN-below answers for its own name and those below, so it is among those of
 * each of these names, whatever type is asked for.
 */
#ifndef NODENS_SELECTION_H
#define NODENS_SELECTION_H

#include "cmd/pinned.h"

struct selection {
	enum { SELECT_ALL, SELECT_NAME, SELECT_BELOW, SELECT_TREE } names;
	struct dns_name name; /* lower case; of SELECT_BELOW not among them, of SELECT_TREE it is */
	bool by_type;	      /* SELECT_NAME, SELECT_TREE: of this type alone */
	uint16_t type;
	bool nx; /* of them those that say NXDOMAIN */
};

/*
 * NAME or *.ZONE (all below ZONE), and a type, as the command line has them; NULL: not given.
 * @tree: NAME and all below. -1, or an exit status, and it has been said why.
 */
int selection__take(struct selection *sel, const char *command, const char *name, const char *type,
		    bool tree);

/* @sound: as pinned__next() says. What is no slot is part of nothing less than all. */
bool selection__has(const struct selection *sel, const struct pinned_entry *entry, bool sound);

#endif /* NODENS_SELECTION_H */
