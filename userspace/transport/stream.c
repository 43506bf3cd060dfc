// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * DNS messages over TCP. Contract: stream.h.
 */
#include "transport/stream.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_HEADER 2
#define READ_SIZE    16384

struct bytes {
	uint8_t *data;
	size_t at, len, cap; /* data[at..len) is there */
};

struct stream {
	int fd;
	SSL *ssl; /* or NULL */
	struct event read, write;
	const struct stream_ops *ops;
	void *ctx;
	struct bytes in, out;
	uint64_t written;
	unsigned int busy; /* callbacks of this stream on the stack */
	bool freed;	   /* by one of them */
	bool connecting;
	bool paused;
	bool waiting; /* the write event is set */
	bool eof;     /* the peer sends no more */
	bool ended;   /* broken: closed has been called with an error */
};

static int bytes_append(struct bytes *bytes, const uint8_t *data, size_t len)
{
	if (bytes->at == bytes->len)
		bytes->at = bytes->len = 0;
	if (bytes->len + len > bytes->cap && bytes->at) {
		memmove(bytes->data, bytes->data + bytes->at, bytes->len - bytes->at);
		bytes->len -= bytes->at;
		bytes->at = 0;
	}
	if (bytes->len + len > bytes->cap) {
		size_t cap = bytes->cap ? bytes->cap : 512;
		uint8_t *grown;

		while (cap < bytes->len + len)
			cap *= 2;
		grown = realloc(bytes->data, cap);
		if (!grown)
			return -ENOMEM;
		bytes->data = grown;
		bytes->cap = cap;
	}
	memcpy(bytes->data + bytes->len, data, len);
	bytes->len += len;
	return 0;
}

/* An idle connection keeps no memory. */
static void bytes_release(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){ 0 };
}

/* ---- bytes, in the clear or not: as recv() and send() ---- */

static ssize_t tls_result(const struct stream *stream, int ret)
{
	switch (SSL_get_error(stream->ssl, ret)) {
	case SSL_ERROR_NONE:
		return ret;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_SYSCALL:
		if (!errno) /* the peer went without a word */
			errno = ECONNRESET;
		return -1;
	default:
		errno = EPROTO;
		return -1;
	}
}

static ssize_t stream_recv(struct stream *stream, uint8_t *data, size_t len)
{
	if (!stream->ssl)
		return recv(stream->fd, data, len, MSG_DONTWAIT);
	ERR_clear_error();
	errno = 0;
	return tls_result(stream, SSL_read(stream->ssl, data, (int)len));
}

static ssize_t stream_put(struct stream *stream, const uint8_t *data, size_t len)
{
	if (!stream->ssl)
		return send(stream->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	ERR_clear_error();
	errno = 0;
	return tls_result(stream, SSL_write(stream->ssl, data, (int)len));
}

/* TLS waits for the peer before what is queued can leave: then its bytes wake us. */
static bool waits_for_peer(const struct stream *stream)
{
	return stream->ssl && !SSL_want_write(stream->ssl);
}

static void tls_close(struct stream *stream)
{
	/* Also for the sake of the session, which would else be taken for a broken one. */
	if (!stream->ended && SSL_is_init_finished(stream->ssl))
		SSL_shutdown(stream->ssl);
	SSL_free(stream->ssl);
	ERR_clear_error();
}

static void stream_enter(struct stream *stream)
{
	stream->busy++;
}

static void stream_leave(struct stream *stream)
{
	if (--stream->busy || !stream->freed)
		return;
	bytes_release(&stream->in);
	bytes_release(&stream->out);
	free(stream);
}

static void stream_end(struct stream *stream, int error)
{
	if (stream->ended)
		return;
	event_del(&stream->read);
	if (error) {
		stream->ended = true;
		event_del(&stream->write);
	}
	stream->ops->closed(stream->ctx, error);
}

/* Hand out the whole messages at the front of @data; returns how many bytes they were. */
static size_t stream_deliver(struct stream *stream, const uint8_t *data, size_t len)
{
	size_t at = 0;

	while (!stream->freed && !stream->ended && !stream->paused && len - at >= FRAME_HEADER) {
		size_t msg_len = (size_t)data[at] << 8 | data[at + 1];

		if (len - at < FRAME_HEADER + msg_len)
			break;
		stream->ops->message(stream->ctx, data + at + FRAME_HEADER, msg_len);
		at += FRAME_HEADER + msg_len;
	}
	return at;
}

/* What was kept back: an incomplete message, or messages that came before a pause. */
static void stream_deliver_kept(struct stream *stream)
{
	size_t done = stream_deliver(stream, stream->in.data + stream->in.at,
				     stream->in.len - stream->in.at);

	stream->in.at += done;
	if (stream->in.at == stream->in.len)
		bytes_release(&stream->in);
}

static void stream_read(struct stream *stream)
{
	static uint8_t buffer[READ_SIZE];
	size_t done = 0;
	ssize_t n;

	n = stream_recv(stream, buffer, sizeof(buffer));
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			stream_end(stream, -errno);
		return;
	}
	if (!n) {
		stream->eof = true;
		stream_end(stream, 0);
		return;
	}
	if (!stream->in.len) {
		/* Callbacks do not read, so the shared buffer stays ours. */
		done = stream_deliver(stream, buffer, n);
		if (stream->freed || done == (size_t)n)
			return;
	}
	if (bytes_append(&stream->in, buffer + done, n - done)) {
		stream_end(stream, -ENOMEM);
		return;
	}
	if (!done)
		stream_deliver_kept(stream);
}

