// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Which block, and which of its forwards, a name belongs to.
 * Contract: names are wire form, lower case; the longest zone wins, the first in the file among
 * equals.
 */
#include "config/corefile.h"

#include <netinet/in.h>
#include <string.h>

static bool same_ip(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET6)
		return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
			      &((const struct sockaddr_in6 *)b)->sin6_addr,
			      sizeof(struct in6_addr)) == 0;
	return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
	       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
}

static bool is_wildcard(const struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)addr)->sin6_addr);
	return ((const struct sockaddr_in *)addr)->sin_addr.s_addr == htonl(INADDR_ANY);
}

static bool listens_on(const struct corefile_block *block, const struct sockaddr_storage *local)
{
	uint16_t port = local->ss_family == AF_INET6
				? ((const struct sockaddr_in6 *)local)->sin6_port
				: ((const struct sockaddr_in *)local)->sin_port;

	if (htons(block->port) != port)
		return false;
	for (size_t i = 0; i < block->binds_len; i++) {
		if (same_ip(&block->binds[i], local) || is_wildcard(&block->binds[i]))
			return true;
	}
	return !block->binds_len;
}

static bool above(const struct corefile_zone *zone, const uint8_t *qname, size_t len)
{
	return zone__contains(zone->wire, zone->wire_len, qname, len);
}

const struct corefile_block *corefile__block_at(const struct corefile *cf, const uint8_t *qname,
						size_t len, const struct sockaddr_storage *local)
{
	const struct corefile_block *best = NULL;
	size_t longest = 0;

	for (const struct corefile_block *b = cf->blocks; b < cf->blocks + cf->blocks_len; b++) {
		if (local ? !listens_on(b, local) : b->apart)
			continue;
		for (const struct corefile_zone *z = b->zones; z < b->zones + b->zones_len; z++) {
			if (z->wire_len > longest && above(z, qname, len)) {
				longest = z->wire_len;
				best = b;
			}
		}
	}
	return best;
}

const struct corefile_block *corefile__block_for(const struct corefile *cf, const uint8_t *qname,
						 size_t len)
{
	return corefile__block_at(cf, qname, len, NULL);
}

static bool excepted(const struct corefile_forward *forward, const uint8_t *qname, size_t len)
{
	for (size_t i = 0; i < forward->except_len; i++) {
		if (above(&forward->except[i], qname, len))
			return true;
	}
	return false;
}

bool corefile__forward_takes(const struct corefile_forward *forward, const uint8_t *qname,
			     size_t len)
{
	return above(&forward->from, qname, len) && !excepted(forward, qname, len);
}

const struct corefile_forward *corefile__forward_for(const struct corefile_block *block,
						     const uint8_t *qname, size_t len)
{
	const struct corefile_forward *best = NULL;

	for (size_t i = 0; i < block->forwards_len; i++) {
		const struct corefile_forward *f = &block->forwards[i];

		if ((!best || f->from.wire_len > best->from.wire_len) &&
		    corefile__forward_takes(f, qname, len))
			best = f;
	}
	return best;
}
