/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The reverse zones that a network in CIDR notation stands for.
 *
 * Contract: pure: no allocation, no I/O.
 */
#ifndef NODENS_DNS_REVERSE_H
#define NODENS_DNS_REVERSE_H

#include "dns/name.h"

/* Of a network: `count` names, each of `units` octets (IPv4) or nibbles (IPv6). A /9 is 128 zones
 * of /16: the most that one network stands for. */
struct reverse {
	uint8_t addr[16];
	bool ipv6;
	uint8_t prefix; /* bits, as written */
	uint8_t units;
	uint8_t count;
};

/*
 * ADDRESS/BITS. A length off an octet (nibble) boundary stands for the zones of the next longer
 * one, as in CoreDNS: 172.16.0.0/12 is 16.172.in-addr.arpa to 31.172.in-addr.arpa. -EINVAL with a
 * reason that a person can read in *why; *out is untouched then.
 */
int reverse__parse(const char *text, struct reverse *out, const char **why);

/* The index-th name (0 <= index < count). */
struct dns_name reverse__name_at(const struct reverse *rev, unsigned int index);

#endif /* NODENS_DNS_REVERSE_H */
