/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Hashes for tables whose keys a client or an upstream chooses: who does not know the secret cannot
 * make keys that fall together.
 *
 * Contract: the secret is drawn once a process (getrandom) and nothing of it is kept or shown, so a
 * value means nothing outside of this process.
 */
#ifndef NODENS_SECRET_HASH_H
#define NODENS_SECRET_HASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4 (Aumasson and Bernstein, 2012) under @key. */
uint64_t siphash(const uint64_t key[2], const void *octets, size_t len);

/* The same under the process' secret. */
uint64_t secret_hash(const void *octets, size_t len);
static inline uint64_t secret_hash_u64(uint64_t value)
{
	return secret_hash(&value, sizeof(value));
}

/*
 * Where SipHash costs too much: one step of a hash of @word after @state (0 at first), a 128-bit
 * product folded, both factors under the secret. For tables that bound the length of a probe.
 */
uint64_t secret_mix(uint64_t state, uint64_t word);

#endif /* NODENS_SECRET_HASH_H */
