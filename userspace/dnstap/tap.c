// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Messages of dnstap to a reader. Contract: tap.h.
 *
 * All that is to be written stands in one buffer, in frames, of which the first may be written in
 * part. Messages that come before the reader has accepted wait in another one.
 */
#include "dnstap/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <fstrm.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define RETRY_NS       NSEC_PER_SEC
#define HANDSHAKE_NS   (4 * NSEC_PER_SEC) /* as CoreDNS has it */
#define TCP_SILENCE_MS 10000		  /* until a reader that acknowledges nothing is gone */
#define CONTENT_TYPE   "protobuf:dnstap.Dnstap"
#define CONTROL_HEADER 8 /* of a control frame: four zero octets, its length */
#define WRITE_VECS     64
#define READ_MAX       (CONTROL_HEADER + FSTRM_CONTROL_FRAME_LENGTH_MAX)
#define FRAME_HEADER   4 /* a message's length */

enum state {
	CLOSED,	    /* until the next attempt */
	CONNECTING, /* TCP */
	READY,	    /* it has been asked whether it reads dnstap */
	STARTED,
	STOPPING, /* it has been told, and says when it has all */
};

struct tap {
	struct tap_config config;
	enum state state;
	bool over; /* tap__stop() */
	int said;  /* config.changed()'s last; 1: nothing yet */
	int fd;	   /* -1: none */
	struct event readable, writable;
	struct loop_timer timer; /* the next attempt, or the end of patience with a handshake */
	struct evbuffer *out, *waiting;
	size_t front_left;   /* of out's first frame, once a part of it has been written; else 0 */
	bool front_counts;   /* that one is a message */
	unsigned int queued; /* messages in both */
	uint8_t in[READ_MAX];
	size_t in_len;
};

static void lose(struct tap *tap, uint64_t n)
{
	*tap->config.lost += n;
}

static void say(struct tap *tap, int error)
{
	if (error == tap->said)
		return;
	tap->said = error;
	if (tap->config.changed)
		tap->config.changed(tap->config.ctx, error);
}

/* ---- the end of a connection ---- */

static void disconnect(struct tap *tap)
{
	if (tap->fd >= 0) {
		event_del(&tap->readable);
		event_del(&tap->writable);
		close(tap->fd);
	}
	tap->fd = -1;
	loop_timer__stop(&tap->timer);
	lose(tap, tap->queued);
	evbuffer_drain(tap->out, SIZE_MAX);
	evbuffer_drain(tap->waiting, SIZE_MAX);
	tap->queued = tap->front_left = tap->in_len = 0;
	tap->state = CLOSED;
}

static void broken(struct tap *tap, int error)
{
	disconnect(tap);
	if (tap->over)
		return;
	loop_timer__set(&tap->timer, RETRY_NS);
	say(tap, error);
}

/* ---- writing ---- */

static void look_at_front(struct tap *tap)
{
	uint32_t head[2] = { 0 };

	evbuffer_copyout(tap->out, head, sizeof(head));
	tap->front_counts = head[0];
	tap->front_left = tap->front_counts ? FRAME_HEADER + (size_t)ntohl(head[0])
					    : CONTROL_HEADER + (size_t)ntohl(head[1]);
}

/* @n octets have left. */
static void written(struct tap *tap, size_t n)
{
	while (n) {
		size_t take;

		if (!tap->front_left)
			look_at_front(tap);
		take = n < tap->front_left ? n : tap->front_left;
		evbuffer_drain(tap->out, take);
		tap->front_left -= take;
		tap->queued -= !tap->front_left && tap->front_counts;
		n -= take;
	}
}

