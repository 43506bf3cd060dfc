/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What of an answer fits: for a client, for a slot, and as a table in the slot for the programs.
 *
 * Contract: pure but for malloc. answer__part() is the rule; the table says what it says for every
 * room at once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "answer_priv.h"

#define ROUND_UP(value, to) (((value) + (to)-1) / (to) * (to))

#define OPT_SIZE     ((size_t)11) /* of ours, without options */
#define TTL_TO_RDATA 6		  /* a TTL field, RDLENGTH */

/* The longest question that this is an answer to: an NXDOMAIN-below answers whatever is below it.
 */
static size_t question_len(uint8_t name_len, uint8_t key_flags)
{
	return (key_flags & NODENS_KEY_NX_BELOW ? DNS_MAX_NAME : name_len) + 4;
}

static unsigned int required(const struct answer *answer)
{
	return answer->partial ? answer->n_required
			       : answer->count[DNS_ANSWER_SECTION] + answer->count[DNS_AUTHORITY];
}

static size_t len_of(const struct answer *answer, unsigned int n)
{
	return n ? answer->end_at[n - 1] : 0;
}

void answer__part(const struct answer *answer, size_t room, struct answer_part *part)
{
	unsigned int n = answer->n_ttl, left;

	while (n && answer->end_at[n - 1] > room)
		n--;
	*part = (struct answer_part){ .n_rr = n, .len = len_of(answer, n) };
	part->truncated = n < required(answer);
	left = n;
	for (int i = 0; i < DNS_SECTIONS; i++) {
		part->count[i] = left < answer->count[i] ? left : answer->count[i];
		left -= part->count[i];
	}
	if (answer->rot_count && part->len > answer->rot_at) {
		size_t rotating = (part->len - answer->rot_at) / answer->rot_size;

		part->rotating = rotating < answer->rot_count ? rotating : answer->rot_count;
	}
}

/* ---- for a slot ---- */

/* Of the whole answer, the records of @part, the set that rotates from its record @rotate on. */
static void copy_part(struct answer *head, const struct answer *answer,
		      const struct answer_part *part, uint32_t rotate)
{
	memcpy(head->ttl_at, answer->ttl_at, part->n_rr * sizeof(*head->ttl_at));
	memcpy(head->end_at, answer->end_at, part->n_rr * sizeof(*head->end_at));
	memcpy(head->blob, answer->blob, part->len);
	memcpy(head->count, part->count, sizeof(head->count));
	for (uint32_t i = 0; i < part->rotating; i++)
		memcpy(head->blob + answer->rot_at + i * answer->rot_size,
		       answer->blob + answer->rot_at +
			       (i + rotate) % answer->rot_count * answer->rot_size,
		       answer->rot_size);
	head->rot_count = part->rotating > 1 ? part->rotating : 0;
	head->rot_at = head->rot_count ? answer->rot_at : 0;
	head->rot_size = head->rot_count ? answer->rot_size : 0;
}

static struct answer *make_head(const struct answer *answer, const struct answer_part *part,
				uint16_t limit, uint32_t rotate)
{
	struct answer *head = answer__alloc(part->n_rr, part->len);

	if (!head)
		return NULL;
	head->qname = answer->qname;
	head->qtype = answer->qtype;
	head->key_flags = answer->key_flags;
	head->flags = answer->flags;
	head->ttl_s = answer->ttl_s;
	head->below_only = answer->below_only;
	copy_part(head, answer, part, rotate);
	head->partial = true;
	head->limit = limit;
	head->n_required = required(answer);
	head->more_len = part->n_rr < answer->n_ttl ? answer->end_at[part->n_rr] : NODENS_NO_MORE;
	return head;
}

static bool slot_fits(const struct answer *answer, const struct answer_part *part)
{
	struct slot_layout layout;

	slot_layout(answer->qname.len, answer->key_flags, part->len, part->n_rr, true, &layout);
	return part->n_rr <= NODENS_MAX_RR && layout.size <= NODENS_SIZE_LARGEST;
}

int answer__for_slot(const struct answer *answer, uint16_t limit, uint32_t rotate,
		     struct answer **out)
{
	size_t size = limit < NODENS_MAX_MSG ? limit : NODENS_MAX_MSG;
	size_t room = size - DNS_HEADER - question_len(answer->qname.len, answer->key_flags);
	struct answer_part part;

	*out = NULL;
	if (answer->blob_len + OPT_SIZE <= room && answer__slot_size(answer))
		return 0;
	/* without OPT there is room for more: the programs find out what fits with it */
	answer__part(answer, room, &part);
	while (!slot_fits(answer, &part))
		answer__part(answer, part.len - 1, &part);
	*out = make_head(answer, &part, limit, rotate);
	return *out ? 0 : -ENOMEM;
}

/* ---- the table ---- */

