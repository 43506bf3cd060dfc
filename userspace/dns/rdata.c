/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The layout of rdata, type by type, as far as names and fixed sizes go.
 *
 * Contract: every name is decompressed on reading, whatever its type allows: what is written
 * later must not hold a pointer into a message that is gone.
 */
#include <errno.h>

#include "dns/rdata.h"

#define CLASS_INDEPENDENT 0 /* the layout is the same in every class */

/*
 * Formats: N a name that may be compressed, n one that may not, a digit or letter a to t so many
 * octets (a is 10, t is 29), s a character-string, * whatever is left.
 */
static const struct layout {
	uint16_t type, class;
	const char *format;
} layouts[] = {
	{ DNS_TYPE_A, DNS_CLASS_IN, "4" },
	{ DNS_TYPE_NS, CLASS_INDEPENDENT, "N" },
	{ 3, CLASS_INDEPENDENT, "N" }, /* MD */
	{ 4, CLASS_INDEPENDENT, "N" }, /* MF */
	{ DNS_TYPE_CNAME, CLASS_INDEPENDENT, "N" },
	{ DNS_TYPE_SOA, CLASS_INDEPENDENT, "NNk" },
	{ 7, CLASS_INDEPENDENT, "N" }, /* MB */
	{ 8, CLASS_INDEPENDENT, "N" }, /* MG */
	{ 9, CLASS_INDEPENDENT, "N" }, /* MR */
	{ DNS_TYPE_PTR, CLASS_INDEPENDENT, "N" },
	{ 14, CLASS_INDEPENDENT, "NN" }, /* MINFO */
	{ DNS_TYPE_MX, CLASS_INDEPENDENT, "2N" },
	{ 17, CLASS_INDEPENDENT, "nn" },  /* RP, RFC 1183; also the next two */
	{ 18, CLASS_INDEPENDENT, "2n" },  /* AFSDB */
	{ 21, CLASS_INDEPENDENT, "2n" },  /* RT */
	{ 24, CLASS_INDEPENDENT, "in*" }, /* SIG, RFC 2535 */
	{ 26, CLASS_INDEPENDENT, "2nn" }, /* PX, RFC 2163 */
	{ DNS_TYPE_AAAA, DNS_CLASS_IN, "g" },
	{ 30, CLASS_INDEPENDENT, "n*" },	      /* NXT, RFC 2535 */
	{ DNS_TYPE_SRV, CLASS_INDEPENDENT, "6n" },    /* RFC 2782 */
	{ 35, CLASS_INDEPENDENT, "4sssn" },	      /* NAPTR, RFC 3403 */
	{ 36, CLASS_INDEPENDENT, "2n" },	      /* KX, RFC 2230 */
	{ DNS_TYPE_DNAME, CLASS_INDEPENDENT, "n" },   /* RFC 6672 */
	{ DNS_TYPE_RRSIG, CLASS_INDEPENDENT, "in*" }, /* RFC 4034 */
	{ DNS_TYPE_NSEC, CLASS_INDEPENDENT, "n*" },
	{ 64, CLASS_INDEPENDENT, "2n*" }, /* SVCB, RFC 9460 */
	{ 65, CLASS_INDEPENDENT, "2n*" }, /* HTTPS */
};

static const char *format_of(const struct dns_rr *rr)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].type == rr->type &&
		    (layouts[i].class == CLASS_INDEPENDENT || layouts[i].class == rr->class))
			return layouts[i].format;
	return "*";
}

void dns_rdata__init(struct dns_rdata *rdata, const uint8_t *msg, size_t len,
		     const struct dns_rr *rr)
{
	dns_cursor__init(&rdata->cur, msg, len);
	rdata->cur.at = rr->rdata_at;
	rdata->end = rr->rdata_at + rr->rdata_len;
	rdata->format = format_of(rr);
}

static size_t octets(const struct dns_rdata *rdata, char kind)
{
	if (kind == '*')
		return rdata->end - rdata->cur.at;
	if (kind == 's')
		return rdata->cur.at < rdata->end ? rdata->cur.msg[rdata->cur.at] + 1u : 1;
	return kind <= '9' ? kind - '0' : kind - 'a' + 10;
}

int dns_rdata__next(struct dns_rdata *rdata, struct dns_rdata_part *part)
{
	struct dns_cursor *cur = &rdata->cur;
	char kind = *rdata->format;

	if (!kind)
		return cur->at == rdata->end ? 0 : -EBADMSG;
	rdata->format++;
	part->is_name = kind == 'n' || kind == 'N';
	part->compress = kind == 'N';
	if (part->is_name) {
		dns_cursor__name(cur, &part->name);
		if (cur->error || cur->at > rdata->end)
			return -EBADMSG;
		return 1;
	}
	part->at = cur->at;
	part->len = octets(rdata, kind);
	if (part->len > rdata->end - cur->at)
		return -EBADMSG;
	cur->at += part->len;
	return 1;
}
