// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Counts by client. Contract: share.h.
 */
#include "base/share.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret_hash.h"

void shares__init(struct shares *shares)
{
	for (int i = 0; i < SHARE_BUCKETS; i++)
		list__init(&shares->buckets[i]);
}

static bool same_key(const struct share_key *a, const struct share_key *b)
{
	return a->device == b->device && served_addr__same(&a->addr, &b->addr);
}

static struct share *find(struct shares *shares, const struct share_key *key, struct share *group)
{
	struct list *bucket = &shares->buckets[secret_hash(key, sizeof(*key)) % SHARE_BUCKETS];
	struct share *share;

	for (struct list *at = bucket->next; at != bucket; at = at->next) {
		share = list_entry(at, struct share, link);
		if (!share->group == !group && same_key(&share->key, key))
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
	struct share_key key = { device, served_addr__of(peer) }, client = { .device = device };
	struct share *group, *share;
	int ret = 0;

	if (!device) {
		client = key;
		if (key.addr.family == AF_INET6)
			memset(client.addr.v6.s6_addr + 8, 0, 8);
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
