/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The store's insides: cells (slot memory), the table of what is kept, the
 * partitions with their queues, the timers, and the overflow for answers that no slot
 * holds.
 *
 * Contract: for store/ only. An entry is one question with its answer. Each
 * entry has exactly one slot and, while it lives, one element of the kernel's
 * index; some have an answer on the overflow besides (see struct overflow_item).
 */
#ifndef NODENS_STORE_PRIV_H
#define NODENS_STORE_PRIV_H

#include "base/clock.h"
#include "dns/slot.h"
#include "store/publisher.h"
#include "store/store.h"

#define STORE_NONE  0xffffffffu
#define STORE_KINDS 2
#define CELL_UNITS  (NODENS_CELL / NODENS_UNIT)

/* Bounds of one eviction: so much is looked at before something has to go. */
#define STORE_LOOK 64
/* Bytes of the answers on the overflow, by kind. */
#define OVERFLOW_BYTES_POSITIVE (12u << 20)
#define OVERFLOW_BYTES_NEGATIVE (4u << 20)
/* An answer comes to the overflow because it is large: fewer items than this fit. */
#define OVERFLOW_ITEM_BYTES 1024
/* However many partitions share the overflow: room for one answer of any size. */
#define OVERFLOW_PARTITION_BYTES (80u << 10)

/* Time as timers count it: 67 ms, so that 32 bits last for nine years of uptime. */
#define UNIT_SHIFT 26
#define UNIT_NEVER 0xfffffffeu

static inline uint32_t unit_down(uint64_t ns)
{
	uint64_t unit = ns >> UNIT_SHIFT;

	return unit < UNIT_NEVER ? unit : UNIT_NEVER;
}

static inline uint32_t unit_up(uint64_t ns)
{
	return unit_down(ns + ((1u << UNIT_SHIFT) - 1));
}

/* As nodens_slot.last_use counts. */
static inline uint32_t use_unit(uint64_t ns)
{
	return ns >> 30;
}

enum slot_state { SLOT_FREE, SLOT_LIVE, SLOT_RETIRED };

/* Where meta->at is an index. */
enum meta_at { AT_NOWHERE, AT_TIMER, AT_STALE };

/*
 * What the agent knows of a slot, dense, so that evictions need not touch the slots. Links are
 * slot numbers; a queue is from the oldest entry to the youngest.
 */
struct slot_meta {
	uint64_t key;	   /* live: hash of the question; retired: ticket of grace */
	uint32_t prev;	   /* live: in the partition's queue */
	uint32_t next;	   /* live: likewise; free, retired: in that list */
	uint32_t item;	   /* of the overflow, or STORE_NONE */
	uint32_t seen;	   /* the slot's hits as of the last look */
	uint32_t last_use; /* as known; in the slot's unit */
	uint32_t at;	   /* in the timers, or in the list of stale entries */
	uint32_t expires;  /* in units, rounded up */
	uint32_t keep;	   /* until when it is kept: likewise, not before expires */
	uint32_t asked;	   /* last call of config.refresh, in last_use's unit; 0: none */
	uint16_t partition;
	uint16_t run; /* hits with no gap between them, as of the last look; saturates */
	uint16_t refresh_hits;
	uint16_t refresh_within_s;
	uint8_t state : 2, kind : 1, refresh : 2, where : 2;
	uint8_t used : 1;   /* since the last eviction's look */
	uint8_t wanted : 1; /* stale, and a client had it since the last refresh */
	uint8_t orphan : 1; /* retired: counts for no partition any more */
	uint8_t by_agent;   /* hits that the agent answered since the last look; saturates */
};

_Static_assert(sizeof(struct slot_meta) == 56, "memory is stated from this");

/* NODENS_CELL bytes of slot memory: free, or slots of one class. */
struct cell {
	struct slot_meta *meta; /* NULL: the cell is free */
	uint32_t prev, next;	/* in its class's list of those with a free slot; free: next */
	uint16_t free;		/* bit n: slot n is free */
	uint8_t cls;
};

/*
 * Where slots come from. Cells are numbered as they lie in memory. No cell is free while its class
 * needs it: so memory goes from one class to another.
 */
struct cells {
	struct cell *list;
	uint32_t n;			/* of the steps that there are */
	uint32_t unused;		/* the first that was never taken */
	uint32_t free;			/* list of those that came back */
	uint32_t roomy[NODENS_CLASSES]; /* a class's cells with a free slot */
	uint32_t in_use;		/* cells that are not free */
	uint64_t meta_bytes;
	bool stuck;	  /* there was no more memory, in this second: */
	uint32_t stuck_s; /* in last_use's unit */
};

/* Small: what any slot but one of the largest class holds. */
enum part_queue { QUEUE_SMALL, QUEUE_LARGE, QUEUES };

