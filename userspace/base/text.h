/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Texts that others chose, for a terminal.
 */
#ifndef NODENS_TEXT_H
#define NODENS_TEXT_H

#include <jansson.h>
#include <stddef.h>

/*
 * @from into @to, cut at @size, with '?' for each octet that is no printable ASCII character: no
 * escape sequence reaches a terminal, and JSON is UTF-8. Returns @to.
 */
char *text__printable(char *to, size_t size, const char *from);
/* The same as a JSON string, of 1,023 octets at most. */
json_t *text__json(const char *from);

#endif /* NODENS_TEXT_H */
