/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From a name that the store does not hold to an NXDOMAIN-below above it: an entry that
 * says that nothing exists there and below (RFC 8020).
 *
 * Contract: a slot is handed out only after its name compared equal to the end
 * of the question's, at the beginning of a label, in a well-formed name.
 */
#ifndef NODENS_NX_BELOW_BPF_H
#define NODENS_NX_BELOW_BPF_H

/*
 * Depths that are tried, the deepest first: below a cluster's zone there are three, besides
 * suffixes that are configured.
 */
#define NX_BELOW_TRIES 4

/*
 * Where in the name its last labels begin, plus one; a byte each, the one next to the root lowest.
 * 0: a malformed name.
 */
static __always_inline __u64 nx_below_labels(void *data, void *end, const struct pkt *p,
					     const struct question *q)
{
	__u64 off = 0, labels = 0;

#pragma clang loop unroll(disable)
	for (__u64 i = 0; i < DNS_MAX_NAME / 2 + 1; i++) {
		__u8 *label = at(data, p->dns + DNS_HEADER_LEN + off);

		if ((void *)(label + 1) > end || *label > 63)
			return 0;
		if (*label == 0)
			return off + 1 == q->name_len ? forget(labels, *label) : 0;
		labels = labels << 8 | (off + 1);
		off += 1 + *label;
		if (off >= q->name_len || off > DNS_MAX_NAME)
			return 0;
	}
	return 0;
}

/*
 * The number, plus one, of a slot that has the hash of an NXDOMAIN-below above the name, or 0;
 * *suffix is what it must hold, *name_at where that is in the packet.
 */
static __always_inline __u64 nx_below_find(void *data, void *end, const struct pkt *p,
					   const struct nodens_ctl *ctl, const struct question *q,
					   struct question *suffix, __u64 *name_at)
{
	__u64 depths = ctl->nx_below_depths >> 1, labels, places = 0, found = 0;

	if (!depths)
		return 0;
	labels = nx_below_labels(data, end, p, q);
	/* those of the labels at which there are any: VERIFIER: without a branch */
#pragma clang loop unroll(full)
	for (__u64 i = 0; i < NODENS_NX_BELOW_DEPTHS; i++, labels >>= 8, depths >>= 1) {
		__u64 label = labels & 0xff, on = depths & (label + 0xff) >> 8 & 1;

		asm volatile("" : "+r"(on));
		places = places << (on << 3) | (label & -on);
	}
	places = forget(places, q->hash);
#pragma clang loop unroll(full)
	for (__u64 i = 0; i < NX_BELOW_TRIES; i++, places >>= 8) {
		*name_at = p->dns + DNS_HEADER_LEN + (places & 0xff) - 1;
		if (!(places & 0xff) || dns_scan_name(data, end, *name_at, ctl, suffix) != GO_ON)
			break;
		suffix->key_flags = q->key_flags | NODENS_KEY_NX_BELOW;
		suffix->hash = hash_end(suffix->hash, 0, suffix->key_flags, suffix->name_len, ctl);
		found = index_find(suffix->hash);
		if (found)
			break;
	}
	return found;
}

#endif /* NODENS_NX_BELOW_BPF_H */
