// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Clients and the devices they are behind. Contract: clients.h.
 */
#include "datapath/clients.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#define KEY_SIZE  16
#define BATCH	  512
#define MAX_STEPS (1 << 17)

uint32_t clients__device_of(const struct datapath *dp, const struct sockaddr *peer)
{
	struct served_addr addr = served_addr__of(peer);
	struct in6_addr key = served_addr__ip6(&addr);
	struct nodens_client found;

	if (bpf_map_lookup_elem(datapath__clients_fd(dp), &key, &found))
		return 0;
	return found.ifindex;
}

int clients__each(const struct datapath *dp,
		  void (*see)(void *ctx, const struct served_addr *addr,
			      const struct nodens_client *client),
		  void *ctx)
{
	int fd = datapath__clients_fd(dp), ret;
	struct in6_addr keys[2];
	struct nodens_client client;
	unsigned int at = 0, steps = 0;

	/* A key that went begins the walk anew: it must end all the same. */
	for (ret = bpf_map_get_next_key(fd, NULL, &keys[0]); !ret && steps < MAX_STEPS; steps++) {
		struct served_addr addr = served_addr__of_ip6(&keys[at]);

		if (!bpf_map_lookup_elem(fd, &keys[at], &client) && client.ifindex)
			see(ctx, &addr, &client);
		ret = bpf_map_get_next_key(fd, &keys[at], &keys[!at]);
		at = !at;
	}
	return !ret || errno == ENOENT ? 0 : -errno;
}

void clients__add_device(const struct datapath *dp, uint32_t ifindex)
{
	uint32_t none = 0;

	bpf_map_update_elem(datapath__claims_fd(dp), &ifindex, &none, BPF_NOEXIST);
}

struct gone {
	const uint32_t *ifindex; /* sorted */
	size_t n;
};

static int by_ifindex(const void *a, const void *b)
{
	const uint32_t *one = a, *other = b;

	return *one < *other ? -1 : *one > *other;
}

static bool is_gone(const struct gone *gone, uint32_t ifindex)
{
	return bsearch(&ifindex, gone->ifindex, gone->n, sizeof(ifindex), by_ifindex);
}

/* Without batches (5.6): the next key is taken before this one goes. */
static void forget_singly(int fd, const struct gone *gone)
{
	uint8_t keys[2][KEY_SIZE];
	struct nodens_client client;
	unsigned int at = 0, steps = 0;
	bool more = !bpf_map_get_next_key(fd, NULL, keys[0]);

	/* An evicted key begins the walk anew: it must end all the same. */
	while (more && steps++ < MAX_STEPS) {
		more = !bpf_map_get_next_key(fd, keys[at], keys[!at]);
		if (!bpf_map_lookup_elem(fd, keys[at], &client) && is_gone(gone, client.ifindex))
			bpf_map_delete_elem(fd, keys[at]);
		at = !at;
	}
}

static void forget(int fd, const struct gone *gone)
{
	static uint8_t keys[BATCH][KEY_SIZE];
	static struct nodens_client clients[BATCH];
	uint32_t bucket = 0, n;
	bool first = true;
	int ret;

	do {
		n = BATCH;
		errno = 0;
		ret = bpf_map_lookup_batch(fd, first ? NULL : &bucket, &bucket, keys, clients, &n,
					   NULL);
		if (ret && errno != ENOENT) {
			forget_singly(fd, gone);
			return;
		}
		for (uint32_t i = 0; i < n; i++) {
			if (is_gone(gone, clients[i].ifindex))
				bpf_map_delete_elem(fd, keys[i]);
		}
		first = false;
	} while (!ret);
}

void clients__remove_devices(const struct datapath *dp, uint32_t *ifindex, size_t n)
{
	const struct gone gone = { ifindex, n };

	if (!n)
		return;
	qsort(ifindex, n, sizeof(*ifindex), by_ifindex);
	forget(datapath__clients_fd(dp), &gone);
	for (size_t i = 0; i < n; i++)
		bpf_map_delete_elem(datapath__claims_fd(dp), &ifindex[i]);
}
