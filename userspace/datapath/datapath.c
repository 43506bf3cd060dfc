// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Opening and closing of the kernel side as a whole, its control block and its numbers.
 *
 * Contract: as datapath.h. The order of kern__open() is: look, make, pin; the last two are undone
 * when something after them fails.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "datapath_priv.h"

static struct kern *kern_new(const char *pin_dir, struct error *err)
{
	struct kern *kern = calloc(1, sizeof(*kern));
	size_t len;
	int i;

	if (!kern) {
		error__set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	kern_log__init();
	kern->lock_fd = kern->grace_fd = kern->grace_inner_fd = kern->return_link_fd = -1;
	for (i = 0; i < KERN_MAPS; i++)
		kern->map_fd[i] = -1;
	pin_dir = pin_dir ? pin_dir : NODENS_PIN_DIR;
	len = strlen(pin_dir);
	while (len > 1 && pin_dir[len - 1] == '/')
		len--;
	if (len >= sizeof(kern->pin_dir)) {
		error__set(err, -ENAMETOOLONG, "pin directory: the path is too long");
		free(kern);
		return NULL;
	}
	memcpy(kern->pin_dir, pin_dir, len);
	snprintf(kern->dir, sizeof(kern->dir), "%s/layout-%d", kern->pin_dir, NODENS_LAYOUT);
	return kern;
}

static int open_maps(struct kern *kern, const struct kern_config *config, struct error *err)
{
	int ret = kern_maps__define(kern, config->capacity, err);

	if (ret)
		return ret;
	if (!kern->features.memcg)
		kern_raise_memlock();
	if (config->adopt && !kern_maps__adopt(kern))
		return kern_grace__create(kern, err);
	ret = kern_maps__create(kern, err);
	if (!ret)
		ret = kern_grace__create(kern, err);
	if (!ret)
		ret = kern_pins__pin_maps(kern, err);
	return ret;
}

int kern__open(const struct kern_config *config, struct kern **out, struct error *err)
{
	struct kern *kern = kern_new(config->pin_dir, err);
	int ret;

	if (!kern)
		return -ENOMEM;
	ret = kern_features__probe(&kern->features, config->pretend, err);
	if (!ret)
		ret = kern_pins__prepare(kern, err);
	if (!ret)
		ret = open_maps(kern, config, err);
	if (ret) {
		kern_maps__close(kern);
		if (ret != -EBUSY)
			kern_pins__remove_empty(kern);
		kern__close(kern);
		return ret;
	}
	kern_pins__sweep(kern->pin_dir);
	kern->ctl->agent_pid = getpid();
	memcpy(kern->ctl->capacity, config->capacity, sizeof(kern->ctl->capacity));
	kern__ctl_commit(kern);
	*out = kern;
	return 0;
}

int kern__open_none(const struct kern_config *config, struct kern **out, struct error *err)
{
	struct kern *kern = kern_new(config->pin_dir, err);
	int ret;

	if (!kern)
		return -ENOMEM;
	kern->features.mmapable = true; /* as memory of one's own is */
	ret = kern_maps__define(kern, config->capacity, err);
	if (!ret)
		ret = kern_maps__none(kern, err);
	if (ret) {
		kern__close(kern);
		return ret;
	}
	kern->ctl->agent_pid = getpid();
	memcpy(kern->ctl->capacity, config->capacity, sizeof(kern->ctl->capacity));
	*out = kern;
	return 0;
}

int kern__open_pinned(const char *pin_dir, struct kern **out, struct error *err)
{
	struct kern *kern = kern_new(pin_dir, err);
	int ret;

	if (!kern)
		return -ENOMEM;
	ret = kern_maps__open(kern, err);
	if (ret) {
		kern__close(kern);
		return ret;
	}
	kern->features.mmapable = kern->map_def[KERN_SLAB0].flags & BPF_F_MMAPABLE;
	kern->adopted = true;
	/* Needed by flush alone, and there only to wait: without it there is a sleep. */
	kern_grace__create(kern, NULL);
	*out = kern;
	return 0;
}

void kern__close(struct kern *kern)
{
	if (!kern)
		return;
	kern_progs__close(kern);
	kern_maps__close(kern);
	if (kern->return_link_fd >= 0)
		close(kern->return_link_fd);
	if (kern->lock_fd >= 0)
		close(kern->lock_fd);
	free(kern);
}

const struct kern_features *kern__features(const struct kern *kern)
{
	return &kern->features;
}

bool kern__adopted(const struct kern *kern)
{
	return kern->adopted;
}

const char *kern__dir(const struct kern *kern)
{
	return kern->dir;
}

void kern__store_maps(const struct kern *kern, struct store_maps *maps)
{
	int i;

	memset(maps, 0, sizeof(*maps));
	maps->index_fd = kern->map_fd[KERN_INDEX];
	for (i = 0; i < NODENS_CLASSES; i++) {
		maps->slab_fd[i] = kern->map_fd[KERN_SLAB0 + i];
		maps->slab_entries[i] = kern->map_def[KERN_SLAB0 + i].max_entries;
	}
	maps->mmapable = kern->map_def[KERN_SLAB0].flags & BPF_F_MMAPABLE;
	maps->grace_fd = kern->grace_fd;
	maps->grace_inner_fd = kern->grace_inner_fd;
}

struct nodens_ctl *kern__ctl(struct kern *kern)
{
	return kern->ctl;
}

int kern__ctl_commit(struct kern *kern)
{
	uint32_t zero = 0;

	if (kern->ctl_mapped || kern->map_fd[KERN_CTL] < 0)
		return 0;
	return bpf_map_update_elem(kern->map_fd[KERN_CTL], &zero, kern->ctl, BPF_ANY) ? -errno : 0;
}

int kern__counters(struct kern *kern, uint64_t counters[NODENS_CTR_COUNT])
{
	int cpus = libbpf_num_possible_cpus(), cpu, i;
	struct nodens_percpu *values;
	uint32_t zero = 0;

	if (kern->map_fd[KERN_PERCPU] < 0) {
		memset(counters, 0, NODENS_CTR_COUNT * sizeof(counters[0]));
		return 0;
	}
	if (cpus < 0)
		return cpus;
	values = calloc(cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(kern->map_fd[KERN_PERCPU], &zero, values)) {
		int ret = -errno;

		free(values);
		return ret;
	}
	for (i = 0; i < NODENS_CTR_COUNT; i++) {
		counters[i] = 0;
		for (cpu = 0; cpu < cpus; cpu++)
			counters[i] += values[cpu].counters[i];
	}
	free(values);
	return 0;
}

/* The kernel lays values of CPUs out at multiples of 8 bytes. */
_Static_assert(sizeof(struct nodens_percpu) % 8 == 0, "per-CPU value");

int kern__clients_fd(const struct kern *kern)
{
	return kern->map_fd[KERN_CLIENTS];
}

int kern__claims_fd(const struct kern *kern)
{
	return kern->map_fd[KERN_CLAIMS];
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

uint64_t kern__bytes(const struct kern *kern)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < KERN_MAPS; i++)
		sum += map_bytes(kern->map_fd[i]);
	return sum;
}
