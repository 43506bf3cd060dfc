// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A message becomes a query, or is refused unread. Contract: server_priv.h.
 */
#include "server_priv.h"

int server_receive(struct server *server, const struct client *client, const uint8_t *msg,
		   size_t len, uint8_t *refusal, size_t size, uint64_t now)
{
	struct dns_query query;
	uint16_t rcode;
	int refusal_len;

	server_count(server, AGENT_STAT_QUERIES);
	if (client->tcp)
		server_count(server, AGENT_STAT_QUERIES_TCP);
	switch (dns_query__parse(msg, len, &query, &rcode)) {
	case DNS_ANSWER:
		server->config.query(server->config.ctx, client, &query, now);
		return -1;
	case DNS_REFUSE:
		server_count(server,
			     rcode == DNS_REFUSED ? AGENT_STAT_REFUSED : AGENT_STAT_FORMERR);
		refusal_len = reply__refuse(refusal, size, msg, len, rcode);
		if (refusal_len <= 0)
			return 0;
		if (server->config.refused)
			server->config.refused(server->config.ctx, client, rcode, refusal,
					       refusal_len);
		return refusal_len;
	default:
		server_count(server, AGENT_STAT_SILENT);
		return 0;
	}
}
