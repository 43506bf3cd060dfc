/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The query's packet turned into the reply, in place.
 *
 * Contract: reply_plan() is all checks and no change; then the hook resizes the
 * packet; then reply_write() fills it in. The client's ID, RD, CD and question
 * bytes are never touched. userspace/dns/reply.c builds the same bytes.
 */
#ifndef NODENS_REPLY_BPF_H
#define NODENS_REPLY_BPF_H

#define REPLY_TTL 64 /* hop limit of a reply, as a host would send it */

/* What of the slot is sent, and how it sums up. */
struct reply {
	__u64 blob_len;
	__u64 blob_sum; /* of so much of the blob, TTLs zero; as the slot's */
	__u64 dns_len;	/* of the whole message */
	__u64 n_rr;
	__u64 n_odd;	/* of their TTLs, those at odd offsets */
	__u64 rotating; /* of the set that rotates, so many are sent */
	__u64 ancount, nscount, arcount;
	__u64 ttl;	 /* of every RR; 0: the answer is stale */
	__u64 truncated; /* a bool */
};

/* RFC 1071 sums, not folded, in the byte order of a u16 load. */
struct reply_sums {
	__u64 pseudo; /* addresses, protocol, length */
	__u64 rest;   /* UDP header without its checksum, and the message */
};

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The same bytes at an offset of the other parity (RFC 1071, 2B). */
static __always_inline __u16 swap_if(__u16 sum, bool odd)
{
	return odd ? __builtin_bswap16(sum) : sum;
}

/*
 * Seconds left of @ns, rounded up, 1 at least and at most what was stored (the
 * coarse clock lags, so an answer just stored seems to have more). 4503600 is
 * 2^32 * 2^20 / 10^9: exact to 1 s in 140 days, and no division.
 */
static __always_inline __be32 ttl_left(__u64 ns, __u32 stored_s)
{
	__u32 ttl = ((ns >> 20) * 4503600 + 0xffffffff) >> 32;

	if (ttl > stored_s)
		ttl = stored_s;
	return ttl ? bpf_htonl(ttl) : bpf_htonl(1);
}

/* All ones where @a < @b, both below 2^63. VERIFIER: no branch, for which the barrier is. */
static __always_inline __u64 if_less(__u64 a, __u64 b)
{
	a = (a - b) >> 63;
	asm volatile("" : "+r"(a));
	return -a;
}

static __always_inline __u64 lesser(__u64 a, __u64 b)
{
	return b + ((a - b) & if_less(a, b));
}

/* @at is even. */
static __always_inline __u64 slot_u16(const struct found *f, __u64 at)
{
	at += f->offset;
	/* VERIFIER: a mask instead of a branch that leads nowhere */
	asm volatile("%0 &= 2046\n\t%0 += %1" : "+r"(at) : "r"(f->cell));
	return *(__u16 *)at;
}

_Static_assert(NODENS_CELL == 2048, "slot_u16()");

#define PREFIX(i, field)                                                            \
	(at + sizeof(struct nodens_prefixes) + (i) * sizeof(struct nodens_prefix) + \
	 __builtin_offsetof(struct nodens_prefix, field))
#define PREFIXES(field) (at + __builtin_offsetof(struct nodens_prefixes, field))

/*
 * Sum of the first @n records, of which the @m that rotate begin with record @first of their set:
 * that of the stored ones, less those that are not sent, and those that are sent in their place.
 */
static __always_inline __u64 prefix_sum(const struct found *f, __u64 at, __u64 n, __u64 m,
					__u64 first)
{
	__u64 rot = slot_u16(f, PREFIXES(rot_first)), last = first + m;
	__u64 until = lesser(last, f->slot->rot_count), wrapped = last - until;

	return slot_u16(f, PREFIX(n, sum)) + (slot_u16(f, PREFIX(rot + m, sum)) ^ 0xffff) +
	       slot_u16(f, PREFIX(rot + until, sum)) +
	       (slot_u16(f, PREFIX(rot + first, sum)) ^ 0xffff) +
	       slot_u16(f, PREFIX(rot + wrapped, sum));
}

/*
 * As many records as fit into a message of q->limit octets (struct nodens_prefix). False where
 * there are more for this client than the slot has: the agent has them.
 */
static __always_inline bool reply_part(const struct question *q, const struct found *f, __u64 rest,
				       struct reply *r)
{
	const struct nodens_slot *slot = f->slot;
	__u64 at = (__u64)slot->ttls_at + 2 * slot->n_ttl;
	__u64 n = 0, n_ttl = slot->n_ttl, room;

