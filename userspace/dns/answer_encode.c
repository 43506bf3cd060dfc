/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Records into a blob: sections after the question, names compressed, TTLs zero.
 *
 * Contract: pointers lead to the question or into the blob itself, so the blob is valid behind
 * any question of the same name, whatever its case. Work is bounded: a name costs as many look-ups
 * as it has labels, and all comparisons of a message share one budget; past it names are merely
 * written out.
 */
#include <errno.h>
#include <string.h>

#include "answer_priv.h"
#include "dns/rdata.h"
#include "base/secret_hash.h"

#define MAX_POINTEE  0x4000 /* RFC 1035, 4.1.4: an offset has 14 bits */
#define MAX_LABELS   127
#define POINTER_SIZE 2
#define OPT_SIZE     11 /* what a reply may still need */
#define RR_FIXED     10 /* type, class, TTL, RDLENGTH */

#define TABLE_MIN  64
#define TABLE_MAX  2048
#define MAX_PROBES 32
#define CMP_BUDGET (1 << 19) /* octets: half a millisecond; owners that come again need none */
#define OWNERS	   16	     /* remembered: a chain's names, mostly */

/* A name, or its end from some label on, in the message being written. */
struct suffix {
	uint32_t hash; /* of its octets in lower case */
	uint16_t at;   /* 0: none */
};

struct encoder {
	uint8_t msg[DNS_MAX_MSG];
	size_t len, size;
	bool full;
	int budget;
	struct {
		uint64_t hash;
		uint16_t rr; /* the record that has it */
		uint16_t at; /* where it is written; 0: none */
	} owners[OWNERS];
	uint16_t ttl_at[ANSWER_MAX_RR], end_at[ANSWER_MAX_RR];
	uint32_t mask;
	struct suffix table[TABLE_MAX];
};

static void put(struct encoder *enc, const void *from, size_t len)
{
	if (enc->full || enc->size - enc->len < len) {
		enc->full = true;
		return;
	}
	memcpy(enc->msg + enc->len, from, len);
	enc->len += len;
}

static void put_u16(struct encoder *enc, uint16_t value)
{
	uint8_t octets[2] = { value >> 8, value & 0xff };

	put(enc, octets, 2);
}

/* Do the written name at @at and @suffix say the same, but for case unless @exact? */
static bool same_name(struct encoder *enc, size_t at, const uint8_t *suffix, bool exact)
{
	for (;;) {
		unsigned int label = enc->msg[at];

		if (label >= 0xc0) {
			at = (label & 0x3f) << 8 | enc->msg[at + 1];
			continue;
		}
		enc->budget -= label + 1;
		if (label != suffix[0] || enc->budget < 0)
			return false;
		if (!label)
			return true;
		for (unsigned int i = 1; i <= label; i++)
			if (exact ? enc->msg[at + i] != suffix[i]
				  : dns_lower(enc->msg[at + i]) != dns_lower(suffix[i]))
				return false;
		at += label + 1;
		suffix += label + 1;
	}
}

static uint16_t find_suffix(struct encoder *enc, uint32_t hash, const uint8_t *suffix, bool exact)
{
	for (uint32_t i = hash; i != hash + MAX_PROBES; i++) {
		const struct suffix *s = &enc->table[i & enc->mask];

		if (!s->at)
			return 0;
		if (s->hash == hash && same_name(enc, s->at, suffix, exact))
			return s->at;
	}
	return 0;
}

/* Where there is no room the name is merely not found later. */
static void add_suffix(struct encoder *enc, uint32_t hash, size_t at)
{
	if (at >= MAX_POINTEE)
		return;
	for (uint32_t i = hash; i != hash + MAX_PROBES; i++) {
		struct suffix *s = &enc->table[i & enc->mask];

		if (!s->at) {
			s->hash = hash;
			s->at = at;
			return;
		}
	}
}

/*
 * Start and hash of every suffix but the root. A hash depends on all labels to the right, so it is
 * made from the right; its key is a secret, since an upstream chooses the names.
 */
