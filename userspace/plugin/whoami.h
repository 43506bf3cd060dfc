/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The whoami plugin: tells a client its own address and port.
 */
#ifndef NODENS_WHOAMI_H
#define NODENS_WHOAMI_H

#include <sys/socket.h>

#include "dns/answer.h"

/* The address as A or AAAA, the port as SRV _udp or _tcp, both additional, with a TTL of 0. */
int whoami__answer(const struct dns_query *query, const struct sockaddr *client, bool tcp,
		   struct answer **out);

#endif /* NODENS_WHOAMI_H */
