// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Hashes under a secret. Contract: secret_hash.h.
 */
#include "base/secret_hash.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint64_t rotl(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], int n)
{
	while (n--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] = rotl(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] = rotl(v[2], 32);
	}
}

uint64_t siphash(const uint64_t key[2], const void *octets, size_t len)
{
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575ull,
		key[1] ^ 0x646f72616e646f6dull,
		key[0] ^ 0x6c7967656e657261ull,
		key[1] ^ 0x7465646279746573ull,
	};
	const uint8_t *at = octets;
	uint64_t last = (uint64_t)len << 56;

	for (size_t left = len;; left -= 8, at += 8) {
		uint64_t word = 0;

		memcpy(&word, at, left < 8 ? left : 8);
		word = le64toh(word);
		if (left < 8) {
			last |= word;
			break;
		}
		v[3] ^= word;
		rounds(v, 2);
		v[0] ^= word;
	}
	v[3] ^= last;
	rounds(v, 2);
	v[0] ^= last;
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Two words for SipHash, two for secret_mix(). */
static const uint64_t *secret(void)
{
	static uint64_t words[4];
	static bool drawn;

	if (!drawn) {
		/* so few octets come whole or not at all, and without them there is no safe way on
		 */
		if (getrandom(words, sizeof(words), 0) != sizeof(words))
			abort();
		drawn = true;
	}
	return words;
}

uint64_t secret_hash(const void *octets, size_t len)
{
	return siphash(secret(), octets, len);
}

uint64_t secret_mix(uint64_t state, uint64_t word)
{
	const uint64_t *s = secret();
	unsigned __int128 product = (unsigned __int128)(state ^ s[2]) * (word ^ s[3]);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}
