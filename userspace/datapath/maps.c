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

const char *const kern_map_names[KERN_MAPS] = {
	[KERN_INDEX] = "nodens_index",	 [KERN_SLAB0] = "nodens_slab0",
	[KERN_SLAB1] = "nodens_slab1",	 [KERN_SLAB2] = "nodens_slab2",
	[KERN_SLAB3] = "nodens_slab3",	 [KERN_CTL] = "nodens_ctl",
	[KERN_PERCPU] = "nodens_percpu", [KERN_CLIENTS] = "nodens_clients",
	[KERN_CLAIMS] = "nodens_claims",
};

/* Room in the index for what is being replaced, so that a full store can still swap entries. */
#define INDEX_SPARE 256

/* Programs of an agent before this one may still add to a map while it is emptied. */
#define FORGET_MAX (2 * NODENS_CLIENTS)

int kern_maps__define(struct kern *kern, const uint32_t capacity[2], struct error *err)
{
	struct kern_map_def *def = kern->map_def;
	uint32_t entries[NODENS_CLASSES];
	uint64_t sum = 0;
	int i, ret;

	ret = kern_progs__map_defs(def);
	if (ret)
		return error__set(err, ret, "the BPF object in this binary is broken: %s",
				  kern_log__last());
	store__plan(capacity, entries);
	for (i = 0; i < NODENS_CLASSES; i++) {
		def[KERN_SLAB0 + i].max_entries = entries[i] ? entries[i] : 1;
		sum += entries[i];
	}
	if (sum > NODENS_SLOT_INDEX(UINT32_MAX))
		return error__set(err, -E2BIG, "a capacity of %u and %u answers is too large",
				  capacity[NODENS_POSITIVE], capacity[NODENS_NEGATIVE]);
	/* An element for each answer; a slot waiting for its grace period has none. */
	def[KERN_INDEX].max_entries =
		capacity[NODENS_POSITIVE] + capacity[NODENS_NEGATIVE] + INDEX_SPARE;
	if (!kern->features.mmapable)
		for (i = 0; i < KERN_MAPS; i++)
			def[i].flags &= ~BPF_F_MMAPABLE;
	return 0;
}

static int info_of(int fd, struct bpf_map_info *info)
{
	uint32_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &len) ? -errno : 0;
}

void kern_maps__close(struct kern *kern)
{
	int i;

	if (kern->ctl_mapped)
		munmap(kern->ctl, sizeof(*kern->ctl));
	else
		free(kern->ctl);
	kern->ctl = NULL;
	kern->ctl_mapped = false;
	for (i = 0; i < KERN_MAPS; i++) {
		if (kern->map_fd[i] >= 0)
			close(kern->map_fd[i]);
		kern->map_fd[i] = -1;
	}
	if (kern->grace_fd >= 0)
		close(kern->grace_fd);
	if (kern->grace_inner_fd >= 0)
		close(kern->grace_inner_fd);
	kern->grace_fd = kern->grace_inner_fd = -1;
}

static int open_ctl(struct kern *kern)
{
	uint32_t zero = 0;
	void *at;

	if (kern->map_def[KERN_CTL].flags & BPF_F_MMAPABLE) {
		at = mmap(NULL, sizeof(*kern->ctl), PROT_READ | PROT_WRITE, MAP_SHARED,
			  kern->map_fd[KERN_CTL], 0);
		if (at == MAP_FAILED)
			return -errno;
		kern->ctl = at;
		kern->ctl_mapped = true;
		return 0;
	}
	at = malloc(sizeof(*kern->ctl));
	if (!at)
		return -ENOMEM;
	if (bpf_map_lookup_elem(kern->map_fd[KERN_CTL], &zero, at)) {
		free(at);
		return -errno;
	}
	kern->ctl = at;
	return 0;
}

