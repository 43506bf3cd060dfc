// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Counts by client. Contract: share.h.
 */
#include "base/share.h"

#include <errno.h>
#include <netinet/in.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret_hash.h"

void shares__init(struct shares *shares)
{
	for (int i = 0; i < SHARE_BUCKETS; i++)
		list__init(&shares->buckets[i]);
}

/* IPv4 as ::ffff:a.b.c.d, which an IPv6 socket of both families says as well. */
static void addr_of(const struct sockaddr *peer, uint8_t addr[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (peer->sa_family == AF_INET6) {
		memcpy(addr, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
		return;
	}
	memcpy(addr, mapped, 12);
	memcpy(addr + 12, &((const struct sockaddr_in *)peer)->sin_addr, 4);
}

static struct share *find(struct shares *shares, const struct share_key *key, struct share *group)
{
	struct list *bucket = &shares->buckets[secret_hash(key, sizeof(*key)) % SHARE_BUCKETS];
	struct share *share;

	for (struct list *at = bucket->next; at != bucket; at = at->next) {
		share = list_entry(at, struct share, link);
		if (!share->group == !group && !memcmp(&share->key, key, sizeof(*key)))
			return share;
	}
	share = calloc(1, sizeof(*share));
	if (!share)
		return NULL;
	share->key = *key;
	share->group = group;
	list__append(bucket, &share->link);
	return share;
}

static void drop_unheld(struct share *share)
{
	if (share->held)
		return;
	list__del(&share->link);
	free(share);
}

int shares__take_below(struct shares *shares, const struct sockaddr *peer, uint32_t device,
		       unsigned int limit, struct share **out)
{
	struct share_key key = { .device = device }, client = { .device = device };
	struct share *group, *share;
	int ret = 0;

	addr_of(peer, key.addr);
	if (!device) {
		client = key;
		if (!IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)key.addr))
			memset(client.addr + 8, 0, 8);
	}
	group = find(shares, &client, NULL);
	if (!group)
		return -ENOMEM;
	share = find(shares, &key, group);
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
static struct share *heaviest(const struct shares *shares, const struct share *group)
{
	struct share *found = NULL;

	for (int i = 0; i < SHARE_BUCKETS; i++) {
		const struct list *bucket = &shares->buckets[i];

		for (struct list *at = bucket->next; at != bucket; at = at->next) {
			struct share *share = list_entry(at, struct share, link);

			if (share->group == group && (!found || share->held > found->held))
				found = share;
		}
	}
	return found;
}

struct share *shares__heaviest(const struct shares *shares)
{
	const struct share *group = heaviest(shares, NULL);

	return group ? heaviest(shares, group) : NULL;
}

struct share *shares__heaviest_of(const struct shares *shares, const struct share *share)
{
	return heaviest(shares, share->group);
}
