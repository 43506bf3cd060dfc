// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of who holds how many of the server's TCP connections, over real sockets: clients are
 * addresses of lo.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/counters.h"
#include "base/clock.h"
#include "server/server.h"
#include "virtual_loop.h"

#define MAX_TCP 64

struct world {
	struct virtual_loop v;
	struct server *server;
	struct agent_stats stats;
	struct sockaddr_in addr;
	unsigned int queries;
	int full, told;
	int crowded;
	bool by_device; /* every other address is behind one device */
};

static void on_query(void *ctx, const struct client *client, const struct dns_query *query,
		     uint64_t now)
{
	(void)client, (void)query, (void)now;
	((struct world *)ctx)->queries++;
}

static void on_full(void *ctx, bool full)
{
	struct world *w = ctx;

	w->full = full;
	w->told++;
}

static void on_crowded(void *ctx, bool crowded)
{
	struct world *w = ctx;

	assert_int_equal(crowded, w->crowded % 2 == 0);
	w->crowded++;
}

static uint32_t on_device(void *ctx, const struct sockaddr *peer)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;

	return ((struct world *)ctx)->by_device && ntohl(v4->sin_addr.s_addr) % 2 ? 7 : 0;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct server_config config = {
		.stats = &w->stats,
		.max_tcp = MAX_TCP,
		.query = on_query,
		.full = on_full,
		.crowded = on_crowded,
		.device = on_device,
		.ctx = w,
	};
	socklen_t len = sizeof(w->addr);
	union sockaddr_any addr = { .sa.sa_family = AF_INET };
	int fd;

	assert_int_equal(virtual_loop__open(&w->v), 0);
	config.loop = &w->v.loop;
	assert_int_equal(server__open(&config, &w->server), 0);
	((struct sockaddr_in *)&addr)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = server__socket(&addr, SOCK_STREAM);
	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&w->addr, &len), 0);
	assert_int_equal(server__add_tcp(w->server, fd), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	server__close(w->server);
	virtual_loop__close(&w->v);
	free(w);
	return 0;
}

static void turn(struct world *w)
{
	virtual_loop__io(&w->v);
}

/* A connection of 127.0.0.@host; @asks: with a query that is never answered. */
static int dial(struct world *w, unsigned int host, bool asks)
{
	/* "a." of type A, class IN */
	static const uint8_t query[] = "\0\23\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1";
	struct sockaddr_in from = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(0x7f000000 | host) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&w->addr, sizeof(w->addr)), 0);
	if (asks)
		assert_int_equal(send(fd, query, sizeof(query) - 1, MSG_NOSIGNAL),
				 sizeof(query) - 1);
	turn(w);
	return fd;
}

