/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the commands share that read the pinned maps: their flags, and the pinned maps as anybody
 * may read them, with an agent at work or without.
 *
 * Contract: the maps change while they are read; what pinned__next() hands out
 * is a sound slot of the question that its hash stands for. Errors are one
 * line on stderr.
 */
#ifndef NODENS_PINNED_H
#define NODENS_PINNED_H

#include <jansson.h>
#include <sys/types.h>

#include "config/flags.h"
#include "store/index.h"
#include "datapath/datapath.h"
#include "dns/slot.h"

/* Rows of flags that many commands have: a const char * each, @at its offset. */
#define PINNED_BPFFS_ROW(at)                                                      \
	{                                                                         \
		"bpffs", "DIR", "where the maps are pinned (" NODENS_PIN_DIR ")", \
			.kind = &option_path, at, "is not an absolute path"       \
	}
#define PINNED_CNI_ROW(at)                                                                 \
	{                                                                                  \
		"cni-results", "DIR",                                                      \
			"where the container runtime notes pods (" NODENS_CNI_RESULTS ")", \
			.kind = &option_text, at, "is no directory's name"                 \
	}

struct pinned_options {
	bool json;
	const char *bpffs;
};

/*
 * Parse the flags of @command behind argv[0]. -1: go on, *first is the first argument that is no
 * flag (@first NULL: it takes none); else an exit status, and all has been said. @arguments: for
 * its usage, after a blank.
 */
int pinned__parse(const char *command, const struct option_row *rows, size_t n_rows, void *target,
		  int argc, char **argv, const char *arguments, const char *about, int *first);
/* The same where flags stand before, between and behind the arguments, of which there are @max at
 * most: those into @words, NULL for one that is not there. */
int pinned__words(const char *command, const struct option_row *rows, size_t n_rows, void *target,
		  int argc, char **argv, const char *arguments, const char *about,
		  const char **words, int max);
/* pinned__parse() with the flags that all have; json_help: what -json prints, or NULL for one
 * without. */
int pinned__options(int argc, char **argv, const char *arguments, const char *about,
		    const char *json_help, struct pinned_options *opts, int *first);

/* Whether maps of this layout are pinned there, or may be: -EACCES is no answer. */
bool pinned__has_maps(const char *pin_dir);
/*
 * Which maps are pinned in @dir (datapath__dir()): another number once they are others; 0: there
 * are none.
 */
ino_t pinned__maps(const char *dir);
/* One line on stderr, and the exit status: that there are none, or where they may be. */
int pinned__say_no_maps(const char *pin_dir);

struct pinned {
	const char *command;
	struct datapath *datapath;
	struct store_maps maps;
	struct steps *steps;
	const uint64_t *hash_key;
	struct index *index;
	struct index_place at; /* how far it was read */
};

struct pinned_entry {
	struct index_place at;
	uint32_t number;
	union slot_buf copy;
	struct dns_name name;
};

/* -1: open; else an exit status, and it has been said why. */
int pinned__open(struct pinned *pinned, const char *command, const char *pin_dir);
/* The same without a word: 0, or -errno, with err->text. */
int pinned__try(struct pinned *pinned, const char *command, const char *pin_dir, struct error *err);
void pinned__close(struct pinned *pinned);
/*
 * The next entry: 1 with *sound telling whether the slot is one; 0 at the end;
 * -errno, said.
 */
int pinned__next(struct pinned *pinned, struct pinned_entry *entry, bool *sound);

/* entry->at and entry->number are from the index: the rest of it. False: it is none by now. */
bool pinned__read(struct pinned *pinned, struct pinned_entry *entry);

/* The sound slot for this question, expired or not; @name in lower case. */
bool pinned__find(struct pinned *pinned, const struct dns_name *name, uint16_t qtype,
		  uint8_t key_flags, struct pinned_entry *entry);

struct pinned_cache {
	uint64_t entries[2], bytes[2]; /* NODENS_POSITIVE, NODENS_NEGATIVE */
	uint32_t capacity[2];
};

/* What can be answered at this moment: an entry that expired is not counted. -errno, said. */
int pinned__count(struct pinned *pinned, struct pinned_cache *cache);

/* Print it, as jansson's @flags say, and let go of it; out of memory ends in pinned__finish(). */
void print_json_value(json_t *json, size_t flags);
/* Both streams flushed; EXIT_FAILURE with a line where stdout could not be written. */
int pinned__finish(const char *command);

#endif /* NODENS_PINNED_H */
