// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of dnstap/: what is packed, field by field as the format's own description numbers them and
 * read here by hand; and the way to a reader, in a time that the tests set.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dnstap/tap.h"
#include "virtual_loop.h"

/* ---- Protocol Buffers, as they lie there ---- */

/* A field of a message: a number, or octets. */
struct field {
	unsigned int number, wire;
	uint64_t value;
	const uint8_t *data;
};

static uint64_t varint(const uint8_t **at)
{
	uint64_t value = 0;

	for (int shift = 0;; shift += 7) {
		uint8_t octet = *(*at)++;

		value |= (uint64_t)(octet & 0x7f) << shift;
		if (!(octet & 0x80))
			return value;
	}
}

static struct field next_field(const uint8_t **at)
{
	uint64_t key = varint(at);
	struct field field = { .number = key >> 3, .wire = key & 7 };
	uint32_t fixed;

	switch (field.wire) {
	case 0:
		field.value = varint(at);
		break;
	case 2:
		field.value = varint(at);
		field.data = *at;
		*at += field.value;
		break;
	case 5:
		memcpy(&fixed, *at, 4);
		field.value = fixed;
		*at += 4;
		break;
	default:
		fail_msg("wire type %u", field.wire);
	}
	return field;
}

/* The field @number of the @len octets at @at, once; wire 7: it is not there. */
static struct field field_of(const uint8_t *at, size_t len, unsigned int number)
{
	struct field found = { .wire = 7 };

	for (const uint8_t *end = at + len; at < end;) {
		struct field field = next_field(&at);

		assert_true(at <= end);
		if (field.number != number)
			continue;
		assert_int_equal(found.wire, 7);
		found = field;
	}
	return found;
}

static void assert_octets(struct field field, const void *data, size_t len)
{
	assert_int_equal(field.wire, 2);
	assert_int_equal(field.value, len);
	assert_memory_equal(field.data, data, len);
}

/* ---- messages ---- */

static const uint8_t octets[] = { 1, 2, 0, 255, 10 };

static struct tap_message a_message(enum tap_type type, const char *from, const char *to)
{
	static union sockaddr_any addrs[2];

	assert_int_equal(sockaddr__parse(from, 53, &addrs[0]), 0);
	assert_int_equal(sockaddr__parse(to, 53, &addrs[1]), 0);
	return (struct tap_message){
		.type = type,
		.querier = &addrs[0],
		.responder = &addrs[1],
		.query_ns = 1700000000123456789ull,
		.response_ns = 1700000001000000001ull,
		.msg = octets,
		.len = sizeof(octets),
		.identity = "node-7",
		.version = "nodens-1",
		.extra = "\"x\" {y}",
	};
}

/* The fields of Dnstap.message (14) of what @message is packed to, into @packed. */
static struct field pack(const struct tap_message *message, uint8_t packed[512])
{
	size_t len = tap_message__size(message);
	struct field inner;

	assert_true(len < 512);
	memset(packed, 0xaa, 512);
	tap_message__pack(message, packed);
	assert_int_equal(packed[len], 0xaa);
	inner = field_of(packed, len, 14);
	assert_int_equal(inner.wire, 2);
	assert_int_equal(field_of(packed, len, 15).value, 1); /* MESSAGE */
	return inner;
}

static void test_all_fields(void **state)
{
	struct tap_message message = a_message(TAP_CLIENT_RESPONSE, "10.0.0.1:41234", "10.0.0.2");
	uint8_t packed[512];
	struct field in = pack(&message, packed);
	size_t len = tap_message__size(&message);

	(void)state;
	assert_octets(field_of(packed, len, 1), "node-7", 6);
	assert_octets(field_of(packed, len, 2), "nodens-1", 8);
	assert_octets(field_of(packed, len, 3), "\"x\" {y}", 7);
	assert_int_equal(field_of(in.data, in.value, 1).value, 6); /* CLIENT_RESPONSE */
	assert_int_equal(field_of(in.data, in.value, 2).value, 1); /* INET */
	assert_int_equal(field_of(in.data, in.value, 3).value, 1); /* UDP */
	assert_octets(field_of(in.data, in.value, 4), "\x0a\0\0\x01", 4);
	assert_octets(field_of(in.data, in.value, 5), "\x0a\0\0\x02", 4);
	assert_int_equal(field_of(in.data, in.value, 6).value, 41234);
	assert_int_equal(field_of(in.data, in.value, 7).value, 53);
	assert_int_equal(field_of(in.data, in.value, 8).value, 1700000000);
	assert_int_equal(field_of(in.data, in.value, 9).value, 123456789);
	assert_int_equal(field_of(in.data, in.value, 9).wire, 5); /* fixed32 */
	assert_int_equal(field_of(in.data, in.value, 10).wire, 7);
	assert_int_equal(field_of(in.data, in.value, 12).value, 1700000001);
	assert_int_equal(field_of(in.data, in.value, 13).value, 1);
	assert_octets(field_of(in.data, in.value, 14), octets, sizeof(octets));
}

