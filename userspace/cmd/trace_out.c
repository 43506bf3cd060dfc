// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Output of `nodens trace`, which may be a pipe that nobody empties. Contract: trace.h.
 */
#include "cmd/trace.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* After a signal to stop: so long for a reader that is only slow. */
#define LAST_WAIT_MS 300

static void fail(struct trace_out *out, int error)
{
	out->failed = true;
	out->error = error;
	out->n = 0;
}

/* May the rest be written? Once it is to stop, only to somebody who reads. */
static bool may_go_on(const struct trace_out *out)
{
	struct pollfd fd = { .fd = out->fd, .events = POLLOUT };

	return !*out->stop || poll(&fd, 1, LAST_WAIT_MS) > 0;
}

/* What is in a page goes into a pipe in one go, or waits; a signal ends the waiting. */
void trace_out__flush(struct trace_out *out)
{
	size_t at = 0;

	while (at < out->n) {
		ssize_t done;

		if (!may_go_on(out)) {
			fail(out, EINTR);
			return;
		}
		done = write(out->fd, out->buffer + at, out->n - at);
		if (done < 0 && errno != EINTR) {
			fail(out, errno);
			return;
		}
		at += done > 0 ? done : 0;
	}
	out->n = 0;
}

void trace_out__write(struct trace_out *out, const void *data, size_t len)
{
	if (len > sizeof(out->buffer) - out->n)
		trace_out__flush(out);
	if (out->failed)
		return;
	memcpy(out->buffer + out->n, data, len);
	out->n += len;
}

void trace_out__print(struct trace_out *out, const char *fmt, ...)
{
	char line[4096];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	trace_out__write(out, line, len < (int)sizeof(line) ? len : (int)sizeof(line) - 1);
}
