/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Questions to upstreams: who is asked, over what, for how long, and who next.
 *
 * Contract: single-threaded, of an event loop; no logging. An answer is only
 * what came from the asked address and port to the asking socket with its ID
 * and its question; everything else is dropped, counted and waited over.
 *
 * An upstream that does not answer within 2 s has failed, and the next is
 * asked, until 5 s are over. Nobody waits idly that long: after 0.4 s another
 * one is asked besides, or the same one from another port or connection unless
 * it is known to be slow, and then each second, and the first answer counts.
 *
 * What an upstream does not say itself is no answer: who is refused, reset, cut off
 * or told that nothing is there asks the others at once and then again, from
 * another port or connection, after 10 ms, 20, 40 ... 400, until the deadline.
 * Over UDP, where whoever guesses a port can forge such a word (ICMP), the query is
 * waited for besides, as if nothing had come.
 *
 * An upstream with tls is asked over TLS only, whatever goes wrong. One that does not take OPT, or
 * whose path does not take what that leads to, is asked without it.
 */
#ifndef NODENS_UPSTREAM_H
#define NODENS_UPSTREAM_H

#include "base/counters.h"
#include "base/error.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/sockaddr.h"
#include "config/corefile.h"
#include "dns/answer.h"

#define UPSTREAM_DEADLINE_NS 5000000000ull /* an exchange's time, as CoreDNS' */

struct upstreams;      /* sockets, timers, state of all upstreams */
struct upstream_group; /* those of one forward directive */
struct upstream;
struct udp_sock;
struct tcp_conn;

/* Queries of one exchange that may be open at once: each lives 2 s, one more is sent each second.
 */
#define EXCHANGE_ATTEMPTS 4

/* Room for why an exchange failed. */
#define EXCHANGE_ERROR_MAX 256

/* What of EDNS a query has: our size, 512 octets, no OPT. See edns.c. */
enum edns { EDNS_FULL, EDNS_SMALL, EDNS_NONE };

/* One query to one upstream. */
struct attempt {
	struct exchange *exchange;
	struct upstream *upstream; /* NULL: not in use */
	struct list by_end;
	uint64_t sent_ns;
	struct udp_sock *udp;
	struct tcp_conn *tcp;
	struct list in_conn;
	uint16_t id;
	int refused; /* over UDP: what was said to be wrong (-errno), and may not be; 0: nothing */
	bool again;  /* a kept TCP connection broke under it: asked anew once */
	enum edns edns;
	uint16_t edns_refused; /* the rcode for which it has no OPT; 0: none */
	bool told;	       /* config.exchanged was called for it */
};

/* Who was asked, for people; of several exchanges one after another, all together. */
struct upstream_asked {
	const struct upstream *upstream; /* who answered, or was asked last; NULL: nobody */
	uint8_t tries;			 /* queries sent, 255 where there were more */
	bool timed_out;			 /* one was not answered in time, or after another one */
};

/* One question on its way. The first part is the caller's, the second upstream's own. */
struct exchange {
	struct dns_name qname; /* lower case */
	uint16_t qtype;
	uint8_t key_flags;
	bool once; /* nobody answered this a moment ago: each upstream is asked but once */
	const uint8_t *options; /* of our OPT, the caller's until the end; options_len 0: none */
	size_t options_len;
	/*
	 * Called once, perhaps before exchange__start() returns. @answer is the
	 * callee's to free; NULL: no upstream answered, and error says why.
	 */
	void (*done)(struct exchange *exchange, struct answer *answer, enum verdict verdict);
	char error[EXCHANGE_ERROR_MAX]; /* set by exchange__start() and later */
	bool silent; /* nothing was found or said to be wrong: without an answer, a timeout */
	struct upstream_asked asked; /* is added to: all zero before the first one */

	struct upstream_group *group;
	struct list by_deadline, by_resend;
	uint64_t deadline_ns, resend_ns;
	uint32_t tried;		  /* bits of the group's upstreams: asked in this round */
	uint32_t refused, barred; /* not to be asked again at once; not to be asked again */
	uint8_t next;		  /* where the search for an upstream begins */
	uint8_t n_open;		  /* attempts in use */
	uint8_t n_refused;	  /* retries after refusals so far */
	uint8_t n_timed_out;	  /* over UDP */
	uint8_t n_failed_over;	  /* answers that failover passed over */
	unsigned int n_sent;	  /* attempts so far, for max_connect_attempts */
	bool use_tcp;		  /* after truncation, or force_tcp */
	/* For want of a better one: a part of an answer, or one with an rcode of failover. */
	struct answer *part;
	enum verdict part_verdict;
	bool probe; /* asks one upstream, once */
	bool watch; /* a probe whose answer is wanted: exchange__watch() */
	struct attempt attempts[EXCHANGE_ATTEMPTS];
};

