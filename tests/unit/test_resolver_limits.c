// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What a resolver takes on: of all clients, of one, of an upstream, in one datagram.
 */
#include "resolver_fixture.h"

static void test_too_many(void **state)
{
	struct fixture f;
	char name[32];

	(void)state;
	open_fixture(&f, ".:53 {\n forward . %1\n}\n", 10, 8);
	f.up.fake[0].behaviour = FAKE_SILENT;
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "n%d.example.", i);
		query(&f, name, i, 0);
		assert_int_equal(f.overloaded, i >= 8);
	}
	assert_int_equal(f.n, 2);
	assert_int_equal(rcode(&f.replies[0]), DNS_SERVFAIL);
	assert_int_equal(f.up.stats.v[AGENT_STAT_SHED], 2);
	/* Who asks what is asked already still joins. */
	query(&f, "n3.example.", 100, 0);
	assert_int_equal(f.n, 2);
	assert_true(fixture_run(&f.up, &f.n, 13));
	assert_false(f.overloaded);
	close_fixture(&f);
}

/* Nor may the many who ask one name at once take all places to wait in. */
static void test_too_many_wait(void **state)
{
	static const char *const names[] = { "one.example.", "two.example.", "three.example." };
	static struct fixture f;

	(void)state;
	open_fixture(&f, ".:53 {\n forward . %1\n}\n", 10, 8);
	f.up.fake[0].behaviour = FAKE_SILENT;
	for (int i = 0; i < 8192; i++)
		query(&f, names[i / 4096], i, 0);
	assert_false(f.overloaded);
	assert_int_equal(f.n, 0);
	/* each name has its part, for whomever */
	query(&f, names[0], 1, 0);
	assert_int_equal(f.n, 1);
	assert_int_equal(rcode(&f.replies[0]), DNS_SERVFAIL);
	assert_int_equal(f.up.stats.v[AGENT_STAT_SHED], 1);
	query(&f, names[2], 1, 0);
	assert_true(f.overloaded);
	assert_int_equal(resolver__in_flight(f.resolver), 3);
	f.uncounted = true;
	assert_true(fixture_run(&f.up, &f.n, 8194));
	assert_false(f.overloaded);
	close_fixture(&f);
}

/* One client that asks one name for ever has its share, and others are not turned away. */
static void test_one_client_waits(void **state)
{
	static struct fixture f;

	(void)state;
	open_fixture(&f, ".:53 {\n forward . %1\n}\n", 10, 8);
	f.up.fake[0].behaviour = FAKE_SILENT;
	f.uncounted = true;
	for (int i = 0; i < 20000; i++)
		query_from(&f, 1, "one.example.", i, 0);
	assert_int_equal(f.up.stats.v[AGENT_STAT_WAITING], 1024);
	assert_int_equal(f.n, 20000 - 1024);
	assert_int_equal(f.up.stats.v[AGENT_STAT_CLIENT_FULL], 20000 - 1024);
	assert_false(f.overloaded);
	query_from(&f, 2, "one.example.", 1, 0);
	query_from(&f, 2, "two.example.", 1, 0);
	assert_int_equal(f.up.stats.v[AGENT_STAT_WAITING], 1026);
	assert_true(fixture_run(&f.up, &f.n, 20002));
	/* what was held is given back */
	query_from(&f, 1, "one.example.", 1, 0);
	assert_int_equal(f.up.stats.v[AGENT_STAT_WAITING], 1);
	close_fixture(&f);
}

/* The same of exchanges, and of a device that sends from made-up addresses: it has twice that. */
static void test_one_client_asks(void **state)
{
	struct fixture f;
	char name[32];

	(void)state;
	open_fixture(&f, ".:53 {\n forward . %1\n}\n", 400, 256);
	f.up.fake[0].behaviour = FAKE_SILENT;
	f.uncounted = true;
	f.device = 7;
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "n%d.example.", i);
		query_from(&f, 1, name, i, 0);
	}
	assert_int_equal(resolver__in_flight(f.resolver), 64);
	assert_int_equal(f.up.stats.v[AGENT_STAT_CLIENT_FULL], 300 - 64);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "m%d.example.", i);
		query_from(&f, 100 + i, name, i, 0);
	}
	assert_int_equal(resolver__in_flight(f.resolver), 128);
	assert_false(f.overloaded);
	f.device = 8;
	query_from(&f, 2, "another.example.", 1, 0);
	assert_int_equal(resolver__in_flight(f.resolver), 129);
	assert_true(fixture_run(&f.up, &f.n, 601));
	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "n%d.example.", i);
		query_from(&f, 1, name, i, 0);
	}
	assert_int_equal(resolver__in_flight(f.resolver), 64);
	close_fixture(&f);
}

struct probe {
	struct resolver_asker asker;
	unsigned int replied, dropped;
	uint16_t rcode; /* of the last reply */
};