/* Octets; 0 where a slot needs none. */
static size_t prefixes_size(uint8_t name_len, uint8_t key_flags, size_t blob_len,
			    unsigned int n_ttl, bool partial)
{
	size_t size = DNS_HEADER + question_len(name_len, key_flags) + blob_len + OPT_SIZE;

	if (!partial && size <= DNS_MIN_UDP)
		return 0;
	return sizeof(struct nodens_prefixes) + (n_ttl + 1) * sizeof(struct nodens_prefix);
}

void slot_layout(uint8_t name_len, uint8_t key_flags, size_t blob_len, unsigned int n_ttl,
		 bool partial, struct slot_layout *layout)
{
	size_t prefixes = prefixes_size(name_len, key_flags, blob_len, n_ttl, partial);

	layout->blob_at = NODENS_SLOT_HEADER + ROUND_UP(name_len, 8);
	layout->ttls_at = ROUND_UP(layout->blob_at + blob_len, 2);
	layout->size = layout->ttls_at + n_ttl * sizeof(__u16);
	layout->prefixes_at = prefixes ? layout->size : 0;
	layout->size += prefixes;
}

size_t answer__slot_size(const struct answer *answer)
{
	struct slot_layout layout;

	slot_layout(answer->qname.len, answer->key_flags, answer->blob_len, answer->n_ttl,
		    answer->partial, &layout);
	if (answer->n_ttl > NODENS_MAX_RR || answer->blob_len > NODENS_MAX_BLOB ||
	    layout.size > NODENS_SIZE_LARGEST)
		return 0;
	/* the programs look for a table in the largest class alone */
	if (layout.prefixes_at && layout.size <= NODENS_SIZE_SMALL)
		return NODENS_SIZE_SMALL + 1;
	return layout.size;
}

static uint16_t rot_first(const struct answer *answer)
{
	unsigned int i = 0;

	while (answer->rot_count && len_of(answer, i) < answer->rot_at)
		i++;
	return i;
}

/* The prefix that ends at @len, from the one before; every prefix's sum is one from the start. */
static struct nodens_prefix longer(struct nodens_prefix prefix, const uint8_t *blob, uint16_t len,
				   uint16_t ttl_at)
{
	uint32_t sum = prefix.sum;

	for (unsigned int at = prefix.len; at < len; at++)
		sum += htons(at & 1 ? blob[at] : blob[at] << 8);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (struct nodens_prefix){ len, sum, prefix.n_odd + (ttl_at & 1) };
}

void answer_prefixes__write(const struct answer *answer, struct nodens_prefixes *to)
{
	to->limit = answer->partial ? answer->limit : UINT16_MAX;
	to->more_len = answer->partial ? answer->more_len : NODENS_NO_MORE;
	to->n_required = required(answer);
	to->rot_first = rot_first(answer);
	to->prefix[0] = (struct nodens_prefix){ .len = 0 };
	for (unsigned int i = 0; i < answer->n_ttl; i++)
		to->prefix[i + 1] =
			longer(to->prefix[i], answer->blob, answer->end_at[i], answer->ttl_at[i]);
}

void answer_prefixes__read(const struct nodens_prefixes *from, struct answer *answer)
{
	if (answer->partial) {
		answer->limit = from->limit;
		answer->more_len = from->more_len;
		answer->n_required = from->n_required;
	}
	for (unsigned int i = 0; i < answer->n_ttl; i++)
		answer->end_at[i] = from->prefix[i + 1].len;
}

static bool prefixes_in_order(const struct nodens_slot *slot, const struct nodens_prefix *prefix)
{
	const uint16_t *ttls = (const void *)((const uint8_t *)slot + slot->ttls_at);
	const uint8_t *blob = (const uint8_t *)slot + slot->blob_at;
	unsigned int n = slot->n_ttl;

	if (prefix[0].len || prefix[0].sum || prefix[0].n_odd || prefix[n].len != slot->blob_len)
		return false;
	for (unsigned int i = 1; i <= n; i++) {
		uint16_t len = prefix[i].len;
		struct nodens_prefix want;

		if (len < prefix[i - 1].len || len > slot->blob_len ||
		    len < ttls[i - 1] + TTL_TO_RDATA)
			return false;
		want = longer(prefix[i - 1], blob, len, ttls[i - 1]);
		if (memcmp(&prefix[i], &want, sizeof(want)))
			return false;
	}
	return true;
}

bool answer_prefixes__valid(const struct nodens_slot *slot, const struct nodens_prefixes *table)
{
	unsigned int required = ntohs(slot->ancount) + ntohs(slot->nscount);

	if ((unsigned int)table->rot_first + slot->rot_count > slot->n_ttl ||
	    (slot->rot_count && table->prefix[table->rot_first].len != slot->rot_at))
		return false;
	if (slot->partial ? table->more_len <= slot->blob_len || table->n_required < required
			  : table->more_len != NODENS_NO_MORE || table->n_required != required)
		return false;
	return prefixes_in_order(slot, table->prefix);
}
