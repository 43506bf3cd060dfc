// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of resolver/server_block.c: by which rules answers are kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "resolver/server_block.h"

static struct dns_name name_of(const char *text)
{
	struct dns_name name;

	assert_int_equal(dns_name__from_text(&name, text), 0);
	return name;
}

static void test_keep(void **state)
{
	static const struct corefile_cache usual = {
		.enabled = true,
		.success = { .capacity = 9984, .ttl_s = 30, .min_ttl_s = 5 },
		.denial = { .capacity = 9984, .ttl_s = 10, .min_ttl_s = 5 },
		.servfail_s = 5,
	}, least_0 = {
		.enabled = true,
		.success = { .capacity = 9984, .ttl_s = 30 },
		.denial = { .capacity = 0, .ttl_s = 10, .min_ttl_s = 5 },
	}, off = {
		.success = { .capacity = 9984, .ttl_s = 30, .min_ttl_s = 5 },
	};
	static const struct {
		const struct corefile_cache *cache;
		uint32_t ttl_s;
		enum verdict verdict;
		bool store;
		int kind;
		uint32_t want_ttl_s;
	} cases[] = {
		{ &usual, 20, VERDICT_POSITIVE, true, NODENS_POSITIVE, 20 },
		{ &usual, 3600, VERDICT_POSITIVE, true, NODENS_POSITIVE, 30 },
		{ &usual, 0, VERDICT_POSITIVE, true, NODENS_POSITIVE, 5 },
		{ &usual, 20, VERDICT_NEGATIVE, true, NODENS_NEGATIVE, 10 },
		{ &usual, 7, VERDICT_NEGATIVE, true, NODENS_NEGATIVE, 7 },
		{ &usual, 0, VERDICT_SERVFAIL, true, NODENS_NEGATIVE, 5 },
		{ &usual, 900, VERDICT_SERVFAIL, true, NODENS_NEGATIVE, 5 },
		{ &usual, 300, VERDICT_PASS, false, -1, 300 },
		{ &least_0, 0, VERDICT_POSITIVE, false, -1, 0 },
		{ &least_0, 1, VERDICT_POSITIVE, true, NODENS_POSITIVE, 1 },
		{ &least_0, 300, VERDICT_NEGATIVE, false, -1, 300 },
		{ &least_0, 0, VERDICT_SERVFAIL, false, -1, 0 },
		{ &off, 300, VERDICT_POSITIVE, false, -1, 300 },
		{ &off, 1, VERDICT_POSITIVE, false, -1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct answer answer = { .ttl_s = cases[i].ttl_s };
		struct keep keep = cache__keep(cases[i].cache, &answer, cases[i].verdict);

		assert_int_equal(keep.store, cases[i].store);
		assert_int_equal(keep.ttl_s, cases[i].want_ttl_s);
		if (keep.store)
			assert_int_equal(keep.kind, cases[i].kind);
	}
}

/* CoreDNS: threshold = ceil(PCT of the TTL as kept). */
static void test_keep_refreshes(void **state)
{
	static const struct {
		uint32_t amount, percent, ttl_s, left_s;
	} cases[] = {
		{ 1, 10, 80, 8 }, { 1, 10, 5, 1 },	{ 2, 50, 5, 3 },  { 2, 50, 6, 3 },
		{ 9, 90, 1, 1 },  { 9, 10, 3600, 360 }, { 1, 10, 81, 9 },
	};
	struct corefile_block block = {
		.cache = {
			.enabled = true,
			.success = { .capacity = 1, .ttl_s = 3600 },
			.denial = { .capacity = 1, .ttl_s = 3600 },
			.servfail_s = 5,
		},
	};
	struct server_block sb = { .config = &block, .partition = 3 };
	struct answer answer = { .qname = name_of("a.test.") };
	struct store_put put;
	uint32_t ttl_s;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		block.cache.prefetch = (struct corefile_prefetch){
			.amount = cases[i].amount,
			.duration_ns = 60 * NSEC_PER_SEC,
			.percent = cases[i].percent,
		};
		answer.ttl_s = cases[i].ttl_s;
		assert_true(server_block__keep(&sb, &answer, VERDICT_POSITIVE, &put, &ttl_s));
		assert_int_equal(put.partition, 3);
		assert_int_equal(put.refresh, STORE_REFRESH_USED);
		assert_int_equal(put.refresh_hits, cases[i].amount);
		assert_int_equal(put.refresh_within_ns, 60 * NSEC_PER_SEC);
		assert_int_equal(put.refresh_left_s, cases[i].left_s);
		assert_int_equal(put.stale_s + put.keep_s, 0);
	}
	block.cache.prefetch.amount = 0;
	block.cache.serve_stale_s = 3600;
	assert_true(server_block__keep(&sb, &answer, VERDICT_NEGATIVE, &put, &ttl_s));
	assert_int_equal(put.refresh, STORE_REFRESH_NEVER);
	assert_int_equal(put.stale_s, 3600);
	assert_int_equal(put.keep_s, 3600);
	block.cache.stale = COREFILE_STALE_VERIFY;
	assert_true(server_block__keep(&sb, &answer, VERDICT_NEGATIVE, &put, &ttl_s));
	assert_int_equal(put.stale_s, 0);
	assert_int_equal(put.keep_s, 3600);
	/* SERVFAIL is neither stale nor refreshed, and gives way */
	block.cache.prefetch.amount = 1;
	assert_true(server_block__keep(&sb, &answer, VERDICT_SERVFAIL, &put, &ttl_s));
	assert_true(put.weak);
	assert_int_equal(put.refresh, STORE_REFRESH_NEVER);
	assert_int_equal(put.keep_s, 0);
	assert_int_equal(ttl_s, 5);
}

