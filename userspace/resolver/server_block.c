// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A server block at work. Contract: server_block.h.
 */
#include "resolver/server_block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "resolver_priv.h"

static int open_groups(struct server_block *sb, struct upstreams *upstreams,
		       struct server_block_error *err)
{
	const struct corefile_block *block = sb->config;

	if (!block->forwards_len)
		return 0;
	sb->groups = calloc(block->forwards_len, sizeof(sb->groups[0]));
	if (!sb->groups)
		return -ENOMEM;
	for (size_t i = 0; i < block->forwards_len; i++) {
		struct upstream_error why = { .text = "" };
		int ret =
			upstream_group__open(upstreams, &block->forwards[i], &sb->groups[i], &why);

		if (!ret)
			continue;
		snprintf(err->text, sizeof(err->text), "%s:%u: forward %s: %s",
			 block->forwards[i].from.file, block->forwards[i].from.line,
			 block->forwards[i].from.text, why.text[0] ? why.text : strerror(-ret));
		return ret;
	}
	return 0;
}

int server_block__open(const struct corefile_block *block, uint16_t owner,
		       struct upstreams *upstreams, struct server_block *out,
		       struct server_block_error *err)
{
	struct corefile_zones zones = { block->zones, block->zones_len };
	struct server_block sb = { .config = block, .owner = owner };
	int ret = open_groups(&sb, upstreams, err);

	sb.nx_zones = calloc(block->zones_len, sizeof(sb.nx_zones[0]));
	if (!ret && !sb.nx_zones)
		ret = -ENOMEM;
	if (!ret && block->rewrites_len)
		ret = rewrite__open(block->rewrites, block->rewrites_len, &sb.rewrite, err->text,
				    sizeof(err->text));
	if (!ret && block->templates_len)
		ret = template__open(block->templates, block->templates_len, &zones, &sb.templates,
				     err->text, sizeof(err->text));
	if (!ret && block->has_hosts)
		ret = hosts__open(&block->hosts, &zones, &sb.hosts, err->text, sizeof(err->text));
	if (ret) {
		server_block__close(&sb);
		return ret;
	}
	*out = sb;
	return 0;
}

void server_block__close(struct server_block *sb)
{
	rewrite__close(sb->rewrite);
	template__close(sb->templates);
	hosts__close(sb->hosts);
	free(sb->groups);
	free(sb->nx_zones);
	*sb = (struct server_block){ .config = NULL };
}

bool server_block__of_client(const struct server_block *sb)
{
	return sb->rewrite && rewrite__of_client(sb->rewrite);
}

size_t server_block__zone(const struct server_block *sb, const struct dns_name *qname)
{
	const struct corefile_block *block = sb->config;
	size_t best = 0, longest = 0;

	for (size_t i = 0; i < block->zones_len; i++) {
		const struct corefile_zone *zone = &block->zones[i];

		if (zone__contains(zone->wire, zone->wire_len, qname->wire, qname->len) &&
		    zone->wire_len > longest) {
			best = i;
			longest = zone->wire_len;
		}
	}
	return best;
}

enum plugin_result server_block__answer(struct server_block *sb, const struct plugin_query *query,
					struct server_block_answer *out)
{
	enum plugin_result result = PLUGIN_NEXT;

	*out = (struct server_block_answer){
		.plugin = PLUGIN_TEMPLATE,
		.error = "template: nothing matches, or a record is none",
	};
	if (sb->templates)
		result = template__answer(sb->templates, query, &out->answer, &out->ede);
	if (result == PLUGIN_NEXT && sb->hosts) {
		out->plugin = PLUGIN_HOSTS;
		out->error = "hosts: no such name, and no fallthrough";
		result = hosts__answer(sb->hosts, query, &out->answer);
		/* names that a wildcard makes are as many as clients like: the cache's affair */
		out->exact = result == PLUGIN_ANSWER && (query->qtype == DNS_TYPE_PTR ||
							 hosts__lists(sb->hosts, query->qname));
	}
	return result;
}

bool resolver_divided(const struct resolver *resolver, const struct server_block *sb,
		      const struct dns_name *suffix)
{
	const struct corefile *cf = resolver->config.corefile;

	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_block *block = &cf->blocks[i];

		for (size_t k = 0; block != sb->config && k < block->zones_len; k++) {
			const struct corefile_zone *zone = &block->zones[k];

			if (zone__contains(suffix->wire, suffix->len, zone->wire, zone->wire_len))
				return true;
		}
	}
	return corefile__block_for(cf, suffix->wire, suffix->len) != sb->config;
}

int resolver__owner_of(const struct resolver *resolver, const struct dns_name *qname_lower)
{
	const struct corefile *cf = resolver->config.corefile;
	const struct corefile_block *block;

	block = corefile__block_for(cf, qname_lower->wire, qname_lower->len);
	return block ? resolver->blocks[block - cf->blocks].owner : -1;
}
