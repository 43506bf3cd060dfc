/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which device steered clients are behind, as the programs note it (nodens_abi.h: nodens_clients,
 * nodens_claims).
 */
#ifndef NODENS_CLIENTS_H
#define NODENS_CLIENTS_H

#include <sys/socket.h>

#include "base/sockaddr.h"
#include "datapath/datapath.h"

/* The ifindex; 0: no program has steered it. */
uint32_t clients__device_of(const struct datapath *dp, const struct sockaddr *peer);

/*
 * Calls @see for every client that has been steered; one that comes or goes meanwhile may be left
 * out or seen twice. 0, or -errno where the map cannot be read.
 */
int clients__each(const struct datapath *dp,
		  void (*see)(void *ctx, const struct served_addr *addr,
			      const struct nodens_client *client),
		  void *ctx);

/* Before a device is attached to: nobody else may claim addresses that are routed to it. */
void clients__add_device(const struct datapath *dp, uint32_t ifindex);
/*
 * After they went: what they had claimed is free for the next ones. Sorts @ifindex; walks over all
 * clients, once for however many went.
 */
void clients__remove_devices(const struct datapath *dp, uint32_t *ifindex, size_t n);

#endif /* NODENS_CLIENTS_H */
