// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What libbpf and libxdp have to say, kept for an error's one line instead of printed.
 *
 * Contract: one thread loads programs at a time; the text is valid until the next load.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include "datapath_priv.h"

#define VERIFIER_LINES 8
#define VERIFIER_TEXT  2048 /* of what it said, at most; its lines may be long */

static char last[256];
static bool last_is_verifier;
static char verifier_end[VERIFIER_TEXT]; /* the last lines of the last refusal */
static void (*debug_print)(const char *line);

static void each_line(char *text, void (*print)(const char *line))
{
	char *save, *line = strtok_r(text, "\n", &save);

	for (; line; line = strtok_r(NULL, "\n", &save))
		print(line);
}

static void set_last(const char *line, size_t len)
{
	if (len >= sizeof(last))
		len = sizeof(last) - 1;
	memcpy(last, line, len);
	last[len] = '\0';
}

static void keep_end(const char *text)
{
	const char *end = strstr(text, "-- END PROG LOAD LOG"), *at;
	int lines = 0;

	end = end ? end : text + strlen(text);
	for (at = end; at > text && (size_t)(end - at) < sizeof(verifier_end) - 1; at--) {
		if (at < end && at[-1] == '\n' && ++lines == VERIFIER_LINES)
			break;
	}
	snprintf(verifier_end, sizeof(verifier_end), "%.*s", (int)(end - at), at);
}

/* The verifier's reason is its last line but the statistics. */
static void take_verifier(const char *log)
{
	const char *best = NULL;
	size_t best_len = 0;

	keep_end(log);
	for (const char *line = verifier_end; *line;) {
		size_t len = strcspn(line, "\n");

		if (len && strncmp(line, "processed ", 10)) {
			best = line;
			best_len = len;
		}
		line += len;
		line += *line == '\n';
	}
	if (best) {
		set_last(best, best_len);
		last_is_verifier = true;
	}
}

static void take(bool warning, const char *fmt, va_list ap)
{
	char *text, *log;

	if (!warning && !debug_print)
		return;
	if (vasprintf(&text, fmt, ap) < 0)
		return;
	log = strstr(text, "-- BEGIN PROG LOAD LOG --\n");
	if (warning && log)
		take_verifier(log + strlen("-- BEGIN PROG LOAD LOG --\n"));
	else if (warning && !last_is_verifier)
		set_last(text, strcspn(text, "\n"));
	if (debug_print)
		each_line(text, debug_print);
	free(text);
}

static int on_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	take(level == LIBBPF_WARN, fmt, ap);
	return 0;
}

static int on_libxdp(enum libxdp_print_level level, const char *fmt, va_list ap)
{
	take(level == LIBXDP_WARN, fmt, ap);
	return 0;
}

static void init(void)
{
	libbpf_set_print(on_libbpf);
	libxdp_set_print(on_libxdp);
}

void bpf_log_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init);
}

void bpf_log_clear(void)
{
	last[0] = verifier_end[0] = '\0';
	last_is_verifier = false;
}

const char *bpf_log_last(void)
{
	return last;
}

void datapath__verifier_lines(void (*print)(const char *line))
{
	char text[sizeof(verifier_end)];

	memcpy(text, verifier_end, sizeof(text));
	each_line(text, print);
}

void datapath__on_debug(void (*print)(const char *line))
{
	debug_print = print;
}
