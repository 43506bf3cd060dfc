// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Where clients' queries come in. Contract: sockets.h.
 */
#include "agent/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define DNS_PORT       53
#define CROWDED_LOG_NS (10 * NSEC_PER_SEC)

struct bound {
	int fd, family, type;
	uint16_t port;
};

struct sockets {
	struct sockets_config config;
	struct bound bound[2 * PLAN_MAX_LISTEN + 4]; /* that wait for the server */
	unsigned int n_bound;
	struct server *server;
	bool steers;	     /* turned away, queries go on to the cluster's DNS */
	uint64_t crowded_ns; /* when it was last logged */
};

static void on_query(void *ctx, const struct client *client, const struct dns_query *query,
		     uint64_t now)
{
	const struct sockets *sockets = ctx;

	sockets->config.query(sockets->config.ctx, client, query, now);
}

static uint32_t on_device(void *ctx, const struct sockaddr *peer)
{
	const struct sockets *sockets = ctx;

	return sockets->config.device(sockets->config.ctx, peer);
}

static void on_refused(void *ctx, const struct client *client, uint16_t rcode, const uint8_t *reply,
		       size_t size)
{
	const struct sockets *sockets = ctx;

	sockets->config.refused(sockets->config.ctx, client, rcode, reply, size);
}

/* A connection is of no block yet: the first one that says something of its
 * address. */
static void on_connection(void *ctx, const struct sockaddr *local, struct corefile_timeouts *out)
{
	const struct sockets *sockets = ctx;
	const struct corefile *cf = sockets->config.corefile(sockets->config.ctx);

	for (size_t i = 0; i < cf->blocks_len; i++) {
		const struct corefile_timeouts *timeouts = &cf->blocks[i].timeouts;

		if (!timeouts->read_ns && !timeouts->write_ns && !timeouts->idle_ns &&
		    !timeouts->max_queries)
			continue;
		if (corefile__listens_on(&cf->blocks[i], local)) {
			*out = *timeouts;
			return;
		}
	}
}

static void on_full(void *ctx, bool full)
{
	const struct sockets *sockets = ctx;

	sockets->config.shed(sockets->config.ctx, NODENS_SHED_SYN, full);
}

/* Comes and goes within milliseconds: worth a word now and then. */
static void on_crowded(void *ctx, bool crowded)
{
	struct sockets *sockets = ctx;
	uint64_t now = loop__now(sockets->config.loop);

	sockets->config.shed(sockets->config.ctx, NODENS_SHED_QUEUE, crowded);
	if (!crowded || (sockets->crowded_ns && now - sockets->crowded_ns < CROWDED_LOG_NS))
		return;
	sockets->crowded_ns = now;
	log_warn("queries arrive faster than the agent reads them%s",
		 sockets->steers ? ": until it catches up, misses go to the cluster's DNS" : "");
}

static void keep(struct sockets *sockets, int fd, int family, int type, uint16_t port)
{
	sockets->bound[sockets->n_bound++] = (struct bound){ fd, family, type, port };
}

static const char *advice(const struct sockets *sockets, int error)
{
	if (error == -EADDRNOTAVAIL)
		return sockets->config.plan->mode == MODE_STEER && !sockets->config.has_link
			       ? "; no interface has this address: -setupinterface makes a "
				 "link that has it"
			       : "; no interface has this address";
	if (error != -EADDRINUSE)
		return "";
	return sockets->config.has_link
		       ? "; another DNS server runs there, or on all addresses: have it "
			 "bind its own, or use -mode steer -setupinterface=false"
		       : "; another DNS server runs there";
}

static int listen_at(struct sockets *sockets, const struct plan_listen *listen, int type)
{
	const union sockaddr_any *addr = &listen->addr;
	uint16_t port = sockaddr__port(addr);
	int fd = server__socket(addr, type);
	char text[64];

	if (listen->implied && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL))
		return 0;
	if (fd < 0) {
		log_error("cannot listen on %s over %s: %s%s",
			  sockaddr__text(addr, text, sizeof(text)),
			  type == SOCK_DGRAM ? "UDP" : "TCP", strerror(-fd), advice(sockets, fd));
		return fd;
	}
	keep(sockets, fd, addr->sa.sa_family, type, port);
	return 0;
}

/*
 * Every address of the node, or none of them where another server has the port: that one stays.
 * False: none.
 */
