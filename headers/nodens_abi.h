/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Everything that crosses the boundary between the BPF programs and the agent:
 * the maps' keys and values, once.
 *
 * Contract: plain types only; sizes and offsets are asserted, padding is
 * explicit and zeroed. A change here changes NODENS_LAYOUT, so that a new agent
 * never adopts maps that it would misread.
 */
#ifndef NODENS_ABI_H
#define NODENS_ABI_H

#include <linux/types.h>

#include "nodens_counters.h"
#include "nodens_device.h"
#include "nodens_sessions.h"
#include "nodens_series.h"

#define NODENS_PIN_DIR "/sys/fs/bpf/nodens" /* default of --bpffs; holds layout-N/ */
#define NODENS_LAYOUT  10

/* RFC 1035, 2.3.4: a name has at most 255 octets, its root label included. */
#define DNS_MAX_NAME   255
#define DNS_NAME_WORDS 32 /* of 8 bytes: the longest name, zero-padded */

#define NODENS_MAX_SERVED 16 /* addresses of one family */

/*
 * The keyed hash of a question: NH (RFC 4418, 5.2.2) over the lower-cased name
 * in little-endian words of 8 bytes, zero-padded, then over one word more:
 *
 *	meta = qtype | key_flags << 16 | name_len << 32
 *	h = sum over i of lo32(w[i] + key[i]) * hi32(w[i] + key[i])
 *
 * with the meta word under key[DNS_NAME_WORDS]. The key is random and secret,
 * so for any two questions that a pod may choose the chance that they collide
 * is about 2^-32; a collision costs a miss, never a wrong answer.
 *
 * That is true of h as a whole and not of a part of its bits: the low 13 do not depend on octets 6
 * and 7 of a word. So a last step that maps no two h to one makes the upper bits of the hash good
 * by themselves: they are those of a product with a secret odd number, and the chance that two h
 * have the same n uppermost bits is at most 2^(1-n) (Dietzfelbinger et al., A reliable randomized
 * algorithm for the closest-pair problem, 1997).
 *
 *	m = (h ^ h >> 32) * 0xbf58476d1ce4e5b9
 *	p = (m ^ m >> 29) * (key[DNS_NAME_WORDS + 1] | 1)
 *	hash = p ^ p >> 32
 *
 * The first product is for names that were numbered: NH makes series of them with one distance,
 * which a single product would lay into a few buckets.
 */
#define NODENS_HASH_LAST  (DNS_NAME_WORDS + 1)
#define NODENS_HASH_WORDS (DNS_NAME_WORDS + 2)

static inline __u64 nodens_hash_last(__u64 h, __u64 key)
{
	h ^= h >> 32;
	h *= 0xbf58476d1ce4e5b9ull; /* of SplitMix64's last step */
	h ^= h >> 29;
	h *= key | 1;
	return h ^ h >> 32;
}

/* What besides qname and qtype tells two answers apart. */
#define NODENS_KEY_DO 0x01
#define NODENS_KEY_CD 0x02
/* Kept for the agent alone: no query has it, so no program finds the entry. */
#define NODENS_KEY_AGENT 0x40
/*
 * NXDOMAIN-below: nothing exists at or below the name (RFC 8020), or it was taken off the net by
 * configuration. An entry like any other, NXDOMAIN, of qtype 0, but that its blob holds no
 * compression pointer out of itself: it goes behind questions of any length. The programs look for
 * such entries above a name that they do not hold, at most so many labels below the root: those of
 * the three search suffixes are three to five labels deep in cluster.local.
 */
#define NODENS_KEY_NX_BELOW    0x80
#define NODENS_NX_BELOW_DEPTHS 8

/* Our OPT's UDP payload size: of a query, we take that much for sure (RFC 6891, 6.2.3). */
#define NODENS_OPT_SIZE 1232
/*
 * The largest message that the programs send: with IPv6 no link needs a fragment for it (RFC 8200,
 * 5). A client that takes more, and for whom there is more, is the agent's.
 */
#define NODENS_MAX_MSG 1232
/* Of it, at most so much is records: the rest is header and question. */
#define NODENS_MAX_BLOB (NODENS_MAX_MSG - 12 - 1 - 4)