/* One partition's entries of one kind. */
struct part {
	uint32_t capacity;
	uint32_t large_max; /* of them on slots of more than NODENS_SIZE_SMALL bytes */
	struct queue {
		uint32_t head, tail, live;
		uint32_t held;	   /* slots: live ones and those that wait for a grace period */
		uint32_t held_max; /* so that one partition's flood leaves others' spare slots alone
				    */
	} queue[QUEUES];
	uint32_t overflow_head, overflow_tail; /* its overflow items, oldest first */
	uint32_t overflow_bytes, overflow_max;
	uint64_t evicted;
};

/*
 * An answer that the agent alone can give: too large for UDP (the slot then
 * says so, and the programs answer TC=1), or fit for UDP but for no slot (the
 * slot then is never live for the programs, and only keeps the index true).
 */
struct overflow_item {
	struct answer *answer; /* NULL: free */
	uint64_t expires_ns;
	uint32_t slot;
	uint32_t bytes;
	uint32_t prev, next; /* in its part's queue; free: next */
};

struct overflow {
	struct overflow_item *items;
	uint32_t n_items, unused, free;
	size_t bytes[STORE_KINDS];
};

/* Open addressing, linear probing, of slot numbers. */
struct table {
	uint32_t *slots; /* ~slot; 0: empty, so that what was never used is no memory */
	uint32_t mask;
};

struct timer {
	uint32_t due; /* units */
	uint32_t slot;
};

/* A heap of four children each by due time: the first is next. */
struct timers {
	struct timer *list;
	uint32_t n, max;
};

/* Entries past their expiry, in no order. */
struct stale {
	uint32_t *list;
	uint32_t n, at;
	uint64_t looked_ns;
};

/* The round over all cells. */
struct walk {
	uint32_t cell;
	uint64_t looked_ns;
	uint32_t rounds;
	uint32_t skipped; /* entries since one was looked for in the index */
	uint32_t all;	  /* cells to go of which each is */
};

struct store {
	struct publisher *publisher;
	struct store_config config; /* hash_key and partitions: not kept */
	uint64_t hash_key[NODENS_HASH_WORDS];
	uint32_t total; /* most that all partitions together may have */
	struct cells cells;
	struct part *parts; /* [partition][kind] */
	uint32_t n_partitions;
	struct overflow overflow;
	struct table table;
	struct timers timers;
	struct stale stale;
	struct walk walk;
	uint32_t retired_head, retired_tail; /* in order of their tickets */
	uint32_t n_retired;
	uint64_t divided;	/* ticket of the last new partitions; 0: none */
	uint32_t nx_below[64];	/* by number of labels */
	unsigned int asked;	/* in this call of store__tick(): calls of config.refresh */
	struct answer *current; /* what store__get() handed out, if made for it */
	struct store_stats stats;
};

struct index_place;

/* Does what is published there stay? */
typedef bool publisher_walk_fn(void *ctx, const struct index_place *at, uint32_t slot);

/* What a publisher does; the store's functions below call it. Errors are -errno. */
struct publisher_ops {
	/* One step of memory more. -errno: there is no more, for now. */
	int (*grow)(struct publisher *publisher);
	/* It will be needed soon: so that grow() need not wait. */
	void (*grow_ahead)(struct publisher *publisher);
	/* Writes a free slot; readers have the bytes when this returns. */
	int (*write)(struct publisher *publisher, uint32_t slot, struct nodens_slot *to,
		     const union slot_buf *image, size_t size);
	/* What readers have, into @to where it is not that already. */
	int (*load)(struct publisher *publisher, uint32_t slot, struct nodens_slot *to);
	/* Hits and the time of the last. */
	void (*sample)(struct publisher *publisher, uint32_t slot, const struct nodens_slot *at,
		       uint32_t *hits, uint32_t *last_use);
	/* @hash will be published or asked for soon: a hint. */
	void (*expect)(struct publisher *publisher, uint64_t hash);
	int (*publish)(struct publisher *publisher, uint64_t hash, uint32_t slot);
	int (*withdraw)(struct publisher *publisher, uint64_t hash);		  /* not there: 0 */
	bool (*names)(struct publisher *publisher, uint64_t hash, uint32_t slot); /* still? */
	/* Is that where readers look for @hash? */
	bool (*fits)(struct publisher *publisher, const struct index_place *at, uint64_t hash);
	/* All that is published; what does not stay is withdrawn. */
	int (*walk)(struct publisher *publisher, publisher_walk_fn *stays, void *ctx);
	/* After adoption: what was withdrawn until now is out of every reader's reach. */
	int (*begin)(struct publisher *publisher);
	/* As grace.h. */
	uint64_t (*ticket)(struct publisher *publisher);
	uint64_t (*passed)(struct publisher *publisher);
	void (*hurry)(struct publisher *publisher);
	void (*close)(struct publisher *publisher);
};

