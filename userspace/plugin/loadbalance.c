// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Preferred addresses first. Contract: loadbalance.h.
 */
#include "plugin/loadbalance.h"

#include <netinet/in.h>
#include <string.h>

/* The first subnet that has it; @n: none. */
static size_t rank(const struct corefile_subnet *subnets, size_t n, const uint8_t *addr, size_t len)
{
	int family = len == 4 ? AF_INET : AF_INET6;
	size_t i = 0;

	while (i < n && !plugin__in_subnet(&subnets[i], family, addr))
		i++;
	return i;
}

void loadbalance__prefer(const struct corefile_subnet *subnets, size_t n, struct answer *answer)
{
	size_t count = answer->rot_count, size = answer->rot_size, len, at, first = 0;
	uint8_t *rdata, addr[16];

	if (!n || !count)
		return;
	/* all of one owner and type, one after the other: only the addresses change places */
	len = size == 16 ? 4 : 16;
	rdata = answer->blob + answer->rot_at + size - len;
	for (size_t i = 1; i < count; i++) {
		memcpy(addr, rdata + i * size, len);
		for (at = i; at && rank(subnets, n, rdata + (at - 1) * size, len) >
					   rank(subnets, n, addr, len);
		     at--)
			memcpy(rdata + at * size, rdata + (at - 1) * size, len);
		memcpy(rdata + at * size, addr, len);
	}
	while (first < count &&
	       rank(subnets, n, rdata + first * size, len) == rank(subnets, n, rdata, len))
		first++;
	answer->rot_count = first > 1 ? first : 0;
}

static int loadbalance_open(const struct plugin_open *open, void **state)
{
	if (open->block->prefer_len)
		*state = (void *)open->block;
	return 0;
}

static bool loadbalance_response(void *state, struct passage *passage)
{
	const struct corefile_block *block = state;

	if (passage->answer)
		loadbalance__prefer(block->prefer, block->prefer_len, passage->answer);
	return false;
}

const struct plugin loadbalance_plugin = {
	.id = PLUGIN_LOADBALANCE,
	.open = loadbalance_open,
	.response = loadbalance_response,
};
