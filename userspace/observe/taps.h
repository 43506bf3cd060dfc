/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The dnstap plugin: clients' queries and replies, and those to upstreams, for the readers that a
 * configuration names.
 *
 * Contract: nothing waits for a reader (dnstap/tap.h). A configuration without `dnstap` has none of
 * these, *out is NULL, and every function takes that.
 */
#ifndef NODENS_TAPS_H
#define NODENS_TAPS_H

#include "base/client.h"
#include "base/loop.h"
#include "config/corefile.h"
#include "dns/msg.h"
#include "upstream/upstream.h"

struct taps;

struct taps_config {
	struct loop *loop;
	const struct corefile *cf; /* outlives them */
	uint64_t *lost;		   /* messages: is added to */
	/* As in struct tap_config; @to: the reader's address. */
	void (*changed)(void *ctx, const char *to, int error);
	void *ctx;
};

int taps__open(const struct taps_config *config, struct taps **out); /* -ENOMEM */
void taps__close(struct taps *taps);

/* A client's query, and what it was answered. Times are the loop's. */
struct taps_client {
	const struct client *client;
	const struct dns_query *query; /* flags may be the reply's */
	bool hit;		       /* the kernel answered: querylog.h */
	uint16_t rcode;
	const uint8_t *reply; /* NULL: none */
	size_t size;
	bool whole; /* all of the reply is there */
	uint64_t query_ns, reply_ns;
};

/* @block: its number in the configuration. */
void taps__client(const struct taps *taps, size_t block, const struct taps_client *client);
/* False: the forward is of no block of this configuration. */
bool taps__exchanged(const struct taps *taps, const struct upstream_exchanged *exchanged);

#endif /* NODENS_TAPS_H */