static void probe_replied(struct resolver_asker *asker, const struct resolver_event *event)
{
	struct probe *probe = list_entry(asker, struct probe, asker);

	probe->replied++;
	probe->rcode = event->rcode;
}

static void probe_dropped(struct resolver_asker *asker)
{
	list_entry(asker, struct probe, asker)->dropped++;
}

static void query_by_probe(struct fixture *f, struct probe *probe, const char *name)
{
	query_by(f, (struct client){ .owner = &probe->asker, .probe = true }, 1, name, 1, 0);
}

/* The agent's own probes are turned away as a client is, for each reason, and count as none. */
static void test_probes_turned_away(void **state)
{
	struct probe probe = { .asker = { probe_replied, probe_dropped } };
	struct fixture f;
	char name[32];

	(void)state;
	open_fixture(&f,
		     ".:53 {\n acl refused.example {\n block\n}\n acl dropped.example {\n drop\n}\n"
		     " forward . %1\n}\n",
		     128, 128);
	f.up.fake[0].behaviour = FAKE_SILENT;
	f.uncounted = true;
	query_by_probe(&f, &probe, "refused.example.");
	assert_int_equal(probe.replied, 1);
	assert_int_equal(probe.rcode, DNS_REFUSED);
	query_by_probe(&f, &probe, "dropped.example.");
	assert_int_equal(probe.dropped, 1);
	/* its share, and then more than all together may have */
	for (int i = 0; i < 65; i++) {
		snprintf(name, sizeof(name), "n%d.example.", i);
		query_by_probe(&f, &probe, name);
	}
	assert_int_equal(resolver__in_flight(f.resolver), 64);
	assert_int_equal(probe.replied, 2);
	assert_int_equal(probe.rcode, DNS_SERVFAIL);
	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "m%d.example.", i);
		query_from(&f, 2 + i, name, i, 0);
	}
	assert_int_equal(resolver__in_flight(f.resolver), 128);
	query_by_probe(&f, &probe, "more.example.");
	assert_int_equal(probe.replied, 3);
	assert_int_equal(f.up.stats.v[AGENT_STAT_REFUSED], 0);
	assert_int_equal(f.up.stats.v[AGENT_STAT_QUERIES_DROPPED], 0);
	assert_int_equal(f.up.stats.v[AGENT_STAT_CLIENT_FULL], 0);
	assert_int_equal(f.up.stats.v[AGENT_STAT_SHED], 0);
	assert_int_equal(f.up.stats.v[AGENT_STAT_SERVFAIL], 0);
	/* a client's does */
	query_from(&f, 200, "more.example.", 1, 0);
	assert_int_equal(f.up.stats.v[AGENT_STAT_SHED], 1);
	close_fixture(&f);
}

/* The flag is the newest resolver's. */
static void test_overload_changes_hands(void **state)
{
	struct fixture f;
	char name[32];

	(void)state;
	open_fixture(&f, ".:53 {\n forward . %1\n}\n", 10, 4);
	f.up.fake[0].behaviour = FAKE_SILENT;
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "n%d.example.", i);
		query(&f, name, i, 0);
	}
	assert_true(f.overloaded);
	resolver__leave_store(f.resolver);
	assert_false(f.overloaded);
	f.overloaded = true; /* as the next one may say */
	assert_true(fixture_run(&f.up, &f.n, 6));
	assert_true(f.overloaded);
	close_fixture(&f);
}

static void test_max_concurrent_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, ".:53 {\n forward . %1 {\n max_concurrent 1\n}\n}\n", 100, 100);
	query(&f, "a.example.", 1, 0);
	query(&f, "b.example.", 2, 0);
	assert_int_equal(f.n, 1);
	assert_int_equal(rcode(&f.replies[0]), DNS_REFUSED);
	assert_true(fixture_run(&f.up, &f.n, 2));
	close_fixture(&f);
}

static void test_udp_limit(void **state)
{
	static const struct {
		bool edns;
		uint16_t size, bufsize;
		size_t limit;
	} cases[] = {
		{ false, 0, 1232, 512 },    { true, 0, 1232, 512 },	 { true, 511, 1232, 512 },
		{ true, 512, 1232, 512 },   { true, 600, 1232, 600 },	 { true, 1232, 1232, 1232 },
		{ true, 4096, 1232, 1232 }, { true, 65535, 4096, 4096 }, { true, 4096, 512, 512 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dns_query q = { .edns = cases[i].edns, .edns_size = cases[i].size };

		assert_int_equal(resolver__udp_limit(&q, cases[i].bufsize), cases[i].limit);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_too_many_wait),
		cmocka_unit_test(test_one_client_waits),
		cmocka_unit_test(test_one_client_asks),
		cmocka_unit_test(test_probes_turned_away),
		cmocka_unit_test(test_overload_changes_hands),
		cmocka_unit_test(test_max_concurrent_is_refused),
		cmocka_unit_test(test_udp_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
