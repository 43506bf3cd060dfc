// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * From query to reply: blocks, coalescing, what is kept for how long. Limits:
 * test_resolver_limits.c.
 */
#include "resolver_fixture.h"

static void test_identical_queries_are_one_exchange(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, ".:53 {\n forward . %1\n}\n", 100, 100);
	for (int i = 0; i < 20; i++)
		query(&f, i % 2 ? "www.EXAMPLE." : "WWW.example.", i, 0);
	assert_int_equal(resolver__in_flight(f.resolver), 1);
	assert_int_equal(f.up.stats.v[AGENT_STAT_WAITING], 20);
	assert_true(fixture_run(&f.up, &f.n, 20));
	for (int i = 0; i < 20; i++) {
		const struct reply *reply = &f.replies[i];

		assert_int_equal((uintptr_t)reply->owner, i);
		assert_int_equal(reply->msg[0] << 8 | reply->msg[1], i);
		assert_int_equal(rcode(reply), 0);
		/* Each has its own case of the question. */
		assert_memory_equal(reply->msg + 13, i % 2 ? "www" : "WWW", 3);
		assert_memory_equal(reply->msg + 17, i % 2 ? "EXAMPLE" : "example", 7);
	}
	assert_int_equal(f.up.fake[0].queries, 1);
	assert_int_equal(f.up.stats.v[AGENT_STAT_COALESCED], 19);
	assert_int_equal(f.up.stats.v[AGENT_STAT_WAITING], 0);
	assert_int_equal(resolver__in_flight(f.resolver), 0);
	close_fixture(&f);
}

static void test_do_and_cd_are_others(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, ".:53 {\n forward . %1\n}\n", 100, 100);
	for (int i = 0; i < 8; i++)
		query(&f, "www.example.", i, i % 4);
	assert_true(fixture_run(&f.up, &f.n, 8));
	assert_int_equal(f.up.fake[0].queries, 4);
	assert_int_equal(f.up.stats.v[AGENT_STAT_COALESCED], 4);
	close_fixture(&f);
}

static void test_blocks(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f,
		     "a.test:53 {\n forward . %1\n}\nb.test:53 {\n forward . %2\n}\nc.test:53 {\n"
		     " errors\n}\n",
		     100, 100);
	query(&f, "x.a.test.", 0, 0);
	query(&f, "x.B.test.", 1, 0);
	query(&f, "x.c.test.", 2, 0); /* nothing in it answers */
	query(&f, "x.d.test.", 3, 0); /* no block */
	assert_int_equal(f.n, 2);
	assert_int_equal(rcode(&f.replies[0]), DNS_SERVFAIL);
	assert_int_equal(rcode(&f.replies[1]), DNS_REFUSED);
	assert_true(fixture_run(&f.up, &f.n, 4));
	assert_int_equal(f.up.fake[0].queries, 1);
	assert_int_equal(f.up.fake[1].queries, 1);
	assert_int_equal(f.up.stats.v[AGENT_STAT_REFUSED], 1);
	assert_int_equal(f.up.stats.v[AGENT_STAT_SERVFAIL], 1);
	close_fixture(&f);
}

static void test_no_upstream_answers(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, ".:53 {\n forward . %1\n}\n", 100, 100);
	f.up.fake[0].behaviour = FAKE_SILENT;
	query(&f, "www.example.", 1, 0);
	query(&f, "www.example.", 2, 0);
	assert_true(fixture_run(&f.up, &f.n, 2));
	assert_int_equal(rcode(&f.replies[0]), DNS_SERVFAIL);
	assert_int_equal(rcode(&f.replies[1]), DNS_SERVFAIL);
	assert_int_equal(f.up.stats.v[AGENT_STAT_SERVFAIL], 2);
	close_fixture(&f);
}

