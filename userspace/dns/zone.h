/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Zone names as configuration needs them: text to wire form and back, reverse zones from CIDR
 * notation, and the suffix test that picks the zone of a query.
 *
 * Pure: no allocation, no I/O. Functions return a length or 0 on success and -EINVAL on bad input,
 * with a reason a person can read in *why; outputs are untouched on failure.
 */
#ifndef NODENS_ZONE_H
#define NODENS_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 1035, 2.3.4: 255 octets with every length octet and the root's zero; 63 octets a label. */
#define ZONE_WIRE_MAX  255
#define ZONE_LABEL_MAX 63
/* Every octet of the name could need "\DDD"; the length octets become dots. And the NUL. */
#define ZONE_TEXT_MAX (ZONE_WIRE_MAX * 4 + 1)
/* A /9 is 128 zones of /16: the most that one CIDR can expand to. */
#define ZONE_REVERSE_MAX 128

/*
 * Presentation form (with or without the trailing dot, \DDD and \X escapes; "" is the root) to
 * lower-cased wire form. Returns the wire length, 1 to ZONE_WIRE_MAX.
 */
int zone__from_text(const char *text, uint8_t wire[ZONE_WIRE_MAX], const char **why);

/*
 * Well-formed wire form to presentation form, with a trailing dot. Octets other than letters,
 * digits,
 * '-', '_' and '*' are written \DDD, so the text needs no quoting in any configuration file.
 * Returns the text's length.
 */
size_t zone__to_text(const uint8_t *wire, char text[ZONE_TEXT_MAX]);

/* The reverse zones of a network: `count` names, each of `units` octets (IPv4) or nibbles (IPv6).
 */
struct zone_reverse {
	uint8_t addr[16];
	bool ipv6;
	uint8_t prefix; /* bits, as written */
	uint8_t units;
	uint8_t count;
};

/*
 * ADDRESS/BITS. A length off an octet (nibble) boundary stands for the zones of the next longer
 * one, as in CoreDNS: 172.16.0.0/12 is 16.172.in-addr.arpa to 31.172.in-addr.arpa.
 */
int zone__parse_cidr(const char *text, struct zone_reverse *out, const char **why);

/* The index-th name (0 <= index < count) in wire form; returns its length. */
int zone__reverse_at(const struct zone_reverse *rev, unsigned int index,
		     uint8_t wire[ZONE_WIRE_MAX]);

/*
 * Whether `name` is `zone` or below it, on label boundaries. Both lower case, wire form with the
 * root's zero counted; a malformed `name` is below nothing.
 */
bool zone__contains(const uint8_t *zone, size_t zone_len, const uint8_t *name, size_t name_len);

#endif
