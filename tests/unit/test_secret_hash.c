// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tables that clients and others can fill: names that are made to fall together do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/resource.h>

#include "plugin/hosts_priv.h"
#include "resolver/resolver_priv.h"
#include "base/secret_hash.h"
#include "upstream_fixture.h"

#define NAMES	    800
#define CHAIN_MAX   12 /* of so many at random in the buckets below more than 8 come once in 10^6 */
#define NAME_OCTETS 20

/* The authors' test vectors: key 00 01 .. 0f, message 00 01 .. */
static void test_siphash(void **state)
{
	static const uint64_t key[2] = { 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull };
	static const struct {
		size_t len;
		uint64_t want;
	} vectors[] = {
		{ 0, 0x726fdb47dd0e0e31ull },  { 1, 0x74f839c593dc67fdull },
		{ 7, 0xab0200f58b01d137ull },  { 8, 0x93f5f5799a932462ull },
		{ 15, 0xa129ca6149be45e5ull }, { 63, 0x958a324ceb064572ull },
	};
	uint8_t message[64];

	(void)state;
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_int_equal(siphash(key, message, vectors[i].len), vectors[i].want);
	assert_int_equal(secret_hash(message, 9), secret_hash(message, 9));
	assert_int_not_equal(secret_hash(message, 9), secret_hash(message, 10));
}

static void test_mix(void **state)
{
	uint64_t differ = 0;

	(void)state;
	assert_int_equal(secret_mix(1, 2), secret_mix(1, 2));
	/* each bit of the word reaches the low ones */
	for (int bit = 0; bit < 64; bit++)
		differ += (secret_mix(1, 1ull << bit) & 0xffff) != (secret_mix(1, 0) & 0xffff);
	assert_in_range(differ, 63, 64);
}

static void on_reply(void *ctx, const struct client *client, const uint8_t *msg, size_t len)
{
	(void)ctx, (void)client, (void)msg, (void)len;
}

/*
 * The n-th of the names that differ in octets 6 and 7 of two words of eight alone: the low 13 bits
 * of NH are the same for all of them.
 */
static struct dns_name colliding_name(unsigned int n)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz012345";
	struct dns_name name;

	assert_int_equal(dns_name__from_text(&name, "aaaaaaaaaaaaaaaaaaaa.example."), 0);
	name.wire[6] = digits[n & 31];
	name.wire[7] = digits[n >> 5 & 31];
	name.wire[14] = digits[n >> 10 & 31];
	return name;
}

static unsigned int longest_chain(const struct resolver *resolver)
{
	unsigned int longest = 0;

	for (size_t i = 0; i < BUCKETS; i++) {
		unsigned int n = 0;

		for (const struct inflight *p = resolver->buckets[i]; p; p = p->next)
			n++;
		longest = n > longest ? n : longest;
	}
	return longest;
}

static void test_questions_under_way(void **state)
{
	struct upstream_fixture up = { .ups = NULL };
	struct rlimit limit;
	struct error err;
	struct resolver *resolver;
	struct client client = { .owner = NULL };
	struct dns_query query = { .qtype = DNS_TYPE_A, .qclass = DNS_CLASS_IN, .flags = DNS_RD };
	struct resolver_config config = {
		.stats = &up.stats,
		.bufsize = 1232,
		.max_exchanges = 2 * NAMES,
		.shed_above = 8 * NAMES, /* a client has a quarter of it */
		.reply = on_reply,
	};

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_int_equal(fixture_open(&up, ".:53 {\n forward . %1\n}\n", FORWARD_READ_NS,
				      UPSTREAM_DEADLINE_NS),
			 0);
	up.fake[0].behaviour = FAKE_SILENT;
	config.loop = &up.v.loop;
	config.corefile = up.cf;
	config.upstreams = up.ups;
	assert_int_equal(resolver__open(&config, &resolver, &err), 0);
	client.local.v4.sin_family = AF_INET;
	client.local.v4.sin_port = htons(53);
	for (unsigned int i = 0; i < NAMES; i++) {
		query.qname = colliding_name(i);
		resolver__query(resolver, &client, &query, up.v.now_ns);
	}
	assert_int_equal(resolver__in_flight(resolver), NAMES);
	assert_in_range(longest_chain(resolver), 1, CHAIN_MAX);
	resolver__close(resolver);
	fixture_close(&up);
}

/* FNV-1a, with which the table was once made, puts all of these into one bucket. */
static unsigned int fnv(const char *text)
{
	uint32_t h = 2166136261u;
	struct dns_name name;

	assert_int_equal(dns_name__from_text(&name, text), 0);
	for (size_t i = 0; i < name.len; i++)
		h = (h ^ name.wire[i]) * 16777619u;
	return h;
}

static void test_hosts_file(void **state)
{

	struct corefile_zones zones = { NULL, 0 };
	struct table table = { .n = 0 };
	unsigned int longest = 0;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size), *in;

	(void)state;
	for (unsigned int i = 0, n = 0; n < NAMES; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%u.example", i);
		if (fnv(name) % 1024)
			continue;
		fprintf(out, "192.0.2.1 %s\n", name);
		n++;
	}
	fclose(out);
	in = fmemopen(text, size, "r");
	assert_int_equal(hosts_table__read(&table, &zones, in), 0);
	assert_int_equal(table.n, NAMES);
	assert_int_equal(table.buckets, 1024);
	for (size_t i = 0; i < table.buckets; i++) {
		unsigned int n = 0;

		for (const struct entry *e = table.by_name[i]; e; e = e->next_of_name)
			n++;
		longest = n > longest ? n : longest;
	}
	assert_in_range(longest, 1, CHAIN_MAX);
	hosts_table__free(&table);
	fclose(in);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash),
		cmocka_unit_test(test_mix),
		cmocka_unit_test(test_questions_under_way),
		cmocka_unit_test(test_hosts_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
