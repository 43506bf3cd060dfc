// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The check of a slot's bytes.
 *
 * Contract: see slot.h. What passes can be handed to answer__from_slot(), and
 * the programs would answer it as it stands.
 */
#include <arpa/inet.h>
#include <string.h>

#include "dns/slot.h"

const uint16_t slot_class_size[NODENS_CLASSES] = NODENS_CLASS_SIZES;

static bool padding_ok(const struct nodens_slot *slot)
{
	const uint8_t *bytes = (const uint8_t *)slot;

	for (size_t at = NODENS_SLOT_HEADER + slot->name_len; at < slot->blob_at; at++)
		if (bytes[at])
			return false;
	return true;
}

static bool odd_ttls_ok(const struct nodens_slot *slot)
{
	const uint8_t *ttls = (const uint8_t *)slot + slot->ttls_at;
	unsigned int odd = 0;

	for (unsigned int i = 0; i < slot->n_ttl; i++) {
		uint16_t at;

		memcpy(&at, ttls + i * sizeof(at), sizeof(at));
		odd += at & 1;
	}
	return odd == slot->n_ttl_odd;
}

/* Equal as one's complement sums, where 0 and 0xffff are the same number. */
static bool sum_ok(const struct nodens_slot *slot)
{
	const uint8_t *blob = (const uint8_t *)slot + slot->blob_at;
	uint32_t sum = 0;

	for (size_t i = 0; i < slot->blob_len; i += 2) {
		uint16_t word = 0;

		memcpy(&word, blob + i, i + 1 < slot->blob_len ? 2 : 1);
		sum += word;
	}
	return sum % 0xffff == slot->blob_sum % 0xffffu;
}

/* An NXDOMAIN-below is of no type, and nothing else is. */
static bool key_ok(const struct nodens_slot *slot)
{
	uint8_t known = NODENS_KEY_DO | NODENS_KEY_CD | NODENS_KEY_AGENT | NODENS_KEY_NX_BELOW;

	if (slot->below_only > !!(slot->key_flags & NODENS_KEY_NX_BELOW))
		return false;
	return !(slot->key_flags & ~known) &&
	       !(slot->key_flags & NODENS_KEY_NX_BELOW) == !!slot->qtype;
}

bool slot__check(const struct nodens_slot *slot, size_t size)
{
	if (!answer__slot_valid(slot, size))
		return false;
	if (slot->unused || !key_ok(slot))
		return false;
	if (ntohs(slot->ancount) + ntohs(slot->nscount) + ntohs(slot->arcount) != slot->n_ttl)
		return false;
	return padding_ok(slot) && odd_ttls_ok(slot) && sum_ok(slot);
}

void slot__name(const struct nodens_slot *slot, struct dns_name *name)
{
	memset(name, 0, sizeof(*name));
	name->len = slot->name_len;
	memcpy(name->wire, slot->data, slot->name_len);
}
