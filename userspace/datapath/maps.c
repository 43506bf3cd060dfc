// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The shared maps: made as the object defines them, or adopted from the pins.
 *
 * Contract: a set of maps is adopted whole or not at all; nothing is pinned here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "datapath_priv.h"
#include "store/index.h"

const char *const map_names[MAP_COUNT] = {
	[MAP_INDEX] = "nodens_index",	    [MAP_SLABS] = "nodens_slabs",
	[MAP_CTL] = "nodens_ctl",	    [MAP_PERCPU] = "nodens_percpu",
	[MAP_CLIENTS] = "nodens_clients",   [MAP_CLAIMS] = "nodens_claims",
	[MAP_SERIES] = "nodens_series",	    [MAP_ZONES] = "nodens_zones",
	[MAP_SESSIONS] = "nodens_sessions", [MAP_SEEN] = "nodens_seen",
	[MAP_RINGS] = "nodens_rings",	    [MAP_DEVNUM] = "nodens_devnum",
	[MAP_DEVCOUNT] = "nodens_devcount",
};

/* Programs of an agent before this one may still add to a map while it is emptied. */
#define FORGET_MAX (2 * NODENS_CLIENTS)

/*
 * Room for twice the series asked for, doubled from SERIES_MIN on: zones come by reloads. Each
 * costs sizeof(struct nodens_series) a CPU, and all together no more than SERIES_BYTES.
 */
#define SERIES_MIN   16
#define SERIES_BYTES (4u << 20)

static uint32_t series_entries(uint32_t wanted)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t n = SERIES_MIN, each = sizeof(struct nodens_series) * (cpus > 0 ? cpus : 1);

	while (n / 2 < wanted && 2 * n * each <= SERIES_BYTES)
		n *= 2;
	return n;
}

bool maps_has(const struct datapath *dp, enum datapath_map map)
{
	return map != MAP_RINGS || dp->features.sessions;
}

void maps_no_sessions(struct datapath *dp)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dp->dir, map_names[MAP_RINGS]);
	unlink(path);
	if (dp->map_fd[MAP_RINGS] >= 0)
		close(dp->map_fd[MAP_RINGS]);
	dp->map_fd[MAP_RINGS] = -1;
	/* xdp_nodens has them in it */
	dp->features.xdp_grow = false;
}

int maps_define(struct datapath *dp, const struct datapath_config *config, struct error *err)
{
	const uint32_t *capacity = config->capacity;
	struct map_def *def = dp->map_def;
	int i;

	def[MAP_SLABS].max_entries = store__plan(capacity);
	if (!def[MAP_SLABS].max_entries)
		return error__set(err, -E2BIG, "a capacity of %u and %u answers is too large",
				  capacity[NODENS_POSITIVE], capacity[NODENS_NEGATIVE]);
	/* An entry for each answer; a slot waiting for its grace period has none. */
	def[MAP_INDEX].max_entries =
		index__buckets((uint64_t)capacity[NODENS_POSITIVE] + capacity[NODENS_NEGATIVE]);
	def[MAP_SERIES].max_entries = def[MAP_ZONES].max_entries = series_entries(config->series);
	if (!dp->features.mmapable)
		for (i = 0; i < MAP_COUNT; i++)
			def[i].flags &= ~BPF_F_MMAPABLE;
	for (i = 0; i < MAP_COUNT; i++)
		if (!maps_has(dp, i))
			def[i] = (struct map_def){};
	return 0;
}

static int info_of(int fd, struct bpf_map_info *info)
{
	uint32_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &len) ? -errno : 0;
}

void maps_close(struct datapath *dp)
{
	int i;

	if (dp->ctl_mapped)
		munmap(dp->ctl, sizeof(*dp->ctl));
	else
		free(dp->ctl);
	dp->ctl = NULL;
	dp->ctl_mapped = false;
	for (i = 0; i < MAP_COUNT; i++) {
		if (dp->map_fd[i] >= 0)
			close(dp->map_fd[i]);
		dp->map_fd[i] = -1;
	}
	if (dp->grace_fd >= 0)
		close(dp->grace_fd);
	if (dp->grace_inner_fd >= 0)
		close(dp->grace_inner_fd);
	dp->grace_fd = dp->grace_inner_fd = -1;
}

static int open_ctl(struct datapath *dp)
{
	uint32_t zero = 0;
	void *at;

	if (dp->map_def[MAP_CTL].flags & BPF_F_MMAPABLE) {
		at = mmap(NULL, sizeof(*dp->ctl), PROT_READ | PROT_WRITE, MAP_SHARED,
			  dp->map_fd[MAP_CTL], 0);
		if (at == MAP_FAILED)
			return -errno;
		dp->ctl = at;
		dp->ctl_mapped = true;
		return 0;
	}
	at = malloc(sizeof(*dp->ctl));
	if (!at)
		return -ENOMEM;
	if (bpf_map_lookup_elem(dp->map_fd[MAP_CTL], &zero, at)) {
		free(at);
		return -errno;
	}
	dp->ctl = at;
	return 0;
}

