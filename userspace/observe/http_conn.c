// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * One connection to an HTTP endpoint: a request (RFC 9112), a reply, the end. Contract: http.h.
 *
 * Of a request only its first line matters; its headers are waited for, its body is read away. A
 * reply is followed by a shutdown and by reading on until the client closes as well: closing with
 * octets unread would send a reset, which can overtake the reply.
 */
#include "http_priv.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/route.h"
#include "observe/tls_server.h"

struct http_conn {
	struct list node;
	struct http_endpoint *endpoint;
	struct share *share; /* NULL: its client is on this host */
	struct bufferevent *bev;
	struct loop_timer deadline;
	bool replied, client_done;
};

static void conn_close(struct http_conn *conn)
{
	list__del(&conn->node);
	if (conn->share)
		share__give(conn->share);
	*(conn->share ? &conn->endpoint->n_others : &conn->endpoint->n_local) -= 1;
	loop_timer__stop(&conn->deadline);
	bufferevent_free(conn->bev);
	free(conn);
}

void http_conn__close_all(struct http_endpoint *endpoint)
{
	while (!list__empty(&endpoint->connections))
		conn_close(list_entry(endpoint->connections.next, struct http_conn, node));
}

static const char *reason(unsigned int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	default:
		return "Internal Server Error";
	}
}

static void send_reply(struct http_conn *conn, const struct http_reply *reply, bool head)
{
	struct evbuffer *out = bufferevent_get_output(conn->bev);

	evbuffer_add_printf(out,
			    "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
			    "%s%sConnection: close\r\n\r\n",
			    reply->status, reason(reply->status), reply->type,
			    evbuffer_get_length(reply->body),
			    reply->status == 405 ? "Allow: GET, HEAD\r\n" : "", reply->headers);
	if (!head)
		evbuffer_add_buffer(out, reply->body);
	conn->replied = true;
}

static const struct http_route *find_route(const struct http_endpoint *endpoint, const char *path)
{
	const struct http_route *route = endpoint->routes;

	while (route && strcmp(route->path, path) != 0)
		route = route->next;
	return route;
}

/* "GET /path?query HTTP/1.1", NUL-terminated and taken apart in place. */
static unsigned int parse_line(char *line, bool *head, const char **path)
{
	char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;

	if (!version || strncmp(version + 1, "HTTP/1.", 7) != 0 || target[1] != '/')
		return 400;
	*target++ = '\0';
	*version = '\0';
	target[strcspn(target, "?#")] = '\0';
	*head = !strcmp(line, "HEAD");
	*path = target;
	return *head || !strcmp(line, "GET") ? 200 : 405;
}

/* @line NULL: the request is not one, and @status says why. */
static void answer(struct http_conn *conn, char *line, unsigned int status)
{
	struct http_reply reply = { status, "text/plain; charset=utf-8", "", evbuffer_new() };
	const struct http_route *route = NULL;
	const char *path = NULL;
	bool head = false;

	if (!reply.body) {
		conn_close(conn);
		return;
	}
	if (line)
		reply.status = parse_line(line, &head, &path);
	if (reply.status == 200) {
		route = find_route(conn->endpoint, path);
		if (route)
			route->handler(route->ctx, &reply);
		else
			reply.status = 404;
	}
	if (!route)
		evbuffer_add_printf(reply.body, "%u %s\n", reply.status, reason(reply.status));
	send_reply(conn, &reply, head);
	evbuffer_free(reply.body);
}

/* The end of the headers: an empty line. */
static bool headers_end(struct evbuffer *in)
{
	return evbuffer_search(in, "\r\n\r\n", 4, NULL).pos >= 0 ||
	       evbuffer_search(in, "\n\n", 2, NULL).pos >= 0;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct http_conn *conn = arg;
	char *line = NULL;

	if (conn->replied) {
		evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	if (headers_end(in))
		line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF);
	else if (evbuffer_get_length(in) < HTTP_MAX_REQUEST)
		return;
	evbuffer_drain(in, evbuffer_get_length(in));
	answer(conn, line, 431);
	free(line);
}

