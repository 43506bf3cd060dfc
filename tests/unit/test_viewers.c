// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The agent's events by its socket, from viewers.h to session.h: filters, counts, what a viewer
 * does not read, who is turned away; and filters held against events as the programs do it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "watch/filter.h"
#include "watch/session.h"
#include "watch/viewers.h"
#include "watch/viewers_priv.h"

static struct loop loop;
static struct viewers *viewers;
static char dir[] = "/tmp/nodens-viewers-XXXXXX", path[64];
static unsigned int got; /* events */
static struct nodens_event last;

/* ---- events ---- */

/* A reply: NXDOMAIN for wWw.Example.org A. */
static uint8_t reply[] = { 0x12, 0x34, 0x81, 0x83, 0,	1,   0,	  0,   0,   0,	 0,
			   0,	 3,    'w',  'W',  'w', 7,   'E', 'x', 'a', 'm', 'p',
			   'l',	 'e',  3,    'o',  'r', 'g', 0,	  0,   1,   0,	 1 };
static const uint8_t suffix[] = "\7example\3org";

static void send_reply(const char *client)
{
	union sockaddr_any peer, local;
	struct note_event event = {
		.client = &peer,
		.served = &local,
		.msg = reply,
		.len = sizeof(reply),
		.about = { .ifindex = 7, .took_us = 1234, .outcome = NODENS_CTR_MISS }
	};

	assert_int_equal(sockaddr__parse(client, 4000, &peer), 0);
	assert_int_equal(sockaddr__parse(peer.sa.sa_family == AF_INET ? "10.96.0.10" : "fd00::a",
					 53, &local),
			 0);
	viewers__send(viewers, &event);
}

static void on_event(void *ctx, const struct nodens_event *event)
{
	(void)ctx;
	last = *event;
	got++;
}

/* ---- a viewer ---- */

struct attempt {
	struct nodens_filter filter;
	struct session *session;
	struct error err;
	int ret;
	bool done;
};

static void *attempt(void *arg)
{
	struct attempt *a = arg;

	a->ret = session__connect(path, &a->filter, on_event, NULL, &a->session, &a->err);
	__atomic_store_n(&a->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void turn(void)
{
	event_base_loop(loop.events, EVLOOP_NONBLOCK);
}

/* The loop turns meanwhile, as the agent's does. */
static struct attempt connect_with(struct nodens_filter filter)
{
	struct attempt a = { .filter = filter };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, attempt, &a), 0);
	while (!__atomic_load_n(&a.done, __ATOMIC_ACQUIRE))
		turn();
	pthread_join(thread, NULL);
	return a;
}

static struct session *view(struct nodens_filter filter)
{
	struct attempt a = connect_with(filter);

	assert_int_equal(a.ret, 0);
	assert_true(viewers__wanted(viewers));
	return a.session;
}

static struct nodens_seen seen_by(const struct session *session)
{
	struct nodens_seen seen;

	assert_int_equal(session__seen(session, &seen), 0);
	return seen;
}

static unsigned int read_all(struct session *session)
{
	int n;

	got = 0;
	n = session__read(session, 0);
	assert_int_equal(n, got);
	return n;
}

/* ---- tests ---- */

static int begin(void **state)
{
	(void)state;
	assert_int_equal(loop__open(&loop), 0);
	return viewers__open(&loop, path, &viewers);
}

static int end(void **state)
{
	(void)state;
	viewers__close(viewers);
	loop__close(&loop);
	return 0;
}

