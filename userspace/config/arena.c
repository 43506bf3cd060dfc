// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Memory of one configuration, freed all at once.
 * Contract: every piece is its own malloc, so that a sanitizer sees an overrun of any of them.
 */
#include "corefile_priv.h"

#include <stdlib.h>
#include <string.h>

/* Far above any real configuration; a runaway import or variable ends here and not in the OOM
 * killer. */
#define MEM_MAX (256 * 1024 * 1024)

struct piece {
	struct piece *next;
	max_align_t data[];
};

struct corefile_mem {
	struct piece *pieces;
	size_t used;
};

struct corefile_mem *corefile_mem_new(void)
{
	return calloc(1, sizeof(struct corefile_mem));
}

void corefile_mem_free(struct corefile_mem *mem)
{
	if (!mem)
		return;
	while (mem->pieces) {
		struct piece *piece = mem->pieces;

		mem->pieces = piece->next;
		free(piece);
	}
	free(mem);
}

void *corefile_mem_alloc(struct corefile_mem *mem, size_t size)
{
	struct piece *piece;

	if (size > MEM_MAX - mem->used)
		return NULL;
	piece = calloc(1, sizeof(*piece) + size);
	if (!piece)
		return NULL;
	piece->next = mem->pieces;
	mem->pieces = piece;
	mem->used += size;
	return piece->data;
}

char *corefile_mem_strndup(struct corefile_mem *mem, const char *s, size_t len)
{
	char *copy = corefile_mem_alloc(mem, len + 1);

	if (copy)
		memcpy(copy, s, len);
	return copy;
}

void *corefile_mem_grow(struct corefile_mem *mem, void *array, size_t len, size_t *cap,
			size_t elem_size)
{
	size_t want = *cap ? *cap * 2 : 1; /* most lists hold one */
	void *bigger;

	if (len < *cap)
		return array;
	if (want > MEM_MAX / elem_size)
		return NULL;
	bigger = corefile_mem_alloc(mem, want * elem_size);
	if (!bigger)
		return NULL;
	if (len)
		memcpy(bigger, array, len * elem_size);
	*cap = want;
	return bigger; /* the old one stays until everything goes */
}
