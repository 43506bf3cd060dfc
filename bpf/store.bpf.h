/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From a question to the slot that answers it, and the slot's hit samples.
 *
 * Contract: a slot is handed out only after its own name, type and key flags
 * compared equal to the question and while it has not expired; so neither a
 * hash collision nor an index value reused under us can answer for another.
 */
#ifndef NODENS_STORE_BPF_H
#define NODENS_STORE_BPF_H

#define NSEC_PER_SEC 1000000000ull

struct found {
	struct nodens_slot *slot; /* in its cell: */
	void *cell;
	__u64 offset; /* in bytes; with it no more than NODENS_CELL - NODENS_SLOT_HEADER is valid */
};

static __always_inline __u64 now_ns(void)
{
	return bpf_ktime_get_coarse_ns();
}

static __always_inline bool slot_get(__u32 number, struct found *f)
{
	__u32 step = NODENS_SLOT_STEP(number), cell = NODENS_SLOT_CELL(number);
	void *cells = bpf_map_lookup_elem(&nodens_slabs, &step);

	if (!cells)
		return false;
	f->cell = bpf_map_lookup_elem(cells, &cell);
	if (!f->cell)
		return false;
	f->offset = NODENS_SLOT_OFFSET((__u64)number);
	f->slot = f->cell + f->offset;
	return true;
}

/*
 * Eight bytes of the slot at @at: of its cell, for that is what the kernel asks of us, and the
 * agent writes none that reaches beyond itself. VERIFIER(5.10): the barrier keeps the compiler from
 * forming the address out of another copy of @at than the one that was compared.
 */
static __always_inline bool slot_word(const struct found *f, __u64 at, __u64 *word)
{
	at += f->offset;
	asm volatile("" : "+r"(at));
	if (at > NODENS_CELL - 8)
		return false;
	*word = *(__u64 *)(f->cell + at);
	return true;
}

/* What a slot must say to be the answer. */
struct wanted {
	__u64 name_at; /* in the packet */
	__u64 n_full;  /* words of the name before the last */
	__u64 last;
	__u64 name_len;
	__u64 qtype; /* in wire order */
	__u64 key_flags;
};

/* Does the slot hold this very question? */
static __always_inline bool slot_matches(void *data, void *end, const struct wanted *q,
					 const struct found *f)
{
	void *name = at(data, q->name_at);
	__u64 stored;

	if (f->slot->qtype != q->qtype || f->slot->key_flags != q->key_flags ||
	    f->slot->name_len != q->name_len)
		return false;
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < DNS_NAME_WORDS; i++, name += 8) {
		if (!slot_word(f, NODENS_SLOT_HEADER + 8 * i, &stored))
			return false;
		if (i == q->n_full)
			return stored == q->last;
		if (name + 8 > end || lower8(*(__u64 *)name) != stored)
			return false;
	}
	return false;
}

/* An answer that may be sent: it lives, or may be served stale. */
static __always_inline bool slot_usable(const struct nodens_slot *slot, __u64 now)
{
	return slot->expires_ns + slot->stale_s * NSEC_PER_SEC > now;
}

/*
 * The slot number, plus one, of the entry in @bucket whose upper half is that of @key; 0: none.
 * VERIFIER: without a branch. What is left of an entry that matches has no upper half.
 */
static __always_inline __u64 bucket_find(const struct nodens_bucket *bucket, __u64 key)
{
	__u64 found = 0;

#pragma clang loop unroll(full)
	for (__u64 i = 0; i < NODENS_BUCKET_ENTRIES; i++) {
		__u64 rest = bucket->entry[i] ^ key, match = (rest >> 32) - 1;

		asm volatile("" : "+r"(match));
		found |= rest & ((__s64)match >> 63);
	}
	return found;
}

/*
 * The number, plus one, of the slot that the index has for @hash, or 0. What that slot answers is
 * to be looked at.
 */
static __always_inline __u64 index_find(__u64 hash)
{
	__u64 bucket_at = hash >> cfg_index_shift, key = hash << 35, found = 0, beyond = 0;
	__u64 stride = key >> 35 | 1, mask = ~0ull >> cfg_index_shift;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i <= NODENS_INDEX_STEPS; i++) {
		__u32 at = bucket_at & mask;
		const struct nodens_bucket *bucket = bpf_map_lookup_elem(&nodens_index, &at);

		if (!bucket)
			break;
		found = bucket_find(bucket, key);
		beyond = i ? beyond >> NODENS_BEYOND_BITS : bucket->beyond;
		if (found | !beyond)
			break;
		bucket_at += stride;
		key += NODENS_ENTRY_STEP;
	}
	return forget(found, hash); /* VERIFIER: what follows is walked once for all */
}

/*
 * One in NODENS_HITS_DRAWN. Not every so-manyth: of queries that come by turns, as A and AAAA do,
 * that would always meet the same.
 */
static __always_inline bool drawn(struct nodens_percpu *pc)
{
	return draw(pc) >> 32 < (1ull << 32) / NODENS_HITS_DRAWN;
}

/* Count the hit (NODENS_HITS_EXACT). Two CPUs at once may count one too few. */
static __always_inline void slot_mark(const struct found *f, __u64 now, struct nodens_percpu *pc)
{
	struct nodens_slot *slot = f->slot;
	__u32 sec = now >> 30; /* 1.07 s: good enough to tell "this second", and no division */
	__u32 hits = 1;

	if (slot->last_use != sec) {
		slot->last_use = sec;
		slot->burst = 1;
	} else if (slot->burst < NODENS_HITS_EXACT) {
		slot->burst++;
	} else if (drawn(pc)) {
		hits = NODENS_HITS_DRAWN;
	} else {
		return;
	}
	__sync_fetch_and_add(&slot->hits, hits);
}

#endif /* NODENS_STORE_BPF_H */
