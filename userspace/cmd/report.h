/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What `nodens report` finds in struct traffic and struct status: what to change, and what that
 * gains.
 *
 * Contract: texts have printable ASCII alone. Thresholds are in docs/operations.md.
 */
#ifndef NODENS_REPORT_H
#define NODENS_REPORT_H

#include "cmd/status.h"
#include "cmd/traffic.h"

#define REPORT_TEXT (DNS_NAME_TEXT + 256)

/* Codes are for scripts, and stay: docs/operations.md has each. */
struct finding {
	const char *code;
	double weight; /* how bad: queries a second, or far above that */
	char text[REPORT_TEXT], fix[512];
	char subject[DNS_NAME_TEXT]; /* pod or name; "": of the node */
	json_t *figures;
};

#define REPORT_CODES	9
#define REPORT_PER_CODE 5 /* the worst */
struct report {
	struct finding list[REPORT_CODES * REPORT_PER_CODE];
	size_t n;
	struct {
		const char *code;
		size_t n;
	} left_out[REPORT_CODES]; /* until n is 0: findings beyond those */
};

/*
 * Between the two readings lies the time that was watched; @after NULL: there was none at its end.
 */
void report__find(struct report *report, struct traffic *traffic, const struct status *before,
		  const struct status *after);
void report__free(struct report *report);

#endif /* NODENS_REPORT_H */
