// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Packets of the agent's own events: headers of a reply, lengths and checksums by a second sum, and
 * how they are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <string.h>

#include "watch/note.h"

static uint8_t msg[70000];

/* RFC 1071, byte by byte; 0 over what has a right checksum in it. */
static uint16_t ones_complement(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < a_len; i++)
		sum += i & 1 ? a[i] : a[i] << 8;
	for (size_t i = 0; i < b_len; i++) {
		sum += i & 1 ? b[i] : b[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static unsigned int get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

/* The UDP checksum at @l4, over the whole message, not the part in the packet. */
static void assert_udp(const uint8_t *packet, size_t l3, size_t l4, size_t whole)
{
	static uint8_t datagram[8 + sizeof(msg)];
	uint8_t pseudo[40] = { 0 };
	size_t n = 0, addr = l4 - l3 == 40 ? 16 : 4;

	memcpy(pseudo, packet + l3 + (addr == 16 ? 8 : 12), 2 * addr);
	n = 2 * addr;
	pseudo[n + 1] = 17;
	pseudo[n + 2] = (8 + whole) >> 8;
	pseudo[n + 3] = (8 + whole) & 0xff;
	memcpy(datagram, packet + l4, 8);
	memcpy(datagram + 8, msg, whole);
	assert_int_equal(get16(packet + l4 + 4), 8 + whole);
	assert_int_not_equal(get16(packet + l4 + 6), 0);
	assert_int_equal(ones_complement(pseudo, n + 4, datagram, 8 + whole), 0);
}

static union sockaddr_any addr_of(const char *text)
{
	union sockaddr_any addr;

	assert_int_equal(sockaddr__parse(text, 53, &addr), 0);
	return addr;
}

static void check(const char *served, const char *client, size_t len, size_t whole)
{
	union sockaddr_any from = addr_of(served), to = addr_of(client);
	struct note_event event = { .client = &to, .served = &from, .msg = msg, .len = len };
	uint8_t *packet = malloc(NOTE_PACKET_MAX);
	bool ip6 = from.sa.sa_family == AF_INET6;
	size_t l4 = ip6 ? 54 : 34, part = len < NODENS_MAX_SNAP ? len : NODENS_MAX_SNAP;

	assert_int_equal(note__packet(&event, packet), l4 + 8 + part);
	assert_int_equal(event.about.l3, 14);
	assert_int_equal(event.about.l4, l4);
	assert_int_equal(event.about.flags, ip6 ? NODENS_EVENT_IP6 : 0);
	assert_int_equal(get16(packet + 12), ip6 ? 0x86dd : 0x0800);
	if (ip6) {
		assert_int_equal(packet[14] >> 4, 6);
		assert_int_equal(get16(packet + 18), 8 + whole);
		assert_int_equal(packet[20], 17);
		assert_memory_equal(packet + 22, &from.v6.sin6_addr, 16);
		assert_memory_equal(packet + 38, &to.v6.sin6_addr, 16);
	} else {
		assert_int_equal(packet[14], 0x45);
		assert_int_equal(get16(packet + 16), 28 + whole);
		assert_int_equal(packet[23], 17);
		assert_int_equal(ones_complement(packet + 14, 20, NULL, 0), 0);
		assert_memory_equal(packet + 26, &from.v4.sin_addr, 4);
		assert_memory_equal(packet + 30, &to.v4.sin_addr, 4);
	}
	assert_int_equal(get16(packet + l4), sockaddr__port(&from));
	assert_int_equal(get16(packet + l4 + 2), sockaddr__port(&to));
	assert_udp(packet, 14, l4, whole);
	assert_memory_equal(packet + l4 + 8, msg, part);
	free(packet);
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = { 12,
					33,
					34,
					512,
					1231,
					1232,
					NODENS_MAX_SNAP - 1,
					NODENS_MAX_SNAP,
					NODENS_MAX_SNAP + 1,
					4096,
					65507 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		check("169.254.20.10", "10.244.1.2:40001", sizes[i], sizes[i]);
		check("fd00:10:96::a", "[fd00:244::2]:65535", sizes[i], sizes[i]);
	}
}

/* Over TCP there are replies that are longer than a datagram can be. */
static void test_longer_than_a_datagram(void **state)
{
	(void)state;
	check("169.254.20.10", "10.244.1.2:40001", 65508, 65507);
	check("fd00:10:96::a", "[fd00:244::2]:40001", 65535, 65507);
}

/* A sum of 0 is written as ffff: 0 says that there is none. */
static void test_sum_of_zero(void **state)
{
	unsigned int zeros = 0;

	(void)state;
	for (unsigned int word = 0; word < 65536; word++) {
		union sockaddr_any from = addr_of("10.0.0.10"), to = addr_of("10.0.0.2:1");
		uint8_t packet[NOTE_PACKET_MAX], two[2] = { word >> 8, word & 0xff };
		struct note_event event = { .client = &to, .served = &from, .msg = two, .len = 2 };

		note__packet(&event, packet);
		assert_int_not_equal(get16(packet + 40), 0);
		zeros += get16(packet + 40) == 0xffff;
	}
	assert_int_equal(zeros, 1);
}

/* A socket of both families says ::ffff:a.b.c.d of a client over IPv4. */
static void test_mapped(void **state)
{
	union sockaddr_any from = { .v6 = { .sin6_family = AF_INET6, .sin6_port = htons(53) } };
	union sockaddr_any to = from;
	struct note_event event = { .client = &to, .served = &from, .msg = msg, .len = 40 };
	uint8_t packet[NOTE_PACKET_MAX];

	(void)state;
	inet_pton(AF_INET6, "::ffff:10.96.0.10", &from.v6.sin6_addr);
	inet_pton(AF_INET6, "::ffff:10.244.1.2", &to.v6.sin6_addr);
	assert_int_equal(note__packet(&event, packet), 14 + 20 + 8 + 40);
	assert_memory_equal(packet + 26, "\x0a\x60\x00\x0a\x0a\xf4\x01\x02", 8);
	assert_udp(packet, 14, 34, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_longer_than_a_datagram),
		cmocka_unit_test(test_sum_of_zero),
		cmocka_unit_test(test_mapped),
	};

	for (size_t i = 0; i < sizeof(msg); i++)
		msg[i] = i * 7 + (i >> 8);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
