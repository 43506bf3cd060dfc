/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Clients' queries in, replies out: UDP and TCP.
 *
 * Contract: single-threaded, of an event loop; no logging. Malformed queries
 * are answered here as CoreDNS does; all others go to @query. A UDP reply
 * leaves from the address that was asked.
 */
#ifndef NODENS_SERVER_H
#define NODENS_SERVER_H

#include "base/sockaddr.h"
#include "base/client.h"
#include "base/counters.h"
#include "base/loop.h"
#include "config/corefile.h"
#include "dns/answer.h"
#include "dns/msg.h"

/* What a TCP connection may take, as with CoreDNS; 0 means these. */
#define SERVER_READ_NS	     3000000000ull  /* a message from its first byte, or from accept() on */
#define SERVER_WRITE_NS	     5000000000ull  /* without a byte of a reply being taken */
#define SERVER_IDLE_NS	     10000000000ull /* between the last reply and the next message */
#define SERVER_MAX_TCP	     1024	    /* connections */
#define SERVER_TCP_CLIENTS   2		    /* a client's share of them: one in so many */
#define SERVER_TCP_FAIR	     16		    /* with all in use, who has no more loses none in use */
#define SERVER_MAX_PIPELINED 128	    /* queries of one connection under way */
#define SERVER_MAX_QUEUED    (1024 * 1024)  /* bytes of replies one connection may leave unread */

struct server;

struct server_config {
	struct loop *loop;
	struct agent_stats *stats;
	unsigned int max_tcp;
	/* Of a new connection to @local; may leave *out as it is. May be NULL. */
	void (*timeouts)(void *ctx, const struct sockaddr *local, struct corefile_timeouts *out);
	/* The ifindex of the device that a client is behind, 0 where it is not known. May be NULL.
	 */
	uint32_t (*device)(void *ctx, const struct sockaddr *peer);
	/* A TCP connection had to be turned away; or (false) the next one may be tried. May be
	 * NULL. */
	void (*full)(void *ctx, bool full);
	/* Queries over UDP come faster than they are read, or no longer. May be NULL. */
	void (*crowded)(void *ctx, bool crowded);
	/* A query was refused unread, with this reply. May be NULL. */
	void (*refused)(void *ctx, const struct client *client, uint16_t rcode,
			const uint8_t *reply, size_t size);
	void (*query)(void *ctx, const struct client *client, const struct dns_query *query,
		      uint64_t now_ns);
	void *ctx;
};

int server__open(const struct server_config *config, struct server **out);
/* The resolver, which may still reply, goes first. */
void server__close(struct server *server);

/*
 * Takes over (and gives a large receive buffer to) a bound datagram socket with PKTINFO on, or a
 * listening one; on failure the socket stays the caller's. @port: what it is bound to.
 */
int server__add_udp(struct server *server, int fd, int family, uint16_t port);
int server__add_tcp(struct server *server, int fd);

/* The resolver's reply function; @server is its ctx. */
void server__reply(void *server, const struct client *client, const uint8_t *msg, size_t len);

/* A bound socket as server__add_* wants it. @addr's port is the one to bind. */
int server__socket(const union sockaddr_any *addr, int type);

#endif /* NODENS_SERVER_H */
