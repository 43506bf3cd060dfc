// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of what metrics make of what the programs count by series: every split equal to a count of
 * the test's own, numbers that outlive an agent and are never a stranger's, durations.
 */
#include "metrics_fixture.h"

#define DURATION "coredns_dns_request_duration_seconds"

/* One zone in each; of another agent, or come by reloads. */
static const char *zone_named(const char *name)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s {\n bind 127.0.0.1\n cache 30\n forward . 9.9.9.9\n}\n",
		 name);
	return text;
}

static uint64_t requests(struct world *w, const char *label)
{
	return sum_of(page(w), "coredns_dns_requests_total", label);
}

static void test_splits(void **state)
{
	struct world *w = *state;
	const struct hit stale = {
		.entry = { .block = 2,
			   .plugin = PLUGIN_CACHE,
			   .kind = NODENS_NEGATIVE,
			   .rcode = 3 },
		.qtype = 28,
		.ip6 = true,
		.dnssec_ok = true,
		.stale = true,
		.request_size = 512,
		.reply_size = 1232,
	};
	const struct hit host = {
		.entry = { .block = 1, .zone = 1, .plugin = PLUGIN_HOSTS },
		.qtype = 999,
		.request_size = 17,
		.reply_size = 100,
	};
	const char *text;

	configure(w, COREFILE);
	hit(w, 0, 1, 750);
	count_hit(w, metrics__kernel_series(w->m, &stale.entry), &stale);
	count_hit(w, metrics__kernel_series(w->m, &host.entry), &host);
	text = page(w);
	expect(text, "coredns_dns_requests_total" CLUSTER ",proto=\"udp\",family=\"1\",type=\"A\"}",
	       750);
	expect(text, "coredns_dns_responses_total" CLUSTER ",rcode=\"NOERROR\",plugin=\"cache\"}",
	       750);
	expect(text, "coredns_dns_request_size_bytes_bucket" CLUSTER ",proto=\"udp\",le=\"100\"}",
	       750);
	expect(text, "coredns_dns_request_size_bytes_sum" CLUSTER ",proto=\"udp\"}", 30000);
	expect(text, "coredns_dns_response_size_bytes_bucket" CLUSTER ",proto=\"udp\",le=\"100\"}",
	       0);
	expect(text, "coredns_dns_response_size_bytes_bucket" CLUSTER ",proto=\"udp\",le=\"200\"}",
	       750);
	expect(text, "coredns_dns_response_size_bytes_sum" CLUSTER ",proto=\"udp\"}", 112500);
	expect(text, DURATION "_count" CLUSTER "}", 750);
	assert_int_equal(sum_of(text, "coredns_dns_requests_total", "family=\"2\",type=\"AAAA\""),
			 1);
	assert_int_equal(sum_of(text, "coredns_dns_requests_total", "type=\"other\""), 1);
	assert_int_equal(sum_of(text, "coredns_dns_requests_total", "zone=\"ip6.arpa.\""), 1);
	assert_int_equal(
		sum_of(text, "coredns_dns_responses_total", "rcode=\"NXDOMAIN\",plugin=\"cache\""),
		1);
	assert_int_equal(sum_of(text, "coredns_dns_responses_total", "plugin=\"hosts\""), 1);
	assert_int_equal(sum_of(text, "coredns_dns_request_size_bytes_bucket", "le=\"511\""), 751);
	assert_int_equal(sum_of(text, "coredns_dns_request_size_bytes_bucket", "le=\"1023\""), 752);
	assert_int_equal(sum_of(text, "coredns_dns_response_size_bytes_bucket", "le=\"1023\""),
			 751);
	assert_int_equal(sum_of(text, "coredns_dns_response_size_bytes_bucket", "le=\"2047\""),
			 752);
	assert_int_equal(sum_of(text, "coredns_dns_do_requests_total", ""), 1);
	assert_int_equal(sum_of(text, "coredns_cache_served_stale_total", ""), 1);
	assert_int_equal(sum_of(text, "coredns_cache_hits_total", "type=\"success\""), 750);
	assert_int_equal(sum_of(text, "coredns_cache_hits_total", "type=\"denial\""), 1);
	/* what cannot be read waits */
	hit(w, 0, 1, 3);
	w->kernel_error = -1;
	assert_int_equal(requests(w, ""), 752);
	w->kernel_error = 0;
	assert_int_equal(requests(w, ""), 755);
	/* counters made anew */
	memset(w->programs.series, 0, sizeof(w->programs.series));
	hit(w, 0, 1, 2);
	assert_int_equal(requests(w, "cluster"), 755);
}

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
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

