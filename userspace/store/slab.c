// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Slot memory. Contract: see store_priv.h. Where it lies and who reads it is the publisher's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store_priv.h"

static size_t slab_bytes(const struct slab *slab)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	/* sizes are multiples of 8, so the kernel's stride is the size */
	return ((size_t)slab->entries * slab->size + page - 1) / page * page;
}

int slab_private_memory(size_t bytes, uint8_t **mem)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	*mem = at;
	return 0;
}

int slab_open(struct slab *slab, struct publisher *publisher, int cls)
{
	slab->entries = publisher->slab_entries[cls];
	slab->size = slot_class_size[cls];
	if (slab->entries == 0 || slab->entries > NODENS_SLOT_INDEX(~0u))
		return -EINVAL;
	slab->meta = calloc(slab->entries, sizeof(*slab->meta));
	if (!slab->meta)
		return -ENOMEM;
	slab->mem_bytes = slab_bytes(slab);
	return publisher->ops->map(publisher, cls, slab->mem_bytes, &slab->mem);
}

void slab_close(struct slab *slab)
{
	if (slab->mem)
		munmap(slab->mem, slab->mem_bytes);
	free(slab->meta);
	memset(slab, 0, sizeof(*slab));
}

void slab_sample_in_place(struct publisher *publisher, uint32_t slot, const struct nodens_slot *at,
			  uint32_t *hits, uint32_t *last_use)
{
	(void)publisher;
	(void)slot;
	*hits = __atomic_load_n(&at->hits, __ATOMIC_RELAXED);
	*last_use = __atomic_load_n(&at->last_use, __ATOMIC_RELAXED);
}
