/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What upstream.c, upstream_udp.c and upstream_tcp.c share.
 *
 * Contract: upstream.c decides whom to ask and judges what came back; the two
 * transports carry bytes. A transport that could begin an attempt reports its
 * end with upstream__received() or upstream__failed(), each at most once.
 */
#ifndef NODENS_UPSTREAM_PRIV_H
#define NODENS_UPSTREAM_PRIV_H

#include "clock.h"
#include "list.h"
#include "upstream.h"

#define QUERY_MAX (DNS_HEADER + DNS_MAX_NAME + 4 + 11)

struct upstream {
	struct upstream_group *group;
	const struct sockaddr_storage *addr;
	socklen_t addr_len;
	unsigned int fails; /* consecutive */
	bool down;	    /* not asked before a probe was answered */
	bool answered;	    /* ever */
	bool probing;
	struct exchange probe;
	struct event *probe_timer;
	struct list conns; /* of struct tcp_conn */
	unsigned int n_conns;
};

struct upstream_group {
	struct upstreams *owner;
	struct upstream_group *next;
	const struct corefile_forward *forward;
	struct dns_name probe_name;
	unsigned int round_robin;
	unsigned int in_flight;
	size_t n;
	struct upstream list[];
};

#define RANDOM_IDS 1024

struct upstreams {
	struct upstreams_config config;
	struct upstream_group *groups;
	struct list by_deadline, by_attempt;
	struct event *timer;
	bool timer_set;
	bool answered;

	uint16_t random[RANDOM_IDS];
	unsigned int random_left;

	struct list udp_idle[2]; /* AF_INET, AF_INET6; longest idle first */
	unsigned int udp_n_idle;
	struct event *upkeep; /* each second */
};

static inline void upstreams_count(struct upstreams *ups, enum agent_stat stat)
{
	ups->config.stats->v[stat]++;
}

/* Unpredictable (getrandom), or -errno. */
int upstreams__random16(struct upstreams *ups);

/*
 * @msg came for @exchange. True: the exchange took it, or is over; the
 * transport has been told to let go. False: not an answer, wait on.
 */
bool upstream__received(struct exchange *exchange, const uint8_t *msg, size_t len);
/* The attempt broke (-errno). The next upstream is asked, or done is called. */
void upstream__failed(struct exchange *exchange, int error);
/* A kept connection was closed under it: ask the same upstream on another. */
void upstream__again(struct exchange *exchange);

/* Begin an attempt at exchange->upstream; 0 or -errno. */
int upstream_udp__send(struct exchange *exchange);
/* Let go of the socket; @clean: it may serve again. */
void upstream_udp__release(struct exchange *exchange, bool clean);
/* Close what has been idle for @idle_s and longer. */
void upstream_udp__close_idle(struct upstreams *ups, unsigned int idle_s);

int upstream_tcp__send(struct exchange *exchange);
/* @clean: the connection may serve others on. */
void upstream_tcp__release(struct exchange *exchange, bool clean);
/* Close what has been idle since @since_ns (CLOCK_MONOTONIC) or longer. */
void upstream_tcp__close_idle(struct upstream *upstream, uint64_t since_ns);

#endif /* NODENS_UPSTREAM_PRIV_H */
