// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Clients' shares. Contract: client_share.h.
 */
#include "resolver/client_share.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret_hash.h"

#define BUCKETS 1024

/* An address without its port, or a device. */
struct share_key {
	uint32_t device; /* 0: an address */
	uint32_t family;
	uint8_t addr[16];
};

struct client_share {
	struct client_share *next; /* in its bucket */
	struct share_key key;
	unsigned int held[SHARES];
};

struct client_shares {
	unsigned int limit[SHARES];
	struct client_share *buckets[BUCKETS]; /* clients choose the keys: base/secret_hash.h */
};

int client_shares__open(const unsigned int limit[SHARES], struct client_shares **out)
{
	struct client_shares *shares = calloc(1, sizeof(*shares));

	if (!shares)
		return -ENOMEM;
	memcpy(shares->limit, limit, sizeof(shares->limit));
	*out = shares;
	return 0;
}

void client_shares__close(struct client_shares *shares)
{
	free(shares);
}

static struct client_share **bucket_of(struct client_shares *shares, const struct share_key *key)
{
	return &shares->buckets[secret_hash(key, sizeof(*key)) % BUCKETS];
}

static struct client_share *find_or_make(struct client_shares *shares, const struct share_key *key)
{
	struct client_share **bucket = bucket_of(shares, key), *share = *bucket;

	while (share && memcmp(&share->key, key, sizeof(*key)))
		share = share->next;
	if (share)
		return share;
	share = calloc(1, sizeof(*share));
	if (!share)
		return NULL;
	share->key = *key;
	share->next = *bucket;
	*bucket = share;
	return share;
}

static void drop_if_empty(struct client_shares *shares, struct client_share *share)
{
	struct client_share **at = bucket_of(shares, &share->key);

	for (int i = 0; i < SHARES; i++)
		if (share->held[i])
			return;
	while (*at != share)
		at = &(*at)->next;
	*at = share->next;
	free(share);
}

static struct share_key key_of(const struct sockaddr *peer)
{
	struct share_key key = { .family = peer->sa_family };

	if (peer->sa_family == AF_INET)
		memcpy(key.addr, &((const struct sockaddr_in *)peer)->sin_addr, 4);
	else if (peer->sa_family == AF_INET6)
		memcpy(key.addr, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
	return key;
}

int client_share__take(struct client_shares *shares, const struct sockaddr *peer, uint32_t device,
		       enum share_of what, struct share_held *held)
{
	struct share_key keys[2] = { key_of(peer), { .device = device } };
	struct share_held taken = { .share = { NULL } };

	for (int i = 0; i < (device ? 2 : 1); i++) {
		struct client_share *share = find_or_make(shares, &keys[i]);
		unsigned int limit = shares->limit[what] * (i + 1);
		bool full = share && share->held[what] >= limit;

		if (!share || full) {
			client_share__give(shares, what, &taken);
			return share ? -EDQUOT : -ENOMEM;
		}
		share->held[what]++;
		taken.share[i] = share;
	}
	*held = taken;
	return 0;
}

void client_share__give(struct client_shares *shares, enum share_of what, struct share_held *held)
{
	for (int i = 0; i < 2; i++) {
		struct client_share *share = held->share[i];

		held->share[i] = NULL;
		if (!share)
			continue;
		share->held[what]--;
		drop_if_empty(shares, share);
	}
}
