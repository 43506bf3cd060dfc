/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The sum by which the reader of a row knows that it has one version of it, not parts of two.
 *
 * Contract: a row begins with its sum, 8 bytes, over all bytes after it; one that was never written
 * is all zero. It is no defence: who may write the table may write any sum.
 */
#ifndef NODENS_ROW_H
#define NODENS_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void row__seal(void *row, size_t size);
bool row__sound(const void *row, size_t size);
bool row__empty(const void *row, size_t size);

#endif /* NODENS_ROW_H */
