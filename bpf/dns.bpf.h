/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The question of a DNS query: header, name, type, EDNS.
 *
 * Contract: pure; GO_ON with struct question filled in, or an outcome. The name
 * is not walked label by label here: names in the store are well-formed, so a
 * malformed one never compares equal; dns_name_ok() walks it on the miss path,
 * before anything is sent to the agent.
 */
#ifndef NODENS_DNS_BPF_H
#define NODENS_DNS_BPF_H

#define DNS_F_QR     0x8000
#define DNS_F_OPCODE 0x7800
#define DNS_F_TC     0x0200
#define DNS_F_RD     0x0100
#define DNS_F_AD     0x0020
#define DNS_F_CD     0x0010
#define DNS_RCODE    0x000f

#define DNS_NXDOMAIN 3 /* RFC 1035, 4.1.1 */

#define EDNS_OPT      41
#define EDNS_OPT_LEN  11 /* without options */
#define EDNS_F_DO     0x8000
#define EDNS_ECS      8 /* RFC 7871 */
#define EDNS_MAX_OPTS 8 /* options read; clients send one or two */

#define DNS_MIN_UDP 512 /* RFC 1035, 4.2.1 */

struct dns_hdr {
	__be16 id;
	__be16 flags;
	__be16 qdcount;
	__be16 ancount;
	__be16 nscount;
	__be16 arcount;
};

struct question {
	__u64 hash;
	__u64 last;	  /* last word of the name, lower case, zero-padded */
	__u64 n_full;	  /* words before it */
	__u64 name_len;	  /* 1..255, root label included */
	__u64 sum;	  /* RFC 1071 sum of the name as it stands, not folded */
	__u64 limit;	  /* largest reply the client takes, bytes */
	__u64 type_class; /* in wire order, as the next two */
	__u64 id;
	__u64 flags;	 /* of the header */
	__u64 key_flags; /* NODENS_KEY_* */
	__u64 edns;	 /* a bool */
};

#define BYTES(x) ((x)*0x0101010101010101ULL)

/*
 * Lower-case the A-Z among eight bytes. Label lengths (0..63) lie below 'A', so
 * a name in wire form passes through without a look at its labels.
 */
static __always_inline __u64 lower8(__u64 w)
{
	__u64 seven = w & BYTES(0x7f);
	__u64 ge_a = seven + BYTES(0x80 - 'A');
	__u64 gt_z = seven + BYTES(0x7f - 'Z');

	return w | ((ge_a ^ gt_z) & ~w & BYTES(0x80)) >> 2;
}

/* Bit 7 of every zero byte; those above the first zero byte are unreliable. */
static __always_inline __u64 zero8(__u64 w)
{
	return (w - BYTES(0x01)) & ~w & BYTES(0x80);
}

/* One step of the hash of headers/nodens_abi.h. */
static __always_inline __u64 hash_word(__u64 w, __u64 key)
{
	w += key;
	return (w & 0xffffffff) * (w >> 32);
}

/* The hash of the whole question out of the name's sum. */
static __always_inline __u64 hash_end(__u64 sum, __u16 qtype, __u8 key_flags, __u64 name_len,
				      const struct nodens_ctl *ctl)
{
	sum += hash_word(qtype | (__u64)key_flags << 16 | name_len << 32,
			 ctl->hash_key[DNS_NAME_WORDS]);
	return nodens_hash_last(sum, ctl->hash_key[NODENS_HASH_LAST]);
}

static __always_inline __u64 sum_word(__u64 w)
{
	return (w & 0xffffffff) + (w >> 32);
}

static __always_inline long dns_header(void *data, void *end, const struct pkt *p,
				       struct question *q, bool *has_additional)
{
	struct dns_hdr *hdr = at(data, p->dns);

	if ((void *)(hdr + 1) > end)
		return NODENS_CTR_SHORT;
	q->id = hdr->id;
	q->flags = hdr->flags;
	if (hdr->flags & bpf_htons(DNS_F_QR))
		return NODENS_CTR_RESPONSE;
	if (hdr->flags & bpf_htons(DNS_F_OPCODE | DNS_F_TC))
		return NODENS_CTR_OPCODE;
	if (hdr->qdcount != bpf_htons(1))
		return NODENS_CTR_QDCOUNT;
	if (hdr->ancount || hdr->nscount || hdr->arcount & ~bpf_htons(1))
		return NODENS_CTR_SECTIONS;
	*has_additional = hdr->arcount;
	q->key_flags = hdr->flags & bpf_htons(DNS_F_CD) ? NODENS_KEY_CD : 0;
	return GO_ON;
}

/*
 * Find the end of the name at @name_at, hash it and sum it up, eight bytes at a time. Near the
 * end of the packet fewer than eight remain; then four are read: the type and
 * class that must follow leave no room for more of the name than three.
 */
