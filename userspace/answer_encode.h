/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Writing the records of an answer anew.
 *
 * Contract: internal to the answer; see answer.h.
 */
#ifndef NODENS_ANSWER_ENCODE_H
#define NODENS_ANSWER_ENCODE_H

#include "admission.h"

/* -ENOMEM, or -EMSGSIZE: written anew the message is longer than any DNS message. */
int answer__encode(const struct message *message, const struct judgement *judgement,
		   uint8_t key_flags, struct answer **out);

/* An answer with room for this much, the rest zero. */
struct answer *answer__alloc(uint16_t n_ttl, uint16_t blob_len);

#endif /* NODENS_ANSWER_ENCODE_H */
