// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Clients and the devices they are behind. Contract: clients.h.
 */
#include "datapath/clients.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>

#define KEY_SIZE 16
#define BATCH	 512

uint32_t clients__device_of(const struct datapath *dp, const struct sockaddr *peer)
{
	struct in6_addr key = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
	struct nodens_client found;

	if (peer->sa_family == AF_INET6)
		key = ((const struct sockaddr_in6 *)peer)->sin6_addr;
	else
		key.s6_addr32[3] = ((const struct sockaddr_in *)peer)->sin_addr.s_addr;
	if (bpf_map_lookup_elem(datapath__clients_fd(dp), &key, &found))
		return 0;
	return found.ifindex;
}

void clients__add_device(const struct datapath *dp, uint32_t ifindex)
{
	uint32_t none = 0;

	bpf_map_update_elem(datapath__claims_fd(dp), &ifindex, &none, BPF_NOEXIST);
}

/* Without batches (5.6): the next key is taken before this one goes. */
static void forget_singly(int fd, uint32_t ifindex)
{
	uint8_t keys[2][KEY_SIZE];
	struct nodens_client client;
	unsigned int at = 0, steps = 0;
	bool more = !bpf_map_get_next_key(fd, NULL, keys[0]);

	/* An evicted key begins the walk anew: it must end all the same. */
	while (more && steps++ < 1 << 17) {
		more = !bpf_map_get_next_key(fd, keys[at], keys[!at]);
		if (!bpf_map_lookup_elem(fd, keys[at], &client) && client.ifindex == ifindex)
			bpf_map_delete_elem(fd, keys[at]);
		at = !at;
	}
}

static void forget(int fd, uint32_t ifindex)
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
			forget_singly(fd, ifindex);
			return;
		}
		for (uint32_t i = 0; i < n; i++) {
			if (clients[i].ifindex == ifindex)
				bpf_map_delete_elem(fd, keys[i]);
		}
		first = false;
	} while (!ret);
}

void clients__remove_device(const struct datapath *dp, uint32_t ifindex)
{
	forget(datapath__clients_fd(dp), ifindex);
	bpf_map_delete_elem(datapath__claims_fd(dp), &ifindex);
}
