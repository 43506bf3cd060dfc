/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Upstreams over TCP and TLS on the loopback interface, in the test's own event loop.
 *
 * Contract: each answers as its behaviour says, beside a fake of upstream_fixture.h, on the same
 * port; what it saw is counted.
 */
#ifndef NODENS_STREAM_FIXTURE_H
#define NODENS_STREAM_FIXTURE_H

#include <netinet/tcp.h>
#include <openssl/ssl.h>

#include "transport/stream.h"
#include "upstream_questions.h"

enum stream_behaviour {
	STREAM_ANSWERS,
	STREAM_SILENT,
	STREAM_SILENT_FIRST,  /* on its first connection */
	STREAM_CLOSES,	      /* instead of answering */
	STREAM_CLOSES_THRICE, /* the same, on its first three connections */
	STREAM_RESETS_THRICE, /* with RST */
	STREAM_CUT,	      /* half an answer, then the end */
	STREAM_ONCE,	      /* closes after each answer */
	STREAM_TWO_REVERSED,  /* waits for two queries, answers the second one first */
	STREAM_WRONG_QUESTION,
	STREAM_TRUNCATES,
	STREAM_NO_EDNS, /* FORMERR to a query with OPT */
	STREAM_SHORT,	/* ANCOUNT 2 with one record */
};

struct stream_fake {
	struct event_base *base;
	struct event *event;
	int fd;
	SSL_CTX *tls; /* NULL: in the clear */
	enum stream_behaviour behaviour;
	struct list peers;
	unsigned int connections, open, queries, probes;
	unsigned int resumed, dot, with_certificate; /* connections, at their first query */
	unsigned int ids_again; /* queries with an ID that another had before */
	uint8_t seen_ids[65536 / 8];
	uint8_t last[512];
	size_t last_len;
};

struct stream_peer {
	struct list link;
	struct stream_fake *fake;
	struct stream *stream;
	unsigned int number, queries;
	uint8_t kept[512]; /* the query that waits for another */
	size_t kept_len;
};

static inline void peer_end(struct stream_peer *peer)
{
	peer->fake->open--;
	list__del(&peer->link);
	stream__free(peer->stream);
	free(peer);
}

static inline void peer_answer(struct stream_peer *peer, const uint8_t *query, size_t len)
{
	uint8_t msg[1024];

	memcpy(msg, query, len);
	len = fake_answer(msg, len,
			  peer->fake->behaviour == STREAM_NO_EDNS && msg[11] ? DNS_FORMERR : 0);
	if (peer->fake->behaviour == STREAM_WRONG_QUESTION)
		msg[DNS_HEADER + 1] ^= 1;
	if (peer->fake->behaviour == STREAM_TRUNCATES)
		msg[2] |= 0x02;
	if (peer->fake->behaviour == STREAM_SHORT)
		msg[7]++;
	stream__send(peer->stream, msg, len);
}

/* The frame says more than what comes. */
static inline void peer_cut(struct stream_peer *peer, const uint8_t *query, size_t len)
{
	SSL *ssl = stream__tls(peer->stream);
	uint8_t msg[1024] = { 1, 0 };

	memcpy(msg + 2, query, len);
	msg[4] |= 0x80;
	if (ssl)
		SSL_write(ssl, msg, (int)len);
	else
		send(stream__fd(peer->stream), msg, len, MSG_NOSIGNAL);
	peer_end(peer);
}

static inline void peer_note(struct stream_peer *peer, const uint8_t *msg, size_t len)
{
	struct stream_fake *fake = peer->fake;
	SSL *ssl = stream__tls(peer->stream);
	const unsigned char *alpn = NULL;
	unsigned int alpn_len = 0;

	fake->last_len = len < sizeof(fake->last) ? len : sizeof(fake->last);
	memcpy(fake->last, msg, fake->last_len);
	fake->ids_again += fake->seen_ids[msg[0] << 5 | msg[1] >> 3] >> (msg[1] & 7) & 1;
	fake->seen_ids[msg[0] << 5 | msg[1] >> 3] |= 1 << (msg[1] & 7);
	if (msg[DNS_HEADER] == 0)
		fake->probes++;
	else
		fake->queries++;
	if (peer->queries++ || !ssl)
		return;
	SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
	fake->dot += alpn_len == 3 && !memcmp(alpn, "dot", 3);
	fake->resumed += SSL_session_reused(ssl) != 0;
	fake->with_certificate += SSL_get0_peer_certificate(ssl) != NULL;
}