static void test_types(void **state)
{
	static const struct {
		enum tap_type type;
		unsigned int number, message, none;
	} rows[] = { { TAP_CLIENT_QUERY, 5, 10, 14 },
		     { TAP_CLIENT_RESPONSE, 6, 14, 10 },
		     { TAP_FORWARDER_QUERY, 7, 10, 14 },
		     { TAP_FORWARDER_RESPONSE, 8, 14, 10 } };
	uint8_t packed[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tap_message message = a_message(rows[i].type, "[fd00::1]:9", "[fd00::2]");
		struct field in;

		message.proto = i % 3;
		in = pack(&message, packed);
		assert_int_equal(field_of(in.data, in.value, 1).value, rows[i].number);
		assert_int_equal(field_of(in.data, in.value, 2).value, 2); /* INET6 */
		assert_int_equal(field_of(in.data, in.value, 3).value, i % 3 + 1);
		assert_int_equal(field_of(in.data, in.value, 4).value, 16);
		assert_octets(field_of(in.data, in.value, rows[i].message), octets, 5);
		assert_int_equal(field_of(in.data, in.value, rows[i].none).wire, 7);
	}
}

static void test_what_is_not_known(void **state)
{
	static const unsigned int absent[] = { 2, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14 };
	struct tap_message message = { .type = TAP_CLIENT_QUERY, .extra = "" };
	uint8_t packed[512];
	struct field in = pack(&message, packed);

	(void)state;
	for (unsigned int i = 1; i <= 3; i++)
		assert_int_equal(field_of(packed, tap_message__size(&message), i).wire, 7);
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		assert_int_equal(field_of(in.data, in.value, absent[i]).wire, 7);
}

/* ---- where ---- */

static void test_endpoints(void **state)
{
	static const struct {
		const char *from, *text; /* NULL: refused, */
		const char *why;	 /* and this is a part of why */
	} rows[] = {
		{ "/run/dnstap.sock", "unix:///run/dnstap.sock", NULL },
		{ "unix:/run/dnstap.sock", "unix:///run/dnstap.sock", NULL },
		{ "unix:///run/dnstap.sock", "unix:///run/dnstap.sock", NULL },
		{ "dnstap.sock", "unix://dnstap.sock", NULL },
		{ "tcp://127.0.0.1:6000", "tcp://127.0.0.1:6000", NULL },
		{ "tcp://[::1]:6000", "tcp://[::1]:6000", NULL },
		{ "tcp://127.0.0.1", NULL, "no address with a port" },
		{ "tcp://example.com:6000", NULL, "to look it up DNS would have to be there" },
		{ "tls://127.0.0.1:6000", NULL, "over TLS" },
		{ "unix://", NULL, "has no path" },
		{ "", NULL, "has no path" },
	};
	char text[TAP_ENDPOINT_TEXT], path[120];
	struct tap_endpoint endpoint;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = tap_endpoint__parse(rows[i].from, &endpoint);

		if (rows[i].text) {
			assert_null(why);
			assert_string_equal(tap_endpoint__text(&endpoint, text, sizeof(text)),
					    rows[i].text);
		} else {
			assert_non_null(why);
			assert_non_null(strstr(why, rows[i].why));
		}
	}
	memset(path, 'x', sizeof(path));
	path[108] = '\0';
	assert_non_null(tap_endpoint__parse(path, &endpoint));
	path[107] = '\0';
	assert_null(tap_endpoint__parse(path, &endpoint));
}

/* ---- a reader ---- */

#define QUEUE 100

struct world {
	struct virtual_loop v;
	char path[64];
	int listener, conn;
	struct tap *tap;
	uint64_t lost;
	int said[16], n_said;
};

static void on_changed(void *ctx, int error)
{
	struct world *world = ctx;

	assert_true(world->n_said < 16);
	world->said[world->n_said++] = error;
}

static void listen_again(struct world *world)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	unlink(world->path);
	strcpy(un.sun_path, world->path);
	world->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(world->listener, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(world->listener, 5), 0);
}

