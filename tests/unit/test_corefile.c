// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of the Corefile parser: good files and what they mean, printing and reading back, lookups.
 * Wrong files: test_corefile_errors.c.
 */
#include "corefile_fixture.h"

#include <openssl/evp.h>

static struct corefile *parse(const char *text)
{
	struct error err = { "" };
	struct corefile *cf = NULL;
	int ret = corefile__parse(&fake, "Corefile", text, strlen(text), &cf, &err);

	if (ret)
		fail_msg("%s", err.text);
	return cf;
}

static char *print(const struct corefile *cf)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	corefile__print(cf, out);
	fclose(out);
	return text;
}

static void assert_addr(const union sockaddr_any *addr, const char *ip, unsigned int port)
{
	char text[INET6_ADDRSTRLEN];

	if (addr->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)addr)->sin6_addr, text,
			  sizeof(text));
		assert_int_equal(ntohs(((const struct sockaddr_in6 *)addr)->sin6_port), port);
	} else {
		assert_int_equal(addr->sa.sa_family, AF_INET);
		inet_ntop(AF_INET, &((const struct sockaddr_in *)addr)->sin_addr, text,
			  sizeof(text));
		assert_int_equal(ntohs(((const struct sockaddr_in *)addr)->sin_port), port);
	}
	assert_string_equal(text, ip);
}

static void assert_zones(const struct corefile_zone *a, const struct corefile_zone *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		assert_string_equal(a[i].text, b[i].text);
		assert_int_equal(a[i].name.len, b[i].name.len);
		assert_memory_equal(a[i].name.wire, b[i].name.wire, a[i].name.len);
	}
}

static void assert_same_forward(const struct corefile_forward *a, const struct corefile_forward *b)
{
	assert_zones(&a->from, &b->from, 1);
	assert_int_equal(a->upstreams_len, b->upstreams_len);
	assert_memory_equal(a->upstreams, b->upstreams, a->upstreams_len * sizeof(*a->upstreams));
	assert_int_equal(a->except.len, b->except.len);
	assert_zones(a->except.list, b->except.list, a->except.len);
	assert_int_equal(a->policy, b->policy);
	assert_int_equal(a->force_tcp, b->force_tcp);
	assert_int_equal(a->prefer_udp, b->prefer_udp);
	assert_int_equal(a->max_fails, b->max_fails);
	assert_int_equal(a->max_concurrent, b->max_concurrent);
	assert_int_equal(a->expire_ns, b->expire_ns);
	assert_int_equal(a->health_check_ns, b->health_check_ns);
	assert_int_equal(a->health_check_rd, b->health_check_rd);
	assert_zones(&a->health_check_domain, &b->health_check_domain, 1);
}

static void assert_same_block(const struct corefile_block *a, const struct corefile_block *b)
{
	assert_int_equal(a->zones_len, b->zones_len);
	assert_zones(a->zones, b->zones, a->zones_len);
	assert_int_equal(a->port, b->port);
	assert_int_equal(a->binds_len, b->binds_len);
	if (a->binds_len)
		assert_memory_equal(a->binds, b->binds, a->binds_len * sizeof(*a->binds));
	assert_int_equal(a->cache.enabled, b->cache.enabled);
	assert_memory_equal(&a->cache.success, &b->cache.success, sizeof(a->cache.success));
	assert_memory_equal(&a->cache.denial, &b->cache.denial, sizeof(a->cache.denial));
	assert_int_equal(a->forwards_len, b->forwards_len);
	for (size_t i = 0; i < a->forwards_len; i++)
		assert_same_forward(&a->forwards[i], &b->forwards[i]);
	assert_int_equal(a->errors.enabled, b->errors.enabled);
	assert_int_equal(a->logs_len, b->logs_len);
	assert_int_equal(a->health.enabled, b->health.enabled);
	assert_memory_equal(&a->health.addr, &b->health.addr, sizeof(a->health.addr));
	assert_int_equal(a->health_lameduck_ns, b->health_lameduck_ns);
	assert_int_equal(a->prometheus.enabled, b->prometheus.enabled);
	assert_memory_equal(&a->prometheus.addr, &b->prometheus.addr, sizeof(a->prometheus.addr));
}

/* Prints, reads back, compares; frees `cf`. */
static void assert_round_trip(struct corefile *cf)
{
	char *text = print(cf);
	struct corefile *again = parse(text);

	assert_int_equal(cf->blocks_len, again->blocks_len);
	for (size_t i = 0; i < cf->blocks_len; i++)
		assert_same_block(&cf->blocks[i], &again->blocks[i]);
	free(text);
	corefile__free(again);
	corefile__free(cf);
}

