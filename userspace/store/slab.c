// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Slot memory: the one seam between slabs that are mapped and those that are
 * written and read by bpf() (kernels before 5.5), or that are no maps at all.
 *
 * Contract: see store_priv.h. Without mmap a shadow holds what was written, so
 * reading a slot is the same in both; only the hit samples differ.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "store_priv.h"

static size_t slab_bytes(const struct slab *slab)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	/* sizes are multiples of 8, so the kernel's stride is the size */
	return ((size_t)slab->entries * slab->size + page - 1) / page * page;
}

static int map_memory(struct slab *slab)
{
	bool shared = slab->mapped && slab->fd >= 0;

	slab->mem_bytes = slab_bytes(slab);
	slab->mem =
		mmap(NULL, slab->mem_bytes, PROT_READ | PROT_WRITE,
		     shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, shared ? slab->fd : -1, 0);
	if (slab->mem == MAP_FAILED) {
		slab->mem = NULL;
		return -errno;
	}
	return 0;
}

/* Is the map as it is said to be? */
static int check_map(const struct slab *slab)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int err = bpf_obj_get_info_by_fd(slab->fd, &info, &len);

	if (err)
		return err;
	return info.value_size == slab->size && info.max_entries == slab->entries ? 0 : -EINVAL;
}

int slab_open(struct slab *slab, const struct store_maps *maps, int cls)
{
	int err;

	slab->fd = maps->slab_fd[cls];
	slab->mapped = maps->mmapable || slab->fd < 0;
	slab->entries = maps->slab_entries[cls];
	slab->size = slot_class_size[cls];
	if ((slab->fd < 0) != (maps->index_fd < 0))
		return -EBADFD;
	err = slab->fd < 0 ? 0 : check_map(slab);
	if (err)
		return err;
	if (slab->entries == 0 || slab->entries > NODENS_SLOT_INDEX(~0u))
		return -EINVAL;
	slab->meta = calloc(slab->entries, sizeof(*slab->meta));
	if (!slab->meta)
		return -ENOMEM;
	return map_memory(slab);
}

void slab_close(struct slab *slab)
{
	if (slab->mem)
		munmap(slab->mem, slab->mem_bytes);
	free(slab->meta);
	memset(slab, 0, sizeof(*slab));
}

struct nodens_slot *slab_slot(const struct slab *slab, uint32_t index)
{
	return (struct nodens_slot *)(slab->mem + (size_t)index * slab->size);
}

int slab_write(struct slab *slab, uint32_t index, const union slot_buf *image)
{
	struct nodens_slot *slot = slab_slot(slab, index);

	if (!slab->mapped) {
		memcpy(slot, image->bytes, slab->size);
		return bpf_map_update_elem(slab->fd, &index, slot, BPF_ANY);
	}
	/*
	 * No program can come here before the index says so; the order is for
	 * one that would follow a wrong number, and for the dump command.
	 */
	__atomic_store_n(&slot->expires_ns, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy((uint8_t *)slot + sizeof(slot->expires_ns), image->bytes + sizeof(slot->expires_ns),
	       slab->size - sizeof(slot->expires_ns));
	__atomic_store_n(&slot->expires_ns, image->slot.expires_ns, __ATOMIC_RELEASE);
	return 0;
}

int slab_load(struct slab *slab, uint32_t index)
{
	if (slab->mapped)
		return 0;
	return bpf_map_lookup_elem(slab->fd, &index, slab_slot(slab, index));
}

void slab_sample(const struct slab *slab, uint32_t index, uint32_t *hits, uint32_t *last_use)
{
	const struct nodens_slot *slot = slab_slot(slab, index);
	union slot_buf copy;

	if (!slab->mapped && !bpf_map_lookup_elem(slab->fd, &index, &copy))
		slot = &copy.slot;
	*hits = __atomic_load_n(&slot->hits, __ATOMIC_RELAXED);
	*last_use = __atomic_load_n(&slot->last_use, __ATOMIC_RELAXED);
}
