// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Queries to upstreams over UDP. Contract: upstream_priv.h.
 *
 * Each query leaves from a port of its own that the kernel picks at random, and
 * the socket is connected, so that only the upstream's datagrams arrive; the
 * source of each is looked at all the same. A socket that is done is dissolved
 * from address and port (connect to AF_UNSPEC), emptied and serves again later:
 * that saves making and closing it, and its place in the event loop, but never a
 * port. (One with a source address of its own would keep that, and is closed.) Whoever fills it
 * faster than it is emptied has it closed: nothing of an old query reaches a new one.
 */
#include <errno.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "upstream_priv.h"

#define MAX_IDLE 1024
/* Datagrams read from one socket in one turn: a liar must not keep the loop. */
#define MAX_READ 16

struct udp_sock {
	struct upstreams *owner;
	struct attempt *attempt; /* NULL: idle */
	struct list idle;
	uint64_t idle_ns; /* since when */
	int fd;
	bool ipv6;
	struct event event;
};

static void sock_close(struct udp_sock *sock)
{
	if (!sock->attempt) {
		list__del(&sock->idle);
		sock->owner->udp_n_idle--;
	}
	event_del(&sock->event);
	close(sock->fd);
	free(sock);
}

/* A straggler, which another CPU had under way when the socket was dissolved, or an error. */
static void on_idle_readable(struct udp_sock *sock)
{
	sock_close(sock);
}

/* Connecting lets in only the peer's, but not from the moment on at which there is a port. */
static bool from_peer(const struct upstream *upstream, const union sockaddr_any *from)
{
	const union sockaddr_any *peer = &upstream->peer;

	return sockaddr__same_ip(from, peer) && sockaddr__port(from) == sockaddr__port(peer) &&
	       (peer->sa.sa_family != AF_INET6 || !peer->v6.sin6_scope_id ||
		from->v6.sin6_scope_id == peer->v6.sin6_scope_id);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t msg[DNS_MAX_MSG];
	struct udp_sock *sock = arg;
	struct attempt *attempt = sock->attempt;

	(void)what;
	if (!attempt) {
		on_idle_readable(sock);
		return;
	}
	for (int i = 0; i < MAX_READ; i++) {
		union sockaddr_any from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&from,
				     &from_len);

		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				attempt_events(attempt)->refused(attempt, -errno);
			return;
		}
		if (!from_peer(attempt->upstream, &from)) {
			upstream_dropped(attempt->upstream->group);
			continue;
		}
		if (attempt_events(attempt)->received(attempt, msg, n))
			return;
	}
}

static int sock_open(struct upstreams *ups, bool ipv6, struct udp_sock **out)
{
	struct udp_sock *sock = calloc(1, sizeof(*sock));
	int ret;

	if (!sock)
		return -ENOMEM;
	sock->owner = ups;
	sock->ipv6 = ipv6;
	sock->fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock->fd < 0) {
		ret = -errno;
		goto out_free;
	}
	ret = -ENOMEM;
	if (event_assign(&sock->event, ups->config.loop->events, sock->fd, EV_READ | EV_PERSIST,
			 on_readable, sock) ||
	    event_add(&sock->event, NULL))
		goto out_close;
	*out = sock;
	return 0;

out_close:
	close(sock->fd);
out_free:
	free(sock);
	return ret;
}

static int sock_take(struct upstream *upstream, struct udp_sock **out)
{
	struct upstream_stats *numbers = &upstream->numbers->v;
	struct upstreams *ups = upstream->group->owner;
	bool ipv6 = upstream->addr->sa.sa_family == AF_INET6;
	struct list *idle = &ups->udp_idle[ipv6];
	struct udp_sock *sock;

	if (list__empty(idle) || upstream->group->forward->source.sa.sa_family) {
		numbers->conn_cache_misses[UPSTREAM_UDP]++;
		return sock_open(ups, ipv6, out);
	}
	numbers->conn_cache_hits[UPSTREAM_UDP]++;
	sock = list_entry(idle->next, struct udp_sock, idle);
	list__del(&sock->idle);
	ups->udp_n_idle--;
	*out = sock;
	return 0;
}

int upstream_udp_send(struct attempt *attempt)
{
	struct upstream *upstream = attempt->upstream;
	struct upstreams *ups = upstream->group->owner;
	uint8_t msg[QUERY_MAX];
	struct udp_sock *sock = NULL;
	int ret, len, id;

	id = upstreams_random16(ups);
	if (id < 0)
		return id;
	len = attempt_query(attempt, msg, id);
	if (len < 0)
		return len;
	ret = sock_take(upstream, &sock);
	if (ret)
		return ret;
	sock->attempt = attempt;
	errno = 0;
	if (upstream_bind(upstream, sock->fd) ||
	    connect(sock->fd, (const struct sockaddr *)upstream->addr, upstream->addr_len) ||
	    send(sock->fd, msg, len, MSG_DONTWAIT) != len) {
		ret = errno ? -errno : -EIO;
		sock_close(sock);
		return ret;
	}
	attempt->udp = sock;
	attempt->id = id;
	return 0;
}

int upstream_udp_fd(const struct attempt *attempt)
{
	return attempt->udp->fd;
}

/*
 * Of what came after the answer: late copies, or the leftovers of a liar. To be asked of a socket
 * without a port, to which nothing more comes. False: it holds more than is worth reading.
 */
static bool sock_emptied(const struct udp_sock *sock)
{
	uint8_t byte;

	for (int i = 0; i < MAX_READ; i++) {
		if (recv(sock->fd, &byte, 1, MSG_DONTWAIT) < 0 && errno != EINTR)
			return errno == EAGAIN;
	}
	return false;
}

void upstream_udp_release(struct attempt *attempt, bool clean)
{
	static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	struct udp_sock *sock = attempt->udp;
	struct upstreams *ups = sock->owner;

	attempt->udp = NULL;
	if (!clean || ups->udp_n_idle >= MAX_IDLE ||
	    attempt->upstream->group->forward->source.sa.sa_family ||
	    connect(sock->fd, &nowhere, sizeof(nowhere)) || !sock_emptied(sock)) {
		sock_close(sock);
		return;
	}
	sock->attempt = NULL;
	sock->idle_ns = upstreams_now(ups);
	list__append(&ups->udp_idle[sock->ipv6], &sock->idle);
	ups->udp_n_idle++;
}

void upstream_udp_close_idle(struct upstreams *ups, uint64_t since_ns)
{
	for (int family = 0; family < 2; family++) {
		struct list *idle = &ups->udp_idle[family];

		while (!list__empty(idle)) {
			struct udp_sock *sock = list_entry(idle->next, struct udp_sock, idle);

			if (sock->idle_ns > since_ns)
				break;
			sock_close(sock);
		}
	}
}