static void test_node_local(void **state)
{
	struct corefile *cf = NULL;
	const struct corefile_block *b;

	(void)state;
	assert_int_equal(load(TEST_DATA "node-local.Corefile", &cf), 0);
	assert_int_equal(cf->blocks_len, 5);
	b = &cf->blocks[0];
	assert_int_equal(b->line, 2);
	assert_string_equal(b->file, TEST_DATA "node-local.Corefile");
	assert_string_equal(b->zones[0].text, "cluster.local.");
	assert_int_equal(b->zones[0].name.len, 15);
	assert_memory_equal(b->zones[0].name.wire, "\7cluster\5local", 15);
	assert_int_equal(b->port, 53);
	assert_int_equal(b->binds_len, 2);
	assert_addr(&b->binds[1], "10.96.0.10", 53);
	assert_int_equal(b->cache.success.ttl_s, 30);
	assert_int_equal(b->cache.denial.ttl_s, 5);
	assert_int_equal(b->cache.denial.min_ttl_s, 5);
	assert_true(b->forwards[0].force_tcp);
	assert_addr(&b->forwards[0].upstreams[0].addr, "10.96.141.7", 53);
	assert_addr(&b->health.addr, "169.254.20.10", 8080);
	assert_addr(&b->prometheus.addr, "::", 9253);
	assert_true(b->errors.enabled && !b->logs_len);
	assert_string_equal(cf->blocks[3].zones[0].text, ".");
	assert_addr(&cf->blocks[3].forwards[0].upstreams[1].addr, "2001:db8::53", 53);
	assert_int_equal(cf->blocks[4].cache.denial.ttl_s, 30);
	assert_true(b->loop && b->reload.enabled);
	assert_int_equal(cf->warnings_len, 0);
	assert_round_trip(cf);
}

static void test_syntax(void **state)
{
	struct corefile *cf = NULL;
	const struct corefile_forward *f;

	(void)state;
	assert_int_equal(load(TEST_DATA "syntax.Corefile", &cf), 0);
	assert_int_equal(cf->blocks_len, 3); /* the first one has two ports */
	assert_int_equal(cf->blocks[0].zones_len, 19);
	assert_string_equal(cf->blocks[0].zones[0].text, "example.org.");
	assert_string_equal(cf->blocks[0].zones[1].text, "10.in-addr.arpa.");
	assert_string_equal(cf->blocks[0].zones[2].text, "8.b.d.0.1.0.0.2.ip6.arpa.");
	assert_string_equal(cf->blocks[0].zones[18].text, "31.172.in-addr.arpa.");
	assert_int_equal(cf->blocks[1].port, 5353);
	assert_int_equal(cf->blocks[0].cache.success.capacity, 100);
	assert_true(cf->blocks[1].apart && !cf->blocks[1].cache.enabled);
	f = &cf->blocks[0].forwards[0];
	assert_true(f->force_tcp && !f->health_check_rd);
	assert_int_equal(f->max_fails, 3);
	assert_int_equal(f->health_check_ns, 1500000000);
	assert_string_equal(f->health_check_domain.text, "probe.example.");
	assert_int_equal(cf->blocks[2].forwards_len, 2);
	assert_addr(&cf->blocks[2].forwards[1].upstreams[1].addr, "2001:db8::9", 5300);
	assert_string_equal(cf->blocks[2].forwards[1].except.list[1].text,
			    "a\\046b.internal.example.");
	assert_int_equal(cf->warnings_len, 1);
	assert_string_equal(cf->warnings[0] + strlen(TEST_DATA),
			    "syntax.Corefile:15: cache: port 5353: the cache belongs to port 53 "
			    "alone; answers on this port are asked for each time");
	assert_round_trip(cf);

	assert_int_equal(load(TEST_DATA "no-braces.Corefile", &cf), 0);
	assert_int_equal(cf->blocks[0].port, 1053);
	assert_int_equal(cf->blocks[0].forwards[0].policy, COREFILE_POLICY_SEQUENTIAL);
	assert_round_trip(cf);
	assert_int_equal(load(TEST_DATA "cilium.Corefile", &cf), 0);
	assert_round_trip(cf);
}

