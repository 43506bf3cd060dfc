/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The agent's log: one line a message on stderr, its level first.
 *
 * Contract: for cmd/ and agent/; modules below them
 * return errors instead. Control characters never reach the terminal. Nobody waits for who reads
 * it: a line that would block is dropped, and the next one says how many were.
 */
#ifndef NODENS_LOG_H
#define NODENS_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log__set_level(enum log_level level);
/* "error", "warn", "info", "debug" */
extern const char *const log_level_names[LOG_LEVEL_DEBUG + 1];

void log__write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Lines dropped so far: whoever was to read them had stopped. */
unsigned long long log__dropped(void);

#define log_error(...) log__write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log__write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log__write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log__write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif /* NODENS_LOG_H */