static __always_inline long dns_scan_name(void *data, void *end, __u64 name_at,
					  const struct nodens_ctl *ctl, struct question *q)
{
	void *name = at(data, name_at);
	/* VERIFIER: unknown from the start, as they are after a word */
	__u64 hash = forget(0, ctl->hash_key[0]), sum = hash;
	__u64 w, zeros, below, key, n, i;

#pragma clang loop unroll(disable)
	for (i = 0; i < DNS_NAME_WORDS; i++, name += 8) {
		/* VERIFIER: read here, so that @i is an index in the loop alone */
		key = ctl->hash_key[i];
		asm volatile("" : "+r"(key));
		if (name + 8 > end) {
			if (name + 4 > end)
				return NODENS_CTR_SHORT;
			w = forget(*(__u32 *)name, ctl->hash_key[0]);
			zeros = zero8(w);
			break;
		}
		w = *(__u64 *)name;
		zeros = zero8(w);
		if (zeros)
			break;
		sum += sum_word(w);
		hash += hash_word(lower8(w), key);
	}
	if (i == DNS_NAME_WORDS)
		return NODENS_CTR_QNAME;

	/* All bits below the terminating zero byte, and how many bytes that is. */
	below = ((zeros & -zeros) >> 7) - 1;
	n = ((below & BYTES(1)) * BYTES(1)) >> 56;
	w &= below;
	q->sum = sum + sum_word(w);
	q->last = lower8(w);
	q->hash = hash + hash_word(q->last, key);
	/* VERIFIER: through memory, so that the number of words is no matter from here on */
	*(volatile __u64 *)&q->n_full = i;
	q->n_full = *(volatile __u64 *)&q->n_full & (DNS_NAME_WORDS - 1);
	q->name_len = (q->n_full << 3) + (n & 7) + 1;
	if (q->name_len > DNS_MAX_NAME)
		return NODENS_CTR_QNAME;
	return GO_ON;
}

/*
 * The OPT record at @off (RFC 6891, 6.1.2), which must end the message. ECS and
 * versions other than 0 are the agent's; other options change no answer.
 */
static __always_inline long dns_edns(void *data, void *end, const struct pkt *p, __u64 off,
				     const struct nodens_ctl *ctl, struct question *q)
{
	__u8 *opt = at(data, off);
	__u64 size, rdlen;

	if ((void *)opt + EDNS_OPT_LEN > end)
		return NODENS_CTR_SHORT;
	if (opt[0] || *(__be16 *)(opt + 1) != bpf_htons(EDNS_OPT))
		return NODENS_CTR_ADDITIONAL;
	rdlen = bpf_ntohs(*(__be16 *)(opt + 9));
	if (off + EDNS_OPT_LEN + rdlen != p->dns + p->dns_len)
		return NODENS_CTR_ADDITIONAL;
	if (opt[6])
		return NODENS_CTR_AGENT_EDNS;
	q->edns = true;
	if (*(__be16 *)(opt + 7) & bpf_htons(EDNS_F_DO))
		q->key_flags |= NODENS_KEY_DO;
	size = bpf_ntohs(*(__be16 *)(opt + 3));
	if (size > ctl->bufsize)
		size = ctl->bufsize;
	if (size > q->limit)
		q->limit = size;

	off += EDNS_OPT_LEN;
#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < EDNS_MAX_OPTS; i++) {
		__u64 len;

		if (rdlen == 0)
			return GO_ON;
		opt = at(data, off);
		if (rdlen < 4 || !ROOM(opt, 4, end))
			return NODENS_CTR_ADDITIONAL;
		if (*(__be16 *)opt == bpf_htons(EDNS_ECS))
			return NODENS_CTR_AGENT_ECS;
		len = 4 + (__u64)bpf_ntohs(*(__be16 *)(opt + 2));
		if (len > rdlen || len > DNS_MAX_QUERY)
			return NODENS_CTR_ADDITIONAL;
		rdlen -= len;
		off += len;
	}
	return rdlen ? NODENS_CTR_AGENT_ECS : GO_ON;
}

/* Type, class and what follows; completes key_flags, limit and the hash. */
static __always_inline long dns_question_tail(void *data, void *end, const struct pkt *p,
					      const struct nodens_ctl *ctl, struct question *q,
					      bool has_additional)
{
	__u64 off = p->dns + DNS_HEADER_LEN + q->name_len;
	__be32 *tc = at(data, off);
	long outcome;

	if ((void *)(tc + 1) > end || off + 4 > p->dns + p->dns_len)
		return NODENS_CTR_SHORT;
	q->type_class = *tc;
	if (q->type_class >> 16 != bpf_htons(1))
		return NODENS_CTR_QCLASS;
	q->limit = DNS_MIN_UDP;
	q->edns = false;
	if (has_additional) {
		outcome = dns_edns(data, end, p, off + 4, ctl, q);
		if (outcome != GO_ON)
			return outcome;
	} else if (off + 4 != p->dns + p->dns_len) {
		return NODENS_CTR_ADDITIONAL;
	}
	q->edns = forget(q->edns, q->type_class) & 1;
	q->key_flags = forget(q->key_flags, q->type_class) & (NODENS_KEY_DO | NODENS_KEY_CD);
	q->limit = forget(q->limit, q->type_class) & 8191; /* bufsize is 4096 at most */
	q->hash = hash_end(q->hash, bpf_ntohs(q->type_class & 0xffff), q->key_flags, q->name_len,
			   ctl);
	return GO_ON;
}

/*
 * Is the name a sequence of labels that ends where its first zero byte is?
 * VERIFIER: one way out of the loop for good and bad, and the answer without a branch.
 */
static __always_inline __u64 dns_name_ok(void *data, void *end, const struct pkt *p,
					 const struct question *q)
{
	__u64 off = 0, len = 1;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < DNS_MAX_NAME / 2 + 1; i++) {
		__u8 *label = at(data, p->dns + DNS_HEADER_LEN + off);

		if ((void *)(label + 1) > end)
			break;
		len = *label;
		if (len - 1 > 62)
			break;
		off += 1 + len;
	}
	off = len | ((off + 1) ^ q->name_len);
	off = (off - 1) >> 63;
	asm volatile("" : "+r"(off));
	return off;
}

#endif /* NODENS_DNS_BPF_H */
