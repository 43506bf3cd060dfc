// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of what is read out of an event: packets of messages by ldns, each cut at every octet, and
 * octets at random; each in memory that ends where the event does, for the sanitizers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "nodens_abi.h"
#include "watch/event.h"
#include "wire.h"

#define CLIENT4 "10.244.0.9"
#define SERVER4 "10.96.0.10"
#define CLIENT6 "fd00:10:244::9"
#define SERVER6 "fd00:10:96::a"

static struct nodens_event *made;

/* Ethernet, @vlans tags, IP, UDP of 53 and 4711, and the message of @m, as a reply or a query. */
static const struct nodens_event *event_of(const struct wire_message *m, bool ip6, int vlans,
					   uint8_t kind, bool to_client)
{
	static uint8_t msg[DNS_MAX_MSG];
	size_t dns_len = wire__build(msg, m), l3 = 14 + vlans * 4, l4 = l3 + (ip6 ? 40 : 20);
	size_t len = l4 + 8 + dns_len;
	uint8_t *p;

	free(made);
	made = calloc(1, sizeof(*made) + len);
	assert_non_null(made);
	made->kind = kind;
	made->flags = ip6 ? NODENS_EVENT_IP6 : 0;
	made->l3 = l3;
	made->l4 = l4;
	made->packet_len = made->captured = len;
	p = made->packet + l3;
	if (ip6) {
		inet_pton(AF_INET6, to_client ? SERVER6 : CLIENT6, p + 8);
		inet_pton(AF_INET6, to_client ? CLIENT6 : SERVER6, p + 24);
	} else {
		p[0] = 0x45;
		inet_pton(AF_INET, to_client ? SERVER4 : CLIENT4, p + 12);
		inet_pton(AF_INET, to_client ? CLIENT4 : SERVER4, p + 16);
	}
	p = made->packet + l4;
	p[to_client ? 1 : 3] = 53;
	p[to_client ? 2 : 0] = 4711 >> 8;
	p[to_client ? 3 : 1] = 4711 & 0xff;
	memcpy(p + 8, msg, dns_len);
	return made;
}

static void assert_client(const struct watch_event *e, bool ip6)
{
	char text[INET6_ADDRSTRLEN];

	assert_true(e->has_client);
	assert_string_equal(served_addr__text(&e->client, text, sizeof(text)),
			    ip6 ? CLIENT6 : CLIENT4);
	assert_string_equal(served_addr__text(&e->server, text, sizeof(text)),
			    ip6 ? SERVER6 : SERVER4);
	assert_int_equal(e->client_port, 4711);
	assert_int_equal(e->server_port, 53);
}

static void assert_question(const struct watch_event *e, const char *qname, uint16_t qtype)
{
	char text[DNS_NAME_TEXT];

	assert_true(e->has_header && e->has_question);
	dns_name__to_text(&e->qname, text, sizeof(text));
	assert_string_equal(text, qname);
	assert_int_equal(e->qtype, qtype);
}

static const struct wire_message query = { 0x1234, DNS_RD, "wWw.Example.org.", 28, { NULL } };
static const struct wire_message reply = {
	0x1234,
	DNS_QR | DNS_RD | DNS_RA | DNS_TC,
	"wWw.Example.org.",
	1,
	{ "wWw.Example.org. 21 IN A 192.0.2.1\nwWw.Example.org. 22 IN A 192.0.2.2" }
};

static void test_queries(void **state)
{
	struct watch_event e;

	(void)state;
	for (int i = 0; i < 4; i++) {
		uint8_t kind = i & 1 ? NODENS_EVENT_PASSED : NODENS_EVENT_TO_AGENT;

		event__decode(event_of(&query, i / 2, i, kind, false), &e);
		assert_client(&e, i / 2);
		assert_question(&e, "wWw.Example.org.", 28);
		assert_int_equal(e.id, 0x1234);
		assert_false(e.is_reply || e.has_ttl || e.truncated || e.answers);
	}
}

static void test_replies(void **state)
{
	static const uint8_t kinds[] = { NODENS_EVENT_ANSWERED, NODENS_EVENT_RETURNED,
					 NODENS_EVENT_AGENT };
	struct watch_event e;

	(void)state;
	for (int i = 0; i < 6; i++) {
		event__decode(event_of(&reply, i & 1, i / 3, kinds[i % 3], true), &e);
		assert_client(&e, i & 1);
		assert_question(&e, "wWw.Example.org.", 1);
		assert_true(e.is_reply && e.truncated && e.has_ttl);
		assert_int_equal(e.rcode, DNS_NOERROR);
		assert_int_equal(e.answers, 2);
		assert_int_equal(e.ttl_s, 21);
	}
}

/* What the agent could not answer: the query, on the reply's way. */
static void test_unanswered(void **state)
{
	struct nodens_event *raw;
	struct watch_event e;

	(void)state;
	raw = (struct nodens_event *)event_of(&query, false, 0, NODENS_EVENT_AGENT, true);
	raw->took_us = 5004123;
	raw->upstream = 3;
	raw->tries = 2;
	raw->time_ns = 77;
	raw->ifindex = 8;
	raw->outcome = NODENS_CTR_MISS;
	raw->flags = NODENS_EVENT_TIMEOUT | NODENS_EVENT_TCP;
	event__decode(raw, &e);
	assert_client(&e, false);
	assert_question(&e, "wWw.Example.org.", 28);
	assert_false(e.is_reply);
	assert_true(e.took_us == 5004123 && e.upstream == 3 && e.tries == 2 && e.time_ns == 77 &&
		    e.ifindex == 8 && e.outcome == NODENS_CTR_MISS && e.flags == raw->flags);
}

