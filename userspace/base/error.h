/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What failed and what to do about it, as one line for whoever started the program.
 *
 * Contract: goes with a negative errno that the function returns.
 */
#ifndef NODENS_ERROR_H
#define NODENS_ERROR_H

struct error {
	char text[512];
};

/* Fills @err (which may be NULL) and returns @code, for `return error__set(...)`. */
int error__set(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* NODENS_ERROR_H */