static void test_defaults(void **state)
{
	static const struct corefile_cache_side success = { 9984, 3600, 5 },
						denial = { 9984, 1800, 5 };
	struct corefile *cf = parse(". {\ncache\nhealth\nprometheus\n" FORWARD "}\n");
	const struct corefile_block *b = &cf->blocks[0];

	(void)state;
	assert_memory_equal(&b->cache.success, &success, sizeof(success));
	assert_memory_equal(&b->cache.denial, &denial, sizeof(denial));
	assert_int_equal(b->binds_len, 0);
	assert_addr(&b->health.addr, "::", 8080);
	assert_addr(&b->prometheus.addr, "127.0.0.1", 9153);
	assert_int_equal(b->forwards[0].policy, COREFILE_POLICY_RANDOM);
	assert_int_equal(b->forwards[0].max_fails, 2);
	assert_int_equal(b->forwards[0].expire_ns, 10000000000);
	assert_int_equal(b->forwards[0].health_check_ns, 500000000);
	assert_true(b->forwards[0].health_check_rd);
	assert_round_trip(cf);
}

/* Odd but right: each must be accepted, and mean the same after printing. */
static const char *const accepted[] = {
	"\xef\xbb\xbf. {\r\n  cache 30 # half a minute\r\n  " FORWARD "}\r\n",
	":5300 {\n" FORWARD "}",
	".\n{\n" FORWARD "}\n",
	"a, b ,\nc,d {\n" FORWARD "}\n",
	". { cache 3\n" FORWARD "}",
	". {\n\"forward\" \".\" \"192.0.2.1\" {\nexpire 0\nmax_fails 0\nhealth_check "
	"1h1m1.5s1ms2us3ns\n}\n}",
	". {\nforward . {$UPSTREAM} {%UPSTREAM%}:54\n}",
	". {\nforward . /etc/resolv.conf dns://192.0.2.9 [2001:db8::1] [2001:db8::2]:54 "
	"::ffff:192.0.2.3\n}",
	". {\nforward a 192.0.2.1\nforward b 192.0.2.1\nforward c:53 192.0.2.2 {\nexcept "
	"10.0.0.0/9 x.c\n}\n}",
	". {\nforward a 192.0.2.1 {\nexcept x.a\n}\nforward a 192.0.2.2\n}",
	". {\nbind 192.0.2.1 ::1\nbind 192.0.2.1\n"
	"health localhost:1 {\nlameduck 5s\n}\nprometheus [::1]:2\nlog\nerrors {\n}\n}",
	". {\ncache 60 {\nsuccess 0\ndenial 2147483647 2147483647 0\n}\n}",
	". {\nbind 192.0.2.1\n}\n. {\nbind 192.0.2.2\n}\n.:54 {\n}",
	"0.0.0.0/0 ::/0 192.0.2.1/32 2001:db8::1/128 128.0.0.0/1 2001:db8::/33 10.1.2.3/8:54 {\n}",
	"\\032\\.\\\\\\034.x_-* {\n}",
	". {\nimport *.absent\nforward . 192.0.2.1 {\nprefer_udp\nmax_concurrent 1000\n}\n}",
	"a\xc2\xa0"
	"b {\n}", /* a pasted no-break space */
	"(unused) {\nfrob {\n}\n}\n. {\nimport good.conf\n}",
	". {\nerrors stdout\ntemplate IN A {\nupstream\nupstream 192.0.2.1\n}\n}",
};

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++)
		assert_round_trip(parse(accepted[i]));
}

static void test_details(void **state)
{
	struct corefile_options options = fake;
	struct corefile *cf;
	const char *text;

	(void)state;
	cf = parse(accepted[4]); /* the default minimum does not lift a TTL of 3 */
	assert_int_equal(cf->blocks[0].cache.denial.min_ttl_s, 3);
	corefile__free(cf);

	cf = parse(accepted[5]);
	assert_int_equal(cf->blocks[0].forwards[0].health_check_ns, 3661501002003);
	assert_int_equal(cf->blocks[0].forwards[0].expire_ns, 0);
	corefile__free(cf);

	cf = parse(accepted[7]);
	assert_int_equal(cf->blocks[0].forwards[0].upstreams_len, 6);
	assert_addr(&cf->blocks[0].forwards[0].upstreams[1].addr, "2001:db8::53", 53);
	assert_addr(&cf->blocks[0].forwards[0].upstreams[5].addr, "192.0.2.3", 53);
	assert_string_equal(
		cf->warnings[0],
		"Corefile:2: forward: the nameserver 'fe80::1%eth0' of '/etc/resolv.conf' is "
		"left out: there is no such interface");
	corefile__free(cf);

	cf = parse(accepted[14]);
	assert_string_equal(cf->blocks[0].zones[0].text, "\\032\\046\\092\\034.x_-*.");
	assert_string_equal(cf->warnings[0], "Corefile:1: server block: it has no forward; every "
					     "query for its zones is answered SERVFAIL");
	corefile__free(cf);

	text = ". {\n" FORWARD "}\nx:54 {\n" FORWARD "}\n";
	options.default_port = 1053;
	assert_int_equal(corefile__parse(&options, "C", text, strlen(text), &cf, NULL), 0);
	assert_int_equal(cf->blocks[0].port, 1053);
	assert_int_equal(cf->blocks[1].port, 54);
	corefile__free(cf);
	corefile__free(NULL);
}

