// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Records out of answers and into a new one. Contract: compose.h.
 */
#include "dns/compose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answer_priv.h"
#include "dns/rdata.h"

#define LABEL_POINTER 0xc0 /* RFC 1035, 4.1.4 */

int records__open(struct records *records, const struct answer *answer)
{
	struct dns_query query = {
		.qname = answer->qname,
		.qtype = answer->qtype,
		.qclass = DNS_CLASS_IN,
	};
	struct reply_options opts = { .limit = DNS_MAX_MSG, .ttl_s = answer->ttl_s };
	int len;

	memset(records, 0, sizeof(*records));
	records->msg = malloc(DNS_MAX_MSG);
	if (!records->msg)
		return -ENOMEM;
	len = reply__build(records->msg, DNS_MAX_MSG, &query, answer, &opts);
	if (len < 0)
		return -EINVAL;
	records->len = len;
	dns_cursor__init(&records->cur, records->msg, len);
	/* we wrote it, so no pointer goes round, and the same owner is not read again */
	records->cur.steps = SIZE_MAX;
	records->cur.at = 6;
	for (int i = 0; i < DNS_SECTIONS; i++)
		records->left[i] = dns_cursor__u16(&records->cur);
	records->cur.at += answer->qname.len + 4;
	return 0;
}

void records__close(struct records *records)
{
	free(records->msg);
	records->msg = NULL;
}

static void read_owner(struct records *records)
{
	struct dns_cursor *cur = &records->cur;
	uint16_t pointer = 0;

	if (cur->len - cur->at >= 2 && cur->msg[cur->at] >= LABEL_POINTER)
		pointer = cur->msg[cur->at] << 8 | cur->msg[cur->at + 1];
	records->same_owner = pointer && pointer == records->pointer;
	records->pointer = pointer;
	if (records->same_owner)
		cur->at += 2;
	else
		dns_cursor__name(cur, &records->owner);
	records->rr.owner = records->owner;
}

int records__next(struct records *records)
{
	unsigned int section = 0;

	while (section < DNS_SECTIONS && !records->left[section])
		section++;
	if (section == DNS_SECTIONS)
		return 0;
	records->left[section]--;
	read_owner(records);
	dns_cursor__rr_fields(&records->cur, &records->rr);
	records->rr.section = section;
	return records->cur.error ? records->cur.error : 1;
}

bool records__name(const struct records *records, struct dns_name *name)
{
	struct dns_rdata_part part;
	struct dns_rdata rdata;

	dns_rdata__init(&rdata, records->msg, records->len, &records->rr);
	while (dns_rdata__next(&rdata, &part) > 0) {
		if (part.is_name) {
			*name = part.name;
			return true;
		}
	}
	return false;
}

const uint8_t *records__rdata(const struct records *records)
{
	return records->msg + records->rr.rdata_at;
}

/* The records of a new answer; their rdata, names written out, one behind the other. */
struct compose {
	struct message message;
	struct dns_name qname;
	uint8_t key_flags;
	unsigned int max_rr;
	uint8_t *rdata;
	size_t len, size;
	uint64_t *hash;
	uint16_t *order;
	bool *kept;
	struct dns_rr rr[];
};