/* Opens every pinned map; their own definitions go to @found. */
static int open_pins(struct datapath *dp, struct map_def found[MAP_COUNT])
{
	struct bpf_map_info info;
	char path[PATH_MAX];
	int i, ret;

	for (i = 0; i < MAP_COUNT; i++) {
		snprintf(path, sizeof(path), "%s/%s", dp->dir, map_names[i]);
		dp->map_fd[i] = bpf_obj_get(path);
		found[i] = (struct map_def){};
		if (i == MAP_RINGS && dp->map_fd[i] < 0 && errno == ENOENT)
			continue;
		if (dp->map_fd[i] < 0)
			return -errno;
		ret = info_of(dp->map_fd[i], &info);
		if (ret)
			return ret;
		found[i] = (struct map_def){ info.type, info.key_size, info.value_size,
					     info.max_entries, info.map_flags };
	}
	return 0;
}

/*
 * Clients and their claims belong to an agent's life: devices may have come and gone since, and an
 * address is kept for the device that had it first.
 */
static void forget_all(int fd)
{
	__be32 key[4]; /* the longer of both keys */
	uint32_t n;

	for (n = 0; n < FORGET_MAX && !bpf_map_get_next_key(fd, NULL, key); n++)
		bpf_map_delete_elem(fd, key);
}

void datapath__store_maps(const struct datapath *dp, struct store_maps *maps)
{
	memset(maps, 0, sizeof(*maps));
	maps->index_fd = dp->map_fd[MAP_INDEX];
	maps->slabs = (struct steps_config){
		.fd = dp->map_fd[MAP_SLABS],
		.max = dp->map_def[MAP_SLABS].max_entries,
		.dir = dp->steps_dir,
		.mmapable = dp->features.mmapable,
	};
	maps->grace_fd = dp->grace_fd;
	maps->grace_inner_fd = dp->grace_inner_fd;
}

/* A set that is not whole is none: an agent may have ended while it made another. */
static int check_steps(const struct datapath *dp)
{
	struct store_maps maps;
	struct steps *steps;
	int ret;

	datapath__store_maps(dp, &maps);
	ret = steps__open(&maps.slabs, false, &steps);
	if (!ret)
		steps__close(steps);
	return ret;
}

/* Where there are enough of them, another number of series is no reason to lose the cache. */
static void take_series(struct datapath *dp, const struct map_def found[MAP_COUNT], uint32_t needed)
{
	uint32_t n = found[MAP_SERIES].max_entries;

	if (n >= needed && n == found[MAP_ZONES].max_entries)
		dp->map_def[MAP_SERIES].max_entries = dp->map_def[MAP_ZONES].max_entries = n;
}

int datapath__ring(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "nodens_ring", 0, 0, NODENS_RING_BYTES, NULL);

	return fd < 0 ? -errno : fd;
}

/* The kernel takes the shape of all rings from one (before 5.10 their size as well). */
static int create_rings(uint32_t max)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = datapath__ring());
	int fd;

	if ((int)opts.inner_map_fd < 0)
		return opts.inner_map_fd;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, map_names[MAP_RINGS], sizeof(uint32_t),
			    sizeof(uint32_t), max, &opts);
	if (fd < 0)
		fd = -errno;
	close(opts.inner_map_fd);
	return fd;
}

/* The agent before this one may have had no rings, or this one can have none. */
static int adopt_rings(struct datapath *dp)
{
	char path[PATH_MAX];

	if (!dp->features.sessions)
		maps_no_sessions(dp);
	if (!dp->features.sessions || dp->map_fd[MAP_RINGS] >= 0)
		return 0;
	dp->map_fd[MAP_RINGS] = create_rings(dp->map_def[MAP_RINGS].max_entries);
	if (dp->map_fd[MAP_RINGS] < 0)
		return dp->map_fd[MAP_RINGS];
	snprintf(path, sizeof(path), "%s/%s", dp->dir, map_names[MAP_RINGS]);
	return bpf_obj_pin(dp->map_fd[MAP_RINGS], path) ? -errno : 0;
}

