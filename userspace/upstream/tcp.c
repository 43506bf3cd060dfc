// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Queries to upstreams over TCP and over TLS. Contract: upstream_priv.h.
 *
 * Connections are kept and carry several queries at once (RFC 7766, 6.2.1): a
 * fresh one for each would leave a port in TIME_WAIT per query, and with
 * force_tcp a few hundred misses a second would use all of them up.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/stream.h"
#include "upstream_priv.h"

#define MAX_CONNS    16 /* to one upstream */
#define MAX_PER_CONN 64 /* queries at once, while another connection may be made */
/* A connection that has been silent this long, with a query open, gets no more of them. */
#define SILENT_NS (400 * NSEC_PER_MS)

struct tcp_conn {
	struct upstream *upstream;
	struct list link;
	struct stream *stream;
	struct list attempts;
	unsigned int n;
	uint16_t next_id;
	bool used;     /* it has brought an answer */
	bool retiring; /* takes no more queries */
	uint64_t opened_ns, idle_ns, heard_ns;
};

static void conn_close(struct tcp_conn *conn)
{
	list__del(&conn->link);
	conn->upstream->n_conns--;
	stream__free(conn->stream);
	free(conn);
}

static struct attempt *conn_find(struct tcp_conn *conn, uint16_t id)
{
	for (struct list *node = conn->attempts.next; node != &conn->attempts; node = node->next) {
		struct attempt *attempt = list_entry(node, struct attempt, in_conn);

		if (attempt->id == id)
			return attempt;
	}
	return NULL;
}

static void on_message(void *ctx, const uint8_t *msg, size_t len)
{
	struct tcp_conn *conn = ctx;
	struct attempt *attempt = NULL;

	if (len >= DNS_HEADER)
		attempt = conn_find(conn, msg[0] << 8 | msg[1]);
	if (!attempt) {
		upstream_dropped(conn->upstream->group);
		return;
	}
	if (!conn->used && conn->upstream->tls)
		conn->upstream->numbers->v.certificate_ends_s =
			upstream_tls_ends(stream__tls(conn->stream));
	conn->used = true;
	conn->heard_ns = upstreams_now(conn->upstream->group->owner);
	attempt_events(attempt)->received(attempt, msg, len);
	/* The connection may be gone now. */
}

static void conn_reason(struct tcp_conn *conn, int error)
{
	struct upstream *upstream = conn->upstream;
	SSL *ssl = stream__tls(conn->stream);
	char why[128];

	if (ssl && error == -EPROTO) {
		upstream_tls_reason(ssl, why, sizeof(why));
		upstream_reason_tls(upstream, why);
		return;
	}
	upstream_reason(upstream, "tcp",
			stream__established(conn->stream) ? stream__fd(conn->stream) : -1, error);
}

int upstream_tcp_fd(const struct attempt *attempt)
{
	return stream__fd(attempt->tcp->stream);
}

void upstream_tcp_reason(const struct attempt *attempt, int error)
{
	conn_reason(attempt->tcp, error);
}

static void on_closed(void *ctx, int error)
{
	struct tcp_conn *conn = ctx;
	struct upstream *upstream = conn->upstream;
	bool used = conn->used;
	struct list orphans;

	conn_reason(conn, error ? error : UPSTREAM_EOF);
	if (error == -EPROTO && upstream->session) {
		SSL_SESSION_free(upstream->session);
		upstream->session = NULL;
	}
	/* First all are taken out: what they do next may reach this upstream again. */
	list__init(&orphans);
	while (!list__empty(&conn->attempts)) {
		struct attempt *attempt = list_entry(conn->attempts.next, struct attempt, in_conn);

		list__del(&attempt->in_conn);
		list__append(&orphans, &attempt->in_conn);
		attempt->tcp = NULL;
	}
	conn_close(conn);
	while (!list__empty(&orphans)) {
		struct attempt *attempt = list_entry(orphans.next, struct attempt, in_conn);

		list__del(&attempt->in_conn);
		/* Servers close idle connections; the query may just have missed it. */
		if (used && !attempt->again)
			attempt_events(attempt)->again(attempt);
		else
			attempt_events(attempt)->failed(attempt, error ? error : UPSTREAM_EOF);
	}
}

static int conn_stream(struct tcp_conn *conn, int fd, const struct stream_ops *ops)
{
	struct upstream *upstream = conn->upstream;
	SSL *ssl = NULL;
	int ret;

	if (upstream->tls) {
		ssl = upstream_tls_connect(upstream->group->tls, fd, upstream->addr,
					   upstream->tls_name, &upstream->session);
		if (!ssl)
			return -ENOMEM;
	}
	ret = stream__open(upstream->group->owner->config.loop->events, fd, true, ops, conn,
			   &conn->stream);
	if (ret)
		SSL_free(ssl);
	else if (ssl)
		stream__set_tls(conn->stream, ssl);
	return ret;
}

