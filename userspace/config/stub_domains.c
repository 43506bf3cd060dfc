// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Blocks for stub domains. Contract: corefile.h.
 *
 * They are made as structs: who may write the kube-dns ConfigMap may name domains and servers, and
 * nothing else.
 */
#include "corefile_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define STUB_TTL_S 30 /* as node-cache's */

static struct corefile_forward *new_forward(struct corefile *cf, const struct corefile_stub *stub,
					    const char *file)
{
	struct corefile_forward *forward = corefile_mem_alloc(cf->mem, sizeof(*forward));

	if (!forward)
		return NULL;
	*forward = corefile_forward_defaults(file, 1);
	forward->from = forward->health_check_domain; /* the root */
	forward->upstreams =
		corefile_mem_alloc(cf->mem, stub->servers_len * sizeof(forward->upstreams[0]));
	if (!forward->upstreams)
		return NULL;
	for (size_t i = 0; i < stub->servers_len; i++)
		forward->upstreams[i].addr = stub->servers[i];
	forward->upstreams_len = stub->servers_len;
	return forward;
}

/* On whatever port and address: nodens has one cache. */
static bool has_zone(const struct corefile *cf, const struct dns_name *name)
{
	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_block *b = &cf->blocks[i];

		for (size_t z = 0; !b->apart && z < b->zones_len; z++) {
			if (dns_name__equal(&b->zones[z].name, name))
				return true;
		}
	}
	return false;
}

int corefile__add_stub(struct corefile *cf, const struct corefile_stub *stub, const char **why)
{
	const char *file = corefile_mem_strndup(cf->mem, stub->file, strlen(stub->file));
	struct corefile_block block = corefile_block_defaults(file, 1);
	struct dns_name name;

	if (dns_name__from_config(&name, stub->zone, why))
		return -EINVAL;
	if (has_zone(cf, &name))
		return -EEXIST;
	block.zones = corefile_mem_alloc(cf->mem, sizeof(block.zones[0]));
	block.zones_len = 1;
	block.port = stub->port;
	block.binds = corefile_mem_alloc(cf->mem, stub->binds_len * sizeof(block.binds[0]));
	block.forwards = new_forward(cf, stub, file);
	block.forwards_len = 1;
	if (!file || !block.zones || !block.binds || !block.forwards ||
	    corefile_zone_make(cf->mem, &name, file, 1, block.zones))
		return -ENOMEM;
	block.binds_len = stub->binds_len;
	for (size_t i = 0; i < stub->binds_len; i++) {
		block.binds[i] = stub->binds[i];
		sockaddr__set_port(&block.binds[i], stub->port);
	}
	block.errors.enabled = true;
	block.cache.enabled = true;
	block.cache.success.ttl_s = block.cache.denial.ttl_s = STUB_TTL_S;
	if (block.port != cf->cached_port)
		corefile_block_apart(&block);
	return corefile_add_block(cf, &block);
}
