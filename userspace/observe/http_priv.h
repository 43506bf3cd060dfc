/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What http.c (addresses and paths) and http_conn.c (connections) share.
 *
 * Contract: an endpoint owns its connections; closing it closes them.
 */
#ifndef NODENS_HTTP_PRIV_H
#define NODENS_HTTP_PRIV_H

#include <stdbool.h>

#include "observe/http.h"
#include "base/list.h"
#include "base/netlink.h"
#include "base/share.h"

struct http_route {
	struct http_route *next;
	char path[HTTP_PATH_MAX + 1];
	http_handler handler;
	void *ctx;
};

/* An address that is wanted, bound or not. */
struct http_endpoint {
	struct list node;
	struct http *http;
	union sockaddr_any addr;
	struct event *listener;		    /* of its socket; NULL: not bound */
	int error;			    /* of the last try, as it was told; 0: none */
	struct http_route *routes, *wanted; /* at work; declared since http__begin() */
	bool secure, want_secure;	    /* over TLS; declared since http__begin() */
	struct list connections;	    /* oldest first */
	unsigned int n_local, n_others;	    /* of them */
	struct shares others;
};

struct http {
	struct http_config config;
	struct nl nl; /* to ask whose address a client's is */
	struct list endpoints;
};

/* A new connection, which takes @fd over. */
void http_conn__accept(struct http_endpoint *endpoint, evutil_socket_t fd,
		       const struct sockaddr *peer);
void http_conn__close_all(struct http_endpoint *endpoint);

#endif /* NODENS_HTTP_PRIV_H */
