// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * HTTP endpoints: which addresses and paths there are. Contract: http.h.
 */
#include "http_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sockaddr.h"

#define BACKLOG	       256
#define ACCEPTS_A_TURN 32
/* A handshake is up to a millisecond of the loop. */
#define TLS_ACCEPTS_A_TURN 1

static bool is_any6(const union sockaddr_any *addr)
{
	return addr->sa.sa_family == AF_INET6 && sockaddr__is_wildcard(addr);
}

void http__addr_text(const union sockaddr_any *addr, char text[HTTP_ADDR_TEXT])
{
	if (is_any6(addr))
		snprintf(text, HTTP_ADDR_TEXT, ":%u", sockaddr__port(addr));
	else
		sockaddr__text(addr, text, HTTP_ADDR_TEXT);
}

static int listen_at(const union sockaddr_any *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, v6only = !is_any6(addr), ret;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    (addr->sa.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only))) ||
	    bind(fd, &addr->sa, sockaddr__len(addr)) || listen(fd, BACKLOG)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/* Without IPv6 (not built in, or disabled by sysctl) a wildcard is IPv4's. */
static int listen_any(const union sockaddr_any *addr)
{
	union sockaddr_any any4 = { .v4 = { .sin_family = AF_INET,
					    .sin_port = addr->v6.sin6_port } };
	int fd = listen_at(addr);

	if (!is_any6(addr) || (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL))
		return fd;
	return listen_at(&any4);
}

/* A few a turn: whoever connects without end has the loop no more than others. */
static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct http_endpoint *endpoint = arg;
	int accepts = endpoint->secure ? TLS_ACCEPTS_A_TURN : ACCEPTS_A_TURN;

	(void)what;
	for (int i = 0; i < accepts; i++) {
		union sockaddr_any peer;
		socklen_t len = sizeof(peer);
		int conn =
			accept4(fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (conn < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		/* Out of descriptors it would be readable for ever: http__retry() adds it again. */
		if (conn < 0 && errno != EAGAIN)
			event_del(endpoint->listener);
		if (conn < 0)
			return;
		http_conn__accept(endpoint, conn, (const struct sockaddr *)&peer);
	}
}

static void tell(struct http_endpoint *endpoint, int error)
{
	const struct http_config *config = &endpoint->http->config;
	char text[HTTP_ADDR_TEXT];

	if (endpoint->error == error)
		return;
	endpoint->error = error;
	http__addr_text(&endpoint->addr, text);
	if (config->bound)
		config->bound(config->ctx, text, error);
}

static void endpoint_bind(struct http_endpoint *endpoint)
{
	int fd = listen_any(&endpoint->addr);

	if (fd < 0) {
		tell(endpoint, fd);
		return;
	}
	endpoint->listener = event_new(endpoint->http->config.loop->events, fd,
				       EV_READ | EV_PERSIST, on_accept, endpoint);
	if (!endpoint->listener || event_add(endpoint->listener, NULL)) {
		if (endpoint->listener)
			event_free(endpoint->listener);
		endpoint->listener = NULL;
		close(fd);
		tell(endpoint, -ENOMEM);
		return;
	}
	tell(endpoint, 0);
}

static void routes_free(struct http_route *route)
{
	while (route) {
		struct http_route *next = route->next;

		free(route);
		route = next;
	}
}

static void endpoint_close(struct http_endpoint *endpoint)
{
	http_conn__close_all(endpoint);
	if (endpoint->listener) {
		close(event_get_fd(endpoint->listener));
		event_free(endpoint->listener);
	}
	routes_free(endpoint->routes);
	routes_free(endpoint->wanted);
	list__del(&endpoint->node);
	free(endpoint);
}

int http__open(const struct http_config *config, struct http **out)
{
	struct http *http = calloc(1, sizeof(*http));
	int ret;

	if (!http)
		return -ENOMEM;
	ret = nl__open(&http->nl);
	if (ret) {
		free(http);
		return ret;
	}
	http->config = *config;
	list__init(&http->endpoints);
	*out = http;
	return 0;
}

void http__close(struct http *http)
{
	if (!http)
		return;
	while (!list__empty(&http->endpoints))
		endpoint_close(list_entry(http->endpoints.next, struct http_endpoint, node));
	nl__close(&http->nl);
	free(http);
}

void http__begin(struct http *http)
{
	for (struct list *at = http->endpoints.next; at != &http->endpoints; at = at->next) {
		struct http_endpoint *endpoint = list_entry(at, struct http_endpoint, node);

		routes_free(endpoint->wanted);
		endpoint->wanted = NULL;
		endpoint->want_secure = false;
	}
}

static struct http_endpoint *endpoint_at(struct http *http, const union sockaddr_any *addr)
{
	struct http_endpoint *endpoint;

	for (struct list *at = http->endpoints.next; at != &http->endpoints; at = at->next) {
		endpoint = list_entry(at, struct http_endpoint, node);
		if (sockaddr__same(&endpoint->addr, addr))
			return endpoint;
	}
	endpoint = calloc(1, sizeof(*endpoint));
	if (!endpoint)
		return NULL;
	endpoint->http = http;
	endpoint->addr = *addr;
	list__init(&endpoint->connections);
	shares__init(&endpoint->others);
	list__append(&http->endpoints, &endpoint->node);
	return endpoint;
}

int http__serve(struct http *http, const union sockaddr_any *addr, const char *path,
		http_handler handler, void *ctx)
{
	struct http_endpoint *endpoint;
	struct http_route *route;

	if (strlen(path) > HTTP_PATH_MAX ||
	    (addr->sa.sa_family != AF_INET && addr->sa.sa_family != AF_INET6))
		return -EINVAL;
	endpoint = endpoint_at(http, addr);
	if (!endpoint)
		return -ENOMEM;
	for (route = endpoint->wanted; route; route = route->next) {
		if (!strcmp(route->path, path))
			return 0;
	}
	route = malloc(sizeof(*route));
	if (!route)
		return -ENOMEM;
	route->handler = handler;
	route->ctx = ctx;
	strcpy(route->path, path);
	route->next = endpoint->wanted;
	endpoint->wanted = route;
	return 0;
}

void http__secure(struct http *http, const union sockaddr_any *addr)
{
	struct http_endpoint *endpoint = endpoint_at(http, addr);

	if (endpoint)
		endpoint->want_secure = true;
}

void http__commit(struct http *http)
{
	struct list *at, *next;

	/* What goes may be in the way of what comes: a wildcard in place of an address. */
	for (at = http->endpoints.next; at != &http->endpoints; at = next) {
		struct http_endpoint *endpoint = list_entry(at, struct http_endpoint, node);

		next = at->next;
		if (!endpoint->wanted) {
			endpoint_close(endpoint);
			continue;
		}
		routes_free(endpoint->routes);
		endpoint->routes = endpoint->wanted;
		endpoint->wanted = NULL;
		endpoint->secure = endpoint->want_secure;
	}
	http__retry(http);
}

unsigned int http__retry(struct http *http)
{
	unsigned int missing = 0;

	for (struct list *at = http->endpoints.next; at != &http->endpoints; at = at->next) {
		struct http_endpoint *endpoint = list_entry(at, struct http_endpoint, node);

		if (endpoint->listener)
			event_add(endpoint->listener, NULL);
		else
			endpoint_bind(endpoint);
		missing += !endpoint->listener;
	}
	return missing;
}