/*
 * An answer as the programs send it. A slot is written only while no index
 * entry names it and no program can still be reading it (a grace period);
 * while published nothing of it changes but the hit samples and, each a word of its own, stale_s
 * and series.
 *
 *	+0		struct nodens_slot
 *	+64		qname, lower case, zero-padded to words of 8 bytes
 *	+blob_at	the message after its question: answer, authority and
 *			additional sections without OPT; compression pointers
 *			are valid for a message whose question is this one;
 *			every TTL field is zero
 *	+ttls_at	n_ttl offsets (u16, from blob_at) of the TTL fields, one a record
 *	+ the next	struct nodens_prefixes, where a client may take less than the whole
 *
 * blob_sum is the RFC 1071 sum (not complemented, folded to 16 bits, in
 * the byte order of a u16 load) of the blob as if it began at an even offset.
 */
struct nodens_slot {
	__u64 expires_ns; /* CLOCK_MONOTONIC; 0: not in use */
	__u32 hits;	  /* kernel: an estimate, exact for up to NODENS_HITS_EXACT a second */
	__u32 last_use;	  /* kernel: CLOCK_MONOTONIC in units of 2^30 ns, of a recent hit */
	__be16 flags;	  /* QR, AA, RA, AD, rcode; never RD, CD, TC */
	__be16 ancount;
	__be16 nscount;
	__be16 arcount; /* OPT not counted */
	__be16 qtype;
	__u8 key_flags; /* NODENS_KEY_* */
	__u8 name_len;	/* 1..255, root label included */
	__u16 blob_at;
	__u16 blob_len; /* 0, or at least 11 */
	__u16 ttls_at;
	__u8 n_ttl;	/* at most NODENS_MAX_RR */
	__u8 burst;	/* kernel: hits counted one by one in the second that last_use says */
	__u8 n_ttl_odd; /* of them, those at an odd offset in the blob */
	__u8 type;	/* enum nodens_qtype; of an NXDOMAIN-below it is the question's */
	__u16 blob_sum;
	__u16 rot_at;	   /* offset in the blob of the first rotating RR */
	__u8 rot_count;	   /* RRs to rotate, 0 or 2..NODENS_MAX_ROTATE */
	__u8 rot_size;	   /* bytes of one: 16 (A) or 28 (AAAA) */
	__u16 series;	   /* hits are counted under this number of nodens_series */
	__u8 reply;	   /* and there, as replies, under this one, below NODENS_SERIES_REPLIES */
	__u8 partial : 1;  /* the answer has more records than these */
	__u8 kind : 1;	   /* NODENS_POSITIVE, NODENS_NEGATIVE */
	__u8 keep_ttl : 1; /* every reply says ttl_s, not what is left of it */
	__u8 fixed : 1;	   /* the configuration says so: the next agent does not take it over */
	__u8 below_only : 1; /* of an NXDOMAIN-below: it is about what lies below the name, not the
				name itself */
	__u8 unused : 3;     /* 0 */
	__u32 ttl_s;	     /* as stored */
	/*
	 * For so many seconds after expires_ns a program still answers with this, with a TTL of 0
	 * (RFC 8767).
	 */
	__u32 stale_s;
	__u64 stored_ns; /* CLOCK_MONOTONIC, when it was stored */
	__u8 data[];
};

_Static_assert(sizeof(struct nodens_slot) == 64, "slot header");

/*
 * What a client gets that takes less than all: the first records, as many as it takes, whole; of
 * the additional section whole RRsets, and their loss alone sets no TC (RFC 2181, 9).
 *
 * This is part of a slot of the largest class that is partial, or whose message with the longest
 * OPT of ours and the longest question that it answers has more than 512 octets (RFC 1035, 4.2.1:
 * every client takes that much).
 */
struct nodens_prefix {
	__u16 len; /* of the first i records; with an RRset of the additional section, to its end */
	__u16 sum; /* of the blob up to there, as blob_sum */
	__u16 n_odd; /* TTLs at odd offsets up to there */
};

#define NODENS_NO_MORE 0xffff

struct nodens_prefixes {
	__u16 limit;	  /* no message is longer, whatever the client takes */
	__u16 more_len;	  /* the blob's length with what comes next; NODENS_NO_MORE */
	__u16 n_required; /* fewer records: TC=1; those of the answer and authority sections */
	__u16 rot_first;  /* records before the rotating ones */
	struct nodens_prefix prefix[]; /* n_ttl + 1 */
};

_Static_assert(sizeof(struct nodens_prefix) == 6, "prefix");
_Static_assert(sizeof(struct nodens_prefixes) == 8, "prefixes");