static void test_lookup(void **state)
{
	struct corefile *cf = parse("example.org {\nforward a.example.org 192.0.2.1\n"
				    "forward example.org 192.0.2.2 {\nexcept x.example.org\n}\n}\n"
				    "Sub.Example.org {\nbind 192.0.2.10\n}\n.:54 {\n" FORWARD "}\n"
				    "org {\n" FORWARD "}\n");
	struct sockaddr_in local = { .sin_family = AF_INET, .sin_port = htons(53) };
	union sockaddr_any addr = { 0 };
	const struct corefile_block *org = &cf->blocks[0], *sub = &cf->blocks[1],
				    *root = &cf->blocks[2], *tld = &cf->blocks[3];

	(void)state;
#define WIRE(s) (&(const struct dns_name){ sizeof(s), s })
	assert_ptr_equal(corefile__block_for(cf, WIRE("\7example\3org")), org);
	assert_ptr_equal(corefile__block_for(cf, WIRE("\1a\7example\3org")), org);
	assert_ptr_equal(corefile__block_for(cf, WIRE("\3sub\7example\3org")), sub);
	assert_ptr_equal(corefile__block_for(cf, WIRE("\1x\3sub\7example\3org")), sub);
	assert_ptr_equal(corefile__block_for(cf, WIRE("\4asub\7example\3org")), org);
	/* Ends in the octets of "example.org", inside a label. */
	assert_null(corefile__block_for(cf, WIRE("\15x\7example\3org")));
	assert_ptr_equal(corefile__block_for(cf, WIRE("\3org")), tld);
	/* What is of another port is found there alone. */
	assert_true(root->apart && !root->cache.enabled && !root->nxdomain_cut);
	assert_null(corefile__block_for(cf, WIRE("")));
	local.sin_port = htons(54);
	memcpy(&addr, &local, sizeof(local));
	assert_ptr_equal(corefile__block_at(cf, WIRE("\7example\3org"), &addr), root);
	local.sin_port = htons(53);
	assert_null(corefile__block_for(cf, WIRE("\77x")));

	inet_pton(AF_INET, "192.0.2.11", &local.sin_addr);
	memcpy(&addr, &local, sizeof(local));
	assert_ptr_equal(corefile__block_at(cf, WIRE("\3sub\7example\3org"), &addr), org);
	assert_null(corefile__block_at(cf, WIRE(""), &addr));
	inet_pton(AF_INET, "192.0.2.10", &local.sin_addr);
	memcpy(&addr, &local, sizeof(local));
	assert_ptr_equal(corefile__block_at(cf, WIRE("\3sub\7example\3org"), &addr), sub);

	assert_ptr_equal(corefile__forward_for(org, WIRE("\1b\7example\3org")), &org->forwards[1]);
	assert_ptr_equal(corefile__forward_for(org, WIRE("\1b\1a\7example\3org")),
			 &org->forwards[0]);
	assert_null(corefile__forward_for(org, WIRE("\1b\1x\7example\3org")));
	assert_null(corefile__forward_for(sub, WIRE("\3sub\7example\3org")));
	corefile__free(cf);

	cf = parse(". {\nbind ::\n}\nb {\nbind ::1\n}\n");
	addr = cf->blocks[1].binds[0];
	assert_ptr_equal(corefile__block_at(cf, WIRE("\1b"), &addr), &cf->blocks[1]);
	((struct sockaddr_in6 *)&addr)->sin6_addr.s6_addr[0] = 0x20;
	assert_ptr_equal(corefile__block_at(cf, WIRE("\1b"), &addr), &cf->blocks[0]);
	corefile__free(cf);
}

