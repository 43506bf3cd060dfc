/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A packet, and what became of it, to the sessions that want it (headers/nodens_sessions.h).
 *
 * Contract: runs after the outcome and changes nothing of it, nor of the packet. Behind a tail call
 * on tc, a function of its own on XDP: while no session is open nothing of this is run.
 */
#ifndef NODENS_OBSERVE_BPF_H
#define NODENS_OBSERVE_BPF_H

#include "nodens_filter.h"

/*
 * Of one packet, in the per-CPU block: programs at a packet have the one place, tc_note, which they
 * may interrupt, the other.
 */
struct watched {
	struct observed observed;
	struct asked asked;
	struct nodens_event head; /* what is known besides of the agent's; else zero */
};

_Static_assert(sizeof(struct watched) <= 8 * NODENS_WATCHED_WORDS, "what observe() needs");

static __always_inline struct watched *watched(struct nodens_percpu *pc, __u32 at_note)
{
	return (struct watched *)pc->watched[at_note & 1];
}

/* The bits of @what in the bytes of all sessions. */
#define BY_ALL(what) ((what)*0x0101010101010101ull)

/*
 * Does anybody look on at this packet? Of those that few are to be seen of most go no further than
 * this, which is all that they cost.
 */
static __always_inline bool looked_on(struct nodens_percpu *pc)
{
	struct nodens_ctl *ctl = ctl_get();
	__u64 sessions = ctl ? *(__u64 *)ctl->observe : 0;

	if (!(sessions & BY_ALL(NODENS_OBSERVE_FEW | NODENS_OBSERVE_MORE)))
		return false;
	if (sessions & BY_ALL(NODENS_OBSERVE_MORE)) {
		watched(pc, 0)->observed.drawn = 0;
		return true;
	}
	if ((draw(pc) >> 32) * NODENS_FEW >> 32)
		return false;
	watched(pc, 0)->observed.drawn = 1;
	return true;
}

/*
 * Session @i, of what is in the per-CPU block at @watched. VERIFIER: a function that it walks once,
 * by itself; inline it would walk it for each session anew (global functions: 5.6).
 */
static __always_inline int session_look(void *ctx, bool xdp, __u32 i, __u32 at_note)
{
	void *data = ctx_data(ctx, xdp), *end = ctx_end(ctx, xdp);
	struct nodens_percpu *pc = percpu_get();
	struct nodens_ctl *ctl = ctl_get();
	struct nodens_session *session = bpf_map_lookup_elem(&nodens_sessions, &i);
	struct nodens_seen *seen = bpf_map_lookup_elem(&nodens_seen, &i);
	struct watched *w;
	__u64 drawn;
	void *ring;

	if (!pc || !ctl || !session || !seen || i >= NODENS_SESSIONS)
		return 0;
	w = watched(pc, at_note);
	if ((__s64)(w->head.time_ns - session->until_ns) > 0) {
		ctl->observe[i] = 0;
		return 0;
	}
	drawn = w->observed.drawn ? NODENS_FEW : 1;
	if ((draw(pc) >> 32) * session->filter.one_in >= drawn << 32)
		return 0;
	if (!filter_matches(data, end, &session->filter, &w->observed, &w->asked)) {
		seen->filtered++;
		return 0;
	}
	ring = bpf_map_lookup_elem(&nodens_rings, &i);
	if (ring && event_send(ctx, xdp, ring, &w->head, session->filter.snap))
		seen->sent++;
	else
		seen->lost++;
	return 0;
}

__noinline int session_look_xdp(struct xdp_md *ctx, __u32 i)
{
	return session_look(ctx, true, i, 0);
}

__noinline int session_look_tc(struct __sk_buff *ctx, __u32 i, __u32 at_note)
{
	return session_look(ctx, false, i, at_note);
}

/* To all sessions that are open; what was observed in watched(@pc, @at_note) stands. */
static __always_inline void observe(void *ctx, bool xdp, struct nodens_percpu *pc,
				    struct nodens_ctl *ctl, __u32 at_note)
{
	struct watched *w = watched(pc, at_note);
	void *data = ctx_data(ctx, xdp), *end = ctx_end(ctx, xdp);

	w->head.time_ns = bpf_ktime_get_ns();
	w->head.ifindex = w->observed.ifindex;
	w->head.packet_len = lesser(ctx_len(ctx, xdp), 0xffff);
	w->head.kind = w->observed.kind;
	w->head.outcome = w->observed.outcome;
	w->head.flags = w->observed.flags;
	w->head.l3 = w->observed.l3;
	w->head.l4 = w->observed.l4;
	who_asked(data, end, &w->observed, &w->asked);
	what_asked(data, end, &w->observed, &w->asked);
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < NODENS_SESSIONS; i++) {
		__u8 wants = ctl->observe[i];

		if (!wants || (!at_note && wants == NODENS_OBSERVE_AGENT))
			continue;
		if (xdp)
			session_look_xdp(ctx, i);
		else
			session_look_tc(ctx, i, at_note);
	}
}

#endif /* NODENS_OBSERVE_BPF_H */