static bool listen_wide(struct sockets *sockets, const struct plan_listen *listen)
{
	const union sockaddr_any *addr = &listen->addr;
	int udp = server__socket(addr, SOCK_DGRAM), tcp;
	char text[64];

	tcp = udp < 0 ? udp : server__socket(addr, SOCK_STREAM);
	if (tcp < 0) {
		if (udp >= 0)
			close(udp);
		if (tcp != -EAFNOSUPPORT)
			log_warn("cannot listen on %s: %s; queries to the node's other addresses "
				 "are not answered, those to -localip are",
				 sockaddr__text(addr, text, sizeof(text)), strerror(-tcp));
		return false;
	}
	keep(sockets, udp, addr->sa.sa_family, SOCK_DGRAM, DNS_PORT);
	keep(sockets, tcp, addr->sa.sa_family, SOCK_STREAM, DNS_PORT);
	return true;
}

static int listen_everywhere(struct sockets *sockets)
{
	const struct plan *plan = sockets->config.plan;
	bool wide4 = false, wide6 = false;
	int ret = 0;

	for (int i = 0; !ret && i < plan->n_listen; i++) {
		const struct plan_listen *listen = &plan->listen[i];
		bool v6 = listen->addr.sa.sa_family == AF_INET6;
		bool dns = sockaddr__port(&listen->addr) == DNS_PORT;

		if (listen->wide) {
			*(v6 ? &wide6 : &wide4) = listen_wide(sockets, listen);
			continue;
		}
		if (dns && (v6 ? wide6 : wide4))
			continue;
		ret = listen_at(sockets, listen, SOCK_DGRAM);
		if (!ret)
			ret = listen_at(sockets, listen, SOCK_STREAM);
	}
	return ret;
}

static int listen_inside(struct sockets *sockets, struct steering *steering, int family, int type)
{
	int fd = steering_socket(steering, family, type, DNS_PORT);

	if (fd < 0)
		return fd;
	keep(sockets, fd, family, type, DNS_PORT);
	return 0;
}

static bool serves(const struct plan *plan, int family)
{
	for (int i = 0; i < plan->n_served; i++) {
		if (plan->served[i].family == family)
			return true;
	}
	return false;
}

static int listen_all_inside(struct sockets *sockets, const struct plan *plan,
			     struct steering *steering)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int ret = 0;

	for (int i = 0; !ret && i < 2; i++) {
		if (!serves(plan, families[i]))
			continue;
		ret = listen_inside(sockets, steering, families[i], SOCK_DGRAM);
		if (!ret)
			ret = listen_inside(sockets, steering, families[i], SOCK_STREAM);
	}
	return ret;
}

int sockets_bind(const struct sockets_config *config, struct sockets **out)
{
	struct sockets *sockets = calloc(1, sizeof(*sockets));
	int ret;

	if (!sockets) {
		log_error("out of memory");
		return -ENOMEM;
	}
	sockets->config = *config;
	ret = listen_everywhere(sockets);
	if (ret) {
		sockets_close(sockets);
		return ret;
	}
	sockets->config.plan = NULL;
	*out = sockets;
	return 0;
}

static int hand_over(struct sockets *sockets, const struct bound *bound)
{
	if (bound->type == SOCK_DGRAM)
		return server__add_udp(sockets->server, bound->fd, bound->family, bound->port);
	return server__add_tcp(sockets->server, bound->fd);
}

int sockets_serve(struct sockets *sockets, struct agent_stats *stats, const struct plan *plan,
		  struct steering *steering)
{
	struct server_config server = {
		.loop = sockets->config.loop,
		.stats = stats,
		.max_tcp = SERVER_MAX_TCP,
		.query = on_query,
		.timeouts = on_connection,
		.device = on_device,
		.full = on_full,
		.crowded = on_crowded,
		.refused = on_refused,
		.ctx = sockets,
	};
	int ret = steering ? listen_all_inside(sockets, plan, steering) : 0;

	if (ret)
		return ret;
	sockets->steers = steering;
	ret = server__open(&server, &sockets->server);
	while (!ret && sockets->n_bound) {
		ret = hand_over(sockets, &sockets->bound[sockets->n_bound - 1]);
		sockets->n_bound -= !ret;
	}
	if (ret)
		log_error("out of memory");
	return ret;
}

void sockets_reply(struct sockets *sockets, const struct client *client, const uint8_t *msg,
		   size_t len)
{
	server__reply(sockets->server, client, msg, len);
}

void sockets_close(struct sockets *sockets)
{
	if (!sockets)
		return;
	server__close(sockets->server);
	while (sockets->n_bound)
		close(sockets->bound[--sockets->n_bound].fd);
	free(sockets);
}
