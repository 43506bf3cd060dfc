// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Who is at the other end of the agent's socket, for both ends. Contract: viewers_priv.h.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "viewers_priv.h"

bool viewers_peer_may(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
	       (!peer.uid || peer.uid == geteuid());
}
