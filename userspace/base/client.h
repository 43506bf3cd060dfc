/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef NODENS_CLIENT_H
#define NODENS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sockaddr.h"

/* Who asked, and where the reply goes; owner is the server's. */
struct client {
	void *owner;
	bool tcp;
	bool probe; /* nobody: the agent itself, as a client; its queries count as no client's */
	union sockaddr_any peer, local; /* local: the address and port that was asked */
	uint16_t query_size;		/* bytes, as received */
};

#endif /* NODENS_CLIENT_H */