static void test_rcodes(void **state)
{
	struct wire_message m = { 7, DNS_QR | DNS_NXDOMAIN, "no.example.org.", 1, { NULL } };
	struct nodens_event *raw;
	struct watch_event e;

	(void)state;
	m.section[1] = "example.org. 30 IN SOA ns.example.org. h.example.org. 1 2 3 4 30";
	event__decode(event_of(&m, false, 0, NODENS_EVENT_ANSWERED, true), &e);
	assert_true(e.is_reply && e.rcode == DNS_NXDOMAIN && !e.answers && !e.has_ttl);

	/* BADVERS: 16, of which the header has 0 and OPT 1 */
	static const uint8_t opt[] = { 0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0 };

	m.flags = DNS_QR;
	event_of(&m, false, 0, NODENS_EVENT_AGENT, true);
	raw = realloc(made, sizeof(*raw) + made->captured + sizeof(opt));
	assert_non_null(raw);
	made = raw;
	memcpy(raw->packet + raw->captured, opt, sizeof(opt));
	raw->captured += sizeof(opt);
	raw->packet[raw->l4 + 8 + 11]++; /* ARCOUNT */
	event__decode(raw, &e);
	assert_int_equal(e.rcode, DNS_BADVERS);
}

static void test_segments(void **state)
{
	struct nodens_event *raw;
	struct watch_event e;

	(void)state;
	raw = (struct nodens_event *)event_of(&query, true, 0, NODENS_EVENT_TO_AGENT, false);
	raw->flags |= NODENS_EVENT_TCP;
	event__decode(raw, &e);
	assert_client(&e, true);
	assert_false(e.has_header || e.has_question);
}

/* Cut at @len, in memory of its own: what is still there is as in the whole. */
static void check_cut(const struct nodens_event *raw, size_t len, const struct watch_event *whole)
{
	struct nodens_event *cut = malloc(sizeof(*cut) + len);
	struct watch_event e;

	assert_non_null(cut);
	memcpy(cut, raw, sizeof(*cut) + len);
	cut->captured = len;
	event__decode(cut, &e);
	free(cut);
	if (e.has_client)
		assert_true(served_addr__same(&e.client, &whole->client) &&
			    e.client_port == whole->client_port);
	if (e.has_header)
		assert_true(e.has_client && e.id == whole->id && e.is_reply == whole->is_reply &&
			    e.answers == whole->answers);
	if (e.has_question)
		assert_true(e.has_header && dns_name__equal(&e.qname, &whole->qname) &&
			    e.qtype == whole->qtype);
	if (e.has_ttl)
		assert_true(e.has_question && e.ttl_s == whole->ttl_s);
}

static void test_cut(void **state)
{
	struct watch_event whole;

	(void)state;
	for (int i = 0; i < 4; i++) {
		const struct nodens_event *raw =
			event_of(i / 2 ? &reply : &query, i & 1, 0,
				 i / 2 ? NODENS_EVENT_ANSWERED : NODENS_EVENT_PASSED, i / 2);

		event__decode(raw, &whole);
		for (size_t len = 0; len <= raw->captured; len++)
			check_cut(raw, len, &whole);
	}
}

static void assert_sound(const struct watch_event *e)
{
	size_t at = 0;

	if (!e->has_question)
		return;
	assert_in_range(e->qname.len, 1, DNS_MAX_NAME);
	while (e->qname.wire[at])
		at += e->qname.wire[at] + 1;
	assert_int_equal(at + 1, e->qname.len);
}

/* Octets at random, and sound packets with some of them changed. */
static void test_random(void **state)
{
	(void)state;
	srand(7);
	for (int i = 0; i < 200000; i++) {
		const struct nodens_event *sound =
			event_of(i & 1 ? &reply : &query, i & 2, 0, rand() % 8, i & 1);
		size_t len = i % 3 ? sound->captured : rand() % 300;
		struct nodens_event *raw = malloc(sizeof(*raw) + len);
		struct watch_event e;

		assert_non_null(raw);
		if (i % 3) {
			memcpy(raw, sound, sizeof(*raw) + len);
			for (int n = rand() % 8; n; n--)
				raw->packet[rand() % len] = rand();
		} else {
			for (size_t at = 0; at < sizeof(*raw) + len; at++)
				((uint8_t *)raw)[at] = rand();
		}
		raw->captured = len;
		event__decode(raw, &e);
		assert_sound(&e);
		free(raw);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queries),	   cmocka_unit_test(test_replies),
		cmocka_unit_test(test_unanswered), cmocka_unit_test(test_rcodes),
		cmocka_unit_test(test_segments),   cmocka_unit_test(test_cut),
		cmocka_unit_test(test_random),
	};
	int ret = cmocka_run_group_tests(tests, NULL, NULL);

	free(made);
	return ret;
}
