// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Queries and answers, for who is told of them. Contract: upstream.h, upstreams_config.exchanged.
 */
#include <sys/socket.h>

#include "upstream_priv.h"

void attempt_tell(struct attempt *attempt, const uint8_t *msg, size_t len)
{
	const struct upstream *upstream = attempt->upstream;
	const struct upstreams *ups = upstream->group->owner;
	uint8_t query[QUERY_MAX];
	union sockaddr_any from;
	socklen_t from_len = sizeof(from);
	struct upstream_exchanged exchanged = {
		.forward = upstream->group->forward,
		.exchange = attempt->exchange,
		.to = upstream->addr,
		.tcp = attempt->tcp,
		.tls = upstream->tls,
		.sent_ns = attempt->sent_ns,
		.reply_ns = upstreams_now(ups),
		.query = query,
		.reply = msg,
		.reply_len = len,
	};
	int n, fd;

	if (!ups->config.exchanged || attempt->exchange->probe || attempt->told)
		return;
	attempt->told = true;
	/* as it was sent: it is made of the same each time */
	n = attempt_query(attempt, query, attempt->id);
	if (n < 0)
		return;
	exchanged.query_len = n;
	fd = attempt->tcp ? upstream_tcp_fd(attempt) : upstream_udp_fd(attempt);
	if (!getsockname(fd, &from.sa, &from_len))
		exchanged.from = &from;
	ups->config.exchanged(ups->config.ctx, &exchanged);
}
