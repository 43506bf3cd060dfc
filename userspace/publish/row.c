// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Sums of rows. Contract: row.h.
 */
#include "publish/row.h"

#include <string.h>

/* FNV-1a by words of 8 bytes; never 0, which is an empty row's. */
static uint64_t sum_of(const void *row, size_t size)
{
	uint64_t sum = 0xcbf29ce484222325ull, word;

	for (size_t at = sizeof(word); at + sizeof(word) <= size; at += sizeof(word)) {
		memcpy(&word, (const char *)row + at, sizeof(word));
		sum = (sum ^ word) * 0x100000001b3ull;
		/* the low bits of a product know nothing of the high ones of what is multiplied */
		sum ^= sum >> 32;
	}
	return sum ? sum : 1;
}

void row__seal(void *row, size_t size)
{
	uint64_t sum = sum_of(row, size);

	memcpy(row, &sum, sizeof(sum));
}

bool row__sound(const void *row, size_t size)
{
	uint64_t sum;

	memcpy(&sum, row, sizeof(sum));
	return sum == sum_of(row, size);
}

bool row__empty(const void *row, size_t size)
{
	const char *at = row;

	return !at[0] && !memcmp(at, at + 1, size - 1);
}
