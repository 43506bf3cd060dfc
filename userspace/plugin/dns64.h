/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * AAAA answers made of A records (RFC 6147), addresses embedded as RFC 6052, 2.2 says.
 *
 * Contract: pure but for malloc.
 */
#ifndef NODENS_DNS64_H
#define NODENS_DNS64_H

#include "plugin/plugin.h"

/* Is another answer to be made in place of this one, of an AAAA question? Not of one with TC: what
 * was cut off may have the addresses. */
bool dns64__wants(const struct corefile_dns64 *dns64, const struct answer *aaaa);
/*
 * Out of the answer for A; @native is the one for AAAA, in whose place it is, for the TTL. -ENOENT
 * where there is no address.
 */
int dns64__synthesize(const struct corefile_dns64 *dns64, const struct answer *a,
		      const struct answer *native, const struct dns_name *qname, uint8_t key_flags,
		      struct answer **out);
/* @address: of IPv4, 4 bytes; prefix_len: 32, 40, 48, 56, 64 or 96. */
void dns64__embed(const struct corefile_dns64 *dns64, const uint8_t address[4], uint8_t out[16]);

extern const struct plugin dns64_plugin;

#endif /* NODENS_DNS64_H */
