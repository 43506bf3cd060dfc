/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The store's insides: slabs (slot memory), the table of what is kept, the
 * pools that slots come from and are evicted from, and the heap for answers
 * that no slot holds.
 *
 * Contract: for store*.c only. An entry is one question with its answer. Each
 * entry has exactly one slot and, while it lives, one element of the kernel's
 * index; some have an answer on the heap besides (see struct heap_item).
 */
#ifndef NODENS_STORE_PRIV_H
#define NODENS_STORE_PRIV_H

#include "grace.h"
#include "slot.h"
#include "store.h"

#define STORE_NONE  0xffffffffu
#define STORE_KINDS 2
/* Heap items are numbered like slots, in a class of their own. */
#define STORE_HEAP NODENS_CLASSES

/* Bounds of one eviction: so much is looked at before something has to go. */
#define STORE_LOOK 64
/* Bounds of one sweep. */
#define SWEEP_LOOK     131072
#define SWEEP_WITHDRAW 1024
/* Bytes of the answers on the heap, by kind. */
#define HEAP_BYTES_POSITIVE (12u << 20)
#define HEAP_BYTES_NEGATIVE (4u << 20)
/* An answer comes to the heap because it is large: fewer items than this fit. */
#define HEAP_ITEM_BYTES 1024

/* expires_ns of a slot that only holds an entry's place in the index: a miss for the programs. */
#define STORE_NEVER_LIVE 1

enum slot_state { SLOT_FREE, SLOT_LIVE, SLOT_RETIRED };

/*
 * What the agent knows of a slot, dense, so that sweeps and evictions do not
 * touch the slots. Links are slot numbers; the queue is from the oldest entry
 * to the youngest.
 */
struct slot_meta {
	uint64_t key;	    /* live: hash of the question; retired: ticket of grace */
	uint32_t prev;	    /* live: in the pool's queue */
	uint32_t next;	    /* live: likewise; free, retired: in that list */
	uint32_t seen;	    /* use marks as of the last look */
	uint32_t stamp;	    /* when it came to the queue's end, in entries */
	uint32_t expires_s; /* CLOCK_MONOTONIC, rounded up */
	uint8_t state;
	uint8_t kind;
	uint8_t used; /* answered by the agent since the last look */
	uint8_t pad0;
};

_Static_assert(sizeof(struct slot_meta) == 32, "memory is stated from this");

struct slab {
	int fd;
	bool mapped; /* mem is the map itself; else a shadow of it */
	uint32_t entries;
	uint32_t size; /* of a value */
	uint8_t *mem;
	size_t mem_bytes;
	struct slot_meta *meta;
};

/* The slots of one class for one kind of answer: slots [first, end) of a slab. */
struct pool {
	uint32_t first, end;
	uint32_t limit; /* most that live: the rest waits for its grace period */
	uint32_t live;
	uint32_t unused;     /* next slot that was never taken; end: none */
	uint32_t free;	     /* list of those that came back */
	uint32_t ready;	     /* length of that list */
	uint32_t head, tail; /* queue of the live */
	uint32_t cursor;     /* where to look for expired ones */
};

/*
 * An answer that the agent alone can give: too large for UDP (the slot then
 * says so, and the programs answer TC=1), or fit for UDP but for no slot (the
 * slot then is never live for the programs, and only keeps the index true).
 */
struct heap_item {
	struct answer *answer; /* NULL: free */
	uint64_t expires_ns;
	uint32_t slot;
	uint32_t bytes;
	uint32_t prev, next; /* queue, oldest first; free: next */
	uint32_t kind;
};

struct heap {
	struct heap_item *items;
	uint32_t n_items, unused, free;
	uint32_t head[STORE_KINDS], tail[STORE_KINDS];
	size_t bytes[STORE_KINDS], bytes_max[STORE_KINDS];
};

/* Open addressing, linear probing; a ref is a slot number or a heap item's. */
struct table {
	uint32_t *refs;
	uint32_t mask;
};