	room = lesser(q->limit, slot_u16(f, PREFIXES(limit))) - rest;
	if (slot_u16(f, PREFIXES(more_len)) <= room)
		return false;
#pragma clang loop unroll(full)
	for (__u64 step = 64; step; step >>= 1) {
		__u64 next = lesser(n + step, n_ttl);

		n += step & if_less(slot_u16(f, PREFIX(next, len)), room + 1);
	}
	n = lesser(n, n_ttl);
	r->n_rr = n;
	r->n_odd = slot_u16(f, PREFIX(n, n_odd));
	r->blob_len = slot_u16(f, PREFIX(n, len));
	r->truncated = if_less(n, slot_u16(f, PREFIXES(n_required)));
	r->ancount = lesser(n, r->ancount);
	r->nscount = lesser(n - r->ancount, r->nscount);
	r->arcount = n - r->ancount - r->nscount;
	n -= lesser(n, slot_u16(f, PREFIXES(rot_first)));
	r->rotating = lesser(n, slot->rot_count);
	r->blob_sum = prefix_sum(f, at, r->n_rr, r->rotating,
				 nodens_rotation(bpf_ntohs(q->id), slot->rot_count));
	return true;
}

/* Sizes, counts and TTL of the reply out of a usable slot; false where the agent is to answer. */
static __always_inline bool reply_plan(const struct question *q, const struct found *f, __u64 now,
				       struct reply *r)
{
	const struct nodens_slot *slot = f->slot;
	__u64 rest = DNS_HEADER_LEN + q->name_len + 4 + (q->edns ? EDNS_OPT_LEN : 0);

	r->ttl = 0;
	if (slot->expires_ns > now)
		r->ttl = slot->keep_ttl ? bpf_htonl(slot->ttl_s)
					: ttl_left(slot->expires_ns - now, slot->ttl_s);
	r->ttl = forget(r->ttl, now); /* VERIFIER: 0 or not is no matter from here on */
	r->blob_len = slot->blob_len;
	r->blob_sum = slot->blob_sum;
	r->n_rr = slot->n_ttl;
	r->n_odd = slot->n_ttl_odd;
	r->rotating = slot->rot_count;
	r->ancount = bpf_ntohs(slot->ancount);
	r->nscount = bpf_ntohs(slot->nscount);
	r->arcount = bpf_ntohs(slot->arcount);
	r->truncated = false;
	if ((slot->partial || rest + r->blob_len > q->limit) && !reply_part(q, f, rest, r))
		return false;
	/* VERIFIER: what follows is walked once for both */
	r->blob_len = forget(r->blob_len, now);
	r->blob_sum = forget(r->blob_sum, now);
	r->n_rr = forget(r->n_rr, now);
	r->n_odd = forget(r->n_odd, now);
	r->rotating = forget(r->rotating, now);
	r->ancount = forget(r->ancount, now);
	r->nscount = forget(r->nscount, now);
	r->arcount = forget(r->arcount, now);
	r->truncated = forget(r->truncated, now) & 1;
	if (r->blob_len > NODENS_MAX_BLOB)
		return false;
	r->dns_len = rest + r->blob_len;
	return true;
}

/* The stored sections to offset @off; the last word overlaps the one before. */
static __always_inline bool reply_blob(void *data, void *end, __u64 off, const struct found *f,
				       const struct reply *r)
{
	__u64 from = f->slot->blob_at, word, words = r->blob_len >> 3;
	void *to = at(data, off);

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i <= NODENS_MAX_BLOB / 8; i++) {
		if (i == words)
			break;
		if (!ROOM(to, 8, end) || !slot_word(f, from, &word))
			return false;
		*(__u64 *)to = word;
		to += 8;
		from += 8;
	}
	if (r->blob_len & 7) {
		off += r->blob_len - 8;
		if (off > FRAME_MAX)
			return false;
		to = at(data, off);
		from = f->slot->blob_at + r->blob_len - 8;
		if (!ROOM(to, 8, end) || !slot_word(f, from, &word))
			return false;
		*(__u64 *)to = word;
	}
	return true;
}

