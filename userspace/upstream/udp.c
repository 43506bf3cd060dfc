// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Queries to upstreams over UDP. Contract: upstream_priv.h.
 *
 * A query leaves from a port that the kernel picked at random a moment before, and the socket is
 * connected, so that only the upstream's datagrams arrive; the source of each is looked at all the
 * same. The queries to one upstream that come up in one turn of the loop leave together, up to
 * SHARED from one port: a connect() and a port are what a query costs most. None joins later, when
 * somebody could have found the port by trying. A forged answer has to have the port, the ID and
 * the question of one query, as if each had a port of its own: what else is asked from there makes
 * none of them easier to hit, and no two queries of one exchange share a port (RFC 5452, 9.2).
 *
 * A socket that is done is dissolved from address and port (connect to AF_UNSPEC), emptied and
 * serves again later: that saves making and closing it, and its place in the event loop, but never
 * a port. (One with a source address of its own would keep that, and is closed.) Whoever fills it
 * faster than it is emptied has it closed: nothing of an old query reaches a new one.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "upstream_priv.h"

#define MAX_IDLE 1024
#define SHARED	 8 /* queries of one turn from one port */
/* Datagrams read from one socket in one turn: a liar must not keep the loop. */
#define MAX_READ 16

struct udp_query {
	struct attempt *attempt; /* NULL: over */
	bool sent;
	int error; /* to be told: it could not be sent, or was refused; 0: nothing */
};

struct udp_sock {
	struct upstreams *owner;
	struct upstream *upstream; /* NULL: idle */
	struct list link;	   /* of those that are idle, or have queries to be sent */
	uint64_t idle_ns;	   /* since when */
	int fd;
	bool ipv6;
	bool unclean; /* not to serve again */
	bool held;    /* it is being looked at: what ends with its last query ends later */
	unsigned int n, n_open;
	struct udp_query queries[SHARED];
	struct event event;
};

static void sock_close(struct udp_sock *sock)
{
	if (!sock->upstream)
		sock->owner->udp_n_idle--;
	list__del(&sock->link);
	event_del(&sock->event);
	close(sock->fd);
	free(sock);
}

/* ---- the end of a socket's queries ---- */

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

static void sock_done(struct udp_sock *sock)
{
	static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	struct upstream *upstream = sock->upstream;
	struct upstreams *ups = sock->owner;

	if (upstream->udp_open == sock)
		upstream->udp_open = NULL;
	if (sock->unclean || ups->udp_n_idle >= MAX_IDLE ||
	    upstream->group->forward->source.sa.sa_family ||
	    connect(sock->fd, &nowhere, sizeof(nowhere)) || !sock_emptied(sock)) {
		sock_close(sock);
		return;
	}
	sock->upstream = NULL;
	sock->n = 0;
	sock->idle_ns = upstreams_now(ups);
	list__del(&sock->link);
	list__append(&ups->udp_idle[sock->ipv6], &sock->link);
	ups->udp_n_idle++;
}

void upstream_udp_release(struct attempt *attempt, bool clean)
{
	struct udp_sock *sock = attempt->udp;
	unsigned int i = 0;

	while (sock->queries[i].attempt != attempt)
		i++;
	sock->queries[i].attempt = NULL;
	attempt->udp = NULL;
	sock->unclean |= !clean;
	if (!--sock->n_open && !sock->held)
		sock_done(sock);
}

/* ---- what the kernel says is wrong ---- */

/* Of all that were sent from there and are waited for. */
static void note_refusal(struct udp_sock *sock, int error)
{
	for (unsigned int i = 0; i < sock->n; i++) {
		if (sock->queries[i].sent)
			sock->queries[i].error = error;
	}
}

/* Tells what was noted, which may end any query, and lets go of the socket. */
static void sock_unhold(struct udp_sock *sock)
{
	for (unsigned int i = 0; i < sock->n; i++) {
		struct udp_query *query = &sock->queries[i];

		if (!query->error || !query->attempt)
			continue;
		if (query->sent)
			attempt_events(query->attempt)->refused(query->attempt, query->error);
		else
			attempt_events(query->attempt)->failed(query->attempt, query->error);
		query->error = 0;
	}
	sock->held = false;
	if (!sock->n_open)
		sock_done(sock);
}

/* ---- answers ---- */

