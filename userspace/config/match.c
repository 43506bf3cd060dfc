// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Which block, and which of its forwards, a name belongs to.
 * Contract: names are wire form, lower case; the longest zone wins, the first in the file among
 * equals.
 */
#include "config/corefile.h"

bool corefile__listens_on(const struct corefile_block *block, const void *local)
{
	if (block->port != sockaddr__port(local))
		return false;
	for (size_t i = 0; i < block->binds_len; i++) {
		if (sockaddr__same_ip(&block->binds[i], local) ||
		    sockaddr__is_wildcard(&block->binds[i]))
			return true;
	}
	return !block->binds_len;
}

const struct corefile_block *corefile__block_at(const struct corefile *cf,
						const struct dns_name *qname,
						const union sockaddr_any *local)
{
	const struct corefile_block *best = NULL;
	size_t longest = 0;

	for (const struct corefile_block *b = cf->blocks; b < cf->blocks + cf->blocks_len; b++) {
		if (local ? !corefile__listens_on(b, local) : b->apart)
			continue;
		for (const struct corefile_zone *z = b->zones; z < b->zones + b->zones_len; z++) {
			if (z->name.len > longest && dns_name__within(qname, &z->name)) {
				longest = z->name.len;
				best = b;
			}
		}
	}
	return best;
}

const struct corefile_block *corefile__block_for(const struct corefile *cf,
						 const struct dns_name *qname)
{
	return corefile__block_at(cf, qname, NULL);
}

static bool excepted(const struct corefile_forward *forward, const struct dns_name *qname)
{
	for (size_t i = 0; i < forward->except.len; i++) {
		if (dns_name__within(qname, &forward->except.list[i].name))
			return true;
	}
	return false;
}

bool corefile__forward_takes(const struct corefile_forward *forward, const struct dns_name *qname)
{
	return dns_name__within(qname, &forward->from.name) && !excepted(forward, qname);
}

const struct corefile_forward *corefile__forward_for(const struct corefile_block *block,
						     const struct dns_name *qname)
{
	const struct corefile_forward *best = NULL;

	for (size_t i = 0; i < block->forwards_len; i++) {
		const struct corefile_forward *f = &block->forwards[i];

		if ((!best || f->from.name.len > best->from.name.len) &&
		    corefile__forward_takes(f, qname))
			best = f;
	}
	return best;
}

bool corefile__in_zones(const struct corefile_block *block, const struct dns_name *name)
{
	for (size_t i = 0; i < block->zones_len; i++) {
		if (dns_name__within(name, &block->zones[i].name))
			return true;
	}
	return false;
}