/* What is under way at the end is let go, each once. */
static void test_close_with_queries_under_way(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, ".:53 {\n forward . %1\n}\n", 100, 100);
	f.up.fake[0].behaviour = FAKE_SILENT;
	for (int i = 0; i < 5; i++)
		query(&f, i % 2 ? "www.example." : "other.example.", i, 0);
	resolver__close(f.resolver);
	assert_int_equal(f.n, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(f.replies[i].len, 0);
	assert_int_equal(f.up.stats.v[AGENT_STAT_IN_FLIGHT], 0);
	fixture_close(&f.up);
}

/* What a probe does not say, for whatever reason, is asked again. */
static void test_probe_not_asked(void **state)
{
	static const char text[] = "cluster.local:53 {\n cache\n forward . %1 {\n"
				   "  max_concurrent 1\n }\n}\n";
	uint64_t now = VIRTUAL_BEGIN_NS;
	struct fixture f;

	(void)state;
	open_fixture(&f, text, 100, 100);
	f.up.fake[0].behaviour = FAKE_SILENT;
	query(&f, "a.cluster.local.", 1, 0);
	resolver__tick(f.resolver, now);
	assert_int_equal(f.up.stats.v[AGENT_STAT_NX_PROBES], 2);
	assert_int_equal(resolver__in_flight(f.resolver), 1);
	resolver__tick(f.resolver, now);
	assert_int_equal(f.up.stats.v[AGENT_STAT_NX_PROBES], 2);
	resolver__tick(f.resolver, now + 7 * NSEC_PER_SEC);
	assert_int_equal(f.up.stats.v[AGENT_STAT_NX_PROBES], 4);
	close_fixture(&f);
}

/* The same where no upstream can be asked at all: then it is over before it has begun. */
static void test_probe_unreachable(void **state)
{
	static const char text[] = "cluster.local:53 {\n cache\n forward . 255.255.255.255 {\n"
				   "  max_connect_attempts 1\n }\n}\n";
	uint64_t now = VIRTUAL_BEGIN_NS;
	struct fixture f;

	(void)state;
	open_fixture(&f, text, 100, 100);
	resolver__tick(f.resolver, now);
	assert_int_equal(f.up.stats.v[AGENT_STAT_NX_PROBES], 2);
	assert_int_equal(resolver__in_flight(f.resolver), 0);
	resolver__tick(f.resolver, now + 7 * NSEC_PER_SEC);
	assert_int_equal(f.up.stats.v[AGENT_STAT_NX_PROBES], 4);
	close_fixture(&f);
}

/* Both at once, as soon as an upstream of the zone answers at all, however lately they were in
 * vain. */
static void test_probes_at_the_first_answer(void **state)
{
	uint64_t now = VIRTUAL_BEGIN_NS;
	struct fixture f;

	(void)state;
	open_fixture(&f, "cluster.local:53 {\n cache\n forward . %1\n}\n", 100, 100);
	f.up.fake[0].behaviour = FAKE_SILENT;
	query(&f, "a.cluster.local.", 1, 0);
	resolver__tick(f.resolver, now);
	assert_true(fixture_run(&f.up, &f.n, 1));
	while (resolver__in_flight(f.resolver))
		fixture_run_for(&f.up, 1);
	assert_int_equal(f.up.stats.v[AGENT_STAT_NX_PROBES], 2);
	f.up.fake[0].behaviour = FAKE_ANSWERS;
	query(&f, "b.cluster.local.", 2, 0);
	assert_true(fixture_run(&f.up, &f.n, 2));
	assert_int_equal(f.up.stats.v[AGENT_STAT_NX_PROBES], 4);
	while (resolver__in_flight(f.resolver))
		fixture_run_for(&f.up, 1);
	/* believed: nobody is asked any more */
	resolver__tick(f.resolver, now + 700 * NSEC_PER_SEC);
	assert_int_equal(f.up.stats.v[AGENT_STAT_NX_PROBES], 4);
	close_fixture(&f);
}

/*
 * A name that has just gone unanswered is asked for once, of each upstream; an answer clears that.
 * (The fixture's deadline is 1 s: what it ends was left unanswered.)
 */
