// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The pinned maps for commands that only look.
 *
 * Contract: see pinned.h.
 */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "link/node_lock.h"
#include "cmd/pinned.h"

#define READ_TRIES 4

int pinned__parse(const char *command, const struct option_row *rows, size_t n_rows, void *target,
		  int argc, char **argv, const char *arguments, const char *about, int *first)
{
	struct error err;
	int ret = options__parse(rows, n_rows, target, argc, argv, first, &err);

	if (ret == -ECANCELED) {
		printf("usage: nodens %s [FLAG...]%s\n\n%s\n\n", command, arguments, about);
		options__print_help(rows, n_rows, stdout);
		return pinned__finish(command);
	}
	if (ret) {
		fprintf(stderr, "nodens %s: %s\n", command, err.text);
		return EXIT_USAGE;
	}
	return -1;
}

int pinned__words(const char *command, const struct option_row *rows, size_t n_rows, void *target,
		  int argc, char **argv, const char *arguments, const char *about,
		  const char **words, int max)
{
	int n = 0, first, ret;

	for (int i = 0; i < max; i++)
		words[i] = NULL;
	for (int at = 0; at < argc; at += first) {
		ret = pinned__parse(command, rows, n_rows, target, argc - at, argv + at, arguments,
				    about, &first);
		if (ret >= 0)
			return ret;
		if (at + first < argc && n == max) {
			fprintf(stderr, "nodens %s: \"%s\": takes%s, no more\n", command,
				argv[at + first], arguments);
			return EXIT_USAGE;
		}
		if (at + first < argc)
			words[n++] = argv[at + first];
	}
	return -1;
}

int pinned__options(int argc, char **argv, const char *arguments, const char *about,
		    const char *json_help, struct pinned_options *opts, int *first)
{
	const struct option_row rows[] = {
		PINNED_BPFFS_ROW(offsetof(struct pinned_options, bpffs)),
		{ "json", NULL, json_help, .kind = &option_switch,
		  offsetof(struct pinned_options, json) },
	};

	*opts = (struct pinned_options){ .bpffs = NODENS_PIN_DIR };
	return pinned__parse(argv[0], rows, json_help ? 2 : 1, opts, argc, argv, arguments, about,
			     first);
}

bool pinned__has_maps(const char *pin_dir)
{
	char layout[PATH_MAX];
	struct stat st;

	snprintf(layout, sizeof(layout), "%s/layout-%d", pin_dir, NODENS_LAYOUT);
	return !lstat(layout, &st) || errno == EACCES;
}

ino_t pinned__maps(const char *dir)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/nodens_ctl", dir) >= (int)sizeof(path))
		return 0;
	return stat(path, &st) ? 0 : st.st_ino;
}

int pinned__say_no_maps(const char *pin_dir)
{
	if (!node_lock__held()) {
		fprintf(stderr, "nodens is not running here: no maps under %s\n", pin_dir);
		return EXIT_NOT_RUNNING;
	}
	fprintf(stderr,
		"no maps under %s, though an agent runs in this network namespace: without "
		"the kernel path (its log says why; then what it has cached is in its own memory), "
		"or with another --bpffs\n",
		pin_dir);
	return EXIT_FAILURE;
}

int pinned__try(struct pinned *pinned, const char *command, const char *pin_dir, struct error *err)
{
	int ret;

	*pinned = (struct pinned){ .command = command };
	ret = datapath__open_pinned(pin_dir, &pinned->datapath, err);
	if (ret)
		return ret;
	datapath__store_maps(pinned->datapath, &pinned->maps);
	pinned->hash_key = (const uint64_t *)datapath__ctl(pinned->datapath)->hash_key;
	ret = index__open(pinned->maps.index_fd, pinned->maps.slabs.mmapable, &pinned->index);
	if (!ret)
		ret = steps__open(&pinned->maps.slabs, false, &pinned->steps);
	if (!ret)
		return 0;
	pinned__close(pinned);
	return error__set(err, ret, "cannot read the cache: %s", strerror(-ret));
}

int pinned__open(struct pinned *pinned, const char *command, const char *pin_dir)
{
	struct error err = { .text = "" };
	int ret = pinned__try(pinned, command, pin_dir, &err);

	if (!ret)
		return -1;
	if (ret == -ENOENT)
		return pinned__say_no_maps(pin_dir);
	fprintf(stderr, "nodens %s: %s\n", command, err.text);
	return ret == -EPERM || ret == -EACCES ? EXIT_NO_PERMISSION : EXIT_FAILURE;
}

