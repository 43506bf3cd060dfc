// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Reverse zones of networks. Contract: reverse.h.
 */
#include "dns/reverse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BAD_CIDR "it is not ADDRESS/BITS; write it as 10.0.0.0/8 or 2001:db8::/32"

static int reject(const char **why, const char *reason)
{
	*why = reason;
	return -EINVAL;
}

int reverse__parse(const char *text, struct reverse *out, const char **why)
{
	const char *slash = strrchr(text, '/');
	struct reverse rev = { 0 };
	unsigned int bits = 0, max, step;
	char addr[INET6_ADDRSTRLEN];
	const char *s;

	if (!slash || (size_t)(slash - text) >= sizeof(addr))
		return reject(why, BAD_CIDR);
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	if (inet_pton(AF_INET6, addr, rev.addr) == 1)
		rev.ipv6 = true;
	else if (inet_pton(AF_INET, addr, rev.addr) != 1)
		return reject(why, BAD_CIDR);

	max = rev.ipv6 ? 128 : 32;
	step = rev.ipv6 ? 4 : 8;
	for (s = slash + 1; *s >= '0' && *s <= '9' && bits <= max; s++)
		bits = bits * 10 + (unsigned int)(*s - '0');
	if (s == slash + 1 || *s || bits > max)
		return reject(why, rev.ipv6 ? "its length is out of range; write 0 to 128"
					    : "its length is out of range; write 0 to 32");
	for (unsigned int i = bits; i < max; i++) /* host bits mean nothing here */
		rev.addr[i / 8] &= (uint8_t) ~(0x80 >> (i % 8));
	rev.prefix = (uint8_t)bits;
	rev.units = (uint8_t)((bits + step - 1) / step);
	rev.count = (uint8_t)(1u << (rev.units * step - bits));
	*out = rev;
	return 0;
}

struct dns_name reverse__name_at(const struct reverse *rev, unsigned int index)
{
	char text[16 * 4 + sizeof("ip6.arpa.") + 32], *t = text;
	struct dns_name name;
	uint8_t addr[16];
	const char *why;

	memcpy(addr, rev->addr, sizeof(addr));
	/* The bits between the prefix and the boundary lie in the last unit, which one octet holds.
	 */
	if (rev->units) {
		unsigned int last = rev->ipv6 ? (rev->units - 1u) / 2 : rev->units - 1u;
		unsigned int shift = rev->ipv6 && (rev->units & 1) ? 4 : 0;

		addr[last] |= (uint8_t)(index << shift);
	}
	for (unsigned int i = rev->units; i-- > 0;) {
		if (rev->ipv6)
			t += sprintf(t, "%x.", i & 1 ? addr[i / 2] & 0xf : addr[i / 2] >> 4);
		else
			t += sprintf(t, "%u.", addr[i]);
	}
	strcpy(t, rev->ipv6 ? "ip6.arpa." : "in-addr.arpa.");
	dns_name__from_config(&name, text, &why);
	return name;
}
