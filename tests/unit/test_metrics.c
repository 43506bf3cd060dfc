// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of the metrics: figures of the page, what survives a reload, bounds, and promtool's opinion
 * of the page. The kernel's hits: test_metrics_kernel.c.
 */
#include "metrics_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

static struct metrics_request sample(void)
{
	return (struct metrics_request){ .block = 0,
					 .zone = 0,
					 .family = AF_INET,
					 .qtype = DNS_TYPE_A,
					 .request_size = 40,
					 .response_size = 120,
					 .plugin = PLUGIN_FORWARD,
					 .duration_ns = 600000,
					 .cache = METRICS_CACHE_MISS };
}

static void test_request(void **state)
{
	struct metrics_request request = sample();
	struct world *w = *state;
	const char *text;

	configure(w, COREFILE);
	metrics__request(w->m, &request);
	request.tcp = true;
	request.family = AF_INET6;
	request.qtype = 65280;
	request.rcode = DNS_NXDOMAIN;
	request.plugin = PLUGIN_CACHE;
	request.cache = METRICS_CACHE_STALE;
	request.cache_kind = NODENS_NEGATIVE;
	request.dnssec_ok = true;
	request.duration_ns = 9000000000;
	metrics__request(w->m, &request);
	text = page(w);
	expect(text, "coredns_dns_requests_total" CLUSTER ",proto=\"udp\",family=\"1\",type=\"A\"}",
	       1);
	expect(text,
	       "coredns_dns_requests_total" CLUSTER ",proto=\"tcp\",family=\"2\",type=\"other\"}",
	       1);
	expect(text, "coredns_dns_responses_total" CLUSTER ",rcode=\"NOERROR\",plugin=\"forward\"}",
	       1);
	expect(text, "coredns_dns_responses_total" CLUSTER ",rcode=\"NXDOMAIN\",plugin=\"cache\"}",
	       1);
	expect(text, "coredns_dns_request_duration_seconds_bucket" CLUSTER ",le=\"0.0005\"}", 0);
	expect(text, "coredns_dns_request_duration_seconds_bucket" CLUSTER ",le=\"0.001\"}", 1);
	expect(text, "coredns_dns_request_duration_seconds_bucket" CLUSTER ",le=\"8.192\"}", 1);
	expect(text, "coredns_dns_request_duration_seconds_bucket" CLUSTER ",le=\"+Inf\"}", 2);
	expect(text, "coredns_dns_request_duration_seconds_sum" CLUSTER "}", 9.0006);
	expect(text, "coredns_dns_request_duration_seconds_count" CLUSTER "}", 2);
	expect(text, "coredns_dns_response_size_bytes_bucket" CLUSTER ",proto=\"udp\",le=\"100\"}",
	       0);
	expect(text, "coredns_dns_response_size_bytes_bucket" CLUSTER ",proto=\"udp\",le=\"200\"}",
	       1);
	expect(text, "coredns_dns_request_size_bytes_sum" CLUSTER ",proto=\"tcp\"}", 40);
	expect(text, "coredns_dns_do_requests_total" CLUSTER "}", 1);
#define CACHE "{server=\"dns://169.254.20.10:53\",zones=\"cluster.local.\",view=\"\""
	expect(text, "coredns_cache_misses_total" CACHE "}", 1);
	expect(text, "coredns_cache_hits_total" CACHE ",type=\"denial\"}", 1);
	expect(text, "coredns_cache_requests_total" CACHE "}", 2);
	expect(text, "coredns_cache_served_stale_total" CACHE "}", 1);
	expect(text, "coredns_cache_entries" CACHE ",type=\"success\"}", 100);
	expect(text, "coredns_cache_evictions_total" CACHE ",type=\"denial\"}", 3);
	expect(text, "coredns_plugin_enabled" CLUSTER ",name=\"prometheus\"}", 1);
	expect(text, "coredns_plugin_enabled" CLUSTER ",name=\"hosts\"}", -1);
	expect(text,
	       "coredns_plugin_enabled{server=\"dns://:53\",zone=\"ip6.arpa.\",view=\"\","
	       "name=\"cache\"}",
	       1);
	expect(text,
	       "coredns_plugin_enabled{server=\"dns://[::1]:53\",zone=\".\",view=\"\","
	       "name=\"forward\"}",
	       1);
	expect(text,
	       "coredns_cache_entries{server=\"dns://:53\",zones=\"in-addr.arpa.,ip6.arpa.\","
	       "view=\"\",type=\"success\"}",
	       101);
	/* no block for the name */
	request.block = METRICS_NO_BLOCK;
	metrics__request(w->m, &request);
	assert_int_equal(sum_of(page(w), "coredns_dns_requests_total", "zone=\"dropped\""), 1);
}