void pinned__close(struct pinned *pinned)
{
	index__close(pinned->index);
	steps__close(pinned->steps);
	datapath__close(pinned->datapath);
	pinned->index = NULL;
	pinned->steps = NULL;
	pinned->datapath = NULL;
}

/* What lies in entry->number, if it is a slot. */
static bool copy_slot(struct pinned *pinned, struct pinned_entry *entry)
{
	const struct nodens_slot *slot = &entry->copy.slot;
	uint32_t cls = NODENS_SLOT_CLASS(entry->number), size;

	if (cls >= NODENS_CLASSES)
		return false;
	size = slot_class_size[cls];
	/* the agent may have added a step since */
	if (steps__read(pinned->steps, entry->number, entry->copy.bytes, size) == -ENOENT)
		steps__refresh(pinned->steps);
	if (steps__read(pinned->steps, entry->number, entry->copy.bytes, size) ||
	    !slot__check(slot, size))
		return false;
	slot__name(slot, &entry->name);
	return true;
}

static bool read_slot(struct pinned *pinned, struct pinned_entry *entry)
{
	const struct nodens_slot *slot = &entry->copy.slot;

	return copy_slot(pinned, entry) &&
	       index__fits(pinned->index, &entry->at,
			   question__hash(pinned->hash_key, &entry->name, be16toh(slot->qtype),
					  slot->key_flags));
}

/*
 * By now the entry may be in another slot, and this one another question's: the
 * hash tells, and the index says where it is.
 */
bool pinned__read(struct pinned *pinned, struct pinned_entry *entry)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint32_t before = entry->number;

		if (read_slot(pinned, entry))
			return true;
		if (index__again(pinned->index, &entry->at, &entry->number) ||
		    entry->number == before)
			return false;
	}
	return false;
}

static bool is_question(const struct pinned_entry *entry, const struct dns_name *name,
			uint16_t qtype, uint8_t key_flags)
{
	const struct nodens_slot *slot = &entry->copy.slot;

	return dns_name__equal(&entry->name, name) && be16toh(slot->qtype) == qtype &&
	       slot->key_flags == key_flags;
}

bool pinned__find(struct pinned *pinned, const struct dns_name *name, uint16_t qtype,
		  uint8_t key_flags, struct pinned_entry *entry)
{
	uint64_t hash = question__hash(pinned->hash_key, name, qtype, key_flags);

	/* it may have moved between the one and the other */
	for (int i = 0; i < READ_TRIES; i++) {
		if (index__find(pinned->index, hash, &entry->number))
			return false;
		if (copy_slot(pinned, entry) && is_question(entry, name, qtype, key_flags))
			return true;
	}
	return false;
}

int pinned__next(struct pinned *pinned, struct pinned_entry *entry, bool *sound)
{
	int ret = index__next(pinned->index, &pinned->at, &entry->number);

	entry->at = pinned->at;
	if (ret < 0)
		fprintf(stderr, "nodens %s: cannot read the index: %s\n", pinned->command,
			strerror(-ret));
	if (ret > 0)
		*sound = pinned__read(pinned, entry);
	return ret;
}

int pinned__count(struct pinned *pinned, struct pinned_cache *cache)
{
	struct pinned_entry entry;
	uint64_t now_ns = clock_now();
	bool sound;
	int ret;

	*cache = (struct pinned_cache){ .entries = { 0 } };
	/* written by the agent beside its settings: positive, negative */
	memcpy(cache->capacity, datapath__ctl(pinned->datapath)->capacity, sizeof(cache->capacity));
	while ((ret = pinned__next(pinned, &entry, &sound)) > 0) {
		int kind = entry.copy.slot.kind;

		if (!sound || entry.copy.slot.expires_ns <= now_ns)
			continue;
		cache->entries[kind]++;
		cache->bytes[kind] += slot_class_size[NODENS_SLOT_CLASS(entry.number)];
	}
	return ret;
}

static bool json_failed;

void print_json_value(json_t *json, size_t flags)
{
	if (!json || json_dumpf(json, stdout, flags))
		json_failed = true;
	json_decref(json);
}

int pinned__finish(const char *command)
{
	if (!json_failed && !fflush(stdout) && !ferror(stdout))
		return EXIT_SUCCESS;
	fprintf(stderr, "nodens %s: cannot write: %s\n", command, strerror(errno));
	return EXIT_FAILURE;
}
