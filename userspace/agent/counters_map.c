// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The agent's counters in a pinned map. Contract: base/counters.h.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/counters_map.h"

_Static_assert(sizeof(struct agent_stats) == AGENT_STAT_COUNT * sizeof(uint64_t), "no padding");

static size_t map_size(void)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (sizeof(struct agent_stats) + page - 1) / page * page;
}

/* In place of an older agent's: whoever holds that one open reads on in it. */
static int pin(int fd, const char *dir)
{
	char path[PATH_MAX], temp[PATH_MAX];
	int ret = 0;

	if (snprintf(path, sizeof(path), "%s/%s", dir, AGENT_STATS_MAP) >= (int)sizeof(path) ||
	    snprintf(temp, sizeof(temp), "%s/new-%s", dir, AGENT_STATS_MAP) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	unlink(temp);
	if (bpf_obj_pin(fd, temp))
		return -errno;
	if (rename(temp, path)) {
		ret = -errno;
		unlink(temp);
	}
	return ret;
}

void counters_map_init(struct counters_map *map)
{
	map->stats = &map->own;
	map->fd = -1;
}

int counters_map_open(struct counters_map *map, struct datapath *dp)
{
	bool mmapable = datapath__features(dp)->mmapable;
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = mmapable ? BPF_F_MMAPABLE : 0);
	void *mapped;
	int fd, ret;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, AGENT_STATS_MAP, sizeof(uint32_t), sizeof(uint64_t),
			    AGENT_STAT_COUNT, &opts);
	if (fd < 0)
		return -errno;
	ret = pin(fd, datapath__dir(dp));
	if (ret) {
		close(fd);
		return ret;
	}
	map->fd = fd;
	map->stats = &map->own;
	if (mmapable) {
		mapped = mmap(NULL, map_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (mapped != MAP_FAILED)
			map->stats = mapped;
	}
	return 0;
}

void counters_map_sync(struct counters_map *map)
{
	if (map->fd < 0 || map->stats != &map->own)
		return;
	for (uint32_t i = 0; i < AGENT_STAT_COUNT; i++)
		bpf_map_update_elem(map->fd, &i, &map->own.v[i], BPF_ANY);
}

void counters_map_close(struct counters_map *map)
{
	if (map->fd < 0)
		return;
	counters_map_sync(map);
	if (map->stats != &map->own)
		munmap(map->stats, map_size());
	map->stats = &map->own;
	close(map->fd);
	map->fd = -1;
}
