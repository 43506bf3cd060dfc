/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Property test: whatever an upstream sends, stored in a slot and built into a reply, is what ldns
 * reads in the upstream's own bytes, but for what nodens leaves out on purpose.
 *
 * Contract: random but repeatable; NODENS_TEST_SEED and NODENS_TEST_ROUNDS change what is tried,
 * and a failure prints the seed of its round.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "parts.h"
#include "records.h"
#include "sample.h"

#define ROUNDS 4000

static uint64_t round_seed;

/* RFC 1071, one octet pair at a time, big-endian. */
static uint16_t plain_sum(const uint8_t *octets, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? octets[i] : octets[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static void random_query(const struct sample *s, struct dns_query *query)
{
	*query = (struct dns_query){ .id = rnd(65536),
				     .qname = s->qname,
				     .qtype = s->qtype,
				     .qclass = DNS_CLASS_IN,
				     .edns = rnd(2) };
	for (size_t i = 0; i < query->qname.len; i++)
		if (dns_lower(query->qname.wire[i]) >= 'a' &&
		    dns_lower(query->qname.wire[i]) <= 'z')
			query->qname.wire[i] ^= rnd(2) << 5;
	query->flags = (rnd(2) ? DNS_RD : 0) | (rnd(2) ? DNS_CD : 0) | (rnd(2) ? DNS_AD : 0);
	query->edns_do = query->edns && rnd(2);
}

static uint16_t want_flags(const struct sample *s, const struct dns_query *query)
{
	uint16_t flags = (s->flags & (DNS_QR | DNS_RA | DNS_RCODE)) | DNS_AA;

	if (query->edns_do || query->flags & DNS_AD)
		flags |= s->flags & DNS_AD;
	return flags | (query->flags & (DNS_RD | DNS_CD));
}

static void check_whole(const struct sample *s, const struct dns_query *query, const uint8_t *msg,
			int len, uint32_t ttl_s)
{
	ldns_pkt *pkt = wire__parse(msg, len);
	const ldns_rr_list *got[3];

	assert_non_null(pkt);
	assert_int_equal(msg[2] << 8 | msg[3], want_flags(s, query));
	assert_int_equal(ldns_pkt_id(pkt), query->id);
	assert_memory_equal(msg + DNS_HEADER, query->qname.wire, query->qname.len);
	assert_int_equal(ldns_pkt_edns(pkt), query->edns);
	if (query->edns) {
		assert_int_equal(ldns_pkt_edns_udp_size(pkt), 1232);
		assert_int_equal(ldns_pkt_edns_do(pkt), query->edns_do);
	}
	got[0] = ldns_pkt_answer(pkt);
	got[1] = ldns_pkt_authority(pkt);
	got[2] = ldns_pkt_additional(pkt);
	assert_true(records__same(ldns_pkt_answer(s->expected), got[0]));
	assert_true(records__same(ldns_pkt_authority(s->expected), got[1]));
	assert_true(records__same(ldns_pkt_additional(s->expected), got[2]));
	for (int i = 0; i < 3; i++)
		for (size_t k = 0; k < ldns_rr_list_rr_count(got[i]); k++)
			assert_int_equal(ldns_rr_ttl(ldns_rr_list_rr(got[i], k)), ttl_s);
	ldns_pkt_free(pkt);
}

/* Record j has the data of record (j + r) % n of the set as it is stored. */
static void check_rotation(const struct sample *s, const struct dns_query *query,
			   const struct answer *answer, struct reply_options opts)
{
	static uint8_t plain[DNS_MAX_MSG], turned[DNS_MAX_MSG];
	size_t at = DNS_HEADER + s->qname.len + 4 + answer->rot_at, size = answer->rot_size;
	size_t n = answer->rot_count, r = opts.rotate % n;
	size_t data = size - (s->qtype == DNS_TYPE_A ? 4 : 16);

	assert_int_equal(reply__build(turned, sizeof(turned), query, answer, &opts),
			 answer__size(answer, query->edns));
	opts.rotate = 0;
	assert_true(reply__build(plain, sizeof(plain), query, answer, &opts) > 0);
	for (size_t i = 0; i < n; i++) {
		assert_memory_equal(turned + at + i * size, plain + at + i * size, data);
		assert_memory_equal(turned + at + i * size + data,
				    plain + at + (i + r) % n * size + data, size - data);
	}
}

/* Every size that a client may take, here and there; whatever the answer came out of. */
static void check_parts(const struct dns_query *query, const struct answer *answer,
			struct reply_options opts)
{
	static uint8_t whole[DNS_MAX_MSG], want[DNS_MAX_MSG], msg[DNS_MAX_MSG];
	size_t rest = DNS_HEADER + query->qname.len + 4 + (query->edns ? 11 : 0);
	int len = reply__build(whole, sizeof(whole), query, answer, &opts), want_len;

	assert_true(len > 0);
	for (int i = 0; i < 8; i++) {
		opts.limit = i ? rest + rnd(len - rest + 1) : (size_t)len - (answer->n_ttl > 0);
		want_len = parts__cut(whole, len, query->edns, opts.limit, want);
		assert_int_equal(reply__build(msg, sizeof(msg), query, answer, &opts), want_len);
		assert_memory_equal(msg, want, want_len);
		assert_true((size_t)want_len <= opts.limit);
	}
}

static void check_slot(const struct answer *answer, struct nodens_slot *slot)
{
	size_t size = answer__slot_size(answer);
	const uint8_t *ttls = (uint8_t *)slot + slot->ttls_at;
	struct answer *back;
	unsigned int odd = 0;

	assert_true(answer__slot_valid(slot, size));
	assert_false(answer__slot_valid(slot, size - 1));
	assert_int_equal(slot->blob_at % 8, 0);
	assert_int_equal(slot->ttls_at % 2, 0);
	assert_int_equal(ntohs(slot->blob_sum), plain_sum(answer->blob, answer->blob_len));
	for (unsigned int i = 0; i < slot->n_ttl; i++)
		odd += ((const uint16_t *)ttls)[i] % 2;
	assert_int_equal(slot->n_ttl_odd, odd);

	back = answer__from_slot(slot);
	assert_non_null(back);
	assert_int_equal(back->blob_len, answer->blob_len);
	assert_memory_equal(back->blob, answer->blob, answer->blob_len);
	assert_memory_equal(back->ttl_at, answer->ttl_at, answer->n_ttl * 2);
	assert_true(dns_name__equal(&back->qname, &answer->qname));
	assert_int_equal(back->ttl_s, answer->ttl_s);
	assert_int_equal(back->rot_count, slot->rot_count);
	answer__free(back);
}

/* The message that a reply is, taken apart again, yields the same answer. */
static void check_idempotent(const struct sample *s, const uint8_t *msg, int len,
			     const struct answer *answer)
{
	struct answer *again = NULL;
	enum verdict verdict;

	assert_int_equal(answer__decode(msg, len, &s->qname, s->qtype, 0, &verdict, &again), 0);
	assert_int_equal(verdict, s->want);
	assert_int_equal(again->blob_len, answer->blob_len);
	assert_memory_equal(again->blob, answer->blob, answer->blob_len);
	answer__free(again);
}

static void check_sample(const struct sample *s, unsigned int *slots)
{
	struct reply_options opts = { .limit = DNS_MAX_MSG, .ttl_s = rnd(1u << 31) };
	static union {
		struct nodens_slot slot;
		uint8_t octets[NODENS_SIZE_LARGEST];
	} u;
	static uint8_t msg[DNS_MAX_MSG];
	struct answer *answer = NULL;
	enum verdict verdict;
	struct dns_query query;
	int len;

	random_query(s, &query);
	assert_int_equal(answer__decode(s->wire, s->len, &s->qname, s->qtype, 2, &verdict, &answer),
			 0);
	assert_int_equal(verdict, s->want);
	assert_int_equal(answer->key_flags, 2);
	if (answer->rot_count)
		assert_true(s->rotates && answer->rot_size == (s->qtype == DNS_TYPE_A ? 16 : 28));
	else
		assert_true(!s->rotates || answer->blob_len > 10000 || s->qname.len == 1);

	len = reply__build(msg, sizeof(msg), &query, answer, &opts);
	assert_int_equal(len, answer__size(answer, query.edns));
	check_whole(s, &query, msg, len, opts.ttl_s);
	check_idempotent(s, msg, len, answer);
	if (answer__slot_size(answer)) {
		++*slots;
		memset(&u, 0, sizeof(u));
		answer__to_slot(answer, &u.slot);
		check_slot(answer, &u.slot);
		answer__free(answer);
		answer = answer__from_slot(&u.slot);
	}
	opts.rotate = rnd(2) ? rnd(200) : UINT32_MAX - rnd(200);
	len = reply__build(msg, sizeof(msg), &query, answer, &opts);
	check_whole(s, &query, msg, len, opts.ttl_s);
	if (answer->rot_count)
		check_rotation(s, &query, answer, opts);

	/* what fits everybody is never cut: out of a slot it has no RRsets */
	if (answer__size(answer, true) > 512)
		check_parts(&query, answer, opts);
	answer__free(answer);
}

static void test_property(void **state)
{
	const char *seed = getenv("NODENS_TEST_SEED"), *rounds = getenv("NODENS_TEST_ROUNDS");
	uint64_t first = seed ? strtoull(seed, NULL, 0) : 1;
	unsigned int n = rounds ? strtoul(rounds, NULL, 0) : ROUNDS, slots = 0;
	static struct sample s;

	(void)state;
	for (unsigned int i = 0; i < n; i++) {
		round_seed = first + i;
		sample__make(&s, round_seed);
		check_sample(&s, &slots);
		sample__free(&s);
	}
	print_message("    %u messages, %u of them in slots\n", n, slots);
	assert_true(slots > n / 4 && (slots < n || n < 1000));
	round_seed = 0;
}

static int say_seed(void **state)
{
	(void)state;
	if (round_seed)
		print_message("    failed in the round of NODENS_TEST_SEED=%llu\n",
			      (unsigned long long)round_seed);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_property, say_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
