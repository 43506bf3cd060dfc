// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Which server blocks of a configuration are in the next one, too. Contract: corefile.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/corefile.h"

/* What of a block decides about its answers; what is only said or shown of them may differ. */
static char *block_text(const struct corefile_block *block)
{
	struct corefile_block plain = *block;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	plain.errors = (struct errors){ .enabled = false };
	plain.logs_len = plain.dnstaps_len = 0;
	plain.debug = plain.loop = false;
	plain.has_probe = false;
	plain.health.enabled = plain.prometheus.enabled = plain.ready.enabled = false;
	plain.reload = (struct corefile_reload){ .enabled = false };
	plain.timeouts = (struct corefile_timeouts){ .read_ns = 0 };
	/* more or less room is not another answer */
	plain.cache.success.capacity = !!plain.cache.success.capacity;
	plain.cache.denial.capacity = !!plain.cache.denial.capacity;
	corefile__print_block(&plain, out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static char **block_texts(const struct corefile *cf)
{
	char **texts = calloc(cf->blocks_len, sizeof(texts[0]));

	for (size_t i = 0; texts && i < cf->blocks_len; i++)
		texts[i] = block_text(&cf->blocks[i]);
	return texts;
}

static void texts_free(char **texts, size_t n)
{
	for (size_t i = 0; texts && i < n; i++)
		free(texts[i]);
	free(texts);
}

int *corefile__unchanged(const struct corefile *before, const struct corefile *after)
{
	int *same = malloc(before->blocks_len * sizeof(*same));
	char **was = block_texts(before), **is = block_texts(after);

	for (size_t i = 0; same && i < before->blocks_len; i++) {
		same[i] = -1;
		for (size_t k = 0; was && was[i] && is && k < after->blocks_len; k++) {
			if (is[k] && !strcmp(was[i], is[k])) {
				same[i] = (int)k;
				break;
			}
		}
	}
	texts_free(was, before->blocks_len);
	texts_free(is, after->blocks_len);
	return same;
}
