/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where clients' queries come in: sockets of this node, or of the private
 * namespace.
 *
 * Contract: a socket that cannot be had is one line in the log, with what to do about it. From
 * sockets_bind() on queries are not refused: they wait for sockets_serve().
 */
#ifndef NODENS_SOCKETS_H
#define NODENS_SOCKETS_H

#include "agent/steering.h"
#include "config/corefile.h"
#include "config/plan.h"
#include "server/server.h"

struct sockets_config {
	struct loop *loop;
	const struct plan *plan; /* while they are bound */
	bool has_link;		 /* of -setupinterface */
	/* Of these, contracts are in server/server.h. */
	void (*query)(void *ctx, const struct client *client, const struct dns_query *query,
		      uint64_t now_ns);
	void (*refused)(void *ctx, const struct client *client, uint16_t rcode,
			const uint8_t *reply, size_t size);
	uint32_t (*device)(void *ctx, const struct sockaddr *peer);
	/* NODENS_SHED_*: not to be steered from now on, or steered again. */
	void (*shed)(void *ctx, uint32_t what, bool on);
	const struct corefile *(*corefile)(void *ctx); /* at work */
	void *ctx;
};

struct sockets;

/* On the node. -errno: it has been logged. */
int sockets_bind(const struct sockets_config *config, struct sockets **out);
/* @steering: in the private namespace, too; NULL: there is none. @plan: as bound. */
int sockets_serve(struct sockets *sockets, struct agent_stats *stats, const struct plan *plan,
		  struct steering *steering);
void sockets_reply(struct sockets *sockets, const struct client *client, const uint8_t *msg,
		   size_t len);
void sockets_close(struct sockets *sockets);

#endif /* NODENS_SOCKETS_H */