#define NODENS_SLOT_HEADER 64
#define NODENS_POSITIVE	   0
#define NODENS_NEGATIVE	   1
#define NODENS_MAX_RR	   96 /* RRs of a slot; an answer with more is partial there */
#define NODENS_MAX_ROTATE  (NODENS_MAX_BLOB / 16)

/*
 * Which stored RR's rdata leads the reply to the query with this @id: spread
 * evenly both for random and for sequential IDs.
 */
static inline __u32 nodens_rotation(__u16 id, __u32 rot_count)
{
	return (((__u32)id * 40503 & 0xffff) * rot_count) >> 16;
}

/*
 * Slots lie in cells of NODENS_CELL bytes, those of one cell all of one size class; cells lie in
 * steps, the maps that the agent adds to nodens_slabs as it needs them. A slot number is
 * class << 28 | address, the address in units of NODENS_UNIT bytes from the first step on. A
 * program needs no class: it finds a slot by its address and stays within the slot's cell.
 */
#define NODENS_CELL	  2048
#define NODENS_UNIT	  64
#define NODENS_STEP_CELLS 512
#define NODENS_MAX_STEPS  16384 /* 16 GiB: what an address reaches */
#define NODENS_CLASSES	  8	/* tests/bpf/bench_memory says what real answers take */
#define NODENS_CLASS_SIZES                               \
	{                                                \
		128, 192, 256, 320, 384, 512, 1024, 2048 \
	}
#define NODENS_SIZE_LARGEST	    2048
#define NODENS_SIZE_SMALL	    512 /* what fits here is no large answer (store.h) */
#define NODENS_SLOT_CLASS(slot)	    ((slot) >> 28)
#define NODENS_SLOT_ADDRESS(slot)   ((slot)&0x0fffffff)
#define NODENS_SLOT_STEP(slot)	    (NODENS_SLOT_ADDRESS(slot) >> 14)
#define NODENS_SLOT_CELL(slot)	    (NODENS_SLOT_ADDRESS(slot) >> 5 & (NODENS_STEP_CELLS - 1))
#define NODENS_SLOT_OFFSET(slot)    (((slot)&31) * NODENS_UNIT)
#define NODENS_SLOT(class, address) ((__u32)(class) << 28 | (address))

/*
 * nodens_index, an array of buckets, a power of two of them: from the hash of a question to the
 * slot that answers it. A bucket is one cache line, and one look-up.
 *
 * A question's entry lies in its home bucket, which the hash's uppermost bits name, or, where that
 * was full, up to NODENS_INDEX_STEPS strides on. An entry is
 *
 *	tag << 35 | strides from home << 32 | slot number + 1
 *
 * or 0: none. The tag is the hash's low 29 bits, and tells the stride as well: it is tag | 1. How
 * many entries of a home lie so many strides on is said in the home bucket, so that whoever finds
 * nothing there looks on only where there is something.
 *
 * Writer: the agent; `nodens flush` removes entries. Each entry is one word that is stored whole,
 * so a reader has what was or what is. Before 5.5 (no mmap) a bucket is copied by the kernel, and
 * an entry may be read mixed of two; then as with two hashes of one tag the slot's own question,
 * which is always compared, makes it a miss.
 */
#define NODENS_BUCKET_ENTRIES 7
#define NODENS_INDEX_STEPS    4
#define NODENS_INDEX_MIN      8 /* buckets: more than strides, so that each leads to another one */

struct nodens_bucket {
	__u64 entry[NODENS_BUCKET_ENTRIES];
	__u64 beyond; /* lowest 16 bits: entries of this home one stride on; the next: two; ... */
};

_Static_assert(sizeof(struct nodens_bucket) == 64, "a cache line");

#define NODENS_ENTRY_STEP  (1ull << 32)
#define NODENS_BEYOND_BITS 16

/*
 * nodens_ctl, one entry. Writer: the agent. Readers: the programs, `nodens
 * stats`. Each field stands alone, so a torn view of two of them is harmless.
 */
#define NODENS_SHED_LOAD  0x1 /* all: too much is under way in the agent */
#define NODENS_SHED_SYN	  0x2 /* SYNs: it has no room for a TCP connection more */
#define NODENS_SHED_QUEUE 0x4 /* all: its receive queue fills up */
#define NODENS_SHED_ALL	  (NODENS_SHED_LOAD | NODENS_SHED_QUEUE)