static bool is_open(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static unsigned int count_open(const int *fds, unsigned int n)
{
	unsigned int open = 0;

	for (unsigned int i = 0; i < n; i++)
		open += is_open(fds[i]);
	return open;
}

static void hang_up(const int *fds, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		close(fds[i]);
}

/* One client gets half of the table, and keeps its newest. */
static void test_one_client(void **state)
{
	struct world *w = *state;
	int fds[MAX_TCP];

	for (unsigned int i = 0; i < MAX_TCP; i++)
		fds[i] = dial(w, 2, true);
	assert_int_equal(w->stats.v[AGENT_STAT_TCP_OPEN], MAX_TCP / 2);
	assert_int_equal(w->stats.v[AGENT_STAT_TCP_EVICTED], MAX_TCP / 2);
	assert_int_equal(w->queries, MAX_TCP);
	assert_int_equal(count_open(fds, MAX_TCP / 2), 0);
	assert_int_equal(count_open(fds + MAX_TCP / 2, MAX_TCP / 2), MAX_TCP / 2);
	assert_int_equal(w->told, 0);
	hang_up(fds, MAX_TCP);
}

/* A pod with many addresses is one client, and its heaviest address gives way. */
static void test_one_device(void **state)
{
	struct world *w = *state;
	int fds[MAX_TCP], other;

	w->by_device = true;
	for (unsigned int i = 0; i < MAX_TCP / 4; i++)
		fds[i] = dial(w, 3, true);
	for (unsigned int i = MAX_TCP / 4; i < MAX_TCP; i++)
		fds[i] = dial(w, 5 + 2 * i, true);
	other = dial(w, 4, true);
	assert_int_equal(w->stats.v[AGENT_STAT_TCP_OPEN], MAX_TCP / 2 + 1);
	assert_true(is_open(other));
	assert_true(count_open(fds, MAX_TCP / 4) <= 1);
	hang_up(fds, MAX_TCP);
	close(other);
}

/* The table full: the heaviest gives way, whoever holds little keeps what is in use. */
static void test_heaviest_gives_way(void **state)
{
	struct world *w = *state;
	int heavy[MAX_TCP / 2], light[MAX_TCP / 2], late;

	for (unsigned int i = 0; i < MAX_TCP / 2; i++) {
		light[i] = dial(w, 10 + i / 4, true);
		heavy[i] = dial(w, 2, true);
	}
	assert_int_equal(w->stats.v[AGENT_STAT_TCP_OPEN], MAX_TCP);
	late = dial(w, 99, true);
	assert_true(is_open(late));
	assert_int_equal(count_open(light, MAX_TCP / 2), MAX_TCP / 2);
	assert_false(is_open(heavy[0]));
	assert_int_equal(count_open(heavy, MAX_TCP / 2), MAX_TCP / 2 - 1);
	assert_int_equal(w->told, 0);
	hang_up(light, MAX_TCP / 2);
	hang_up(heavy, MAX_TCP / 2);
	close(late);
}

/* Full of clients that hold little: what comes is turned away, and that is told; and taken back. */
static void test_full(void **state)
{
	struct world *w = *state;
	int fds[MAX_TCP], late;

	for (unsigned int i = 0; i < MAX_TCP; i++)
		fds[i] = dial(w, 10 + i / SERVER_TCP_FAIR, i > 0);
	assert_int_equal(w->told, 0);
	late = dial(w, 99, true);
	assert_false(is_open(late));
	assert_int_equal(count_open(fds, MAX_TCP), MAX_TCP);
	assert_int_equal(w->stats.v[AGENT_STAT_TCP_REJECTED], 1);
	assert_int_equal(w->full, true);
	close(late);
	/* one that is silent for a second does make room */
	virtual_loop__run(&w->v, w->v.now_ns + NSEC_PER_SEC, NULL, NULL);
	assert_int_equal(w->full, false);
	late = dial(w, 99, true);
	assert_true(is_open(late));
	assert_false(is_open(fds[0]));
	assert_int_equal(count_open(fds + 1, MAX_TCP - 1), MAX_TCP - 1);
	hang_up(fds, MAX_TCP);
	close(late);
}

/* A burst of 2,000 is taken whole; what is too much is told while it is, and counted. */
static void test_receive_queue(void **state)
{
	static const uint8_t query[] = "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1";
	struct world *w = *state;
	union sockaddr_any addr = { .sa.sa_family = AF_INET };
	socklen_t len = sizeof(addr);
	const int burst = 2000, flood = 60000;
	/* as the private namespace's: nothing set */
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int client = socket(AF_INET, SOCK_DGRAM, 0);

	((struct sockaddr_in *)&addr)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(server__add_udp(w->server, fd, AF_INET, 53), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&addr, len), 0);
	for (int i = 0; i < burst; i++)
		assert_true(send(client, query, sizeof(query) - 1, 0) > 0);
	turn(w);
	assert_int_equal(w->queries, burst);
	assert_int_equal(w->crowded, 0);
	assert_int_equal(w->stats.v[AGENT_STAT_RECEIVE_DROPS], 0);
	for (int i = 0; i < flood; i++)
		assert_true(send(client, query, sizeof(query) - 1, 0) > 0);
	turn(w);
	/* begun and ended */
	assert_int_equal(w->crowded, 2);
	assert_true(w->stats.v[AGENT_STAT_RECEIVE_DROPS] > 0);
	assert_int_equal(w->queries + w->stats.v[AGENT_STAT_RECEIVE_DROPS], burst + flood);
	close(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_client, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_device, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heaviest_gives_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive_queue, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