static inline void peer_message(void *ctx, const uint8_t *msg, size_t len)
{
	static const struct linger reset = { .l_onoff = 1 };
	struct stream_peer *peer = ctx;

	peer_note(peer, msg, len);
	switch (peer->fake->behaviour) {
	case STREAM_SILENT:
		return;
	case STREAM_SILENT_FIRST:
		if (peer->number == 1)
			return;
		break;
	case STREAM_CLOSES:
		peer_end(peer);
		return;
	case STREAM_CLOSES_THRICE:
	case STREAM_RESETS_THRICE:
		if (peer->number > 3)
			break;
		if (peer->fake->behaviour == STREAM_RESETS_THRICE)
			setsockopt(stream__fd(peer->stream), SOL_SOCKET, SO_LINGER, &reset,
				   sizeof(reset));
		peer_end(peer);
		return;
	case STREAM_CUT:
		peer_cut(peer, msg, len);
		return;
	case STREAM_TWO_REVERSED:
		if (!peer->kept_len) {
			memcpy(peer->kept, msg, len);
			peer->kept_len = len;
			return;
		}
		peer_answer(peer, msg, len);
		peer_answer(peer, peer->kept, peer->kept_len);
		peer->kept_len = 0;
		return;
	default:
		break;
	}
	peer_answer(peer, msg, len);
}

static inline void peer_closed(void *ctx, int error)
{
	(void)error;
	peer_end(ctx);
}

static inline void peer_drained(void *ctx)
{
	struct stream_peer *peer = ctx;

	if (peer->fake->behaviour == STREAM_ONCE && peer->queries)
		peer_end(peer);
}

static inline void stream_fake_accept(evutil_socket_t fd, short what, void *arg)
{
	static const struct stream_ops ops = {
		.message = peer_message,
		.closed = peer_closed,
		.drained = peer_drained,
	};
	struct stream_fake *fake = arg;
	int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
	struct stream_peer *peer = calloc(1, sizeof(*peer));
	int on = 1;

	(void)what;
	/* an acknowledgment that the kernel puts off would hold up what is written next */
	setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (conn < 0 || !peer || stream__open(fake->base, conn, false, &ops, peer, &peer->stream))
		abort();
	peer->fake = fake;
	peer->number = ++fake->connections;
	fake->open++;
	list__append(&fake->peers, &peer->link);
	if (fake->tls) {
		SSL *ssl = SSL_new(fake->tls);

		SSL_set_fd(ssl, conn);
		SSL_set_accept_state(ssl);
		stream__set_tls(peer->stream, ssl);
	}
}

static inline void stream_fake_open(struct stream_fake *fake, struct event_base *base,
				    uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int on = 1;

	memset(fake, 0, sizeof(*fake));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fake->base = base;
	list__init(&fake->peers);
	fake->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(fake->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fake->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fake->fd, 64), 0);
	fake->event = event_new(base, fake->fd, EV_READ | EV_PERSIST, stream_fake_accept, fake);
	assert_int_equal(event_add(fake->event, NULL), 0);
}

/* Its connections end; the port is closed from here on. */
static inline void stream_fake_close(struct stream_fake *fake)
{
	while (!list__empty(&fake->peers))
		peer_end(list_entry(fake->peers.next, struct stream_peer, link));
	event_free(fake->event);
	close(fake->fd);
	SSL_CTX_free(fake->tls);
}

#endif /* NODENS_STREAM_FIXTURE_H */