static unsigned int hash_suffixes(const struct dns_name *name, uint8_t start[MAX_LABELS],
				  uint32_t hash[MAX_LABELS])
{
	unsigned int n = 0;
	uint64_t h = 0;

	for (unsigned int at = 0; name->wire[at]; at += name->wire[at] + 1)
		start[n++] = at;
	for (unsigned int i = n; i-- > 0;) {
		const uint8_t *label = name->wire + start[i];

		for (unsigned int k = 0, left = label[0] + 1; left; k += 8) {
			unsigned int octets = left < 8 ? left : 8;
			uint64_t word = 0;

			memcpy(&word, label + k, octets);
			h = secret_mix(h, dns_lower_word(word));
			left -= octets;
		}
		hash[i] = h;
	}
	return n;
}

/*
 * @exact: keep the case of each octet, the question's excepted. Returns where a pointer to the name
 * leads; 0: too far.
 */
static uint16_t put_name(struct encoder *enc, const struct dns_name *name, bool exact)
{
	uint8_t start[MAX_LABELS];
	uint32_t hash[MAX_LABELS];
	unsigned int n = hash_suffixes(name, start, hash), i;
	size_t at = enc->len;
	uint16_t to = 0;

	for (i = 0; i < n; i++) {
		to = find_suffix(enc, hash[i], name->wire + start[i], exact);
		if (to)
			break;
	}
	if (to) {
		put(enc, name->wire, start[i]);
		put_u16(enc, 0xc000 | to);
	} else {
		put(enc, name->wire, name->len);
	}
	if (enc->full)
		return 0;
	if (to && !i)
		return to;
	while (i-- > 0)
		add_suffix(enc, hash[i], at + start[i]);
	return at < MAX_POINTEE ? at : 0;
}

/* The records of a set have one owner: it is looked for once. */
static void put_owner(struct encoder *enc, const struct message *m, unsigned int i)
{
	unsigned int place = m->hash[i] % OWNERS, like = enc->owners[place].rr;

	if (enc->owners[place].at && enc->owners[place].hash == m->hash[i] &&
	    dns_name__equal(&m->rr[like].owner, &m->rr[i].owner)) {
		put_u16(enc, 0xc000 | enc->owners[place].at);
		return;
	}
	enc->owners[place].at = put_name(enc, &m->rr[i].owner, false);
	if (m->rr[i].owner.len == 1) /* the root is shorter than a pointer */
		enc->owners[place].at = 0;
	enc->owners[place].hash = m->hash[i];
	enc->owners[place].rr = i;
}

static void put_rdata(struct encoder *enc, const struct message *m, const struct dns_rr *rr)
{
	struct dns_rdata_part part;
	struct dns_rdata rdata;

	dns_rdata__init(&rdata, m->msg, m->len, rr);
	while (dns_rdata__next(&rdata, &part) > 0) {
		if (!part.is_name)
			put(enc, m->msg + part.at, part.len);
		else if (part.compress)
			put_name(enc, &part.name, true);
		else
			put(enc, part.name.wire, part.name.len);
	}
}

/* Returns where its TTL is. */
static uint16_t put_rr(struct encoder *enc, const struct message *m, unsigned int i)
{
	const struct dns_rr *rr = &m->rr[i];
	static const uint8_t zero[6]; /* TTL, RDLENGTH */
	size_t ttl_at, rdata_at;

	put_owner(enc, m, i);
	put_u16(enc, rr->type);
	put_u16(enc, rr->class);
	ttl_at = enc->len;
	put(enc, zero, sizeof(zero));
	rdata_at = enc->len;
	put_rdata(enc, m, rr);
	if (!enc->full) {
		/* Names grow when they are written out: past 65,535 the message is too long too. */
		enc->msg[rdata_at - 2] = (enc->len - rdata_at) >> 8;
		enc->msg[rdata_at - 1] = (enc->len - rdata_at) & 0xff;
	}
	return ttl_at;
}

/* One at a time: 100 KB, of which few are touched, are nothing to ask malloc() for each time. */
static struct encoder *encoder_begin(const struct message *m)
{
	static struct encoder one;
	struct encoder *enc = &one;
	uint32_t slots = TABLE_MIN;
	uint8_t start[MAX_LABELS];
	uint32_t hash[MAX_LABELS];
	unsigned int n;

