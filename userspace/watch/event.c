// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Events, taken apart. Contract: event.h.
 */
#include "watch/event.h"

#include <arpa/inet.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <string.h>

#include "dns/msg.h"

/* @len bytes of the packet at @at, or NULL where they were not captured. */
static const void *bytes(const struct nodens_event *raw, size_t at, size_t len)
{
	size_t captured = raw->captured < NODENS_MAX_SNAP ? raw->captured : NODENS_MAX_SNAP;

	return at <= captured && len <= captured - at ? raw->packet + at : NULL;
}

/* The packet goes to who asked; as the programs see it (bpf/observe.bpf.h). */
static bool to_client(const struct nodens_event *raw)
{
	return raw->kind == NODENS_EVENT_ANSWERED || raw->kind == NODENS_EVENT_RETURNED ||
	       raw->kind == NODENS_EVENT_AGENT || raw->kind == NODENS_EVENT_REPLY;
}

static bool decode_ip(const struct nodens_event *raw, struct served_addr *from,
		      struct served_addr *to)
{
	*from = *to = (struct served_addr){ .family = AF_INET };
	if (raw->flags & NODENS_EVENT_IP6) {
		const struct ipv6hdr *ip = bytes(raw, raw->l3, sizeof(*ip));

		if (!ip)
			return false;
		from->family = to->family = AF_INET6;
		memcpy(&from->v6, &ip->saddr, sizeof(from->v6));
		memcpy(&to->v6, &ip->daddr, sizeof(to->v6));
	} else {
		const struct iphdr *ip = bytes(raw, raw->l3, sizeof(*ip));

		if (!ip)
			return false;
		memcpy(&from->v4, &ip->saddr, sizeof(from->v4));
		memcpy(&to->v4, &ip->daddr, sizeof(to->v4));
	}
	return true;
}

static void decode_client(const struct nodens_event *raw, struct watch_event *out)
{
	const uint8_t *ports = bytes(raw, raw->l4, 4);
	struct served_addr from, to;
	uint16_t from_port, to_port;
	bool reply = to_client(raw);

	if (raw->l4 <= raw->l3 || !decode_ip(raw, &from, &to) || !ports)
		return;
	from_port = ports[0] << 8 | ports[1];
	to_port = ports[2] << 8 | ports[3];
	out->has_client = true;
	out->client = reply ? to : from;
	out->server = reply ? from : to;
	out->client_port = reply ? to_port : from_port;
	out->server_port = reply ? from_port : to_port;
}

/* The rcode's upper eight bits are in the TTL of OPT (RFC 6891, 6.1.3). */
static uint16_t upper_rcode(struct dns_cursor *cur, unsigned int records)
{
	struct dns_rr rr;

	for (unsigned int i = 0; i < records; i++) {
		dns_cursor__rr(cur, &rr);
		if (cur->error)
			return 0;
		if (rr.type == DNS_TYPE_OPT)
			return rr.ttl_s >> 24 << 4;
	}
	return 0;
}

static void decode_reply(struct dns_cursor *cur, uint16_t authority, uint16_t additional,
			 struct watch_event *out)
{
	struct dns_rr rr;

	if (!out->answers) {
		out->rcode |= upper_rcode(cur, (unsigned int)authority + additional);
		return;
	}
	/* its rdata may be cut off */
	dns_cursor__name(cur, &rr.owner);
	dns_cursor__u32(cur); /* type, class */
	rr.ttl_s = dns_cursor__u32(cur);
	out->has_ttl = !cur->error;
	out->ttl_s = cur->error ? 0 : rr.ttl_s;
}

static void decode_message(const uint8_t *msg, size_t len, struct watch_event *out)
{
	struct dns_cursor cur;
	struct dns_name qname;
	uint16_t flags, questions, answers, authority, additional, qtype;

	dns_cursor__init(&cur, msg, len);
	out->id = dns_cursor__u16(&cur);
	flags = dns_cursor__u16(&cur);
	questions = dns_cursor__u16(&cur);
	answers = dns_cursor__u16(&cur);
	authority = dns_cursor__u16(&cur);
	additional = dns_cursor__u16(&cur);
	out->has_header = true;
	if (flags & DNS_QR) {
		out->is_reply = true;
		out->truncated = flags & DNS_TC;
		out->rcode = flags & DNS_RCODE;
		out->answers = answers;
	}
	if (questions) {
		dns_cursor__name(&cur, &qname);
		qtype = dns_cursor__u16(&cur);
		dns_cursor__u16(&cur); /* class */
		if (cur.error)
			return;
		out->has_question = true;
		out->qname = qname;
		out->qtype = qtype;
	}
	if (out->is_reply && questions <= 1)
		decode_reply(&cur, authority, additional, out);
}

/* A TCP segment is no message. */
static bool is_segment(const struct nodens_event *raw)
{
	return raw->flags & NODENS_EVENT_TCP && raw->kind != NODENS_EVENT_AGENT;
}

const uint8_t *event__message(const struct nodens_event *raw, size_t *len, size_t *captured)
{
	const uint8_t *udp = bytes(raw, raw->l4, sizeof(struct udphdr) + DNS_HEADER);
	size_t room, size;

	if (!udp || raw->l4 <= raw->l3 || is_segment(raw))
		return NULL;
	size = udp[4] << 8 | udp[5];
	if (size < sizeof(struct udphdr) + DNS_HEADER)
		return NULL;
	size -= sizeof(struct udphdr);
	room = raw->captured < NODENS_MAX_SNAP ? raw->captured : NODENS_MAX_SNAP;
	room -= raw->l4 + sizeof(struct udphdr);
	*len = size;
	*captured = size < room ? size : room;
	return udp + sizeof(struct udphdr);
}

void event__replied(struct watch_event *passed, const struct watch_event *reply)
{
	passed->replied = true;
	passed->rcode = reply->rcode;
	passed->answers = reply->answers;
	passed->truncated = reply->truncated;
	passed->has_ttl = reply->has_ttl;
	passed->ttl_s = reply->ttl_s;
	passed->took_us = (uint32_t)((reply->time_ns - passed->time_ns) / 1000);
}

void event__decode(const struct nodens_event *raw, struct watch_event *out)
{
	size_t dns = raw->l4 + sizeof(struct udphdr);

	*out = (struct watch_event){
		.time_ns = raw->time_ns,
		.ifindex = raw->ifindex,
		.kind = raw->kind,
		.outcome = raw->outcome,
		.flags = raw->flags,
		.took_us = raw->took_us,
		.upstream = raw->upstream,
		.tries = raw->tries,
	};
	decode_client(raw, out);
	if (!is_segment(raw) && out->has_client && bytes(raw, dns, DNS_HEADER))
		decode_message(raw->packet + dns, raw->captured - dns, out);
}
