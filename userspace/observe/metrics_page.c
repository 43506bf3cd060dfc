// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Prometheus' text format. Contract: metrics_page.h.
 *
 * A page may have 100,000 lines: no printf but for the rare real number.
 */
#include "observe/metrics_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM (64 * 1024)

struct metrics_page *metrics_page__new(void)
{
	struct metrics_page *page = calloc(1, sizeof(*page));

	if (page)
		page->refs = 1;
	return page;
}

void metrics_page__put(struct metrics_page *page)
{
	if (!page || --page->refs)
		return;
	free(page->text);
	free(page);
}

static bool reserve(struct metrics_page *page, size_t more)
{
	size_t room = page->room ? page->room : FIRST_ROOM;
	char *text;

	if (page->failed)
		return false;
	if (page->room - page->len >= more)
		return true;
	while (room - page->len < more)
		room *= 2;
	text = realloc(page->text, room);
	if (!text) {
		page->failed = true;
		return false;
	}
	page->text = text;
	page->room = room;
	return true;
}

void metrics_page__add(struct metrics_page *page, const char *text, size_t len)
{
	if (!reserve(page, len))
		return;
	memcpy(page->text + page->len, text, len);
	page->len += len;
}

static void add_text(struct metrics_page *page, const char *text)
{
	metrics_page__add(page, text, strlen(text));
}

void metrics_page__head(struct metrics_page *page, const char *name, const char *type,
			const char *help)
{
	add_text(page, "# HELP ");
	add_text(page, name);
	add_text(page, " ");
	add_text(page, help);
	add_text(page, "\n# TYPE ");
	add_text(page, name);
	add_text(page, " ");
	add_text(page, type);
	add_text(page, "\n");
}

static void add_name(struct metrics_page *page, const char *name, const char *suffix,
		     const char *labels, const char *extra)
{
	add_text(page, name);
	add_text(page, suffix);
	if (*labels || *extra) {
		add_text(page, "{");
		add_text(page, labels);
		if (*labels && *extra)
			add_text(page, ",");
		add_text(page, extra);
		add_text(page, "}");
	}
	add_text(page, " ");
}

static size_t digits(uint64_t value, char text[20])
{
	char reversed[20];
	size_t n = 0;

	do {
		reversed[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	for (size_t i = 0; i < n; i++)
		text[i] = reversed[n - 1 - i];
	return n;
}

void metrics_page__u64(struct metrics_page *page, const char *name, const char *suffix,
		       const char *labels, const char *extra, uint64_t value)
{
	char text[21];
	size_t n = digits(value, text);

	text[n++] = '\n';
	add_name(page, name, suffix, labels, extra);
	metrics_page__add(page, text, n);
}

void metrics_page__real(struct metrics_page *page, const char *name, const char *suffix,
			const char *labels, const char *extra, double value)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%.17g\n", value);

	add_name(page, name, suffix, labels, extra);
	metrics_page__add(page, text, (size_t)n);
}

void metrics_page__ns(struct metrics_page *page, const char *name, const char *suffix,
		      const char *labels, const char *extra, uint64_t ns)
{
	char text[32];
	size_t n = digits(ns / 1000000000, text);

	text[n++] = '.';
	for (uint64_t unit = 100000000; unit; unit /= 10)
		text[n++] = (char)('0' + ns / unit % 10);
	text[n++] = '\n';
	add_name(page, name, suffix, labels, extra);
	metrics_page__add(page, text, n);
}

void metrics_page__escape(const char *text, char *out, size_t size)
{
	size_t n = 0;

	for (; *text; text++) {
		bool escape = *text == '\\' || *text == '"' || *text == '\n';

		if (n + 1 + escape >= size)
			break;
		if (escape)
			out[n++] = '\\';
		out[n++] = *text == '\n' ? 'n' : *text;
	}
	out[n] = '\0';
}