	while (slots < TABLE_MAX && slots < m->n_rr * 8u)
		slots *= 2;
	enc->mask = slots - 1;
	memset(enc->table, 0, slots * sizeof(enc->table[0]));
	memset(enc->owners, 0, sizeof(enc->owners));
	enc->budget = CMP_BUDGET;
	enc->full = false;
	enc->size = DNS_MAX_MSG - OPT_SIZE;
	enc->len = DNS_HEADER;
	put(enc, m->qname->wire, m->qname->len);
	put_u16(enc, m->qtype);
	put_u16(enc, DNS_CLASS_IN);

	n = hash_suffixes(m->qname, start, hash);
	for (unsigned int i = 0; i < n; i++)
		add_suffix(enc, hash[i], DNS_HEADER + start[i]);
	return enc;
}

/* The records that were asked for rotate if they are A or AAAA and each like the next in size. */
static uint8_t rotating_size(const struct message *m, const struct scrubbed *scrubbed)
{
	if (scrubbed->final_count < 2)
		return 0;
	if (m->qtype == DNS_TYPE_A)
		return POINTER_SIZE + RR_FIXED + 4;
	if (m->qtype == DNS_TYPE_AAAA)
		return POINTER_SIZE + RR_FIXED + 16;
	return 0;
}

static bool same_rrset(const struct dns_rr *a, const struct dns_rr *b)
{
	return a->type == b->type && a->class == b->class && dns_name__equal(&a->owner, &b->owner);
}

/* All records kept, in order; *rot_size becomes 0 if those to rotate turn out unlike. */
static void put_records(struct encoder *enc, const struct message *m,
			const struct scrubbed *scrubbed, size_t *rot_at, uint8_t *rot_size)
{
	const uint16_t *count = scrubbed->count;
	unsigned int n = count[0] + count[1] + count[2];
	unsigned int first = scrubbed->final_at, end = first + scrubbed->final_count;
	size_t blob_at = enc->len;

	*rot_at = 0;
	for (unsigned int i = 0; i < n; i++) {
		size_t at = enc->len;

		enc->ttl_at[i] = put_rr(enc, m, scrubbed->order[i]) - blob_at;
		enc->end_at[i] = enc->len - blob_at;
		if (i == first)
			*rot_at = at - blob_at;
		if (i >= first && i < end && enc->len - at != *rot_size)
			*rot_size = 0;
	}
	/* additional RRsets are there whole or not at all */
	for (unsigned int i = n; i-- > count[DNS_ANSWER_SECTION] + count[DNS_AUTHORITY] + 1u;)
		if (same_rrset(&m->rr[scrubbed->order[i - 1]], &m->rr[scrubbed->order[i]]))
			enc->end_at[i - 1] = enc->end_at[i];
}

int answer__encode(const struct message *message, const struct scrubbed *scrubbed,
		   uint8_t key_flags, struct answer **out)
{
	const uint16_t *count = scrubbed->count;
	unsigned int n = count[0] + count[1] + count[2];
	struct encoder *enc = encoder_begin(message);
	uint8_t rot_size = rotating_size(message, scrubbed);
	struct answer *answer;
	size_t blob_at, rot_at;

	blob_at = enc->len;
	put_records(enc, message, scrubbed, &rot_at, &rot_size);
	if (enc->full)
		return -EMSGSIZE;
	answer = answer__alloc(n, enc->len - blob_at);
	if (!answer)
		return -ENOMEM;
	memcpy(answer->ttl_at, enc->ttl_at, n * sizeof(enc->ttl_at[0]));
	memcpy(answer->end_at, enc->end_at, n * sizeof(enc->end_at[0]));
	memcpy(answer->blob, enc->msg + blob_at, enc->len - blob_at);
	answer->qname = *message->qname;
	answer->qtype = message->qtype;
	answer->key_flags = key_flags;
	answer->flags = scrubbed->flags;
	memcpy(answer->count, count, sizeof(answer->count));
	answer->ttl_s = scrubbed->ttl_s;
	if (rot_size) {
		answer->rot_at = rot_at;
		answer->rot_count = scrubbed->final_count;
		answer->rot_size = rot_size;
	}
	*out = answer;
	return 0;
}
