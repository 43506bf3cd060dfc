// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A server block before anything is read of it, and as a part of the configuration.
 * Contract: corefile_priv.h.
 */
#include "corefile_priv.h"

#include <errno.h>

#define CAPACITY_DEFAULT    9984
#define TTL_SUCCESS_DEFAULT 3600
#define TTL_DENIAL_DEFAULT  1800
#define MIN_TTL_DEFAULT	    5
#define SERVFAIL_DEFAULT    5

struct corefile_block corefile_block_defaults(const char *file, unsigned int line)
{
	return (struct corefile_block){
		.file = file,
		.line = line,
		.nxdomain_cut = true,
		.cache = {
			.success = { CAPACITY_DEFAULT, TTL_SUCCESS_DEFAULT, MIN_TTL_DEFAULT },
			.denial = { CAPACITY_DEFAULT, TTL_DENIAL_DEFAULT, MIN_TTL_DEFAULT },
			.servfail_s = SERVFAIL_DEFAULT,
		},
	};
}

int corefile_add_block(struct corefile *cf, const struct corefile_block *block)
{
	return corefile_mem_append(cf->mem, &cf->blocks, &cf->blocks_len, block, sizeof(*block));
}

void corefile_block_apart(struct corefile_block *block)
{
	block->apart = true;
	block->nxdomain_cut = false;
	block->cache = corefile_block_defaults(NULL, 0).cache;
}