/* Opens every pinned map; their own definitions go to @found. */
static int open_pins(struct kern *kern, struct kern_map_def found[KERN_MAPS])
{
	struct bpf_map_info info;
	char path[PATH_MAX];
	int i, ret;

	for (i = 0; i < KERN_MAPS; i++) {
		snprintf(path, sizeof(path), "%s/%s", kern->dir, kern_map_names[i]);
		kern->map_fd[i] = bpf_obj_get(path);
		if (kern->map_fd[i] < 0)
			return -errno;
		ret = info_of(kern->map_fd[i], &info);
		if (ret)
			return ret;
		found[i] = (struct kern_map_def){ info.type, info.key_size, info.value_size,
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

int kern_maps__adopt(struct kern *kern)
{
	struct kern_map_def found[KERN_MAPS];
	int ret = open_pins(kern, found);

	if (!ret && memcmp(found, kern->map_def, sizeof(found)))
		ret = -ESTALE;
	if (!ret)
		ret = open_ctl(kern);
	if (!ret && kern->ctl->layout != NODENS_LAYOUT)
		ret = -ESTALE;
	if (ret) {
		kern_maps__close(kern);
		return ret;
	}
	/* The namespace that it steered to went with its agent. */
	kern->ctl->steer = 0;
	kern__ctl_commit(kern);
	forget_all(kern->map_fd[KERN_CLIENTS]);
	forget_all(kern->map_fd[KERN_CLAIMS]);
	kern->adopted = true;
	return 0;
}

int kern_maps__open(struct kern *kern, struct error *err)
{
	int ret = kern_pins__check_owner(kern->dir, err);

	if (ret == -EPERM)
		return ret;
	ret = open_pins(kern, kern->map_def);
	if (!ret && kern->map_def[KERN_CTL].value_size != sizeof(struct nodens_ctl))
		ret = -ESTALE;
	if (!ret && kern->map_def[KERN_PERCPU].value_size != sizeof(struct nodens_percpu))
		ret = -ESTALE;
	if (!ret)
		ret = open_ctl(kern);
	if (!ret && kern->ctl->layout != NODENS_LAYOUT)
		ret = -ESTALE;
	if (!ret)
		return 0;
	kern_maps__close(kern);
	if (ret == -ENOENT)
		return error__set(err, ret, "no nodens maps below %s: is `nodens run` running?",
				  kern->pin_dir);
	if (ret == -ESTALE)
		return error__set(err, ret, "the maps below %s are of another nodens version",
				  kern->pin_dir);
	return error__set(err, ret, "cannot open the maps below %s: %s: %s", kern->pin_dir,
			  strerror(-ret), kern_refusal(ret));
}

static int create_map(struct kern *kern, enum kern_map i, struct error *err)
{
	const struct kern_map_def *def = &kern->map_def[i];
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = def->flags);
	int fd = bpf_map_create(def->type, kern_map_names[i], def->key_size, def->value_size,
				def->max_entries, &opts);

	if (fd < 0) {
		fd = -errno;
		return error__set(err, fd, "cannot create map %s (%u entries of %u bytes): %s: %s",
				  kern_map_names[i], def->max_entries,
				  def->key_size + def->value_size,
				  fd == -E2BIG ? "too large for the kernel" : strerror(-fd),
				  kern_refusal(fd));
	}
	kern->map_fd[i] = fd;
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

int kern_maps__none(struct kern *kern, struct error *err)
{
	kern->ctl = calloc(1, sizeof(*kern->ctl));
	return kern->ctl ? begin_ctl(kern->ctl, err) : error__set(err, -ENOMEM, "out of memory");
}

int kern_maps__create(struct kern *kern, struct error *err)
{
	int i, ret;

	for (i = 0; i < KERN_MAPS; i++) {
		ret = create_map(kern, i, err);
		if (ret)
			goto out;
	}
	ret = open_ctl(kern);
	if (ret) {
		error__set(err, ret, "cannot map nodens_ctl: %s", strerror(-ret));
		goto out;
	}
	ret = begin_ctl(kern->ctl, err);
	if (!ret)
		return 0;
out:
	kern_maps__close(kern);
	return ret;
}

/* An update of a map of maps returns only when no program can hold the old map (an RCU wait). */
int kern_grace__create(struct kern *kern, struct error *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int ret;

	kern->grace_inner_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "nodens_inner", 4, 4, 1, NULL);
	if (kern->grace_inner_fd < 0)
		goto fail;
	opts.inner_map_fd = kern->grace_inner_fd;
	kern->grace_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "nodens_grace", 4, 4, 1, &opts);
	if (kern->grace_fd >= 0)
		return 0;
fail:
	ret = -errno;
	return error__set(err, ret, "cannot create map nodens_grace: %s: %s", strerror(-ret),
			  kern_refusal(ret));
}
