// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Lines that are written without waiting. Contract: line_writer.h.
 *
 * O_NONBLOCK would be set for everybody who shares the file, so poll() is asked instead: a pipe
 * that is ready takes PIPE_BUF octets without blocking (pipe(7)), in one piece.
 */
#include "base/line_writer.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM (256 * 1024)

struct lines {
	int fd;
	enum log_format format;
	unsigned long long dropped; /* since it was said */
	unsigned long long total_dropped;
	size_t len;
	char text[ROOM];
};

int lines__open(int fd, enum log_format format, struct lines **out)
{
	struct lines *lines = malloc(sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	lines->fd = fd;
	lines->format = format;
	lines->dropped = lines->total_dropped = 0;
	lines->len = 0;
	*out = lines;
	return 0;
}

void lines__close(struct lines *lines)
{
	if (!lines)
		return;
	lines__flush(lines);
	free(lines);
}

static bool append(struct lines *lines, const struct log_record *record)
{
	char line[LOG_LINE];
	size_t len = log_line__make(lines->format, record, line);

	if (!len || lines->len + len + 1 > ROOM)
		return false;
	memcpy(lines->text + lines->len, line, len);
	lines->len += len + 1;
	lines->text[lines->len - 1] = '\n';
	return true;
}

static bool writable(const struct lines *lines)
{
	struct pollfd fd = { .fd = lines->fd, .events = POLLOUT };

	return poll(&fd, 1, 0) > 0;
}

/* The whole lines at the start of @text that go in one write. */
static size_t piece(const char *text, size_t len)
{
	if (len <= LOG_LINE)
		return len;
	return (size_t)((const char *)memrchr(text, '\n', LOG_LINE) - text) + 1;
}

void lines__flush(struct lines *lines)
{
	size_t at = 0;

	while (at < lines->len && writable(lines)) {
		ssize_t n = write(lines->fd, lines->text + at,
				  piece(lines->text + at, lines->len - at));

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			break;
		/* nobody will ever read it */
		at = n < 0 ? lines->len : at + (size_t)n;
	}
	memmove(lines->text, lines->text + at, lines->len - at);
	lines->len -= at;
}

unsigned long long lines__dropped(const struct lines *lines)
{
	return lines->total_dropped;
}

static void drop(struct lines *lines)
{
	lines->dropped++;
	lines->total_dropped++;
}

/* False: there is no room yet to say it. */
static bool say_dropped(struct lines *lines, const char *plugin)
{
	char text[96];
	struct log_record record = { .level = LOG_LEVEL_WARN, .plugin = plugin, .text = text };

	record.len = (size_t)snprintf(text, sizeof(text),
				      "%llu lines of this log were dropped: it is not "
				      "read fast enough",
				      lines->dropped);
	if (lines->len > ROOM / 2 || !append(lines, &record))
		return false;
	lines->dropped = 0;
	return true;
}

void lines__add(struct lines *lines, const struct log_record *record)
{
	if (lines->dropped && !say_dropped(lines, record->plugin)) {
		drop(lines);
		return;
	}
	if (!append(lines, record))
		drop(lines);
	if (lines->len >= LOG_LINE)
		lines__flush(lines);
}
