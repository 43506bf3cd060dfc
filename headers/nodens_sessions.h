/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Sessions: how a viewer (`nodens trace`, `nodens top`, the agent itself) sees single packets, with
 * what the programs made of them.
 *
 * Contract: while no session is open a packet costs a load, a branch and a store or two more. A
 * session is its viewer's alone: a filter, a ring buffer (Linux 5.8) and counts. The filter lets
 * nothing be missed: it may let through more than what was asked for, never less. A ring that is
 * full loses events and counts them; the packet never waits.
 *
 * A session lasts while its viewer says so, by until_ns: of one that was killed the first packet
 * that is looked at after that switches it off, so no agent is needed for it; its ring goes with
 * the agent's next second, or with the next viewer.
 */
#ifndef NODENS_SESSIONS_H
#define NODENS_SESSIONS_H

#include <linux/types.h>

#define NODENS_SESSIONS	  8 /* at most; one byte each of nodens_ctl.observe */
#define NODENS_RING_BYTES (1u << 21)

/* What a session looks at, in its byte of nodens_ctl.observe: nothing else costs a packet time. */
#define NODENS_OBSERVE_AGENT 0x01 /* none but NODENS_EVENT_AGENT */
#define NODENS_OBSERVE_FEW   0x02 /* one packet in NODENS_FEW, or fewer */
#define NODENS_OBSERVE_MORE  0x04
#define NODENS_FEW	     64

/* Of an event: what happened, and what its packet is. */
enum nodens_event_kind {
	NODENS_EVENT_ANSWERED, /* a program has answered: the reply */
	NODENS_EVENT_TO_AGENT, /* the query, to the agent */
	NODENS_EVENT_PASSED,   /* on as it came, to whom it was sent: the query */
	NODENS_EVENT_DROPPED,  /* NODENS_CTR_BROKEN: what is left of the packet */
	NODENS_EVENT_RETURNED, /* the agent's reply, from its namespace to the client (mode steer)
				*/
	NODENS_EVENT_AGENT,    /* the agent has done with a query: its reply, behind headers that it
				  made; without one, the query, its QR clear */
	NODENS_EVENT_REPLY,    /* a reply that leaves for a client, whoever sent it: to a session
				  that has bpf/replies.bpf.c at devices, whatever its filter says */
	NODENS_EVENT_KINDS
};

#define NODENS_EVENT_XDP      0x01 /* seen by XDP */
#define NODENS_EVENT_TCP      0x02 /* of PASSED, TO_AGENT and RETURNED: one segment, not one query */
#define NODENS_EVENT_IP6      0x04
#define NODENS_EVENT_STALE    0x08 /* the answer had expired (RFC 8767) */
#define NODENS_EVENT_NX_BELOW 0x10 /* NXDOMAIN by an entry for a name above (RFC 8020) */
#define NODENS_EVENT_CACHED   0x20 /* of AGENT: it had the answer in its cache */
#define NODENS_EVENT_LOCAL    0x40 /* of AGENT: hosts, template, acl, ...: nobody was asked */
#define NODENS_EVENT_TIMEOUT  0x80 /* of AGENT: an upstream did not answer in time */

/* What the agent knows of a query besides; in the control block of its packet, 20 bytes. */
struct nodens_agent_note {
	__u32 ifindex;	/* where the query came in; 0: not known */
	__u32 took_us;	/* from its query to the reply */
	__u16 upstream; /* row of nodens_upstrms plus 1, of who answered or was asked last; 0: none
			 */
	__u8 tries;	/* queries sent to upstreams for it */
	__u8 flags;	/* NODENS_EVENT_* */
	__u8 l3, l4;	/* offsets in the packet */
	__u16 unused;	/* 0 */
	__u32 outcome;	/* NODENS_CTR_MISS, _TCP, ...: how it came to the agent, as far as known */
};

_Static_assert(sizeof(struct nodens_agent_note) == 20, "skb->cb");

/* A record of a ring. Behind the first @captured bytes of the packet there may be more, unused. */
struct nodens_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 ifindex;
	__u16 packet_len; /* the whole */
	__u16 captured;
	__u8 kind;    /* enum nodens_event_kind */
	__u8 outcome; /* enum nodens_counter: of PASSED and DROPPED, why */
	__u8 flags;   /* NODENS_EVENT_* */
	__u8 l3, l4;  /* offsets in the packet; the device's Ethernet header is at 0 */
	__u8 tries;   /* these three of AGENT: as struct nodens_agent_note */
	__u16 upstream;
	__u32 took_us;
	__u32 unused; /* 0 */
	__u8 packet[];
};

_Static_assert(sizeof(struct nodens_event) == 32, "event");

/* Records are of these sizes: the smallest that holds what is captured. */
#define NODENS_EVENT_SMALL  224
#define NODENS_EVENT_MIDDLE 544
#define NODENS_EVENT_LARGE  2048
/* So much of a packet is captured at most. */
#define NODENS_MAX_SNAP (NODENS_EVENT_LARGE - 32)

#define NODENS_SUFFIX_MAX 64
#define NODENS_ALL_RCODES 0xffff

/* Which packets a session gets: those that all of it holds for. */
struct nodens_filter {
	__u64 outcomes;	  /* bits of enum nodens_counter */
	__u32 kinds;	  /* bits of enum nodens_event_kind */
	__u32 rcodes;	  /* bits 0 to 15; all: queries that have no reply yet as well */
	__u32 ifindex;	  /* 0: any */
	__u32 one_in;	  /* one packet in so many is looked at, drawn at random; 1: each */
	__u32 snap;	  /* bytes of a packet, up to NODENS_MAX_SNAP */
	__be16 qtype;	  /* 0: any */
	__u8 suffix_len;  /* 0: any name; at most NODENS_SUFFIX_MAX */
	__u8 unused;	  /* 0 */
	__be32 client[4]; /* IPv4 as ::ffff:a.b.c.d; of it, those bits that the mask has */
	__be32 client_mask[4];
	__u8 suffix[NODENS_SUFFIX_MAX]; /* lower case, in wire form, the root's 0 included */
};

/* nodens_sessions, an array of NODENS_SESSIONS. Writer: its viewer. Readers: the programs, others.
 */
struct nodens_session {
	__u64 until_ns; /* CLOCK_MONOTONIC; a viewer renews it; one that is past is free */
	__u64 owner;	/* drawn by its viewer at random: is it still mine? */
	__u32 pid;	/* of it, to be told whose they are */
	__u32 unused;	/* 0 */
	struct nodens_filter filter;
};

_Static_assert(sizeof(struct nodens_session) == 24 + 64 + NODENS_SUFFIX_MAX, "session");

/* nodens_seen, an array by session. Writer: the programs, each CPU its own. */
struct nodens_seen {
	__u64 sent;
	__u64 lost;	/* the ring was full */
	__u64 filtered; /* drawn, and did not match */
};

#endif /* NODENS_SESSIONS_H */