static __always_inline bool reply_set_ttls(void *data, void *end, __u64 off, const struct found *f,
					   const struct reply *r)
{
	__u64 from = f->offset + f->slot->ttls_at;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < NODENS_MAX_RR; i++, from += 2) {
		__u8 *to;

		if (i >= r->n_rr)
			break;
		asm volatile("" : "+r"(from));
		if (from > NODENS_CELL - 2)
			return false;
		to = at(data, off + *(__u16 *)(f->cell + from));
		if (!ROOM(to, 4, end))
			return false;
		*(__be32 *)to = r->ttl;
	}
	return true;
}

/* The rdata of @n RRs of @size bytes, from the cell's offset @from to the packet's @off. */
static __always_inline bool reply_rdata(void *data, void *end, __u64 off, const struct found *f,
					__u64 from, __u64 n, const __u64 size)
{
	void *to = at(data, off);

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < NODENS_MAX_BLOB / size; i++, from += size, to += size) {
		const __u64 *rdata = f->cell;

		if (i >= n)
			return true;
		asm volatile("" : "+r"(from));
		if (!ROOM(to, size - 12, end) || from > NODENS_CELL - (size - 12))
			return false;
		rdata = (void *)rdata + from;
		if (size == 16) {
			*(__u32 *)to = *(__u32 *)rdata;
		} else {
			*(__u64 *)to = rdata[0];
			*(__u64 *)(to + 8) = rdata[1];
		}
	}
	return true;
}

/*
 * Rotate the A or AAAA set: stored RR (j + first) % n gives reply RR j its
 * rdata. VERIFIER(5.10): two straight runs; a wrap within one loop would tell
 * its states apart by where it happens.
 */
static __always_inline bool reply_rotate(void *data, void *end, __u64 off, const struct found *f,
					 const struct reply *r, __be16 id)
{
	const struct nodens_slot *slot = f->slot;
	__u64 n = slot->rot_count, size = slot->rot_size;
	__u64 first = nodens_rotation(bpf_ntohs(id), n), run = lesser(n - first, r->rotating);
	__u64 begin = f->offset + slot->blob_at + slot->rot_at + 12;
	__u64 from = begin + first * size, wrap = run * size, rest = r->rotating - run;

	off += slot->rot_at + 12;
	if (size == 16)
		return reply_rdata(data, end, off, f, from, run, 16) &&
		       reply_rdata(data, end, off + wrap, f, begin, rest, 16);
	return reply_rdata(data, end, off, f, from, run, 28) &&
	       reply_rdata(data, end, off + wrap, f, begin, rest, 28);
}

/* Our own OPT (RFC 6891, 6.2.3: none of the client's options); its sum at an even offset. */
static __always_inline bool reply_opt(void *data, void *end, __u64 off, const struct question *q,
				      __u16 *sum)
{
	__be16 flags = q->key_flags & NODENS_KEY_DO ? bpf_htons(EDNS_F_DO) : 0;
	__u8 *opt = at(data, off);

	if (!ROOM(opt, EDNS_OPT_LEN, end))
		return false;
	opt[0] = 0;
	*(__be16 *)(opt + 1) = bpf_htons(EDNS_OPT);
	*(__be16 *)(opt + 3) = bpf_htons(NODENS_OPT_SIZE);
	*(__be16 *)(opt + 5) = 0;
	*(__be16 *)(opt + 7) = flags;
	*(__be16 *)(opt + 9) = 0;
	/* the words begin at the second byte */
	*sum = swap_if(fold((__u64)bpf_htons(EDNS_OPT) + bpf_htons(NODENS_OPT_SIZE) + flags), true);
	return true;
}

/* Sum of all that follows the name, at an even offset: from the slot's own sum. */
static __always_inline __u16 reply_tail_sum(const struct question *q, const struct reply *r)
{
	__u64 sum = (q->type_class & 0xffff) + (q->type_class >> 16);
	__u64 ttl = fold(r->ttl);

	sum += r->blob_sum + ttl * (r->n_rr - r->n_odd);
	sum += (__u64)__builtin_bswap16(ttl) * r->n_odd;
	return fold(sum);
}

