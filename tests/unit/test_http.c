// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of the HTTP endpoints over real sockets: a client thread of this program (raw requests) and
 * curl as a client that knows nothing of us. Time is the tests'.
 */
#include "http_fixture.h"

static void on_health(void *ctx, struct http_reply *reply)
{
	(void)ctx;
	evbuffer_add_printf(reply->body, "OK");
}

static void on_ready(void *ctx, struct http_reply *reply)
{
	struct world *w = ctx;

	reply->status = w->ready ? 200 : 503;
	evbuffer_add_printf(reply->body, w->ready ? "OK" : "cluster.local.");
}

static void on_big(void *ctx, struct http_reply *reply)
{
	static char block[65536];

	(void)ctx;
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 128; i++)
		evbuffer_add(reply->body, block, sizeof(block));
}

static int dial(uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void do_raw(struct task *task)
{
	int fd = dial(task->port);
	char buf[65536];
	ssize_t n;

	task->total = 0;
	memset(task->reply, 0, sizeof(task->reply));
	if (fd < 0)
		return;
	if (write(fd, task->request, strlen(task->request)) < 0)
		perror("write");
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (task->total + (size_t)n < sizeof(task->reply))
			memcpy(task->reply + task->total, buf, (size_t)n);
		task->total += (size_t)n;
	}
	close(fd);
}

static const char *raw(struct world *w, uint16_t port, const char *request)
{
	static struct task task;

	task = (struct task){ .fn = do_raw, .port = port, .request = request };
	run(w, &task);
	return task.reply;
}

static void test_paths(void **state)
{
	union sockaddr_any addr = free_addr("127.0.0.1");
	struct world *w = *state;
	unsigned int port = port_of(&addr);

	http__begin(w->http);
	assert_int_equal(http__serve(w->http, &addr, "/health", on_health, w), 0);
	assert_int_equal(http__serve(w->http, &addr, "/ready", on_ready, w), 0);
	/* the same again, as from another server block */
	assert_int_equal(http__serve(w->http, &addr, "/health", on_ready, w), 0);
	http__commit(w->http);
	assert_int_equal(w->told, 0);

	assert_string_equal(curl(w, "curl -s http://127.0.0.1:%u/health", port), "OK");
	assert_string_equal(curl(w, CODE "http://127.0.0.1:%u/ready", port), "503");
	assert_string_equal(curl(w, "curl -s http://127.0.0.1:%u/ready", port), "cluster.local.");
	w->ready = true;
	assert_string_equal(
		curl(w, "curl -s -w ' %%{http_code}' http://127.0.0.1:%u/ready?x=1", port),
		"OK 200");
	assert_string_equal(curl(w, CODE "http://127.0.0.1:%u/", port), "404");
	assert_string_equal(curl(w, CODE "-X POST -d x http://127.0.0.1:%u/health", port), "405");
	assert_string_equal(curl(w, CODE "-T /etc/services http://127.0.0.1:%u/health", port),
			    "405");
	assert_string_equal(
		curl(w, "curl -sI http://127.0.0.1:%u/health | grep -ci 'length: 2'", port), "1\n");
	assert_string_equal(curl(w,
				 CODE "-H \"X: $(head -c 9000 /dev/zero | tr '\\0' y)\" "
				      "http://127.0.0.1:%u/health",
				 port),
			    "431");
}

static void test_bad_requests(void **state)
{
	static const struct {
		const char *request, *status;
	} cases[] = {
		{ "GET /health HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n" },
		{ "GET /health HTTP/1.0\n\n", "HTTP/1.1 200 OK\r\n" },
		{ "HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n" },
		{ "\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n" },
		{ "GET\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n" },
		{ "GET /health\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n" },
		{ "GET health HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n" },
		{ "GET /health SMTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n" },
		{ "DELETE /health HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n" },
		{ "GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n" },
		/* what follows the first request is read away */
		{ "GET /health HTTP/1.1\r\n\r\nGET /none HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n" },
	};
	union sockaddr_any addr = free_addr("127.0.0.1");
	struct world *w = *state;

	http__begin(w->http);
	http__serve(w->http, &addr, "/health", on_health, w);
	http__commit(w->http);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *reply = raw(w, port_of(&addr), cases[i].request);

		if (strncmp(reply, cases[i].status, strlen(cases[i].status)) != 0)
			fail_msg("%s\n-> %s", cases[i].request, reply);
		assert_null(strstr(reply + 1, "HTTP/1.1"));
	}
	assert_null(
		strstr(raw(w, port_of(&addr), "HEAD /health HTTP/1.1\r\n\r\n"), "OK\r\n\r\nOK"));
}

/* Both families at one wildcard; one path each at two addresses. */
static void test_wildcard(void **state)
{
	union sockaddr_any addr = free_addr("::");
	struct world *w = *state;
	unsigned int port = port_of(&addr);

	http__begin(w->http);
	http__serve(w->http, &addr, "/health", on_health, w);
	http__commit(w->http);
	assert_string_equal(curl(w, "curl -s http://127.0.0.1:%u/health", port), "OK");
	assert_string_equal(curl(w, "curl -s -g 'http://[::1]:%u/health'", port), "OK");
}