struct publisher {
	const struct publisher_ops *ops;
	/* Readers see the very memory that the store writes: to sample or to change a word costs
	 * nothing. */
	bool in_place;
	uint8_t *memory; /* of all steps; those that there are may be touched */
	uint32_t n_steps, max_steps;
};

/* For publishers. */
void slot_sample_in_place(struct publisher *publisher, uint32_t slot, const struct nodens_slot *at,
			  uint32_t *hits, uint32_t *last_use);

static inline uint32_t slot_size(uint32_t slot)
{
	return slot_class_size[NODENS_SLOT_CLASS(slot)];
}

static inline uint32_t slot_cell(uint32_t slot)
{
	return NODENS_SLOT_ADDRESS(slot) / CELL_UNITS;
}

/* Which of its cell's slots. */
static inline uint32_t slot_ordinal(uint32_t slot)
{
	return NODENS_SLOT_OFFSET(slot) / slot_size(slot);
}

static inline struct slot_meta *store_meta(const struct store *store, uint32_t slot)
{
	return &store->cells.list[slot_cell(slot)].meta[slot_ordinal(slot)];
}

/* The bytes as last written or, in place, as they are. */
static inline struct nodens_slot *store_slot(const struct store *store, uint32_t slot)
{
	return (struct nodens_slot *)(store->publisher->memory +
				      (size_t)NODENS_SLOT_ADDRESS(slot) * NODENS_UNIT);
}

static inline int slot_write(struct store *store, uint32_t slot, const union slot_buf *image)
{
	return store->publisher->ops->write(store->publisher, slot, store_slot(store, slot), image,
					    slot_size(slot));
}

static inline void slot_sample(const struct store *store, uint32_t slot, uint32_t *hits,
			       uint32_t *last_use)
{
	store->publisher->ops->sample(store->publisher, slot, store_slot(store, slot), hits,
				      last_use);
}

static inline void index_expect(const struct store *store, uint64_t hash)
{
	store->publisher->ops->expect(store->publisher, hash);
}

static inline int index_publish(const struct store *store, uint64_t hash, uint32_t slot)
{
	return store->publisher->ops->publish(store->publisher, hash, slot);
}

static inline int index_withdraw(const struct store *store, uint64_t hash)
{
	return store->publisher->ops->withdraw(store->publisher, hash);
}

static inline void grace_hurry(const struct store *store)
{
	store->publisher->ops->hurry(store->publisher);
}

static inline struct part *store_part(const struct store *store, uint32_t partition, uint32_t kind)
{
	return &store->parts[partition * STORE_KINDS + kind];
}

static inline struct part *meta_part(const struct store *store, const struct slot_meta *meta)
{
	return store_part(store, meta->partition, meta->kind);
}

static inline enum part_queue slot_queue(uint32_t slot)
{
	return slot_size(slot) > NODENS_SIZE_SMALL ? QUEUE_LARGE : QUEUE_SMALL;
}

/* table.c: hash -> slot */
int table_open(struct table *table, uint32_t n_max);
void table_close(struct table *table);
/* It will be asked for soon: a hint to the processor. */
void table_expect(const struct store *store, uint64_t hash);
uint32_t table_find(const struct store *store, uint64_t hash); /* STORE_NONE */
void table_set(struct store *store, uint64_t hash, uint32_t slot);
void table_remove(struct store *store, uint64_t hash);

/* overflow.c */
int overflow_open(struct overflow *overflow);
void overflow_close(struct overflow *overflow);
/* A free item, in no queue yet; STORE_NONE: there is no room for @bytes. What it costs is counted.
 */
uint32_t overflow_take(struct store *store, uint32_t kind, size_t bytes);
/* Give a taken item to the part that pays for it. */
void overflow_enqueue(struct store *store, struct part *part, uint32_t item);
void overflow_dequeue(struct store *store, struct part *part, uint32_t item);
void overflow_free(struct store *store, uint32_t kind, uint32_t item);
/* What an answer counts for. */
size_t overflow_cost(const struct answer *answer);

/* pages.c: zeroed memory whose pages are there from the first touch on; NULL */
void *pages_open(size_t bytes);
void pages_close(void *pages, size_t bytes);

/* cells.c: slots' memory */
int cells_open(struct store *store);
void cells_close(struct store *store);
/* A free slot of the class; STORE_NONE: its cells are full, and there is no other. */
uint32_t cells_take(struct store *store, int cls);
/* For adoption: this very slot. False: it is not free, or no slot. */
bool cells_claim(struct store *store, uint32_t slot);
/* After adoption: cells that nobody claimed are free. */
void cells_settle(struct store *store);
/* Nobody has it, or can reach it. */
void cells_free(struct store *store, uint32_t slot);
/* The number of slot @ordinal of a cell that is not free. */
uint32_t cells_slot(const struct store *store, uint32_t cell, uint32_t ordinal);
uint32_t cells_slots(const struct store *store, uint32_t cell); /* how many it has; free: 0 */