static void open_tap(struct world *world)
{
	struct tap_config config = {
		.loop = &world->v.loop,
		.queue = QUEUE,
		.send_buffer = 4096,
		.lost = &world->lost,
		.changed = on_changed,
		.ctx = world,
	};

	assert_null(tap_endpoint__parse(world->path, &config.to));
	assert_int_equal(tap__open(&config, &world->tap), 0);
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_int_equal(virtual_loop__open(&world->v), 0);
	snprintf(world->path, sizeof(world->path), "/tmp/test_dnstap.%d.sock", (int)getpid());
	listen_again(world);
	open_tap(world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	tap__close(world->tap);
	virtual_loop__close(&world->v);
	close(world->listener);
	if (world->conn > 0)
		close(world->conn);
	unlink(world->path);
	free(world);
	return 0;
}

static void pass(struct world *world, uint64_t ns)
{
	virtual_loop__run(&world->v, world->v.now_ns + ns, NULL, NULL);
}

/* A control frame: escape, length, type, and the content type if there is to be one. */
static size_t control(uint8_t *frame, uint32_t type, bool content)
{
	static const char text[] = "protobuf:dnstap.Dnstap";
	uint32_t words[5] = { 0, htonl(content ? 12 + 22 : 4), htonl(type), htonl(1), htonl(22) };

	memcpy(frame, words, content ? 20 : 12);
	if (content)
		memcpy(frame + 20, text, 22);
	return content ? 42 : 12;
}

/* What the tap has written so far, @len octets of it at most. */
static size_t take(struct world *world, uint8_t *data, size_t len)
{
	ssize_t n = recv(world->conn, data, len, MSG_DONTWAIT);

	return n > 0 ? n : 0;
}

static void expect_control(struct world *world, uint32_t type, bool content)
{
	uint8_t want[64], got[64];
	size_t len = control(want, type, content);

	assert_int_equal(take(world, got, len), len);
	assert_memory_equal(got, want, len);
}

static void tell(struct world *world, uint32_t type, bool content)
{
	uint8_t frame[64];
	size_t len = control(frame, type, content);

	assert_int_equal(send(world->conn, frame, len, MSG_NOSIGNAL), len);
	pass(world, 0);
}

enum { ACCEPT = 1, START = 2, STOP = 3, READY = 4, FINISH = 5 };

static void be_accepted(struct world *world)
{
	pass(world, 0);
	world->conn = accept(world->listener, NULL, NULL);
	assert_true(world->conn > 0);
	expect_control(world, READY, true);
	tell(world, ACCEPT, true);
	expect_control(world, START, true);
}

/* Message number @n says so by its ports. */
static void send_messages(struct world *world, unsigned int from, unsigned int to)
{
	for (unsigned int n = from; n < to; n++) {
		struct tap_message message = a_message(TAP_CLIENT_QUERY, "10.0.0.1", "10.0.0.2");
		union sockaddr_any querier = *(const union sockaddr_any *)message.querier;

		sockaddr__set_port(&querier, 1000 + n);
		message.querier = &querier;
		tap__send(world->tap, &message);
	}
	pass(world, 0);
}

/* What there is to be read is messages from number @from on; how many. */
static unsigned int expect_messages(struct world *world, unsigned int from)
{
	static uint8_t data[1 << 20];
	size_t len = 0, at = 0, n;
	unsigned int count = 0;

	while ((n = take(world, data + len, sizeof(data) - len)) > 0) {
		len += n;
		pass(world, 0);
	}
	while (at < len) {
		uint32_t size;
		struct field in;

		assert_true(len - at >= 4);
		memcpy(&size, data + at, 4);
		size = ntohl(size);
		assert_true(size && size <= len - at - 4);
		in = field_of(data + at + 4, size, 14);
		assert_int_equal(field_of(in.data, in.value, 6).value, 1000 + from + count);
		count++;
		at += 4 + size;
	}
	return count;
}

static void test_messages_arrive(void **state)
{
	struct world *world = *state;

	send_messages(world, 0, 10); /* before it has said that it reads dnstap */
	be_accepted(world);
	assert_int_equal(expect_messages(world, 0), 10);
	send_messages(world, 10, 40);
	assert_int_equal(expect_messages(world, 10), 30);
	assert_int_equal(world->lost, 0);
	assert_int_equal(world->n_said, 1);
	assert_int_equal(world->said[0], 0);
}

static void test_stop(void **state)
{
	struct world *world = *state;

	be_accepted(world);
	send_messages(world, 0, 3);
	tap__stop(world->tap);
	pass(world, 0);
	assert_false(tap__wanted(world->tap));
	send_messages(world, 3, 4);
	assert_int_equal(world->lost, 1);
	assert_false(tap__stopped(world->tap));
	recv(world->conn, (uint8_t[4096]){ 0 }, 4096, MSG_DONTWAIT);
	tell(world, FINISH, false);
	assert_true(tap__stopped(world->tap));
	pass(world, 100 * NSEC_PER_SEC);
	assert_true(tap__stopped(world->tap));
}

/* One that does not read: up to the queue they wait, and those that did arrive are the first. */
static void test_queue_is_bounded(void **state)
{
	struct world *world = *state;
	unsigned int first, count;

	be_accepted(world);
	send_messages(world, 0, 1000);
	assert_true(world->lost > 0 && world->lost < 1000);
	first = 1000 - world->lost;
	pass(world, 3600 * NSEC_PER_SEC);
	count = expect_messages(world, 0);
	assert_int_equal(count, first);
	send_messages(world, 1000, 1010);
	assert_int_equal(expect_messages(world, 1000), 10);
	assert_int_equal(world->n_said, 1);
}

static void test_reader_goes_and_comes_back(void **state)
{
	struct world *world = *state;

	be_accepted(world);
	close(world->listener);
	close(world->conn);
	pass(world, 0);
	assert_false(tap__wanted(world->tap));
	send_messages(world, 0, 7);
	assert_int_equal(world->lost, 7);
	pass(world, 10 * NSEC_PER_SEC);
	listen_again(world);
	pass(world, NSEC_PER_SEC);
	be_accepted(world);
	send_messages(world, 7, 9);
	assert_int_equal(expect_messages(world, 7), 2);
	assert_int_equal(world->lost, 7);
	/* each once, however often it was tried */
	assert_int_equal(world->n_said, 4);
	assert_int_equal(world->said[0], 0);
	assert_int_equal(world->said[1], -EPIPE);
	assert_int_equal(world->said[2], -ECONNREFUSED);
	assert_int_equal(world->said[3], 0);
}

/* What waits for a reader that goes is lost with it, and counted. */
static void test_what_waits_is_lost_with_the_reader(void **state)
{
	struct world *world = *state;

	pass(world, 0);
	world->conn = accept(world->listener, NULL, NULL);
	send_messages(world, 0, 5);
	assert_int_equal(world->lost, 0);
	close(world->conn);
	pass(world, 0);
	assert_int_equal(world->lost, 5);
}

static void test_who_reads_something_else(void **state)
{
	struct world *world = *state;
	uint8_t frame[64];
	size_t len = control(frame, ACCEPT, true);

	pass(world, 0);
	world->conn = accept(world->listener, NULL, NULL);
	frame[len - 1] ^= 1;
	send(world->conn, frame, len, 0);
	pass(world, 0);
	assert_int_equal(world->n_said, 1);
	assert_int_equal(world->said[0], -EPROTO);
	close(world->conn);
	pass(world, NSEC_PER_SEC);
	world->conn = accept(world->listener, NULL, NULL);
	send(world->conn, "HTTP/1.1 400\r\n", 14, 0);
	pass(world, 0);
	assert_int_equal(world->n_said, 1);
}

static void test_who_says_nothing(void **state)
{
	struct world *world = *state;

	pass(world, 3 * NSEC_PER_SEC);
	assert_int_equal(world->n_said, 0);
	pass(world, NSEC_PER_SEC + 1);
	assert_int_equal(world->n_said, 1);
	assert_int_equal(world->said[0], -ETIMEDOUT);
}

/* An ACCEPT that comes octet by octet, and every frame cut short or with one octet changed. */
static void test_hostile_reader(void **state)
{
	struct world *world = *state;
	uint8_t frame[64], octet[64];
	size_t len = control(frame, ACCEPT, true);

	pass(world, 0);
	world->conn = accept(world->listener, NULL, NULL);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(world->n_said, 0);
		assert_int_equal(send(world->conn, frame + i, 1, 0), 1);
		pass(world, 0);
	}
	assert_int_equal(world->said[0], 0);
	for (size_t i = 0; i < len; i++) {
		tap__close(world->tap);
		open_tap(world);
		world->n_said = 0;
		close(world->conn);
		/* the first is of the one before */
		close(accept(world->listener, NULL, NULL));
		pass(world, 2 * NSEC_PER_SEC);
		world->conn = accept(world->listener, NULL, NULL);
		memcpy(octet, frame, len);
		octet[i] ^= 0xff;
		send(world->conn, octet, len, MSG_NOSIGNAL);
		pass(world, 4 * NSEC_PER_SEC);
		for (int said = 0; said < world->n_said; said++)
			assert_int_not_equal(world->said[said], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_fields),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_what_is_not_known),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test_setup_teardown(test_messages_arrive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queue_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_goes_and_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_waits_is_lost_with_the_reader, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_who_reads_something_else, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_says_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_reader, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
