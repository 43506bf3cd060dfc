/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Lines of text to a pipe or file, never waiting for whoever reads them: a reader that has stopped
 * costs lines, which are counted, and no query its answer.
 *
 * Contract: single-threaded; no logging of its own. Lines leave whole, when the buffer holds
 * LINES_ENOUGH and at each lines__flush().
 */
#ifndef NODENS_LINES_H
#define NODENS_LINES_H

#include <stddef.h>

#define LINES_ENOUGH 4096 /* octets: as much as a pipe takes at once (PIPE_BUF) */

struct lines;

/* @fd stays the caller's. 0 or -ENOMEM. */
int lines__open(int fd, struct lines **out);
/* What can be written at once still is. */
void lines__close(struct lines *lines);

/* One line of @prefix and @text, which hold no newline; cut at LINES_ENOUGH. */
void lines__add(struct lines *lines, const char *prefix, const char *text, size_t len);
/* Lines dropped since it was opened. */
unsigned long long lines__dropped(const struct lines *lines);
/* Call ten times a second. */
void lines__flush(struct lines *lines);

#endif /* NODENS_LINES_H */
