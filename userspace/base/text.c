// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "base/text.h"

char *text__printable(char *to, size_t size, const char *from)
{
	size_t i;

	for (i = 0; i + 1 < size && from[i]; i++)
		to[i] = from[i] < 0x20 || from[i] > 0x7e ? '?' : from[i];
	if (size)
		to[i] = '\0';
	return to;
}

json_t *text__json(const char *from)
{
	char clean[1024];

	return json_string(text__printable(clean, sizeof(clean), from));
}
