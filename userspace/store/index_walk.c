// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A walk over the index, by batches where the kernel has them (5.6), else key
 * by key.
 *
 * Contract: see index_walk.h. Batches go bucket by bucket and so do not lose
 * their place. Key by key a walk begins anew when somebody else deletes the key
 * it stands on; it is cut off after twice the map's size.
 */
#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "store/index_walk.h"

/* More than the elements of any bucket, or the kernel refuses with ENOSPC. */
#define BATCH 4096

struct index_walk {
	int fd;
	bool by_key, begun, ended;
	uint32_t bucket; /* the kernel's: where the next batch begins */
	uint64_t key;	 /* by key: the next */
	uint64_t left;	 /* by key: steps until the walk is cut off */
	uint32_t n, at;
	uint64_t hashes[BATCH];
	uint32_t slots[BATCH];
};

int index_walk__open(int index_fd, bool by_key, struct index_walk **out)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	struct index_walk *walk;

	if (bpf_obj_get_info_by_fd(index_fd, &info, &len))
		return -errno;
	if (info.type != BPF_MAP_TYPE_HASH || info.key_size != sizeof(walk->key) ||
	    info.value_size != sizeof(walk->slots[0]))
		return -EINVAL;
	walk = calloc(1, sizeof(*walk));
	if (!walk)
		return -ENOMEM;
	walk->fd = index_fd;
	walk->by_key = by_key;
	walk->left = 2ull * info.max_entries;
	*out = walk;
	return 0;
}

void index_walk__close(struct index_walk *walk)
{
	free(walk);
}

/* Here @key is the next to hand out: the caller may delete what it was handed. */
static int fill_by_key(struct index_walk *walk)
{
	uint64_t next;

	walk->n = 0;
	if (!walk->begun) {
		if (bpf_map_get_next_key(walk->fd, NULL, &walk->key))
			goto end;
		walk->begun = true;
	}
	while (walk->n < BATCH) {
		if (walk->left-- == 0)
			return -EAGAIN;
		if (!bpf_map_lookup_elem(walk->fd, &walk->key, &walk->slots[walk->n]))
			walk->hashes[walk->n++] = walk->key;
		if (bpf_map_get_next_key(walk->fd, &walk->key, &next))
			goto end;
		walk->key = next;
	}
	return 0;
end:
	walk->ended = true;
	return errno == ENOENT ? 0 : -errno;
}

static int fill(struct index_walk *walk)
{
	uint32_t n = BATCH;
	int err;

	walk->at = 0;
	if (walk->by_key)
		return fill_by_key(walk);
	err = bpf_map_lookup_batch(walk->fd, walk->begun ? &walk->bucket : NULL, &walk->bucket,
				   walk->hashes, walk->slots, &n, NULL)
		      ? -errno
		      : 0;
	if (err && err != -ENOENT && !walk->begun) {
		/* not known here (EINVAL, or the kernel's own ENOTSUPP of 524) */
		walk->by_key = true;
		return fill_by_key(walk);
	}
	if (err && err != -ENOENT)
		return err;
	walk->begun = true;
	walk->ended = err == -ENOENT;
	walk->n = n;
	return 0;
}

int index_walk__next(struct index_walk *walk, uint64_t *hash, uint32_t *slot)
{
	while (walk->at == walk->n) {
		int err;

		walk->n = walk->at = 0;
		if (walk->ended)
			return 0;
		err = fill(walk);
		if (err)
			return err;
	}
	*hash = walk->hashes[walk->at];
	*slot = walk->slots[walk->at++];
	return 1;
}
