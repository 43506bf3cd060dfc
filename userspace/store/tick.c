// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What time brings: refreshes before the expiry, the end of entries, refreshes
 * of stale ones that are used, and a slow look at everyone's hit samples, and at who was flushed.
 *
 * Contract: see store.h. Nothing here is O(entries) in one call: timers that
 * are due, and shares of two rounds. config.refresh may change the store, so
 * whatever is held across a call of it is looked up anew.
 *
 * The samples (bpf/store.bpf.h) say of up to NODENS_HITS_EXACT hits a second how many they were, of
 * more about how many.
 */
#include "store_priv.h"

#define WITHDRAW_MAX  1024 /* a call; about 1 us each */
#define LOOKS_MAX     8192 /* a call, at timers and at stale ones each; about 1 us each */
#define LOOKS_MAX_BPF 2048 /* the same where samples are read by bpf(): 8 us each */
#define WALK_NS	      (13 * NSEC_PER_SEC)
#define STALE_NS      NSEC_PER_SEC
#define PREFETCH      8	   /* slots ahead in a round */
#define SAMPLES	      1024 /* of a round at most, that are looked for in the index */

/* Between two refreshes of an entry that come to nothing: 5.4 s, in last_use's unit. */
#define RETRY_USE_UNITS 5

/* Between two looks at an entry in its window. */
#define WINDOW_LOOK_MIN 4  /* 0.27 s */
#define WINDOW_LOOK_MAX 15 /* 1 s */

/* Has the run ended: no use for as long as the gap may be? */
static bool run_over(const struct slot_meta *meta, uint64_t now_ns)
{
	uint64_t gap = use_unit((uint64_t)meta->refresh_within_s * NSEC_PER_SEC) + 1;

	return meta->last_use + gap < use_unit(now_ns);
}

static bool wants_refresh(struct store *store, uint32_t slot, uint64_t now_ns)
{
	struct slot_meta *meta = store_meta(store, slot);
	uint32_t last_use;

	entry_look(store, slot, &last_use);
	if (meta->refresh == STORE_REFRESH_ALWAYS)
		return true;
	if (run_over(meta, now_ns)) {
		meta->run = 0;
		return false;
	}
	return meta->run >= meta->refresh_hits;
}

/* The entry's next timer or list is set before: the callback may replace it. */
static void ask(struct store *store, uint32_t slot, uint64_t now_ns)
{
	struct store_question question;

	/* the others are still there the next time */
	if (store->asked >= STORE_REFRESHES_MAX)
		return;
	if (!entry_published(store, slot)) /* flushed: nobody wants it */
		return;
	store->asked++;
	store_meta(store, slot)->asked = use_unit(now_ns);
	store_meta(store, slot)->wanted = 0;
	entry_question(store, slot, &question);
	store->stats.refreshes++;
	store->config.refresh(store->config.ctx, &question, now_ns);
}

static bool may_ask(const struct slot_meta *meta, uint64_t now_ns)
{
	return !meta->asked || use_unit(now_ns) > meta->asked + RETRY_USE_UNITS;
}

static void set_timer(struct store *store, uint32_t slot, uint64_t due)
{
	uint32_t expires = store_meta(store, slot)->expires;

	timer_set(store, slot, due < expires ? due : expires);
}

/* The window is open. */
static void look_in_window(struct store *store, uint32_t slot, uint64_t now_ns)
{
	struct slot_meta *meta = store_meta(store, slot);
	uint32_t now = unit_down(now_ns), wait = (meta->expires - now) / 4;

	if (!may_ask(meta, now_ns)) {
		set_timer(store, slot,
			  unit_up((uint64_t)(meta->asked + RETRY_USE_UNITS + 1) << 30));
		return;
	}
	if (wait < WINDOW_LOOK_MIN)
		wait = WINDOW_LOOK_MIN;
	if (wait > WINDOW_LOOK_MAX)
		wait = WINDOW_LOOK_MAX;
	set_timer(store, slot, (uint64_t)now + wait);
	if (wants_refresh(store, slot, now_ns))
		ask(store, slot, now_ns);
}

static uint32_t looks_max(const struct store *store)
{
	return store->publisher->in_place ? LOOKS_MAX : LOOKS_MAX_BPF;
}

static bool expire(struct store *store, uint32_t slot)
{
	if (entry_remove(store, slot))
		return false;
	store->stats.expired++;
	return true;
}

static void run_timers(struct store *store, uint64_t now_ns)
{
	const struct timers *timers = &store->timers;
	uint32_t now = unit_down(now_ns), withdrawn = 0, max = looks_max(store);

	for (uint32_t i = 0; i < max && withdrawn < WITHDRAW_MAX; i++) {
		struct slot_meta *meta;
		uint32_t slot;

		if (!timers->n || timers->list[0].due > now)
			break;
		slot = timers->list[0].slot;
		meta = store_meta(store, slot);
		if (meta->expires > now)
			look_in_window(store, slot, now_ns);
		else if (meta->keep > now)
			stale_add(store, slot);
		else if (expire(store, slot))
			withdrawn++;
		else /* the index would not let go of it */
			timer_set(store, slot, now + WINDOW_LOOK_MAX);
	}
}

