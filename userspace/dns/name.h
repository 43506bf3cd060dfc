/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Domain names in wire form: comparison, case, text.
 *
 * Contract: pure. Names are well-formed, as the cursor and the parsers here make them; what is
 * behind len octets is never looked at.
 */
#ifndef NODENS_DNS_NAME_H
#define NODENS_DNS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nodens_abi.h"

#define DNS_MAX_LABEL 63 /* RFC 1035, 2.3.4 */
/* Every octet of a name could need "\DDD"; length octets become dots. And the NUL. */
#define DNS_NAME_TEXT (DNS_MAX_NAME * 4 + 1)

/* A name in wire form, uncompressed; len counts the root label (1..255). */
struct dns_name {
	uint8_t len;
	uint8_t wire[DNS_MAX_NAME];
};

/* ASCII A-Z only (RFC 4343). */
static inline uint8_t dns_lower(uint8_t c)
{
	return (uint8_t)(c - 'A') < 26 ? c + ('a' - 'A') : c;
}

/* Of eight octets at once: each comparison leaves its result in an octet's top bit. */
static inline uint64_t dns_lower_word(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101ull;
	uint64_t low7 = w & 0x7f * ones;
	uint64_t at_least_a = low7 + (0x80 - 'A') * ones;
	uint64_t above_z = low7 + (0x80 - 'Z' - 1) * ones;

	return w + (((at_least_a & ~above_z & ~w) & 0x80 * ones) >> 2);
}

bool dns_name__equal(const struct dns_name *a, const struct dns_name *b); /* case-insensitive */
/* The same for names that are equal; under the process' secret (base/secret_hash.h). */
uint64_t dns_name__hash(const struct dns_name *name);
void dns_name__lower(struct dns_name *name); /* ASCII A-Z only, RFC 4343 */
/* @a is @b or below it (label boundaries, case-insensitive). */
bool dns_name__within(const struct dns_name *a, const struct dns_name *b);
bool dns_wire__within(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);
/* Below, at or above 0 as the order of zones has it: RFC 4034, 6.1. Both in lower case. */
int dns_wire__order(const uint8_t *a, const uint8_t *b);
/*
 * Presentation form with RFC 1035 5.1 escapes and a trailing dot; DNS_NAME_TEXT octets hold any
 * name. Returns the text's length, or -ENOSPC.
 */
int dns_name__to_text(const struct dns_name *name, char *text, size_t size);
/* The trailing dot may be missing. 0 or -EINVAL. */
int dns_name__from_text(struct dns_name *name, const char *text);

/*
 * The same for configuration files. To text, all but letters, digits, '-', '_' and '*' is \DDD, so
 * that no file needs quotes for it. From text, all but those must be escaped, "" is the root,
 * letters become lower case; -EINVAL, with a reason that a person can read in *why.
 */
int dns_name__to_config(const struct dns_name *name, char text[DNS_NAME_TEXT]);
int dns_name__from_config(struct dns_name *name, const char *text, const char **why);

#endif /* NODENS_DNS_NAME_H */