/* A query to an upstream, and its answer. */
struct upstream_exchanged {
	const struct corefile_forward *forward;
	const struct exchange *exchange;
	const union sockaddr_any *from, *to; /* from NULL: not known */
	bool tcp, tls;
	uint64_t sent_ns, reply_ns;
	const uint8_t *query, *reply; /* the messages; reply NULL: there was none */
	size_t query_len, reply_len;
};

struct upstreams_config {
	struct loop *loop;
	struct agent_stats *stats;
	uint16_t bufsize; /* stated in our OPT */
	uint64_t deadline_ns;
	/* An upstream was given up, why, or came back (@reason is NULL). May be NULL. */
	void (*changed)(void *ctx, const union sockaddr_any *addr, bool up, const char *reason);
	/* A message came that did not answer what was asked. May be NULL. */
	void (*dropped)(void *ctx, const struct corefile_forward *forward);
	/*
	 * Of each query that was sent, but probes: it is over, with an answer or without one. What
	 * it points to is valid during the call. May be NULL.
	 */
	void (*exchanged)(void *ctx, const struct upstream_exchanged *exchanged);
	void *ctx;
};

int upstreams__open(const struct upstreams_config *config, struct upstreams **out);
/* No exchange may be under way any more. */
void upstreams__close(struct upstreams *upstreams);

/*
 * @forward must outlive the group, the group its exchanges. Freed with upstreams. -EINVAL: what the
 * forward names cannot be used, @err says why; -ENOMEM.
 */
int upstream_group__open(struct upstreams *upstreams, const struct corefile_forward *forward,
			 struct upstream_group **out, struct error *err);

/*
 * Has an upstream of each group ever answered? *waiting: the forward of a group of which none has;
 * may be NULL.
 */
bool upstreams__answered(const struct upstreams *upstreams,
			 const struct corefile_forward **waiting);
/* The same of one group. */
bool upstream_group__answered(const struct upstream_group *group);
/*
 * To be called each second, and at once after upstreams__inherit(): ask every upstream that has not
 * answered yet and is not being asked. Where another one of its group has, each 5 s: a probe may
 * have been lost, and a policy need not send it queries for as long as the others live.
 */
void upstreams__probe(struct upstreams *upstreams);
/*
 * What @before knew of the same addresses: round-trip times, who has answered, who is down and why,
 * and what has been counted. Once, while @before still lives: that ends what it has under way, but
 * no longer says or counts who is down.
 */
void upstreams__inherit(struct upstreams *upstreams, struct upstreams *before);

/*
 * The numbers of the index-th address, for coredns_forward_* and coredns_proxy_*; false: there are
 * no more. Each address once, whatever the number of forwards that name it.
 */
struct upstream_stats;
bool upstreams__metrics(const struct upstreams *upstreams, size_t index,
			struct upstream_stats *out);

/* Its address, valid as long as its group; over TLS; else over TCP alone. */
const union sockaddr_any *upstream__addr(const struct upstream *upstream, bool *tls, bool *tcp);

/* One upstream of one forward, as it is now. */
struct upstream_view {
	const struct corefile_forward *forward;
	const union sockaddr_any *addr;
	bool tls, tcp; /* asked over TLS; else over TCP alone */
	bool heard;    /* it has answered at some time */
	bool down;
	uint64_t since_ns;  /* when it went down, or came up; 0: never */
	const char *reason; /* why a query to it failed last; "" */
	/* Of its address, whatever the number of forwards that name it: */
	uint64_t queries, timeouts, errors;
	uint64_t rtt_p50_ns, rtt_p99_ns; /* of the last 10 to 20 s; 0: it did not answer then */
};
/* The index-th; false: there are no more. */
bool upstreams__view(struct upstreams *upstreams, size_t index, struct upstream_view *out);

/* -EBUSY: max_concurrent of the group is reached, error says so, done is not called. */
int exchange__start(struct upstream_group *group, struct exchange *exchange, uint64_t now_ns);
/*
 * Ask the group's @index-th upstream alone, and once, within its read_timeout: done, perhaps before
 * this returns. It counts as no query, and a failure says nothing of the upstream's health. A UDP
 * port that is said to be closed is waited for as well; then silent is false.
 */
void exchange__watch(struct upstream_group *group, size_t index, struct exchange *exchange,
		     uint64_t now_ns);
/* Forget it; done is not called. */
void exchange__cancel(struct exchange *exchange);

#endif /* NODENS_UPSTREAM_H */
