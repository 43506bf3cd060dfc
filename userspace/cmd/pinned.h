/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What stats, dump and flush share: their flags, and the pinned maps as anybody
 * may read them, with an agent at work or without.
 *
 * Contract: the maps change while they are read; what view__next() hands out
 * is a sound slot of the question that its hash stands for. Errors are one
 * line on stderr.
 */
#ifndef NODENS_VIEW_H
#define NODENS_VIEW_H

#include <stdio.h>

#include "store/index_walk.h"
#include "datapath/datapath.h"
#include "dns/slot.h"

struct view_options {
	bool json;
	const char *bpffs;
};

/*
 * Parse the flags of @command (argv[0]); json_help: what -json prints, or NULL
 * for a command without it. -1: go on, *first is the first argument that is no
 * flag; else an exit status, and all has been said.
 */
int view__options(int argc, char **argv, const char *arguments, const char *about,
		  const char *json_help, struct view_options *opts, int *first);

struct view {
	const char *command;
	struct datapath *datapath;
	struct store_maps maps;
	const uint64_t *hash_key;
	struct index_walk *walk;
};

struct view_entry {
	uint64_t hash;
	uint32_t number;
	union slot_buf copy;
	struct dns_name name;
};

/* -1: open; else an exit status, and it has been said why. */
int view__open(struct view *view, const char *command, const char *pin_dir);
void view__close(struct view *view);
/*
 * The next entry: 1 with *sound telling whether the slot is one; 0 at the end;
 * -errno, said.
 */
int view__next(struct view *view, struct view_entry *entry, bool *sound);

/* @text as a JSON string, quotes included. */
void view__json_string(FILE *out, const char *text);
/* Both streams flushed; EXIT_FAILURE with a line where stdout could not be written. */
int view__finish(const char *command);

#endif /* NODENS_VIEW_H */
