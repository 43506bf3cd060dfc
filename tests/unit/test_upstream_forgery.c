// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is not the answer of the upstream that was asked: leftovers, lies, strangers, forged
 * refusals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "upstream/upstream_priv.h"
#include "upstream_questions.h"

/* What an upstream would answer to the query with this ID: the length. */
static size_t forge(const struct question *q, uint16_t id, uint8_t msg[512])
{
	int len = dns_query__build(msg, 512, id, &q->exchange.qname, DNS_TYPE_A, 0, 0);

	assert_true(len > 0);
	return fake_answer(msg, len, 0);
}

/* Sockets serve again; ports do not: RFC 5452, 9.2. */
static void test_ports_and_ids_are_random(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	unsigned int ids = 0, last_id = 0;
	struct question q;

	(void)state;
	for (int i = 0; i < 500; i++) {
		ask(&f, group, &q);
		ids += f.fake[0].last_id != last_id;
		last_id = f.fake[0].last_id;
	}
	/* 500 of 28,000: about 4 twice. */
	assert_true(f.fake[0].n_ports > 470);
	assert_true(ids > 490);
	fixture_close(&f);
}

/* What arrives late for one query is never taken for the next one's answer, nor counted there. */
static void test_leftovers_are_thrown_away(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	struct question q;

	(void)state;
	f.fake[0].behaviour = FAKE_TWICE;
	for (int i = 0; i < 200; i++) {
		ask(&f, group, &q);
		assert_true(q.answered);
	}
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_MISMATCHES], 0);
	fixture_close(&f);
}

/*
 * One zone's server answers and sends as much besides as the socket holds: none of it is there when
 * another zone's server is asked, in that turn of the loop or in a later one.
 */
static void test_a_flood_stays_behind(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *liar = open_group(&f, "evil:53 {\n forward . %1\n}\n"
						     ".:53 {\n forward . %2\n}\n");
	struct upstream_group *group = open_more(&f, 1);
	struct question first, q;

	(void)state;
	f.fake[0].behaviour = FAKE_FLOODS;
	f.fake[1].behaviour = FAKE_SILENT;
	for (int turns = 0; turns < 2; turns++) {
		for (int i = 0; i < 20; i++) {
			ask(&f, liar, &first);
			assert_true(first.answered);
			if (turns)
				event_base_loop(f.v.loop.events, EVLOOP_NONBLOCK);
			question_set(&f, &q, "www.example.");
			assert_int_equal(exchange__start(group, &q.exchange, f.v.now_ns), 0);
			fixture_run_for(&f, 5);
			assert_int_equal(q.done, 0);
			exchange__cancel(&q.exchange);
		}
	}
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_MISMATCHES], 0);
	fixture_close(&f);
}

/*
 * Where the kernel lets a stranger's datagram through (between a socket's getting its port and its
 * peer, or one that was on its way when it was dissolved), its source tells.
 */
static void test_a_strangers_answer_that_was_delivered(void **state)
{
	static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	struct sockaddr_in at;
	socklen_t at_len = sizeof(at);
	struct question q;
	uint8_t msg[512];
	size_t len;
	int fd;

	(void)state;
	f.fake[0].behaviour = FAKE_SILENT;
	question_set(&f, &q, "www.example.");
	assert_int_equal(exchange__start(group, &q.exchange, f.v.now_ns), 0);
	fixture_run_for(&f, 20);
	fd = upstream_udp_fd(&q.exchange.attempts[0]);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &at_len), 0);
	assert_int_equal(connect(fd, &nowhere, sizeof(nowhere)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	len = forge(&q, f.fake[0].last_id, msg);
	sendto(f.fake[1].fd, msg, len, 0, (struct sockaddr *)&at, sizeof(at));
	fixture_run_for(&f, 20);
	assert_int_equal(q.done, 0);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_MISMATCHES], 1);
	sendto(f.fake[0].fd, msg, len, 0, (struct sockaddr *)&at, sizeof(at));
	assert_true(fixture_run(&f, &q.done, 1));
	assert_true(q.answered);
	fixture_close(&f);
}

static void test_lies_are_waited_over(void **state)
{
	static const enum behaviour lies[] = { FAKE_WRONG_ID_FIRST, FAKE_WRONG_QUESTION_FIRST };
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	struct question q;

	(void)state;
	for (int i = 0; i < 2; i++) {
		f.fake[0].behaviour = lies[i];
		ask(&f, group, &q);
		assert_true(q.answered);
		assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_MISMATCHES], i + 1);
	}
	assert_int_equal(f.fake[0].queries, 2);
	fixture_close(&f);
}

/* A stranger cannot even deliver: the socket is connected. */
static void test_a_strangers_answer(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct question q;
	uint8_t msg[512];
	size_t len;

	(void)state;
	f.fake[0].behaviour = FAKE_SILENT;
	question_set(&f, &q, "www.example.");
	assert_int_equal(exchange__start(group, &q.exchange, f.v.now_ns), 0);
	fixture_run_for(&f, 20);
	len = forge(&q, f.fake[0].last_id, msg);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(f.fake[0].last_port);
	sendto(f.fake[1].fd, msg, len, 0, (struct sockaddr *)&to, sizeof(to));
	fixture_run_for(&f, 20);
	assert_int_equal(q.done, 0);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAM_MISMATCHES], 0);
	sendto(f.fake[0].fd, msg, len, 0, (struct sockaddr *)&to, sizeof(to));
	assert_true(fixture_run(&f, &q.done, 1));
	assert_true(q.answered);
	fixture_close(&f);
}

/*
 * An ICMP message has no proof of where it comes from. The answer to the query that it was about
 * is still taken, after any number of others were sent.
 */
static void test_a_refusal_may_be_forged(void **state)
{
	struct upstream_fixture f;
	struct upstream_group *group = open_group(&f, ".:53 {\n forward . %1\n}\n");
	struct sockaddr_in to;
	socklen_t to_len = sizeof(to);
	struct question q;
	uint8_t msg[512];
	size_t len;

	(void)state;
	fake_close(&f.fake[0]);
	question_set(&f, &q, "www.example.");
	assert_int_equal(exchange__start(group, &q.exchange, f.v.now_ns), 0);
	assert_int_equal(getsockname(upstream_udp_fd(&q.exchange.attempts[0]),
				     (struct sockaddr *)&to, &to_len),
			 0);
	len = forge(&q, q.exchange.attempts[0].id, msg);
	fixture_run_for(&f, READ_NS / NSEC_PER_MS - 50);
	assert_int_equal(q.done, 0);
	assert_true(f.stats.v[AGENT_STAT_UPSTREAM_ERRORS] > 4);
	assert_int_equal(f.stats.v[AGENT_STAT_UPSTREAMS_DOWN], 0);
	f.fake[0].behaviour = FAKE_SILENT;
	assert_int_equal(fake_reopen(&f.fake[0]), 0);
	sendto(f.fake[0].fd, msg, len, 0, (struct sockaddr *)&to, sizeof(to));
	assert_true(fixture_run(&f, &q.done, 1));
	assert_true(q.answered);
	fixture_close(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports_and_ids_are_random),
		cmocka_unit_test(test_leftovers_are_thrown_away),
		cmocka_unit_test(test_a_flood_stays_behind),
		cmocka_unit_test(test_a_strangers_answer_that_was_delivered),
		cmocka_unit_test(test_lies_are_waited_over),
		cmocka_unit_test(test_a_strangers_answer),
		cmocka_unit_test(test_a_refusal_may_be_forged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
