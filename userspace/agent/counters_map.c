// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The agent's counters in a table. Contract: base/counters.h.
 */
#include "agent/counters_map.h"

_Static_assert(sizeof(struct agent_stats) == AGENT_STAT_COUNT * sizeof(uint64_t), "no padding");

void counters_map_init(struct counters_map *map)
{
	map->stats = &map->own;
	map->table.fd = -1;
}

int counters_map_open(struct counters_map *map, const char *dir, bool mmapable)
{
	int ret = table__create(&map->table, dir, AGENT_STATS_MAP, sizeof(uint64_t),
				AGENT_STAT_COUNT, mmapable);

	if (!ret)
		map->stats = map->table.rows;
	return ret;
}

void counters_map_sync(struct counters_map *map)
{
	if (!map->table.mapped)
		table__sync(&map->table);
}

void counters_map_close(struct counters_map *map, bool remove)
{
	counters_map_sync(map);
	if (remove)
		table__remove(&map->table);
	map->stats = &map->own;
	table__close(&map->table);
}