int compose__open(const struct dns_name *qname, uint16_t qtype, uint8_t key_flags,
		  unsigned int max_rr, struct compose **out)
{
	struct compose *c;

	if (max_rr > ANSWER_MAX_RR)
		return -EMSGSIZE;
	c = malloc(sizeof(*c) + max_rr * sizeof(c->rr[0]));
	if (!c)
		return -ENOMEM;
	memset(c, 0, sizeof(*c));
	c->qname = *qname;
	dns_name__lower(&c->qname);
	c->key_flags = key_flags;
	c->max_rr = max_rr;
	c->hash = malloc((max_rr + 1) * sizeof(*c->hash));
	c->order = malloc((max_rr + 1) * sizeof(*c->order));
	c->kept = calloc(max_rr + 1, sizeof(*c->kept));
	c->message = (struct message){
		.qname = &c->qname,
		.qtype = qtype,
		.rr = c->rr,
		.hash = c->hash,
		.own = true,
		.dnssec = key_flags & NODENS_KEY_DO,
	};
	if (!c->hash || !c->order || !c->kept) {
		compose__close(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void compose__close(struct compose *c)
{
	if (!c)
		return;
	free(c->rdata);
	free(c->hash);
	free(c->order);
	free(c->kept);
	free(c);
}

static int put(struct compose *c, const uint8_t *from, size_t len)
{
	if (!c->rdata || c->size - c->len < len) {
		size_t size = 2 * c->size + len + 4096;
		uint8_t *rdata = realloc(c->rdata, size);

		if (!rdata)
			return -ENOMEM;
		c->rdata = rdata;
		c->size = size;
	}
	memcpy(c->rdata + c->len, from, len);
	c->len += len;
	return 0;
}

/* The record's fixed part; its rdata follows, and then rr_end(). */
static struct dns_rr *rr_begin(struct compose *c, const struct dns_rr *from)
{
	unsigned int n = c->message.n_rr;
	struct dns_rr *rr = &c->rr[n];

	if (n == c->max_rr)
		return NULL;
	*rr = *from;
	rr->rdata_at = c->len;
	if (n && dns_name__equal(&rr->owner, &c->rr[n - 1].owner))
		c->hash[n] = c->hash[n - 1];
	else
		c->hash[n] = dns_name__hash(&rr->owner);
	return rr;
}

static int rr_end(struct compose *c, struct dns_rr *rr)
{
	if (c->len - rr->rdata_at > UINT16_MAX)
		return -EMSGSIZE;
	rr->rdata_len = c->len - rr->rdata_at;
	c->message.n_rr++;
	return 0;
}

int compose__add(struct compose *c, const struct records *records, const struct dns_name *name)
{
	struct dns_rdata_part part;
	struct dns_rdata rdata;
	struct dns_rr *rr;
	int more, err = 0;

	if (message__unwanted(&c->message, records->rr.type))
		return 0;
	rr = rr_begin(c, &records->rr);
	if (!rr)
		return -EMSGSIZE;
	dns_rdata__init(&rdata, records->msg, records->len, &records->rr);
	while (!err && (more = dns_rdata__next(&rdata, &part))) {
		if (more < 0)
			return more;
		if (!part.is_name) {
			err = put(c, records->msg + part.at, part.len);
			continue;
		}
		if (!name)
			name = &part.name;
		err = put(c, name->wire, name->len);
		name = NULL;
	}
	return err ? err : rr_end(c, rr);
}

int compose__add_octets(struct compose *c, const struct dns_rr *from, uint16_t type,
			const uint8_t *rdata, size_t len)
{
	struct dns_rr *rr = rr_begin(c, from);
	int err;

	if (!rr)
		return -EMSGSIZE;
	rr->type = type;
	err = put(c, rdata, len);
	return err ? err : rr_end(c, rr);
}

int compose__answer(struct compose *c, uint16_t flags, enum verdict *verdict, struct answer **out)
{
	struct scrubbed scrubbed = { .order = c->order, .kept = c->kept };
	int err;

	c->message.msg = c->rdata;
	c->message.len = c->len;
	c->message.flags = DNS_QR | flags;
	c->message.rcode = flags & DNS_RCODE;
	scrub__classify(&c->message, &scrubbed);
	/* a part of an answer is nothing to be kept */
	if (flags & DNS_TC) {
		scrubbed.verdict = VERDICT_PASS;
		scrubbed.flags |= DNS_TC;
	}
	err = answer__encode(&c->message, &scrubbed, c->key_flags, out);
	if (!err && verdict)
		*verdict = scrubbed.verdict;
	return err;
}
