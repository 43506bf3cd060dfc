// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Counts by client. Contract: share.h.
 */
#include "base/share.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/sockaddr.h"

void shares__init(struct shares *shares)
{
	*shares = (struct shares){ .groups = NULL };
}

static struct share *find(struct share **map, const struct share_key *key, struct share *group)
{
	struct share *share;

	HASH_FIND(hh, *map, key, sizeof(*key), share);
	if (share)
		return share;
	share = calloc(1, sizeof(*share));
	if (!share)
		return NULL;
	share->key = *key;
	share->map = map;
	share->group = group;
	HASH_ADD(hh, *map, key, sizeof(share->key), share);
	if (!share->hh.tbl) {
		free(share);
		return NULL;
	}
	return share;
}

static void drop_unheld(struct share *share)
{
	if (share->held)
		return;
	HASH_DELETE(hh, *share->map, share);
	free(share);
}

static void make_keys(const struct sockaddr *peer, uint32_t device, struct share_key *key,
		      struct share_key *client)
{
	struct served_addr addr = served_addr__of(peer);

	memset(key, 0, sizeof(*key));
	key->device = device;
	key->family = addr.family;
	memcpy(key->addr, &addr.v6, served_addr__len(&addr));
	memset(client, 0, sizeof(*client));
	client->device = device;
	if (device)
		return;
	*client = *key;
	if (addr.family == AF_INET6)
		memset(client->addr + 8, 0, 8);
}

int shares__take_below(struct shares *shares, const struct sockaddr *peer, uint32_t device,
		       unsigned int limit, struct share **out)
{
	struct share_key key, client;
	struct share *group, *share;
	int ret = 0;

	make_keys(peer, device, &key, &client);
	group = find(&shares->groups, &client, NULL);
	if (!group)
		return -ENOMEM;
	share = find(&shares->addrs, &key, group);
	if (!share)
		ret = -ENOMEM;
	else if (share->held >= limit || group->held / 2 >= limit)
		ret = -EDQUOT;
	if (ret) {
		if (share)
			drop_unheld(share);
		drop_unheld(group);
		return ret;
	}
	group->held++;
	share->held++;
	*out = share;
	return 0;
}

struct share *shares__take(struct shares *shares, const struct sockaddr *peer, uint32_t device)
{
	struct share *share;

	return shares__take_below(shares, peer, device, UINT_MAX, &share) ? NULL : share;
}

void share__give(struct share *share)
{
	struct share *group = share ? share->group : NULL;

	if (!share)
		return;
	group->held--;
	share->held--;
	drop_unheld(share);
	drop_unheld(group);
}

unsigned int share__client(const struct share *share)
{
	return share->group->held;
}

/* Of those that belong to @group; NULL: of the groups. */
static struct share *heaviest(struct share *map, const struct share *group)
{
	struct share *found = NULL;

	for (struct share *share = map; share; share = share->hh.next) {
		if (share->group == group && (!found || share->held > found->held))
			found = share;
	}
	return found;
}

struct share *shares__heaviest(const struct shares *shares)
{
	const struct share *group = heaviest(shares->groups, NULL);

	return group ? heaviest(shares->addrs, group) : NULL;
}

struct share *shares__heaviest_of(const struct shares *shares, const struct share *share)
{
	return heaviest(shares->addrs, share->group);
}