/* The reply has left for the kernel. */
static void on_written(struct bufferevent *bev, void *arg)
{
	struct http_conn *conn = arg;

	if (!conn->replied)
		return;
	if (conn->client_done) {
		conn_close(conn);
		return;
	}
	if (bufferevent_openssl_get_ssl(bev))
		SSL_shutdown(bufferevent_openssl_get_ssl(bev));
	shutdown(bufferevent_getfd(bev), SHUT_WR);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct http_conn *conn = arg;

	if (what & BEV_EVENT_CONNECTED) /* the handshake is done */
		return;
	/* A client may close its side once it has asked; then the reply goes on. */
	if ((what & BEV_EVENT_EOF) && conn->replied &&
	    evbuffer_get_length(bufferevent_get_output(bev)))
		conn->client_done = true;
	else
		conn_close(conn);
}

static void on_deadline(void *conn, uint64_t now)
{
	(void)now;
	conn_close(conn);
}

/*
 * Whether a client's address is one of this host, whichever it asks. The kubelet's need not be the
 * one that it asks, nor the loopback's: to an address of the local link it comes from the node's.
 */
static bool is_local(struct nl *nl, const struct sockaddr *peer)
{
	struct served_addr addr = served_addr__of(peer);
	struct route route;

	return !route__look_up(nl, &addr, &route) && route.local;
}

/* The oldest of a client; NULL: of this host's. */
static void close_oldest(struct http_endpoint *endpoint, const struct share *share)
{
	struct list *at;

	for (at = endpoint->connections.next; at != &endpoint->connections; at = at->next) {
		struct http_conn *conn = list_entry(at, struct http_conn, node);

		if (conn->share == share) {
			conn_close(conn);
			return;
		}
	}
}

/* Room for one more, which its share counts already. */
static void make_room(struct http_endpoint *endpoint, bool local, const struct share *share)
{
	if (local && endpoint->n_local >= HTTP_MAX_CONNECTIONS)
		close_oldest(endpoint, NULL);
	else if (!local && share__client(share) > HTTP_MAX_CLIENT)
		close_oldest(endpoint, shares__heaviest_of(&endpoint->others, share));
	else if (!local && endpoint->n_others >= HTTP_MAX_CONNECTIONS)
		close_oldest(endpoint, shares__heaviest(&endpoint->others));
}

static struct bufferevent *open_fd(struct http_endpoint *endpoint, evutil_socket_t fd)
{
	struct event_base *base = endpoint->http->config.loop->events;
	struct bufferevent *bev;
	SSL *ssl;

	if (!endpoint->secure)
		return bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	ssl = tls_server__accept(endpoint->http->config.tls);
	if (!ssl)
		return NULL;
	bev = bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
					     BEV_OPT_CLOSE_ON_FREE);
	/* Each reply says its length: an end without close_notify cuts nothing. */
	if (bev)
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

void http_conn__accept(struct http_endpoint *endpoint, evutil_socket_t fd,
		       const struct sockaddr *peer)
{
	struct loop *loop = endpoint->http->config.loop;
	struct http_conn *conn = calloc(1, sizeof(*conn));
	bool local = is_local(&endpoint->http->nl, peer);

	if (conn && !local)
		conn->share = shares__take(&endpoint->others, peer, 0);
	if (!conn || (!local && !conn->share)) {
		evutil_closesocket(fd);
		free(conn);
		return;
	}
	conn->endpoint = endpoint;
	conn->bev = open_fd(endpoint, fd);
	if (!conn->bev) {
		evutil_closesocket(fd);
		if (conn->share)
			share__give(conn->share);
		free(conn);
		return;
	}
	make_room(endpoint, local, conn->share);
	list__append(&endpoint->connections, &conn->node);
	*(local ? &endpoint->n_local : &endpoint->n_others) += 1;
	loop_timer__init(&conn->deadline, loop, on_deadline, conn);
	/* No more is read than a request may have: the rest waits in the socket. */
	bufferevent_setwatermark(conn->bev, EV_READ, 0, HTTP_MAX_REQUEST);
	bufferevent_setcb(conn->bev, on_read, on_written, on_event, conn);
	if (loop_timer__set(&conn->deadline, HTTP_LIFETIME_S * NSEC_PER_SEC) ||
	    bufferevent_enable(conn->bev, EV_READ | EV_WRITE))
		conn_close(conn);
}
