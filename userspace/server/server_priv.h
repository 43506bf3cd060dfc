/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What server.c, udp.c, tcp.c and receive.c share.
 *
 * Contract: client.owner is a struct udp_listener for UDP and a struct
 * tcp_client for TCP; a tcp_client lives until the last of its queries was
 * replied to.
 */
#ifndef NODENS_SERVER_PRIV_H
#define NODENS_SERVER_PRIV_H

#include "base/list.h"
#include "server/server.h"
#include "base/share.h"

struct server {
	struct server_config config;
	struct list udp_listeners, tcp_listeners, tcp_clients;
	unsigned int n_tcp;
	struct shares tcp_shares; /* of n_tcp */
	bool tcp_full;
	unsigned int n_crowded; /* of udp_listeners */
	struct loop_timer upkeep;
};

static inline uint64_t server_now(const struct server *server)
{
	return loop__now(server->config.loop);
}

static inline void server_count(struct server *server, enum agent_stat stat)
{
	server->config.stats->v[stat]++;
}

/*
 * receive.c: judge a message. Give it to the resolver, or fill @refusal. Returns the
 * length of the refusal, 0 for none, -1 when the query went to the resolver.
 */
int server_receive(struct server *server, const struct client *client, const uint8_t *msg,
		   size_t len, uint8_t *refusal, size_t size, uint64_t now);

void udp_reply(const struct client *client, const uint8_t *msg, size_t len);
void udp_upkeep(struct server *server);
void udp_close(struct server *server);

void tcp_reply(const struct client *client, const uint8_t *msg, size_t len);
void tcp_upkeep(struct server *server, uint64_t now);
void tcp_close(struct server *server);

#endif /* NODENS_SERVER_PRIV_H */