static void test_rest(void **state)
{
	struct world *w = *state;
	const char *text;

	configure(w, COREFILE);
	w->agent.v[AGENT_STAT_QUERIES] = 7;
	w->agent.v[AGENT_STAT_WAITING] = 8;
	w->kernel[NODENS_CTR_MISS] = 9;
	w->agent.v[AGENT_STAT_RELOADS_FAILED] = 1;
	w->agent.v[AGENT_STAT_MAX_CONCURRENT] = 6;
	w->agent.v[AGENT_STAT_HEALTHCHECK_BROKEN] = 7;
	metrics__health_failed(w->m);
	metrics__setup_error(w->m, METRICS_SETUP_CONFIGMAP);
	metrics__health(w->m, 2400000);
	metrics__config_hash(w->m, "abc");
	metrics__cache_event(w->m, 0, METRICS_CACHE_PREFETCH);
	text = page(w);
	expect(text, "nodens_agent_queries_total", 7);
	expect(text, "nodens_agent_waiting", 8);
	expect(text, "nodens_kernel_misses_total", 9);
	expect(text, "nodens_kernel_path", 1);
	expect(text, "nodens_devices{state=\"wanted\"}", 0);
	expect(text, "nodens_devices{state=\"attached\"}", 0);
	assert_non_null(strstr(text, "\nnodens_heartbeat_age_seconds 0.05"));
	assert_non_null(strstr(text, "\nnodens_lease_seconds 60"));
	expect(text, "nodens_store_entries{type=\"success\"}", 17);
	expect(text, "nodens_store_capacity{type=\"denial\"}", 9984);
	expect(text, "coredns_reload_failed_total", 1);
	expect(text, "coredns_forward_max_concurrent_rejects_total", 6);
	expect(text, "coredns_forward_healthcheck_broken_total", 7);
	expect(text, "coredns_health_request_failures_total", 1);
	expect(text, "coredns_reload_version_info{hash=\"sha512\",value=\"abc\"}", 1);
	expect(text, "coredns_nodecache_setup_errors_total{errortype=\"configmap\"}", 1);
	expect(text, "coredns_nodecache_setup_errors_total{errortype=\"iptables\"}", 0);
	expect(text, "coredns_health_request_duration_seconds_bucket{le=\"0.00025\"}", 0);
	expect(text, "coredns_health_request_duration_seconds_bucket{le=\"0.0025\"}", 1);
	expect(text, "coredns_cache_prefetch_total" CACHE "}", 1);
	expect(text, "coredns_panics_total", 0);
	expect(text, "coredns_hosts_entries", 5);
	expect(text, "coredns_hosts_reload_timestamp_seconds", 1700000000.5);
	expect(text, "coredns_forward_requests_total{to=\"10.0.0.10:53\"}", 12);
	expect(text, "coredns_forward_responses_total{to=\"9.9.9.9:53\",rcode=\"NOERROR\"}", 10);
	expect(text,
	       "coredns_proxy_request_duration_seconds_bucket{proxy_name=\"forward\","
	       "to=\"10.0.0.10:53\",rcode=\"NXDOMAIN\",le=\"2.048\"}",
	       1);
	expect(text,
	       "coredns_forward_request_duration_seconds_count{to=\"10.0.0.10:53\","
	       "rcode=\"NOERROR\"}",
	       10);
	expect(text,
	       "coredns_proxy_healthcheck_failures_total{proxy_name=\"forward\","
	       "to=\"10.0.0.10:53\"}",
	       4);
	expect(text,
	       "coredns_proxy_conn_cache_hits_total{proxy_name=\"forward\","
	       "to=\"10.0.0.10:53\",proto=\"tcp\"}",
	       9);
	expect(text,
	       "coredns_proxy_conn_cache_misses_total{proxy_name=\"forward\","
	       "to=\"10.0.0.10:53\",proto=\"tcp-tls\"}",
	       1);
	assert_true(value_of(text, "process_resident_memory_bytes") > 1e6);
	assert_true(value_of(text, "process_open_fds") >= 3);
	assert_true(value_of(text, "process_max_fds") >= 3);
	assert_true(value_of(text, "process_cpu_seconds_total") >= 0);
	assert_true(value_of(text, "process_start_time_seconds") > 1e9);
	assert_true(sum_of(text, "coredns_build_info", "version=\"nodens-") == 1);
}

static size_t zone_of(struct world *w, size_t block, const char *name)
{
	struct dns_name qname;

	assert_int_equal(dns_name__from_text(&qname, name), 0);
	return metrics__zone(w->m, block, qname.wire, qname.len);
}

