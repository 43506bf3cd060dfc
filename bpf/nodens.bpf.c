// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * nodens' programs: xdp_nodens; tc_nodens and, behind tail calls, tc_dns, tc_steer and tc_observe;
 * tc_return on nd0; tc_note, which the agent runs.
 *
 * Contract: a packet is answered, steered to the agent, or passed on unchanged
 * (but on nd0, see steer_return(); and dropped where half a reply is in it). Follow one from
 * packet(): pkt.bpf.h (is it DNS for us?), dns.bpf.h (what does it ask?), store.bpf.h and
 * nx_below.bpf.h (do we know?), reply.bpf.h (say so), and for what we do not know steer.bpf.h;
 * observe.bpf.h shows it to whoever looks on. series.bpf.h and device.bpf.h count.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "nodens_abi.h"
#include "maps.bpf.h"
#include "pkt.bpf.h"
#include "dns.bpf.h"
#include "store.bpf.h"
#include "nx_below.bpf.h"
#include "reply.bpf.h"
#include "checksum.bpf.h"
#include "series.bpf.h"
#include "device.bpf.h"
#include "steer.bpf.h"
#include "event.bpf.h"
#include "observe.bpf.h"

/*
 * On an skb the packet comes back linear, ours to write, and with no
 * CHECKSUM_COMPLETE left over: the kernel drops that when it grows a packet,
 * so one that shrinks or keeps its size is grown by a byte first. GO_ON, or the outcome: the query
 * is as it came (NODENS_CTR_RESIZE), or is no longer that of the client.
 */
static __always_inline long ctx_resize(void *ctx, bool xdp, __u64 len)
{
	__u64 old = ctx_len(ctx, xdp);
	bool grown = !xdp && len <= old;

	if (xdp)
		return len == old || !bpf_xdp_adjust_tail(ctx, (int)(len - old))
			       ? GO_ON
			       : NODENS_CTR_RESIZE;
	if (grown && bpf_skb_change_tail(ctx, old + 1, 0))
		return NODENS_CTR_RESIZE;
	if (!bpf_skb_change_tail(ctx, len, 0))
		return GO_ON;
	return grown ? NODENS_CTR_BROKEN : NODENS_CTR_RESIZE;
}

/* What does the packet ask? GO_ON, or the outcome. */
static __always_inline long question_read(void *ctx, bool xdp, struct pkt *p,
					  const struct nodens_ctl *ctl, struct question *q)
{
	void *data = ctx_data(ctx, xdp), *end = ctx_end(ctx, xdp);
	bool has_additional;
	long outcome;

	outcome = dns_header(data, end, p, q, &has_additional);
	if (outcome != GO_ON)
		return outcome;
	outcome = dns_scan_name(data, end, p->dns + DNS_HEADER_LEN, ctl, q);
	if (outcome != GO_ON)
		return outcome;
	data = ctx_data(ctx, xdp);
	end = ctx_end(ctx, xdp);
	return dns_question_tail(data, end, p, ctl, q, has_additional);
}

/*
 * What is known of the packet at hand, in the per-CPU block: programs run with softirqs off, one
 * at a time on a CPU (where PREEMPT_RT no longer holds that, they are not loaded: features.c).
 * VERIFIER: what was stored there and is read again is unknown, so that what follows is walked
 * once, however the packet came there.
 */
struct work {
	struct pkt p;
	struct question q;
	struct question suffix; /* of its name, for an NXDOMAIN-below */
	struct reply r;
	struct reply_sums sums;
	__u64 outcome;
	__u64 measured_from; /* ns; 0: this packet is not measured */
	__u64 hit_flags;     /* NODENS_EVENT_*, of a hit */
	__u64 nxdomain;	     /* 1: the hit's rcode is NXDOMAIN */
	__s64 action;	     /* of the hook: what tc_observe is to return */
};

_Static_assert(sizeof(struct work) <= 8 * NODENS_SCRATCH_WORDS, "what a packet needs");

static __always_inline struct work *work_of(struct nodens_percpu *pc)
{
	return (struct work *)pc->scratch;
}

