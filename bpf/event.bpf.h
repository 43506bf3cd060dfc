/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A packet as a record of a session's ring (struct nodens_event, headers/nodens_sessions.h).
 *
 * Contract: changes nothing of the packet, and never waits.
 */
#ifndef NODENS_EVENT_BPF_H
#define NODENS_EVENT_BPF_H

/*
 * The first @len bytes of an XDP packet, @room at most (bpf_xdp_load_bytes came with 5.18); what is
 * behind the last word may be copied as well, where it is there.
 */
static __always_inline void xdp_copy(void *data, void *end, __u8 *to, __u64 len, const __u64 room)
{
	void *from = data;
	__u64 word;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < room / 8; i++, from += 8) {
		if (i * 8 >= len)
			return;
		if (!ROOM(from, 8, end))
			break;
		*(__u64 *)(to + i * 8) = *(__u64 *)from;
	}
	/* the last word overlaps the one before */
	from = at(data, len - 8);
	if (len - 8 > room - 8 || !ROOM(from, 8, end))
		return;
	word = *(__u64 *)from;
	len -= 8;
	asm volatile("" : "+r"(len));
	if (len <= room - 8)
		*(__u64 *)(to + len) = word;
}

/* A record of @size bytes, a constant; false where the ring is full. */
static __always_inline bool event_write(void *ctx, bool xdp, void *ring, const __u64 size,
					const struct nodens_event *head)
{
	const __u64 room = size - sizeof(*head);
	struct nodens_event *e = bpf_ringbuf_reserve(ring, size, 0);
	__u64 len = head->captured;

	if (!e)
		return false;
	*e = *head;
	if (xdp) {
		xdp_copy(ctx_data(ctx, true), ctx_end(ctx, true), e->packet, len, room);
	} else {
		/* VERIFIER(5.10): the register that was compared is the one that is used */
		len--;
		asm volatile("" : "+r"(len));
		if (len < room) {
			asm volatile("%0 += 1" : "+r"(len));
			if (bpf_skb_load_bytes(ctx, 0, e->packet, len))
				e->captured = 0;
		} else {
			e->captured = 0;
		}
	}
	/* viewers look by time: to wake one that keeps up costs more than all the rest of a hit */
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return true;
}

static __always_inline bool event_send(void *ctx, bool xdp, void *ring, struct nodens_event *head,
				       __u64 snap)
{
	if (snap > head->packet_len)
		snap = head->packet_len;
	if (snap > NODENS_MAX_SNAP)
		snap = NODENS_MAX_SNAP;
	head->captured = snap;
	if (snap <= NODENS_EVENT_SMALL - sizeof(*head))
		return event_write(ctx, xdp, ring, NODENS_EVENT_SMALL, head);
	if (snap <= NODENS_EVENT_MIDDLE - sizeof(*head))
		return event_write(ctx, xdp, ring, NODENS_EVENT_MIDDLE, head);
	return event_write(ctx, xdp, ring, NODENS_EVENT_LARGE, head);
}

#endif /* NODENS_EVENT_BPF_H */
