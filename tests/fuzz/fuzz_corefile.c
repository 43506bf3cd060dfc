// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Fuzz target of the Corefile parser, without files: any text is a configuration or one line of
 * error, and what is printed of a configuration parses to the same. clang
 * -fsanitize=fuzzer,address,undefined; seeds: tests/data/corefile, words: fuzz_corefile.dict.
 */
#include "corefile.h"

#include <stdlib.h>
#include <string.h>

static const char *get_env(void *ctx, const char *name)
{
	(void)ctx;
	/* One value for every name that starts with A: lets variables appear anywhere. */
	return *name == 'A' ? "192.0.2.1" : NULL;
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
		const struct corefile_block *found =
			corefile__block_for(cf, zone->wire, zone->wire_len);

		if (!found && cf->blocks[i].apart)
			continue;
		if (!found)
			abort();
		corefile__forward_for(found, zone->wire, zone->wire_len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct corefile_options options = { .get_env = get_env };
	struct corefile *cf = NULL, *again = NULL;
	struct corefile_error err = { "" };
	char *first, *second;

	if (corefile__parse_with(&options, "fuzz", (const char *)data, size, &cf, &err)) {
		if (cf || !*err.text || strpbrk(err.text, "\n\r"))
			abort();
		return 0;
	}
	check_lookups(cf);
	first = print(cf);
	if (corefile__parse_with(&options, "again", first, strlen(first), &again, &err)) {
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
