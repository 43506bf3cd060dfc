// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Answers for all names below one (NXDOMAIN-below, RFC 8020). Contract: answer.h.
 */
#include <errno.h>
#include <string.h>

#include "answer_priv.h"

#define SOA_NUMBERS 20 /* serial, refresh, retry, expire, minimum: RFC 1035, 3.3.13 */
#define RR_FIXED    10 /* type, class, TTL, RDLENGTH */

/* A record that says the same behind any question: no name of it is compressed. */
struct whole_soa {
	struct dns_name owner, mname, rname;
	uint8_t numbers[SOA_NUMBERS];
};

/* @answer's records as they stand in a message, which the pointers in them are about. */
static size_t put_message(const struct answer *answer, uint8_t *msg)
{
	memset(msg, 0, DNS_HEADER);
	memcpy(msg + DNS_HEADER, answer->qname.wire, answer->qname.len);
	memset(msg + DNS_HEADER + answer->qname.len, 0, 4);
	memcpy(msg + DNS_HEADER + answer->qname.len + 4, answer->blob, answer->blob_len);
	return DNS_HEADER + answer->qname.len + 4 + answer->blob_len;
}

static int find_soa(const struct answer *answer, struct whole_soa *soa)
{
	unsigned int n = answer->count[DNS_ANSWER_SECTION] + answer->count[DNS_AUTHORITY];
	static uint8_t msg[DNS_MAX_MSG];
	struct dns_cursor cur;
	struct dns_rr rr;

	if (answer__size(answer, false) > sizeof(msg))
		return -ENOENT;
	dns_cursor__init(&cur, msg, put_message(answer, msg));
	cur.at = DNS_HEADER + answer->qname.len + 4;
	for (unsigned int i = 0; i < n; i++) {
		dns_cursor__rr(&cur, &rr);
		if (cur.error)
			return cur.error;
		if (rr.type == DNS_TYPE_SOA && i >= answer->count[DNS_ANSWER_SECTION])
			break;
		rr.type = 0;
	}
	if (!n || rr.type != DNS_TYPE_SOA)
		return -ENOENT;
	soa->owner = rr.owner;
	cur.at = rr.rdata_at;
	dns_cursor__name(&cur, &soa->mname);
	dns_cursor__name(&cur, &soa->rname);
	if (cur.error || cur.at + SOA_NUMBERS > cur.len)
		return -EBADMSG;
	memcpy(soa->numbers, msg + cur.at, SOA_NUMBERS);
	return 0;
}

static uint8_t *put_name(uint8_t *p, const struct dns_name *name)
{
	memcpy(p, name->wire, name->len);
	return p + name->len;
}

static void put_soa(struct answer *below, const struct whole_soa *soa)
{
	uint16_t rdlength = soa->mname.len + soa->rname.len + SOA_NUMBERS;
	uint8_t fixed[RR_FIXED] = {
		0, DNS_TYPE_SOA, 0, DNS_CLASS_IN, 0, 0, 0, 0, rdlength >> 8, rdlength & 0xff
	};
	uint8_t *p = put_name(below->blob, &soa->owner);

	below->ttl_at[0] = soa->owner.len + 4;
	memcpy(p, fixed, sizeof(fixed));
	p = put_name(p + sizeof(fixed), &soa->mname);
	p = put_name(p, &soa->rname);
	memcpy(p, soa->numbers, SOA_NUMBERS);
	below->end_at[0] = below->blob_len;
	below->count[DNS_AUTHORITY] = 1;
}

int answer__make_nx_below(const struct answer *nxdomain, const struct dns_name *name,
			  uint8_t key_flags, struct answer **out)
{
	struct whole_soa soa;
	struct answer *below;
	int ret = find_soa(nxdomain, &soa);

	if (ret && ret != -ENOENT)
		return ret;
	below = ret ? answer__alloc(0, 0)
		    : answer__alloc(1, soa.owner.len + RR_FIXED + soa.mname.len + soa.rname.len +
					       SOA_NUMBERS);
	if (!below)
		return -ENOMEM;
	if (!ret)
		put_soa(below, &soa);
	below->qname = *name;
	below->key_flags = key_flags | NODENS_KEY_NX_BELOW;
	below->flags = nxdomain->flags;
	below->ttl_s = nxdomain->ttl_s;
	below->below_only = nxdomain->below_only;
	*out = below;
	return 0;
}