/* How much of @n a round of @round_ns has to look at now. */
static uint32_t round_share(uint64_t *looked_ns, uint64_t now_ns, uint32_t n, uint64_t round_ns)
{
	uint64_t elapsed = now_ns > *looked_ns ? now_ns - *looked_ns : 0;
	uint64_t due;

	if (!*looked_ns || !n || elapsed >= round_ns) {
		due = *looked_ns ? n : 0;
		*looked_ns = now_ns;
		return due;
	}
	due = n * elapsed / round_ns;
	*looked_ns += due * round_ns / n;
	return due;
}

static void look_at_stale(struct store *store, uint32_t slot, uint64_t now_ns)
{
	struct slot_meta *meta = store_meta(store, slot);
	/* a use in the second of the expiry, or of the last refresh, counts as one after it */
	uint32_t since = use_unit(entry_expires(store, slot)), last_use;
	bool used;

	if (meta->asked > since)
		since = meta->asked;
	entry_look(store, slot, &last_use);
	used = store_slot(store, slot)->stale_s && last_use >= since;
	if ((used || meta->wanted) && may_ask(meta, now_ns) && store->config.refresh)
		ask(store, slot, now_ns);
}

static void run_stale(struct store *store, uint64_t now_ns)
{
	struct stale *stale = &store->stale;
	uint32_t now = unit_down(now_ns), withdrawn = 0;
	uint32_t due = round_share(&stale->looked_ns, now_ns, stale->n, STALE_NS * 3 / 4);

	if (due > looks_max(store))
		due = looks_max(store);
	for (uint32_t i = 0; i < due && stale->n && withdrawn < WITHDRAW_MAX; i++) {
		uint32_t slot;

		if (stale->at >= stale->n)
			stale->at = 0;
		__builtin_prefetch(
			store_slot(store, stale->list[(stale->at + PREFETCH) % stale->n]));
		slot = stale->list[stale->at];
		if (store_meta(store, slot)->keep <= now && expire(store, slot)) {
			withdrawn++; /* another one took its place in the list */
			continue;
		}
		stale->at++;
		look_at_stale(store, slot, now_ns);
	}
}

/* The slots of the next cell are on their way meanwhile. */
static void prefetch_cell(const struct store *store, uint32_t cell)
{
	if (cell >= store->cells.unused)
		return;
	for (uint32_t i = 0; i < cells_slots(store, cell); i++)
		__builtin_prefetch(store_slot(store, cells_slot(store, cell, i)));
}

/* One in how many entries is looked for in the index. */
static uint32_t stride(const struct store *store)
{
	return (store->stats.entries[0] + store->stats.entries[1]) / SAMPLES + 1;
}

/*
 * Whoever flushes tells the agent nothing, and what nobody asks for again would count, and have its
 * place, until it ends. So some are looked for in the index, other ones in each round, and where
 * one is gone, then all for a round. True: it went here, too.
 */
static bool was_flushed(struct store *store, uint32_t slot)
{
	struct walk *walk = &store->walk;

	if (!walk->all && ++walk->skipped < stride(store))
		return false;
	walk->skipped = 0;
	if (entry_published(store, slot))
		return false;
	walk->all = store->cells.n;
	return true;
}

static void look_at_cell(struct store *store, uint32_t cell, uint64_t now_ns)
{
	uint32_t last_use;

	prefetch_cell(store, cell + 1);
	for (uint32_t i = 0; i < cells_slots(store, cell); i++) {
		uint32_t slot = cells_slot(store, cell, i);
		struct slot_meta *meta = store_meta(store, slot);

		if (meta->state != SLOT_LIVE || was_flushed(store, slot))
			continue;
		entry_look(store, slot, &last_use);
		if (run_over(meta, now_ns))
			meta->run = 0;
	}
}

static void run_walk(struct store *store, uint64_t now_ns)
{
	struct walk *walk = &store->walk;
	uint32_t due = round_share(&walk->looked_ns, now_ns, store->cells.n, WALK_NS);

	/* what was never taken is not looked at, but counts: so a round takes its time */
	while (due--) {
		look_at_cell(store, walk->cell, now_ns);
		walk->all -= !!walk->all;
		if (++walk->cell < store->cells.n)
			continue;
		walk->cell = 0;
		walk->skipped = ++walk->rounds % stride(store);
	}
}

static void retry_growing(struct store *store, uint64_t now_ns)
{
	if (use_unit(now_ns) == store->cells.stuck_s)
		return;
	store->cells.stuck_s = use_unit(now_ns);
	store->cells.stuck = false;
}

void store__tick(struct store *store, uint64_t now_ns)
{
	entry_free_current(store);
	slots_reclaim(store);
	store->asked = 0;
	retry_growing(store, now_ns);
	run_timers(store, now_ns);
	run_stale(store, now_ns);
	run_walk(store, now_ns);
}
