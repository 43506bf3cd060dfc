// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Fuzz target of the Corefile parser: any text is a configuration or one line of error, what is
 * printed of a configuration parses to the same, and no word of an imported file that is no
 * Corefile gets into a message. clang
 * -fsanitize=fuzzer,address,undefined; seeds: tests/data/corefile, words: fuzz_corefile.dict.
 */
#include "config/corefile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "hunter2" /* a word of each file below */

static const char *get_env(void *ctx, const char *name)
{
	(void)ctx;
	/* One value for every name that starts with A: lets variables appear anywhere. */
	return *name == 'A' ? "192.0.2.1" : NULL;
}

/* Whatever is imported, by its path's length. */
static int read_file(void *ctx, const char *path, char **text, size_t *len)
{
	static const char *const files[] = {
		"hunter2",	"hunter2 {",	   "hunter2 x {\nhunter2\n}",
		"{$hunter2}\n", "(hunter2) {",	   "} hunter2",
		"hunter2:0",	"\"hunter2",	   "hunter2{",
		"{ hunter2",	"https://hunter2", "x hunter2..",
	};

	(void)ctx;
	*text = strdup(files[strlen(path) % (sizeof(files) / sizeof(files[0]))]);
	*len = *text ? strlen(*text) : 0;
	return *text ? 0 : -ENOMEM;
}

/* @secret: the text itself has no such word, so that one must be an imported file's. */
static void check_message(const char *text, bool secret)
{
	if (!*text || strpbrk(text, "\n\r") || (secret && strstr(text, SECRET)))
		abort();
}

static char *print(const struct corefile *cf)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	corefile__print(cf, out);
	fclose(out);
	return text;
}

static void check_lookups(const struct corefile *cf)
{
	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_zone *zone = &cf->blocks[i].zones[0];
		const struct corefile_block *found = corefile__block_for(cf, &zone->name);

		if (!found && cf->blocks[i].apart)
			continue;
		if (!found)
			abort();
		corefile__forward_for(found, &zone->name);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct corefile_options options = { .get_env = get_env,
							 .read_file = read_file };
	struct corefile *cf = NULL, *again = NULL;
	struct error err = { "" };
	bool secret = !memmem(data, size, SECRET, strlen(SECRET));
	char *first, *second;

	if (corefile__parse(&options, "fuzz", (const char *)data, size, &cf, &err)) {
		if (cf)
			abort();
		check_message(err.text, secret);
		return 0;
	}
	for (size_t i = 0; i < cf->warnings_len; i++)
		check_message(cf->warnings[i], secret);
	check_lookups(cf);
	first = print(cf);
	if (corefile__parse(&options, "again", first, strlen(first), &again, &err)) {
		/* Only a configuration that is larger written out may be refused. */
		if (strlen(first) <= COREFILE_TEXT_MAX) {
			fprintf(stderr, "%s\n%s\n", err.text, first);
			abort();
		}
	} else {
		second = print(again);
		if (strcmp(first, second) != 0)
			abort();
		free(second);
	}
	free(first);
	corefile__free(cf);
	corefile__free(again);
	return 0;
}
