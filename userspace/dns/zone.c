// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Zone names: conversion, reverse zones and the suffix test. Contract: zone.h.
 */
#include "dns/zone.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BAD_CIDR "it is not ADDRESS/BITS; write it as 10.0.0.0/8 or 2001:db8::/32"
#define BAD_CHARACTER                                                                              \
	"it has a character other than letters, digits, '-', '_', '*' and '.'; write that one as " \
	"\\DDD"

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int reject(const char **why, const char *reason)
{
	*why = reason;
	return -EINVAL;
}

/* Octets that read the same everywhere: hostnames, underscore labels, a wildcard's asterisk. */
static bool is_plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '*';
}

/* "\DDD" or "\X" at *s (which points at the backslash); moves *s past it. */
static int unescape(const char **s, uint8_t *out)
{
	const char *p = *s + 1;
	unsigned int value;

	if (!*p)
		return -EINVAL;
	if (!is_digit(*p)) {
		*out = (uint8_t)*p;
		*s = p + 1;
		return 0;
	}
	if (!is_digit(p[1]) || !is_digit(p[2]))
		return -EINVAL;
	value = (unsigned int)(p[0] - '0') * 100 + (unsigned int)(p[1] - '0') * 10 +
		(unsigned int)(p[2] - '0');
	if (value > 255)
		return -EINVAL;
	*out = (uint8_t)value;
	*s = p + 3;
	return 0;
}

int zone__from_text(const char *text, uint8_t wire[ZONE_WIRE_MAX], const char **why)
{
	uint8_t name[ZONE_WIRE_MAX];
	size_t len = 1, label = 0; /* label: where the length octet of the open label is */
	const char *s = text;

	if (strcmp(text, ".") == 0)
		s = "";
	while (*s) {
		uint8_t c = (uint8_t)*s;

		if (c == '.') {
			if (len == label + 1)
				return reject(
					why, "it has an empty label; write one dot between labels");
			name[label] = (uint8_t)(len - label - 1);
			label = len++;
			s++;
			/* The root's zero, or the next label's length, must still fit. */
			if (len > ZONE_WIRE_MAX)
				return reject(why, "it is longer than 255 octets; shorten it");
			continue;
		}
		if (c == '\\') {
			if (unescape(&s, &c))
				return reject(
					why,
					"it has a broken escape; write \\DDD (000 to 255) or \\X");
		} else if (c >= 0x80) {
			return reject(why, "it is not ASCII; write its xn-- form");
		} else if (!is_plain(c)) {
			return reject(why, BAD_CHARACTER);
		} else {
			s++;
		}
		if (len - label - 1 == ZONE_LABEL_MAX)
			return reject(why, "it has a label longer than 63 octets; shorten it");
		if (len == ZONE_WIRE_MAX)
			return reject(why, "it is longer than 255 octets; shorten it");
		name[len++] = lower(c);
	}
	if (len > label + 1) { /* no trailing dot: close the last label and add the root */
		if (len == ZONE_WIRE_MAX)
			return reject(why, "it is longer than 255 octets; shorten it");
		name[label] = (uint8_t)(len - label - 1);
		label = len++;
	}
	name[label] = 0;
	memcpy(wire, name, len);
	return (int)len;
}

size_t zone__to_text(const uint8_t *wire, char text[ZONE_TEXT_MAX])
{
	char *t = text;

	if (!*wire)
		*t++ = '.';
	while (*wire) {
		const uint8_t *end = wire + 1 + *wire;

		for (wire++; wire < end; wire++) {
			if (is_plain(*wire))
				*t++ = (char)*wire;
			else
				t += sprintf(t, "\\%03u", *wire);
		}
		*t++ = '.';
	}
	*t = '\0';
	return (size_t)(t - text);
}

int zone__parse_cidr(const char *text, struct zone_reverse *out, const char **why)
{
	const char *slash = strrchr(text, '/');
	struct zone_reverse rev = { 0 };
	unsigned int bits = 0, max, step;
	char addr[INET6_ADDRSTRLEN];
	const char *s;

	if (!slash || (size_t)(slash - text) >= sizeof(addr))
		return reject(why, BAD_CIDR);
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	if (inet_pton(AF_INET6, addr, rev.addr) == 1)
		rev.ipv6 = true;
	else if (inet_pton(AF_INET, addr, rev.addr) != 1)
		return reject(why, BAD_CIDR);

	max = rev.ipv6 ? 128 : 32;
	step = rev.ipv6 ? 4 : 8;
	for (s = slash + 1; is_digit(*s) && bits <= max; s++)
		bits = bits * 10 + (unsigned int)(*s - '0');
	if (s == slash + 1 || *s || bits > max)
		return reject(why, rev.ipv6 ? "its length is out of range; write 0 to 128"
					    : "its length is out of range; write 0 to 32");
	for (unsigned int i = bits; i < max; i++) /* host bits mean nothing here */
		rev.addr[i / 8] &= (uint8_t) ~(0x80 >> (i % 8));
	rev.prefix = (uint8_t)bits;
	rev.units = (uint8_t)((bits + step - 1) / step);
	rev.count = (uint8_t)(1u << (rev.units * step - bits));
	*out = rev;
	return 0;
}

int zone__reverse_at(const struct zone_reverse *rev, unsigned int index,
		     uint8_t wire[ZONE_WIRE_MAX])
{
	char text[16 * 4 + sizeof("ip6.arpa.") + 32], *t = text;
	uint8_t addr[16];
	const char *why;

	memcpy(addr, rev->addr, sizeof(addr));
	/* The bits between the prefix and the boundary lie in the last unit, which one octet holds.
	 */
	if (rev->units) {
		unsigned int last = rev->ipv6 ? (rev->units - 1u) / 2 : rev->units - 1u;
		unsigned int shift = rev->ipv6 && (rev->units & 1) ? 4 : 0;

		addr[last] |= (uint8_t)(index << shift);
	}
	for (unsigned int i = rev->units; i-- > 0;) {
		if (rev->ipv6)
			t += sprintf(t, "%x.", i & 1 ? addr[i / 2] & 0xf : addr[i / 2] >> 4);
		else
			t += sprintf(t, "%u.", addr[i]);
	}
	strcpy(t, rev->ipv6 ? "ip6.arpa." : "in-addr.arpa.");
	return zone__from_text(text, wire, &why);
}

bool zone__contains(const uint8_t *zone, size_t zone_len, const uint8_t *name, size_t name_len)
{
	size_t at = 0;

	if (zone_len > name_len)
		return false;
	while (name_len - at > zone_len) {
		if (!name[at] || name[at] > ZONE_LABEL_MAX)
			return false;
		at += 1u + name[at];
		if (at > name_len)
			return false;
	}
	return name_len - at == zone_len && memcmp(name + at, zone, zone_len) == 0;
}
