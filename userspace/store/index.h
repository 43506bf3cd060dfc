/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The index that programs read: from a question's hash to its slot (headers/nodens_abi.h,
 * nodens_index), written through its mapping, or by bpf() where there is none (before 5.5).
 *
 * Contract: one writer, the agent; anybody may remove entries beside it. Where the index is mapped
 * each of the two takes effect whole. By bpf() a bucket is read, changed and written back, so of
 * two that change one bucket at the same instant one may be undone, be it an entry or a count: then
 * an entry names a slot that may be another question's by now, which whoever follows it sees, or is
 * overlooked. So without a mapping no change trusts the counts: all places of a hash are looked at.
 *
 * Memory order: a slot's bytes are written before an entry names it (release); a reader that finds
 * the entry depends on it for the slot's address. The count of entries beyond a bucket goes up
 * before such an entry is there and down after it went, so a reader may look in vain but overlooks
 * none that was there all the time.
 */
#ifndef NODENS_INDEX_H
#define NODENS_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "nodens_abi.h"

struct index;

/* Buckets for so many entries: of their places at most 4 in 7 are taken. */
uint32_t index__buckets(uint64_t entries);

/* @fd stays the caller's. -EINVAL: a map of another shape; -errno of bpf(), mmap(). */
int index__open(int fd, bool mapped, struct index **out);
void index__close(struct index *index);

/* It will be asked for soon: a hint to the processor. */
void index__expect(const struct index *index, uint64_t hash);
/*
 * @hash names @slot from now on, whatever it named before. -ENOSPC: all places that it may have are
 * taken (NODENS_INDEX_STEPS); at the load that index__buckets() allows that is so for about 4 of a
 * million. -errno of bpf().
 */
int index__set(struct index *index, uint64_t hash, uint32_t slot);
/* -ENOENT: none. Of two hashes of one tag and home this is the slot of either. */
int index__find(const struct index *index, uint64_t hash, uint32_t *slot);
/* It, and any other of the same tag and home. 0: also where there is none. -errno of bpf(). */
int index__remove(struct index *index, uint64_t hash);

/* Where an entry is, and what it says. */
struct index_place {
	uint32_t bucket, place;
	uint64_t entry; /* 0: none */
};

/*
 * The next entry from *at on, which begins as {}: 1 with *at and *slot, 0 at the end, -errno of
 * bpf(). What is there throughout is seen once; what comes or goes meanwhile may be or not.
 */
int index__next(const struct index *index, struct index_place *at, uint32_t *slot);
/* Might @hash have its entry there? */
bool index__fits(const struct index *index, const struct index_place *at, uint64_t hash);
/* What the same place says now: -ENOENT: nothing, or it is another hash's. */
int index__again(const struct index *index, struct index_place *at, uint32_t *slot);
/* Remove what lies there, if it is of the same tag still: else -ENOENT. */
int index__remove_at(struct index *index, const struct index_place *at);
/*
 * Of maps that somebody else has written: no entry is overlooked afterwards, and none is where no
 * reader looks. A count that is too high, as a writer leaves it that was killed, stays and costs
 * readers a look in vain. Beside somebody who removes entries. -ENOMEM; -errno of bpf().
 */
int index__settle(struct index *index);

#endif /* NODENS_INDEX_H */
