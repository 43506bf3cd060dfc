// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Replies to queries that nodens passed on: tc_replies, at the egress of a pod's device, for as
 * long as a viewer asks for it (`nodens trace --with-replies`).
 *
 * Contract: looks and goes on: no packet is altered, dropped or held up, and whoever is behind
 * runs. UDP from port 53 that says of itself that it is a response is sent to the one session that
 * it was loaded for, as NODENS_EVENT_REPLY, while that session is its viewer's. Which queries were
 * passed on the viewer knows. tcx links only, so Linux 6.6 and newer.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "nodens_abi.h"
#include "pkt.bpf.h"
#include "dns.bpf.h"
#include "event.bpf.h"

#define GO_ON_TC   (-1)	  /* TCX_NEXT */
#define MORE_PARTS 0x1fff /* of IPv4's frag_off: an offset */

/* Those of the other programs (maps.bpf.h). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NODENS_SESSIONS);
	__type(key, __u32);
	__type(value, struct nodens_session);
} nodens_sessions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NODENS_SESSIONS);
	__type(key, __u32);
	__type(value, struct nodens_seen);
} nodens_seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, NODENS_SESSIONS);
	__uint(key_size, 4);
	__uint(value_size, 4);
} nodens_rings SEC(".maps");

const volatile __u32 cfg_session = 0;
const volatile __u64 cfg_owner = 0; /* struct nodens_session's, while it is this viewer's */

struct from_port {
	struct udphdr udp;
	struct dns_hdr dns;
};

/* Where its UDP header is; 0: it is no UDP, or not the first part of it. */
static __always_inline __u32 udp_at(struct __sk_buff *skb, struct nodens_event *head)
{
	struct ipv6hdr ip6;
	struct iphdr ip;

	head->l3 = sizeof(struct ethhdr);
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		head->flags = NODENS_EVENT_IP6;
		if (bpf_skb_load_bytes(skb, head->l3, &ip6, sizeof(ip6)) ||
		    ip6.nexthdr != IPPROTO_UDP)
			return 0;
		return head->l3 + sizeof(ip6);
	}
	if (skb->protocol != bpf_htons(ETH_P_IP) ||
	    bpf_skb_load_bytes(skb, head->l3, &ip, sizeof(ip)) || ip.protocol != IPPROTO_UDP ||
	    ip.frag_off & bpf_htons(MORE_PARTS))
		return 0;
	return head->l3 + (*(__u8 *)&ip & 15) * 4;
}

SEC("tc")
int tc_replies(struct __sk_buff *skb)
{
	struct nodens_event head;
	struct nodens_session *session;
	struct nodens_seen *seen;
	struct from_port from;
	__u32 i = cfg_session, l4;
	void *ring;

	/* by an initializer clang 14 leaves most of it unset: its packet[] has no length */
	__builtin_memset(&head, 0, sizeof(head));
	l4 = udp_at(skb, &head);
	if (!l4 || bpf_skb_load_bytes(skb, l4, &from, sizeof(from)) ||
	    from.udp.source != bpf_htons(DNS_PORT) || !(from.dns.flags & bpf_htons(DNS_F_QR)))
		return GO_ON_TC;
	session = bpf_map_lookup_elem(&nodens_sessions, &i);
	seen = bpf_map_lookup_elem(&nodens_seen, &i);
	if (!session || !seen || session->owner != cfg_owner)
		return GO_ON_TC;
	head.kind = NODENS_EVENT_REPLY;
	head.time_ns = bpf_ktime_get_ns();
	head.ifindex = skb->ifindex;
	head.packet_len = skb->len < 0xffff ? skb->len : 0xffff;
	head.l4 = l4;
	ring = bpf_map_lookup_elem(&nodens_rings, &i);
	if (ring && event_send(skb, false, ring, &head, session->filter.snap))
		seen->sent++;
	else
		seen->lost++;
	return GO_ON_TC;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