/* The slot that has the answer to the question, or an NXDOMAIN-below above its name. */
static __always_inline bool question_find(void *data, void *end, struct work *w,
					  const struct nodens_ctl *ctl, struct found *f)
{
	__u64 name_at = w->p.dns + DNS_HEADER_LEN, number = index_find(w->q.hash);
	const struct question *q = &w->q;
	struct wanted wanted = {
		name_at, q->n_full, q->last, q->name_len, q->type_class & 0xffff, q->key_flags
	};

	if (!number) {
		number = nx_below_find(data, end, &w->p, ctl, q, &w->suffix, &wanted.name_at);
		if (!number)
			return false;
		wanted.n_full = w->suffix.n_full;
		wanted.last = w->suffix.last;
		wanted.name_len = w->suffix.name_len;
		wanted.qtype = forget(0, number);
		wanted.key_flags = w->suffix.key_flags;
	}
	return slot_get(number - 1, f) && !(f->slot->below_only && wanted.name_at == name_at) &&
	       slot_matches(data, end, &wanted, f);
}

/*
 * Answer in place if the store knows: HIT, HIT_TC, BROKEN, or the outcome under
 * which the packet goes on unchanged.
 */
static __always_inline long question_answer(void *ctx, bool xdp, struct nodens_percpu *pc,
					    const struct nodens_ctl *ctl)
{
	void *data = ctx_data(ctx, xdp), *end = ctx_end(ctx, xdp);
	struct work *w = work_of(pc);
	__u64 partial = 0, now = now_ns();
	struct found f;
	long outcome;

	if ((__s64)(now - ctl->heartbeat_ns) > (__s64)ctl->lease_ns)
		return NODENS_CTR_DISARMED;
	if (cfg_behind_xdp)
		return NODENS_CTR_MISS;
	if (!question_find(data, end, w, ctl, &f) || !slot_usable(f.slot, now) ||
	    !reply_plan(&w->q, &f, now, &w->r))
		return NODENS_CTR_MISS;
	if (xdp && cfg_xdp_generic) {
		enum query_checksum kind = query_checksum(data, end, &w->p);

		if (kind == QUERY_EITHER)
			return NODENS_CTR_MISS;
		partial = forget(kind == QUERY_PARTIAL, now) & 1;
	}

	outcome = ctx_resize(ctx, xdp, w->p.dns + w->r.dns_len);
	if (outcome != GO_ON)
		return outcome;
	data = ctx_data(ctx, xdp);
	end = ctx_end(ctx, xdp);
	/*
	 * From here nothing can fail but by a slot that the agent wrote wrong; and there is no
	 * query any more that could go on.
	 */
	if (!reply_write(data, end, &w->p, &w->q, &f, &w->r, &w->sums))
		return NODENS_CTR_BROKEN;
	if (xdp ? !xdp_checksum(data, end, &w->p, &w->sums, partial)
		: !skb_checksum(ctx, data, end, &w->p, &w->sums))
		return NODENS_CTR_BROKEN;
	slot_mark(&f, now, pc);
	hit_count(pc, &w->p, &w->q, &f, &w->r);
	w->hit_flags = (!w->r.ttl * NODENS_EVENT_STALE) |
		       (f.slot->key_flags & NODENS_KEY_NX_BELOW) /
			       (NODENS_KEY_NX_BELOW / NODENS_EVENT_NX_BELOW);
	w->nxdomain = (f.slot->flags & bpf_htons(DNS_RCODE)) == bpf_htons(DNS_NXDOMAIN);
	return w->r.truncated ? NODENS_CTR_HIT_TC : NODENS_CTR_HIT;
}

/* VERIFIER: what made the outcome is no matter from here on. */
static __always_inline __u64 outcome_of(struct nodens_percpu *pc, __u64 outcome)
{
	volatile __u64 *cell = &work_of(pc)->outcome;

	*cell = outcome;
	return *cell;
}

/* Outcomes of a packet whose name, if it ended, was not walked. */
#define NAME_UNSEEN                                                                               \
	(1ull << NODENS_CTR_MISS | 1ull << NODENS_CTR_AGENT_EDNS | 1ull << NODENS_CTR_AGENT_ECS | \
	 1ull << NODENS_CTR_SHORT | 1ull << NODENS_CTR_QCLASS | 1ull << NODENS_CTR_ADDITIONAL)

