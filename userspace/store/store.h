/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The agent's side of the store: slots in mmapped memory, published through the
 * kernel's index; plus a cache of its own for answers that no slot holds.
 *
 * Contract: one writer, the event loop's thread. A slot is filled while no
 * index entry names it, published by one index update, and after it is
 * withdrawn not written again before a grace period has passed (grace.h).
 *
 * Every entry has an element in the index, so whoever deletes there (`nodens
 * flush`) flushes the agent's memory too: at once as far as anybody is answered, and as far as
 * entries are counted once one is noticed. A round (13 s) looks at up to 1,024 entries, each at
 * other ones: so of up to 1,023 entries, and most often where 1 % of more are gone, within two
 * rounds (26 s); where it is fewer, within a round or so for each 1,024 entries, if they do not end
 * before. Of an answer that is larger than the programs send (NODENS_MAX_MSG), or than bufsize, the
 * slot has the first records, and the agent keeps the whole for those who take more, over TCP at
 * least. For these answers there are 12 MiB (positive) and 4 MiB (negative) besides.
 *
 * Partitions. An entry belongs to one section of the configuration (a server
 * block's cache), which has a capacity for each kind of answer. No partition has
 * more entries than its capacity, and only its own go when it is full: the
 * oldest that was not used since it was last looked at.
 *
 * What fits: a partition holds as many entries as its capacity says, of any mix of
 * answers whose slot has 512 bytes or less, and no other limit applies to them.
 * A slot has 64 bytes, the name in multiples of 8, the records with names
 * compressed, and 2 bytes a record: 512 bytes are an A answer of 22 addresses
 * under a name of 40, or one of 430 bytes as a DNS message. Of larger answers
 * (up to 2,048 bytes of slot, and the first part of larger ones) a partition holds 1/32 of its
 * capacity at a time, more where the maps were made for more than all partitions together, at least
 * one; the oldest of these goes for a new one.
 */
#ifndef NODENS_STORE_H
#define NODENS_STORE_H

#include <stdio.h>

#include "dns/answer.h"
#include "store/publisher.h"

struct store;

#define STORE_REFRESHES_MAX 512

/* An entry, to others. */
struct store_question {
	struct dns_name qname; /* lower case */
	uint16_t qtype;
	uint8_t key_flags;
	uint16_t partition;
};

enum store_refresh {
	STORE_REFRESH_NEVER,
	STORE_REFRESH_USED, /* where it was used, see refresh_hits */
	STORE_REFRESH_ALWAYS,
};

/* How to keep an answer. */
struct store_put {
	int kind;	    /* NODENS_POSITIVE, NODENS_NEGATIVE */
	uint32_t ttl_s;	    /* 1 and more */
	uint16_t partition; /* below the number of partitions */
	uint16_t bufsize;   /* no client gets a larger message over UDP; 0: the store's */
	bool keep_ttl;	    /* programs say ttl_s for as long as the answer lives */
	bool fixed;	  /* the configuration's own word: an agent that comes next leaves it out */
	bool weak;	  /* not in place of a positive answer that is still kept (SERVFAIL) */
	uint32_t stale_s; /* programs answer with it for so long past its expiry (TTL 0) */
	uint32_t keep_s;  /* it is kept so long past its expiry, for store__get_stale(); no less
			     than stale_s */
	/*
	 * Ask config.refresh for a new answer once so much of the TTL is left, but not in the
	 * first half second. With STORE_REFRESH_USED only if there were refresh_hits hits with no
	 * gap of refresh_within_ns between them, up to now (CoreDNS' rule for "popular"; AMOUNT
	 * and DURATION): looked at when the window opens and up to four times a second in it.
	 */
	enum store_refresh refresh;
	uint32_t refresh_left_s;
	uint32_t refresh_hits;	    /* at most 65,535 count */
	uint64_t refresh_within_ns; /* in whole seconds, at most 65,535 */
};

/*
 * To whom does this entry belong? Fills in put->partition and what is to hold from now on of
 * stale_s, keep_s and refresh*; the rest of @put says how it was stored and is not taken back.
 * False: the entry goes. Must not call into the store.
 */
typedef bool store_partition_fn(void *ctx, const struct store_question *question,
				const struct nodens_slot *slot, struct store_put *put);

struct store_series {
	uint16_t number; /* of nodens_series */
	uint8_t type;	 /* enum nodens_qtype */
	uint8_t reply;	 /* below NODENS_SERIES_REPLIES */
};

struct store_config {
	/*
	 * What the maps were made for, NODENS_POSITIVE and NODENS_NEGATIVE. Only the sum of both
	 * is a bound here: it is shared out to the partitions.
	 */
	uint32_t capacity[2];
	uint16_t bufsize; /* no client gets a larger message over UDP */
	const uint64_t *hash_key;

	/* As in store__set_partitions(). NULL: one partition, 0, that has all of the above. */
	const uint32_t (*partitions)[2];
	uint32_t n_partitions;
	/* For entries of an earlier agent. NULL: they are partition 0's, never refreshed. */
	store_partition_fn *adopt;

	/*
	 * nodens_ctl's nx_below_depths, written here alone; NULL: nobody reads it. commit is called
	 * after each change of it (datapath__ctl_commit: needed where the control block is not
	 * mapped); may be NULL.
	 */
	uint64_t *nx_below_depths;
	void (*commit)(void *ctx);
	/*
	 * From store__tick(): the entry is worth a new answer. Put that under the same question,
	 * now or later; nothing need be said where there is none: while the entry is kept and
	 * used, this is called again, 5 s later at the soonest. May call into the store; may be
	 * NULL.
	 */
	void (*refresh)(void *ctx, const struct store_question *question, uint64_t now_ns);
	/*
	 * Under what the programs count hits of the entry, as nodens_slot says: asked for when it
	 * is put, and again by store__set_partitions(), where only the series is asked anew. Must
	 * not call into the store. NULL: NODENS_SERIES_OTHER, 0.
	 */
	struct store_series (*series)(void *ctx, const struct nodens_slot *slot,
				      uint16_t partition);
	void *ctx;
};

struct store_stats {
	uint64_t entries[2], capacity[2]; /* of all partitions */
	uint64_t room;			  /* what the maps were made for: of both kinds together */
	uint64_t stale;			  /* entries past their expiry */
	uint64_t nx_below;
	uint64_t bytes;	     /* slots, the agent's tables and answers; not the index */
	uint64_t inserts;    /* of them: */
	uint64_t replaced;   /* took the place of an entry with the same hash */
	uint64_t collisions; /* which was another question's */
	uint64_t evicted[2], expired;
	uint64_t refused;	  /* not cached: nothing to evict, or all that was still in grace */
	uint64_t slot_bytes;	  /* memory for slots: what there is of it, and */
	uint64_t slot_bytes_used; /* what entries take of that, in whole cells */
	uint64_t no_memory;	  /* times that the kernel gave no more of it for slots */
	uint64_t refreshes;	  /* calls of config.refresh */
};

struct store_partition_stats {
	uint64_t entries, capacity, evicted;
};

/* Steps of slot memory that a capacity may need: what to create the maps for. 0: too large. */
uint32_t store__plan(const uint32_t capacity[2]);

/*
 * Takes @publisher over, on failure as well. Entries found published, sound and live (or stale and
 * to be served so) are adopted, all others leave the index. Waits for a grace period (8-30 ms).
 * -EINVAL: partitions that store__set_partitions() refuses; -errno
 * of bpf(), mmap() or the thread.
 */
int store__open(struct publisher *publisher, const struct store_config *config, uint64_t now_ns,
		struct store **out);
void store__close(struct store *store); /* leaves the maps' content */

/*
 * New partitions, 0 to @n - 1, each with a capacity for positive and for negative answers (0 keeps
 * none). @fn says for each entry whose it is now; NULL: as it was, and what has no partition now
 * goes. Entries above a capacity go at once, about 1 us each. Where the partitions have more than
 * the maps were made for, all get less, in proportion, and the result is 1
 * (store__partition_stats() tells how much); else 0. -EINVAL for an @n of 0 or above 65,536,
 * -ENOMEM; then all is as it was.
 */
int store__set_partitions(struct store *store, const uint32_t (*capacity)[2], uint32_t n,
			  store_partition_fn *fn, void *ctx, uint64_t now_ns);
/*
 * Can no program hold a slot any more as it was before the last store__set_partitions()? Then no
 * hit is counted under a series that this gave to no entry.
 */
bool store__settled(const struct store *store);
/* Remove all for which @keep is false; it must not call into the store. Returns how many went. */
int store__filter(struct store *store,
		  bool (*keep)(void *ctx, const struct store_question *question,
			       const struct nodens_slot *slot),
		  void *ctx);

/*
 * Keep @answer (taken over, also on failure) from now_ns (CLOCK_MONOTONIC) on. An older one of the
 * same question goes, its hit samples go on. Returns 0; -EINVAL for a ttl_s of 0, an unknown kind
 * or partition, or a malformed NXDOMAIN-below; -EEXIST where a weak one would replace a better one;
 * -ENOSPC where no slot could be had: then it is merely not cached, and an older one stays. No
 * system call but before 5.5, where there are three to five.
 *
 * An answer whose key_flags have NODENS_KEY_NX_BELOW is an NXDOMAIN-below: qtype 0, 1 to
 * 63 labels. The programs look for them at four depths a packet at most, so they belong at few
 * depths.
 */
int store__put(struct store *store, struct answer *answer, const struct store_put *put,
	       uint64_t now_ns);

/*
 * Find a live answer; *ttl_s is what is left, at least 1. The result is valid
 * until the next call into the store. NULL: a miss.
 */
const struct answer *store__get(struct store *store, const struct dns_name *qname_lower,
				uint16_t qtype, uint8_t key_flags, uint64_t now_ns,
				uint32_t *ttl_s);
/*
 * The same for an answer past its expiry, while it is kept; *past_s is for how long, rounded up.
 * A live one is not found.
 */
const struct answer *store__get_stale(struct store *store, const struct dns_name *qname_lower,
				      uint16_t qtype, uint8_t key_flags, uint64_t now_ns,
				      uint32_t *past_s);
/* When the entry of this question was put there, expired or not (CLOCK_MONOTONIC); 0: none. */
uint64_t store__stored_ns(const struct store *store, const struct dns_name *qname_lower,
			  uint16_t qtype, uint8_t key_flags);
/*
 * A client was answered with this entry though it has expired: config.refresh is called for it
 * within a second, but not within 5.4 s of the last call.
 */
void store__want(struct store *store, const struct dns_name *qname_lower, uint16_t qtype,
		 uint8_t key_flags);
/*
 * The programs answer with this entry, once it has expired, until window_s from now, but not past
 * the time that it is kept. (They never do with one that only the agent holds.) -ENOENT: no such
 * entry; -ENOSPC, without mmap only: no slot for the changed copy.
 */
int store__publish_stale(struct store *store, const struct dns_name *qname_lower, uint16_t qtype,
			 uint8_t key_flags, uint32_t window_s, uint64_t now_ns);

/* Remove the one entry of this question. -ENOENT: there is none. */
int store__remove(struct store *store, const struct dns_name *qname_lower, uint16_t qtype,
		  uint8_t key_flags);

/*
 * The live NXDOMAIN-below at or above the name, of the same DO and CD; as store__get(). NULL at
 * little cost where there are none at all.
 */
const struct answer *store__get_nx_below(struct store *store, const struct dns_name *qname_lower,
					 uint8_t key_flags, uint64_t now_ns, uint32_t *ttl_s);
/*
 * The name exists: remove every NXDOMAIN-below at or above it, whatever DO and CD, but those that
 * were meant for what is below it (below_only). Returns how many went.
 */
int store__remove_nx_below(struct store *store, const struct dns_name *qname_lower);

/*
 * What time brings: asks for refreshes (STORE_REFRESHES_MAX a call at most, so that neither they
 * nor what they lead to hold up the caller), withdraws what is no longer kept (1,024 a call at
 * most), looks at the use of stale entries about once a second and at everyone's every 13 s. Call
 * every 100 to 250 ms; where nothing is due it costs some 10 us at 65,536 entries.
 */
void store__tick(struct store *store, uint64_t now_ns);
void store__stats(const struct store *store, struct store_stats *stats);
/* -EINVAL: no such partition or kind. */
int store__partition_stats(const struct store *store, uint32_t partition, int kind,
			   struct store_partition_stats *stats);

#endif /* NODENS_STORE_H */
