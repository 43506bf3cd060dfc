// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * An answer's way into a slot of the kernel's store and back.
 *
 * Contract: pure but for malloc. A slot made here is what bpf/reply.bpf.h relies on; a slot read
 * here is trusted in nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "answer_priv.h"

#define MIN_BLOB     11 /* the smallest record */
#define TTL_TO_RDATA 6	/* a TTL field, RDLENGTH */

static void layout_of(const struct answer *answer, struct slot_layout *layout)
{
	slot_layout(answer->qname.len, answer->key_flags, answer->blob_len, answer->n_ttl,
		    answer->partial, layout);
}

static void layout_at(const struct nodens_slot *slot, struct slot_layout *layout)
{
	slot_layout(slot->name_len, slot->key_flags, slot->blob_len, slot->n_ttl, slot->partial,
		    layout);
}

/* As the kernel sums: 16 bits at a time, in its own byte order. */
static uint16_t sum_octets(const uint8_t *octets, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i += 2) {
		uint16_t word = 0;

		memcpy(&word, octets + i, len - i < 2 ? 1 : 2);
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

void answer__to_slot(const struct answer *answer, struct nodens_slot *slot)
{
	uint8_t *base = (uint8_t *)slot;
	struct slot_layout layout;

	layout_of(answer, &layout);
	slot->flags = htons(answer->flags);
	slot->ancount = htons(answer->count[DNS_ANSWER_SECTION]);
	slot->nscount = htons(answer->count[DNS_AUTHORITY]);
	slot->arcount = htons(answer->count[DNS_ADDITIONAL]);
	slot->qtype = htons(answer->qtype);
	slot->key_flags = answer->key_flags;
	slot->name_len = answer->qname.len;
	slot->blob_at = layout.blob_at;
	slot->blob_len = answer->blob_len;
	slot->ttls_at = layout.ttls_at;
	slot->n_ttl = answer->n_ttl;
	slot->blob_sum = sum_octets(answer->blob, answer->blob_len);
	slot->partial = answer->partial;
	slot->below_only = answer->below_only;
	slot->ttl_s = answer->ttl_s;
	if (answer->rot_count <= NODENS_MAX_ROTATE) {
		slot->rot_at = answer->rot_at;
		slot->rot_count = answer->rot_count;
		slot->rot_size = answer->rot_size;
	}
	for (unsigned int i = 0; i < answer->n_ttl; i++)
		slot->n_ttl_odd += answer->ttl_at[i] & 1;
	memcpy(slot->data, answer->qname.wire, answer->qname.len);
	memcpy(base + layout.blob_at, answer->blob, answer->blob_len);
	memcpy(base + layout.ttls_at, answer->ttl_at, answer->n_ttl * sizeof(__u16));
	if (layout.prefixes_at)
		answer_prefixes__write(answer, (void *)(base + layout.prefixes_at));
}

/* Labels that fill name_len octets and end with the root's, in lower case. */
static bool name_valid(const struct nodens_slot *slot)
{
	unsigned int at = 0, len = slot->name_len;

	while (at < len && slot->data[at]) {
		if (slot->data[at] > 63)
			return false;
		at += slot->data[at] + 1;
	}
	if (at + 1 != len)
		return false;
	for (at = 0; at < len; at++)
		if (slot->data[at] != dns_lower(slot->data[at]))
			return false;
	return true;
}

/* The end of the record whose TTL is at @ttl_at. */
static size_t record_end(const uint8_t *blob, uint16_t ttl_at)
{
	const uint8_t *rdata = blob + ttl_at + TTL_TO_RDATA;

	return ttl_at + TTL_TO_RDATA + (rdata[-2] << 8 | rdata[-1]);
}

static bool ttls_valid(const struct nodens_slot *slot)
{
	const uint8_t *ttls = (const uint8_t *)slot + slot->ttls_at;
	const uint8_t *blob = (const uint8_t *)slot + slot->blob_at;

	for (unsigned int i = 0; i < slot->n_ttl; i++) {
		uint16_t at;

		memcpy(&at, ttls + i * sizeof(at), sizeof(at));
		if (at + TTL_TO_RDATA > slot->blob_len || record_end(blob, at) > slot->blob_len)
			return false;
	}
	return true;
}

bool answer__slot_valid(const struct nodens_slot *slot, size_t size)
{
	const uint8_t *base = (const uint8_t *)slot;
	struct slot_layout layout;

	layout_at(slot, &layout);
	if (!slot->name_len || layout.size > size || slot->n_ttl > NODENS_MAX_RR ||
	    slot->blob_at != layout.blob_at || slot->ttls_at != layout.ttls_at)
		return false;
	if ((slot->blob_len && slot->blob_len < MIN_BLOB) || slot->blob_len > NODENS_MAX_BLOB)
		return false;
	if (layout.prefixes_at && size <= NODENS_SIZE_SMALL)
		return false;
	if (slot->rot_count > NODENS_MAX_ROTATE || slot->rot_count == 1 ||
	    (slot->rot_count && slot->rot_size != 16 && slot->rot_size != 28) ||
	    slot->rot_at + slot->rot_count * slot->rot_size > slot->blob_len)
		return false;
	if (!name_valid(slot) || !ttls_valid(slot))
		return false;
	return !layout.prefixes_at ||
	       answer_prefixes__valid(slot, (const void *)(base + layout.prefixes_at));
}

struct answer *answer__from_slot(const struct nodens_slot *slot)
{
	const uint8_t *base = (const uint8_t *)slot;
	struct slot_layout layout;
	struct answer *answer;

	if (!answer__slot_valid(slot, NODENS_SIZE_LARGEST))
		return NULL;
	answer = answer__alloc(slot->n_ttl, slot->blob_len);
	if (!answer)
		return NULL;
	answer->qname.len = slot->name_len;
	memcpy(answer->qname.wire, slot->data, slot->name_len);
	answer->qtype = ntohs(slot->qtype);
	answer->key_flags = slot->key_flags;
	answer->flags = ntohs(slot->flags);
	answer->count[DNS_ANSWER_SECTION] = ntohs(slot->ancount);
	answer->count[DNS_AUTHORITY] = ntohs(slot->nscount);
	answer->count[DNS_ADDITIONAL] = ntohs(slot->arcount);
	answer->ttl_s = slot->ttl_s;
	answer->rot_at = slot->rot_at;
	answer->rot_count = slot->rot_count;
	answer->rot_size = slot->rot_size;
	answer->partial = slot->partial;
	answer->below_only = slot->below_only;
	memcpy(answer->ttl_at, base + slot->ttls_at, slot->n_ttl * sizeof(*answer->ttl_at));
	memcpy(answer->blob, base + slot->blob_at, slot->blob_len);
	layout_at(slot, &layout);
	if (layout.prefixes_at)
		answer_prefixes__read((const void *)(base + layout.prefixes_at), answer);
	else /* it fits everybody: no RRsets are to be told apart */
		for (unsigned int i = 0; i < answer->n_ttl; i++)
			answer->end_at[i] = record_end(answer->blob, answer->ttl_at[i]);
	return answer;
}
