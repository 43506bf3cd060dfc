/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An upstream's bytes to an answer: is it one to this question, are its records well-formed, what
 * may be done with it.
 *
 * Contract: memory and work are linear in the message's own length (-EMSGSIZE past ANSWER_MAX_RR
 * records, -EBADMSG where its names are made to be read at length); nothing is kept of a message
 * that is malformed anywhere before its last record. Octets behind the last record are ignored, as
 * by every resolver.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answer_priv.h"
#include "dns/rdata.h"

#define MIN_RR	      11   /* root, type, class, TTL, RDLENGTH */
#define LABEL_POINTER 0xc0 /* RFC 1035, 4.1.4 */

/* Records about the exchange with the upstream, not about the question. */
static bool about_transport(uint16_t type)
{
	return type == DNS_TYPE_OPT || type == DNS_TYPE_TSIG || type == DNS_TYPE_TKEY;
}

bool message__unwanted(const struct message *message, uint16_t type)
{
	return !message->dnssec && type != message->qtype && message->qtype != DNS_TYPE_ANY &&
	       (type == DNS_TYPE_RRSIG || type == DNS_TYPE_NSEC || type == DNS_TYPE_NSEC3);
}

static bool rdata_valid(struct dns_cursor *cur, const struct dns_rr *rr)
{
	struct dns_rdata_part part;
	struct dns_rdata rdata;
	int more;

	dns_rdata__init(&rdata, cur->msg, cur->len, rr);
	rdata.cur.steps = cur->steps;
	do {
		more = dns_rdata__next(&rdata, &part);
	} while (more > 0);
	cur->steps = rdata.cur.steps;
	return !more;
}

/* The owner read last, by the pointer that was all of it: most records of a set have the same. */
struct last_owner {
	uint16_t pointer; /* 0: it was no pointer alone */
	uint64_t hash;
	struct dns_name name;
};

static void read_owner(struct dns_cursor *cur, struct last_owner *last)
{
	size_t at = cur->at;
	uint16_t pointer = 0;

	if (cur->len - at >= 2 && cur->msg[at] >= LABEL_POINTER)
		pointer = cur->msg[at] << 8 | cur->msg[at + 1];
	if (pointer && pointer == last->pointer) {
		cur->at += 2;
		return;
	}
	dns_cursor__name(cur, &last->name);
	if (cur->error)
		return;
	last->pointer = pointer;
	last->hash = dns_name__hash(&last->name);
}

/* The records at the cursor into message->rr, which has room for all of them. */
static int read_records(struct dns_cursor *cur, const uint16_t count[DNS_SECTIONS],
			struct message *message)
{
	struct last_owner last = { .pointer = 0 };

	for (int section = 0; section < DNS_SECTIONS; section++) {
		for (unsigned int i = 0; i < count[section]; i++) {
			struct dns_rr *rr = &message->rr[message->n_rr];

			read_owner(cur, &last);
			dns_cursor__rr_fields(cur, rr);
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
			if (message__unwanted(message, rr->type))
				continue;
			rr->owner = last.name;
			message->hash[message->n_rr++] = last.hash;
		}
	}
	return 0;
}

/* 0 and the cursor behind the question if this is the answer to it that may be read on. */
static int read_question(struct dns_cursor *cur, struct message *message,
			 uint16_t count[DNS_SECTIONS], enum verdict *verdict)
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
	*verdict = VERDICT_DROP;
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
	*verdict = message->flags & DNS_TC ? VERDICT_TRUNCATED : VERDICT_PASS;
	return 0;
}

/* All that a message needs while it is looked at, in one allocation. */
struct work {
	uint64_t *hash;
	uint16_t *order;
	bool *kept;
	uint8_t *msg;
	struct dns_rr rr[];
};

static struct work *work_new(unsigned int n_rr, const uint8_t *msg, size_t len)
{
	struct work *work;
	/* the hashes first, for they are the widest */
	size_t rr_size = (n_rr * sizeof(work->rr[0]) + 7) / 8 * 8;

	work = malloc(sizeof(*work) + len + rr_size +
		      n_rr * (sizeof(*work->hash) + sizeof(*work->order) + sizeof(*work->kept)));
	if (!work)
		return NULL;
	work->hash = (uint64_t *)((uint8_t *)work->rr + rr_size);
	work->order = (uint16_t *)(work->hash + n_rr);
	work->kept = (bool *)(work->order + n_rr);
	work->msg = (uint8_t *)(work->kept + n_rr);
	memset(work->kept, 0, n_rr * sizeof(*work->kept));
	memcpy(work->msg, msg, len);
	return work;
}

/* Does the record at the cursor go on behind the end of the message? Not: is it malformed? */
static bool runs_over(const struct dns_cursor *cur)
{
	struct dns_cursor c = *cur;

	while (c.at < c.len && c.msg[c.at] && c.msg[c.at] < LABEL_POINTER)
		c.at += c.msg[c.at] + 1;
	if (c.at >= c.len)
		return true;
	c.at += c.msg[c.at] ? 2 : 1;
	c.at += 2 + 2 + 4; /* type, class, TTL */
	c.at += dns_cursor__u16(&c);
	return c.error || c.at > c.len;
}