static int conn_open(struct upstream *upstream, struct tcp_conn **out)
{
	static const struct stream_ops ops = { .message = on_message, .closed = on_closed };
	const struct sockaddr *addr = (const struct sockaddr *)upstream->addr;
	struct tcp_conn *conn = calloc(1, sizeof(*conn));
	int fd, ret, on = 1, id = upstreams_random16(upstream->group->owner);

	if (!conn)
		return -ENOMEM;
	if (id < 0) {
		ret = id;
		goto out_free;
	}
	conn->next_id = id;
	conn->opened_ns = upstreams_now(upstream->group->owner);
	fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		ret = -errno;
		goto out_free;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	ret = upstream_bind(upstream, fd);
	if (ret)
		goto out_close;
	if (connect(fd, addr, upstream->addr_len) && errno != EINPROGRESS) {
		ret = -errno;
		goto out_close;
	}
	conn->upstream = upstream;
	ret = conn_stream(conn, fd, &ops);
	if (ret)
		goto out_close;
	list__init(&conn->attempts);
	list__append(&upstream->conns, &conn->link);
	upstream->n_conns++;
	*out = conn;
	return 0;

out_close:
	close(fd);
out_free:
	free(conn);
	return ret;
}

/*
 * The path may have gone without a word, as when a cluster service's endpoint dies: then a new
 * connection finds another, while this one waits for its queries' end.
 */
static bool conn_silent(const struct tcp_conn *conn, uint64_t now)
{
	const struct upstream *upstream = conn->upstream;
	uint64_t usual_ns = upstream->rtt_ns + 4 * upstream->rtt_var_ns, since_ns;

	if (!conn->n)
		return false;
	since_ns = list_entry(conn->attempts.next, struct attempt, in_conn)->sent_ns;
	return conn->heard_ns < since_ns && now - since_ns >= SILENT_NS &&
	       now - since_ns > usual_ns;
}

/* max_age: behind the address there may be others by now, who are to have their share. */
static bool conn_old(const struct tcp_conn *conn, uint64_t now)
{
	uint64_t max_age_ns = conn->upstream->group->forward->max_age_ns;

	return max_age_ns && now > conn->opened_ns + max_age_ns;
}

static int conn_take(struct upstream *upstream, struct tcp_conn **out)
{
	enum upstream_proto proto = upstream->tls ? UPSTREAM_TLS : UPSTREAM_TCP;
	uint64_t now = upstreams_now(upstream->group->owner);
	struct tcp_conn *best = NULL;

	for (struct list *node = upstream->conns.next; node != &upstream->conns;
	     node = node->next) {
		struct tcp_conn *conn = list_entry(node, struct tcp_conn, link);

		if (!conn->retiring && !conn_old(conn, now) && !conn_silent(conn, now) &&
		    (!best || conn->n < best->n))
			best = conn;
	}
	if (best && (best->n < MAX_PER_CONN || upstream->n_conns >= MAX_CONNS)) {
		upstream->numbers->v.conn_cache_hits[proto]++;
		*out = best;
		return 0;
	}
	upstream->numbers->v.conn_cache_misses[proto]++;
	return conn_open(upstream, out);
}

/*
 * One after another from a random start: an ID comes again after 65,535 others only, long after
 * what was given up under it could still be answered. Fewer are under way at once.
 */
static uint16_t conn_id(struct tcp_conn *conn)
{
	while (conn_find(conn, conn->next_id))
		conn->next_id++;
	return conn->next_id++;
}

int upstream_tcp_send(struct attempt *attempt)
{
	uint8_t msg[QUERY_MAX];
	struct tcp_conn *conn = NULL;
	int ret, len;
	uint16_t id;

	ret = conn_take(attempt->upstream, &conn);
	if (ret)
		return ret;
	id = conn_id(conn);
	len = attempt_query(attempt, msg, id);
	if (len < 0)
		return len;
	ret = stream__send(conn->stream, msg, len);
	if (ret)
		return ret;
	attempt->tcp = conn;
	attempt->id = id;
	list__append(&conn->attempts, &attempt->in_conn);
	conn->n++;
	return 0;
}

/* max_idle_conns: is there a place for one more that is idle? */
static bool idle_full(const struct upstream *upstream)
{
	unsigned int most = upstream->group->forward->max_idle_conns, n = 0;

	for (const struct list *node = upstream->conns.next; node != &upstream->conns;
	     node = node->next)
		n += !list_entry(node, struct tcp_conn, link)->n;
	return most && n > most; /* this one is among them */
}

void upstream_tcp_release(struct attempt *attempt, bool clean)
{
	struct tcp_conn *conn = attempt->tcp;
	uint64_t now = upstreams_now(conn->upstream->group->owner);

	/* An answer from elsewhere does not make a silent connection a good one. */
	if (!clean || conn_silent(conn, now))
		conn->retiring = true;
	attempt->tcp = NULL;
	list__del(&attempt->in_conn);
	conn->n--;
	if (conn->n)
		return;
	if (conn->retiring || conn_old(conn, now) || idle_full(conn->upstream))
		conn_close(conn);
	else
		conn->idle_ns = now;
}

void upstream_tcp_close_idle(struct upstream *upstream, uint64_t since_ns, uint64_t now)
{
	struct list *node, *next;

	for (node = upstream->conns.next; node != &upstream->conns; node = next) {
		struct tcp_conn *conn = list_entry(node, struct tcp_conn, link);

		next = node->next;
		if (!conn->n && (conn->idle_ns <= since_ns || conn_old(conn, now)))
			conn_close(conn);
	}
}
