// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Memory of one configuration, freed all at once.
 * Contract: every piece is its own malloc, so that a sanitizer sees an overrun of any of them.
 */
#include "corefile_priv.h"

#include <errno.h>
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

int corefile_mem_append(struct corefile_mem *mem, void *list, size_t *len, const void *element,
			size_t size)
{
	size_t room = *len ? *len * 2 : 1; /* most lists hold one */
	char *array, *bigger;

	memcpy(&array, list, sizeof(array));
	if (!(*len & (*len - 1))) {
		bigger = room > MEM_MAX / size ? NULL : corefile_mem_alloc(mem, room * size);
		if (!bigger)
			return -ENOMEM;
		if (*len)
			memcpy(bigger, array, *len * size);
		array = bigger; /* the old one stays until everything goes */
		memcpy(list, &array, sizeof(array));
	}
	memcpy(array + (*len)++ * size, element, size);
	return 0;
}
