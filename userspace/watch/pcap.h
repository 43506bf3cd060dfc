/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Events as a capture file: libpcap's classic format, with nanoseconds
 * (draft-ietf-opsawg-pcap; pcap-savefile(5)).
 *
 * Contract: pure. Octets in the order of this machine, which readers tell by the magic number.
 */
#ifndef NODENS_WATCH_PCAP_H
#define NODENS_WATCH_PCAP_H

#include <stdint.h>

#include "nodens_sessions.h"

#define PCAP_MAGIC_NS	   0xa1b23c4du
#define PCAP_LINK_ETHERNET 1

struct pcap_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy; /* 0 */
	uint32_t snap;
	uint32_t link;
};

/* Of each packet, before its @captured octets. */
struct pcap_packet {
	uint32_t s, ns; /* since 1970 */
	uint32_t captured, len;
};

_Static_assert(sizeof(struct pcap_header) == 24 && sizeof(struct pcap_packet) == 16, "on disk");

static inline struct pcap_header pcap__header(void)
{
	return (struct pcap_header){ .magic = PCAP_MAGIC_NS,
				     .major = 2,
				     .minor = 4,
				     .snap = NODENS_MAX_SNAP,
				     .link = PCAP_LINK_ETHERNET };
}

/* @epoch_ns: CLOCK_REALTIME less CLOCK_MONOTONIC. */
static inline struct pcap_packet pcap__packet(const struct nodens_event *event, int64_t epoch_ns)
{
	uint64_t at = event->time_ns + epoch_ns;

	return (struct pcap_packet){ .s = at / 1000000000,
				     .ns = at % 1000000000,
				     .captured = event->captured,
				     .len = event->packet_len };
}

#endif /* NODENS_WATCH_PCAP_H */
