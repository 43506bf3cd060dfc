// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of what metrics make of the kernel's hits: sums that are exact whatever the samples were.
 */
#include "metrics_fixture.h"

static void test_proportion(void **state)
{
	struct world *w = *state;
	const char *text;

	configure(w, COREFILE);
	w->kernel[NODENS_CTR_HIT] = 1000;
	w->kernel[NODENS_CTR_HIT_IP6] = 250;
	/* hits, and no idea whose: they wait */
	assert_int_equal(sum_of(page(w), "coredns_dns_requests_total", ""), 0);
	hit(w, 0, 1, 30);
	hit(w, 2, 28, 10);
	text = page(w);
	assert_int_equal(sum_of(text, "coredns_dns_requests_total", "zone=\"cluster.local.\""),
			 750);
	assert_int_equal(sum_of(text, "coredns_dns_requests_total", "zone=\".\""), 250);
	assert_int_equal(sum_of(text, "coredns_dns_requests_total", "type=\"AAAA\""), 250);
	assert_int_equal(sum_of(text, "coredns_dns_requests_total", "family=\"2\""), 250);
	assert_int_equal(sum_of(text, "coredns_cache_hits_total", "type=\"success\""), 1000);
	assert_int_equal(sum_of(text, "coredns_dns_response_size_bytes_sum", ""), 150000);
	assert_int_equal(sum_of(text, "coredns_dns_request_size_bytes_sum", ""), 40000);
	expect(text, "coredns_dns_request_duration_seconds_bucket" CLUSTER ",le=\"0.00025\"}", 750);
	/* more hits and no new samples: as last time */
	w->kernel[NODENS_CTR_HIT_TC] = 400;
	text = page(w);
	assert_int_equal(sum_of(text, "coredns_dns_requests_total", "zone=\"cluster.local.\""),
			 1050);
	assert_int_equal(sum_of(text, "coredns_dns_requests_total", ""), 1400);
	/* of counters that are read while they grow one may be ahead */
	w->kernel[NODENS_CTR_HIT_IP6] += 6;
	w->kernel[NODENS_CTR_HIT] += 4;
	assert_int_equal(sum_of(page(w), "coredns_dns_requests_total", "family=\"2\""), 254);
	w->kernel[NODENS_CTR_HIT] += 6;
	assert_int_equal(sum_of(page(w), "coredns_dns_requests_total", "family=\"2\""), 256);
	assert_int_equal(sum_of(w->page, "coredns_dns_requests_total", ""), 1410);
	/* counters made anew */
	w->kernel[NODENS_CTR_HIT_TC] = 0;
	w->kernel[NODENS_CTR_HIT] = w->kernel[NODENS_CTR_HIT_IP6] = 100;
	assert_int_equal(sum_of(page(w), "coredns_dns_requests_total", ""), 1510);
	w->kernel_error = -1;
	assert_int_equal(sum_of(page(w), "coredns_dns_requests_total", ""), 1510);
}

/* What was counted before this agent began is another's. */
static void test_adopted(void **state)
{
	struct world *w = *state;
	struct metrics_config config = { .loop = &w->v.loop, .ctx = w, .kernel = read_kernel };

	metrics__close(w->m);
	w->kernel[NODENS_CTR_HIT] = 5000;
	assert_int_equal(metrics__open(&config, &w->m), 0);
	configure(w, COREFILE);
	hit(w, 0, 1, 3);
	w->kernel[NODENS_CTR_HIT] = 5011;
	assert_int_equal(sum_of(page(w), "coredns_dns_requests_total", ""), 11);
	expect(w->page, "nodens_kernel_hits_total", 5011);
}

static void stale_sample(struct world *w, size_t block, uint64_t n)
{
	metrics__kernel_hits(w->m, &(struct metrics_kernel_hits){ .block = block,
								  .zone = 0,
								  .qtype = 1,
								  .plugin = PLUGIN_CACHE,
								  .stale = true,
								  .hits = n });
}

static void test_stale(void **state)
{
	struct world *w = *state;
	const char *text;

	configure(w, COREFILE);
	hit(w, 0, 1, 90);
	stale_sample(w, 1, 10);
	w->kernel[NODENS_CTR_HIT] = 1000;
	w->kernel[NODENS_CTR_HIT_STALE] = 77;
	text = page(w);
	assert_int_equal(sum_of(text, "coredns_cache_served_stale_total", ""), 77);
	assert_int_equal(sum_of(text, "coredns_cache_served_stale_total", "cluster.local"), 0);
}

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static void random_sample(struct world *w)
{
	static const uint16_t types[] = { 1, 28, 33, 12, 0, 65, 999 };
	struct metrics_kernel_hits hits = {
		.block = rnd(5), /* of three */
		.zone = rnd(3),
		.qtype = types[rnd(7)],
		.rcode = rnd(3) ? 0 : 3,
		.key_flags = rnd(4) ? 0 : NODENS_KEY_DO,
		.kind = (int)rnd(2),
		.stale = !rnd(8),
		.plugin = PLUGIN_CACHE,
		.request_size = 17 + rnd(200),
		.response_size = 17 + rnd(1400),
		.hits = rnd(1000),
	};

	metrics__kernel_hits(w->m, &hits);
}

