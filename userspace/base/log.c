// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The agent's log. Contract: log.h.
 */
#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static enum log_level current = LOG_LEVEL_INFO;
static enum log_format current_format = LOG_FORMAT_TEXT;

void log__set_level(enum log_level level)
{
	current = level;
}

/* systemd.exec(5): device and inode of what stderr was when the journal opened it. */
static bool read_by_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == device && st.st_ino == inode;
}

void log__set_format(enum log_format format)
{
	if (format == LOG_FORMAT_AUTO)
		format = read_by_journal() ? LOG_FORMAT_JOURNAL : LOG_FORMAT_TEXT;
	current_format = format;
}

enum log_format log__format(void)
{
	return current_format;
}

/* As line_writer.c has it: a pipe that is ready takes a line in one piece, and without blocking. */
static bool writable(void)
{
	struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&fd, 1, 0) > 0;
}

static unsigned long long total_dropped;

unsigned long long log__dropped(void)
{
	return total_dropped;
}

/* Of a terminal alone: journald and container runtimes stamp each line themselves. */
static const char *stamp(char *text, size_t size)
{
	struct timespec now;
	struct tm tm;

	if (!isatty(STDERR_FILENO))
		return NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(text, size, "%H:%M:%S ", &tm);
	return text;
}

/* One write a line, so that lines of several processes do not mix. */
static void write_line(enum log_level level, struct json_t *fields, const char *text)
{
	char line[LOG_LINE], time[16];
	struct log_record record = { .level = level,
				     .stamp = stamp(time, sizeof(time)),
				     .text = text,
				     .len = strlen(text),
				     .fields = fields };
	size_t len = log_line__make(current_format, &record, line);
	ssize_t n;

	if (!len)
		return;
	line[len] = '\n';
	n = write(STDERR_FILENO, line, len + 1);
	(void)n; /* there is nobody to be told */
}

static __attribute__((format(printf, 3, 0))) void
write_fmt(enum log_level level, struct json_t *fields, const char *fmt, va_list ap)
{
	static unsigned long long dropped;
	char text[1024 + 64];
	size_t len;
	int n;

	if (level > current)
		return;
	/* Whoever reads has stopped: DNS goes on. */
	if (!writable()) {
		dropped++;
		total_dropped++;
		return;
	}
	n = vsnprintf(text, 1024, fmt, ap);
	if (n < 0)
		return;
	/* Names of devices and files come from others: no escape sequences. */
	len = strlen(text);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = '?';
	}
	if (dropped)
		snprintf(text + len, sizeof(text) - len, " (%llu lines before this were dropped)",
			 dropped);
	dropped = 0;
	write_line(level, fields, text);
}

void log__write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_fmt(level, NULL, fmt, ap);
	va_end(ap);
}

void log__write_fields(enum log_level level, struct json_t *fields, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_fmt(level, fields, fmt, ap);
	va_end(ap);
}
