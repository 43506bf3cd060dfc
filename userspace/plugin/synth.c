// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Answers made here. Contract: synth.h.
 */
#include "plugin/synth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int synth__open(struct synth *synth, const struct dns_name *qname, uint16_t qtype, uint16_t rcode)
{
	ldns_rdf *name = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, qname->len, qname->wire);

	synth->pkt = NULL;
	if (!name)
		return -ENOMEM;
	synth->pkt = ldns_pkt_query_new(name, qtype, LDNS_RR_CLASS_IN, LDNS_RD);
	if (!synth->pkt) {
		ldns_rdf_deep_free(name);
		return -ENOMEM;
	}
	ldns_pkt_set_qr(synth->pkt, true);
	ldns_pkt_set_aa(synth->pkt, true);
	ldns_pkt_set_ra(synth->pkt, true);
	ldns_pkt_set_rcode(synth->pkt, rcode);
	return 0;
}

void synth__close(struct synth *synth)
{
	if (synth->pkt)
		ldns_pkt_free(synth->pkt);
	synth->pkt = NULL;
}

static int add_rr(struct synth *synth, enum dns_section section, ldns_rr *rr)
{
	static const ldns_pkt_section sections[] = {
		[DNS_ANSWER_SECTION] = LDNS_SECTION_ANSWER,
		[DNS_AUTHORITY] = LDNS_SECTION_AUTHORITY,
		[DNS_ADDITIONAL] = LDNS_SECTION_ADDITIONAL,
	};

	if (ldns_pkt_push_rr(synth->pkt, sections[section], rr))
		return 0;
	ldns_rr_free(rr);
	return -ENOMEM;
}

/* A blank-delimited word of @text after the first @n: where it is, and its length (0: none). */
static const char *word_at(const char *text, unsigned int n, size_t *len)
{
	static const char blanks[] = " \t";

	for (text += strspn(text, blanks); n; n--) {
		text += strcspn(text, blanks);
		text += strspn(text, blanks);
	}
	*len = strcspn(text, blanks);
	return text;
}

/*
 * RFC 1035, 5.1: class and TTL come in either order, and ldns knows one. No type begins with a
 * digit, so a digit after a class is a TTL. NULL: the text is as ldns has it, or memory is out.
 */
static char *ttl_first(const char *text)
{
	size_t class_len, ttl_len;
	const char *class = word_at(text, 1, &class_len), *ttl = word_at(text, 2, &ttl_len);
	char *copy = NULL;

	if (class_len != 2 || (strncasecmp(class, "IN", 2) && strncasecmp(class, "CH", 2) &&
			       strncasecmp(class, "HS", 2)))
		return NULL;
	if (!ttl_len || *ttl < '0' || *ttl > '9')
		return NULL;
	if (asprintf(&copy, "%.*s%.*s %.2s%s", (int)(class - text), text, (int)ttl_len, ttl, class,
		     ttl + ttl_len) < 0)
		return NULL;
	return copy;
}

int synth__add(struct synth *synth, enum dns_section section, const char *text)
{
	char *ordered = ttl_first(text);
	ldns_rr *rr = NULL;
	ldns_status status = ldns_rr_new_frm_str(&rr, ordered ? ordered : text, 3600, NULL, NULL);

	free(ordered);
	if (status != LDNS_STATUS_OK || !rr)
		return -EINVAL;
	/* ldns reads two words that mean nothing to it as a record of type 0 */
	if (!ldns_rr_get_type(rr) || !ldns_rr_rd_count(rr)) {
		ldns_rr_free(rr);
		return -EINVAL;
	}
	return add_rr(synth, section, rr);
}

static uint8_t *put_u16(uint8_t *p, uint16_t value)
{
	*p++ = value >> 8;
	*p++ = value & 0xff;
	return p;
}

int synth__addresses(const struct dns_name *qname, uint16_t qtype, uint8_t key_flags,
		     uint32_t ttl_s, const uint8_t *addrs, size_t n, struct answer **out)
{
	static uint8_t msg[DNS_MAX_MSG];
	size_t len = qtype == DNS_TYPE_A ? 4 : 16;
	enum verdict unused;
	uint8_t *p = msg;

	p = put_u16(p, 0);
	p = put_u16(p, DNS_QR | DNS_AA | DNS_RA);
	p = put_u16(p, 1);
	p = put_u16(p, n);
	p = put_u16(p, 0);
	p = put_u16(p, 0);
	memcpy(p, qname->wire, qname->len);
	p = put_u16(p + qname->len, qtype);
	p = put_u16(p, DNS_CLASS_IN);
	for (size_t i = 0; i < n; i++) {
		p = put_u16(p, 0xc000 | DNS_HEADER); /* the question's name */
		p = put_u16(p, qtype);
		p = put_u16(p, DNS_CLASS_IN);
		p = put_u16(p, ttl_s >> 16);
		p = put_u16(p, ttl_s & 0xffff);
		p = put_u16(p, len);
		memcpy(p, addrs + i * len, len);
		p += len;
	}
	return answer__decode_own(msg, p - msg, qname, qtype, key_flags, &unused, out);
}

int synth__answer(const struct synth *synth, const struct dns_name *qname, uint16_t qtype,
		  uint8_t key_flags, enum verdict *verdict, struct answer **out)
{
	enum verdict unused = VERDICT_PASS;
	struct answer *answer = NULL;
	uint8_t *wire = NULL;
	size_t len = 0;
	int ret;

	if (!verdict)
		verdict = &unused;
	if (ldns_pkt2wire(&wire, synth->pkt, &len) != LDNS_STATUS_OK)
		return -EINVAL;
	ret = len > DNS_MAX_MSG
		      ? -EMSGSIZE
		      : answer__decode_own(wire, len, qname, qtype, key_flags, verdict, &answer);
	free(wire);
	if (ret)
		return ret == -EBADMSG ? -EINVAL : ret;
	if (!answer)
		return -EINVAL;
	*out = answer;
	return 0;
}