/* Connecting lets in only the peer's, but not from the moment on at which there is a port. */
static bool from_peer(const struct upstream *upstream, const union sockaddr_any *from)
{
	const union sockaddr_any *peer = &upstream->peer;

	return sockaddr__same_ip(from, peer) && sockaddr__port(from) == sockaddr__port(peer) &&
	       (peer->sa.sa_family != AF_INET6 || !peer->v6.sin6_scope_id ||
		from->v6.sin6_scope_id == peer->v6.sin6_scope_id);
}

/* The open query with this ID; NULL: none. */
static struct attempt *find_query(const struct udp_sock *sock, uint16_t id)
{
	for (unsigned int i = 0; i < sock->n; i++) {
		struct attempt *attempt = sock->queries[i].attempt;

		if (attempt && attempt->id == id)
			return attempt;
	}
	return NULL;
}

static void received(struct udp_sock *sock, const union sockaddr_any *from, const uint8_t *msg,
		     size_t len)
{
	struct attempt *attempt = NULL;

	if (len >= DNS_HEADER && from_peer(sock->upstream, from))
		attempt = find_query(sock, msg[0] << 8 | msg[1]);
	if (attempt)
		attempt_events(attempt)->received(attempt, msg, len);
	else
		upstream_dropped(sock->upstream->group);
}

/*
 * As many at once as there are queries, so that nothing is read that came after the last answer.
 * How many were read, or -errno.
 */
static int read_batch(struct udp_sock *sock, unsigned int most)
{
	static uint8_t msg[SHARED][DNS_MAX_MSG];
	union sockaddr_any from[SHARED];
	struct iovec iov[SHARED];
	struct mmsghdr in[SHARED];
	unsigned int want = sock->n_open < most ? sock->n_open : most;
	int n;

	for (unsigned int i = 0; i < want; i++) {
		iov[i] = (struct iovec){ msg[i], sizeof(msg[i]) };
		in[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i],
			.msg_namelen = sizeof(from[i]),
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
		};
	}
	n = recvmmsg(sock->fd, in, want, MSG_DONTWAIT, NULL);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n && sock->n_open; i++)
		received(sock, &from[i], msg[i], in[i].msg_len);
	return n;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct udp_sock *sock = arg;
	unsigned int left = MAX_READ;
	int n = 1;

	(void)fd;
	(void)what;
	if (!sock->upstream) {
		/* A straggler, which another CPU had under way when the socket was dissolved, or an
		 * error. */
		sock_close(sock);
		return;
	}
	sock->held = true;
	while (sock->n_open && left && n > 0) {
		n = read_batch(sock, left);
		left -= n > 0 ? n : 0;
	}
	if (n < 0 && n != -EAGAIN && n != -EINTR)
		note_refusal(sock, n);
	sock_unhold(sock);
}

/* ---- queries ---- */

/* Room for messages that are sent together, and whose they are. */
struct udp_batch {
	uint8_t msg[SHARED][QUERY_MAX];
	struct iovec iov[SHARED];
	struct mmsghdr out[SHARED];
	struct udp_query *of[SHARED];
	unsigned int n;
};

static void batch_fill(struct udp_batch *batch, struct udp_sock *sock)
{
	batch->n = 0;
	for (unsigned int i = 0; i < sock->n; i++) {
		struct udp_query *query = &sock->queries[i];
		unsigned int at = batch->n;
		int len;

		if (!query->attempt || query->sent)
			continue;
		len = attempt_query(query->attempt, batch->msg[at], query->attempt->id);
		if (len < 0) {
			query->error = len;
			continue;
		}
		batch->iov[at] = (struct iovec){ batch->msg[at], len };
		batch->out[at].msg_hdr =
			(struct msghdr){ .msg_iov = &batch->iov[at], .msg_iovlen = 1 };
		batch->of[at] = query;
		batch->n++;
	}
}

/*
 * An error may be what came back for those that were sent before (ICMP), which is then told and
 * gone: what comes at once a second time is about this one.
 */
static void batch_send(struct udp_batch *batch, struct udp_sock *sock)
{
	unsigned int at = 0;
	int error = 0;

	while (at < batch->n) {
		int n = sendmmsg(sock->fd, batch->out + at, batch->n - at, MSG_DONTWAIT);

		if (n < 0 && error) {
			batch->of[at++]->error = -errno;
			error = 0;
		} else if (n < 0) {
			error = -errno;
		} else {
			if (error)
				note_refusal(sock, error);
			for (; n > 0; n--)
				batch->of[at++]->sent = true;
			error = 0;
		}
	}
}

