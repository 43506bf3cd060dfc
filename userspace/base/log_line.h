/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A line of what the agent says, in the format of -log-format: the one place where lines for stdout
 * and stderr are made.
 *
 * Contract: pure but for the time of day in JSON. Whatever octets a text has, a line of JSON is one
 * valid object in UTF-8; in the other formats control characters are for the caller to take out.
 */
#ifndef NODENS_LOG_LINE_H
#define NODENS_LOG_LINE_H

#include <stddef.h>

#define LOG_LINE 4096 /* octets, its newline included: what a pipe takes at once (PIPE_BUF) */

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* "error", "warn", "info", "debug" */
extern const char *const log_level_names[LOG_LEVEL_DEBUG + 1];

/* LOG_FORMAT_AUTO is one of the others by the time a line is made. */
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNAL };

/* "auto", "text", "json", "journal" */
extern const char *const log_format_names[LOG_FORMAT_JOURNAL + 1];

struct json_t;

struct log_record {
	enum log_level level;
	/* "log" or "errors", whose lines are CoreDNS' in text; NULL: the agent */
	const char *plugin;
	const char *stamp; /* put before a line of text; NULL: nothing */
	const char *text;
	size_t len;
	struct json_t *fields; /* of the JSON object besides, borrowed; NULL: none */
};

/*
 * The line without a newline, and its length: LOG_LINE - 1 at most, where the text is cut. 0: out
 * of memory.
 */
size_t log_line__make(enum log_format format, const struct log_record *record, char buf[LOG_LINE]);

#endif /* NODENS_LOG_LINE_H */
