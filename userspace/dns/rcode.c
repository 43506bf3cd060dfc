// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dns/rcode.h"

const char *const rcode_names[RCODE_COUNT] = {
#define X(number, text) [RCODE_##number] = text,
	RCODES(X)
#undef X
		[RCODE_OTHER] = "other",
};

const char *const rcode_labels[RCODE_COUNT] = {
#define X(number, text) [RCODE_##number] = "rcode=\"" text "\"",
	RCODES(X)
#undef X
		[RCODE_OTHER] = "rcode=\"other\"",
};

enum rcode rcode__of(uint16_t rcode)
{
	switch (rcode) {
#define X(number, text) \
	case number:    \
		return RCODE_##number;
		RCODES(X)
#undef X
	default:
		return RCODE_OTHER;
	}
}