/* As much as the reader takes now; -EAGAIN: not all of it. */
static int write_out(struct tap *tap)
{
	struct evbuffer_iovec vecs[WRITE_VECS];

	while (evbuffer_get_length(tap->out)) {
		int n = evbuffer_peek(tap->out, -1, NULL, vecs, WRITE_VECS);
		struct msghdr msg = { .msg_iov = vecs,
				      .msg_iovlen = n < WRITE_VECS ? n : WRITE_VECS };
		ssize_t done = sendmsg(tap->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (done < 0 && errno != EINTR)
			return -errno;
		written(tap, done > 0 ? done : 0);
	}
	return 0;
}

static void want_to_write(struct tap *tap)
{
	event_add(&tap->writable, NULL);
}

/* Into out; false: no memory. */
static bool add_control(struct tap *tap, fstrm_control_type type, bool with_content)
{
	uint8_t frame[READ_MAX];
	size_t len = sizeof(frame);
	struct fstrm_control *control = fstrm_control_init();
	bool ok = fstrm_control_set_type(control, type) == fstrm_res_success &&
		  (!with_content || fstrm_control_add_field_content_type(
					    control, (const uint8_t *)CONTENT_TYPE,
					    strlen(CONTENT_TYPE)) == fstrm_res_success) &&
		  fstrm_control_encode(control, frame, &len, FSTRM_CONTROL_FLAG_WITH_HEADER) ==
			  fstrm_res_success &&
		  !evbuffer_add(tap->out, frame, len);

	fstrm_control_destroy(&control);
	return ok;
}

/* ---- the handshake ---- */

static void begin_handshake(struct tap *tap)
{
	tap->state = READY;
	if (!add_control(tap, FSTRM_CONTROL_READY, true)) {
		broken(tap, -ENOMEM);
		return;
	}
	want_to_write(tap);
}

static void start(struct tap *tap)
{
	if (!add_control(tap, FSTRM_CONTROL_START, true) ||
	    evbuffer_add_buffer(tap->out, tap->waiting)) {
		broken(tap, -ENOMEM);
		return;
	}
	loop_timer__stop(&tap->timer);
	tap->state = STARTED;
	want_to_write(tap);
	say(tap, 0);
	if (tap->over)
		tap__stop(tap);
}

/* Whether the reader takes dnstap. */
static bool accepts(const struct fstrm_control *control, fstrm_control_type type)
{
	return type == FSTRM_CONTROL_ACCEPT &&
	       fstrm_control_match_field_content_type(control, (const uint8_t *)CONTENT_TYPE,
						      strlen(CONTENT_TYPE)) == fstrm_res_success;
}

/* The reader says: @frame, whole. */
static void on_control(struct tap *tap, size_t len)
{
	struct fstrm_control *control = fstrm_control_init();
	fstrm_control_type type = FSTRM_CONTROL_READY;
	bool ok = fstrm_control_decode(control, tap->in, len, FSTRM_CONTROL_FLAG_WITH_HEADER) ==
			  fstrm_res_success &&
		  fstrm_control_get_type(control, &type) == fstrm_res_success;

	if (tap->state == READY && ok && accepts(control, type))
		start(tap);
	else if (tap->state == STOPPING && ok && type == FSTRM_CONTROL_FINISH)
		disconnect(tap);
	else
		broken(tap, -EPROTO);
	fstrm_control_destroy(&control);
}

/* All that is in tap->in, control frame by control frame: a reader says nothing else. */
static void parse(struct tap *tap)
{
	while (tap->in_len >= CONTROL_HEADER) {
		uint32_t head[2];
		size_t len;

		memcpy(head, tap->in, sizeof(head));
		len = CONTROL_HEADER + (size_t)ntohl(head[1]);
		if (head[0] || len > sizeof(tap->in)) {
			broken(tap, -EPROTO);
			return;
		}
		if (tap->in_len < len)
			return;
		on_control(tap, len);
		if (tap->state == CLOSED)
			return;
		tap->in_len -= len;
		memmove(tap->in, tap->in + len, tap->in_len);
	}
}

/* ---- events ---- */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct tap *tap = arg;
	ssize_t n = recv(fd, tap->in + tap->in_len, sizeof(tap->in) - tap->in_len, MSG_DONTWAIT);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		broken(tap, n ? -errno : -EPIPE);
		return;
	}
	tap->in_len += n;
	parse(tap);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct tap *tap = arg;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)what;
	if (tap->state == CONNECTING) {
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len))
			error = errno;
		if (error)
			broken(tap, -error);
		else
			begin_handshake(tap);
		return;
	}
	error = write_out(tap);
	if (error == -EAGAIN)
		want_to_write(tap);
	else if (error)
		broken(tap, error);
}

/* ---- connecting ---- */