struct store {
	struct store_maps maps;
	uint32_t capacity[STORE_KINDS];
	uint16_t bufsize;
	uint64_t hash_key[NODENS_HASH_WORDS];
	struct slab slab[NODENS_CLASSES];
	struct pool pool[NODENS_CLASSES][STORE_KINDS];
	struct heap heap;
	struct table table;
	struct grace *grace;
	uint32_t retired_head, retired_tail; /* in order of their tickets */
	uint32_t live[STORE_KINDS];
	uint32_t stamp;
	uint32_t sweep_class, sweep_at;
	struct answer *current; /* what store__get() handed out, if made for it */
	struct store_stats stats;
};

/* store_slab.c: memory of slots */
int slab__open(struct slab *slab, const struct store_maps *maps, int cls);
void slab__close(struct slab *slab);
/* The bytes as last written or, mapped, as they are. */
struct nodens_slot *slab__slot(const struct slab *slab, uint32_t index);
/* Write a free slot; the bytes are in the kernel when this returns. */
int slab__write(struct slab *slab, uint32_t index, const union slot_buf *image);
/* Without mmap: fetch what the kernel has. */
int slab__load(struct slab *slab, uint32_t index);
/* Use marks: hits and time of the last,. */
void slab__marks(const struct slab *slab, uint32_t index, uint32_t *hits, uint32_t *last_use);

static inline struct slot_meta *store_meta(struct store *store, uint32_t slot)
{
	return &store->slab[NODENS_SLOT_CLASS(slot)].meta[NODENS_SLOT_INDEX(slot)];
}

static inline struct nodens_slot *store_slot(struct store *store, uint32_t slot)
{
	return slab__slot(&store->slab[NODENS_SLOT_CLASS(slot)], NODENS_SLOT_INDEX(slot));
}

/* store_table.c: hash -> ref, and the heap */
int table__open(struct table *table, uint32_t n_max);
void table__close(struct table *table);
uint32_t table__find(const struct store *store, uint64_t hash); /* STORE_NONE */
void table__set(struct store *store, uint64_t hash, uint32_t ref);
void table__remove(struct store *store, uint64_t hash);

int heap__open(struct heap *heap);
void heap__close(struct heap *heap);
/* A free item with room for @bytes, in no queue yet; STORE_NONE: make room first. */
uint32_t heap__take(struct heap *heap, uint32_t kind, size_t bytes);
void heap__enqueue(struct heap *heap, uint32_t item);
void heap__requeue(struct heap *heap, uint32_t item);
void heap__free(struct heap *heap, uint32_t item);
static inline uint32_t heap_ref(uint32_t item)
{
	return NODENS_SLOT(STORE_HEAP, item);
}

static inline bool ref_is_heap(uint32_t ref)
{
	return NODENS_SLOT_CLASS(ref) == STORE_HEAP;
}

/* store_pool.c: where slots come from and go to */
void pool__split(struct store *store, const uint32_t capacity[STORE_KINDS]);
struct pool *pool__of(struct store *store, uint32_t slot);
/* No slot for @kind is ready, but some will be: to evict would not help now. */
bool pool__starved(struct store *store, uint32_t kind, size_t size);
/* A free slot of at least @size bytes for @kind, evicting where needed; STORE_NONE. */
uint32_t pool__take(struct store *store, uint32_t kind, size_t size, uint64_t now_ns);
/* Back to the free list at once: it was never published. */
void pool__untake(struct store *store, uint32_t slot);
/* Put a taken slot at the end of its pool's queue: it lives. */
void pool__enqueue(struct store *store, uint32_t slot, uint64_t hash, uint64_t expires_ns);
/* Out of the queue and into the line for a grace period; it is out of the index. */
void pool__retire(struct store *store, uint32_t slot);
/* Slots whose grace period is over become free. */
void pool__reclaim(struct store *store);
/* Evict one entry of @kind, the expired first. -ENOENT: there is none. */
int pool__evict_kind(struct store *store, uint32_t kind, uint64_t now_ns);
/* Evict one entry of @kind that is on the heap; false: there is none. */
bool pool__evict_heap(struct store *store, uint32_t kind, uint64_t now_ns);

/* store.c */
/* Withdraw the entry that owns @slot from the index and forget it. -errno: it stays. */
int store__remove(struct store *store, uint32_t slot);

/* store_adopt.c */
/* Before anything is published; slots that the index does not name become free. */
int store__adopt(struct store *store);

#endif /* NODENS_STORE_PRIV_H */
