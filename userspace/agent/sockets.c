// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Where clients' queries come in: sockets of this node, or of the private
 * namespace.
 *
 * Contract: agent_priv.h. A socket that cannot be had is one line in the log,
 * with what to do about it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent_priv.h"
#include "base/clock.h"
#include "datapath/clients.h"

#define DNS_PORT       53
#define CROWDED_SAY_NS (10 * NSEC_PER_SEC)

static void on_query(void *ctx, const struct client *client, const struct dns_query *query,
		     uint64_t now)
{
	struct agent *agent = ctx;

	resolver__query(agent->gen->resolver, client, query, now);
}

/* A connection is of no block yet: the first one that says something of its address. */
static void on_connection(void *ctx, const struct sockaddr *local, struct corefile_timeouts *out)
{
	const struct corefile *cf = ((struct agent *)ctx)->gen->cf;

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

/* A steered client's, as the programs have noted it. */
uint32_t agent__device_of(void *ctx, const struct sockaddr *peer)
{
	const struct agent *agent = ctx;

	return agent->datapath ? clients__device_of(agent->datapath, peer) : 0;
}

static void on_full(void *ctx, bool full)
{
	control_shed(&((struct agent *)ctx)->control, NODENS_SHED_SYN, full);
}

/* Comes and goes within milliseconds: worth a word now and then. */
static void on_crowded(void *ctx, bool crowded)
{
	struct agent *agent = ctx;
	uint64_t now = loop__now(&agent->loop);

	control_shed(&agent->control, NODENS_SHED_QUEUE, crowded);
	if (!crowded || (agent->crowded_said_ns && now - agent->crowded_said_ns < CROWDED_SAY_NS))
		return;
	agent->crowded_said_ns = now;
	log_warn("queries arrive faster than the agent reads them%s",
		 agent->netns ? ": until it catches up, misses go to the cluster's DNS" : "");
}

static int add_socket(struct agent *agent, int fd, int family, int type, uint16_t port)
{
	int ret = type == SOCK_DGRAM ? server__add_udp(agent->server, fd, family, port)
				     : server__add_tcp(agent->server, fd);

	if (ret) {
		log_error("out of memory");
		close(fd);
	}
	return ret;
}

static const char *advice(const struct agent *agent, int error)
{
	if (error == -EADDRNOTAVAIL)
		return agent->gen->plan.mode == MODE_STEER && !agent->dummy
			       ? "; no interface has this address: -setupinterface makes a link "
				 "that has it"
			       : "; no interface has this address";
	if (error != -EADDRINUSE)
		return "";
	return agent->dummy ? "; another DNS server runs there, or on all addresses: have it bind "
			      "its own, or use -mode steer -setupinterface=false"
			    : "; another DNS server runs there";
}

static int listen_at(struct agent *agent, const struct plan_listen *listen, int type)
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
			  type == SOCK_DGRAM ? "UDP" : "TCP", strerror(-fd), advice(agent, fd));
		return fd;
	}
	return add_socket(agent, fd, addr->sa.sa_family, type, port);
}

/* Every address of the node, or none of them where another server has the port: that one stays. */
static int listen_wide(struct agent *agent, const struct plan_listen *listen, bool *done)
{
	const union sockaddr_any *addr = &listen->addr;
	int udp = server__socket(addr, SOCK_DGRAM), tcp, ret;
	char text[64];

	*done = false;
	tcp = udp < 0 ? udp : server__socket(addr, SOCK_STREAM);
	if (tcp < 0) {
		if (udp >= 0)
			close(udp);
		if (tcp != -EAFNOSUPPORT)
			log_warn("cannot listen on %s: %s; queries to the node's other addresses "
				 "are not "
				 "answered, those to -localip are",
				 sockaddr__text(addr, text, sizeof(text)), strerror(-tcp));
		return 0;
	}
	*done = true;
	ret = add_socket(agent, udp, addr->sa.sa_family, SOCK_DGRAM, DNS_PORT);
	if (ret) {
		close(tcp);
		return ret;
	}
	return add_socket(agent, tcp, addr->sa.sa_family, SOCK_STREAM, DNS_PORT);
}

static int listen_everywhere(struct agent *agent)
{
	const struct plan *plan = &agent->gen->plan;
	bool wide4 = false, wide6 = false;
	int ret = 0;

	for (int i = 0; !ret && i < plan->n_listen; i++) {
		const struct plan_listen *listen = &plan->listen[i];
		bool v6 = listen->addr.sa.sa_family == AF_INET6;
		bool dns = sockaddr__port(&listen->addr) == DNS_PORT;

		if (listen->wide)
			ret = listen_wide(agent, listen, v6 ? &wide6 : &wide4);
		else if (!dns || !(v6 ? wide6 : wide4))
			ret = listen_at(agent, listen, SOCK_DGRAM);
		else
			continue;
		if (!ret && !listen->wide)
			ret = listen_at(agent, listen, SOCK_STREAM);
	}
	return ret;
}

static int steer_at(struct agent *agent, int family, int type)
{
	int fd = netns__socket(agent->netns, family, type, DNS_PORT);

	if (fd < 0) {
		log_error("cannot listen in the private namespace: %s", strerror(-fd));
		return fd;
	}
	return add_socket(agent, fd, family, type, DNS_PORT);
}

static bool serves(const struct plan *plan, int family)
{
	for (int i = 0; i < plan->n_served; i++) {
		if (plan->served[i].family == family)
			return true;
	}
	return false;
}

static int open_sockets(struct agent *agent)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct plan *plan = &agent->gen->plan;
	int ret = 0;

	for (int i = 0; !ret && i < 2 && agent->netns; i++) {
		if (!serves(plan, families[i]))
			continue;
		ret = steer_at(agent, families[i], SOCK_DGRAM);
		if (!ret)
			ret = steer_at(agent, families[i], SOCK_STREAM);
	}
	return ret ? ret : listen_everywhere(agent);
}

int agent_sockets__open(struct agent *agent)
{
	struct server_config config = {
		.loop = &agent->loop,
		.stats = agent->map.stats,
		.max_tcp = SERVER_MAX_TCP,
		.query = on_query,
		.timeouts = on_connection,
		.device = agent__device_of,
		.full = on_full,
		.crowded = on_crowded,
		.refused = agent__on_refused,
		.ctx = agent,
	};
	struct error err = { .text = "" };
	int ret;

	if (agent->gen->plan.mode == MODE_STEER && !agent->bare) {
		ret = netns__open(agent->gen->plan.served, agent->gen->plan.n_served, &agent->netns,
				  &err);
		if (!ret)
			ret = attach__return(agent->datapath, netns__nd0(agent->netns), &err);
		if (ret) {
			log_error("%s", err.text);
			return ret;
		}
		if (netns__note(agent->netns)[0])
			log_info("nd0: %s", netns__note(agent->netns));
	}
	ret = server__open(&config, &agent->server);
	if (ret) {
		log_error("out of memory");
		return ret;
	}
	ret = agent_link__open(agent);
	if (!ret)
		ret = open_sockets(agent);
	return ret ? ret : agent_link__keep(agent);
}
