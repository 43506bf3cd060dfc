/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Upstreams on the loopback interface, in a loop whose time the test moves.
 *
 * Contract: each answers, over UDP only, as its behaviour says; the loop runs
 * until a condition holds or 6 s of that time have passed.
 */
#ifndef NODENS_UPSTREAM_FIXTURE_H
#define NODENS_UPSTREAM_FIXTURE_H

#include <arpa/inet.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/corefile.h"
#include "upstream/upstream.h"
#include "virtual_loop.h"

#define FAKE_TAKES_NS	(100 * 1000) /* to answer */
#define FAKES		3
#define FORWARD_READ_NS 2000000000ull /* read_timeout, where the Corefile has none */
#define FAKE_FLOOD	250	      /* of the datagrams that a socket's buffer holds by default */

enum behaviour {
	FAKE_ANSWERS,
	FAKE_SILENT,
	FAKE_WRONG_ID_FIRST,
	FAKE_WRONG_QUESTION_FIRST,
	FAKE_CUT,	/* without its last octets */
	FAKE_BROKEN,	/* a record that no reader can read */
	FAKE_SHORT,	/* ANCOUNT 2 with one record */
	FAKE_NO_OPT,	/* ARCOUNT 1 with none */
	FAKE_HEADER,	/* a header alone, with header_flags */
	FAKE_TRUNCATES, /* TC=1 */
	FAKE_TWICE,	/* the answer, and once more */
	FAKE_FLOODS,	/* the answer, and FAKE_FLOOD copies of it under other IDs */
	FAKE_SERVFAIL,
	FAKE_NO_EDNS,	     /* FORMERR to a query with OPT */
	FAKE_NO_EDNS_HEADER, /* the same, of a header alone */
	FAKE_FORMERR,	     /* to every query, a header alone */
	FAKE_NOTIMP_EDNS,    /* NOTIMP to a query with OPT */
	FAKE_SERVFAIL_EDNS,  /* SERVFAIL */
	FAKE_SERVFAIL_OPT,   /* SERVFAIL, with an OPT that shows that it knows it */
	FAKE_BADVERS_EDNS,   /* BADVERS, in an OPT */
	FAKE_DROPS_EDNS,     /* nothing */
	FAKE_DROPS_LARGE,    /* an answer of 700 octets, which does not arrive */
	FAKE_SLOW,	     /* 300 ms; the test waits for each answer */
};

struct fake {
	struct virtual_loop *v;
	int fd;
	uint16_t port;
	struct event *event;
	enum behaviour behaviour;
	uint16_t header_flags;
	unsigned int queries; /* but no probes */
	unsigned int probes;
	uint16_t last_port, last_id, last_edns;
	uint32_t last_addr;
	uint8_t last_probe[512];
	size_t last_probe_len;
	struct dns_name probe_name; /* root, unless a test sets it */
	uint8_t seen_ports[65536 / 8];
	unsigned int n_ports; /* different ones */
};

static inline size_t fake_answer(uint8_t *msg, size_t len, uint16_t rcode)
{
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1 };
	size_t end = DNS_HEADER;

	while (end < len && msg[end])
		end += msg[end] + 1;
	end += 5;
	msg[2] = 0x81;
	msg[3] = 0x80 | rcode;
	memset(msg + 6, 0, 6);
	if (rcode)
		return end;
	msg[7] = 1;
	memcpy(msg + end, record, sizeof(record));
	return end + sizeof(record);
}

static inline void fake_note(struct fake *fake, const uint8_t *msg, size_t len, uint16_t port)
{
	const struct dns_name *name = &fake->probe_name;

	if (!memcmp(msg + DNS_HEADER, name->len ? name->wire : (const uint8_t *)"",
		    name->len ? name->len : 1)) {
		fake->probes++;
		fake->last_probe_len = len < sizeof(fake->last_probe) ? len : 0;
		memcpy(fake->last_probe, msg, fake->last_probe_len);
		return;
	}
	fake->queries++;
	fake->last_port = port;
	fake->last_id = msg[0] << 8 | msg[1];
	if (!(fake->seen_ports[port / 8] & 1 << port % 8))
		fake->n_ports++;
	fake->seen_ports[port / 8] |= 1 << port % 8;
}

static inline uint16_t fake_rcode(const struct fake *fake, const uint8_t *query)
{
	switch (fake->behaviour) {
	case FAKE_SERVFAIL:
	case FAKE_SERVFAIL_OPT:
		return DNS_SERVFAIL;
	case FAKE_NO_EDNS:
	case FAKE_NO_EDNS_HEADER:
		return query[11] ? DNS_FORMERR : DNS_NOERROR;
	case FAKE_NOTIMP_EDNS:
		return query[11] ? DNS_NOTIMP : DNS_NOERROR;
	case FAKE_SERVFAIL_EDNS:
		return query[11] ? DNS_SERVFAIL : DNS_NOERROR;
	case FAKE_FORMERR:
		return DNS_FORMERR;
	default:
		return DNS_NOERROR;
	}
}

