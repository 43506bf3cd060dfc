// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * links: devices are reported as they come, change and go, also when messages are lost.
 *
 * Contract: needs root; works in a network namespace of its own, which goes with the process.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "link/monitor.h"

#define PAIRS	  50
#define PROMPT_MS 100 /* within which a new device is to be reported */

static bool private_netns;

struct seen {
	char name[16];
	struct netdev info;
	bool present;
	unsigned int reports, touches;
};

struct picture {
	struct seen list[1024];
	size_t len;
};

static struct seen *seen(struct picture *picture, const char *name)
{
	size_t i;

	for (i = 0; i < picture->len; i++)
		if (!strcmp(picture->list[i].name, name))
			return &picture->list[i];
	return NULL;
}

static void on_link(void *ctx, const struct netdev *info, bool gone)
{
	struct picture *picture = ctx;
	struct seen *s = seen(picture, info->name);

	if (!s) {
		assert_true(picture->len < sizeof(picture->list) / sizeof(picture->list[0]));
		s = &picture->list[picture->len++];
		memset(s, 0, sizeof(*s));
		snprintf(s->name, sizeof(s->name), "%s", info->name);
	}
	s->info = *info;
	s->present = !gone;
	s->reports++;
}

static bool present(struct picture *picture, const char *name)
{
	struct seen *s = seen(picture, name);

	return s && s->present;
}