/* A client in the middle of a long reply sees nothing of a reload that keeps the address. */
static void test_reload(void **state)
{
	union sockaddr_any kept = free_addr("127.0.0.1"), gone = free_addr("127.0.0.2"),
			   come = free_addr("127.0.0.3");
	struct world *w = *state;
	int fd, n;
	char buf[65536];
	size_t total = 0;

	http__begin(w->http);
	http__serve(w->http, &kept, "/big", on_big, w);
	http__serve(w->http, &gone, "/health", on_health, w);
	http__commit(w->http);
	fd = dial(port_of(&kept));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "GET /big HTTP/1.0\r\n\r\n", 21), 21);
	for (int i = 0; i < 20; i++)
		event_base_loop(w->v.loop.events, EVLOOP_NONBLOCK);

	http__begin(w->http);
	http__serve(w->http, &come, "/health", on_health, w);
	http__serve(w->http, &kept, "/big", on_big, w);
	http__serve(w->http, &kept, "/health", on_health, w);
	http__commit(w->http);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while ((n = (int)read(fd, buf, sizeof(buf))) != 0) {
		if (n > 0)
			total += (size_t)n;
		else
			event_base_loop(w->v.loop.events, EVLOOP_NONBLOCK);
	}
	close(fd);
	assert_true(total > 128 * 65536);
	assert_string_equal(curl(w, CODE "http://127.0.0.1:%u/health", port_of(&kept)), "200");
	assert_string_equal(curl(w, CODE "http://127.0.0.3:%u/health", port_of(&come)), "200");
	assert_string_equal(curl(w, CODE "http://127.0.0.2:%u/health", port_of(&gone)), "000");
}

/* Said once; bound as soon as it can be. */
static void test_retry(void **state)
{
	union sockaddr_any addr = free_addr("127.0.0.1");
	struct world *w = *state;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char want[HTTP_ADDR_TEXT];

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(struct sockaddr_in)), 0);
	assert_int_equal(listen(fd, 1), 0);
	http__begin(w->http);
	http__serve(w->http, &addr, "/health", on_health, w);
	http__commit(w->http);
	assert_int_equal(w->told, 1);
	assert_int_equal(w->errors[0], -EADDRINUSE);
	snprintf(want, sizeof(want), "127.0.0.1:%u", port_of(&addr));
	assert_string_equal(w->addr, want);
	assert_int_equal(http__retry(w->http), 1);
	assert_int_equal(w->told, 1);
	close(fd);
	assert_int_equal(http__retry(w->http), 0);
	assert_int_equal(w->told, 2);
	assert_int_equal(w->errors[1], 0);
	assert_string_equal(curl(w, CODE "http://127.0.0.1:%u/health", port_of(&addr)), "200");
}

/* Who holds connections open shuts nobody out: the oldest goes. */
static void test_many_connections(void **state)
{
	union sockaddr_any addr = free_addr("127.0.0.1");
	struct world *w = *state;
	int fds[3 * HTTP_MAX_CONNECTIONS], open = 0;
	char octet;

	http__begin(w->http);
	http__serve(w->http, &addr, "/health", on_health, w);
	http__commit(w->http);
	for (int i = 0; i < 3 * HTTP_MAX_CONNECTIONS; i++) {
		fds[i] = dial(port_of(&addr));
		assert_true(fds[i] >= 0);
		assert_int_equal(write(fds[i], "GET /he", 7), 7);
		event_base_loop(w->v.loop.events, EVLOOP_NONBLOCK);
	}
	assert_string_equal(curl(w, CODE "http://127.0.0.1:%u/health", port_of(&addr)), "200");
	for (int i = 0; i < 3 * HTTP_MAX_CONNECTIONS; i++) {
		ssize_t n = recv(fds[i], &octet, 1, MSG_DONTWAIT);

		open += n < 0 && errno == EAGAIN;
		close(fds[i]);
	}
	/* Of this host's all but the one that curl took the place of; another's would be 8. */
	assert_int_equal(open, HTTP_MAX_CONNECTIONS - 1);
}

/* Octets that trickle in do not keep a connection beyond its time. */
static void test_trickle(void **state)
{
	static const struct timeval patience = { 10, 0 };
	union sockaddr_any addr = free_addr("127.0.0.1");
	struct world *w = *state;
	uint64_t end;
	char octet;
	int fd;

	http__begin(w->http);
	http__serve(w->http, &addr, "/health", on_health, w);
	http__commit(w->http);
	fd = dial(port_of(&addr));
	while (list__empty(&w->v.timers)) /* not accepted yet */
		turn(w, 1);
	end = w->v.now_ns + HTTP_LIFETIME_S * NSEC_PER_SEC;
	while (w->v.now_ns < end - 100 * NSEC_PER_MS) {
		assert_int_equal(send(fd, "G", 1, MSG_NOSIGNAL), 1);
		virtual_loop__run(&w->v, w->v.now_ns + 100 * NSEC_PER_MS, NULL, NULL);
	}
	virtual_loop__run(&w->v, end - 1, NULL, NULL);
	assert_false(list__empty(&w->v.timers));
	assert_int_equal(recv(fd, &octet, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	virtual_loop__run(&w->v, end, NULL, NULL);
	assert_true(list__empty(&w->v.timers));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_true(recv(fd, &octet, 1, 0) == 0 || errno == ECONNRESET);
	close(fd);
}

static void test_bad_arguments(void **state)
{
	union sockaddr_any addr = free_addr("127.0.0.1"), none = { .sa.sa_family = AF_UNIX };
	char path[HTTP_PATH_MAX + 2];
	struct world *w = *state;

	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(http__serve(w->http, &addr, path, on_health, w), -EINVAL);
	assert_int_equal(http__serve(w->http, &none, "/", on_health, w), -EINVAL);
	http__close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wildcard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_connections, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trickle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_arguments, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
