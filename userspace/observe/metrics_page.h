/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A page in one growing piece of memory, most of all of Prometheus' text format.
 *
 * Contract: appends stick: out of memory is seen at the end, in `failed`. Pages are counted
 * references, so several clients can be sent the same one.
 */
#ifndef NODENS_METRICS_PAGE_H
#define NODENS_METRICS_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct metrics_page {
	unsigned int refs;
	bool failed;
	char *text;
	size_t len, room;
};

struct metrics_page *metrics_page__new(void); /* one reference; NULL: out of memory */
void metrics_page__put(struct metrics_page *page);

void metrics_page__add(struct metrics_page *page, const char *text, size_t len);
/* "# HELP" and "# TYPE"; @type: "counter", "gauge", "histogram". */
void metrics_page__head(struct metrics_page *page, const char *name, const char *type,
			const char *help);
/*
 * NAME SUFFIX {LABELS,EXTRA} VALUE; @labels and @extra are whole, escaped labels, or "". @suffix:
 * "_bucket"... or "".
 */
void metrics_page__u64(struct metrics_page *page, const char *name, const char *suffix,
		       const char *labels, const char *extra, uint64_t value);
void metrics_page__real(struct metrics_page *page, const char *name, const char *suffix,
			const char *labels, const char *extra, double value);
/* The same in seconds, to the nanosecond. */
void metrics_page__ns(struct metrics_page *page, const char *name, const char *suffix,
		      const char *labels, const char *extra, uint64_t ns);

/* A label's value: \, " and newline escaped. Cut where @size ends. */
void metrics_page__escape(const char *text, char *out, size_t size);

#endif /* NODENS_METRICS_PAGE_H */