static unsigned int fake_ifindex(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "eth0") ? 0 : 7;
}

/* RFC 4007, 11: a link-local address says of which link. */
static void test_scopes(void **state)
{
	static const struct {
		const char *to;
		unsigned int scope, port; /* 0: refused */
	} cases[] = {
		{ "fe80::1%eth0", 7, 53 },
		{ "[fe80::1%eth0]:54", 7, 54 },
		{ "[fe80::1%3]", 3, 53 },
		{ "fe80::1%12", 12, 53 },
		{ "six.conf", 7, 53 },
		{ "fe80::1%eth1", 0, 0 },
		{ "fe80::1%", 0, 0 },
		{ "2001:db8::1%eth0", 0, 0 },
		{ "192.0.2.1%eth0", 0, 0 },
		{ "[fe80::1%eth0]x", 0, 0 },
		{ "[fe80::1%eth0", 0, 0 },
		{ "fe80::1%0", 0, 0 },
		{ "fe80::1%99999999999", 0, 0 },
	};
	struct corefile_options options = fake;

	(void)state;
	options.ifindex = fake_ifindex;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = { "" };
		const struct sockaddr_in6 *v6;
		struct corefile *cf = NULL;
		char text[128];
		int ret;

		snprintf(text, sizeof(text), ". {\nforward . %s\n}\n", cases[i].to);
		ret = corefile__parse(&options, "Corefile", text, strlen(text), &cf, &err);
		if (!ret != !!cases[i].scope)
			fail_msg("%s: %s", cases[i].to, err.text);
		if (ret)
			continue;
		v6 = (const struct sockaddr_in6 *)&cf->blocks[0].forwards[0].upstreams[0].addr;
		assert_int_equal(v6->sin6_scope_id, cases[i].scope);
		assert_addr((const union sockaddr_any *)v6, "fe80::1", cases[i].port);
		assert_round_trip(cf);
	}
}

/* Keys as kubespray's sample has them, and other transports. */
static void test_ports(void **state)
{
	struct corefile *cf = parse("example.com example.io:1053 {\ncache 5\n" FORWARD "}\n"
				    "https://mycompany.local:4453 {\ncache 30\n}\n"
				    "tls://a b {\n" FORWARD "}\n");

	(void)state;
	assert_int_equal(cf->blocks_len, 3);
	assert_false(cf->blocks[0].apart);
	assert_true(cf->blocks[1].apart);
	assert_int_equal(cf->blocks[1].port, 1053);
	assert_string_equal(cf->blocks[2].zones[0].text, "b.");
	assert_int_equal(cf->cached_port, 53);
	assert_int_equal(cf->warnings_len, 3);
	assert_string_equal(cf->warnings[0],
			    "Corefile:5: server block: 'https://mycompany.local:4453' is left out: "
			    "clients are served over plain DNS alone");
	assert_round_trip(cf);
	/* Where nothing is on port 53 the first port has the cache. */
	cf = parse(".:5300 {\ncache\n" FORWARD "}\n.:5301 {\n" FORWARD "}\n");
	assert_int_equal(cf->cached_port, 5300);
	assert_true(cf->blocks[0].cache.enabled && !cf->blocks[0].apart && cf->blocks[1].apart);
	assert_round_trip(cf);
}

/* Held against OpenSSL's. */
static void test_digest(void **state)
{
	char hex[COREFILE_DIGEST], again[COREFILE_DIGEST], want[COREFILE_DIGEST];
	struct corefile *cf = parse(". {\ncache\n" FORWARD "}\n");
	char *text = print(cf);
	uint8_t digest[64];

	(void)state;
	assert_int_equal(corefile__digest(cf, hex), 0);
	assert_true(EVP_Digest(text, strlen(text), digest, NULL, EVP_sha512(), NULL));
	for (size_t i = 0; i < sizeof(digest); i++)
		sprintf(want + 2 * i, "%02x", digest[i]);
	assert_string_equal(hex, want);
	free(text);
	corefile__free(cf);
	cf = parse(". {\ncache 30\n" FORWARD "}\n");
	assert_int_equal(corefile__digest(cf, again), 0);
	assert_string_not_equal(hex, again);
	corefile__free(cf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_node_local), cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_defaults),   cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_details),	   cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_scopes),	   cmocka_unit_test(test_ports),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests_name("corefile", tests, NULL, NULL);
}
