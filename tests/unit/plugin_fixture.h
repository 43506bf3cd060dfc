/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A server block from text, and answers as text that ldns has read, for the tests of the plugins
 * that answer by themselves.
 *
 * Contract: a Corefile that does not parse ends the test; texts are overwritten by the next call.
 */
#ifndef NODENS_TEST_PLUGIN_FIXTURE_H
#define NODENS_TEST_PLUGIN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/corefile.h"
#include "plugin/plugin.h"
#include "dns/rrtype.h"
#include "wire.h"

struct plugin_fixture {
	struct corefile *cf;
	const struct corefile_block *block;
	struct corefile_zones zones;
	struct error err;
};

static inline void plugin_fixture_open(struct plugin_fixture *f, const char *text)
{
	struct error err = { "" };

	memset(f, 0, sizeof(*f));
	if (corefile__parse(&corefile_host_options, "Corefile", text, strlen(text), &f->cf, &err))
		fail_msg("%s in:\n%s", err.text, text);
	f->block = &f->cf->blocks[0];
	f->zones = (struct corefile_zones){ f->block->zones, f->block->zones_len };
}

static inline void plugin_fixture_close(struct plugin_fixture *f)
{
	corefile__free(f->cf);
}

static inline struct dns_name name_of(const char *text)
{
	struct dns_name name;

	wire__must(!dns_name__from_text(&name, text), text);
	return name;
}

static inline uint16_t type_of(const char *text)
{
	uint16_t type = 0;

	wire__must(!rrtype__parse(text, &type), text);
	return type;
}

/* "NOERROR a.test. 60 IN A 192.0.2.1 | authority... | additional..." (empty sections left out at
 * the end), TTLs and all; what there is of the answer goes. */
static inline const char *answer_text(struct answer *answer)
{
	static char text[65536];
	static uint8_t msg[DNS_MAX_MSG];
	struct dns_query query = {
		.qname = answer->qname,
		.qtype = answer->qtype,
		.qclass = DNS_CLASS_IN,
	};
	struct reply_options opts = { .limit = sizeof(msg), .ttl_s = answer->ttl_s };
	int len = reply__build(msg, sizeof(msg), &query, answer, &opts);
	ldns_pkt *pkt = NULL;
	char rcode[RRTYPE_TEXT];
	size_t at;

	wire__must(len > 0 && ldns_wire2pkt(&pkt, msg, len) == LDNS_STATUS_OK, "a reply");
	at = snprintf(text, sizeof(text), "%s", rcode__text(ldns_pkt_get_rcode(pkt), rcode));
	for (int i = 0; i < 3; i++) {
		const ldns_rr_list *list = i == 0   ? ldns_pkt_answer(pkt)
					   : i == 1 ? ldns_pkt_authority(pkt)
						    : ldns_pkt_additional(pkt);

		for (size_t k = 0; k < ldns_rr_list_rr_count(list); k++) {
			char *rr = ldns_rr2str(ldns_rr_list_rr(list, k));

			rr[strcspn(rr, "\n")] = '\0';
			for (char *c = rr; *c; c++)
				*c = *c == '\t' ? ' ' : *c;
			at += snprintf(text + at, sizeof(text) - at, "%s%s",
				       k   ? ", "
				       : i ? " | "
					   : " ",
				       rr);
			free(rr);
		}
	}
	ldns_pkt_free(pkt);
	answer__free(answer);
	return text;
}

static inline const char *result_text(enum plugin_result result, struct answer *answer)
{
	if (result == PLUGIN_ANSWER)
		return answer_text(answer);
	assert_null(answer);
	return result == PLUGIN_NEXT ? "NEXT" : "SERVFAIL";
}

/* An upstream's answer: records one a line. */
static inline struct answer *upstream_answer(const char *qname, const char *qtype, uint16_t rcode,
					     const char *answer, const char *authority,
					     enum verdict *verdict)
{
	static uint8_t wire[DNS_MAX_MSG];
	struct wire_message m = {
		.id = 1,
		.flags = DNS_QR | DNS_RA | rcode,
		.qname = qname,
		.qtype = type_of(qtype),
		.section = { answer, authority, NULL },
	};
	struct dns_name name = name_of(qname);
	struct answer *out = NULL;
	size_t len = wire__build(wire, &m);

	wire__must(!answer__decode(wire, len, &name, m.qtype, 0, verdict, &out) && out, qname);
	return out;
}

/* Of an answer that says TC=1, or that has fewer records than it says, what there is of it. */
static inline struct answer *part_of_answer(const char *qname, const char *qtype, bool tc,
					    const char *answer, enum verdict *verdict)
{
	static uint8_t wire[DNS_MAX_MSG];
	struct wire_message m = {
		.id = 1,
		.flags = DNS_QR | DNS_RA | (tc ? DNS_TC : 0),
		.qname = qname,
		.qtype = type_of(qtype),
		.section = { answer, NULL, NULL },
	};
	struct dns_name name = name_of(qname);
	size_t len = wire__build(wire, &m);
	struct answer *out = NULL;
	bool at_end;

	if (!tc)
		wire[7] += 5; /* ANCOUNT */
	wire__must(!answer__salvage(wire, len, &name, m.qtype, 0, &at_end, verdict, &out), qname);
	wire__must(*verdict == VERDICT_PASS && out->flags & DNS_TC, qname);
	return out;
}

#endif /* NODENS_TEST_PLUGIN_FIXTURE_H */
