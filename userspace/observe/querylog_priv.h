/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Placeholders of a format of the log plugin.
 */
#ifndef NODENS_QUERYLOG_PRIV_H
#define NODENS_QUERYLOG_PRIV_H

#include "observe/querylog.h"

/* Where a line is written: cut, never beyond its end. */
struct querylog_out {
	char *text;
	size_t size, len;
};

enum querylog_kind { QUERYLOG_TEXT, QUERYLOG_NUMBER, QUERYLOG_BOOL, QUERYLOG_SECONDS };

struct querylog_placeholder {
	const char *text;
	const char *field; /* of a JSON object; NULL: none */
	enum querylog_kind kind;
	bool of_pod; /* pod_namespace or pod_name */
	void (*put)(struct querylog_out *out, const struct querylog_event *event);
};

void querylog_put(struct querylog_out *out, const char *text, size_t len);

/* The placeholder at @text and its length; NULL: there is none. */
const struct querylog_placeholder *querylog_placeholder_at(const char *text, size_t *len);

#endif /* NODENS_QUERYLOG_PRIV_H */
