// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Preferred addresses first, whatever reply it is.
 * Contract: replies are read by ldns.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "plugin/loadbalance.h"
#include "wire.h"

static struct answer *answer_of(const char *qname, uint16_t qtype, const char *records)
{
	struct wire_message m = { 1, DNS_QR | DNS_RD | DNS_RA, qname, qtype, { records } };
	static uint8_t msg[DNS_MAX_MSG];
	struct dns_name name = wire__name(qname);
	size_t len = wire__build(msg, &m);
	enum verdict verdict;
	struct answer *answer = NULL;

	assert_int_equal(answer__decode(msg, len, &name, qtype, 0, &verdict, &answer), 0);
	return answer;
}

/* The addresses of the reply to the @turn'th client, divided by blanks. */
static const char *addresses(const struct answer *answer, uint32_t turn)
{
	struct dns_query query = { .qname = answer->qname, .qtype = answer->qtype, .qclass = 1 };
	struct reply_options opts = { .limit = 4096, .rotate = turn };
	static char text[1024];
	uint8_t msg[4096];
	ldns_pkt *pkt = NULL;
	int len = reply__build(msg, sizeof(msg), &query, answer, &opts);
	ldns_rr_list *list;

	assert_true(len > 0);
	assert_int_equal(ldns_wire2pkt(&pkt, msg, len), LDNS_STATUS_OK);
	text[0] = '\0';
	list = ldns_pkt_answer(pkt);
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);
		char *addr;

		if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME)
			continue;
		addr = ldns_rdf2str(ldns_rr_rdf(rr, 0));
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? " " : "",
			 addr);
		free(addr);
	}
	ldns_pkt_free(pkt);
	return text;
}

static const struct corefile_subnet ten = { AF_INET, { 10 }, 8 };
static const struct corefile_subnet lan = { AF_INET, { 192, 168, 128 }, 17 };
static const struct corefile_subnet six = { AF_INET6, { 0x20, 0x01, 0x0d, 0xb8 }, 32 };
static const struct corefile_subnet any = { AF_INET, { 0 }, 0 };

#define A(last) "a. 5 IN A " last "\n"

static void test_order(void **state)
{
	static const char four[] = A("203.0.113.1") A("192.168.200.2") A("10.0.0.3") A("10.9.9.4");
	static const struct {
		struct corefile_subnet subnets[2];
		size_t n;
		const char *records, *first, *second;
	} rows[] = {
		/* the first set goes round, what follows stays */
		{ { ten },
		  1,
		  four,
		  "10.0.0.3 10.9.9.4 203.0.113.1 192.168.200.2",
		  "10.9.9.4 10.0.0.3 203.0.113.1 192.168.200.2" },
		{ { lan, ten },
		  2,
		  four,
		  "192.168.200.2 10.0.0.3 10.9.9.4 203.0.113.1",
		  "192.168.200.2 10.0.0.3 10.9.9.4 203.0.113.1" },
		/* none of them, all of them: all go round */
		{ { six },
		  1,
		  A("203.0.113.1") A("192.168.200.2"),
		  "203.0.113.1 192.168.200.2",
		  "192.168.200.2 203.0.113.1" },
		{ { any, ten },
		  2,
		  A("203.0.113.1") A("192.168.200.2"),
		  "203.0.113.1 192.168.200.2",
		  "192.168.200.2 203.0.113.1" },
		/* 17 bits */
		{ { lan },
		  1,
		  A("192.168.127.1") A("192.168.128.2"),
		  "192.168.128.2 192.168.127.1",
		  "192.168.128.2 192.168.127.1" },
		{ { ten }, 1, A("192.168.127.1"), "192.168.127.1", "192.168.127.1" },
		/* behind an alias */
		{ { ten },
		  1,
		  "a. 5 IN CNAME b.\nb. 5 IN A 203.0.113.1\nb. 5 IN A 10.0.0.2",
		  "10.0.0.2 203.0.113.1",
		  "10.0.0.2 203.0.113.1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct answer *answer = answer_of("a.", 1, rows[i].records);

		loadbalance__prefer(rows[i].subnets, rows[i].n, answer);
		assert_string_equal(addresses(answer, 0), rows[i].first);
		assert_string_equal(addresses(answer, 1), rows[i].second);
		answer__free(answer);
	}
}

static void test_ipv6(void **state)
{
	struct corefile_subnet subnets[] = { ten, six };
	struct answer *answer = answer_of("a.", 28,
					  "a. 5 IN AAAA fd00::1\na. 5 IN AAAA 2001:db8::2\n"
					  "a. 5 IN AAAA fd00::3\na. 5 IN AAAA 2001:db8:1::4");

	(void)state;
	loadbalance__prefer(subnets, 2, answer);
	assert_string_equal(addresses(answer, 0), "2001:db8::2 2001:db8:1::4 fd00::1 fd00::3");
	assert_string_equal(addresses(answer, 1), "2001:db8:1::4 2001:db8::2 fd00::1 fd00::3");
	loadbalance__prefer(subnets, 0, answer);
	assert_int_equal(answer->rot_count, 2);
	answer__free(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
