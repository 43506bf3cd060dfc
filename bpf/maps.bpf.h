/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The maps and settings that the programs share.
 *
 * Contract: sizes that depend on the capacity are set by the agent before it
 * creates the maps (userspace/datapath/maps.c); what a torn read could do is said
 * at each map.
 */
#ifndef NODENS_MAPS_BPF_H
#define NODENS_MAPS_BPF_H

/*
 * Question -> slot. Writer: the agent; commands remove. An entry is trusted only as far as the
 * slot's own question compares equal.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NODENS_INDEX_MIN);
	__type(key, __u32);
	__type(value, struct nodens_bucket);
} nodens_index SEC(".maps");

/*
 * The slots: steps of NODENS_STEP_CELLS cells. Writer of the steps: the agent, which adds them and
 * takes none away while a program may hold it; of the slots: the agent, and only while a slot
 * is not published and no program can still hold it; the hit samples: the
 * programs, each store on its own harmless.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
} nodens_slabs SEC(".maps");

/* Writer: the agent. Each field is read on its own. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nodens_ctl);
} nodens_ctl SEC(".maps");

/* Writer: the programs, each CPU its own. Readers: the agent and commands. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nodens_percpu);
} nodens_percpu SEC(".maps");

/* What is counted of hits, by series. Writer: the programs, each CPU its own. Reader: the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct nodens_series);
} nodens_series SEC(".maps");

/* What the numbers of series mean. Not the programs', but it goes with what they count. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct nodens_zone);
} nodens_zones SEC(".maps");

/*
 * Writer: the programs, on a miss; the agent deletes. Reader: tc_return. Nothing
 * is evicted: an address that could be pushed out could be taken over.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NODENS_CLIENTS);
	__uint(key_size, 16);
	__type(value, struct nodens_client);
} nodens_clients SEC(".maps");

/* Writer: the programs, one atomic addition a claim and for one given up; the agent deletes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NODENS_DEVICES);
	__type(key, __u32);
	__type(value, __u32);
} nodens_claims SEC(".maps");

/* Device -> the number that it is counted under. Writer: the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NODENS_DEVICE_SETS);
	__type(key, __u32);
	__type(value, struct nodens_device_set);
} nodens_devnum SEC(".maps");

/* What is counted by device. Writers: the programs, each CPU its own; the agent, of new ones. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NODENS_DEVICE_NUMBERS);
	__type(key, __u32);
	__type(value, struct nodens_device_counts);
} nodens_devcount SEC(".maps");

/* Writer: viewers, each its own entry. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NODENS_SESSIONS);
	__type(key, __u32);
	__type(value, struct nodens_session);
} nodens_sessions SEC(".maps");

/* Writer: the programs, each CPU its own; a viewer, before its session begins. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NODENS_SESSIONS);
	__type(key, __u32);
	__type(value, struct nodens_seen);
} nodens_seen SEC(".maps");

/* The ring buffers of sessions. Writer: viewers. Not there without ring buffers (before 5.8). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, NODENS_SESSIONS);
	__uint(key_size, 4);
	__uint(value_size, 4);
} nodens_rings SEC(".maps");

/* tc_nodens -> tc_dns -> tc_steer -> tc_observe. Writer: the agent, once, before tc_nodens is
 * attached. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, NODENS_TAIL_COUNT);
	__type(key, __u32);
	__type(value, __u32);
} nodens_tail SEC(".maps");

/*
 * Settings of one loaded instance. A helper newer than the running kernel needs
 * no setting: the agent replaces the call by the older helper of the same
 * signature (userspace/datapath/progs.c), since before 5.5 the verifier does not
 * know the value of a constant and walks both branches.
 */
const volatile bool cfg_steer = true;	       /* misses go to the agent's namespace */
const volatile bool cfg_redirect_peer = false; /* answer into the pod, past its qdiscs */
const volatile bool cfg_behind_xdp = false;    /* tc beside xdp_nodens: steers, counts no outcome */
const volatile bool cfg_xdp_generic = false;   /* XDP over skbs, which may be CHECKSUM_PARTIAL */
const volatile bool cfg_count_devices = true;  /* what comes to each device is counted */
const volatile __u32 cfg_index_shift = 61;     /* of a hash: what is left names its home bucket */

static __always_inline struct nodens_percpu *percpu_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nodens_percpu, &zero);
}

/* 64 bits, the upper ones random enough to draw by. */
static __always_inline __u64 draw(struct nodens_percpu *pc)
{
	pc->draw = pc->draw * 6364136223846793005ull + 1442695040888963407ull;
	return pc->draw;
}

static __always_inline struct nodens_ctl *ctl_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nodens_ctl, &zero);
}

/*
 * VERIFIER(5.4): a scalar that was spilled as 32 bits comes back unknown, its bounds with it (up to
 * 5.15). So the index is 64 bits wide, and the barrier keeps the compiler from narrowing it again.
 */
static __always_inline void count(struct nodens_percpu *pc, enum nodens_counter id)
{
	__u64 i = id;

	asm volatile("" : "+r"(i));
	if (i < NODENS_CTR_COUNT)
		pc->counters[i]++;
}

/*
 * Element @at of an array whose length is a power of 2. VERIFIER(5.10): the mask stands next to its
 * use, since bounds of what was spilled are forgotten
 */
#define ELEMENT(array, at)                                                   \
	(*({                                                                 \
		__u64 _at = (at);                                            \
                                                                             \
		asm volatile("%0 &= %1"                                      \
			     : "+r"(_at)                                     \
			     : "i"(sizeof(array) / sizeof((array)[0]) - 1)); \
		&(array)[_at];                                               \
	}))

#endif /* NODENS_MAPS_BPF_H */
