/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Answers made here of records written as text, by way of ldns, and then read like any upstream's
 * message. (dns/compose.h is for records of answers that came.)
 *
 * Contract: pure but for malloc; text from configuration is checked record by record.
 */
#ifndef NODENS_SYNTH_H
#define NODENS_SYNTH_H

#include <ldns/ldns.h>

#include "dns/answer.h"
#include "plugin/plugin.h"

struct synth {
	ldns_pkt *pkt;
};

/* An empty reply to the question with this rcode, authoritative. -ENOMEM. */
int synth__open(struct synth *synth, const struct dns_name *qname, uint16_t qtype, uint16_t rcode);
void synth__close(struct synth *synth);
/* One record in presentation form ("NAME TTL CLASS TYPE RDATA"). -EINVAL: it is none. */
int synth__add(struct synth *synth, enum dns_section section, const char *text);
/*
 * The answer of type A or AAAA with these addresses, 4 or 16 octets each; none: NOERROR without
 * records. By hand, for there may be many: about 1 us. -ENOMEM.
 */
#define SYNTH_MAX_ADDRS 2048
int synth__addresses(const struct dns_name *qname, uint16_t qtype, uint8_t key_flags,
		     uint32_t ttl_s, const uint8_t *addrs, size_t n, struct answer **out);
/* -EINVAL, -ENOMEM, -EMSGSIZE. *verdict may be NULL. */
int synth__answer(const struct synth *synth, const struct dns_name *qname, uint16_t qtype,
		  uint8_t key_flags, enum verdict *verdict, struct answer **out);

#endif /* NODENS_SYNTH_H */
