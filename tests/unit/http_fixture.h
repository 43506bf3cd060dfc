/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Addresses with HTTP on them, and curl as a client that knows nothing of us: it runs in a thread
 * of this program while the loop turns here. Time is the tests'.
 */
#ifndef NODENS_HTTP_FIXTURE_H
#define NODENS_HTTP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/flags.h"
#include "observe/endpoints.h"
#include "virtual_loop.h"

struct world {
	struct virtual_loop v;
	struct http *http;
	bool ready;
	int told, errors[8];
	char addr[HTTP_ADDR_TEXT];
};

static inline void on_bound(void *ctx, const char *addr, int error)
{
	struct world *w = ctx;

	snprintf(w->addr, sizeof(w->addr), "%s", addr);
	w->errors[w->told++ % 8] = error;
}

static inline int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct http_config config = { .bound = on_bound, .ctx = w };

	assert_int_equal(virtual_loop__open(&w->v), 0);
	config.loop = &w->v.loop;
	assert_int_equal(http__open(&config, &w->http), 0);
	*state = w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	http__close(w->http);
	virtual_loop__close(&w->v);
	free(w);
	return 0;
}

/* An address with a port that is free at this moment. */
static inline union sockaddr_any free_addr(const char *ip)
{
	union sockaddr_any addr = { .sa.sa_family = strchr(ip, ':') ? AF_INET6 : AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(addr.sa.sa_family, SOCK_STREAM, 0);

	if (addr.sa.sa_family == AF_INET6)
		inet_pton(AF_INET6, ip, &((struct sockaddr_in6 *)&addr)->sin6_addr);
	else
		inet_pton(AF_INET, ip, &((struct sockaddr_in *)&addr)->sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	close(fd);
	return addr;
}

static inline uint16_t port_of(const union sockaddr_any *addr)
{
	return ntohs(((const struct sockaddr_in *)addr)->sin_port);
}

/* I/O for @ms of real time; timers wait for the test's. */
static inline void turn(struct world *w, unsigned int ms)
{
	struct timeval time = { 0, (long)ms * 1000 };

	event_base_loopexit(w->v.loop.events, &time);
	event_base_dispatch(w->v.loop.events);
}

/* Run @fn in a thread while the loop turns here. */
struct task {
	void (*fn)(struct task *task);
	uint16_t port;
	const char *request, *curl;
	char reply[4096];
	size_t total;
	atomic_bool done;
};

static inline void *task_main(void *arg)
{
	struct task *task = arg;

	task->fn(task);
	atomic_store(&task->done, true);
	return NULL;
}

static inline void run(struct world *w, struct task *task)
{
	pthread_t thread;

	atomic_store(&task->done, false);
	assert_int_equal(pthread_create(&thread, NULL, task_main, task), 0);
	while (!atomic_load(&task->done))
		turn(w, 2);
	pthread_join(thread, NULL);
}

static inline void do_curl(struct task *task)
{
	FILE *pipe = popen(task->curl, "r");

	task->total = fread(task->reply, 1, sizeof(task->reply) - 1, pipe);
	task->reply[task->total] = '\0';
	pclose(pipe);
}

static inline const char *curl(struct world *w, const char *fmt, ...)
{
	static struct task task;
	char command[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	task = (struct task){ .fn = do_curl, .curl = command };
	run(w, &task);
	return task.reply;
}

#define CODE "curl -s -o /dev/null -w '%%{http_code}' --max-time 3 "

#endif /* NODENS_HTTP_FIXTURE_H */
