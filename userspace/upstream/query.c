// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The message that an attempt sends. Contract: upstream_priv.h.
 */
#include "upstream_priv.h"

int attempt_query(const struct attempt *attempt, uint8_t *msg, uint16_t id)
{
	const struct exchange *ex = attempt->exchange;
	int len = dns_query__build(msg, QUERY_MAX, id, &ex->qname, ex->qtype, ex->key_flags,
				   upstream_edns_size(exchange_owner(ex), attempt->edns));

	if (len > 0 && ex->probe && !ex->group->forward->health_check_rd)
		msg[2] &= (uint8_t) ~(DNS_RD >> 8);
	if (len > 0)
		len = dns_query__add_options(msg, QUERY_MAX, len, ex->options, ex->options_len);
	return len;
}
