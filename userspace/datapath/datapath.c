// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Opening and closing of the kernel side as a whole, its control block and its numbers.
 *
 * Contract: as datapath.h. The order of datapath__open() is: look, make, pin; the last two are
 * undone when something after them fails.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "datapath_priv.h"

static struct datapath *datapath_new(const char *pin_dir, struct error *err)
{
	struct datapath *dp = calloc(1, sizeof(*dp));
	size_t len;
	int i;

	if (!dp) {
		error__set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	bpf_log_init();
	dp->lock_fd = dp->grace_fd = dp->grace_inner_fd = dp->return_link_fd = -1;
	for (i = 0; i < MAP_COUNT; i++)
		dp->map_fd[i] = -1;
	progs_init(dp);
	pin_dir = pin_dir ? pin_dir : NODENS_PIN_DIR;
	len = strlen(pin_dir);
	while (len > 1 && pin_dir[len - 1] == '/')
		len--;
	if (len >= sizeof(dp->pin_dir)) {
		error__set(err, -ENAMETOOLONG, "pin directory: the path is too long");
		free(dp);
		return NULL;
	}
	memcpy(dp->pin_dir, pin_dir, len);
	snprintf(dp->dir, sizeof(dp->dir), "%s/layout-%d", dp->pin_dir, NODENS_LAYOUT);
	snprintf(dp->steps_dir, sizeof(dp->steps_dir), "%s/steps", dp->dir);
	return dp;
}

static int open_maps(struct datapath *dp, const struct datapath_config *config, struct error *err)
{
	int ret = progs_map_defs(dp->map_def);

	if (ret)
		return error__set(err, ret, "the BPF object in this binary is broken: %s",
				  bpf_log_last());
	ret = maps_define(dp, config, err);
	if (ret)
		return ret;
	if (!dp->features.memcg)
		features_raise_memlock();
	if (config->adopt && !maps_adopt(dp, config)) {
		/* The namespace that it steered to went with its agent. */
		dp->ctl->steer = 0;
		datapath__ctl_commit(dp);
		return maps_create_grace(dp, err);
	}
	ret = maps_create(dp, err);
	if (!ret)
		ret = maps_create_grace(dp, err);
	if (!ret)
		ret = pins_pin_maps(dp, err);
	return ret;
}

int datapath__open(const struct datapath_config *config, struct datapath **out, struct error *err)
{
	struct datapath *dp = datapath_new(config->pin_dir, err);
	int ret;

	if (!dp)
		return -ENOMEM;
	dp->count_devices = config->count_devices;
	ret = datapath_features__probe(&dp->features, config->pretend, err);
	if (!ret)
		ret = pins_prepare(dp, err);
	if (!ret)
		ret = open_maps(dp, config, err);
	if (ret) {
		maps_close(dp);
		if (ret != -EBUSY)
			pins_remove_empty(dp);
		datapath__close(dp);
		return ret;
	}
	pins_sweep(dp->pin_dir);
	dp->ctl->agent_pid = getpid();
	memcpy(dp->ctl->capacity, config->capacity, sizeof(dp->ctl->capacity));
	datapath__ctl_commit(dp);
	*out = dp;
	return 0;
}

int datapath__open_pinned(const char *pin_dir, struct datapath **out, struct error *err)
{
	struct datapath *dp = datapath_new(pin_dir, err);
	int ret;

	if (!dp)
		return -ENOMEM;
	ret = pins_check_owner(dp->dir, err);
	if (ret != -EPERM)
		ret = maps_open(dp, err);
	if (ret) {
		datapath__close(dp);
		return ret;
	}
	dp->features.mmapable = dp->map_def[MAP_CTL].flags & BPF_F_MMAPABLE;
	dp->adopted = true;
	*out = dp;
	return 0;
}

void datapath__close(struct datapath *dp)
{
	if (!dp)
		return;
	progs_close(dp);
	maps_close(dp);
	nl__close(&dp->rtnl);
	if (dp->return_link_fd >= 0)
		close(dp->return_link_fd);
	if (dp->lock_fd >= 0)
		close(dp->lock_fd);
	free(dp);
}

const struct datapath_features *datapath__features(const struct datapath *dp)
{
	return &dp->features;
}

bool datapath__adopted(const struct datapath *dp)
{
	return dp->adopted;
}

const char *datapath__dir(const struct datapath *dp)
{
	return dp->dir;
}

int datapath__publisher(const struct datapath *dp, struct publisher **out)
{
	struct store_maps maps;

	datapath__store_maps(dp, &maps);
	return publisher__maps(&maps, out);
}

struct nodens_ctl *datapath__ctl(struct datapath *dp)
{
	return dp->ctl;
}

void datapath__sessions(const struct datapath *dp, struct datapath_sessions *out)
{
	*out = (struct datapath_sessions){
		.sessions_fd = dp->map_fd[MAP_SESSIONS],
		.seen_fd = dp->map_fd[MAP_SEEN],
		.rings_fd = dp->ctl_mapped ? dp->map_fd[MAP_RINGS] : -1,
		.ctl = dp->ctl,
	};
}

int datapath__ctl_commit(struct datapath *dp)
{
	uint32_t zero = 0;

	if (dp->ctl_mapped)
		return 0;
	return bpf_map_update_elem(dp->map_fd[MAP_CTL], &zero, dp->ctl, BPF_ANY) ? -errno : 0;
}

int datapath_sum_cpus(const struct datapath *dp, enum datapath_map map, uint32_t key, size_t size,
		      uint64_t *sum)
{
	int cpus = libbpf_num_possible_cpus(), ret = 0;
	uint64_t *values;

	if (cpus < 0)
		return cpus;
	values = calloc(cpus, size);
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(dp->map_fd[map], &key, values)) {
		ret = -errno;
	} else {
		memset(sum, 0, size);
		for (size_t i = 0; i < cpus * (size / sizeof(*sum)); i++)
			sum[i % (size / sizeof(*sum))] += values[i];
	}
	free(values);
	return ret;
}

