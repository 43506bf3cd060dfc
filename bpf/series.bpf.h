/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is counted of a hit: under its series (headers/nodens_series.h), and how long a few took.
 *
 * Contract: adds to this CPU's own counts; changes nothing else and cannot fail.
 */
#ifndef NODENS_SERIES_BPF_H
#define NODENS_SERIES_BPF_H

/* enum nodens_qtype by type. */
static const __u8 qtype_numbers[NODENS_QTYPE_MAX + 1] = {
#define X(number, text) [number] = NODENS_QTYPE_##number,
	NODENS_QTYPES(X)
#undef X
};

/* Numbers of NODENS_SIZES by size: a comparison with each bound costs more than all the rest. */
static const __u8 size_numbers[NODENS_SIZE_MAX + 1] = {
#define X(number, first, last) [first... last] = number,
	NODENS_SIZES(X)
#undef X
};

static __always_inline __u64 qtype_number(__be16 type)
{
	__u64 qtype = bpf_ntohs(type);

	asm volatile("" : "+r"(qtype));
	return qtype <= NODENS_QTYPE_MAX ? qtype_numbers[qtype] : NODENS_QTYPE_OTHER;
}

/* By its series and by its kind. */
static __always_inline void hit_count(struct nodens_percpu *pc, const struct pkt *p,
				      const struct question *q, const struct found *f,
				      const struct reply *r)
{
	__u32 number = f->slot->series;
	struct nodens_series *series = bpf_map_lookup_elem(&nodens_series, &number);
	__u64 request = f->slot->type, size;

	if (!series)
		return;
	if (f->slot->key_flags & NODENS_KEY_NX_BELOW) {
		count(pc, NODENS_CTR_HIT_NX_BELOW);
		request = qtype_number(q->type_class);
	}
	if (p->ip6) {
		count(pc, NODENS_CTR_HIT_IP6);
		request += NODENS_SERIES_TYPES;
	}
	if (!r->ttl) {
		count(pc, NODENS_CTR_HIT_STALE);
		series->stale++;
	}
	if (q->key_flags & NODENS_KEY_DO)
		series->dnssec_ok++;
	size = ELEMENT(size_numbers, p->dns_len) * NODENS_SERIES_SIZES +
	       ELEMENT(size_numbers, r->dns_len);
	ELEMENT(series->requests, request)++;
	ELEMENT(series->replies, f->slot->reply)++;
	ELEMENT(series->sizes, size)++;
	series->request_bytes += p->dns_len;
	series->reply_bytes += r->dns_len;
}

/*
 * Is this packet to be measured if it is a hit? Then the time now, else 0. A CPU measures its first
 * hit; then one in NODENS_MEASURE_EVERY at most: of the packet whose turn it is no other outcome is
 * measured, and the next hit but one has its turn.
 */
static __always_inline __u64 measure_begin(struct nodens_percpu *pc)
{
	if (pc->measure_in)
		return 0;
	pc->measure_in = !!pc->times.sum_ns;
	return bpf_ktime_get_ns();
}

/* Of a hit. */
static __always_inline void measure_end(struct nodens_percpu *pc, __u64 begin)
{
	__u64 took, n = 0;

	if (!begin) {
		pc->measure_in--;
		return;
	}
	took = bpf_ktime_get_ns() - begin;
#pragma clang loop unroll(full)
	for (__u64 i = 0; i < NODENS_TIME_BUCKETS - 1; i++)
		n -= if_less((__u64)NODENS_TIME_FIRST << i, took);
	asm volatile("" : "+r"(n));
	if (n < NODENS_TIME_BUCKETS)
		pc->times.bucket[n]++;
	pc->times.sum_ns += took;
	/* at distances that no rhythm of queries can keep step with */
	pc->measure_in = NODENS_MEASURE_EVERY + (draw(pc) >> 54);
}

#endif /* NODENS_SERIES_BPF_H */