static void test_zone(void **state)
{
	struct world *w = *state;

	configure(w, "a.example b.a.example example {\n forward . 9.9.9.9\n}\n. {\n forward . "
		     "9.9.9.9\n}\n");
	assert_int_equal(zone_of(w, 0, "x.b.a.example."), 1);
	assert_int_equal(zone_of(w, 0, "b.a.example."), 1);
	assert_int_equal(zone_of(w, 0, "xb.a.example."), 0);
	assert_int_equal(zone_of(w, 0, "xa.example."), 2);
	assert_true(zone_of(w, 0, "org.") == METRICS_NO_ZONE);
	assert_int_equal(zone_of(w, 1, "org."), 0);
	assert_int_equal(zone_of(w, 1, "."), 0);
	assert_true(zone_of(w, 2, "org.") == METRICS_NO_ZONE);
	assert_true(metrics__zone(w->m, 0, (const uint8_t *)"\77", 1) == METRICS_NO_ZONE);
}

static void test_reload(void **state)
{
	struct metrics_request request = sample();
	struct world *w = *state;
	const char *text;

	configure(w, COREFILE);
	for (int i = 0; i < 5; i++)
		metrics__request(w->m, &request);
	/* the same block, now second; then gone; then back */
	configure(w, "new.example {\n bind 127.0.0.1\n forward . 9.9.9.9\n}\n" COREFILE);
	request.block = 1;
	metrics__request(w->m, &request);
	expect(page(w), "coredns_dns_do_requests_total" CLUSTER "}", -1);
	expect(page(w), "coredns_dns_request_duration_seconds_count" CLUSTER "}", 6);
	configure(w, ". {\n forward . 9.9.9.9\n}\n");
	text = page(w);
	expect(text, "coredns_dns_request_duration_seconds_count" CLUSTER "}", 6);
	expect(text, "coredns_plugin_enabled" CLUSTER ",name=\"cache\"}", -1);
	expect(text, "coredns_cache_entries" CACHE ",type=\"success\"}", -1);
	configure(w, COREFILE);
	request.block = 0;
	metrics__request(w->m, &request);
	text = page(w);
	expect(text, "coredns_dns_request_duration_seconds_count" CLUSTER "}", 7);
	expect(text, "coredns_cache_entries" CACHE ",type=\"success\"}", 100);
}

/* ---- bounds ---- */

static char *many_zones(unsigned int n, const char *prefix)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (unsigned int i = 0; i < n; i++)
		fprintf(out, "%s%u.example ", prefix, i);
	fprintf(out, "{\n bind 127.0.0.1\n cache 30\n forward . 9.9.9.9\n}\n");
	fclose(out);
	return text;
}

static void use_zones(struct world *w, unsigned int n)
{
	struct metrics_request request = sample();

	for (unsigned int i = 0; i < n; i++) {
		request.zone = i;
		metrics__request(w->m, &request);
		request.qtype = DNS_TYPE_AAAA;
		request.rcode = DNS_NXDOMAIN;
		metrics__request(w->m, &request);
		request.qtype = DNS_TYPE_A;
		request.rcode = 0;
	}
}

/* Of this thread: what a busy machine gives to others does not count. */
static uint64_t cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void test_thousand_zones(void **state)
{
	char *text = many_zones(1000, "z");
	struct world *w = *state;
	uint64_t begin, render, request;

	configure(w, text);
	free(text);
	use_zones(w, 1000);
	begin = cpu_now();
	page(w);
	render = cpu_now() - begin;
	begin = cpu_now();
	for (int i = 0; i < 100; i++)
		use_zones(w, 1000);
	request = (cpu_now() - begin) / 200000;
	print_message("1,000 zones: %zu octets in %llu us; a request over them: %llu ns\n",
		      strlen(w->page), (unsigned long long)render / 1000,
		      (unsigned long long)request);
	assert_true(render < 500 * NSEC_PER_MS);
}

static void test_too_many_zones(void **state)
{
	struct world *w = *state;

	/* Reloads that bring new zones each time: memory is bounded, and so is the page. */
	for (int i = 0; i < 4; i++) {
		char prefix[] = { (char)('a' + i), 0 }, *text = many_zones(6000, prefix);

		configure(w, text);
		free(text);
		use_zones(w, 6000);
		hit(w, 0, 1, 10);
	}
	page(w);
	assert_int_equal(sum_of(w->page, "coredns_dns_requests_total", "zone=\"b"), 0);
	assert_true(sum_of(w->page, "coredns_dns_requests_total", "zone=\"d") > 2 * 4000);
	assert_true(sum_of(w->page, "coredns_dns_requests_total", "zone=\"other\"") > 3000);
	assert_true(strlen(w->page) < 64 * 1024 * 1024);
	/* a label that is as long as a list of zones could be */
	for (const char *line = w->page; line; line = strchr(line + 1, '\n'))
		assert_true(strchr(line + 1, '\n') ? strchr(line + 1, '\n') - line < 1024 : 1);
}