/* Against a count of our own, by what each of the page's splits tells apart. */
struct tally {
	uint64_t all, ip6, aaaa, nxdomain, denial, dnssec_ok, stale, request_bytes, reply_bytes,
		hosts;
	uint64_t zone[3];
};

static void random_hit(struct world *w, struct tally *tally)
{
	static const uint16_t types[] = { 1, 28, 33, 12, 65, 999 };
	struct hit hit = {
		.entry = { .block = rnd(3),
			   .rcode = rnd(3) ? 0 : 3,
			   .plugin = rnd(5) ? PLUGIN_CACHE : PLUGIN_HOSTS },
		.qtype = types[rnd(6)],
		.ip6 = rnd(2),
		.dnssec_ok = !rnd(4),
		.stale = !rnd(8),
		.request_size = 17 + rnd(495),
		.reply_size = 17 + rnd(1216),
	};

	hit.entry.kind = hit.entry.rcode ? NODENS_NEGATIVE : NODENS_POSITIVE;
	hit.entry.qtype = hit.qtype;
	assert_int_equal(metrics__kernel_series(w->m, &hit.entry).type, qtype_number(hit.qtype));
	count_hit(w, metrics__kernel_series(w->m, &hit.entry), &hit);
	tally->all++;
	tally->zone[hit.entry.block]++;
	tally->ip6 += hit.ip6;
	tally->aaaa += hit.qtype == 28;
	tally->nxdomain += hit.entry.rcode == 3;
	tally->hosts += hit.entry.plugin == PLUGIN_HOSTS;
	tally->denial += hit.entry.plugin == PLUGIN_CACHE && hit.entry.rcode == 3;
	tally->dnssec_ok += hit.dnssec_ok;
	tally->stale += hit.stale;
	tally->request_bytes += hit.request_size;
	tally->reply_bytes += hit.reply_size;
}

static void check_page(const char *text, const struct tally *tally)
{
	static const char *const zones[] = { "cluster.local.", "in-addr.arpa.", "\".\"" };

	assert_int_equal(sum_of(text, "coredns_dns_requests_total", ""), tally->all);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sum_of(text, "coredns_dns_requests_total", zones[i]),
				 tally->zone[i]);
	assert_int_equal(sum_of(text, "coredns_dns_requests_total", "family=\"2\""), tally->ip6);
	assert_int_equal(sum_of(text, "coredns_dns_requests_total", "type=\"AAAA\""), tally->aaaa);
	assert_int_equal(sum_of(text, "coredns_dns_responses_total", ""), tally->all);
	assert_int_equal(sum_of(text, "coredns_dns_responses_total", "NXDOMAIN"), tally->nxdomain);
	assert_int_equal(sum_of(text, "coredns_dns_responses_total", "hosts"), tally->hosts);
	assert_int_equal(sum_of(text, "coredns_cache_hits_total", ""), tally->all - tally->hosts);
	assert_int_equal(sum_of(text, "coredns_cache_hits_total", "denial"), tally->denial);
	assert_int_equal(sum_of(text, "coredns_cache_served_stale_total", ""), tally->stale);
	assert_int_equal(sum_of(text, "coredns_dns_do_requests_total", ""), tally->dnssec_ok);
	assert_int_equal(sum_of(text, DURATION "_count", ""), tally->all);
	assert_int_equal(sum_of(text, "coredns_dns_request_size_bytes_count", ""), tally->all);
	assert_int_equal(sum_of(text, "coredns_dns_request_size_bytes_sum", ""),
			 tally->request_bytes);
	assert_int_equal(sum_of(text, "coredns_dns_response_size_bytes_bucket", "+Inf"),
			 tally->all);
	assert_int_equal(sum_of(text, "coredns_dns_response_size_bytes_sum", ""),
			 tally->reply_bytes);
}

static void test_exact(void **state)
{
	struct world *w = *state;
	struct tally tally = { 0 };
	char *before = NULL;

	configure(w, COREFILE);
	for (int round = 0; round < 200; round++) {
		for (uint64_t i = rnd(round % 2 ? 7 : 500); i > 0; i--)
			random_hit(w, &tally);
		w->programs.times.bucket[rnd(NODENS_TIME_BUCKETS)] += rnd(3);
		if (!rnd(20))
			configure(w, COREFILE);
		if (rnd(3)) {
			metrics__settle(w->m);
			continue;
		}
		check_page(page(w), &tally);
		if (before)
			check_monotonic(before, w->page);
		free(before);
		before = strdup(w->page);
	}
	free(before);
}

