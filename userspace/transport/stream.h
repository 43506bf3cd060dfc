/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * DNS messages over one TCP connection (RFC 1035, 4.2.2; RFC 7766): two bytes
 * of length before each, in the clear or over TLS (RFC 7858). Used by the server's connections and
 * the upstreams'.
 *
 * Contract: single-threaded, of an event loop. Messages sent within one turn
 * of the loop leave in one write at its end. A stream may be freed from within
 * its own callbacks. With TLS, the process ignores SIGPIPE.
 */
#ifndef NODENS_STREAM_H
#define NODENS_STREAM_H

#include <event2/event.h>
#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

struct stream_ops {
	/* A whole message; valid during the call only. */
	void (*message)(void *ctx, const uint8_t *msg, size_t len);
	/*
	 * 0: the peer sends no more; what is queued and sent from here on still
	 * leaves. -errno: broken; -EPROTO: TLS failed, OpenSSL's error queue says why. Either way
	 * the stream is still to be freed.
	 */
	void (*closed)(void *ctx, int error);
	/* All that was queued has been written. May be NULL. */
	void (*drained)(void *ctx);
};

/* Takes over @fd, non-blocking; @connecting: connect() is still under way. */
int stream__open(struct event_base *base, int fd, bool connecting, const struct stream_ops *ops,
		 void *ctx, struct stream **out);
void stream__free(struct stream *stream);
/* From here on all is spoken over @ssl, which is set up for the stream's fd and now the stream's.
 */
void stream__set_tls(struct stream *stream, SSL *ssl);
SSL *stream__tls(const struct stream *stream); /* or NULL */
int stream__fd(const struct stream *stream);
/* TCP's handshake and, if there is one, TLS' are over. */
bool stream__established(const struct stream *stream);

/* -EMSGSIZE, -ENOMEM; write errors arrive through closed. */
int stream__send(struct stream *stream, const uint8_t *msg, size_t len);
size_t stream__queued(const struct stream *stream);
/* Bytes written since it was opened; bytes read that are no whole message yet. */
uint64_t stream__written(const struct stream *stream);
size_t stream__partial(const struct stream *stream);
/* Stop reading (the peer feels it), and go on. Messages already here wait, too. */
void stream__pause(struct stream *stream, bool pause);

#endif /* NODENS_STREAM_H */
