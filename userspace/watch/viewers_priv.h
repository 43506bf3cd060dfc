/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the agent and a viewer say to each other over the socket of viewers.h: SOCK_SEQPACKET, so
 * that a message is whole or not there.
 *
 * The viewer sends a request, and later others, of which the filter counts from then on. The agent
 * answers the first one, with the descriptor of a struct nodens_seen that it counts in for as long
 * as the viewer is there, and from then on sends events: struct nodens_event and what it captured.
 */
#ifndef NODENS_VIEWERS_PRIV_H
#define NODENS_VIEWERS_PRIV_H

#include <stdbool.h>

#include "nodens_sessions.h"

#define VIEWERS_VERSION 1 /* of all that is said here, struct nodens_event among it */

struct viewers_request {
	__u32 version;
	__u32 unused; /* 0 */
	struct nodens_filter filter;
};

struct viewers_answer {
	__u32 version;
	__s32 error; /* 0, or -errno: then there is no descriptor, and no more is said */
};

/* Who is at the other end of a connected socket: root, or whoever runs this process. */
bool viewers_peer_may(int fd);

#endif /* NODENS_VIEWERS_PRIV_H */