static int make_socket(struct tap *tap)
{
	int family = tap->config.to.sa.sa_family, silence = TCP_SILENCE_MS;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, sizeof(silence));
	if (tap->config.send_buffer)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &tap->config.send_buffer, sizeof(int));
	tap->fd = fd;
	event_assign(&tap->readable, tap->config.loop->events, fd, EV_READ | EV_PERSIST,
		     on_readable, tap);
	event_assign(&tap->writable, tap->config.loop->events, fd, EV_WRITE, on_writable, tap);
	return 0;
}

static void attempt(struct tap *tap)
{
	int ret = make_socket(tap);

	if (!ret && connect(tap->fd, &tap->config.to.sa, tap->config.to.len))
		ret = -errno;
	if (ret && ret != -EINPROGRESS) {
		broken(tap, ret);
		return;
	}
	event_add(&tap->readable, NULL);
	loop_timer__set(&tap->timer, HANDSHAKE_NS);
	if (ret) {
		tap->state = CONNECTING;
		want_to_write(tap);
	} else {
		begin_handshake(tap);
	}
}

static void on_timer(void *ctx, uint64_t now)
{
	struct tap *tap = ctx;

	(void)now;
	if (tap->state == CLOSED)
		attempt(tap);
	else
		broken(tap, -ETIMEDOUT);
}

/* ---- messages ---- */

bool tap__wanted(const struct tap *tap)
{
	return tap->state != CLOSED && !tap->over;
}

static bool has_room(const struct tap *tap, size_t size)
{
	size_t octets = evbuffer_get_length(tap->out) + evbuffer_get_length(tap->waiting);

	return tap->queued < tap->config.queue &&
	       octets + size <= (size_t)tap->config.queue * TAP_QUEUE_OCTETS;
}

void tap__send(struct tap *tap, const struct tap_message *message)
{
	struct evbuffer *to = tap->state == STARTED ? tap->out : tap->waiting;
	struct evbuffer_iovec vec;
	uint32_t head;
	size_t size;

	if (!tap__wanted(tap)) {
		lose(tap, 1);
		return;
	}
	size = tap_message__size(message);
	if (!has_room(tap, FRAME_HEADER + size) ||
	    evbuffer_reserve_space(to, FRAME_HEADER + size, &vec, 1) != 1) {
		lose(tap, 1);
		return;
	}
	head = htonl(size);
	memcpy(vec.iov_base, &head, sizeof(head));
	tap_message__pack(message, (uint8_t *)vec.iov_base + FRAME_HEADER);
	vec.iov_len = FRAME_HEADER + size;
	evbuffer_commit_space(to, &vec, 1);
	tap->queued++;
	if (tap->state == STARTED)
		want_to_write(tap);
}

/* ---- open and close ---- */

const char *tap__reason(int error)
{
	switch (error) {
	case -EPIPE:
	case -ECONNRESET:
		return "its reader closed the connection";
	case -EPROTO:
		return "who listens there does not read dnstap";
	case -ETIMEDOUT:
		return "who listens there says nothing";
	default:
		return strerror(-error);
	}
}

int tap__open(const struct tap_config *config, struct tap **out)
{
	struct tap *tap = calloc(1, sizeof(*tap));

	if (!tap)
		return -ENOMEM;
	tap->config = *config;
	tap->fd = -1;
	tap->said = 1;
	loop_timer__init(&tap->timer, config->loop, on_timer, tap);
	tap->out = evbuffer_new();
	tap->waiting = evbuffer_new();
	if (!tap->out || !tap->waiting) {
		tap__close(tap);
		return -ENOMEM;
	}
	attempt(tap);
	*out = tap;
	return 0;
}

void tap__stop(struct tap *tap)
{
	tap->over = true;
	if (tap->state == CLOSED)
		loop_timer__stop(&tap->timer);
	if (tap->state != STARTED)
		return;
	tap->state = STOPPING;
	if (add_control(tap, FSTRM_CONTROL_STOP, false))
		want_to_write(tap);
	else
		disconnect(tap);
}

bool tap__stopped(const struct tap *tap)
{
	return tap->state == CLOSED;
}

void tap__close(struct tap *tap)
{
	if (!tap)
		return;
	if (tap->state == STARTED) {
		tap__stop(tap);
		write_out(tap);
	}
	tap->over = true;
	if (tap->out && tap->waiting)
		disconnect(tap);
	if (tap->out)
		evbuffer_free(tap->out);
	if (tap->waiting)
		evbuffer_free(tap->waiting);
	free(tap);
}