static inline void fake_on_query(evutil_socket_t fd, short what, void *arg)
{
	static const uint8_t badvers[] = { 0, 0, 41, 16, 0, 1, 0, 0, 0, 0, 0 };
	struct fake *fake = arg;
	struct sockaddr_in peer;
	socklen_t peer_len = sizeof(peer);
	uint8_t msg[2048], false_msg[2048];
	uint16_t edns;
	ssize_t n = recvfrom(fd, msg, sizeof(msg) - 64, MSG_DONTWAIT, (struct sockaddr *)&peer,
			     &peer_len);
	size_t len;

	(void)what;
	if (n < DNS_HEADER)
		return;
	fake_note(fake, msg, n, ntohs(peer.sin_port));
	fake->v->now_ns += FAKE_TAKES_NS;
	/* OPT is the last record, and empty */
	edns = msg[11] ? msg[n - 8] << 8 | msg[n - 7] : 0;
	fake->last_edns = edns;
	fake->last_addr = ntohl(peer.sin_addr.s_addr);
	len = fake_answer(msg, n, fake_rcode(fake, msg));
	if (msg[3] == (0x80 | DNS_FORMERR) && fake->behaviour != FAKE_NO_EDNS) {
		msg[5] = 0;
		len = DNS_HEADER;
	}
	memcpy(false_msg, msg, len);
	switch (fake->behaviour) {
	case FAKE_SILENT:
		return;
	case FAKE_DROPS_EDNS:
		if (edns)
			return;
		break;
	case FAKE_DROPS_LARGE:
		if (edns > 700)
			return;
		msg[2] |= 0x02;
		break;
	case FAKE_SERVFAIL_OPT:
		msg[11] = 1;
		memcpy(msg + len, badvers, sizeof(badvers));
		msg[len + 5] = 0;
		len += sizeof(badvers);
		break;
	case FAKE_BADVERS_EDNS:
		if (!edns)
			break;
		msg[7] = 0;
		msg[11] = 1;
		memcpy(msg + len - 16, badvers, sizeof(badvers));
		len -= 16 - sizeof(badvers);
		break;
	case FAKE_WRONG_ID_FIRST:
		false_msg[0] ^= 1;
		sendto(fd, false_msg, len, 0, (struct sockaddr *)&peer, peer_len);
		break;
	case FAKE_WRONG_QUESTION_FIRST:
		false_msg[DNS_HEADER + 1] ^= 1;
		sendto(fd, false_msg, len, 0, (struct sockaddr *)&peer, peer_len);
		break;
	case FAKE_CUT:
		len -= 3;
		break;
	case FAKE_BROKEN: /* its owner is a pointer to itself */
		msg[len - 15] = len - 16;
		break;
	case FAKE_SHORT:
		msg[7]++;
		break;
	case FAKE_NO_OPT:
		msg[11] = 1;
		break;
	case FAKE_HEADER:
		memset(msg + 4, 0, 8);
		msg[2] = fake->header_flags >> 8;
		msg[3] = fake->header_flags & 0xff;
		len = DNS_HEADER;
		break;
	case FAKE_TRUNCATES:
		msg[2] |= 0x02;
		break;
	case FAKE_TWICE:
		sendto(fd, msg, len, 0, (struct sockaddr *)&peer, peer_len);
		break;
	case FAKE_SLOW: /* meanwhile nothing else happens */
		fake->v->now_ns += 300 * NSEC_PER_MS;
		break;
	default:
		break;
	}
	sendto(fd, msg, len, 0, (struct sockaddr *)&peer, peer_len);
	for (int i = 1; fake->behaviour == FAKE_FLOODS && i <= FAKE_FLOOD; i++) {
		msg[1]++;
		sendto(fd, msg, len, 0, (struct sockaddr *)&peer, peer_len);
	}
}

/* A UDP socket on a port that is free for TCP as well, which some tests open later. */
static inline int fake_bind(struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);

	for (int i = 0; i < 16; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		int tcp = socket(AF_INET, SOCK_STREAM, 0), on = 1, taken;

		addr->sin_port = 0;
		if (bind(fd, (struct sockaddr *)addr, len) ||
		    getsockname(fd, (struct sockaddr *)addr, &len))
			return -1;
		setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		taken = bind(tcp, (struct sockaddr *)addr, len);
		close(tcp);
		if (!taken)
			return fd;
		close(fd);
	}
	return -1;
}

static inline int fake_open(struct fake *fake, struct virtual_loop *v)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };

	memset(fake, 0, sizeof(*fake));
	fake->v = v;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fake->fd = fake_bind(&addr);
	if (fake->fd < 0)
		return -1;
	fake->port = ntohs(addr.sin_port);
	fake->event = event_new(fake->v->loop.events, fake->fd, EV_READ | EV_PERSIST, fake_on_query,
				fake);
	return fake->event ? event_add(fake->event, NULL) : -1;
}