static void test_unanswered_lately(void **state)
{
	struct fixture f;
	unsigned int first;

	(void)state;
	open_fixture(&f, ".:53 {\n forward . %1\n}\n", 100, 100);
	f.up.fake[0].behaviour = FAKE_SILENT;
	query(&f, "www.example.", 1, 0);
	assert_true(fixture_run(&f.up, &f.n, 1));
	first = f.up.fake[0].queries;
	assert_in_range(first, 2, 4);
	query(&f, "www.example.", 2, 0);
	assert_true(fixture_run(&f.up, &f.n, 2));
	assert_int_equal(f.up.fake[0].queries, first + 1);
	query(&f, "other.example.", 3, 0); /* another name is asked for as ever */
	assert_true(fixture_run(&f.up, &f.n, 3));
	assert_in_range(f.up.fake[0].queries, first + 3, first + 5);
	first = f.up.fake[0].queries;
	f.up.fake[0].behaviour = FAKE_ANSWERS;
	query(&f, "www.example.", 4, 0);
	assert_true(fixture_run(&f.up, &f.n, 4));
	assert_int_equal(rcode(&f.replies[3]), DNS_NOERROR);
	f.up.fake[0].behaviour = FAKE_SILENT;
	query(&f, "www.example.", 5, 0);
	assert_true(fixture_run(&f.up, &f.n, 5));
	assert_in_range(f.up.fake[0].queries, first + 3, first + 5);
	close_fixture(&f);
}

/* `next` does not lead where `except` forbids. */
static void test_next_heeds_except(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f,
		     ".:53 {\n forward . %1 {\n  next SERVFAIL\n }\n"
		     " forward example. %2 {\n  except private.example\n }\n}\n",
		     10, 4);
	query(&f, "a.private.example.", 1, 0);
	assert_true(fixture_run(&f.up, &f.n, 1));
	assert_int_equal(f.up.fake[0].queries, 1);
	f.up.fake[0].behaviour = FAKE_SERVFAIL;
	query(&f, "b.private.example.", 2, 0);
	assert_true(fixture_run(&f.up, &f.n, 2));
	assert_int_equal(f.up.fake[0].queries, 2);
	assert_int_equal(f.up.fake[1].queries, 0);
	close_fixture(&f);
}

static void test_longest_zone(void **state)
{
	static const char *const names[] = { "a.cluster.local.", "local.", "b.local.",
					     "x.a.b.local." };
	static const size_t want[] = { 0, 1, 1, 2 };
	const struct server_block *blocks;
	struct dns_name name;
	struct fixture f;
	size_t n;

	(void)state;
	open_fixture(&f, "cluster.local:53 local:53 a.b.local:53 {\n forward . %1\n}\n", 10, 4);
	blocks = resolver__blocks(f.resolver, &n);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(dns_name__from_text(&name, names[i]), 0);
		assert_int_equal(server_block__zone(&blocks[0], &name), want[i]);
	}
	close_fixture(&f);
}

/* What the errors plugin has to say: whom we asked, and what became of it. */
static void test_why_it_failed(void **state)
{
	struct fixture f;
	char want[64];

	(void)state;
	open_fixture(&f, ".:53 {\n forward . %1 {\n max_concurrent 1\n}\n}\n", 10, 10);
	f.up.fake[0].behaviour = FAKE_SILENT;
	query(&f, "a.example.", 1, 0);
	query(&f, "b.example.", 2, 0);
	assert_int_equal(f.n, 1);
	assert_int_equal(rcode(&f.replies[0]), DNS_REFUSED);
	assert_string_equal(f.error, "concurrent queries exceeded maximum 1");
	assert_true(fixture_run(&f.up, &f.n, 2));
	assert_int_equal(rcode(&f.replies[1]), DNS_SERVFAIL);
	snprintf(want, sizeof(want), "->127.0.0.1:%u: i/o timeout", f.up.fake[0].port);
	assert_ptr_equal(strstr(f.error, "read udp 127.0.0.1:"), f.error);
	assert_string_equal(strchr(f.error, '-'), want);
	close_fixture(&f);
}

