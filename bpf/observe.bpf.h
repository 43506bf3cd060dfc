/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A packet, and what became of it, to the sessions that want it (headers/nodens_sessions.h).
 *
 * Contract: runs after the outcome and changes nothing of it, nor of the packet. Behind a tail call
 * on tc, a function of its own on XDP: while no session is open nothing of this is run.
 */
#ifndef NODENS_OBSERVE_BPF_H
#define NODENS_OBSERVE_BPF_H

/* What the programs know when it is over; of a packet that they parsed. */
struct observed {
	__u64 kind;    /* enum nodens_event_kind */
	__u64 outcome; /* enum nodens_counter */
	__u64 flags;   /* NODENS_EVENT_* */
	__u64 l3, l4;
	__u64 ifindex;
	__u64 drawn; /* 1: one packet in NODENS_FEW gets here, 0: each */
};

/* What filters look at. */
struct asked {
	__be32 client[4];
	__u64 name_end; /* offset of what follows its root label; 0: no question was found */
	__u64 qtype;	/* in wire order */
	__u64 rcode;	/* all ones: no reply */
};

#define NO_RCODE (~0ull)

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

static __always_inline bool is_reply(const struct observed *v)
{
	return v->kind == NODENS_EVENT_ANSWERED || v->kind == NODENS_EVENT_RETURNED ||
	       v->kind == NODENS_EVENT_AGENT;
}

/* Where the name at @off ends, or 0. */
static __always_inline __u64 name_end(void *data, void *end, __u64 off)
{
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < DNS_MAX_NAME / 2 + 1; i++) {
		__u8 *label = at(data, off);
		__u64 len;

		if (off >= FRAME_MAX || !ROOM(label, 1, end))
			return 0;
		len = *label;
		if (!len)
			return off + 1;
		if (len > 63)
			return 0;
		off += 1 + len;
	}
	return 0;
}

static __always_inline void who_asked(void *data, void *end, const struct observed *v,
				      struct asked *a)
{
	bool reply = is_reply(v);

	a->client[0] = a->client[1] = a->client[2] = a->client[3] = 0;
	if (v->flags & NODENS_EVENT_IP6) {
		struct ipv6hdr *ip = at(data, v->l3);

		if ((void *)(ip + 1) <= end)
			key_ip6(a->client, reply ? &ip->daddr : &ip->saddr);
	} else {
		struct iphdr *ip = at(data, v->l3);

		if ((void *)(ip + 1) <= end)
			key_ip4(a->client, reply ? ip->daddr : ip->saddr);
	}
}

static __always_inline void what_asked(void *data, void *end, const struct observed *v,
				       struct asked *a)
{
	__u64 dns = v->l4 + sizeof(struct udphdr);
	struct dns_hdr *hdr = at(data, dns);
	__be16 *type;
	__u64 until;

	a->name_end = 0;
	a->qtype = 0;
	a->rcode = NO_RCODE;
	if (v->flags & NODENS_EVENT_TCP && v->kind != NODENS_EVENT_AGENT)
		return;
	if ((void *)(hdr + 1) > end)
		return;
	if (hdr->flags & bpf_htons(DNS_F_QR))
		a->rcode = bpf_ntohs(hdr->flags) & 15;
	until = name_end(data, end, dns + DNS_HEADER_LEN);
	type = at(data, until);
	if (!until || until >= FRAME_MAX || !ROOM(type, 2, end))
		return;
	a->name_end = until;
	a->qtype = *type;
}

/* Does the name end like this? More may: that a label begins there its viewer looks at. */
static __always_inline bool suffix_matches(void *data, void *end, const struct nodens_filter *f,
					   __u64 until)
{
	__u64 len = f->suffix_len, off;

	if (!until || len > until || len > NODENS_SUFFIX_MAX)
		return false;
	off = until - len;
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < NODENS_SUFFIX_MAX; i++) {
		__u8 *c = at(data, off + i);
		__u8 lower;

		if (i >= len)
			break;
		if (!ROOM(c, 1, end))
			return false;
		lower = *c;
		if (lower >= 'A' && lower <= 'Z')
			lower += 'a' - 'A';
		if (lower != f->suffix[i])
			return false;
	}
	return true;
}

static __always_inline bool filter_matches(void *data, void *end, const struct nodens_filter *f,
					   const struct observed *v, const struct asked *a)
{
	if (!(f->kinds >> (v->kind & 31) & 1) || !(f->outcomes >> (v->outcome & 63) & 1))
		return false;
	if (f->ifindex && f->ifindex != v->ifindex)
		return false;
	if (f->rcodes != NODENS_ALL_RCODES &&
	    (a->rcode == NO_RCODE || !(f->rcodes >> (a->rcode & 15) & 1)))
		return false;
	if (f->qtype && f->qtype != a->qtype)
		return false;
	for (__u64 i = 0; i < 4; i++) {
		if ((a->client[i] & f->client_mask[i]) != f->client[i])
			return false;
	}
	return !f->suffix_len || suffix_matches(data, end, f, a->name_end);
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
		if (!ctl->observe[i])
			continue;
		if (xdp)
			session_look_xdp(ctx, i);
		else
			session_look_tc(ctx, i, at_note);
	}
}

#endif /* NODENS_OBSERVE_BPF_H */
