/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The kernel side's counters: one list yields the enum, the names in
 * `nodens stats`, the metrics and the rows of docs/architecture.md.
 *
 * Contract: every packet that nodens sees on a device adds to exactly one
 * OUTCOME counter (where XDP and tc sit on one device, XDP's). STEER counters say what became of a
 * packet counted as a miss, an agent_* outcome or tcp; they are a second view of the same packets.
 */
#ifndef NODENS_COUNTERS_H
#define NODENS_COUNTERS_H

/* X(id, name, help) */
#define NODENS_OUTCOMES(X)                                                           \
	X(HIT, "hits", "answered in the kernel")                                     \
	X(HIT_TC, "hits_truncated", "answered in the kernel with TC=1")              \
	X(MISS, "misses", "no live answer in the maps")                              \
	X(AGENT_EDNS, "agent_edns_version", "EDNS version other than 0")             \
	X(AGENT_ECS, "agent_ecs",                                                    \
	  "EDNS client subnet, or more options than"                                 \
	  " the program reads")                                                      \
	X(TCP, "tcp", "TCP to port 53 of a served address")                          \
	X(NOT_IP, "pass_not_ip", "neither IPv4 nor IPv6 (ARP and others)")           \
	X(NOT_DNS, "pass_not_dns", "not TCP or UDP to port 53")                      \
	X(VLAN, "pass_vlan", "more than two VLAN tags")                              \
	X(IP_OPTIONS, "pass_ip_options", "IPv4 options")                             \
	X(IP6_EXT, "pass_ip6_ext", "IPv6 extension headers")                         \
	X(FRAGMENT, "pass_fragment", "an IP fragment")                               \
	X(SHORT, "pass_truncated", "ends before its headers or lengths say")         \
	X(NOT_SERVED, "pass_not_served", "port 53 of an address not served")         \
	X(RESPONSE, "pass_response", "QR=1")                                         \
	X(OPCODE, "pass_opcode", "an opcode other than QUERY, or a query with TC=1") \
	X(QDCOUNT, "pass_qdcount", "QDCOUNT other than 1")                           \
	X(SECTIONS, "pass_sections",                                                 \
	  "ANCOUNT, NSCOUNT or ARCOUNT not those"                                    \
	  " of a query")                                                             \
	X(QNAME, "pass_qname", "a name too long, compressed or malformed")           \
	X(QCLASS, "pass_qclass", "a class other than IN")                            \
	X(ADDITIONAL, "pass_additional",                                             \
	  "the additional record is no OPT, or"                                      \
	  " bytes follow it")                                                        \
	X(LARGE, "pass_oversized", "a query longer than 512 bytes of DNS")           \
	X(MULTICAST, "pass_multicast", "a multicast or broadcast frame")             \
	X(DISARMED, "pass_disarmed",                                                 \
	  "the agent's lease has run out, or its"                                    \
	  " program is gone")                                                        \
	X(RESIZE, "pass_resize", "the packet could not be grown in place")           \
	X(BROKEN, "drop_broken",                                                     \
	  "a malformed slot, or no memory, found after"                              \
	  " the query had been changed: dropped")

/* Kinds of hits: a further view of the same packets. */
#define NODENS_HIT_KINDS(X)                                                  \
	X(HIT_IP6, "hits_ip6", "over IPv6")                                  \
	X(HIT_NX_BELOW, "hits_cut", "NXDOMAIN by an entry for a name above") \
	X(HIT_STALE, "hits_stale", "expired, served with a TTL of 0")

#define NODENS_STEERS(X)                                                               \
	X(STEERED, "steered", "sent to the agent")                                     \
	X(STEER_OFF, "steer_off", "steering is off: on to the cluster's DNS")          \
	X(STEER_DEAD, "steer_dead", "no agent: on to the cluster's DNS")               \
	X(STEER_HUNG, "steer_hung", "agent silent: on to the cluster's DNS")           \
	X(STEER_SHED, "steer_shed",                                                    \
	  "agent overloaded: on to the cluster's"                                      \
	  " DNS")                                                                      \
	X(STEER_CONFLICT, "steer_conflict",                                            \
	  "the client's address belongs to"                                            \
	  " another device")                                                           \
	X(STEER_TCP_FOREIGN, "steer_tcp_foreign",                                      \
	  "a TCP connection that is"                                                   \
	  " not the agent's")                                                          \
	X(STEER_FULL, "steer_full", "the device claims too many addresses")            \
	X(STEER_VLAN, "steer_vlan", "frames with a VLAN tag: on to the cluster's DNS") \
	X(STEER_ERROR, "steer_error", "a map or a BPF helper failed")                  \
	X(RETURNED, "returned", "agent's packets brought back to a client")            \
	X(RETURN_UNKNOWN, "return_unknown",                                            \
	  "agent's packets for no known"                                               \
	  " client: dropped")

enum nodens_counter {
#define X(id, name, help) NODENS_CTR_##id,
	NODENS_OUTCOMES(X) NODENS_HIT_KINDS(X) NODENS_STEERS(X)
#undef X
		NODENS_CTR_COUNT
};

#endif /* NODENS_COUNTERS_H */
