/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Lines of text to a pipe or file, never waiting for whoever reads them: a reader that has stopped
 * costs lines, which are counted, and no query its answer.
 *
 * Contract: single-threaded; no logging of its own. Lines leave whole, when the buffer holds
 * LOG_LINE and at each lines__flush().
 */
#ifndef NODENS_LINES_H
#define NODENS_LINES_H

#include "base/log_line.h"

struct lines;

/* @fd stays the caller's. @format: as log__format() has it. 0 or -ENOMEM. */
int lines__open(int fd, enum log_format format, struct lines **out);
/* What can be written at once still is. */
void lines__close(struct lines *lines);

/* One line, of a text without a newline, in the format that it was opened with. */
void lines__add(struct lines *lines, const struct log_record *record);
/* Lines dropped since it was opened. */
unsigned long long lines__dropped(const struct lines *lines);
/* Call ten times a second. */
void lines__flush(struct lines *lines);

#endif /* NODENS_LINES_H */