/* Of a UDP packet to a served address whose lengths agree: its outcome. */
static __always_inline long answer(void *ctx, bool xdp, struct nodens_percpu *pc,
				   const struct nodens_ctl *ctl)
{
	struct work *w = work_of(pc);
	__u64 outcome;

	w->measured_from = measure_begin(pc);
	w->q.name_len = 0;
	outcome = question_read(ctx, xdp, &w->p, ctl, &w->q);
	if ((long)outcome == GO_ON)
		outcome = question_answer(ctx, xdp, pc, ctl);
	outcome = outcome_of(pc, outcome);
	if (outcome == NODENS_CTR_HIT || outcome == NODENS_CTR_HIT_TC)
		measure_end(pc, w->measured_from);
	/* what follows a name was looked for where the name seemed to end */
	if (NAME_UNSEEN >> (outcome & 63) & 1 && w->q.name_len)
		outcome = NODENS_CTR_QNAME ^
			  ((outcome ^ NODENS_CTR_QNAME) &
			   -dns_name_ok(ctx_data(ctx, xdp), ctx_end(ctx, xdp), &w->p, &w->q));
	return outcome;
}

/*
 * tc_nodens has parsed the headers; what it found goes to tc_dns with the skb,
 * in the control block that tc programs have for such.
 */
static __always_inline void tc_hand_over(struct __sk_buff *skb, const struct pkt *p)
{
	skb->cb[0] = p->l3 | p->l4 << 8 | (__u32)p->ip6 << 16 | (__u32)p->tcp << 17;
}

static __always_inline void tc_take(struct __sk_buff *skb, struct pkt *p)
{
	__u32 found = skb->cb[0];

	p->l3 = found & 0xff;
	p->l4 = found >> 8 & 0xff;
	p->ip6 = found >> 16 & 1;
	p->tcp = found >> 17 & 1;
}

/*
 * The core of both hooks: what becomes of a packet, answered in place or not
 * touched. The work's p is set as far as it came.
 */
static __always_inline long packet(void *ctx, bool xdp, struct nodens_percpu *pc)
{
	void *data = ctx_data(ctx, xdp), *end = ctx_end(ctx, xdp);
	struct pkt parsed = {}, *p = &work_of(pc)->p;
	const struct nodens_ctl *ctl;
	long outcome;

	if (xdp) {
		outcome = pkt_parse(data, end, &parsed);
		if (outcome != GO_ON)
			return outcome;
	} else {
		tc_take(ctx, &parsed);
	}
	*p = parsed;
	ctl = ctl_get();
	if (!ctl || !pkt_served(data, end, p, ctl))
		return NODENS_CTR_NOT_SERVED;
	if (p->tcp)
		return NODENS_CTR_TCP;
	outcome = pkt_lengths(data, end, p, ctx_len(ctx, xdp));
	if (outcome != GO_ON)
		return outcome;
	if (!xdp && (__u64)(end - data) < ctx_len(ctx, xdp))
		bpf_skb_pull_data(ctx, ctx_len(ctx, xdp));
	return answer(ctx, xdp, pc, ctl);
}

/* The outcomes that the agent answers, where it takes misses. */
#define TO_AGENT                                                                                  \
	(1ull << NODENS_CTR_MISS | 1ull << NODENS_CTR_AGENT_EDNS | 1ull << NODENS_CTR_AGENT_ECS | \
	 1ull << NODENS_CTR_TCP)

/* What there is to be said of the packet at hand, whose place in the work's p stands. */
static __always_inline void observed_set(struct nodens_percpu *pc, enum nodens_event_kind kind,
					 __u64 outcome, __u64 ifindex, bool xdp)
{
	struct observed *v = &watched(pc, 0)->observed;
	const struct work *w = work_of(pc);

	v->kind = kind;
	v->outcome = outcome;
	v->l3 = w->p.l3;
	v->l4 = w->p.l4;
	v->ifindex = ifindex;
	v->flags =
		xdp * NODENS_EVENT_XDP | w->p.tcp * NODENS_EVENT_TCP | w->p.ip6 * NODENS_EVENT_IP6;
	if (kind == NODENS_EVENT_ANSWERED)
		v->flags |= w->hit_flags;
}

/* VERIFIER: a function that it walks once; inline it would be walked for each way there. */
__noinline int xdp_observe(struct xdp_md *ctx)
{
	struct nodens_percpu *pc = percpu_get();
	struct nodens_ctl *ctl = ctl_get();

	if (pc && ctl)
		observe(ctx, true, pc, ctl, 0);
	return 0;
}

