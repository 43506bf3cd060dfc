// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

int error__set(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}