/* slots.c: where slots come from and go to */
/* How many slots besides those of @n entries may wait for grace periods. */
uint32_t slots_spare(uint64_t n);
/* Of @n entries, how many may be large at a time. */
uint32_t slots_large(uint64_t n);
/* Is the partition at its limit of slots until a grace period is over? */
bool slots_starved(struct store *store, const struct part *part, size_t size);
/* A free slot of at least @size bytes; STORE_NONE. */
uint32_t slots_take(struct store *store, size_t size);
/* Into the line for a grace period; it is out of the index and of its queue. */
void slots_retire(struct store *store, uint32_t slot);
/* Slots whose grace period is over become free. */
void slots_reclaim(struct store *store);

/* timers.c: what is due when */
int timers_open(struct store *store);
void timers_close(struct store *store);
/* Set or move the entry's timer. */
void timer_set(struct store *store, uint32_t slot, uint32_t due);
/* Put it among the stale ones instead. */
void stale_add(struct store *store, uint32_t slot);
/* Neither timer nor stale. */
void timer_remove(struct store *store, uint32_t slot);
/* The entry of @from lives in @to from now on. */
void timer_move(struct store *store, uint32_t from, uint32_t to);

/* queue.c */
/* Into its part's queue, where it lives; meta->partition and kind are set. */
void queue_add(struct store *store, uint32_t slot);
/* Out of the queue; its slot goes on to count for the partition until it is reclaimed. */
void queue_drop(struct store *store, uint32_t slot);
/* The oldest becomes the youngest. */
void queue_rotate(struct store *store, struct queue *queue);

/* depths.c */
/* Of an NXDOMAIN-below's name: 1 to 63, or 0 where it is none. */
unsigned int depths_labels(const uint8_t *wire, size_t len);
void depths_count(struct store *store, unsigned int labels, int by);
/* After adoption: the mask says what the counts say. */
void depths_settle(struct store *store);

/* entry.c */
/* What store__get() handed out is of no use any more. */
void entry_free_current(struct store *store);
/* The slot that holds this question, expired or not; STORE_NONE. */
uint32_t entry_find(const struct store *store, const struct dns_name *name, uint16_t qtype,
		    uint8_t key_flags);
bool entry_is(const struct nodens_slot *slot, const struct dns_name *name, uint16_t qtype,
	      uint8_t key_flags);
/* Its expiry, to the nanosecond. */
uint64_t entry_expires(const struct store *store, uint32_t slot);
void entry_question(const struct store *store, uint32_t slot, struct store_question *question);
/* Take in the hit samples: the run goes on. *last_use as the slot has it. */
void entry_look(struct store *store, uint32_t slot, uint32_t *last_use);
/* Does the index still name it? If not, it is forgotten. */
bool entry_published(struct store *store, uint32_t slot);
/* Withdraw the entry in @slot from the index and forget it. -errno: it stays. */
int entry_remove(struct store *store, uint32_t slot);
/* Its place in the table is taken by another, or emptied, before this. */
void entry_drop(struct store *store, uint32_t slot);
/* How long it is kept and when it is looked at, from what @put says of that. */
void entry_apply(struct store *store, uint32_t slot, const struct store_put *put, uint64_t now_ns);
/*
 * Programs answer with it so long past its expiry. The slot that has the entry then: without mmap
 * another one, or @slot with nothing changed where none could be had.
 */
uint32_t entry_set_stale(struct store *store, uint32_t slot, uint32_t stale_s);
/* Its hits count for this series from now on. As entry_set_stale(), but STORE_NONE: no slot. */
uint32_t entry_set_series(struct store *store, uint32_t slot, uint16_t series);

/* partition.c: who may have how much */
/* Fresh parts for these capacities; 1: less than asked for. *out is the caller's. */
int partition_make(const struct store *store, const uint32_t (*capacity)[2], uint32_t n,
		   struct part **out);
/* Evict one of the part's entries. -ENOENT: there is none; else -errno: the index kept it. */
int partition_evict(struct store *store, struct part *part, uint64_t now_ns);
/* One that has a large slot. */
int partition_evict_large(struct store *store, struct part *part, uint64_t now_ns);
/* One that is in the overflow. */
int partition_evict_overflow(struct store *store, struct part *part, uint64_t now_ns);

/*
 * There is no memory for all that partitions may have: one of the part's that has most of its
 * capacity goes, so that what there is is shared as the capacities say.
 */
void partition_give_way(struct store *store, uint64_t now_ns);

/* adopt.c */
/* Before anything is published; slots that the index does not name become free. */
int adopt_published(struct store *store, uint64_t now_ns);

#endif /* NODENS_STORE_PRIV_H */