/* No figure may ever fall: every line of @before that ends in digits is at most what it is now. */
static void check_monotonic(const char *before, const char *now)
{
	for (const char *line = before; line; line = strchr(line, '\n')) {
		char series[512];
		const char *end, *space;

		line += *line == '\n';
		end = strchr(line, '\n');
		if (!end || strncmp(line, "coredns_dns_", 12) != 0)
			continue;
		space = memrchr(line, ' ', (size_t)(end - line));
		snprintf(series, sizeof(series), "%.*s", (int)(space - line), line);
		assert_true(value_of(now, series) >= strtod(space, NULL));
	}
}

/* Whatever the samples say, the sums are the kernel's. */
static void test_exact(void **state)
{
	struct world *w = *state;
	char *before = NULL;

	configure(w, COREFILE);
	hit(w, 0, 1, 1);
	for (int round = 0; round < 300; round++) {
		uint64_t hits, tc, ip6, stale;
		const char *text;

		for (uint64_t i = rnd(40); i > 0; i--)
			random_sample(w);
		hits = rnd(4) ? rnd(round % 2 ? 7 : 100000) : 0;
		tc = rnd(3);
		ip6 = rnd(hits + tc + 1);
		stale = rnd(hits + tc + 1);
		w->kernel[NODENS_CTR_HIT] += hits;
		w->kernel[NODENS_CTR_HIT_TC] += tc;
		w->kernel[NODENS_CTR_HIT_IP6] += ip6;
		w->kernel[NODENS_CTR_HIT_STALE] += stale;
		if (!rnd(20))
			configure(w, COREFILE);
		if (rnd(3)) {
			metrics__settle(w->m);
			continue;
		}
		text = page(w);
		hits = w->kernel[NODENS_CTR_HIT] + w->kernel[NODENS_CTR_HIT_TC];
		assert_int_equal(sum_of(text, "coredns_dns_requests_total", ""), hits);
		assert_int_equal(sum_of(text, "coredns_dns_requests_total", "family=\"2\""),
				 w->kernel[NODENS_CTR_HIT_IP6]);
		assert_int_equal(sum_of(text, "coredns_dns_responses_total", ""), hits);
		assert_int_equal(sum_of(text, "coredns_cache_hits_total", ""), hits);
		assert_int_equal(sum_of(text, "coredns_cache_served_stale_total", ""),
				 w->kernel[NODENS_CTR_HIT_STALE]);
		assert_int_equal(sum_of(text, "coredns_dns_request_duration_seconds_count", ""),
				 hits);
		assert_int_equal(sum_of(text, "coredns_dns_request_size_bytes_count", ""), hits);
		assert_int_equal(sum_of(text, "coredns_dns_response_size_bytes_bucket", "+Inf"),
				 hits);
		if (before)
			check_monotonic(before, text);
		free(before);
		before = strdup(text);
	}
	free(before);
}

/* Small intervals favour nobody: one hit at a time falls to each by its share. */
static void test_fair(void **state)
{
	struct world *w = *state;
	uint64_t first;

	configure(w, COREFILE);
	for (int i = 0; i < 4000; i++) {
		hit(w, 0, 1, 3);
		hit(w, 2, 1, 1);
		w->kernel[NODENS_CTR_HIT]++;
		metrics__settle(w->m);
	}
	first = sum_of(page(w), "coredns_dns_requests_total", "cluster.local");
	assert_in_range(first, 2880, 3120);
	assert_int_equal(sum_of(w->page, "coredns_dns_requests_total", ""), 4000);
}

/* More combinations than there are cells. */
static void test_many_cells(void **state)
{
	struct world *w = *state;

	configure(w, COREFILE);
	for (uint64_t i = 0; i < 20000; i++) {
		metrics__kernel_hits(
			w->m, &(struct metrics_kernel_hits){ .block = i % 3,
							     .qtype = (uint16_t)(i / 3 % 50),
							     .rcode = (uint16_t)(i / 150 % 12),
							     .plugin = PLUGIN_CACHE,
							     .response_size = i % 5000,
							     .hits = 1 });
		if (i > 10000) /* at first the counters stand still */
			w->kernel[NODENS_CTR_HIT]++;
	}
	assert_int_equal(sum_of(page(w), "coredns_dns_requests_total", ""), 9999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_proportion, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fair, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_cells, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
