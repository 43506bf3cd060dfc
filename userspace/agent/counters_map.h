/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The agent's counters, in a pinned map where there is a datapath. Contract:
 * base/counters.h.
 */
#ifndef NODENS_COUNTERS_MAP_H
#define NODENS_COUNTERS_MAP_H

#include "base/counters.h"
#include "datapath/datapath.h"

struct counters_map {
	struct agent_stats *stats; /* the map itself, or own */
	struct agent_stats own;	   /* where there is no map, or it cannot be mapped */
	int fd;			   /* -1: no map */
};

/* Counters in the agent's own memory. */
void counters_map_init(struct counters_map *map);
/* Counters begin at 0, in a map of this agent. -errno: they stay where they
 * were. */
int counters_map_open(struct counters_map *map, struct datapath *dp);
void counters_map_sync(struct counters_map *map); /* where it is not mapped */
void counters_map_close(struct counters_map *map);

#endif /* NODENS_COUNTERS_MAP_H */
