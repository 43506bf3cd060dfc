// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of /health, /ready and /metrics as a Corefile asks for them.
 */
#include "http_fixture.h"

static void on_other(void *ctx, struct http_reply *reply)
{
	(void)ctx;
	evbuffer_add_printf(reply->body, "other");
}

static const struct metrics_tls in_the_clear;

static bool is_ready(void *ctx, char *why)
{
	struct world *w = ctx;

	strcpy(why, "cluster.local.");
	return w->ready;
}

/* A page that is younger than the last. */
static const char *new_page(struct world *w, const char *command, unsigned int port)
{
	w->v.now_ns += 100 * NSEC_PER_MS;
	return curl(w, command, port);
}

/* The checks so far, as the page has them, at the latest after some seconds of a busy machine. */
static void assert_checks(struct world *w, unsigned int port, unsigned int answered,
			  unsigned int failed)
{
	static const char metrics_of[] =
		"curl -s http://127.0.0.1:%u/metrics |"
		" grep -E '^coredns_health_request.*(count|failures_total) ' | sort";
	const char *page = "";
	char want[128];

	snprintf(want, sizeof(want),
		 "coredns_health_request_duration_seconds_count %u\n"
		 "coredns_health_request_failures_total %u\n",
		 answered, failed);
	for (int i = 0; i < 100; i++) {
		page = new_page(w, metrics_of, port);
		if (!strcmp(page, want))
			break;
		turn(w, 50);
	}
	assert_string_equal(page, want);
}

static void configure(struct endpoints *ep, struct metrics *metrics,
		      const union sockaddr_any *extra, const char *fmt, ...)
{
	struct error err = { "" };
	struct corefile *cf;
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (corefile__parse(&corefile_host_options, "Corefile", text, strlen(text), &cf, &err))
		fail_msg("%s", err.text);
	assert_int_equal(metrics__configure(metrics, cf), 0);
	assert_int_equal(endpoints__configure(ep, cf, extra, !!extra), 0);
	corefile__free(cf);
}

#define BLOCKS                                                           \
	"a.example {\n forward . 9.9.9.9\n prometheus 127.0.0.1:%u\n}\n" \
	". {\n forward . 9.9.9.9\n health 127.0.0.1:%u\n prometheus 127.0.0.1:%u\n}\n"

static void test_endpoints(void **state)
{
	union sockaddr_any addr = free_addr("127.0.0.1"), extra = free_addr("127.0.0.1");
	unsigned int port = port_of(&addr), extra_port = port_of(&extra);
	struct world *w = *state;
	struct metrics_config none = { .loop = &w->v.loop };
	struct endpoints_config config = { .loop = &w->v.loop,
					   .ready = is_ready,
					   .tls = &in_the_clear,
					   .bound = on_bound,
					   .ctx = w };
	struct endpoints *ep;

	assert_int_equal(metrics__open(&none, &config.metrics), 0);
	assert_int_equal(endpoints__open(&config, &ep), 0);
	/* three directives, one address; and one more for the metrics */
	configure(ep, config.metrics, &extra, BLOCKS, port, port, port);
	assert_int_equal(w->told, 0);
	for (unsigned int i = 1; i <= 3; i++) {
		endpoints__tick(ep);
		assert_checks(w, extra_port, i, 0);
	}
	assert_string_equal(curl(w, "curl -s http://127.0.0.1:%u/health", port), "OK");
	assert_string_equal(curl(w,
				 "curl -s http://127.0.0.1:%u/metrics | promtool check metrics "
				 "2>&1 | head -5",
				 port),
			    "");
	assert_string_equal(curl(w,
				 "curl -sI http://127.0.0.1:%u/metrics | tr -d '\\r' |"
				 " sed -n 's/Content-Type: //p'",
				 port),
			    METRICS_CONTENT_TYPE "\n");
	assert_string_equal(curl(w, CODE "http://127.0.0.1:%u/health", extra_port), "404");
	/* gone from the file: gone from the net */
	configure(ep, config.metrics, NULL, ". {\n forward . 9.9.9.9\n}\n");
	endpoints__tick(ep);
	assert_string_equal(curl(w, CODE "http://127.0.0.1:%u/health", port), "000");
	/* The address is taken: it is told, and the check fails as long. */
	assert_int_equal(http__serve(w->http, &addr, "/other", on_other, w), 0);
	http__commit(w->http);
	configure(ep, config.metrics, &extra, BLOCKS, port, port, port);
	assert_int_equal(w->told, 1);
	endpoints__tick(ep);
	assert_checks(w, extra_port, 3, 1);
	endpoints__tick(ep); /* a check under way is no leak */
	endpoints__close(ep);
	metrics__close(config.metrics);
}

/* Of a /health that connects and says nothing. */
static void test_check_without_an_answer(void **state)
{
	union sockaddr_any addr = free_addr("127.0.0.1"), extra = free_addr("127.0.0.1");
	unsigned int port = port_of(&addr), extra_port = port_of(&extra);
	struct world *w = *state;
	struct metrics_config none = { .loop = &w->v.loop };
	struct endpoints_config config = {
		.loop = &w->v.loop, .ready = is_ready, .tls = &in_the_clear, .ctx = w
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct endpoints *ep;
	uint64_t end;

	assert_int_equal(bind(fd, &addr.sa, sizeof(addr.v4)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(metrics__open(&none, &config.metrics), 0);
	assert_int_equal(endpoints__open(&config, &ep), 0);
	configure(ep, config.metrics, &extra, BLOCKS, extra_port, port, extra_port);
	endpoints__tick(ep);
	end = w->v.now_ns + 3 * NSEC_PER_SEC;
	virtual_loop__run(&w->v, end - 100 * NSEC_PER_MS - 1, NULL, NULL);
	assert_checks(w, extra_port, 0, 0); /* reading takes 100 ms */
	assert_int_equal(w->v.now_ns, end - 1);
	virtual_loop__run(&w->v, end, NULL, NULL);
	assert_checks(w, extra_port, 0, 1);
	endpoints__close(ep);
	metrics__close(config.metrics);
	close(fd);
}

static void test_ready(void **state)
{
	union sockaddr_any addr = free_addr("127.0.0.1");
	struct corefile_block block = { .ready = { true, addr } };
	struct corefile cf = { .blocks = &block, .blocks_len = 1 };
	struct world *w = *state;
	struct endpoints_config config = {
		.loop = &w->v.loop, .ready = is_ready, .tls = &in_the_clear, .ctx = w
	};
	struct endpoints *ep;

	assert_int_equal(endpoints__open(&config, &ep), 0);
	assert_int_equal(endpoints__configure(ep, &cf, NULL, 0), 0);
	endpoints__tick(ep);
	assert_string_equal(
		curl(w, "curl -s -w ' %%{http_code}' http://127.0.0.1:%u/ready", port_of(&addr)),
		"cluster.local. 503");
	w->ready = true;
	assert_string_equal(
		curl(w, "curl -s -w ' %%{http_code}' http://127.0.0.1:%u/ready", port_of(&addr)),
		"OK 200");
	endpoints__close(ep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_endpoints, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check_without_an_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ready, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
