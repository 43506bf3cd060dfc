/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Just enough DNS for the test and bench clients: build a query, check its reply.
 *
 * Contract: independent of nodens' own code on purpose, so that a client never agrees with an agent
 * by sharing its mistakes. Names are plain host names (no escapes).
 */
#ifndef DNSQ_H
#define DNSQ_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DNSQ_MAX_QUERY 300
#define DNSQ_A	       1
#define DNSQ_AAAA      28

/* RFC 1035, 4.1.1 and 4.1.2; RD set, class IN. Returns the length; 0: not a host name. */
static inline size_t dnsq_build(uint8_t *buf, uint16_t id, const char *name, uint16_t type)
{
	static const uint8_t counts[] = { 0, 1, 0, 0, 0, 0, 0, 0 };
	size_t at = 12;

	if (strlen(name) > 253)
		return 0;
	buf[0] = id >> 8;
	buf[1] = id;
	buf[2] = 1; /* RD */
	buf[3] = 0;
	memcpy(buf + 4, counts, sizeof(counts));
	while (*name) {
		size_t label = strcspn(name, ".");

		if (!label || label > 63)
			return 0;
		buf[at++] = label;
		memcpy(buf + at, name, label);
		at += label;
		name += label + (name[label] == '.');
	}
	buf[at++] = 0;
	buf[at++] = type >> 8;
	buf[at++] = type;
	buf[at++] = 0;
	buf[at++] = 1;
	return at;
}

static inline uint16_t dnsq_id(const uint8_t *msg)
{
	return msg[0] << 8 | msg[1];
}

/* The reply is one to exactly this query: QR, QDCOUNT 1, the same question byte for byte. */
static inline bool dnsq_replies_to(const uint8_t *reply, size_t reply_len, const uint8_t *query,
				   size_t query_len)
{
	return reply_len >= query_len && dnsq_id(reply) == dnsq_id(query) && (reply[2] & 0x80) &&
	       reply[4] == 0 && reply[5] == 1 && !memcmp(reply + 12, query + 12, query_len - 12);
}

/*
 * Whether the address of the first A or AAAA record is @base plus @index (in its last four bytes).
 * The question of @query_len bytes is known to be in front.
 */
static inline bool dnsq_first_is(const uint8_t *reply, size_t reply_len, size_t query_len,
				 uint16_t type, const uint8_t base[16], uint32_t index)
{
	size_t at = query_len, size = type == DNSQ_AAAA ? 16 : 4;
	uint8_t want[16];
	uint32_t low;

	while (at < reply_len && reply[at] && reply[at] < 0xc0)
		at += reply[at] + 1;
	at += at < reply_len && reply[at] >= 0xc0 ? 2 : 1;
	if (at + 10 + size > reply_len || (reply[at] << 8 | reply[at + 1]) != type ||
	    (size_t)(reply[at + 8] << 8 | reply[at + 9]) != size)
		return false;
	memcpy(want, base, size);
	memcpy(&low, want + size - 4, 4);
	low = htonl(ntohl(low) + index);
	memcpy(want + size - 4, &low, 4);
	return !memcmp(reply + at + 10, want, size);
}

static inline uint64_t dnsq_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts); /* what /proc/uptime shows */
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static inline int dnsq_address(const char *text, uint16_t port, struct sockaddr_storage *addr,
			       socklen_t *len)
{
	struct sockaddr_in6 *v6 = (void *)addr;
	struct sockaddr_in *v4 = (void *)addr;

	memset(addr, 0, sizeof(*addr));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*len = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*len = sizeof(*v6);
		return 0;
	}
	fprintf(stderr, "not an address: %s\n", text);
	return -1;
}

#endif /* DNSQ_H */
