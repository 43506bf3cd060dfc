// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The agent's log. Contract: log.h.
 */
#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *const log_level_names[] = { "error", "warn", "info", "debug" };
static enum log_level current = LOG_LEVEL_INFO;

void log__set_level(enum log_level level)
{
	current = level;
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

void log__write(enum log_level level, const char *fmt, ...)
{
	static unsigned long long dropped;
	char line[1024], stamp[16] = "", lost[64] = "";
	size_t len;
	va_list ap;
	int n;

	if (level > current)
		return;
	/* Whoever reads has stopped: DNS goes on. */
	if (!writable()) {
		dropped++;
		total_dropped++;
		return;
	}
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	/* Names of devices and files come from others: no escape sequences. */
	len = strlen(line);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}
	/* journald and container runtimes stamp each line themselves. */
	if (isatty(STDERR_FILENO)) {
		struct timespec now;
		struct tm tm;

		clock_gettime(CLOCK_REALTIME, &now);
		localtime_r(&now.tv_sec, &tm);
		strftime(stamp, sizeof(stamp), "%H:%M:%S ", &tm);
	}
	if (dropped)
		snprintf(lost, sizeof(lost), " (%llu lines before this were dropped)", dropped);
	dropped = 0;
	/* One write a line, so that lines of several processes do not mix. */
	dprintf(STDERR_FILENO, "%s%s: %s%s\n", stamp, log_level_names[level], line, lost);
}