/* What is there already, under rules that are new. */
static void test_keep_on(void **state)
{
	static struct corefile_zone in[] = { { .name = { 9, "\2in\4test" } } };
	struct corefile_block block = {
		.nxdomain_cut = true,
		.cache = {
			.enabled = true,
			.success = { .capacity = 1, .ttl_s = 300 },
			.denial = { .capacity = 1, .ttl_s = 30 },
			.servfail_s = 5,
			.serve_stale_s = 60,
			.prefetch = { .amount = 2, .percent = 10 },
		},
	};
	struct server_block sb = { .config = &block, .partition = 2 };
	struct store_question q = { .qname = name_of("a.test."), .qtype = DNS_TYPE_A };
	struct store_put put = { .kind = NODENS_POSITIVE, .ttl_s = 300, .partition = 9 };

	(void)state;
	assert_true(server_block__keep_on(&sb, &q, DNS_NOERROR, &put));
	assert_int_equal(put.partition, 2);
	assert_int_equal(put.stale_s, 60);
	assert_int_equal(put.refresh_hits, 2);
	assert_int_equal(put.refresh_left_s, 30);
	/* a longer TTL than the block has now */
	put.ttl_s = 301;
	assert_false(server_block__keep_on(&sb, &q, DNS_NOERROR, &put));
	put = (struct store_put){ .kind = NODENS_NEGATIVE, .ttl_s = 5, .stale_s = 1 };
	assert_true(server_block__keep_on(&sb, &q, DNS_SERVFAIL, &put));
	assert_int_equal(put.stale_s + put.keep_s, 0);
	assert_int_equal(put.refresh, STORE_REFRESH_NEVER);
	put.ttl_s = 6;
	assert_false(server_block__keep_on(&sb, &q, DNS_NOTIMP, &put));
	assert_true(server_block__keep_on(&sb, &q, DNS_NXDOMAIN, &put));
	/* a cut ends when it ends */
	q.key_flags = NODENS_KEY_NX_BELOW;
	q.qtype = 0;
	assert_true(server_block__keep_on(&sb, &q, DNS_NXDOMAIN, &put));
	assert_int_equal(put.stale_s + put.keep_s, 0);
	assert_int_equal(put.refresh, STORE_REFRESH_NEVER);
	block.nxdomain_cut = false;
	assert_false(server_block__keep_on(&sb, &q, DNS_NXDOMAIN, &put));
	q.key_flags = 0;
	/* zones of the cache, of disable, keepttl, no cache at all */
	block.cache.zones = (struct corefile_zones){ in, 1 };
	assert_false(server_block__keep_on(&sb, &q, DNS_NXDOMAIN, &put));
	q.qname = name_of("a.in.test.");
	assert_true(server_block__keep_on(&sb, &q, DNS_NXDOMAIN, &put));
	block.cache.disable_denial = true;
	assert_false(server_block__keep_on(&sb, &q, DNS_NXDOMAIN, &put));
	put.kind = NODENS_POSITIVE;
	assert_true(server_block__keep_on(&sb, &q, DNS_NOERROR, &put));
	block.cache.keepttl = true;
	assert_false(server_block__keep_on(&sb, &q, DNS_NOERROR, &put));
	put.keep_ttl = true;
	block.cache.enabled = false;
	assert_false(server_block__keep_on(&sb, &q, DNS_NOERROR, &put));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_keep_refreshes),
		cmocka_unit_test(test_keep_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
