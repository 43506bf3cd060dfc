// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * DNS64. Contract: dns64.h.
 */
#include "plugin/dns64.h"

#include <errno.h>
#include <string.h>

#include "dns/compose.h"

#define UNKNOWN_TTL_S  600
#define RESERVED_OCTET 8 /* "u", bits 64 to 71: zero whatever the prefix (RFC 6052, 2.2) */

void dns64__embed(const struct corefile_dns64 *dns64, const uint8_t address[4], uint8_t out[16])
{
	size_t at = dns64->prefix_len / 8;

	memset(out, 0, 16);
	memcpy(out, dns64->prefix, at);
	for (int i = 0; i < 4; i++, at++) {
		if (at == RESERVED_OCTET)
			at++;
		out[at] = address[i];
	}
}

/* An IPv4 address in disguise is none that an IPv6 host could reach: RFC 6147, 5.1.4. */
static bool excluded(const struct records *records)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return records->rr.type == DNS_TYPE_AAAA && records->rr.rdata_len == 16 &&
	       !memcmp(records__rdata(records), mapped, sizeof(mapped));
}

static bool has_type(const struct answer *answer, uint16_t type)
{
	struct records records;
	bool has = false;

	if (!records__open(&records, answer)) {
		while (!has && records__next(&records) > 0 &&
		       records.rr.section == DNS_ANSWER_SECTION)
			has = records.rr.type == type && records.rr.class == DNS_CLASS_IN &&
			      !excluded(&records);
	}
	records__close(&records);
	return has;
}

bool dns64__wants(const struct corefile_dns64 *dns64, const struct answer *aaaa)
{
	uint16_t rcode = aaaa->flags & DNS_RCODE;

	/* RFC 6147, 5.1.2: any other error is as good as an empty answer */
	if (rcode)
		return rcode != DNS_NXDOMAIN;
	if (dns64->translate_all)
		return true;
	/* of an answer in part nobody knows what the rest has: the client asks for the whole */
	if (aaaa->flags & DNS_TC)
		return false;
	/* a chain of CNAMEs alone is no address either */
	return !aaaa->count[DNS_ANSWER_SECTION] || !has_type(aaaa, DNS_TYPE_AAAA);
}

static int add_records(const struct corefile_dns64 *dns64, struct records *from, struct compose *to)
{
	uint8_t address[16];
	int ret;

	while ((ret = records__next(from)) > 0 && from->rr.section == DNS_ANSWER_SECTION) {
		if (from->rr.type == DNS_TYPE_RRSIG) /* is about what was there before */
			continue;
		if (from->rr.type == DNS_TYPE_A && from->rr.class == DNS_CLASS_IN) {
			dns64__embed(dns64, records__rdata(from), address);
			ret = compose__add_octets(to, &from->rr, DNS_TYPE_AAAA, address,
						  sizeof(address));
		} else {
			ret = compose__add(to, from, NULL);
		}
		if (ret)
			return ret;
	}
	return ret < 0 ? ret : 0;
}

/* RFC 6147, 5.1.7: as long as it would be known that there is no AAAA record; else 10 min. */
static uint32_t longest_ttl(const struct answer *native)
{
	bool negative = native && !native->count[DNS_ANSWER_SECTION] &&
			native->count[DNS_AUTHORITY] && (native->flags & DNS_RCODE) == DNS_NOERROR;

	return negative ? native->ttl_s : UNKNOWN_TTL_S;
}

int dns64__synthesize(const struct corefile_dns64 *dns64, const struct answer *a,
		      const struct answer *native, const struct dns_name *qname, uint8_t key_flags,
		      struct answer **out)
{
	struct compose *to = NULL;
	struct records from;
	int ret = records__open(&from, a);

	if (!ret && !has_type(a, DNS_TYPE_A))
		ret = -ENOENT;
	if (!ret)
		ret = compose__open(qname, DNS_TYPE_AAAA, key_flags, a->n_ttl, &to);
	if (!ret)
		ret = add_records(dns64, &from, to);
	if (!ret)
		ret = compose__answer(to, DNS_RA | (a->flags & DNS_TC), NULL, out);
	if (!ret && (*out)->ttl_s > longest_ttl(native))
		(*out)->ttl_s = longest_ttl(native);
	records__close(&from);
	compose__close(to);
	return ret;
}

/* ---- in the chain ---- */

static int dns64_open(const struct plugin_open *open, void **state)
{
	if (open->block->dns64.enabled)
		*state = (void *)&open->block->dns64;
	return 0;
}

/* RFC 6147, 5.5: who asks with both validates, and could not validate what was made. */
static bool validates(uint8_t key_flags)
{
	return (key_flags & (NODENS_KEY_DO | NODENS_KEY_CD)) == (NODENS_KEY_DO | NODENS_KEY_CD);
}

/* With the A answer that was asked for: the AAAA answer made from it, or the native one. */
static void make(const struct corefile_dns64 *dns64, struct passage *passage)
{
	const struct plugin_kept *kept = &passage->kept[PLUGIN_DNS64];
	struct answer *made = NULL;

	if (!plugin__failed(passage->answer) &&
	    !dns64__synthesize(dns64, passage->answer, kept->held, &passage->question.qname,
			       passage->query.key_flags, &made)) {
		passage->answer = made;
		/* what is in part, or beside the question, is not kept as something else either */
		if (passage->verdict != VERDICT_PASS)
			passage->verdict = VERDICT_POSITIVE;
	} else {
		passage->answer = kept->held;
		passage->verdict = kept->held_verdict;
	}
}

static bool dns64_response(void *state, struct passage *passage)
{
	const struct corefile_dns64 *dns64 = state;
	const struct question *q = &passage->question;

	if (passage->kept[PLUGIN_DNS64].held) {
		make(dns64, passage);
		return false;
	}
	if (q->qtype != DNS_TYPE_AAAA || !passage->answer ||
	    !(dns64->allow_ipv4 || passage->over_ipv6 || passage->own_only) ||
	    validates(q->key_flags) || !dns64__wants(dns64, passage->answer))
		return false;
	passage->ask.qname = q->qname;
	passage->ask.qtype = DNS_TYPE_A;
	passage->ask.elsewhere = false;
	return true;
}

static bool by_family(const void *state, uint16_t qtype, const struct passage *passage)
{
	const struct corefile_dns64 *dns64 = state;

	return !dns64->allow_ipv4 && qtype == DNS_TYPE_AAAA &&
	       (!passage || passage->kept[PLUGIN_DNS64].n_asked ||
		dns64__wants(dns64, passage->answer));
}

const struct plugin dns64_plugin = {
	.id = PLUGIN_DNS64,
	.open = dns64_open,
	.by_family = by_family,
	.response = dns64_response,
};
