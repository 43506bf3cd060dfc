/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Writing the records of an answer anew; an answer's form in a slot.
 *
 * Contract: internal to the answer; see answer.h.
 */
#ifndef NODENS_ANSWER_ENCODE_H
#define NODENS_ANSWER_ENCODE_H

#include "dns/scrub.h"

/* -ENOMEM, or -EMSGSIZE: written anew the message is longer than any DNS message. */
int answer__encode(const struct message *message, const struct scrubbed *scrubbed,
		   uint8_t key_flags, struct answer **out);

/* An answer with room for this much, the rest zero. */
struct answer *answer__alloc(uint16_t n_ttl, uint16_t blob_len);

/* Where things are in a slot. */
struct slot_layout {
	size_t blob_at, ttls_at;
	size_t prefixes_at; /* 0: there is no table */
	size_t size;
};

void slot_layout(uint8_t name_len, uint8_t key_flags, size_t blob_len, unsigned int n_ttl,
		 bool partial, struct slot_layout *layout);

/* struct nodens_prefixes: there and back. */
void answer_prefixes__write(const struct answer *answer, struct nodens_prefixes *to);
void answer_prefixes__read(const struct nodens_prefixes *from, struct answer *answer);
/* Of a table of unknown origin that lies whole in its slot: can it be read, and relied on? */
bool answer_prefixes__valid(const struct nodens_slot *slot, const struct nodens_prefixes *table);

#endif /* NODENS_ANSWER_ENCODE_H */
