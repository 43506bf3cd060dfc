/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Rcodes as metrics tell them apart.
 */
#ifndef NODENS_RCODE_H
#define NODENS_RCODE_H

#include <stdint.h>

/* The rcodes told apart: X(number, text); others are "other". */
#define RCODES(X)        \
	X(0, "NOERROR")  \
	X(1, "FORMERR")  \
	X(2, "SERVFAIL") \
	X(3, "NXDOMAIN") \
	X(4, "NOTIMP")   \
	X(5, "REFUSED")  \
	X(6, "YXDOMAIN") \
	X(7, "YXRRSET")  \
	X(8, "NXRRSET")  \
	X(9, "NOTAUTH")  \
	X(10, "NOTZONE") \
	X(16, "BADVERS")

enum rcode {
#define X(number, text) RCODE_##number,
	RCODES(X)
#undef X
		RCODE_OTHER,
	RCODE_COUNT
};

/* Room for any of them: the lowest of the bits that say what a slot's reply is (nodens_slot.reply).
 */
#define RCODE_BITS 4

_Static_assert(RCODE_COUNT <= 1 << RCODE_BITS, "rcodes");

enum rcode rcode__of(uint16_t rcode);

extern const char *const rcode_names[RCODE_COUNT];  /* "NOERROR", ..., "other" */
extern const char *const rcode_labels[RCODE_COUNT]; /* of metrics: rcode="NOERROR" */

#endif /* NODENS_RCODE_H */
