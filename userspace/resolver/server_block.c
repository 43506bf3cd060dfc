// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A server block at work. Contract: server_block.h.
 */
#include "resolver/server_block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "resolver_priv.h"

int server_block__open(const struct corefile_block *block, uint16_t partition,
		       struct upstreams *upstreams, struct server_block *out, struct error *err)
{
	const struct plugin_open open = {
		.block = block,
		.zones = { block->zones, block->zones_len },
		.upstreams = upstreams,
		.err = err,
	};
	struct server_block sb = { .config = block, .partition = partition };
	int ret = 0;

	sb.nx_zones = calloc(block->zones_len, sizeof(sb.nx_zones[0]));
	if (!sb.nx_zones)
		ret = -ENOMEM;
	for (size_t i = 0; !ret && i < chain_len; i++) {
		const struct plugin *plugin = chain_plugins[i];
		void **state = &sb.state[plugin->id];

		ret = plugin->open(&open, state);
		if (*state && plugin->tells_client)
			sb.tells_client |= plugin->tells_client(*state);
		sb.by_family |= *state && plugin->by_family;
		sb.admits |= *state && plugin->admit;
	}
	if (ret) {
		server_block__close(&sb);
		return ret;
	}
	*out = sb;
	return 0;
}

void server_block__close(struct server_block *sb)
{
	for (size_t i = 0; i < chain_len; i++) {
		const struct plugin *plugin = chain_plugins[i];

		if (plugin->close && sb->state[plugin->id])
			plugin->close(sb->state[plugin->id]);
	}
	free(sb->nx_zones);
	*sb = (struct server_block){ .config = NULL };
}

size_t server_block__zone(const struct server_block *sb, const struct dns_name *qname)
{
	const struct corefile_block *block = sb->config;
	size_t best = 0, longest = 0;

	for (size_t i = 0; i < block->zones_len; i++) {
		const struct corefile_zone *zone = &block->zones[i];

		if (zone->name.len > longest && dns_name__within(qname, &zone->name)) {
			best = i;
			longest = zone->name.len;
		}
	}
	return best;
}

bool resolver_divided(const struct resolver *resolver, const struct server_block *sb,
		      const struct dns_name *suffix)
{
	const struct corefile *cf = resolver->config.corefile;

	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];

		for (size_t k = 0; block != sb->config && k < block->zones_len; k++) {
			const struct corefile_zone *zone = &block->zones[k];

			if (dns_name__within(&zone->name, suffix))
				return true;
		}
	}
	return corefile__block_for(cf, suffix) != sb->config;
}

int resolver__partition_of(const struct resolver *resolver, const struct dns_name *qname_lower)
{
	const struct corefile *cf = resolver->config.corefile;
	const struct corefile_block *block;

	block = corefile__block_for(cf, qname_lower);
	return block ? resolver->blocks[block - cf->blocks].partition : -1;
}
