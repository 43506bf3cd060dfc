/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the programs count by device.
 *
 * Contract: of one packet the outcome and the device's count agree, each CPU for itself, so the
 * sums over devices are those of the outcomes that the masks name. Packets that are no DNS to a
 * served address count nowhere here.
 */
#ifndef NODENS_DEVICE_H
#define NODENS_DEVICE_H

#include <linux/types.h>

#include "nodens_counters.h"

/*
 * nodens_devnum, array of sets: the devices with these remainders of ifindex, each with its number
 * in the upper half of its word; 0: free. The first place that is looked at is that of the
 * quotient, so that devices with indices in a row are found at once. Writer: the agent. A device
 * that finds its set full, or no number left, has none.
 *
 * nodens_devcount, per-CPU array: what was counted under each number; under 0 for all devices
 * without one. Writers: the programs, each CPU its own; the agent sets a number to 0 before it
 * gives it to a device. It gives that of a device that went to another as late as it can, when no
 * program has it any more. An agent that takes the maps over goes on with the numbers.
 */
#define NODENS_DEVICE_SETS    512
#define NODENS_DEVICE_WAYS    8
#define NODENS_DEVICE_NUMBERS 1024

struct nodens_device_set {
	__u64 entry[NODENS_DEVICE_WAYS];
};

_Static_assert(sizeof(struct nodens_device_set) == 64, "a cache line");

struct nodens_device_counts {
	__u64 hits;	 /* answered in the kernel */
	__u64 nxdomain;	 /* of them, NXDOMAIN */
	__u64 misses;	 /* queries over UDP for the agent */
	__u64 tcp;	 /* packets of TCP, for the agent as well */
	__u64 unsteered; /* of both, on to the cluster's DNS all the same, as steer_* say */
	__u64 passed;	 /* everything else to a served address: not for nodens, or disarmed */
};

_Static_assert(sizeof(struct nodens_device_counts) == 48, "counts of a device");

#define NODENS_BIT(id) (1ull << NODENS_CTR_##id)

/* Which counters each of them sums up. */
#define NODENS_DEVICE_HITS   (NODENS_BIT(HIT) | NODENS_BIT(HIT_TC))
#define NODENS_DEVICE_MISSES (NODENS_BIT(MISS) | NODENS_BIT(AGENT_EDNS) | NODENS_BIT(AGENT_ECS))
#define NODENS_DEVICE_TCP    NODENS_BIT(TCP)
/* A foreign TCP connection belongs where it goes. */
#define NODENS_DEVICE_UNSTEERED                                                         \
	(NODENS_BIT(STEER_OFF) | NODENS_BIT(STEER_DEAD) | NODENS_BIT(STEER_HUNG) |      \
	 NODENS_BIT(STEER_SHED) | NODENS_BIT(STEER_CONFLICT) | NODENS_BIT(STEER_FULL) | \
	 NODENS_BIT(STEER_VLAN) | NODENS_BIT(STEER_ERROR))
/* Not pass_truncated: it is not known of all of those whom they were for. */
#define NODENS_DEVICE_PASSED                                                                      \
	(NODENS_BIT(RESPONSE) | NODENS_BIT(OPCODE) | NODENS_BIT(QDCOUNT) | NODENS_BIT(SECTIONS) | \
	 NODENS_BIT(QNAME) | NODENS_BIT(QCLASS) | NODENS_BIT(ADDITIONAL) | NODENS_BIT(LARGE) |    \
	 NODENS_BIT(DISARMED) | NODENS_BIT(RESIZE) | NODENS_BIT(BROKEN))

_Static_assert(NODENS_CTR_COUNT <= 64, "masks of counters");

#endif /* NODENS_DEVICE_H */
