// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A line in text, JSON or for the journal. Contract: log_line.h.
 */
#include "base/log_line.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"

_Static_assert(LOG_LINE <= PIPE_BUF, "one write of a pipe");

const char *const log_level_names[] = { "error", "warn", "info", "debug" };
const char *const log_format_names[] = { "auto", "text", "json", "journal" };

/* As CoreDNS words them. */
static const char *const coredns_levels[] = {
	[LOG_LEVEL_ERROR] = "ERROR",
	[LOG_LEVEL_WARN] = "WARNING",
	[LOG_LEVEL_INFO] = "INFO",
	[LOG_LEVEL_DEBUG] = "DEBUG",
};

/* sd-daemon(3): syslog's priorities. */
static const int priorities[] = {
	[LOG_LEVEL_ERROR] = 3,
	[LOG_LEVEL_WARN] = 4,
	[LOG_LEVEL_INFO] = 6,
	[LOG_LEVEL_DEBUG] = 7,
};

static size_t prefixed(const struct log_record *record, const char *prefix, char *buf)
{
	size_t prefix_len = strlen(prefix), len = record->len;

	if (prefix_len + len >= LOG_LINE)
		len = LOG_LINE - 1 - prefix_len;
	memcpy(buf, prefix, prefix_len);
	memcpy(buf + prefix_len, record->text, len);
	return prefix_len + len;
}

static size_t in_text(const struct log_record *record, char *buf)
{
	char prefix[64];

	if (record->plugin)
		snprintf(prefix, sizeof(prefix), "[%s] ", coredns_levels[record->level]);
	else
		snprintf(prefix, sizeof(prefix), "%s%s: ", record->stamp ? record->stamp : "",
			 log_level_names[record->level]);
	return prefixed(record, prefix, buf);
}

static size_t for_journal(const struct log_record *record, char *buf)
{
	char prefix[8];

	snprintf(prefix, sizeof(prefix), "<%d>", priorities[record->level]);
	return prefixed(record, prefix, buf);
}

/* ---- JSON ---- */

/* RFC 3339, 5.6, in UTC. */
static json_t *time_of_day(void)
{
	char seconds[32], text[48];
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%06uZ", seconds,
		 (unsigned int)(now.tv_nsec / (NSEC_PER_MS / 1000)));
	return json_string(text);
}

/* Names of devices and files have any octets; what is no UTF-8 becomes ASCII. */
static json_t *text_value(const char *text, size_t len)
{
	json_t *value = json_stringn(text, len);
	char ascii[LOG_LINE];
	char *copy;

	if (value)
		return value;
	copy = strndup(text, len);
	if (copy)
		value = json_string(text__printable(ascii, sizeof(ascii), copy));
	free(copy);
	return value;
}

/* 0: out of memory. What it takes may be more than a line has. */
static size_t dump(json_t *object, const struct log_record *record, size_t text_len, char *buf)
{
	if (json_object_set_new(object, "msg", text_value(record->text, text_len)))
		return 0;
	return json_dumpb(object, buf, LOG_LINE - 1, JSON_COMPACT | JSON_REAL_PRECISION(9));
}

static size_t in_json(const struct log_record *record, char *buf)
{
	json_t *object = json_object();
	size_t text_len = record->len < LOG_LINE ? record->len : LOG_LINE - 1, len = 0;

	if (!json_object_set_new(object, "time", time_of_day()) &&
	    !json_object_set_new(object, "level", json_string(log_level_names[record->level])) &&
	    !json_object_set_new(object, "source",
				 json_string(record->plugin ? record->plugin : "agent")) &&
	    !json_object_set_new(object, "msg", json_null()) &&
	    (!record->fields || !json_object_update(object, record->fields)))
		len = dump(object, record, text_len, buf);
	/* the text gives way, never a field, nor the object's end */
	while (len > LOG_LINE - 1 && text_len) {
		text_len /= 2;
		len = dump(object, record, text_len, buf);
	}
	json_decref(object);
	return len > LOG_LINE - 1 ? 0 : len;
}

size_t log_line__make(enum log_format format, const struct log_record *record, char buf[LOG_LINE])
{
	switch (format) {
	case LOG_FORMAT_JSON:
		return in_json(record, buf);
	case LOG_FORMAT_JOURNAL:
		return for_journal(record, buf);
	default:
		return in_text(record, buf);
	}
}
