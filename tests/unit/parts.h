/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is left of a reply for a client that takes less: the rule written a second time, over the
 * octets of the whole reply and with ldns' idea of an RRset.
 *
 * Contract: shares no code with what it is held against.
 */
#ifndef NODENS_TEST_PARTS_H
#define NODENS_TEST_PARTS_H

#include "wire.h"

#define PARTS_MAX_RR 4096

static inline size_t parts__skip_name(const uint8_t *msg, size_t at)
{
	while (msg[at] && msg[at] < 0xc0)
		at += msg[at] + 1;
	return at + (msg[at] ? 2 : 1);
}

static inline bool parts__same_rrset(ldns_rr_list *list, size_t a, size_t b)
{
	ldns_rr *x = ldns_rr_list_rr(list, a), *y = ldns_rr_list_rr(list, b);

	return ldns_rr_get_type(x) == ldns_rr_get_type(y) &&
	       !ldns_dname_compare(ldns_rr_owner(x), ldns_rr_owner(y));
}

static inline void parts__put_count(uint8_t *msg, unsigned int section, unsigned int n)
{
	msg[6 + 2 * section] = n >> 8;
	msg[7 + 2 * section] = n & 0xff;
}

/*
 * @whole, of @len octets and with an OPT at its end if @edns, cut to @limit into @out. Returns the
 * length.
 */
static inline size_t parts__cut(const uint8_t *whole, size_t len, bool edns, size_t limit,
				uint8_t *out)
{
	static size_t end[PARTS_MAX_RR + 1];
	size_t opt = edns ? 11 : 0, at = parts__skip_name(whole, 12) + 4, keep, n = 0;
	unsigned int count[3], left;
	ldns_rr_list *additional;
	ldns_pkt *pkt;

	for (int i = 0; i < 3; i++)
		count[i] = whole[6 + 2 * i] << 8 | whole[7 + 2 * i];
	count[2] -= edns;
	end[0] = at;
	for (size_t i = 0; i < count[0] + count[1] + count[2]; i++) {
		at = parts__skip_name(whole, at);
		at += 10 + (whole[at + 8] << 8 | whole[at + 9]);
		end[i + 1] = at;
	}
	while (n < count[0] + count[1] && end[n + 1] + opt <= limit)
		n++;
	memcpy(out, whole, 12);
	if (n < count[0] + count[1])
		out[2] |= 2;
	pkt = wire__parse(whole, len);
	additional = pkt ? ldns_pkt_additional(pkt) : NULL;
	while (pkt && n >= count[0] + count[1] && n < count[0] + count[1] + count[2]) {
		size_t next = n + 1, first = n - count[0] - count[1];

		while (next < count[0] + count[1] + count[2] &&
		       parts__same_rrset(additional, first, next - count[0] - count[1]))
			next++;
		if (end[next] + opt > limit)
			break;
		n = next;
	}
	ldns_pkt_free(pkt);
	keep = left = n;
	for (int i = 0; i < 3; i++) {
		unsigned int here = left < count[i] ? left : count[i];

		left -= here;
		parts__put_count(out, i, here + (i == 2 && edns));
	}
	memcpy(out + 12, whole + 12, end[keep] - 12);
	memcpy(out + end[keep], whole + len - opt, opt);
	return end[keep] + opt;
}

#endif /* NODENS_TEST_PARTS_H */
