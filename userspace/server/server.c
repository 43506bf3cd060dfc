// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What the UDP and the TCP side have in common. Contract: server.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server_priv.h"

#define LISTEN_BACKLOG 256
#define UPKEEP_NS      (250 * NSEC_PER_MS)

void server__reply(void *ctx, const struct client *client, const uint8_t *msg, size_t len)
{
	(void)ctx;
	if (client->tcp)
		tcp_reply(client, msg, len);
	else if (len)
		udp_reply(client, msg, len);
}

static void on_upkeep(void *arg, uint64_t now)
{
	tcp_upkeep(arg, now);
	udp_upkeep(arg);
}

int server__open(const struct server_config *config, struct server **out)
{
	struct server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;
	server->config = *config;
	list__init(&server->udp_listeners);
	list__init(&server->tcp_listeners);
	list__init(&server->tcp_clients);
	shares__init(&server->tcp_shares);
	loop_timer__init(&server->upkeep, config->loop, on_upkeep, server);
	if (loop_timer__every(&server->upkeep, UPKEEP_NS)) {
		server__close(server);
		return -ENOMEM;
	}
	*out = server;
	return 0;
}

void server__close(struct server *server)
{
	if (!server)
		return;
	udp_close(server);
	tcp_close(server);
	loop_timer__stop(&server->upkeep);
	free(server);
}

static int set_options(int fd, int family, int type)
{
	int on = 1, ret = 0;

	if (type == SOCK_STREAM)
		ret = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!ret && family == AF_INET6)
		ret = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (ret || type == SOCK_STREAM)
		return ret;
	if (family == AF_INET6)
		return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
}

int server__socket(const union sockaddr_any *addr, int type)
{
	int fd = socket(addr->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	if (set_options(fd, addr->sa.sa_family, type) || bind(fd, &addr->sa, sockaddr__len(addr)) ||
	    (type == SOCK_STREAM && listen(fd, LISTEN_BACKLOG))) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}
