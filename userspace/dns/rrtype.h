/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Mnemonics of record types and response codes.
 *
 * Contract: pure. Unknown types are written and read as TYPE123 (RFC 3597).
 */
#ifndef NODENS_RRTYPE_H
#define NODENS_RRTYPE_H

#include <stdint.h>

#define RRTYPE_TEXT 16 /* room for any */

/* Returns @text, or a string that lives for ever. */
const char *rrtype__text(uint16_t type, char text[RRTYPE_TEXT]);
/* In any case of letters. -EINVAL for what is neither a mnemonic nor TYPEn. */
int rrtype__parse(const char *text, uint16_t *type);

/* "NOERROR"...; RCODE11 where there is no name. */
const char *rcode__text(uint16_t rcode, char text[RRTYPE_TEXT]);

#endif /* NODENS_RRTYPE_H */
