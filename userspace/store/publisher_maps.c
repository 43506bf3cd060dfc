// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A store that programs read: slots in the kernel's steps, found by its index. Contract:
 * publisher.h.
 *
 * Where steps cannot be mapped (before 5.5) they are written and read by bpf(): a shadow holds what
 * was written, so reading a slot is the same in both, and only the hit samples differ.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "store/grace.h"
#include "store/index.h"
#include "store_priv.h"

struct publisher_maps {
	struct publisher base;
	struct store_maps maps;
	struct index *index;
	struct steps *steps;
	struct grace *grace;
};

static const struct publisher_maps *maps_of(const struct publisher *publisher)
{
	return (const struct publisher_maps *)publisher;
}

/* ---- slots ---- */

static int grow(struct publisher *publisher)
{
	const struct publisher_maps *own = maps_of(publisher);
	int fd = grace__grown(own->grace), err;

	/* What failed then may work by now. */
	if (fd < 0)
		fd = steps__make(own->steps);
	err = fd < 0 ? fd : steps__add(own->steps, fd);
	publisher->n_steps = steps__count(maps_of(publisher)->steps);
	return err;
}

static void grow_ahead(struct publisher *publisher)
{
	grace__grow(maps_of(publisher)->grace, maps_of(publisher)->steps);
}

static int write_shared(struct publisher *publisher, uint32_t number, struct nodens_slot *to,
			const union slot_buf *image, size_t size)
{
	(void)publisher;
	(void)number;
	/*
	 * No program can come here before the index says so; the order is for
	 * one that would follow a wrong number, and for the dump command.
	 */
	__atomic_store_n(&to->expires_ns, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy((uint8_t *)to + sizeof(to->expires_ns), image->bytes + sizeof(to->expires_ns),
	       size - sizeof(to->expires_ns));
	__atomic_store_n(&to->expires_ns, image->slot.expires_ns, __ATOMIC_RELEASE);
	return 0;
}

static int write_shadow(struct publisher *publisher, uint32_t number, struct nodens_slot *to,
			const union slot_buf *image, size_t size)
{
	(void)to;
	return steps__write(maps_of(publisher)->steps, number, image->bytes, size);
}

static int load_shared(struct publisher *publisher, uint32_t number, struct nodens_slot *to)
{
	(void)publisher;
	(void)number;
	(void)to;
	return 0;
}

static int load_shadow(struct publisher *publisher, uint32_t number, struct nodens_slot *to)
{
	return steps__read(maps_of(publisher)->steps, number, to, slot_size(number));
}

static void sample_shadow(struct publisher *publisher, uint32_t number,
			  const struct nodens_slot *at, uint32_t *hits, uint32_t *last_use)
{
	union slot_buf copy;

	if (!steps__read(maps_of(publisher)->steps, number, &copy, sizeof(copy.slot)))
		at = &copy.slot;
	slot_sample_in_place(publisher, number, at, hits, last_use);
}

/* ---- the index ---- */

static void expect(struct publisher *publisher, uint64_t hash)
{
	index__expect(maps_of(publisher)->index, hash);
}

static int publish(struct publisher *publisher, uint64_t hash, uint32_t number)
{
	return index__set(maps_of(publisher)->index, hash, number);
}

static int withdraw(struct publisher *publisher, uint64_t hash)
{
	return index__remove(maps_of(publisher)->index, hash);
}

static bool names(struct publisher *publisher, uint64_t hash, uint32_t number)
{
	uint32_t found;

	return !index__find(maps_of(publisher)->index, hash, &found) && found == number;
}

static bool fits(struct publisher *publisher, const struct index_place *at, uint64_t hash)
{
	return index__fits(maps_of(publisher)->index, at, hash);
}

static int walk(struct publisher *publisher, publisher_walk_fn *stays, void *ctx)
{
	struct index *index = maps_of(publisher)->index;
	struct index_place at = {};
	uint32_t number;
	int err = index__settle(index);

	while (!err && (err = index__next(index, &at, &number)) > 0) {
		err = stays(ctx, &at, number) ? 0 : index__remove_at(index, &at);
		if (err == -ENOENT)
			err = 0;
	}
	return err;
}

/* ---- grace periods ---- */

static int begin(struct publisher *publisher)
{
	struct publisher_maps *own = (struct publisher_maps *)publisher;

	return grace__open(own->maps.grace_fd, own->maps.grace_inner_fd, &own->grace);
}

static uint64_t ticket(struct publisher *publisher)
{
	return grace__ticket(maps_of(publisher)->grace);
}

static uint64_t passed(struct publisher *publisher)
{
	return grace__passed(maps_of(publisher)->grace);
}

static void hurry(struct publisher *publisher)
{
	grace__hurry(maps_of(publisher)->grace);
}

/* ---- open and close ---- */

static void close_maps(struct publisher *publisher)
{
	grace__close(maps_of(publisher)->grace);
	index__close(maps_of(publisher)->index);
	steps__close(maps_of(publisher)->steps);
	free(publisher);
}

/* The same whether the agent writes in place or by bpf(). */
#define WHATEVER_MEMORY                                                                   \
	.grow = grow, .grow_ahead = grow_ahead, .expect = expect, .publish = publish,     \
	.withdraw = withdraw, .names = names, .fits = fits, .walk = walk, .begin = begin, \
	.ticket = ticket, .passed = passed, .hurry = hurry, .close = close_maps

static const struct publisher_ops shared = {
	WHATEVER_MEMORY,
	.write = write_shared,
	.load = load_shared,
	.sample = slot_sample_in_place,
};

static const struct publisher_ops shadowed = {
	WHATEVER_MEMORY,
	.write = write_shadow,
	.load = load_shadow,
	.sample = sample_shadow,
};

/* Is the map as it is said to be? */
static int check_slabs(const struct steps_config *slabs)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (slabs->fd < 0)
		return -EBADFD;
	if (bpf_obj_get_info_by_fd(slabs->fd, &info, &len))
		return -errno;
	return info.type == BPF_MAP_TYPE_ARRAY_OF_MAPS && info.max_entries == slabs->max ? 0
											 : -EINVAL;
}

int publisher__maps(const struct store_maps *maps, struct publisher **out)
{
	int err = maps->index_fd < 0 ? -EBADFD : check_slabs(&maps->slabs);
	struct publisher_maps *own;

	if (err)
		return err;
	own = calloc(1, sizeof(*own));
	if (!own)
		return -ENOMEM;
	err = index__open(maps->index_fd, maps->slabs.mmapable, &own->index);
	if (!err)
		err = steps__open(&maps->slabs, true, &own->steps);
	if (err) {
		index__close(own->index);
		free(own);
		return err;
	}
	own->base.ops = maps->slabs.mmapable ? &shared : &shadowed;
	own->base.in_place = maps->slabs.mmapable;
	own->base.memory = steps__memory(own->steps);
	own->base.n_steps = steps__count(own->steps);
	own->base.max_steps = maps->slabs.max;
	own->maps = *maps;
	own->maps.slabs.dir = NULL; /* its text is the caller's */
	*out = &own->base;
	return 0;
}