static void nobody(void **state)
{
	struct stat st;

	(void)state;
	assert_false(viewers__wanted(viewers));
	assert_false(viewers__wanted(NULL));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void an_event(void **state)
{
	struct session *session = view(session__any());

	(void)state;
	send_reply("10.244.0.9");
	assert_int_equal(read_all(session), 1);
	assert_int_equal(last.kind, NODENS_EVENT_AGENT);
	assert_int_equal(last.ifindex, 7);
	assert_int_equal(last.took_us, 1234);
	assert_int_equal(last.packet_len, 14 + 20 + 8 + sizeof(reply));
	assert_int_equal(last.captured, last.packet_len);
	send_reply("fd00::9");
	assert_int_equal(read_all(session), 1);
	assert_int_equal(last.flags, NODENS_EVENT_IP6);
	assert_int_equal(last.packet_len, 14 + 40 + 8 + sizeof(reply));
	assert_int_equal(seen_by(session).sent, 2);
	session__close(session);
	turn();
	assert_false(viewers__wanted(viewers));
}

static void two_filters(void **state)
{
	struct nodens_filter mine = session__any();
	struct session *all = view(session__any()), *some;

	(void)state;
	inet_pton(AF_INET6, "::ffff:10.244.1.0", mine.client);
	inet_pton(AF_INET6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00", mine.client_mask);
	mine.snap = 60;
	some = view(mine);
	for (int i = 0; i < 10; i++)
		send_reply(i % 2 ? "10.244.1.9" : "10.244.0.9");
	assert_int_equal(read_all(all), 10);
	assert_int_equal(read_all(some), 5);
	assert_int_equal(last.captured, 60);
	assert_int_equal(seen_by(some).sent, 5);
	assert_int_equal(seen_by(some).filtered, 5);
	session__close(all);
	session__close(some);
}

static void read_in_parts(void **state)
{
	struct session *session = view(session__any());

	(void)state;
	for (int i = 0; i < 10; i++)
		send_reply("10.244.0.9");
	got = 0;
	assert_int_equal(session__read(session, 4), 4);
	assert_int_equal(got, 4);
	assert_int_equal(read_all(session), 6);
	session__close(session);
}

static void one_in(void **state)
{
	struct session *session = view(session__any());

	(void)state;
	session__set_one_in(session, 4);
	turn();
	for (int i = 0; i < 4000; i++)
		send_reply("10.244.0.9");
	/* 1,000 expected; six standard deviations are 164 */
	assert_in_range(read_all(session), 836, 1164);
	session__close(session);
}

static void who_does_not_read(void **state)
{
	struct session *lazy = view(session__any()), *other = view(session__any());
	struct nodens_seen seen;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		send_reply("10.244.0.9");
		read_all(other);
	}
	seen = seen_by(lazy);
	assert_true(seen.lost > 0 && seen.sent > 0);
	assert_int_equal(seen.lost + seen.sent, 20000);
	/* each holds more than 512 bytes of the kernel's: 140 of its own, and two heads */
	assert_in_range(seen.sent, 1, NODENS_RING_BYTES / 512);
	assert_int_equal(read_all(lazy), seen.sent);
	assert_int_equal(seen_by(other).sent, 20000);
	send_reply("10.244.0.9");
	assert_int_equal(read_all(lazy), 1);
	session__close(lazy);
	session__close(other);
}

static void too_many(void **state)
{
	struct session *session[NODENS_SESSIONS];
	struct attempt a;

	(void)state;
	for (int i = 0; i < NODENS_SESSIONS; i++)
		session[i] = view(session__any());
	a = connect_with(session__any());
	assert_int_equal(a.ret, -EUSERS);
	assert_non_null(strstr(a.err.text, "all sessions are in use"));
	session__close(session[3]);
	turn();
	session[3] = view(session__any());
	for (int i = 0; i < NODENS_SESSIONS; i++)
		session__close(session[i]);
}

static void the_agent_ends(void **state)
{
	struct session *session = view(session__any());

	(void)state;
	assert_true(session__renew(session));
	send_reply("10.244.0.9");
	viewers__close(viewers);
	viewers = NULL;
	assert_int_equal(read_all(session), 1);
	assert_false(session__renew(session));
	assert_int_equal(seen_by(session).sent, 1);
	session__close(session);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(viewers__open(&loop, path, &viewers), 0);
	session__close(view(session__any()));
}

static int raw_socket(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* The agent's answer to @len bytes; 1: none, and the end. */
static int answer_to(const void *request, size_t len)
{
	struct viewers_answer answer = { .error = 1 };
	int fd = raw_socket();
	ssize_t got_len;

	assert_int_equal(send(fd, request, len, 0), len);
	turn();
	turn();
	got_len = recv(fd, &answer, sizeof(answer), 0);
	if (got_len) {
		assert_int_equal(got_len, sizeof(answer));
		if (answer.error)
			assert_int_equal(recv(fd, &answer.version, 1, 0), 0);
	}
	close(fd);
	turn();
	assert_false(viewers__wanted(viewers));
	return answer.error;
}

/* What is no request is turned away, whatever it is. */
static void nonsense(void **state)
{
	union {
		struct viewers_request request;
		uint8_t bytes[2 * sizeof(struct viewers_request)];
	} sent = { .request = { .version = VIEWERS_VERSION + 1, .filter = session__any() } };
	const size_t right = sizeof(sent.request);
	int fd;

	(void)state;
	for (size_t len = 1; len <= sizeof(sent); len++)
		assert_int_equal(answer_to(&sent, len), -EPROTO);
	sent.request.version = VIEWERS_VERSION;
	for (size_t len = 1; len <= sizeof(sent); len++)
		assert_int_equal(answer_to(&sent, len), len == right ? 0 : -EPROTO);
	assert_int_equal(answer_to(&sent, 0), 1);
	fd = raw_socket(); /* and one that says nothing is no viewer */
	turn();
	assert_false(viewers__wanted(viewers));
	close(fd);
}

static void a_suffix_that_is_too_long(void **state)
{
	struct nodens_filter filter = session__any();
	struct session *session;

	(void)state;
	filter.suffix_len = 255;
	session = view(filter);
	send_reply("10.244.0.9");
	assert_int_equal(read_all(session), 0);
	assert_int_equal(seen_by(session).filtered, 1);
	session__close(session);
}

/* ---- what takes longer ---- */

static void on_signal(int number)
{
	(void)number;
}

/* Connects, with a signal each 20 ms; the loop turns only after so many. */
static int connect_with_signals(unsigned int signals)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct attempt a = { .filter = session__any() };
	pthread_t thread;

	sigaction(SIGUSR1, &action, NULL);
	assert_int_equal(pthread_create(&thread, NULL, attempt, &a), 0);
	while (!__atomic_load_n(&a.done, __ATOMIC_ACQUIRE)) {
		pthread_kill(thread, SIGUSR1);
		usleep(20000);
		if (!signals)
			turn();
		else
			signals--;
	}
	pthread_join(thread, NULL);
	session__close(a.session);
	return a.ret;
}

static void signals_meanwhile(void **state)
{
	(void)state;
	assert_int_equal(connect_with_signals(20), 0);
	assert_int_equal(connect_with_signals(UINT_MAX), -ETIMEDOUT);
}

static unsigned int turns_in(long ms)
{
	const struct timeval after = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	unsigned int n = 0;

	event_base_loopexit(loop.events, &after);
	do {
		event_base_loop(loop.events, EVLOOP_ONCE);
	} while (++n < 1000 && !event_base_got_exit(loop.events));
	return n;
}

/* The agent has better to do than to try again without an end. */
static void out_of_descriptors(void **state)
{
	struct viewers_request request = { .version = VIEWERS_VERSION, .filter = session__any() };
	struct rlimit before, none;
	int fd = raw_socket(), next = dup(fd);

	(void)state;
	send(fd, &request, sizeof(request), 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_cur = next, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_in_range(turns_in(300), 1, 5);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_false(viewers__wanted(viewers));
	turns_in(1500);
	assert_true(viewers__wanted(viewers));
	close(fd);
	turn();
}

/* ---- filters ---- */

static union {
	struct nodens_event head;
	uint8_t room[sizeof(struct nodens_event) + NOTE_PACKET_MAX];
} whole;

static void make_event(void)
{
	union sockaddr_any peer, local;
	struct note_event event = {
		.client = &peer, .served = &local, .msg = reply, .len = sizeof(reply)
	};

	sockaddr__parse("10.244.0.9", 4000, &peer);
	sockaddr__parse("10.96.0.10", 53, &local);
	whole.head = (struct nodens_event){ .kind = NODENS_EVENT_AGENT,
					    .outcome = NODENS_CTR_MISS,
					    .ifindex = 7 };
	whole.head.captured = note__packet(&event, whole.head.packet);
	whole.head.l3 = event.about.l3;
	whole.head.l4 = event.about.l4;
}

static bool lets_through(struct nodens_filter filter)
{
	return filter__matches(&filter, &whole.head);
}

#define WITH(...)                                             \
	({                                                    \
		struct nodens_filter filter = session__any(); \
		__VA_ARGS__;                                  \
		lets_through(filter);                         \
	})

static void filters(void **state)
{
	(void)state;
	make_event();
	assert_true(WITH());
	assert_true(WITH(filter.kinds = 1u << NODENS_EVENT_AGENT));
	assert_false(WITH(filter.kinds = 1u << NODENS_EVENT_PASSED));
	assert_false(WITH(filter.outcomes = 1ull << NODENS_CTR_TCP));
	assert_true(WITH(filter.ifindex = 7));
	assert_false(WITH(filter.ifindex = 8));
	assert_true(WITH(filter.rcodes = 1u << 3));
	assert_false(WITH(filter.rcodes = NODENS_ALL_RCODES & ~(1u << 3)));
	assert_true(WITH(filter.qtype = htons(1)));
	assert_false(WITH(filter.qtype = htons(28)));
	assert_true(WITH(memcpy(filter.suffix, suffix, filter.suffix_len = sizeof(suffix))));
	assert_false(WITH(memcpy(filter.suffix, "\3net", filter.suffix_len = 5)));
	assert_false(WITH(inet_pton(AF_INET6, "::ffff:10.244.1.0", filter.client);
			  memset(filter.client_mask, 0xff, 16)));
	/* longer than any name in it; cut in the middle of its question */
	assert_false(WITH(filter.suffix_len = NODENS_SUFFIX_MAX));
	whole.head.captured -= 6;
	assert_false(WITH(filter.qtype = htons(1)));
	assert_true(WITH());
}

/* Whatever a length says: what was captured ends at a page that nobody may read. */
static void filters_stay_within(void **state)
{
	struct nodens_filter filter = session__any();
	const size_t page = sysconf(_SC_PAGESIZE);
	uint8_t *pages;
	size_t all;

	(void)state;
	make_event();
	all = sizeof(whole.head) + whole.head.captured;
	filter.qtype = htons(1);
	memcpy(filter.suffix, suffix, filter.suffix_len = sizeof(suffix));
	pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
	for (size_t len = sizeof(whole.head); len <= all; len++) {
		struct nodens_event *cut = (struct nodens_event *)(pages + page - len);

		memcpy(cut, &whole, len);
		cut->captured = len - sizeof(*cut);
		assert_int_equal(filter__matches(&filter, cut), len >= all - 2);
	}
	munmap(pages, 2 * page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody, begin, end),
		cmocka_unit_test_setup_teardown(an_event, begin, end),
		cmocka_unit_test_setup_teardown(two_filters, begin, end),
		cmocka_unit_test_setup_teardown(read_in_parts, begin, end),
		cmocka_unit_test_setup_teardown(one_in, begin, end),
		cmocka_unit_test_setup_teardown(who_does_not_read, begin, end),
		cmocka_unit_test_setup_teardown(too_many, begin, end),
		cmocka_unit_test_setup_teardown(the_agent_ends, begin, end),
		cmocka_unit_test_setup_teardown(nonsense, begin, end),
		cmocka_unit_test_setup_teardown(a_suffix_that_is_too_long, begin, end),
		cmocka_unit_test_setup_teardown(signals_meanwhile, begin, end),
		cmocka_unit_test_setup_teardown(out_of_descriptors, begin, end),
		cmocka_unit_test(filters),
		cmocka_unit_test(filters_stay_within),
	};
	int ret;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/watch", dir);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return ret;
}