SEC("xdp")
int xdp_nodens(struct xdp_md *ctx)
{
	struct nodens_percpu *pc = percpu_get();
	enum nodens_event_kind kind = NODENS_EVENT_PASSED;
	int action = XDP_PASS;
	long outcome;

	if (!pc)
		return action;
	work_of(pc)->p.l4 = 0;
	outcome = outcome_of(pc, packet(ctx, true, pc));
	count(pc, outcome);
	device_count(ctx->ingress_ifindex, outcome, work_of(pc)->nxdomain);
	switch (outcome) {
	case NODENS_CTR_HIT:
	case NODENS_CTR_HIT_TC:
		action = XDP_TX;
		kind = NODENS_EVENT_ANSWERED;
		break;
	case NODENS_CTR_BROKEN:
		action = XDP_DROP;
		kind = NODENS_EVENT_DROPPED;
		break;
	}
	if (TO_AGENT >> (outcome & 63) & 1) {
		if (cfg_steer) /* tc sees it next, and says what became of it */
			return action;
		kind = NODENS_EVENT_TO_AGENT;
	}
	/* of others than DNS there are only counts */
	if (work_of(pc)->p.l4 && looked_on(pc)) {
		observed_set(pc, kind, outcome, ctx->ingress_ifindex, true);
		xdp_observe(ctx);
	}
	return action;
}

/*
 * The entry on tc: does nothing but look at the port, so that the other traffic
 * meets neither a large stack frame nor the prologue that makes every cloned
 * skb private to a program that writes to packets (TCP's are all cloned).
 */
SEC("tc")
int tc_nodens(struct __sk_buff *skb)
{
	struct nodens_percpu *pc;
	struct pkt p = {};
	long outcome;

	outcome = pkt_parse((void *)(long)skb->data, (void *)(long)skb->data_end, &p);
	if (outcome == NODENS_CTR_SHORT && skb->len > skb->data_end - skb->data) {
		/* headers in the skb's fragments */
		bpf_skb_pull_data(skb, skb->len < MAX_HEADERS ? skb->len : MAX_HEADERS);
		outcome = pkt_parse((void *)(long)skb->data, (void *)(long)skb->data_end, &p);
	}
	/* the outermost tag is not in the packet: with two more it had three */
	if (outcome == GO_ON && skb->vlan_present && p.l3 == sizeof(struct ethhdr) + 8)
		outcome = NODENS_CTR_VLAN;
	if (outcome == GO_ON) {
		tc_hand_over(skb, &p);
		bpf_tail_call(skb, &nodens_tail, NODENS_TAIL_DNS);
		outcome = NODENS_CTR_DISARMED;
	}
	pc = percpu_get();
	if (!cfg_behind_xdp && pc) {
		count(pc, outcome);
		if (outcome == NODENS_CTR_DISARMED)
			device_count(skb->ifindex, outcome, 0);
	}
	return TC_ACT_UNSPEC;
}

static __always_inline int tc_reply(struct __sk_buff *skb)
{
	/* behind a bridge the query was addressed to the bridge, not to this device */
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	if (cfg_redirect_peer)
		return bpf_redirect_peer(skb->ifindex, 0);
	return bpf_redirect(skb->ifindex, 0);
}

/* The last step of a program on tc: @action, which whoever looks on does not change. */
static __always_inline int tc_end(struct __sk_buff *skb, struct nodens_percpu *pc,
				  enum nodens_event_kind kind, __u64 outcome, __u64 ifindex,
				  int action)
{
	if (looked_on(pc)) {
		observed_set(pc, kind, outcome, ifindex, false);
		work_of(pc)->action = action;
		bpf_tail_call(skb, &nodens_tail, NODENS_TAIL_OBSERVE);
	}
	return action;
}