static void sock_send(struct udp_sock *sock)
{
	static struct udp_batch batch;

	list__del(&sock->link);
	sock->upstream->udp_open = NULL;
	sock->held = true;
	batch_fill(&batch, sock);
	batch_send(&batch, sock);
	sock_unhold(sock);
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct upstreams *ups = arg;

	(void)fd;
	(void)what;
	while (!list__empty(&ups->udp_sending))
		sock_send(list_entry(ups->udp_sending.next, struct udp_sock, link));
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

	if (list__empty(idle) || upstream->group->forward->source.sa.sa_family) {
		numbers->conn_cache_misses[UPSTREAM_UDP]++;
		return sock_open(ups, ipv6, out);
	}
	numbers->conn_cache_hits[UPSTREAM_UDP]++;
	*out = list_entry(idle->next, struct udp_sock, link);
	list__del(&(*out)->link);
	ups->udp_n_idle--;
	return 0;
}

/* A socket with a port of its own, for the queries to @upstream of this turn. */
static int sock_connect(struct upstream *upstream, struct udp_sock **out)
{
	struct upstreams *ups = upstream->group->owner;
	struct udp_sock *sock = NULL;
	int ret = sock_take(upstream, &sock);

	if (ret)
		return ret;
	sock->upstream = upstream;
	errno = 0;
	if (upstream_bind(upstream, sock->fd) ||
	    connect(sock->fd, (const struct sockaddr *)upstream->addr, upstream->addr_len)) {
		ret = errno ? -errno : -EIO;
		sock_close(sock);
		return ret;
	}
	if (list__empty(&ups->udp_sending)) /* after all that is ready now */
		event_active(&ups->udp_flush, EV_TIMEOUT, 0);
	list__append(&ups->udp_sending, &sock->link);
	upstream->udp_open = sock;
	*out = sock;
	return 0;
}

static bool may_join(const struct udp_sock *sock, const struct exchange *ex)
{
	if (!sock || sock->n == SHARED)
		return false;
	for (unsigned int i = 0; i < sock->n; i++) {
		if (sock->queries[i].attempt && sock->queries[i].attempt->exchange == ex)
			return false;
	}
	return true;
}

int upstream_udp_send(struct attempt *attempt)
{
	struct upstream *upstream = attempt->upstream;
	struct udp_sock *sock = upstream->udp_open;
	int ret, id;

	if (may_join(sock, attempt->exchange)) {
		upstream->numbers->v.conn_cache_hits[UPSTREAM_UDP]++;
	} else {
		ret = sock_connect(upstream, &sock);
		if (ret)
			return ret;
	}
	do {
		id = upstreams_random16(upstream->group->owner);
	} while (id >= 0 && find_query(sock, id));
	if (id < 0) {
		if (!sock->n_open)
			sock_done(sock);
		return id;
	}
	sock->queries[sock->n++] = (struct udp_query){ .attempt = attempt };
	sock->n_open++;
	attempt->udp = sock;
	attempt->id = id;
	return 0;
}

int upstream_udp_fd(const struct attempt *attempt)
{
	return attempt->udp->fd;
}

/* ---- open and close ---- */

void upstream_udp_close_idle(struct upstreams *ups, uint64_t since_ns)
{
	for (int family = 0; family < 2; family++) {
		struct list *idle = &ups->udp_idle[family];

		while (!list__empty(idle)) {
			struct udp_sock *sock = list_entry(idle->next, struct udp_sock, link);

			if (sock->idle_ns > since_ns)
				break;
			sock_close(sock);
		}
	}
}

int upstream_udp_open(struct upstreams *ups)
{
	list__init(&ups->udp_idle[0]);
	list__init(&ups->udp_idle[1]);
	list__init(&ups->udp_sending);
	return event_assign(&ups->udp_flush, ups->config.loop->events, -1, 0, on_flush, ups)
		       ? -ENOMEM
		       : 0;
}

void upstream_udp_close(struct upstreams *ups)
{
	upstream_udp_close_idle(ups, UINT64_MAX);
	if (event_initialized(&ups->udp_flush))
		event_del(&ups->udp_flush);
}
