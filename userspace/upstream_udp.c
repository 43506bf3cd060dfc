// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Queries to upstreams over UDP. Contract: upstream_priv.h.
 *
 * Each query leaves from a port of its own that the kernel picks at random, and
 * the socket is connected, so that only the upstream's datagrams arrive. A
 * socket that is done is dissolved from address and port (connect to
 * AF_UNSPEC) and serves again later: that saves making and closing it, and
 * its place in the event loop, but never a port.
 */
#include <errno.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "upstream_priv.h"

#define MAX_IDLE 1024
/* Datagrams read from one socket in one turn: a liar must not keep the loop. */
#define MAX_READ 16

struct udp_sock {
	struct upstreams *owner;
	struct attempt *attempt; /* NULL: idle */
	struct list idle;
	struct timeval idle_since; /* the loop's time, read once a turn: see sock_take() */
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

static void on_idle_readable(struct udp_sock *sock)
{
	uint8_t byte;

	/* What came after the answer: late copies, or the leftovers of a liar. */
	for (int i = 0; i < MAX_READ; i++) {
		if (recv(sock->fd, &byte, 1, MSG_DONTWAIT) >= 0)
			continue;
		if (errno != EAGAIN && errno != EINTR)
			sock_close(sock);
		return;
	}
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
		ssize_t n = recv(fd, msg, sizeof(msg), MSG_DONTWAIT);

		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				attempt__failed(attempt, -errno);
			return;
		}
		if (attempt__received(attempt, msg, n))
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
	if (event_assign(&sock->event, ups->config.base, sock->fd, EV_READ | EV_PERSIST,
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

static bool same_turn(struct upstreams *ups, const struct udp_sock *sock)
{
	struct timeval turn;

	if (event_base_gettimeofday_cached(ups->config.base, &turn))
		return true;
	return turn.tv_sec == sock->idle_since.tv_sec && turn.tv_usec == sock->idle_since.tv_usec;
}

/*
 * The longest idle socket, unless it became idle in this very turn: then the
 * loop has not yet looked whether something is left in it to be thrown away.
 */
static int sock_take(struct upstream *upstream, struct udp_sock **out)
{
	struct metrics_upstream *numbers = &upstream->numbers->v;
	struct upstreams *ups = upstream->group->owner;
	bool ipv6 = upstream->addr->ss_family == AF_INET6;
	struct list *idle = &ups->udp_idle[ipv6];
	struct udp_sock *sock = list_entry(idle->next, struct udp_sock, idle);

	if (list__empty(idle) || same_turn(ups, sock)) {
		numbers->conn_cache_misses[METRICS_UDP]++;
		return sock_open(ups, ipv6, out);
	}
	numbers->conn_cache_hits[METRICS_UDP]++;
	list__del(&sock->idle);
	ups->udp_n_idle--;
	*out = sock;
	return 0;
}

int upstream_udp__send(struct attempt *attempt)
{
	struct upstream *upstream = attempt->upstream;
	struct upstreams *ups = upstream->group->owner;
	uint8_t msg[QUERY_MAX];
	struct udp_sock *sock = NULL;
	int ret, len, id;

	id = upstreams__random16(ups);
	if (id < 0)
		return id;
	len = attempt__query(attempt, msg, id);
	if (len < 0)
		return len;
	ret = sock_take(upstream, &sock);
	if (ret)
		return ret;
	sock->attempt = attempt;
	if (connect(sock->fd, (const struct sockaddr *)upstream->addr, upstream->addr_len) ||
	    send(sock->fd, msg, len, MSG_DONTWAIT) != len) {
		ret = errno ? -errno : -EIO;
		sock_close(sock);
		return ret;
	}
	attempt->udp = sock;
	attempt->id = id;
	return 0;
}

int upstream_udp__fd(const struct attempt *attempt)
{
	return attempt->udp->fd;
}

void upstream_udp__release(struct attempt *attempt, bool clean)
{
	static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	struct udp_sock *sock = attempt->udp;
	struct upstreams *ups = sock->owner;

	attempt->udp = NULL;
	if (!clean || ups->udp_n_idle >= MAX_IDLE || connect(sock->fd, &nowhere, sizeof(nowhere)) ||
	    event_base_gettimeofday_cached(ups->config.base, &sock->idle_since)) {
		sock_close(sock);
		return;
	}
	sock->attempt = NULL;
	list__append(&ups->udp_idle[sock->ipv6], &sock->idle);
	ups->udp_n_idle++;
}

void upstream_udp__close_idle(struct upstreams *ups, unsigned int idle_s)
{
	struct timeval now;

	if (event_base_gettimeofday_cached(ups->config.base, &now))
		return;
	for (int family = 0; family < 2; family++) {
		struct list *idle = &ups->udp_idle[family];

		while (!list__empty(idle)) {
			struct udp_sock *sock = list_entry(idle->next, struct udp_sock, idle);
			time_t since = sock->idle_since.tv_sec;

			/* A clock that was set back makes sockets young: close those, too. */
			if (now.tv_sec >= since && now.tv_sec - since < (time_t)idle_s)
				break;
			sock_close(sock);
		}
	}
}