SEC("tc")
int tc_dns(struct __sk_buff *skb)
{
	struct nodens_percpu *pc = percpu_get();
	enum nodens_event_kind kind = NODENS_EVENT_PASSED;
	int action = TC_ACT_UNSPEC;
	long outcome;

	if (!pc)
		return action;
	outcome = outcome_of(pc, packet(skb, false, pc));
	if (!cfg_behind_xdp) {
		count(pc, outcome);
		device_count(skb->ifindex, outcome, work_of(pc)->nxdomain);
	}
	switch (outcome) {
	case NODENS_CTR_HIT:
	case NODENS_CTR_HIT_TC:
		action = tc_reply(skb);
		kind = NODENS_EVENT_ANSWERED;
		break;
	case NODENS_CTR_BROKEN:
		action = TC_ACT_SHOT;
		kind = NODENS_EVENT_DROPPED;
		break;
	}
	if (TO_AGENT >> (outcome & 63) & 1) {
		kind = NODENS_EVENT_TO_AGENT;
		if (cfg_steer) {
			bpf_tail_call(skb, &nodens_tail, NODENS_TAIL_STEER);
			count(pc, NODENS_CTR_STEER_ERROR);
			device_count_steer(skb->ifindex, NODENS_CTR_STEER_ERROR);
			kind = NODENS_EVENT_PASSED;
			outcome = NODENS_CTR_STEER_ERROR;
		}
	} else if (cfg_behind_xdp) {
		return action;
	}
	return tc_end(skb, pc, kind, outcome, skb->ifindex, action);
}

/*
 * A miss to the agent. A program of its own: what it keeps on the stack would tell apart for the
 * verifier the ways that the core came there.
 */
SEC("tc")
int tc_steer(struct __sk_buff *skb)
{
	struct nodens_percpu *pc = percpu_get();
	struct nodens_ctl *ctl = ctl_get();
	long reason;

	if (!pc || !ctl)
		return TC_ACT_UNSPEC;
	/* VERIFIER: what made the reason is no matter from here on */
	reason = forget(steer_miss(skb, &work_of(pc)->p, ctl), pc->draw);
	count(pc, reason);
	device_count_steer(skb->ifindex, reason);
	if (reason != NODENS_CTR_STEERED)
		return tc_end(skb, pc, NODENS_EVENT_PASSED, reason, skb->ifindex, TC_ACT_UNSPEC);
	return tc_end(skb, pc, NODENS_EVENT_TO_AGENT, work_of(pc)->outcome, skb->ifindex,
		      bpf_redirect(ctl->nd0_ifindex, 0));
}

SEC("tc")
int tc_return(struct __sk_buff *skb)
{
	struct nodens_percpu *pc = percpu_get();
	struct nodens_client *client;

	if (!pc)
		return TC_ACT_SHOT;
	client = return_find(skb, &work_of(pc)->p, pc);
	if (!client)
		return TC_ACT_SHOT;
	return tc_end(skb, pc, NODENS_EVENT_RETURNED, NODENS_CTR_RETURNED, client->ifindex,
		      client->peer ? bpf_redirect_peer(client->ifindex, 0)
				   : bpf_redirect(client->ifindex, 0));
}

/* What a session may want to see of a packet that is not linear yet. */
#define OBSERVE_LINEAR (MAX_HEADERS + DNS_MAX_NAME + 4)

SEC("tc")
int tc_observe(struct __sk_buff *skb)
{
	struct nodens_percpu *pc = percpu_get();
	struct nodens_ctl *ctl = ctl_get();

	if (!pc || !ctl)
		return TC_ACT_UNSPEC;
	if (skb->data_end - skb->data < OBSERVE_LINEAR && skb->data_end - skb->data < skb->len)
		bpf_skb_pull_data(skb, skb->len < OBSERVE_LINEAR ? skb->len : OBSERVE_LINEAR);
	observe(skb, false, pc, ctl, 0);
	return work_of(pc)->action;
}

/*
 * Run by the agent, on a packet that it made of a reply: struct nodens_agent_note is in the control
 * block. Not attached anywhere. It leaves the work of this CPU alone, for it is no softirq.
 */
SEC("tc")
int tc_note(struct __sk_buff *skb)
{
	struct nodens_percpu *pc = percpu_get();
	struct nodens_ctl *ctl = ctl_get();
	struct watched *w;
	__u32 word;

	if (!pc || !ctl)
		return 0;
	w = watched(pc, 1);
	w->observed.kind = NODENS_EVENT_AGENT;
	w->observed.ifindex = skb->cb[0];
	w->head.took_us = skb->cb[1];
	word = skb->cb[2];
	w->head.upstream = word;
	w->head.tries = word >> 16;
	w->observed.flags = word >> 24;
	word = skb->cb[3];
	w->observed.l3 = word & 0xff;
	w->observed.l4 = word >> 8 & 0xff;
	w->observed.outcome = skb->cb[4];
	w->observed.drawn = 0;
	observe(skb, false, pc, ctl, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