/* ---- durations ---- */

/* What was measured stands for all; what was measured since the last time for what came since. */
static void test_durations(void **state)
{
	struct world *w = *state;
	const char *text;

	configure(w, COREFILE);
	w->programs.times.bucket[0] = 3;
	w->programs.times.bucket[2] = 1;
	w->programs.times.sum_ns = 4000000;
	hit(w, 0, 1, 4000);
	text = page(w);
	expect(text, DURATION "_bucket" CLUSTER ",le=\"0.00025\"}", 3000);
	expect(text, DURATION "_bucket" CLUSTER ",le=\"0.0005\"}", 3000);
	expect(text, DURATION "_bucket" CLUSTER ",le=\"0.001\"}", 4000);
	expect(text, DURATION "_count" CLUSTER "}", 4000);
	expect(text, DURATION "_sum" CLUSTER "}", 4);
	/* nothing new is measured: as before */
	hit(w, 0, 1, 4000);
	expect(page(w), DURATION "_bucket" CLUSTER ",le=\"0.00025\"}", 6000);
	w->programs.times.bucket[16] += 1;
	w->programs.times.sum_ns += NSEC_PER_SEC;
	hit(w, 0, 1, 10);
	text = page(w);
	expect(text, DURATION "_bucket" CLUSTER ",le=\"8.192\"}", 8000);
	expect(text, DURATION "_count" CLUSTER "}", 8010);
	expect(text, DURATION "_sum" CLUSTER "}", 18);
}

/* One hit at a time falls to each bucket by its share, too. */
static void test_fair(void **state)
{
	struct world *w = *state;

	configure(w, COREFILE);
	w->programs.times.bucket[0] = 3;
	w->programs.times.bucket[1] = 1;
	for (int i = 0; i < 4000; i++) {
		hit(w, 0, 1, 1);
		metrics__settle(w->m);
	}
	assert_in_range(value_of(page(w), DURATION "_bucket" CLUSTER ",le=\"0.00025\"}"), 2880,
			3120);
	expect(w->page, DURATION "_count" CLUSTER "}", 4000);
}

/* ---- numbers ---- */

static struct store_series number_of(struct world *w, size_t block)
{
	const struct metrics_kernel_entry entry = { .block = block, .plugin = PLUGIN_CACHE };

	return metrics__kernel_series(w->m, &entry);
}

static const struct hit plain = { .qtype = 1, .request_size = 40, .reply_size = 150 };

/* What was counted before this agent began is another's; the numbers go on to mean the same. */
static void test_adopted(void **state)
{
	struct world *w = *state;
	uint16_t cluster, reverse;

	configure(w, COREFILE);
	hit(w, 0, 1, 5000);
	cluster = number_of(w, 0).number;
	reverse = number_of(w, 1).number;
	metrics__close(w->m);
	open_metrics(w);
	/* with another order of blocks, one of them without an heir, and a new one */
	configure(w,
		  ". {\n bind ::1\n forward . 9.9.9.9\n}\n"
		  "new.example {\n forward . 9.9.9.9\n}\n"
		  "cluster.local:53 {\n bind 169.254.20.10\n cache 30\n forward . 10.0.0.10\n}\n");
	assert_int_equal(number_of(w, 2).number, cluster);
	/* entries that nobody has looked at yet are still hit */
	count_hit(w, (struct store_series){ .number = cluster }, &plain);
	count_hit(w, (struct store_series){ .number = reverse }, &plain);
	hit(w, 1, 1, 7);
	assert_int_equal(requests(w, ""), 9);
	assert_int_equal(sum_of(w->page, "coredns_dns_requests_total", "cluster.local."), 1);
	assert_int_equal(sum_of(w->page, "coredns_dns_requests_total", "zone=\"other\""), 1);
	assert_int_equal(sum_of(w->page, "coredns_dns_requests_total", "new.example."), 7);
}

/* @numbers: that for others, and what is beside it. */
static void open_with(struct world *w, uint32_t numbers)
{
	metrics__close(w->m);
	w->programs.count = numbers;
	w->programs.settled = true;
	open_metrics(w);
}