/* As if the upstream had sent the probe that is under way back to us. */
static void send_back(struct fixture *f, const struct dns_name *name, uint16_t id)
{
	struct client client = { .owner = (void *)(uintptr_t)id };
	struct dns_query q = {
		.id = id,
		.flags = DNS_RD,
		.qname = *name,
		.qtype = DNS_TYPE_HINFO,
		.qclass = DNS_CLASS_IN,
	};

	client.peer.v4.sin_family = client.local.v4.sin_family = AF_INET;
	client.local.v4.sin_port = htons(53);
	resolver__query(f->resolver, &client, &q, f->up.v.now_ns);
}

/* One probe that comes back is somebody's repetition, however often; three are a loop. */
static void test_loop(void **state)
{
	struct dns_name name;
	struct fixture f;

	(void)state;
	open_fixture(&f, "loop.test:53 {\n loop\n forward . %1\n}\n", 100, 100);
	f.up.fake[0].behaviour = FAKE_SILENT;
	resolver__watch_loops(f.resolver, f.up.v.now_ns);
	name = f.resolver->loops[0].name;
	for (int i = 0; i < 10; i++)
		send_back(&f, &name, i);
	assert_int_equal(f.loops, 0);
	for (int i = 10; i < 12; i++) {
		assert_int_equal(f.loops, 0);
		assert_false(dns_name__equal(&name, &f.resolver->loops[0].name));
		name = f.resolver->loops[0].name;
		send_back(&f, &name, i);
	}
	assert_int_equal(f.loops, 1);
	close_fixture(&f);
}

/* @host 1 may ask for all of b.test, others may not; who is dropped is let go without a reply. */
static void test_acl(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(
		&f,
		"a.test:53 {\n template IN A {\n  answer \"{{ .Name }} 60 IN CNAME x.b.test.\"\n "
		"}\n}\n"
		"b.test:53 {\n template IN A {\n  answer \"{{ .Name }} 60 IN A 192.0.2.1\"\n }\n"
		" acl {\n  allow net 10.1.0.1\n  drop net 10.1.0.2\n  block\n }\n}\n",
		100, 100);
	query_from(&f, 1, "x.b.test.", 0, 0);
	query_from(&f, 2, "x.b.test.", 1, 0);
	query_from(&f, 3, "x.b.test.", 2, 0);
	assert_int_equal(f.n, 3);
	assert_int_equal(rcode(&f.replies[0]), DNS_NOERROR);
	assert_int_equal(f.replies[0].msg[7], 1);
	assert_int_equal(f.replies[1].len, 0);
	assert_int_equal(rcode(&f.replies[2]), DNS_REFUSED);
	assert_int_equal(f.up.stats.v[AGENT_STAT_QUERIES_DROPPED], 1);
	/* a CNAME leads nobody there by the back door: it is not followed, whoever asks */
	query_from(&f, 3, "x.a.test.", 3, 0);
	assert_int_equal(rcode(&f.replies[3]), DNS_NOERROR);
	assert_int_equal(f.replies[3].msg[7], 1);
	close_fixture(&f);
	open_fixture(&f,
		     "a.test:53 {\n template IN A {\n  answer \"{{ .Name }} 60 IN CNAME "
		     "x.b.test.\"\n }\n}\n"
		     "b.test:53 {\n template IN A {\n  answer \"{{ .Name }} 60 IN A 192.0.2.1\"\n "
		     "}\n}\n",
		     100, 100);
	query_from(&f, 3, "x.a.test.", 0, 0);
	assert_int_equal(f.replies[0].msg[7], 2);
	close_fixture(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identical_queries_are_one_exchange),
		cmocka_unit_test(test_do_and_cd_are_others),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_no_upstream_answers),
		cmocka_unit_test(test_close_with_queries_under_way),
		cmocka_unit_test(test_probe_not_asked),
		cmocka_unit_test(test_probe_unreachable),
		cmocka_unit_test(test_probes_at_the_first_answer),
		cmocka_unit_test(test_unanswered_lately),
		cmocka_unit_test(test_next_heeds_except),
		cmocka_unit_test(test_longest_zone),
		cmocka_unit_test(test_why_it_failed),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_acl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
