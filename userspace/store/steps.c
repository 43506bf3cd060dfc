// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Steps: made, pinned, mapped, found again. Contract: steps.h.
 *
 * A step is mapped and pinned before a slot of it is published: none is ever that this agent cannot
 * write or the next one could not find.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "store/steps.h"

struct steps {
	struct steps_config config;
	char dir[PATH_MAX];
	bool writable;
	uint8_t *memory;
	int *fd; /* where they are not mapped */
	uint32_t n;
};

static int create_step(bool mmapable)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = mmapable ? BPF_F_MMAPABLE : 0);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "nodens_step", sizeof(uint32_t), NODENS_CELL,
				NODENS_STEP_CELLS, &opts);

	return fd < 0 ? -errno : fd;
}

int steps__create(uint32_t max, bool mmapable)
{
	/* the kernel takes the shape of all steps from one */
	LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = create_step(mmapable));
	int fd;

	if ((int)opts.inner_map_fd < 0)
		return opts.inner_map_fd;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "nodens_slabs", sizeof(uint32_t),
			    sizeof(uint32_t), max, &opts);
	if (fd < 0)
		fd = -errno;
	close(opts.inner_map_fd);
	return fd;
}

static void pin_path(const struct steps *steps, uint32_t step, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%.*s/%u", PATH_MAX - 16, steps->dir, step);
}

/* -ENOENT: programs have no such step. */
static int find_step(const struct steps *steps, uint32_t step)
{
	struct bpf_map_info info = {};
	uint32_t id, len = sizeof(info);
	char path[PATH_MAX];
	int fd;

	if (step >= steps->config.max)
		return -ENOENT;
	if (bpf_map_lookup_elem(steps->config.fd, &step, &id))
		return -errno;
	pin_path(steps, step, path);
	fd = steps->dir[0] ? bpf_obj_get(path) : bpf_map_get_fd_by_id(id);
	if (fd < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.id == id)
		return fd;
	close(fd);
	return -ESTALE;
}

int steps__add(struct steps *steps, int fd)
{
	int prot = PROT_READ | (steps->writable ? PROT_WRITE : 0), err = 0;
	uint8_t *at = steps->memory + steps->n * STEP_BYTES;

	if (!steps->config.mmapable) {
		if (mprotect(at, STEP_BYTES, PROT_READ | PROT_WRITE))
			err = -errno;
		else
			steps->fd[steps->n] = fd;
	} else if (mmap(at, STEP_BYTES, prot, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
		err = -errno;
	}
	if (err || steps->config.mmapable)
		close(fd);
	if (!err)
		steps->n++;
	return err;
}

int steps__refresh(struct steps *steps)
{
	int fd, err = 0;

	while (!err && (fd = find_step(steps, steps->n)) >= 0)
		err = steps__add(steps, fd);
	if (err)
		return err;
	return fd == -ENOENT ? 0 : fd;
}

static int publish_step(const struct steps *steps, int fd)
{
	char path[PATH_MAX];
	int err = 0;

	pin_path(steps, steps->n, path);
	if (steps->dir[0]) {
		unlink(path); /* of an agent that ended before programs had it */
		if (bpf_obj_pin(fd, path))
			return -errno;
	}
	if (bpf_map_update_elem(steps->config.fd, &steps->n, &fd, BPF_ANY)) {
		err = -errno;
		if (steps->dir[0])
			unlink(path);
	}
	return err;
}

int steps__make(const struct steps *steps)
{
	int fd, err;

	if (steps->n == steps->config.max)
		return -ENOSPC;
	fd = create_step(steps->config.mmapable);
	if (fd < 0)
		return fd;
	err = publish_step(steps, fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int reserve(struct steps *steps)
{
	void *at = mmap(NULL, steps->config.max * STEP_BYTES, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	steps->memory = at;
	if (steps->config.mmapable)
		return 0;
	steps->fd = calloc(steps->config.max, sizeof(*steps->fd));
	return steps->fd ? 0 : -ENOMEM;
}

int steps__open(const struct steps_config *config, bool writable, struct steps **out)
{
	struct steps *steps = calloc(1, sizeof(*steps));
	int err;

	if (!steps)
		return -ENOMEM;
	steps->config = *config;
	steps->writable = writable;
	snprintf(steps->dir, sizeof(steps->dir), "%s", config->dir ? config->dir : "");
	err = reserve(steps);
	if (!err)
		err = steps__refresh(steps);
	if (err) {
		steps__close(steps);
		return err;
	}
	*out = steps;
	return 0;
}

void steps__close(struct steps *steps)
{
	if (!steps)
		return;
	for (uint32_t i = 0; steps->fd && i < steps->n; i++)
		close(steps->fd[i]);
	free(steps->fd);
	if (steps->memory)
		munmap(steps->memory, steps->config.max * STEP_BYTES);
	free(steps);
}

uint32_t steps__count(const struct steps *steps)
{
	return steps->n;
}

uint8_t *steps__memory(const struct steps *steps)
{
	return steps->memory;
}

static uint8_t *slot_at(const struct steps *steps, uint32_t slot)
{
	return steps->memory + (size_t)NODENS_SLOT_ADDRESS(slot) * NODENS_UNIT;
}

/* The whole cell of a slot, by bpf(). */
static int read_cell(const struct steps *steps, uint32_t slot, uint8_t cell[NODENS_CELL])
{
	uint32_t index = NODENS_SLOT_CELL(slot);

	return bpf_map_lookup_elem(steps->fd[NODENS_SLOT_STEP(slot)], &index, cell) ? -errno : 0;
}

/* Of the slot, @size from its begin. */
static int check_range(const struct steps *steps, uint32_t slot, size_t size)
{
	if (NODENS_SLOT_STEP(slot) >= steps->n)
		return -ENOENT;
	return size > NODENS_CELL - NODENS_SLOT_OFFSET(slot) ? -EINVAL : 0;
}

int steps__read(const struct steps *steps, uint32_t slot, void *to, size_t size)
{
	size_t offset = NODENS_SLOT_OFFSET(slot);
	uint8_t cell[NODENS_CELL];
	int err = check_range(steps, slot, size);

	if (err)
		return err;
	if (steps->config.mmapable) {
		memcpy(to, slot_at(steps, slot), size);
		return 0;
	}
	err = read_cell(steps, slot, cell);
	if (!err)
		memcpy(to, cell + offset, size);
	return err;
}

int steps__write(struct steps *steps, uint32_t slot, const void *from, size_t size)
{
	uint32_t index = NODENS_SLOT_CELL(slot);
	size_t offset = NODENS_SLOT_OFFSET(slot);
	uint8_t cell[NODENS_CELL];
	int err = check_range(steps, slot, size);

	if (err)
		return err;
	memcpy(slot_at(steps, slot), from, size);
	if (steps->config.mmapable)
		return 0;
	/*
	 * The kernel copies the whole cell. Of the other slots there it writes what they hold; only
	 * a hit that is counted meanwhile is lost.
	 */
	err = read_cell(steps, slot, cell);
	if (err)
		return err;
	memcpy(cell + offset, from, size);
	return bpf_map_update_elem(steps->fd[NODENS_SLOT_STEP(slot)], &index, cell, BPF_ANY)
		       ? -errno
		       : 0;
}