static size_t count_present(struct picture *picture, const char *prefix)
{
	size_t i, n = 0;

	for (i = 0; i < picture->len; i++)
		n += picture->list[i].present &&
		     !strncmp(picture->list[i].name, prefix, strlen(prefix));
	return n;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

static void run(const char *cmd)
{
	assert_int_equal(system(cmd), 0);
}

/* A batch for ip(8): one process for many devices. */
static void batch(const char *fmt, unsigned int from, unsigned int to)
{
	FILE *ip = popen("ip -batch -", "w");
	unsigned int i;

	assert_non_null(ip);
	for (i = from; i < to; i++) {
		fprintf(ip, fmt, i, i);
		fputc('\n', ip);
	}
	assert_int_equal(pclose(ip), 0);
}

/* Dispatch until nothing has come for @quiet_ms. */
static void settle(struct monitor *monitor, int quiet_ms)
{
	struct pollfd pfd = { .fd = monitor__fd(monitor), .events = POLLIN };

	while (poll(&pfd, 1, quiet_ms) > 0)
		assert_int_equal(monitor__dispatch(monitor), 0);
}

static int setup(void **state)
{
	(void)state;
	private_netns = !unshare(CLONE_NEWNET);
	return 0;
}

static void need_root(void)
{
	if (!private_netns) {
		print_message("SKIP: needs root\n");
		skip();
	}
}

static void test_globs(void **state)
{
	static const struct {
		const char *globs, *name;
		bool match;
	} rows[] = {
		{ "", "eth0", false },
		{ NULL, "eth0", false },
		{ "eth0", "eth0", true },
		{ "eth0", "eth01", false },
		{ "eth*", "eth01", true },
		{ "cali*,veth*", "veth3", true },
		{ "cali*, veth*", "veth3", true },
		{ ",,", "eth0", false },
		{ ",eth0,", "eth0", true },
		{ "lxc[0-9]*", "lxc_health", false },
		{ "lxc[0-9]*", "lxc17", true },
		{ "veth?", "veth", false },
		{ "[", "eth0", false },
		{ "*", "eth0.100", true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(glob_list__match(rows[i].globs, rows[i].name), rows[i].match);
}

static void test_dump(void **state)
{
	static struct picture picture;
	struct monitor *monitor;

	(void)state;
	need_root();
	assert_int_equal(monitor__open(on_link, &picture, &monitor), 0);
	assert_int_equal(monitor__dump(monitor), 0);
	assert_true(present(&picture, "lo"));
	assert_int_equal(seen(&picture, "lo")->reports, 1);
	assert_int_equal(monitor__dump(monitor), 0); /* all there are, also the unchanged */
	assert_int_equal(seen(&picture, "lo")->reports, 2);
	monitor__close(monitor);
	monitor__close(NULL);
}

static void test_many(void **state)
{
	static struct picture picture;
	struct monitor *monitor;

	(void)state;
	need_root();
	assert_int_equal(monitor__open(on_link, &picture, &monitor), 0);
	batch("link add m%u type veth peer name n%u", 0, PAIRS);
	settle(monitor, 50);
	assert_int_equal(count_present(&picture, "m"), PAIRS);
	assert_int_equal(count_present(&picture, "n"), PAIRS);
	assert_string_equal(seen(&picture, "m7")->info.kind, "veth");
	assert_false(seen(&picture, "m7")->info.foreign_peer);
	assert_int_equal(seen(&picture, "m7")->info.ifindex, if_nametoindex("m7"));
	batch("link del m%u", 0, PAIRS);
	settle(monitor, 50);
	assert_int_equal(count_present(&picture, "m") + count_present(&picture, "n"), 0);
	/* Come and gone between two looks. */
	batch("link add m%u type veth peer name n%u", 0, 1);
	batch("link del m%u", 0, 1);
	batch("link add q%u type veth peer name r%u", 0, PAIRS);
	batch("link del q%u", 0, PAIRS);
	settle(monitor, 50);
	assert_int_equal(count_present(&picture, "q") + count_present(&picture, "r"), 0);
	monitor__close(monitor);
}

static void test_prompt(void **state)
{
	static struct picture picture;
	struct monitor *monitor;
	struct pollfd pfd;
	uint64_t start;

	(void)state;
	need_root();
	assert_int_equal(monitor__open(on_link, &picture, &monitor), 0);
	run("ip link add p0 type veth peer name p1");
	start = now_ms();
	pfd = (struct pollfd){ .fd = monitor__fd(monitor), .events = POLLIN };
	while (!present(&picture, "p0") && now_ms() - start < 1000)
		if (poll(&pfd, 1, 10) > 0)
			assert_int_equal(monitor__dispatch(monitor), 0);
	assert_true(now_ms() - start < PROMPT_MS);
	run("ip link del p0");
	settle(monitor, 50);
	assert_false(present(&picture, "p0"));
	monitor__close(monitor);
}

/* Neither end is up when the peer moves: the end that stays gets no message of its own. */
static void test_peer_moves(void **state)
{
	static struct picture picture;
	struct monitor *monitor;
	uint64_t start;
	int ends[2];
	char cmd[64], ready = 1;
	pid_t pod;

	(void)state;
	need_root();
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(monitor__open(on_link, &picture, &monitor), 0);
	run("ip link add h0 type veth peer name c0");
	settle(monitor, 50);
	assert_false(seen(&picture, "h0")->info.foreign_peer);
	pod = fork();
	assert_true(pod >= 0);
	if (!pod) {
		ready = unshare(CLONE_NEWNET) ? 1 : 0;
		if (write(ends[1], &ready, 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ends[0], &ready, 1), 1);
	assert_int_equal(ready, 0);
	snprintf(cmd, sizeof(cmd), "ip link set c0 netns %d", (int)pod);
	run(cmd);
	start = now_ms();
	while (!seen(&picture, "h0")->info.foreign_peer && now_ms() - start < PROMPT_MS)
		settle(monitor, 5);
	assert_true(seen(&picture, "h0")->info.foreign_peer);
	assert_false(present(&picture, "c0"));
	run("ip link set h0 up");
	settle(monitor, 50);
	assert_true(seen(&picture, "h0")->info.up);
	/* With the pod's namespace both ends go. */
	kill(pod, SIGKILL);
	assert_int_equal(waitpid(pod, NULL, 0), pod);
	settle(monitor, 300);
	assert_false(present(&picture, "h0"));
	monitor__close(monitor);
	close(ends[0]);
	close(ends[1]);
}

/* That a device leaves its bridge is announced as RTM_DELLINK too. */
static void test_bridge_port(void **state)
{
	static struct picture picture;
	struct monitor *monitor;

	(void)state;
	need_root();
	assert_int_equal(monitor__open(on_link, &picture, &monitor), 0);
	if (system("ip link add br0 type bridge 2>/dev/null")) {
		print_message("SKIP: no bridges on this kernel\n");
		monitor__close(monitor);
		skip();
	}
	run("ip link add b0 type veth peer name b1; ip link set b0 master br0;"
	    " ip link set b0 nomaster");
	settle(monitor, 50);
	assert_true(present(&picture, "b0"));
	run("ip link del br0; ip link del b0");
	monitor__close(monitor);
}

static void test_lost_messages(void **state)
{
	static struct picture picture;
	int small = 1, n;
	struct monitor *monitor;

	(void)state;
	need_root();
	assert_int_equal(monitor__open(on_link, &picture, &monitor), 0);
	batch("link add d%u type veth peer name e%u", 0, PAIRS);
	settle(monitor, 50);
	assert_int_equal(count_present(&picture, "d"), PAIRS);
	/* 2 KB of queue: nearly all that comes now is lost. */
	setsockopt(monitor__fd(monitor), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	batch("link del d%u", 0, PAIRS / 2);
	batch("link add f%u type veth peer name g%u", 0, PAIRS);
	for (n = 0; n < 5; n++)
		settle(monitor, 20);
	assert_int_equal(count_present(&picture, "d"), PAIRS - PAIRS / 2);
	assert_int_equal(count_present(&picture, "f"), PAIRS);
	assert_int_equal(count_present(&picture, "e"), PAIRS - PAIRS / 2);
	batch("link del f%u", 0, PAIRS);
	batch("link del d%u", PAIRS / 2, PAIRS);
	monitor__close(monitor);
}

static void on_touched(void *ctx, int ifindex)
{
	struct picture *picture = ctx;
	struct seen *s = seen(picture, "t0");

	if (s && s->info.ifindex == ifindex)
		s->touches++;
}

/* What changes nothing of struct netdev. */
static void test_touched(void **state)
{
	static struct picture picture;
	struct monitor *monitor;
	unsigned int reports;

	(void)state;
	need_root();
	assert_int_equal(monitor__open(on_link, &picture, &monitor), 0);
	assert_int_equal(monitor__watch(monitor, on_touched), 0);
	run("ip link add t0 type veth peer name t1");
	settle(monitor, 50);
	reports = seen(&picture, "t0")->reports;
	seen(&picture, "t0")->touches = 0;
	run("tc qdisc add dev t1 clsact");
	settle(monitor, 50);
	assert_int_equal(seen(&picture, "t0")->touches, 0);
	run("tc qdisc add dev t0 clsact");
	settle(monitor, 50);
	assert_int_equal(seen(&picture, "t0")->touches, 1);
	run("tc qdisc del dev t0 clsact");
	settle(monitor, 50);
	assert_int_equal(seen(&picture, "t0")->touches, 2);
	run("ip link set t0 mtu 1400");
	settle(monitor, 50);
	assert_true(seen(&picture, "t0")->touches > 2);
	assert_int_equal(seen(&picture, "t0")->reports, reports);
	run("ip link del t0");
	monitor__close(monitor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_globs),	      cmocka_unit_test(test_dump),
		cmocka_unit_test(test_many),	      cmocka_unit_test(test_prompt),
		cmocka_unit_test(test_peer_moves),    cmocka_unit_test(test_bridge_port),
		cmocka_unit_test(test_lost_messages), cmocka_unit_test(test_touched),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
