/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the programs count of their hits beyond the outcomes: by series, which is one server and
 * zone of the configuration, by type, rcode, family and size; and how long a sample of them took.
 *
 * Contract: the agent gives each slot a series' number and a small number for what its reply is;
 * a hit adds under these, each CPU for itself, so the sums over CPUs are exact. Nobody but the
 * programs writes counts: a number that comes to mean another series goes on from where it was, and
 * whoever reads takes off what was there before.
 */
#ifndef NODENS_SERIES_H
#define NODENS_SERIES_H

#include <linux/types.h>

/* X(number, text): the types told apart, those of CoreDNS; others are "other". */
#define NODENS_QTYPES(X) \
	X(1, "A")        \
	X(28, "AAAA")    \
	X(15, "MX")      \
	X(6, "SOA")      \
	X(5, "CNAME")    \
	X(12, "PTR")     \
	X(16, "TXT")     \
	X(2, "NS")       \
	X(33, "SRV")     \
	X(43, "DS")      \
	X(48, "DNSKEY")  \
	X(46, "RRSIG")   \
	X(47, "NSEC")    \
	X(50, "NSEC3")   \
	X(65, "HTTPS")   \
	X(251, "IXFR")   \
	X(252, "AXFR")   \
	X(255, "ANY")

enum nodens_qtype {
	NODENS_QTYPE_OTHER,
#define X(number, text) NODENS_QTYPE_##number,
	NODENS_QTYPES(X)
#undef X
		NODENS_QTYPE_COUNT
};

#define NODENS_QTYPE_MAX 255 /* above are only others */

/* Room in the arrays: powers of 2, so that a mask is the bounds check. */
#define NODENS_SERIES_TYPES   32
#define NODENS_SERIES_REPLIES 64
#define NODENS_SERIES_SIZES   8

_Static_assert(NODENS_QTYPE_COUNT <= NODENS_SERIES_TYPES, "types");

/*
 * X(number, first, last): sizes of messages, as CoreDNS' histograms tell them apart. What the
 * programs receive has 17 to 512 octets, what they send 1,232 at most.
 */
#define NODENS_SIZES(X) \
	X(0, 0, 100)    \
	X(1, 101, 200)  \
	X(2, 201, 300)  \
	X(3, 301, 400)  \
	X(4, 401, 511)  \
	X(5, 512, 1023) \
	X(6, 1024, 2047)

#define NODENS_SIZE_MAX 2047

/*
 * nodens_series, one entry a series. Writer: the programs, each CPU its own. Reader: the agent,
 * which adds the CPUs up. Of a hit that is being counted one sum may have it and another not yet.
 */
struct nodens_series {
	__u64 requests[2 * NODENS_SERIES_TYPES]; /* IPv6: the second half; enum nodens_qtype */
	__u64 replies[NODENS_SERIES_REPLIES];	 /* nodens_slot.reply */
	__u64 sizes[NODENS_SERIES_SIZES *
		    NODENS_SERIES_SIZES]; /* query's * NODENS_SERIES_SIZES + reply's */
	__u64 request_bytes;
	__u64 reply_bytes;
	__u64 dnssec_ok; /* with DO */
	__u64 stale;	 /* expired, served with a TTL of 0 */
};

_Static_assert(sizeof(struct nodens_series) == 8 * (64 + 64 + 64 + 4), "series");

/* What has no series of its own: there is none for the zone, or the slot was found as it is. */
#define NODENS_SERIES_OTHER 0

/*
 * nodens_zones, one entry a series: what its number means. Writer and reader: the agent; the next
 * one goes on with these numbers, since slots that it adopts have them.
 */
struct nodens_zone {
	__u64 hash;	  /* of the whole of the labels; 0: the number means nothing yet */
	char labels[248]; /* server="...",zone="...",view="", as much as fits */
};

_Static_assert(sizeof(struct nodens_zone) == 256, "zone");

/*
 * How long hits took in the programs, from when a packet is known to be a query for us until the
 * reply stands in it. Not more than one in NODENS_MEASURE_EVERY of a CPU's hits is measured.
 */
#define NODENS_MEASURE_EVERY 1024
#define NODENS_TIME_BUCKETS  17	    /* CoreDNS': NODENS_TIME_FIRST x 2^n, and all above */
#define NODENS_TIME_FIRST    250000 /* ns */

struct nodens_times {
	__u64 bucket[NODENS_TIME_BUCKETS]; /* not cumulative */
	__u64 sum_ns;
};

_Static_assert(sizeof(struct nodens_times) == 8 * 18, "times");

#endif /* NODENS_SERIES_H */
