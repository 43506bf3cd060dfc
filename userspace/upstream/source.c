// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Where queries leave from: the forward's source_address, and numbers that nobody can guess.
 * Contract: upstream_priv.h.
 */
#include <errno.h>
#include <sys/random.h>

#include "upstream_priv.h"

int upstreams_random16(struct upstreams *ups)
{
	if (!ups->random_left) {
		if (getrandom(ups->random, sizeof(ups->random), 0) != sizeof(ups->random))
			return -EIO;
		ups->random_left = RANDOM_IDS;
	}
	return ups->random[--ups->random_left];
}

int upstream_bind(const struct upstream *upstream, int fd)
{
	const union sockaddr_any *source = &upstream->group->forward->source;
	int on = 1;

	if (!source->sa.sa_family)
		return 0;
	/* the port is then chosen by connect(), which knows which are free towards there */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (const struct sockaddr *)source, upstream->addr_len) ? -errno : 0;
}