/* A number comes to mean another zone when no slot can have it any more, not before. */
static void test_reuse(void **state)
{
	struct world *w = *state;
	struct store_series old;

	open_with(w, 2);
	configure(w, zone_named("a.example"));
	old = number_of(w, 0);
	assert_int_equal(old.number, 1);
	assert_int_equal(metrics__series_lacking(w->m), 0);
	hit(w, 0, 1, 5);
	configure(w, zone_named("b.example"));
	assert_int_equal(metrics__series_lacking(w->m), 1);
	assert_int_equal(number_of(w, 0).number, NODENS_SERIES_OTHER);
	hit(w, 0, 1, 3);
	/* slots of the zone before are still hit, until they have been looked at */
	count_hit(w, old, &plain);
	w->programs.settled = false;
	configure(w, zone_named("c.example"));
	assert_int_equal(number_of(w, 0).number, NODENS_SERIES_OTHER);
	w->programs.settled = true;
	configure(w, zone_named("d.example"));
	assert_int_equal(metrics__series_lacking(w->m), 0);
	assert_int_equal(number_of(w, 0).number, 1);
	assert_non_null(strstr(w->programs.zones[1].labels, "zone=\"d.example.\""));
	hit(w, 0, 1, 2);
	assert_int_equal(requests(w, "a.example."), 6);
	assert_int_equal(sum_of(w->page, "coredns_dns_requests_total", "zone=\"other\""), 3);
	assert_int_equal(sum_of(w->page, "coredns_dns_requests_total", "d.example."), 2);
	/* and back: counts go on where they were */
	configure(w, zone_named("e.example"));
	configure(w, zone_named("a.example"));
	hit(w, 0, 1, 1);
	assert_int_equal(requests(w, "a.example."), 7);
}

/* Entries that could not be looked at keep their series, and so the number its meaning. */
static void test_entries_as_they_were(void **state)
{
	struct world *w = *state;
	struct store_series old;

	open_with(w, 2);
	configure(w, zone_named("a.example"));
	old = number_of(w, 0);
	assert_int_equal(configure_alone(w, zone_named("b.example")), 0);
	configure(w, zone_named("c.example"));
	assert_int_equal(number_of(w, 0).number, NODENS_SERIES_OTHER);
	count_hit(w, old, &plain);
	assert_int_equal(requests(w, "a.example."), 1);
	configure(w, zone_named("d.example"));
	assert_int_equal(number_of(w, 0).number, old.number);
	assert_non_null(strstr(w->programs.zones[1].labels, "zone=\"d.example.\""));
}

/* Of the allocations to come the one that fails; 0: none. */
static unsigned int fails_at;

/* Linked in place of calloc(): Makefile. */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails_at && !--fails_at ? NULL : __real_calloc(n, size);
}

/*
 * A configuration for which there is no memory: the one before stays, on the page as well, and so
 * do the numbers of its series, by which all entries are counted on.
 */
static void test_no_memory(void **state)
{
	struct world *w = *state;
	struct store_series old;
	struct corefile *cf;
	unsigned int n;

	open_with(w, 2);
	configure(w, zone_named("a.example"));
	old = number_of(w, 0);
	cf = parse(zone_named("b.example"));
	for (n = 1;; n++) {
		fails_at = n;
		if (!metrics__configure(w->m, cf))
			break;
		assert_int_equal(fails_at, 0);
		metrics__series_set(w->m);
		assert_int_equal(number_of(w, 0).number, old.number);
		count_hit(w, old, &plain);
		assert_int_equal(requests(w, "a.example."), n);
		assert_int_equal(sum_of(w->page, "coredns_plugin_enabled", "a.example."), 3);
		assert_int_equal(sum_of(w->page, "coredns_plugin_enabled", "b.example."), 0);
	}
	assert_true(fails_at && n > 5);
	fails_at = 0;
	corefile__free(cf);
	assert_int_equal(number_of(w, 0).number, NODENS_SERIES_OTHER);
	count_hit(w, old, &plain);
	assert_int_equal(requests(w, "a.example."), n);
	assert_int_equal(sum_of(w->page, "coredns_plugin_enabled", "a.example."), 0);
	assert_int_equal(sum_of(w->page, "coredns_plugin_enabled", "b.example."), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_splits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(test_durations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fair, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reuse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_entries_as_they_were, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
