/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Messages for tests, from text and to text, by ldns: an implementation that shares nothing with
 * the code under test.
 *
 * Contract: a test's own mistakes (text that is no record) end the test program.
 */
#ifndef NODENS_TEST_WIRE_H
#define NODENS_TEST_WIRE_H

#include <ldns/ldns.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/msg.h"

struct wire_message {
	uint16_t id, flags; /* host order */
	const char *qname;
	uint16_t qtype;
	const char *section[3]; /* records in presentation form, one a line, or NULL */
};

static inline void wire__must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "the test itself is wrong: %s\n", what);
		abort();
	}
}

static inline void wire__push(ldns_pkt *pkt, ldns_pkt_section section, const char *text)
{
	char *copy = strdup(text ? text : ""), *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		ldns_rr *rr = NULL;

		wire__must(ldns_rr_new_frm_str(&rr, line, 0, NULL, NULL) == LDNS_STATUS_OK, line);
		ldns_pkt_push_rr(pkt, section, rr);
	}
	free(copy);
}

/* The packet's bytes, flags as given, into @buf (of DNS_MAX_MSG). */
static inline size_t wire__from_pkt(uint8_t *buf, const ldns_pkt *pkt, uint16_t id, uint16_t flags)
{
	uint8_t *wire = NULL;
	size_t len;

	wire__must(ldns_pkt2wire(&wire, pkt, &len) == LDNS_STATUS_OK && len <= DNS_MAX_MSG,
		   "a packet that has no wire form");
	memcpy(buf, wire, len);
	free(wire);
	buf[0] = id >> 8;
	buf[1] = id & 0xff;
	buf[2] = flags >> 8;
	buf[3] = flags & 0xff;
	return len;
}

static inline size_t wire__build(uint8_t *buf, const struct wire_message *m)
{
	static const ldns_pkt_section sections[] = { LDNS_SECTION_ANSWER, LDNS_SECTION_AUTHORITY,
						     LDNS_SECTION_ADDITIONAL };
	ldns_pkt *pkt = ldns_pkt_new();
	ldns_rr *question = ldns_rr_new();
	size_t len;

	ldns_rr_set_owner(question, ldns_dname_new_frm_str(m->qname));
	wire__must(ldns_rr_owner(question) != NULL, m->qname);
	ldns_rr_set_type(question, m->qtype);
	ldns_rr_set_class(question, LDNS_RR_CLASS_IN);
	ldns_rr_set_question(question, true);
	ldns_pkt_push_rr(pkt, LDNS_SECTION_QUESTION, question);
	for (int i = 0; i < 3; i++)
		wire__push(pkt, sections[i], m->section[i]);
	len = wire__from_pkt(buf, pkt, m->id, m->flags);
	ldns_pkt_free(pkt);
	return len;
}

/* A record as text, blanks made one space each; the TTL left out if asked for. */
static inline void wire__rr_text(const ldns_rr *rr, bool with_ttl, char *out, size_t size)
{
	ldns_rr *copy = ldns_rr_clone(rr);
	char *text;
	size_t len;

	if (!with_ttl)
		ldns_rr_set_ttl(copy, 0);
	text = ldns_rr2str(copy);
	wire__must(text != NULL, "a record that has no text");
	len = strlen(text);
	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	for (char *p = text; *p; p++)
		if (*p == '\t')
			*p = ' ';
	wire__must((size_t)snprintf(out, size, "%s", text) < size, "a record too long to print");
	free(text);
	ldns_rr_free(copy);
}

/* A section as wire_message has it: what was written is what is compared with. */
static inline void wire__section_text(const ldns_rr_list *list, bool with_ttl, char *out,
				      size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; list && i < ldns_rr_list_rr_count(list); i++) {
		if (i)
			out[at++] = '\n';
		wire__rr_text(ldns_rr_list_rr(list, i), with_ttl, out + at, size - at - 1);
		at += strlen(out + at);
	}
}

/* NULL if ldns finds the message malformed. */
static inline ldns_pkt *wire__parse(const uint8_t *msg, size_t len)
{
	ldns_pkt *pkt = NULL;

	return ldns_wire2pkt(&pkt, msg, len) == LDNS_STATUS_OK ? pkt : NULL;
}

static inline struct dns_name wire__name(const char *text)
{
	struct dns_name name;

	wire__must(dns_name__from_text(&name, text) == 0, text);
	return name;
}

#endif /* NODENS_TEST_WIRE_H */
