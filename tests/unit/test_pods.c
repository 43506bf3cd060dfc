// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of the directory of libcni's results: read, followed, gone and back, full of what it should
 * not hold. The files name no devices, so that nothing need be wired; which of them are believed is
 * tests/ns/test_pod_names.py's.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "link/pods.h"
#include "virtual_loop.h"

#define SECOND NSEC_PER_SEC

static char dir[64];

static const char *path(const char *name)
{
	static char text[512];

	snprintf(text, sizeof(text), "%s/%s", dir, name);
	return text;
}

static void write_file(const char *name, const char *text)
{
	FILE *out = fopen(path(name), "w");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static void write_pod(const char *name, unsigned int number)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"cniArgs\":[[\"K8S_POD_NAMESPACE\",\"shop\"],[\"K8S_POD_NAME\",\"pod-%u\"]],"
		 "\"result\":{\"ips\":[{\"address\":\"192.0.2.%u/24\"}]}}",
		 number, number % 256);
	write_file(name, text);
}

static void run(const char *cmd)
{
	assert_int_equal(system(cmd), 0);
}

static int setup(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/nodens-pods-%d", (int)getpid());
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	run(cmd);
	return mkdir(dir, 0700);
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static struct pods_stats read_once(void)
{
	struct pods_stats stats;
	struct pods *pods;

	assert_int_equal(pods__open(NULL, dir, &pods), 0);
	stats = pods__stats(pods);
	pods__close(pods);
	return stats;
}

static void test_read_once(void **state)
{
	struct pods_stats stats;

	(void)state;
	write_pod("pods-a-eth0", 1);
	write_pod("pods-b-eth0", 2);
	write_file("tool-c-eth0", "{\"cniVersion\":\"0.3.1\"}");
	stats = read_once();
	assert_int_equal(stats.known, 2);
	assert_int_equal(stats.refused, 0);
}

/* What a broken plugin or disk may leave there. */
static void test_hostile(void **state)
{
	struct pods_stats stats;

	(void)state;
	write_pod("pods-a-eth0", 1);
	write_file("empty", "");
	write_file("cut", "{\"cniArgs\":[[\"K8S_POD_NAME\",\"po");
	write_file("escape", "{\"cniArgs\":[[\"K8S_POD_NAME\",\"a\\u001b[2J\"]],\"result\":{}}");
	write_file("\x1b[31mname", "");
	assert_int_equal(mkfifo(path("fifo"), 0600), 0);
	assert_int_equal(mkdir(path("folder"), 0700), 0);
	write_pod("large", 3);
	assert_int_equal(truncate(path("large"), 100 << 20), 0);
	assert_int_equal(symlink("pods-a-eth0", path("link")), 0);
	assert_int_equal(symlink("/dev/zero", path("endless")), 0);
	stats = read_once();
	assert_int_equal(stats.known, 1);
	assert_int_equal(stats.refused, 9);
}

static void test_bounded(void **state)
{
	struct pods_stats stats;
	char name[32];

	(void)state;
	for (unsigned int i = 0; i < PODS_MAX + 10; i++) {
		snprintf(name, sizeof(name), "pods-%u-eth0", i);
		write_pod(name, i);
	}
	stats = read_once();
	assert_int_equal(stats.known, PODS_MAX);
	assert_int_equal(stats.dropped, 10);
}

static void wait_for(struct virtual_loop *v, uint64_t ns)
{
	virtual_loop__run(v, v->now_ns + ns, NULL, NULL);
}

static void test_followed(void **state)
{
	struct virtual_loop v;
	struct pods *pods;
	char other[512];

	(void)state;
	assert_int_equal(virtual_loop__open(&v), 0);
	for (unsigned int i = 0; i < 100; i++) {
		char name[32];

		snprintf(name, sizeof(name), "pods-%u-eth0", i);
		write_pod(name, i);
	}
	assert_int_equal(pods__open(&v.loop, dir, &pods), 0);
	/* in turns, so that the loop is not held up */
	virtual_loop__io(&v);
	assert_int_equal(pods__stats(pods).known, 0);
	wait_for(&v, SECOND);
	assert_int_equal(pods__stats(pods).known, 100);

	write_pod("pods-100-eth0", 100);
	wait_for(&v, SECOND);
	assert_int_equal(pods__stats(pods).known, 101);
	write_pod("pods-100-eth0", 101); /* anew */
	wait_for(&v, SECOND);
	assert_int_equal(pods__stats(pods).known, 101);
	write_file("pods-100-eth0", ""); /* no pod any more */
	wait_for(&v, SECOND);
	assert_int_equal(pods__stats(pods).known, 100);
	unlink(path("pods-5-eth0"));
	wait_for(&v, SECOND);
	assert_int_equal(pods__stats(pods).known, 99);
	snprintf(other, sizeof(other), "%s.out", dir);
	assert_int_equal(rename(path("pods-6-eth0"), other), 0);
	wait_for(&v, SECOND);
	assert_int_equal(pods__stats(pods).known, 98);
	assert_int_equal(rename(other, path("pods-6-eth0")), 0);
	wait_for(&v, SECOND);
	assert_int_equal(pods__stats(pods).known, 99);
	pods__close(pods);
	virtual_loop__close(&v);
}

/* A node's first pod comes after nodens, and an operator may clear the directory away. */
static void test_directory_comes_and_goes(void **state)
{
	struct virtual_loop v;
	struct pods *pods;

	(void)state;
	assert_int_equal(virtual_loop__open(&v), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(pods__open(&v.loop, dir, &pods), 0);
	wait_for(&v, 60 * SECOND);
	assert_int_equal(pods__stats(pods).known, 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	write_pod("pods-a-eth0", 1);
	wait_for(&v, 11 * SECOND);
	assert_int_equal(pods__stats(pods).known, 1);
	unlink(path("pods-a-eth0"));
	assert_int_equal(rmdir(dir), 0);
	wait_for(&v, SECOND);
	assert_int_equal(pods__stats(pods).known, 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	write_pod("pods-b-eth0", 2);
	wait_for(&v, 11 * SECOND);
	assert_int_equal(pods__stats(pods).known, 1);
	write_pod("pods-c-eth0", 3);
	wait_for(&v, SECOND);
	assert_int_equal(pods__stats(pods).known, 2);
	pods__close(pods);
	virtual_loop__close(&v);
}

/* More events than the kernel queues (fs.inotify.max_queued_events, 16,384). */
static void test_overflow(void **state)
{
	struct virtual_loop v;
	struct pods *pods;

	(void)state;
	assert_int_equal(virtual_loop__open(&v), 0);
	assert_int_equal(pods__open(&v.loop, dir, &pods), 0);
	wait_for(&v, SECOND);
	for (unsigned int i = 0; i < 20000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "junk-%u", i % 50);
		unlink(path(name));
		write_file(name, "");
	}
	write_pod("pods-a-eth0", 1); /* its event is lost */
	wait_for(&v, 10 * SECOND);
	assert_int_equal(pods__stats(pods).known, 1);
	pods__close(pods);
	virtual_loop__close(&v);
}

/* Nothing leads there: nobody is believed, and what is printed is the address. */
static void test_not_alive(void **state)
{
	union sockaddr_any addr;
	struct served_addr ip;
	struct pod_name pod;
	struct pods *pods;
	char text[POD_TEXT];

	(void)state;
	write_pod("pods-a-eth0", 1);
	assert_int_equal(sockaddr__parse_ip("192.0.2.1", 0, &addr), 0);
	ip = served_addr__of(&addr);
	assert_int_equal(pods__open(NULL, dir, &pods), 0);
	assert_int_equal(pods__stats(pods).known, 1);
	assert_false(pods__find(pods, &ip, 0, &pod));
	assert_string_equal(pods__text(pods, &ip, 0, text, sizeof(text)), "192.0.2.1");
	assert_string_equal(pods__text(pods, &ip, 1, text, sizeof(text)), "192.0.2.1@lo");
	assert_string_equal(pods__text(pods, &ip, 1 << 20, text, sizeof(text)), "192.0.2.1");
	pods__close(pods);
	assert_int_equal(pods__open(NULL, "", &pods), 0);
	assert_false(pods__find(pods, &ip, 0, &pod));
	pods__close(pods);
	pods__close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_read_once),
		TEST(test_hostile),
		TEST(test_bounded),
		TEST(test_followed),
		TEST(test_directory_comes_and_goes),
		TEST(test_overflow),
		TEST(test_not_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