static __always_inline bool reply_dns(void *data, void *end, const struct pkt *p,
				      const struct question *q, const struct found *f,
				      const struct reply *r, __u64 *sum)
{
	const struct nodens_slot *slot = f->slot;
	struct dns_hdr *hdr = at(data, p->dns);
	__u64 off = p->dns + DNS_HEADER_LEN + q->name_len + 4;
	__be16 flags = slot->flags | (q->flags & bpf_htons(DNS_F_RD | DNS_F_CD));
	__u16 opt_sum;

	if ((void *)(hdr + 1) > end)
		return false;
	if (!(q->flags & bpf_htons(DNS_F_AD)) && !(q->key_flags & NODENS_KEY_DO))
		flags &= ~bpf_htons(DNS_F_AD);
	hdr->flags = flags | bpf_htons(DNS_F_TC) * r->truncated;
	hdr->ancount = bpf_htons(r->ancount);
	hdr->nscount = bpf_htons(r->nscount);
	hdr->arcount = bpf_htons(r->arcount + q->edns);
	*sum += (__u64)hdr->id + hdr->flags + bpf_htons(1) + hdr->ancount + hdr->nscount +
		hdr->arcount;
	*sum += q->sum + swap_if(reply_tail_sum(q, r), q->name_len & 1);

	if (r->blob_len) {
		if (!reply_blob(data, end, off, f, r))
			return false;
		if (!reply_set_ttls(data, end, off, f, r))
			return false;
		if (r->rotating && !reply_rotate(data, end, off, f, r, hdr->id))
			return false;
	}
	if (q->edns) {
		off += r->blob_len;
		if (off > FRAME_MAX || !reply_opt(data, end, off, q, &opt_sum))
			return false;
		*sum += swap_if(opt_sum, (q->name_len + r->blob_len) & 1);
	}
	return true;
}

static __always_inline void swap_macs(struct ethhdr *eth)
{
	__u32 d4 = *(__u32 *)eth->h_dest, s4 = *(__u32 *)eth->h_source;
	__u16 d2 = *(__u16 *)(eth->h_dest + 4), s2 = *(__u16 *)(eth->h_source + 4);

	*(__u32 *)eth->h_dest = s4;
	*(__u16 *)(eth->h_dest + 4) = s2;
	*(__u32 *)eth->h_source = d4;
	*(__u16 *)(eth->h_source + 4) = d2;
}

/* Header checksum by increment (RFC 1624): only length and TTL change. */
static __always_inline void reply_ip4(struct iphdr *ip, __u64 udp_len, struct reply_sums *sums)
{
	__be16 *ttl_proto = (__be16 *)&ip->ttl;
	__be32 src = ip->saddr;
	__u64 sum = (__u16)~ip->check + (__u64)(__u16)~ip->tot_len + (__u16) ~*ttl_proto;

	ip->tot_len = bpf_htons(udp_len + sizeof(*ip));
	ip->ttl = REPLY_TTL;
	sum += (__u64)ip->tot_len + *ttl_proto;
	ip->check = ~fold(sum);
	ip->saddr = ip->daddr;
	ip->daddr = src;
	sums->pseudo = (__u64)ip->saddr + ip->daddr + bpf_htons(IPPROTO_UDP);
}

static __always_inline void reply_ip6(struct ipv6hdr *ip, __u64 udp_len, struct reply_sums *sums)
{
	__be32 *s = ip->saddr.in6_u.u6_addr32, *d = ip->daddr.in6_u.u6_addr32;

	sums->pseudo = bpf_htons(IPPROTO_UDP);
#pragma unroll
	for (__u64 i = 0; i < 4; i++) {
		__be32 word = s[i];

		sums->pseudo += (__u64)word + d[i];
		s[i] = d[i];
		d[i] = word;
	}
	ip->payload_len = bpf_htons(udp_len);
	ip->hop_limit = REPLY_TTL;
}

/* The whole reply but its UDP checksum, which the hook writes from @sums. */
static __always_inline bool reply_write(void *data, void *end, const struct pkt *p,
					const struct question *q, const struct found *f,
					const struct reply *r, struct reply_sums *sums)
{
	__u64 udp_len = sizeof(struct udphdr) + r->dns_len;
	struct udphdr *udp = at(data, p->l4);
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > end || (void *)(udp + 1) > end)
		return false;
	swap_macs(eth);
	if (p->ip6) {
		struct ipv6hdr *ip = at(data, p->l3);

		if ((void *)(ip + 1) > end)
			return false;
		reply_ip6(ip, udp_len, sums);
	} else {
		struct iphdr *ip = at(data, p->l3);

		if ((void *)(ip + 1) > end)
			return false;
		reply_ip4(ip, udp_len, sums);
	}
	udp->dest = udp->source;
	udp->source = bpf_htons(DNS_PORT);
	udp->len = bpf_htons(udp_len);
	sums->pseudo += udp->len;
	sums->rest = (__u64)udp->source + udp->dest + udp->len;
	return reply_dns(data, end, p, q, f, r, &sums->rest);
}

#endif /* NODENS_REPLY_BPF_H */
