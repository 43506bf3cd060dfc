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

#include "kern_priv.h"

static char last[256];
static bool last_is_verifier;
static void (*debug_print)(const char *line);

static void set_last(const char *line, size_t len)
{
	if (len >= sizeof(last))
		len = sizeof(last) - 1;
	memcpy(last, line, len);
	last[len] = '\0';
}

/* The verifier's reason is its last line but the statistics. */
static void take_verifier(const char *text)
{
	const char *best = NULL;
	size_t best_len = 0;

	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len && strncmp(text, "processed ", 10) && strncmp(text, "-- ", 3) &&
		    !strstr(text, "-- BEGIN PROG LOAD LOG")) {
			best = text;
			best_len = len;
		}
		text += len;
		text += *text == '\n';
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
	if (debug_print) {
		char *save, *line = strtok_r(text, "\n", &save);

		for (; line; line = strtok_r(NULL, "\n", &save))
			debug_print(line);
	}
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

void kern_log__init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init);
}

void kern_log__clear(void)
{
	last[0] = '\0';
	last_is_verifier = false;
}

const char *kern_log__last(void)
{
	return last;
}

void kern__on_debug(void (*print)(const char *line))
{
	debug_print = print;
}

int kern_error__set(struct kern_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}
