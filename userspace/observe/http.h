/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The HTTP endpoints (/health, /ready, /metrics): a set of addresses, each with paths.
 *
 * Contract: single-threaded, of an event loop; no logging. GET and HEAD, one request a connection;
 * every connection is closed after its reply, and at HTTP_LIFETIME_S at the latest, whatever its
 * client does. Of an address at most HTTP_MAX_CONNECTIONS are open to clients of this host (with
 * any of its addresses), which is where probes come from, and as many to others; of the others each
 * client (base/share.h) has HTTP_MAX_CLIENT. One more closes the oldest: the client's own, the
 * heaviest client's, or this host's. So whoever holds connections open, or only connects, shuts
 * nobody else out. (libevent's evhttp bounds neither.)
 *
 * The set is declared anew at start and at each reload: http__begin(), http__serve()...,
 * http__commit(). An address in both the old and the new set stays bound throughout.
 */
#ifndef NODENS_HTTP_H
#define NODENS_HTTP_H

#include <event2/buffer.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "base/sockaddr.h"

#define HTTP_MAX_REQUEST     8192 /* octets of request line and headers; more: 431 */
#define HTTP_MAX_CONNECTIONS 32	  /* of one address, to this host and to others each */
#define HTTP_MAX_CLIENT	     8	  /* of them, to one other */
#define HTTP_LIFETIME_S	     10	  /* of a connection, reply included */
#define HTTP_PATH_MAX	     64

struct http;
struct tls_server;

/* Filled in by a handler; preset: 200, "text/plain; charset=utf-8", no headers, an empty body. */
struct http_reply {
	unsigned int status;
	/* Strings that live for ever. @headers: more of them, each with its CRLF. */
	const char *type, *headers;
	struct evbuffer *body;
};
typedef void (*http_handler)(void *ctx, struct http_reply *reply);

struct http_config {
	struct loop *loop;
	/*
	 * An address could not be bound (error: -errno, told once until it changes), or is bound
	 * after it could not be (0). From http__commit() and http__retry() only. May be NULL.
	 */
	void (*bound)(void *ctx, const char *addr, int error);
	void *ctx;
	/* Of addresses that http__secure() names. May be NULL where it names none. */
	struct tls_server *tls;
};

/* Of the calling thread's network namespace. -ENOMEM, or why there is no netlink socket. */
int http__open(const struct http_config *config, struct http **out);
void http__close(struct http *http);

void http__begin(struct http *http);
/*
 * @path ("/health") at @addr; the IPv6 wildcard stands for both families, and for IPv4 alone where
 * there is no IPv6. The same path at the same address again is the same endpoint: the first handler
 * stays. -ENOMEM; -EINVAL: a path longer than HTTP_PATH_MAX, or no IP address.
 */
int http__serve(struct http *http, const union sockaddr_any *addr, const char *path,
		http_handler handler, void *ctx);
/* What is served at @addr, for which http__serve() comes first, is served over TLS. */
void http__secure(struct http *http, const union sockaddr_any *addr);
/* Closes what is no longer wanted and binds what is new. What cannot be bound is kept for later. */
void http__commit(struct http *http);
/* Tries again what could not be bound: call every second. Returns how many are still not bound. */
unsigned int http__retry(struct http *http);

/* "10.0.0.1:53", "[::1]:53"; ":53" for a wildcard. */
#define HTTP_ADDR_TEXT 64
void http__addr_text(const union sockaddr_any *addr, char text[HTTP_ADDR_TEXT]);

#endif /* NODENS_HTTP_H */
