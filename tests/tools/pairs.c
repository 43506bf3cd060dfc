/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A and AAAA of one name at one instant from one new socket, many times over: what glibc does, and
 *what conntrack's race makes of it.
 *
 * Contract: each pair has a source port of its own; no query is sent again, so an answer lost stays
 *lost. Prints pairs=, complete= (both answers), half=, none=, wrong=.
 *
 *	pairs [-m] SERVER NAME COUNT [CONCURRENT]	(%u in NAME becomes the number of the pair)
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dnsq.h"

#define MAX_OPEN   512
#define TIMEOUT_NS 2000000000ull

struct pair {
	int fd;
	uint64_t sent_ns;
	unsigned int have; /* bit 0: A, bit 1: AAAA */
	size_t len[2];
	uint8_t query[2][DNSQ_MAX_QUERY];
};

static struct sockaddr_storage server;
static socklen_t server_len;
static const char *pattern;
static struct pair pairs[MAX_OPEN];
static unsigned long complete, half, none, wrong;

/*
 * The second sender, on a CPU of its own: both queries reach conntrack at the same time, as they do
 * where a resolver's threads or a node's softirqs meet. One sendmmsg() call (-m) sends them a few
 * hundred ns apart, on one CPU, which hardly ever clashes. Spinning, because a futex takes longer
 * to wake than a query to send.
 */
static struct pair *shared;
static _Atomic unsigned int go, done;
static _Atomic bool finished;
static bool one_call;

static void send_half(struct pair *pair, int which)
{
	if (send(pair->fd, pair->query[which], pair->len[which], 0) < 0)
		perror("send");
}

static void *second_sender(void *arg)
{
	unsigned int seen = 0;

	(void)arg;
	while (!finished) {
		if (go == seen)
			continue;
		send_half(shared, 1);
		seen++;
		done = seen;
	}
	return NULL;
}

static void send_pair(struct pair *pair)
{
	struct iovec iov[2];
	struct mmsghdr msgs[2] = { 0 };
	unsigned int turn;

	if (one_call) {
		for (int i = 0; i < 2; i++) {
			iov[i] = (struct iovec){ pair->query[i], pair->len[i] };
			msgs[i].msg_hdr.msg_iov = &iov[i];
			msgs[i].msg_hdr.msg_iovlen = 1;
		}
		if (sendmmsg(pair->fd, msgs, 2, 0) != 2)
			perror("sendmmsg");
		return;
	}
	shared = pair;
	turn = ++go;
	send_half(pair, 0);
	while (done != turn)
		;
}

/* The two senders on two different CPUs of those we may use. */
static int separate(pthread_t thread)
{
	cpu_set_t all, one;
	int n = 0;

	if (sched_getaffinity(0, sizeof(all), &all) || CPU_COUNT(&all) < 2)
		return -1;
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (pthread_setaffinity_np(n++ ? thread : pthread_self(), sizeof(one), &one))
			return -1;
	}
	return 0;
}

static int start_pair(struct pair *pair, unsigned int number)
{
	char name[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(name, sizeof(name), pattern, number);
#pragma GCC diagnostic pop
	pair->fd = socket(server.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (pair->fd < 0 || connect(pair->fd, (void *)&server, server_len)) {
		perror("socket");
		return -1;
	}
	for (int i = 0; i < 2; i++) {
		pair->len[i] =
			dnsq_build(pair->query[i], number * 2 + i, name, i ? DNSQ_AAAA : DNSQ_A);
		if (!pair->len[i])
			return -1;
	}
	pair->have = 0;
	pair->sent_ns = dnsq_now_ns();
	send_pair(pair);
	return 0;
}

static void finish_pair(struct pair *pair)
{
	if (pair->have == 3)
		complete++;
	else if (pair->have)
		half++;
	else
		none++;
	close(pair->fd);
	pair->fd = -1;
}

static void read_pair(struct pair *pair)
{
	uint8_t msg[4096];
	ssize_t len;
	int which;

	while ((len = recv(pair->fd, msg, sizeof(msg), 0)) >= 0) {
		which = len >= 12 ? msg[1] & 1 : 0;
		if (dnsq_replies_to(msg, len, pair->query[which], pair->len[which]) &&
		    !(msg[3] & 0x0f))
			pair->have |= 1 << which;
		else
			wrong++;
	}
}

/* Read what is there; wait for some of it when @block. Returns how many pairs are still open. */
static int turn(int n, bool block)
{
	struct pollfd pfd[MAX_OPEN];
	uint64_t now;
	int open = 0;

	for (int i = 0; i < n; i++)
		pfd[i] = (struct pollfd){ .fd = pairs[i].fd, .events = POLLIN };
	poll(pfd, n, block ? 10 : 0);
	now = dnsq_now_ns();
	for (int i = 0; i < n; i++) {
		if (pairs[i].fd < 0)
			continue;
		if (pfd[i].revents)
			read_pair(&pairs[i]);
		if (pairs[i].have == 3 || now > pairs[i].sent_ns + TIMEOUT_NS)
			finish_pair(&pairs[i]);
		else
			open++;
	}
	return open;
}

static int run(unsigned int count, int concurrent)
{
	unsigned int next = 0;
	int open = 0;

	for (int i = 0; i < concurrent; i++)
		pairs[i].fd = -1;
	while (next < count || open) {
		for (int i = 0; i < concurrent && next < count; i++)
			if (pairs[i].fd < 0 && start_pair(&pairs[i], next++))
				return -1;
		open = turn(concurrent, true);
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int count, concurrent;
	pthread_t thread;
	int err;

	one_call = argc > 1 && !strcmp(argv[1], "-m");
	argc -= one_call;
	argv += one_call;
	if (argc < 4 || dnsq_address(argv[1], 53, &server, &server_len)) {
		fprintf(stderr, "usage: pairs [-m] SERVER NAME COUNT [CONCURRENT]\n");
		return 2;
	}
	pattern = argv[2];
	count = atoi(argv[3]);
	concurrent = argc > 4 ? atoi(argv[4]) : 64;
	if (!count || !concurrent || concurrent > MAX_OPEN)
		return 2;
	if (!one_call && (pthread_create(&thread, NULL, second_sender, NULL) || separate(thread))) {
		fprintf(stderr, "pairs: needs two CPUs (or -m)\n");
		return 2;
	}
	err = run(count, concurrent);
	finished = true;
	if (!one_call)
		pthread_join(thread, NULL);
	if (err)
		return 2;
	printf("pairs=%u complete=%lu half=%lu none=%lu wrong=%lu\n", count, complete, half, none,
	       wrong);
	return 0;
}
