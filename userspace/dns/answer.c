/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The life of an answer. Contract: answer.h; pure but for malloc.
 */
#include <stdlib.h>
#include <string.h>

#include "answer_priv.h"

#define OPT_SIZE 11

struct answer *answer__alloc(uint16_t n_ttl, uint16_t blob_len)
{
	struct answer *answer;
	size_t size = sizeof(*answer) + n_ttl * ANSWER_RR_BYTES + blob_len;

	/* not calloc(), which does without malloc()'s cache of small pieces (glibc) */
	answer = malloc(size);
	if (!answer)
		return NULL;
	memset(answer, 0, size);
	answer->n_ttl = n_ttl;
	answer->ttl_at = (uint16_t *)(answer + 1);
	answer->end_at = answer->ttl_at + n_ttl;
	answer->blob_len = blob_len;
	answer->blob = (uint8_t *)(answer->end_at + n_ttl);
	return answer;
}

struct answer *answer__empty(const struct dns_name *qname, uint16_t qtype, uint8_t key_flags,
			     uint16_t rcode)
{
	struct answer *answer = answer__alloc(0, 0);

	if (!answer)
		return NULL;
	answer->qname = *qname;
	dns_name__lower(&answer->qname);
	answer->qtype = qtype;
	answer->key_flags = key_flags;
	answer->flags = DNS_QR | DNS_RA | (rcode & DNS_RCODE);
	return answer;
}

void answer__free(struct answer *answer)
{
	free(answer);
}

size_t answer__size(const struct answer *answer, bool edns)
{
	return DNS_HEADER + answer->qname.len + 4 + answer->blob_len + (edns ? OPT_SIZE : 0);
}