/* Who asks all the time gets the same page: one made a moment ago. */
static void test_fresh(void **state)
{
	struct metrics_request request = sample();
	struct world *w = *state;
	struct evbuffer *first = evbuffer_new(), *second = evbuffer_new(), *third = evbuffer_new();

	configure(w, COREFILE);
	assert_int_equal(metrics__scrape(w->m, first), 0);
	metrics__request(w->m, &request);
	w->v.now_ns += 100 * NSEC_PER_MS - 1;
	assert_int_equal(metrics__scrape(w->m, second), 0);
	assert_int_equal(evbuffer_get_length(first), evbuffer_get_length(second));
	w->v.now_ns += 1;
	assert_int_equal(metrics__scrape(w->m, third), 0);
	assert_true(evbuffer_get_length(third) > evbuffer_get_length(first));
	/* the page outlives the metrics where a client is still reading */
	metrics__close(w->m);
	w->m = NULL;
	evbuffer_add(first, "", 1);
	assert_non_null(strstr((char *)evbuffer_pullup(first, -1), "coredns_build_info"));
	evbuffer_free(first);
	evbuffer_free(second);
	evbuffer_free(third);
}

static void takes_50_ms(void *ctx)
{
	struct world *w = ctx;

	w->v.now_ns += 50 * NSEC_PER_MS;
}

/* One that takes long to make is kept for twenty times that. */
static void test_fresh_after_a_slow_page(void **state)
{
	struct world *w = *state;
	struct metrics_config config = { .loop = &w->v.loop, .ctx = w, .before_page = takes_50_ms };
	struct evbuffer *out = evbuffer_new();
	uint64_t begin = w->v.now_ns;

	metrics__close(w->m);
	assert_int_equal(metrics__open(&config, &w->m), 0);
	assert_int_equal(metrics__scrape(w->m, out), 0);
	assert_int_equal(w->v.now_ns, begin + 50 * NSEC_PER_MS);
	w->v.now_ns = begin + NSEC_PER_SEC - 1;
	assert_int_equal(metrics__scrape(w->m, out), 0);
	assert_int_equal(w->v.now_ns, begin + NSEC_PER_SEC - 1);
	w->v.now_ns = begin + NSEC_PER_SEC;
	assert_int_equal(metrics__scrape(w->m, out), 0);
	assert_int_equal(w->v.now_ns, begin + NSEC_PER_SEC + 50 * NSEC_PER_MS);
	evbuffer_free(out);
}

/* A label with all that must be escaped, and a template. */
static void configure_odd(struct world *w)
{
	static struct corefile_template template = { .class = 1, .type = 255 };
	struct corefile *cf = parse("odd.example {\n forward . 9.9.9.9\n}\n" COREFILE);

	cf->blocks[0].zones[0].text = "\\010\"\n.example.";
	cf->blocks[0].templates = &template;
	cf->blocks[0].templates_len = 1;
	assert_int_equal(metrics__configure(w->m, cf), 0);
	corefile__free(cf);
}

static void test_promtool(void **state)
{
	struct metrics_request request = sample();
	struct world *w = *state;
	char path[] = "/tmp/nodens-metrics-XXXXXX", command[128];
	int fd, status;

	if (system("command -v promtool >/dev/null")) {
		print_message("no promtool\n");
		skip();
	}
	configure_odd(w);
	request.block = 1;
	for (int i = 0; i < PLUGIN_COUNT; i++) {
		request.plugin = (enum plugin_id)i;
		request.rcode = (uint16_t)(3 * i);
		request.tcp = i % 2;
		request.dnssec_ok = i % 3;
		metrics__request(w->m, &request);
	}
	request.block = 0;
	metrics__request(w->m, &request);
	metrics__template(w->m, 0, 0, METRICS_TEMPLATE_MATCH, 1);
	metrics__config_hash(w->m, "00ff");
	hit(w, 0, 1, 5);
	page(w);
	assert_non_null(strstr(w->page, "zone=\"\\\\010\\\"\\n.example.\""));
	expect(w->page,
	       "coredns_template_matches_total{server=\"dns://:53\","
	       "zone=\"\\\\010\\\"\\n.example.\",view=\"\",class=\"IN\",type=\"ANY\"}",
	       1);
	fd = mkstemp(path);
	assert_int_equal(write(fd, w->page, strlen(w->page)), (ssize_t)strlen(w->page));
	close(fd);
	snprintf(command, sizeof(command), "promtool check metrics <%s", path);
	status = system(command);
	unlink(path);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_thousand_zones, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_zones, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fresh, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fresh_after_a_slow_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_promtool, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