/* Its port is closed from here on. */
static inline void fake_close(struct fake *fake)
{
	if (!fake->event)
		return;
	event_free(fake->event);
	close(fake->fd);
	fake->event = NULL;
}

/* Its port is open again, with nothing in it. */
static inline int fake_reopen(struct fake *fake)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(fake->port) };

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fake->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fake->fd < 0 || bind(fake->fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -1;
	fake->event = event_new(fake->v->loop.events, fake->fd, EV_READ | EV_PERSIST, fake_on_query,
				fake);
	return fake->event ? event_add(fake->event, NULL) : -1;
}

/* Everything an upstream test needs. */
struct upstream_fixture {
	struct virtual_loop v;
	struct fake fake[FAKES];
	struct agent_stats stats;
	struct corefile *cf;
	struct upstreams *ups;
	unsigned int went_down, came_up;
	char reason[EXCHANGE_ERROR_MAX]; /* why one went down last */
};

static inline void fixture_changed(void *ctx, const union sockaddr_any *addr, bool up,
				   const char *reason)
{
	struct upstream_fixture *f = ctx;

	(void)addr;
	if (up)
		f->came_up++;
	else
		f->went_down++;
	if (!up)
		snprintf(f->reason, sizeof(f->reason), "%s", reason);
}

/* @text: a Corefile in which %1 to %3 stand for the fakes' addresses. */
static inline struct corefile *fixture_corefile(struct upstream_fixture *f, const char *text)
{
	char out[2048] = "", *at = out;
	struct error err = { "" };
	struct corefile *cf = NULL;

	for (; *text && at < out + sizeof(out) - 32; text++) {
		if (*text == '%' && text[1] >= '1' && text[1] <= '3')
			at += sprintf(at, "127.0.0.1:%u", f->fake[*++text - '1'].port);
		else
			*at++ = *text;
	}
	if (corefile__parse(&corefile_host_options, "test", out, at - out, &cf, &err))
		fprintf(stderr, "%s\n", err.text);
	return cf;
}

/* @read_ns: where the Corefile does not say read_timeout. */
static inline int fixture_upstreams(struct upstream_fixture *f, uint64_t read_ns,
				    uint64_t deadline_ns)
{
	struct upstreams_config config = {
		.loop = &f->v.loop,
		.stats = &f->stats,
		.bufsize = 1232,
		.deadline_ns = deadline_ns,
		.changed = fixture_changed,
		.ctx = f,
	};

	for (size_t i = 0; i < f->cf->blocks_len; i++) {
		struct corefile_block *block = &f->cf->blocks[i];

		for (size_t k = 0; k < block->forwards_len; k++) {
			if (block->forwards[k].read_timeout_ns == FORWARD_READ_NS)
				block->forwards[k].read_timeout_ns = read_ns;
		}
	}
	return upstreams__open(&config, &f->ups);
}

static inline int fixture_open(struct upstream_fixture *f, const char *text, uint64_t read_ns,
			       uint64_t deadline_ns)
{
	memset(f, 0, sizeof(*f));
	if (virtual_loop__open(&f->v))
		return -1;
	for (int i = 0; i < FAKES; i++) {
		if (fake_open(&f->fake[i], &f->v))
			return -1;
	}
	f->cf = fixture_corefile(f, text);
	return f->cf ? fixture_upstreams(f, read_ns, deadline_ns) : -1;
}

static inline void fixture_close(struct upstream_fixture *f)
{
	upstreams__close(f->ups);
	corefile__free(f->cf);
	for (int i = 0; i < FAKES; i++)
		fake_close(&f->fake[i]);
	virtual_loop__close(&f->v);
}

struct fixture_goal {
	const unsigned int *flag;
	unsigned int value;
};

static inline bool fixture_reached(void *ctx)
{
	const struct fixture_goal *goal = ctx;

	return *goal->flag >= goal->value;
}

/* Runs the loop until *flag reaches @value. False: it did not within @ms. */
static inline bool fixture_run_until(struct upstream_fixture *f, const unsigned int *flag,
				     unsigned int value, unsigned int ms)
{
	struct fixture_goal goal = { flag, value };

	return virtual_loop__run(&f->v, f->v.now_ns + ms * NSEC_PER_MS, fixture_reached, &goal);
}

static inline bool fixture_run(struct upstream_fixture *f, const unsigned int *flag,
			       unsigned int value)
{
	return fixture_run_until(f, flag, value, 6000);
}

static inline void fixture_run_for(struct upstream_fixture *f, unsigned int ms)
{
	static const unsigned int never;

	fixture_run_until(f, &never, 1, ms);
}

#endif /* NODENS_UPSTREAM_FIXTURE_H */
