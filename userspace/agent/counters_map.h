/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The agent's counters, where others can read them. Contract: base/counters.h.
 */
#ifndef NODENS_COUNTERS_MAP_H
#define NODENS_COUNTERS_MAP_H

#include "base/counters.h"
#include "publish/table.h"

struct counters_map {
	struct agent_stats *stats; /* the table's rows, or own */
	struct agent_stats own;	   /* while there is no table */
	struct table table;
};

/* Counters in the agent's own memory. */
void counters_map_init(struct counters_map *map);
/* Counters begin at 0, in a table of this agent. -errno: they stay where they
 * were. */
int counters_map_open(struct counters_map *map, const char *dir, bool mmapable);
void counters_map_sync(struct counters_map *map); /* where it is not mapped */
/* @remove: nobody is to read it any more. */
void counters_map_close(struct counters_map *map, bool remove);

#endif /* NODENS_COUNTERS_MAP_H */
