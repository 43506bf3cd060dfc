/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A resolver over upstream_fixture.h's upstreams, asked without sockets; its replies are kept.
 */
#ifndef NODENS_RESOLVER_FIXTURE_H
#define NODENS_RESOLVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "resolver/resolver_priv.h"
#include "upstream_fixture.h"

#define MAX_REPLIES 64

struct reply {
	void *owner;
	size_t len;
	uint8_t msg[4096];
};

struct fixture {
	struct upstream_fixture up;
	struct resolver *resolver;
	struct error err;
	struct reply replies[MAX_REPLIES];
	unsigned int n;
	unsigned int loops;
	bool uncounted;	 /* replies are not kept */
	uint32_t device; /* of all clients; 0: not known */
	bool overloaded;
	char error[EXCHANGE_ERROR_MAX]; /* of the last reply that was one */
};

static inline void on_reply(void *ctx, const struct client *client, const uint8_t *msg, size_t len)
{
	struct fixture *f = ctx;
	struct reply *reply;

	if (f->uncounted) {
		f->n++;
		return;
	}
	assert_in_range(f->n, 0, MAX_REPLIES - 1);
	reply = &f->replies[f->n];
	assert_true(len <= sizeof(reply->msg));
	reply->owner = client->owner;
	reply->len = len;
	if (len)
		memcpy(reply->msg, msg, len);
	f->n++;
}

static inline void on_overload(void *ctx, bool overloaded)
{
	((struct fixture *)ctx)->overloaded = overloaded;
}

static inline void on_replied(void *ctx, const struct resolver_event *event)
{
	struct fixture *f = ctx;

	if (event->error)
		snprintf(f->error, sizeof(f->error), "%s", event->error);
}

static inline void on_loop(void *ctx, const struct client *client, const char *zone,
			   const struct dns_name *probe)
{
	struct fixture *f = ctx;

	(void)client;
	assert_string_equal(zone, "loop.test.");
	assert_true(probe->len > 1);
	f->loops++;
}

static inline uint32_t device_of(void *ctx, const struct sockaddr *peer)
{
	(void)peer;
	return ((struct fixture *)ctx)->device;
}

static inline void open_fixture(struct fixture *f, const char *text, unsigned int max_exchanges,
				unsigned int shed_above)
{
	struct resolver_config config = {
		.stats = &f->up.stats,
		.bufsize = 1232,
		.max_exchanges = max_exchanges,
		.shed_above = shed_above,
		.reply = on_reply,
		.overload = on_overload,
		.replied = on_replied,
		.device = device_of,
		.looped = on_loop,
		.loop = &f->up.v.loop,
		.ctx = f,
	};

	memset(f, 0, sizeof(*f));
	assert_int_equal(fixture_open(&f->up, text, FORWARD_READ_NS, NSEC_PER_SEC), 0);
	config.corefile = f->up.cf;
	config.upstreams = f->up.ups;
	assert_int_equal(resolver__open(&config, &f->resolver, &f->err), 0);
}

static inline void close_fixture(struct fixture *f)
{
	resolver__close(f->resolver);
	fixture_close(&f->up);
}

/* @id tells queries apart: it is the query's ID; @host the clients. */
static inline void query_by(struct fixture *f, struct client client, uint32_t host,
			    const char *name, uint16_t id, uint8_t key_flags)
{
	struct dns_query q = {
		.id = id,
		.flags = DNS_RD | (key_flags & NODENS_KEY_CD ? DNS_CD : 0),
		.qtype = DNS_TYPE_A,
		.qclass = DNS_CLASS_IN,
		.edns = key_flags & NODENS_KEY_DO,
		.edns_do = key_flags & NODENS_KEY_DO,
		.edns_size = key_flags & NODENS_KEY_DO ? 1232 : 0,
		.key_flags = key_flags,
	};

	client.peer.v4.sin_family = AF_INET;
	client.peer.v4.sin_addr.s_addr = htonl(0x0a010000 + host);
	client.local.v4.sin_family = AF_INET;
	client.local.v4.sin_port = htons(53);
	client.local.v4.sin_addr.s_addr = htonl(0x0a000001);
	assert_int_equal(dns_name__from_text(&q.qname, name), 0);
	resolver__query(f->resolver, &client, &q, f->up.v.now_ns);
}

/* The client's owner is the @id. */
static inline void query_from(struct fixture *f, uint32_t host, const char *name, uint16_t id,
			      uint8_t key_flags)
{
	query_by(f, (struct client){ .owner = (void *)(uintptr_t)id }, host, name, id, key_flags);
}

static inline void query(struct fixture *f, const char *name, uint16_t id, uint8_t key_flags)
{
	query_from(f, id, name, id, key_flags);
}

static inline unsigned int rcode(const struct reply *reply)
{
	assert_true(reply->len >= DNS_HEADER);
	return reply->msg[3] & 15;
}

#endif /* NODENS_RESOLVER_FIXTURE_H */