int datapath__counters(struct datapath *dp, uint64_t counters[NODENS_CTR_COUNT])
{
	struct nodens_percpu sum;
	int ret = datapath_sum_cpus(dp, MAP_PERCPU, 0, sizeof(sum), (uint64_t *)&sum);

	if (!ret)
		memcpy(counters, sum.counters, sizeof(sum.counters));
	return ret;
}

int datapath__times(const struct datapath *dp, struct nodens_times *times)
{
	struct nodens_percpu sum;
	int ret = datapath_sum_cpus(dp, MAP_PERCPU, 0, sizeof(sum), (uint64_t *)&sum);

	if (!ret)
		*times = sum.times;
	return ret;
}

uint32_t datapath__series_count(const struct datapath *dp)
{
	return dp->map_def[MAP_SERIES].max_entries;
}

int datapath__series(const struct datapath *dp, uint32_t number, struct nodens_series *sum)
{
	return datapath_sum_cpus(dp, MAP_SERIES, number, sizeof(*sum), (uint64_t *)sum);
}

int datapath__zone(const struct datapath *dp, uint32_t number, struct nodens_zone *zone)
{
	return bpf_map_lookup_elem(dp->map_fd[MAP_ZONES], &number, zone) ? -errno : 0;
}

int datapath__set_zone(const struct datapath *dp, uint32_t number, const struct nodens_zone *zone)
{
	return bpf_map_update_elem(dp->map_fd[MAP_ZONES], &number, zone, BPF_ANY) ? -errno : 0;
}

/* The kernel lays values of CPUs out at multiples of 8 bytes. */
_Static_assert(sizeof(struct nodens_percpu) % 8 == 0, "per-CPU value");
_Static_assert(sizeof(struct nodens_series) % 8 == 0, "per-CPU value");

int datapath__clients_fd(const struct datapath *dp)
{
	return dp->map_fd[MAP_CLIENTS];
}

int datapath__claims_fd(const struct datapath *dp)
{
	return dp->map_fd[MAP_CLAIMS];
}

static uint64_t map_bytes(int fd)
{
	unsigned long long bytes = 0;
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	fclose(f);
	return bytes;
}

static uint64_t steps_bytes(const struct datapath *dp)
{
	char path[PATH_MAX];
	uint64_t sum = 0;

	for (uint32_t i = 0; i < dp->map_def[MAP_SLABS].max_entries; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/%u", dp->steps_dir, i);
		fd = bpf_obj_get(path);
		if (fd < 0)
			break;
		sum += map_bytes(fd);
		close(fd);
	}
	return sum;
}

uint64_t datapath__bytes(const struct datapath *dp)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < MAP_COUNT; i++)
		sum += dp->map_fd[i] < 0 ? 0 : map_bytes(dp->map_fd[i]);
	return sum + steps_bytes(dp);
}