struct nodens_ctl {
	__u64 heartbeat_ns; /* CLOCK_MONOTONIC of the agent's last beat */
	__u64 hung_ns;	    /* a beat older than this: the agent hangs */
	__u64 lease_ns;	    /* a beat older than this: programs disarm */
	__u32 steer;	    /* 1: misses go to the agent's namespace */
	__u32 shed;	    /* NODENS_SHED_*: what is not to be steered now */
	__u32 nd0_ifindex;
	__s32 netns_id; /* of the agent's namespace, seen from the node's */
	__u8 nd1_mac[6];
	__u16 bufsize; /* largest UDP answer, whatever the client takes: 512..4096 */
	__u32 layout;  /* NODENS_LAYOUT */
	__u32 agent_pid;
	__u32 n_served4;
	__u32 n_served6;
	__be32 served4[NODENS_MAX_SERVED];
	__be32 served6[NODENS_MAX_SERVED][4];
	__u64 hash_key[NODENS_HASH_WORDS];
	__u32 capacity[2]; /* NODENS_POSITIVE, NODENS_NEGATIVE: entries */
	__u8 observe[NODENS_SESSIONS] __attribute__((aligned(8))); /* NODENS_OBSERVE_*: a session is
			open. Writers: viewers; the programs, once it has ended. Read at once as 64
			bits */
	__u64 nx_below_depths; /* bit n: some NXDOMAIN-below has n labels, 1..NODENS_NX_BELOW_DEPTHS
				*/
};

_Static_assert(sizeof(struct nodens_ctl) ==
		       64 + 20 * NODENS_MAX_SERVED + 8 * NODENS_HASH_WORDS + 24,
	       "control block");

/* nodens_tail: the programs behind tc_nodens. */
enum { NODENS_TAIL_DNS, NODENS_TAIL_STEER, NODENS_TAIL_OBSERVE, NODENS_TAIL_COUNT };

/*
 * How hits of a slot are counted: its cache line is shared by all CPUs, so not each of a hot one is
 * written there. So many a second count one each, and of the others one in NODENS_HITS_DRAWN,
 * drawn at random, counts for all of those.
 */
#define NODENS_HITS_EXACT 16
#define NODENS_HITS_DRAWN 16

/*
 * nodens_percpu, one entry a CPU. Writer: the programs. Reader: the agent and
 * `nodens stats`, which add the CPUs up.
 */
#define NODENS_SCRATCH_WORDS 48
#define NODENS_WATCHED_WORDS 16

struct nodens_percpu {
	__u64 counters[NODENS_CTR_COUNT];
	__u64 draw;	  /* state of the drawing; not random to anybody who wants to know */
	__u64 measure_in; /* after so many hits more one is measured */
	struct nodens_times times;
	/* What the programs know of the packet at hand (bpf/nodens.bpf.c); nothing of it lasts. */
	__u64 scratch[NODENS_SCRATCH_WORDS];
	__u64 watched[2][NODENS_WATCHED_WORDS]; /* for sessions: a packet's, the agent's */
};

/*
 * nodens_clients, hash without eviction: a client's address (IPv4 as
 * ::ffff:a.b.c.d) -> the way back to it. Writer: the programs, on a miss; the
 * agent deletes what belonged to a device that went. Whose an address is, the
 * node's routes say: where they lead to the device that a packet came from, it
 * has the address from then on; where to another attached device, it never has.
 * Where they do not say (pods on a bridge, a CNI without routes) the first
 * device to claim an address keeps it, until it has not used it for
 * NODENS_CLIENT_IDLE, which is longer than any answer takes. One device may
 * claim NODENS_DEVICE_CLIENTS. So a pod that sends with another's address can at
 * most make the other's misses go to the cluster's DNS; it cannot have the
 * other's answers sent to itself.
 *
 * nodens_claims, hash: ifindex -> __s32 addresses that it has, for every
 * attached device: one more with each it claims, one less with each that goes
 * over to another device. Writers: the programs; the agent makes the entry, and
 * deletes that of a device that went.
 */
#define NODENS_CLIENTS	      65536
#define NODENS_DEVICES	      4096
#define NODENS_DEVICE_CLIENTS 256
#define NODENS_CLIENT_IDLE    16 /* in units of 2^30 ns */

struct nodens_client {
	__u32 ifindex;
	__u8 client_mac[6];
	__u8 gateway_mac[6]; /* what the client sent to */
	__u32 peer;	     /* 1: bpf_redirect_peer leads into the pod */
	__u32 seen;	     /* CLOCK_MONOTONIC in units of 2^30 ns, of its last query */
};

_Static_assert(sizeof(struct nodens_client) == 24, "client");

#endif /* NODENS_ABI_H */
