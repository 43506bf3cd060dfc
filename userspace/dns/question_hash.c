/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The keyed hash of a question, the agent's side of bpf/'s.
 *
 * Contract: pure; headers/nodens_abi.h defines it.
 */
#include <endian.h>
#include <string.h>

#include "dns/answer.h"

static uint64_t nh(uint64_t word, uint64_t key)
{
	uint64_t sum = word + key;

	return (sum & 0xffffffff) * (sum >> 32);
}

uint64_t question__hash(const uint64_t key[NODENS_HASH_WORDS], const struct dns_name *qname_lower,
			uint16_t qtype, uint8_t key_flags)
{
	size_t len = qname_lower->len;
	uint64_t hash =
		nh(qtype | (uint64_t)key_flags << 16 | (uint64_t)len << 32, key[DNS_NAME_WORDS]);

	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = 0;

		memcpy(&word, qname_lower->wire + i, len - i < 8 ? len - i : 8);
		hash += nh(le64toh(word), key[i / 8]);
	}
	return nodens_hash_last(hash, key[NODENS_HASH_LAST]);
}
