// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What only the whole configuration can get wrong: two blocks for one zone at one address.
 * Contract: CoreDNS' rule; a block without `bind` listens everywhere and so overlaps any other.
 */
#include "corefile_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct served {
	const struct corefile_zone *zone;
	const union sockaddr_any *bind; /* NULL: everywhere */
	size_t order;			/* in the file */
	uint16_t port;
};

static int compare_zone(const struct served *a, const struct served *b)
{
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	if (a->zone->name.len != b->zone->name.len)
		return a->zone->name.len < b->zone->name.len ? -1 : 1;
	return memcmp(a->zone->name.wire, b->zone->name.wire, a->zone->name.len);
}

static int compare(const void *left, const void *right)
{
	const struct served *a = left, *b = right;
	int diff = compare_zone(a, b);

	if (!diff && a->bind && b->bind)
		diff = sockaddr__compare_ip(a->bind, b->bind);
	else if (!diff && (a->bind || b->bind))
		diff = a->bind ? 1 : -1; /* everywhere first, next to what it overlaps */
	if (!diff)
		diff = a->order < b->order ? -1 : 1;
	return diff;
}

static int fail(struct corefile_parse *p, const struct served *a, const struct served *b)
{
	const struct served *first = a->order < b->order ? a : b, *second = first == a ? b : a;

	p->directive = "server block";
	p->option = NULL;
	return corefile_fail_at(p, -EINVAL, second->zone->file, second->zone->line,
				"zone %s port %u is already served at %s:%u; give the two "
				"different zones, ports or bind addresses",
				corefile_show(p, second->zone->text), second->port,
				corefile_show(p, first->zone->file), first->zone->line);
}

int corefile_check_overlap(struct corefile_parse *p)
{
	struct corefile *cf = p->cf;
	struct served *list;
	size_t len = 0;

	for (struct corefile_block *b = cf->blocks; b < cf->blocks + cf->blocks_len; b++)
		len += b->zones_len * (b->binds_len ? b->binds_len : 1);
	list = corefile_mem_alloc(p->scratch, len * sizeof(*list));
	if (!list)
		return corefile_nomem(p);
	len = 0;
	for (struct corefile_block *b = cf->blocks; b < cf->blocks + cf->blocks_len; b++) {
		for (size_t z = 0; z < b->zones_len; z++) {
			for (size_t i = 0; i < b->binds_len || i == 0; i++, len++)
				list[len] = (struct served){ .zone = &b->zones[z],
							     .order = len,
							     .port = b->port,
							     .bind = b->binds_len ? &b->binds[i]
										  : NULL };
		}
	}
	qsort(list, len, sizeof(*list), compare);
	for (size_t i = 1; i < len; i++) {
		const struct served *a = &list[i - 1], *b = &list[i];

		if (compare_zone(a, b) == 0 && (!a->bind || sockaddr__same_ip(a->bind, b->bind)))
			return fail(p, a, b);
	}
	return 0;
}

int corefile_set_apart(struct corefile_parse *p)
{
	struct corefile *cf = p->cf;
	int err = 0;

	cf->cached_port = cf->blocks[0].port;
	for (struct corefile_block *b = cf->blocks; b < cf->blocks + cf->blocks_len; b++) {
		if (b->port == COREFILE_PORT_DEFAULT)
			cf->cached_port = COREFILE_PORT_DEFAULT;
	}
	p->directive = "cache";
	p->option = NULL;
	for (struct corefile_block *b = cf->blocks; !err && b < cf->blocks + cf->blocks_len; b++) {
		struct corefile_token at = { .file = b->file, .line = b->line };

		if (b->port == cf->cached_port)
			continue;
		if (b->cache.enabled)
			err = corefile_warn(p, &at,
					    "port %u: the cache belongs to port %u alone; answers "
					    "on this port are asked for each time",
					    b->port, cf->cached_port);
		corefile_block_apart(b);
	}
	return err;
}

int corefile_check_probes(struct corefile_parse *p)
{
	struct corefile *cf = p->cf;

	p->directive = "probe";
	p->option = NULL;
	for (struct corefile_block *b = cf->blocks; b < cf->blocks + cf->blocks_len; b++) {
		const struct corefile_zones *names = &b->probe.names;
		struct corefile_token at = { .file = b->file, .line = b->line };
		int err = 0;

		if (b->has_probe && b->apart)
			err = corefile_warn(p, &at, "port %u: names of port %u alone are probed",
					    b->port, cf->cached_port);
		for (size_t i = 0; !err && !b->apart && i < names->len; i++) {
			if (corefile__in_zones(b, &names->list[i].name))
				continue;
			err = corefile_fail_at(p, -EINVAL, names->list[i].file, names->list[i].line,
					       "'%s' is in no zone of this block; write the names "
					       "of each block's zones there",
					       corefile_show(p, names->list[i].text));
		}
		if (err)
			return err;
	}
	return 0;
}
