/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An upstream's bytes to an answer: is it one to this question, are its records well-formed, what
 * may be done with it.
 *
 * Contract: memory and work are bounded by the message's own length (-EMSGSIZE past ANSWER_MAX_RR
 * records); nothing is kept of a message that is malformed anywhere before its last record. Octets
 * behind the last record are ignored, as by every resolver.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answer_encode.h"
#include "dns_rdata.h"

#define MIN_RR 11 /* root, type, class, TTL, RDLENGTH */

/* Records about the exchange with the upstream, not about the question. */
static bool about_transport(uint16_t type)
{
	return type == DNS_TYPE_OPT || type == DNS_TYPE_TSIG || type == DNS_TYPE_TKEY;
}

static bool rdata_valid(const struct dns_cursor *cur, const struct dns_rr *rr)
{
	struct dns_rdata_part part;
	struct dns_rdata rdata;
	int more;

	dns_rdata__init(&rdata, cur->msg, cur->len, rr);
	do {
		more = dns_rdata__next(&rdata, &part);
	} while (more > 0);
	return !more;
}

/* The records at the cursor into message->rr, which has room for all of them. */
static int read_records(struct dns_cursor *cur, const uint16_t count[DNS_SECTIONS],
			struct message *message)
{
	for (int section = 0; section < DNS_SECTIONS; section++) {
		for (unsigned int i = 0; i < count[section]; i++) {
			struct dns_rr *rr = &message->rr[message->n_rr];

			dns_cursor__rr(cur, rr);
			if (cur->error)
				return cur->error;
			rr->section = section;
			if (rr->type == DNS_TYPE_OPT)
				message->rcode |= rr->ttl_s >> 24 << 4;
			if (about_transport(rr->type))
				continue;
			if (rr->ttl_s > INT32_MAX) /* RFC 2181, 8 */
				rr->ttl_s = 0;
			if (!rdata_valid(cur, rr))
				return -EBADMSG;
			message->n_rr++;
		}
	}
	return 0;
}

/* 0 and the cursor behind the question if this is the answer to it that may be read on. */
static int read_question(struct dns_cursor *cur, struct message *message,
			 uint16_t count[DNS_SECTIONS], enum admission *admission)
{
	uint16_t qdcount, qtype, qclass;
	struct dns_name qname;

	dns_cursor__u16(cur); /* the ID is the caller's business */
	message->flags = dns_cursor__u16(cur);
	qdcount = dns_cursor__u16(cur);
	for (int i = 0; i < DNS_SECTIONS; i++)
		count[i] = dns_cursor__u16(cur);
	if (cur->error)
		return cur->error;
	*admission = ADMIT_DROP;
	if (!(message->flags & DNS_QR) || message->flags & DNS_OPCODE || qdcount != 1)
		return 0;
	dns_cursor__name(cur, &qname);
	qtype = dns_cursor__u16(cur);
	qclass = dns_cursor__u16(cur);
	if (cur->error)
		return cur->error;
	if (qtype != message->qtype || qclass != DNS_CLASS_IN ||
	    !dns_name__equal(&qname, message->qname))
		return 0;
	*admission = message->flags & DNS_TC ? ADMIT_TRUNCATED : ADMIT_PASS;
	return 0;
}

/* All that a message needs while it is looked at, in one allocation. */
struct work {
	uint16_t *order;
	bool *taken;
	uint8_t *msg;
	struct dns_rr rr[];
};

static struct work *work_new(unsigned int n_rr, const uint8_t *msg, size_t len)
{
	struct work *work;

	work = malloc(sizeof(*work) + len +
		      n_rr * (sizeof(work->rr[0]) + sizeof(*work->order) + sizeof(*work->taken)));
	if (!work)
		return NULL;
	work->order = (uint16_t *)(work->rr + n_rr);
	work->taken = (bool *)(work->order + n_rr);
	work->msg = (uint8_t *)(work->taken + n_rr);
	memset(work->taken, 0, n_rr * sizeof(*work->taken));
	memcpy(work->msg, msg, len);
	return work;
}

int answer__decode(const uint8_t *msg, size_t len, const struct dns_name *qname, uint16_t qtype,
		   uint8_t key_flags, enum admission *admission, struct answer **out)
{
	struct dns_name lower = *qname;
	struct message message = { .len = len, .qname = &lower, .qtype = qtype };
	struct judgement judgement = { .ttl_s = 0 };
	enum admission first;
	uint16_t count[DNS_SECTIONS];
	struct work *work = NULL;
	struct dns_cursor cur;
	unsigned int n_rr;
	int err;

	dns_name__lower(&lower);
	dns_cursor__init(&cur, msg, len);
	err = read_question(&cur, &message, count, &first);
	if (err)
		return err;
	if (first != ADMIT_PASS) {
		*admission = first;
		return 0;
	}
	n_rr = count[0] + count[1] + count[2];
	if (n_rr > (len - cur.at) / MIN_RR)
		return -EBADMSG;
	if (n_rr > ANSWER_MAX_RR)
		return -EMSGSIZE;
	work = work_new(n_rr, msg, len);
	if (!work)
		return -ENOMEM;
	/*
	 * The question came back in the case that the query had, random perhaps, and names in rdata
	 * may be pointers to it: those are to be read in lower case. (It has no pointer itself:
	 * there is nothing before it.)
	 */
	memcpy(work->msg + DNS_HEADER, lower.wire, lower.len);
	cur.msg = message.msg = work->msg;
	message.rcode = message.flags & DNS_RCODE;
	message.rr = work->rr;
	judgement.order = work->order;
	judgement.taken = work->taken;
	err = read_records(&cur, count, &message);
	if (err)
		goto out;
	admission__judge(&message, &judgement);
	err = answer__encode(&message, &judgement, key_flags, out);
	if (!err)
		*admission = judgement.admission;
out:
	free(work);
	return err;
}
