// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A step on the way of a question, and whether it decides. Contract: explain.h.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "cmd/explain.h"

const char *const explain_by_names[] = { "open",    "kernel", "agent", "upstream",
					 "cluster", "behind", "nobody" };

void explain_step(struct explain *ex, const char *name, enum explain_by by, const char *fmt, ...)
{
	struct explain_step *step = &ex->steps[ex->n_steps];
	char text[sizeof(step->text)];
	va_list ap;

	if (ex->n_steps == EXPLAIN_STEPS)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	step->name = name;
	text__printable(step->text, sizeof(step->text), text);
	step->decides = by != EXPLAIN_OPEN && ex->by == EXPLAIN_OPEN;
	if (step->decides)
		ex->by = by;
	ex->n_steps++;
}
