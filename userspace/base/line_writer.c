// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Lines that are written without waiting. Contract: line_writer.h.
 *
 * O_NONBLOCK would be set for everybody who shares the file, so poll() is asked instead: a pipe
 * that is ready takes PIPE_BUF octets without blocking (pipe(7)), in one piece.
 */
#include "base/line_writer.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM (256 * 1024)

_Static_assert(LINES_ENOUGH <= PIPE_BUF, "one write of a pipe");

struct lines {
	int fd;
	unsigned long long dropped; /* since it was said */
	unsigned long long total_dropped;
	size_t len;
	char text[ROOM];
};

int lines__open(int fd, struct lines **out)
{
	struct lines *lines = malloc(sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	lines->fd = fd;
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

static bool append(struct lines *lines, const char *prefix, const char *text, size_t len)
{
	size_t prefix_len = strlen(prefix);

	if (prefix_len + len >= LINES_ENOUGH)
		len = LINES_ENOUGH - 1 - prefix_len;
	if (lines->len + prefix_len + len + 1 > ROOM)
		return false;
	memcpy(lines->text + lines->len, prefix, prefix_len);
	memcpy(lines->text + lines->len + prefix_len, text, len);
	lines->len += prefix_len + len + 1;
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
	if (len <= LINES_ENOUGH)
		return len;
	return (size_t)((const char *)memrchr(text, '\n', LINES_ENOUGH) - text) + 1;
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

void lines__add(struct lines *lines, const char *prefix, const char *text, size_t len)
{
	char lost[96];
	int n;

	if (lines->dropped) {
		n = snprintf(lost, sizeof(lost),
			     "%llu lines of this log were dropped: it is not "
			     "read fast enough",
			     lines->dropped);
		if (lines->len > ROOM / 2 || !append(lines, "[WARNING] ", lost, (size_t)n)) {
			drop(lines);
			return;
		}
		lines->dropped = 0;
	}
	if (!append(lines, prefix, text, len))
		drop(lines);
	if (lines->len >= LINES_ENOUGH)
		lines__flush(lines);
}