static void stream_wait_writable(struct stream *stream)
{
	if (!stream->waiting && !event_add(&stream->write, NULL))
		stream->waiting = true;
}

static void stream_write(struct stream *stream)
{
	struct bytes *out = &stream->out;

	while (out->at < out->len) {
		ssize_t n = stream_put(stream, out->data + out->at, out->len - out->at);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN && waits_for_peer(stream))
				return;
			if (errno == EAGAIN)
				stream_wait_writable(stream);
			else
				stream_end(stream, -errno);
			return;
		}
		out->at += n;
		stream->written += n;
	}
	bytes_release(out);
	if (stream->ops->drained)
		stream->ops->drained(stream->ctx);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;

	(void)fd;
	(void)what;
	/* TLS would begin to speak; how connecting ended is on_write's to find out. */
	if (stream->connecting && stream->ssl)
		return;
	stream_enter(stream);
	if (stream->in.len)
		stream_deliver_kept(stream);
	if (!stream->paused && !stream->freed && !stream->ended && !stream->eof)
		stream_read(stream);
	/* The handshake may have come to where data flows; the records of a read, to where one is
	 * due.
	 */
	if (stream->ssl && stream->out.len && !stream->waiting && !stream->ended)
		stream_write(stream);
	stream_leave(stream);
}

static int stream_connected(struct stream *stream)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len))
		error = errno;
	if (!error)
		stream->connecting = false;
	return -error;
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	struct stream *stream = arg;
	int ret = 0;

	(void)fd;
	(void)what;
	stream_enter(stream);
	stream->waiting = false;
	if (stream->connecting)
		ret = stream_connected(stream);
	if (ret)
		stream_end(stream, ret);
	else if (!stream->ended)
		stream_write(stream);
	stream_leave(stream);
}

int stream__open(struct event_base *base, int fd, bool connecting, const struct stream_ops *ops,
		 void *ctx, struct stream **out)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return -ENOMEM;
	stream->fd = fd;
	stream->ops = ops;
	stream->ctx = ctx;
	stream->connecting = connecting;
	if (event_assign(&stream->read, base, fd, EV_READ | EV_PERSIST, on_read, stream) ||
	    event_assign(&stream->write, base, fd, EV_WRITE, on_write, stream) ||
	    event_add(&stream->read, NULL)) {
		free(stream);
		return -ENOMEM;
	}
	if (connecting)
		stream_wait_writable(stream);
	*out = stream;
	return 0;
}

void stream__free(struct stream *stream)
{
	if (!stream || stream->freed)
		return;
	event_del(&stream->read);
	event_del(&stream->write);
	if (stream->ssl)
		tls_close(stream);
	stream->ssl = NULL;
	close(stream->fd);
	stream->freed = true;
	stream_enter(stream);
	stream_leave(stream);
}

int stream__send(struct stream *stream, const uint8_t *msg, size_t len)
{
	uint8_t header[FRAME_HEADER] = { len >> 8, len };
	size_t before = stream->out.len - stream->out.at;
	int ret;

	if (len > 65535)
		return -EMSGSIZE;
	if (stream->ended)
		return -EPIPE;
	ret = bytes_append(&stream->out, header, sizeof(header));
	if (ret)
		return ret;
	ret = bytes_append(&stream->out, msg, len);
	if (ret) {
		stream->out.len = stream->out.at + before;
		return ret;
	}
	/* Runs after what is active now: one write for all answers of this turn. */
	if (!stream->waiting && !stream->connecting) {
		stream->waiting = true;
		event_active(&stream->write, EV_WRITE, 0);
	}
	return 0;
}

void stream__set_tls(struct stream *stream, SSL *ssl)
{
	stream->ssl = ssl;
}

SSL *stream__tls(const struct stream *stream)
{
	return stream->ssl;
}

int stream__fd(const struct stream *stream)
{
	return stream->fd;
}

bool stream__established(const struct stream *stream)
{
	return !stream->connecting && (!stream->ssl || SSL_is_init_finished(stream->ssl));
}

size_t stream__queued(const struct stream *stream)
{
	return stream->out.len - stream->out.at;
}

uint64_t stream__written(const struct stream *stream)
{
	return stream->written;
}

size_t stream__partial(const struct stream *stream)
{
	/* what a pause keeps back may be whole */
	return stream->paused ? 0 : stream->in.len - stream->in.at;
}

void stream__pause(struct stream *stream, bool pause)
{
	if (stream->paused == pause || stream->ended)
		return;
	stream->paused = pause;
	if (pause) {
		event_del(&stream->read);
		return;
	}
	if (!stream->eof)
		event_add(&stream->read, NULL);
	/* What is here already makes no event: look at it at the end of this turn. */
	if (stream->in.len)
		event_active(&stream->read, EV_READ, 0);
}
