// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Which device a client is behind, remembered for a moment: to ask is a system call, and each miss
 * wants to know it twice.
 *
 * Contract: resolver_priv.h. An address that moves to another pod is charged to the former one for
 * DEVICE_NS at most; what no program has steered yet is asked about each time.
 */
#include <string.h>

#include "base/secret_hash.h"
#include "resolver_priv.h"

#define DEVICE_NS NSEC_PER_SEC

static uint64_t hash_of(const struct served_addr *addr)
{
	uint64_t words[2] = { 0 };

	memcpy(words, &addr->v4, served_addr__len(addr));
	return secret_mix(secret_mix(0, words[0]), words[1]);
}

uint32_t client_device(struct resolver *resolver, const struct client *client, uint64_t now)
{
	const struct resolver_config *config = &resolver->config;
	struct served_addr addr = served_addr__of(&client->peer.sa);
	struct known_device *known;
	uint32_t device;

	if (!config->device)
		return 0;
	known = &resolver->devices[hash_of(&addr) % KNOWN_DEVICES];
	if (known->until_ns > now && served_addr__same(&known->addr, &addr))
		return known->device;
	device = config->device(config->ctx, &client->peer.sa);
	if (device)
		*known = (struct known_device){ addr, device, now + DEVICE_NS };
	return device;
}