/* The records that are there whole; *lacks: the first section of which one is not. */
static int read_what_is_there(struct dns_cursor *cur, const uint16_t count[DNS_SECTIONS],
			      struct message *message, enum dns_section *lacks)
{
	for (int section = 0; section < DNS_SECTIONS; section++) {
		for (unsigned int i = 0; i < count[section]; i++) {
			uint16_t one[DNS_SECTIONS] = { 0 };
			int err;

			*lacks = section;
			if (runs_over(cur))
				return 0;
			one[section] = 1;
			err = read_records(cur, one, message);
			if (err)
				return err;
		}
	}
	*lacks = DNS_SECTIONS;
	return 0;
}

/* What both kinds of reading have in common. */
struct reading {
	struct dns_name lower;
	struct message message;
	struct scrubbed scrubbed;
	uint16_t count[DNS_SECTIONS];
	struct work *work;
	struct dns_cursor cur;
};

/* 0, and the cursor is behind the question where *verdict is neither VERDICT_DROP nor an error. */
static int reading_begin(struct reading *r, const uint8_t *msg, size_t len,
			 const struct dns_name *qname, uint16_t qtype, uint8_t key_flags,
			 enum verdict *verdict)
{
	*r = (struct reading){ .lower = *qname };
	r->message = (struct message){
		.len = len,
		.qname = &r->lower,
		.qtype = qtype,
		.dnssec = key_flags & NODENS_KEY_DO,
	};
	dns_name__lower(&r->lower);
	dns_cursor__init(&r->cur, msg, len);
	return read_question(&r->cur, &r->message, r->count, verdict);
}

/* Memory for @n_rr records and a copy of the message, which is what is read on. */
static int reading_work(struct reading *r, unsigned int n_rr)
{
	if (n_rr > ANSWER_MAX_RR)
		return -EMSGSIZE;
	r->work = work_new(n_rr, r->cur.msg, r->cur.len);
	if (!r->work)
		return -ENOMEM;
	/*
	 * The question came back in the case that the query had, random perhaps, and names in rdata
	 * may be pointers to it: those are to be read in lower case. (It has no pointer itself:
	 * there is nothing before it.)
	 */
	memcpy(r->work->msg + DNS_HEADER, r->lower.wire, r->lower.len);
	r->cur.msg = r->message.msg = r->work->msg;
	r->message.rcode = r->message.flags & DNS_RCODE;
	r->message.rr = r->work->rr;
	r->message.hash = r->work->hash;
	r->scrubbed.order = r->work->order;
	r->scrubbed.kept = r->work->kept;
	return 0;
}

static int decode(const uint8_t *msg, size_t len, const struct dns_name *qname, uint16_t qtype,
		  uint8_t key_flags, bool own, enum verdict *verdict, struct answer **out)
{
	enum verdict first;
	struct reading r;
	unsigned int n_rr;
	int err;

	err = reading_begin(&r, msg, len, qname, qtype, key_flags, &first);
	if (err)
		return err;
	r.message.own = own;
	if (first != VERDICT_PASS) {
		*verdict = first;
		return 0;
	}
	n_rr = r.count[0] + r.count[1] + r.count[2];
	if (n_rr > (len - r.cur.at) / MIN_RR)
		return -EBADMSG;
	err = reading_work(&r, n_rr);
	if (!err)
		err = read_records(&r.cur, r.count, &r.message);
	if (!err) {
		scrub__classify(&r.message, &r.scrubbed);
		err = answer__encode(&r.message, &r.scrubbed, key_flags, out);
	}
	if (!err)
		*verdict = r.scrubbed.verdict;
	free(r.work);
	return err;
}

int answer__decode(const uint8_t *msg, size_t len, const struct dns_name *qname, uint16_t qtype,
		   uint8_t key_flags, enum verdict *verdict, struct answer **out)
{
	return decode(msg, len, qname, qtype, key_flags, false, verdict, out);
}

int answer__decode_own(const uint8_t *msg, size_t len, const struct dns_name *qname, uint16_t qtype,
		       uint8_t key_flags, enum verdict *verdict, struct answer **out)
{
	return decode(msg, len, qname, qtype, key_flags, true, verdict, out);
}

int answer__salvage(const uint8_t *msg, size_t len, const struct dns_name *qname, uint16_t qtype,
		    uint8_t key_flags, bool *at_end, enum verdict *verdict, struct answer **out)
{
	enum dns_section lacks = DNS_SECTIONS;
	enum verdict first = VERDICT_DROP;
	struct reading r;
	unsigned int n_rr, room;
	int err;

	err = reading_begin(&r, msg, len, qname, qtype, key_flags, &first);
	if (err)
		return err;
	if (first == VERDICT_DROP)
		return -EBADMSG;
	n_rr = r.count[0] + r.count[1] + r.count[2];
	room = (len - r.cur.at) / MIN_RR;
	err = reading_work(&r, n_rr < room ? n_rr : room);
	if (!err)
		err = read_what_is_there(&r.cur, r.count, &r.message, &lacks);
	if (!err && lacks == DNS_SECTIONS && first != VERDICT_TRUNCATED)
		err = -EBADMSG; /* nothing is missing */
	if (err)
		goto out;
	*at_end = r.cur.at == len || lacks == DNS_SECTIONS;
	scrub__classify(&r.message, &r.scrubbed);
	/* RFC 2181, 9: additional records alone are no loss worth a word. */
	if (first == VERDICT_TRUNCATED || lacks < DNS_ADDITIONAL || !*at_end) {
		r.scrubbed.verdict = VERDICT_PASS;
		r.scrubbed.flags |= DNS_TC;
	}
	err = answer__encode(&r.message, &r.scrubbed, key_flags, out);
	if (!err)
		*verdict = r.scrubbed.verdict;
out:
	free(r.work);
	return err;
}
