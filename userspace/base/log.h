/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The agent's log: one line a message on stderr, in text its level first.
 *
 * Contract: for cmd/ and agent/; modules below them
 * return errors instead. Control characters never reach the terminal. Nobody waits for who reads
 * it: a line that would block is dropped, and the next one says how many were.
 */
#ifndef NODENS_LOG_H
#define NODENS_LOG_H

#include "base/log_line.h"

void log__set_level(enum log_level level);
/*
 * LOG_FORMAT_AUTO: that of the journal where it reads stderr (JOURNAL_STREAM, systemd.exec(5)),
 * else text. Before the first call: text.
 */
void log__set_format(enum log_format format);
/* Never LOG_FORMAT_AUTO. */
enum log_format log__format(void);

void log__write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* With members of the JSON object besides; @fields is borrowed, NULL: none. */
void log__write_fields(enum log_level level, struct json_t *fields, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Lines dropped so far: whoever was to read them had stopped. */
unsigned long long log__dropped(void);

#define log_error(...) log__write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log__write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log__write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log__write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif /* NODENS_LOG_H */