int maps_adopt(struct datapath *dp, const struct datapath_config *config)
{
	struct map_def found[MAP_COUNT];
	int ret = open_pins(dp, found);

	if (!ret)
		take_series(dp, found, config->series);
	/* holds nothing that lasts: with it or without, the others are taken */
	found[MAP_RINGS] = dp->map_def[MAP_RINGS];
	if (!ret && memcmp(found, dp->map_def, sizeof(found)))
		ret = -ESTALE;
	if (!ret)
		ret = check_steps(dp);
	if (!ret)
		ret = open_ctl(dp);
	if (!ret && dp->ctl->layout != NODENS_LAYOUT)
		ret = -ESTALE;
	if (!ret)
		ret = adopt_rings(dp);
	if (ret) {
		maps_close(dp);
		return ret;
	}
	forget_all(dp->map_fd[MAP_CLIENTS]);
	forget_all(dp->map_fd[MAP_CLAIMS]);
	dp->adopted = true;
	return 0;
}

int maps_open(struct datapath *dp, struct error *err)
{
	int ret = open_pins(dp, dp->map_def);

	if (!ret && dp->map_def[MAP_CTL].value_size != sizeof(struct nodens_ctl))
		ret = -ESTALE;
	if (!ret && dp->map_def[MAP_PERCPU].value_size != sizeof(struct nodens_percpu))
		ret = -ESTALE;
	if (!ret && dp->map_def[MAP_SERIES].value_size != sizeof(struct nodens_series))
		ret = -ESTALE;
	if (!ret && dp->map_def[MAP_SESSIONS].value_size != sizeof(struct nodens_session))
		ret = -ESTALE;
	if (!ret)
		ret = open_ctl(dp);
	if (!ret && dp->ctl->layout != NODENS_LAYOUT)
		ret = -ESTALE;
	if (!ret)
		return 0;
	maps_close(dp);
	if (ret == -ENOENT)
		return error__set(err, ret, "no nodens maps below %s: is `nodens run` running?",
				  dp->pin_dir);
	if (ret == -ESTALE)
		return error__set(err, ret, "the maps below %s are of another nodens version",
				  dp->pin_dir);
	return error__set(err, ret, "cannot open the maps below %s: %s: %s", dp->pin_dir,
			  strerror(-ret), features_refusal(ret));
}

static int create_map(struct datapath *dp, enum datapath_map i, struct error *err)
{
	const struct map_def *def = &dp->map_def[i];
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = def->flags);
	int fd;

	if (i == MAP_SLABS) {
		fd = steps__create(def->max_entries, dp->features.mmapable);
	} else if (i == MAP_RINGS) {
		fd = create_rings(def->max_entries);
	} else {
		fd = bpf_map_create(def->type, map_names[i], def->key_size, def->value_size,
				    def->max_entries, &opts);
		fd = fd < 0 ? -errno : fd;
	}
	if (fd < 0) {
		return error__set(err, fd, "cannot create map %s (%u entries of %u bytes): %s: %s",
				  map_names[i], def->max_entries, def->key_size + def->value_size,
				  fd == -E2BIG ? "too large for the kernel" : strerror(-fd),
				  features_refusal(fd));
	}
	dp->map_fd[i] = fd;
	return 0;
}

static int begin_ctl(struct nodens_ctl *ctl, struct error *err)
{
	/* Without the key nobody can choose two names that collide. */
	if (getrandom(ctl->hash_key, sizeof(ctl->hash_key), 0) != sizeof(ctl->hash_key))
		return error__set(err, -EIO, "no random bytes for the index's key");
	ctl->layout = NODENS_LAYOUT;
	return 0;
}

int maps_create(struct datapath *dp, struct error *err)
{
	int i, ret;

	for (i = 0; i < MAP_COUNT; i++) {
		ret = maps_has(dp, i) ? create_map(dp, i, err) : 0;
		if (ret)
			goto out;
	}
	ret = open_ctl(dp);
	if (ret) {
		error__set(err, ret, "cannot map nodens_ctl: %s", strerror(-ret));
		goto out;
	}
	ret = begin_ctl(dp->ctl, err);
	if (!ret)
		return 0;
out:
	maps_close(dp);
	return ret;
}

/* An update of a map of maps returns only when no program can hold the old map (an RCU wait). */
int maps_create_grace(struct datapath *dp, struct error *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int ret;

	dp->grace_inner_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "nodens_inner", 4, 4, 1, NULL);
	if (dp->grace_inner_fd < 0)
		goto fail;
	opts.inner_map_fd = dp->grace_inner_fd;
	dp->grace_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "nodens_grace", 4, 4, 1, &opts);
	if (dp->grace_fd >= 0)
		return 0;
fail:
	ret = -errno;
	return error__set(err, ret, "cannot create map nodens_grace: %s: %s", strerror(-ret),
			  features_refusal(ret));
}
