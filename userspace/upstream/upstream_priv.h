/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the upstream modules share.
 *
 * Contract: health.c knows who lives and who is next, edns.c how much of EDNS each takes, query.c
 * what is sent; udp.c and tcp.c carry that, in the clear or over TLS, and report the end of an
 * attempt that could be sent by attempt_events, at most once; tell.c tells of it, schedule.c says
 * when, exchange.c what is sent then, and exchange_received.c what came back; probe.c looks after
 * upstreams that are silent, pool.c opens and closes all. Each uses only those named before it,
 * source.c, reason.c and stats.c.
 */
#ifndef NODENS_UPSTREAM_PRIV_H
#define NODENS_UPSTREAM_PRIV_H

#include "base/list.h"
#include "upstream/upstream.h"
#include "upstream/stats.h"
#include "upstream/tls.h"

/* Beside -errno: the peer closed the connection. */
#define UPSTREAM_EOF (-4096)

#define QUERY_MAX (DNS_HEADER + DNS_MAX_NAME + 4 + 11 + DNS_MAX_OPTIONS)

struct upstream {
	struct upstream_group *group;
	const union sockaddr_any *addr;
	bool tls;
	const char *tls_name; /* in its certificate; NULL: its address */
	SSL_SESSION *session; /* for the next connection; NULL: none */
	socklen_t addr_len;
	union sockaddr_any peer;     /* what its datagrams come from */
	uint64_t rtt_ns, rtt_var_ns; /* smoothed, RFC 6298; 0: not known */
	uint64_t heard_ns;	     /* when it answered last */
	uint64_t probed_ns;	     /* when it was probed last; 0: never */
	uint64_t since_ns;	     /* when it went down, or came up; 0: never */
	unsigned int fails;	     /* consecutive */
	/* edns.c: what is used until when; the last good answer to all of it; doubts */
	enum edns edns, edns_doubted;
	uint64_t edns_until_ns, edns_good_ns, edns_doubt_ns;
	unsigned int edns_doubts;
	bool down;     /* not asked before a probe was answered */
	bool notified; /* config.changed was called for this */
	bool probing;
	struct exchange probe;
	struct loop_timer went_down, probe_timer;
	struct upstream_numbers *numbers;
	struct list conns; /* of struct tcp_conn */
	unsigned int n_conns;
	struct udp_sock *udp_open;	 /* for further queries of this turn; NULL: none */
	char reason[EXCHANGE_ERROR_MAX]; /* why it failed last */
};

/* The queries of all forwards with one read_timeout: sorted by their end. */
struct read_class {
	struct read_class *next;
	uint64_t read_ns;
	struct list by_end;
};

struct upstream_group {
	struct upstreams *owner;
	struct upstream_group *next;
	const struct corefile_forward *forward;
	struct read_class *read;
	SSL_CTX *tls; /* NULL: none of them is asked over TLS */
	struct dns_name probe_name;
	unsigned int round_robin;
	unsigned int in_flight;
	size_t n;
	struct upstream list[];
};

#define RANDOM_IDS 1024

/* After how long of silence a further query is sent, or, from RESEND_REFUSED on, after refusals. */
enum resend { RESEND_SOON, RESEND_LATE, RESEND_REFUSED, RESENDS = RESEND_REFUSED + 7 };

/* From a transport. What it leads to may end the exchange, and others with it. */
struct attempt_events {
	/*
	 * @msg came for @attempt. True: it was taken, and the transport has been told to let go.
	 * False: it is no answer to this query, wait on.
	 */
	bool (*received)(struct attempt *attempt, const uint8_t *msg, size_t len);
	/*
	 * -errno or UPSTREAM_EOF; upstream->reason says it in words where the attempt has no socket
	 * any more.
	 */
	void (*failed)(struct attempt *attempt, int error);
	/*
	 * Somebody says that the upstream cannot be reached: -errno. The attempt is not over, but
	 * it may be let go of.
	 */
	void (*refused)(struct attempt *attempt, int error);
	/* A kept connection was closed under it: ask the same upstream on another. */
	void (*again)(struct attempt *attempt);
};

struct upstreams {
	struct upstreams_config config;
	const struct attempt_events *events;
	struct upstream_group *groups;
	bool retired;			   /* others have inherited what it knew */
	struct upstream_numbers **numbers; /* each address once */
	size_t n_numbers;
	/* Each sorted, because all in it have the same time. */
	struct list by_deadline, by_resend[RESENDS];
	struct read_class *reads;
	struct loop_timer timer; /* of the earliest of these */

	uint16_t random[RANDOM_IDS];
	unsigned int random_left;

	struct list udp_idle[2]; /* AF_INET, AF_INET6; longest idle first */
	unsigned int udp_n_idle;
	struct list udp_sending; /* of struct udp_sock: with queries of this turn of the loop */
	struct event udp_flush;
	struct loop_timer upkeep; /* each second */
};

static inline uint64_t upstreams_now(const struct upstreams *ups)
{
	return loop__now(ups->config.loop);
}

static inline void upstreams_count(struct upstreams *ups, enum agent_stat stat)
{
	ups->config.stats->v[stat]++;
}

static inline struct upstreams *exchange_owner(const struct exchange *ex)
{
	return ex->group->owner;
}

/*
 * It was not answered in time; or ended otherwise without an answer. What an address's numbers say
 * of its queries is of clients' alone: of probes there would be failures without requests.
 */
static inline void attempt_count_timeout(const struct attempt *attempt)
{
	upstreams_count(exchange_owner(attempt->exchange), AGENT_STAT_UPSTREAM_TIMEOUTS);
	if (!attempt->exchange->probe)
		attempt->upstream->numbers->v.timeouts++;
}

static inline void attempt_count_error(const struct attempt *attempt)
{
	upstreams_count(exchange_owner(attempt->exchange), AGENT_STAT_UPSTREAM_ERRORS);
	if (!attempt->exchange->probe)
		attempt->upstream->numbers->v.errors++;
}

/* A message of an upstream of @group was no answer to what it was asked. */
static inline void upstream_dropped(const struct upstream_group *group)
{
	const struct upstreams_config *config = &group->owner->config;

	upstreams_count(group->owner, AGENT_STAT_UPSTREAM_MISMATCHES);
	if (config->dropped)
		config->dropped(config->ctx, group->forward);
}

static inline unsigned int upstream_index(const struct upstream *upstream)
{
	return upstream - upstream->group->list;
}

static inline const struct attempt_events *attempt_events(const struct attempt *attempt)
{
	return attempt->upstream->group->owner->events;
}

/* source.c */
/* Unpredictable (getrandom), or -errno. */
int upstreams_random16(struct upstreams *ups);
/* With the forward's source_address, if it has one; 0 or -errno. */
int upstream_bind(const struct upstream *upstream, int fd);

/* reason.c: into upstream->reason; @fd is -1 where there was no connection. */
void upstream_reason(struct upstream *upstream, const char *proto, int fd, int error);
void upstream_reason_tls(struct upstream *upstream, const char *why);

/* health.c */
void upstream_succeeded(struct upstream *upstream, uint64_t sent_ns, uint64_t now);
/* Perhaps once too often: then upstream->went_down fires in the loop's next turn. */
void upstream_failed(struct upstream *upstream);
/* config.changed */
void upstream_tell(struct upstream *upstream, bool up);
void upstream_count_down(struct upstream *upstream, int by);
/* As @old has it; probes begin where it is down. */
void upstream_health_inherit(struct upstream *upstream, const struct upstream *old);
/* Somebody else probes it from now on, and says how it is. */
void upstream_retire(struct upstream *upstream);
size_t upstream_first_choice(struct upstream_group *group);
struct upstream *upstream_choose(struct exchange *exchange);

/* edns.c: what the next query of @ex to @upstream is to have. */
enum edns upstream_edns(const struct exchange *ex, const struct upstream *upstream, uint64_t now);
/* What OPT states; 0: no OPT. */
uint16_t upstream_edns_size(const struct upstreams *ups, enum edns edns);
/* It has lately answered a query with OPT: what it says or does not say is not about that. */
bool upstream_edns_proven(const struct upstream *upstream, uint64_t now);
/* One that has been silent, perhaps because of OPT, and was not asked without it; or NULL. */
const struct upstream *upstream_edns_doubted(const struct exchange *ex, uint64_t now);
/* @msg is an answer to @attempt, which is still open. */
void upstream_edns_learn(const struct attempt *attempt, const uint8_t *msg, size_t len,
			 uint64_t now);

/* query.c: what to send; QUERY_MAX octets of room. The length, or -errno. */
int attempt_query(const struct attempt *attempt, uint8_t *msg, uint16_t id);

/* udp.c */
int upstream_udp_open(struct upstreams *ups);	/* -ENOMEM */
void upstream_udp_close(struct upstreams *ups); /* no query may be open any more */
/*
 * To attempt->upstream, at the end of this turn of the loop; 0 or -errno. What is found to be wrong
 * only then is an event.
 */
int upstream_udp_send(struct attempt *attempt);
int upstream_udp_fd(const struct attempt *attempt);
/* It is over; @clean: the socket may serve again. */
void upstream_udp_release(struct attempt *attempt, bool clean);
/* Close what has been idle since @since_ns or longer. */
void upstream_udp_close_idle(struct upstreams *ups, uint64_t since_ns);

/* tcp.c */
int upstream_tcp_send(struct attempt *attempt);
void upstream_tcp_reason(const struct attempt *attempt, int error);
/* @clean: the connection may serve others on. */
void upstream_tcp_release(struct attempt *attempt, bool clean);
/* Close what has been idle since @since_ns or longer, or is idle and too old. */
void upstream_tcp_close_idle(struct upstream *upstream, uint64_t since_ns, uint64_t now);

int upstream_tcp_fd(const struct attempt *attempt);

/* tell.c: config.exchanged, once. @msg NULL: there is no answer. Before it is released. */
void attempt_tell(struct attempt *attempt, const uint8_t *msg, size_t len);

/* schedule.c */
/* Set the timer for what is due first: after whatever may be due sooner than all before. */
void upstreams_schedule(struct upstreams *ups);
/* A query was sent to @upstream: when the next one is due besides, if at all. */
void exchange_plan_resend(struct exchange *ex, const struct upstream *upstream, uint64_t now);
/* All that were asked refuse, it seems: when they are asked again. */
void exchange_plan_retry(struct exchange *ex, uint64_t now);
/* Is there one that lives and was not asked, @but (may be NULL) apart? */
bool exchange_has_another(const struct exchange *ex, const struct upstream *but);
/* Open attempts of which nothing has been heard; the others are refused, it seems. */
unsigned int exchange_waited_for(const struct exchange *ex);

/* exchange.c */
void attempt_failed(struct attempt *attempt, int error);
void attempt_refused(struct attempt *attempt, int error);
void attempt_again(struct attempt *attempt);
void attempt_release(struct attempt *attempt, bool clean);
/* Into upstream->reason and exchange->error; without a socket, what upstream->reason says. */
void attempt_reason(struct attempt *attempt, int error);
void attempt_once_more(struct exchange *ex, struct upstream *upstream, struct attempt how,
		       uint64_t now);
void exchange_fail_over(struct exchange *ex, const struct upstream *upstream, uint64_t now);
void exchange_finish(struct exchange *ex, struct answer *answer, enum verdict verdict);
void exchange_unlink(struct exchange *exchange);
void upstreams_failed(struct upstream_group *group, uint32_t bits);
/* Ask @upstream alone, once, by upstream->probe, which then ends with @done. */
void exchange_probe(struct upstream *upstream,
		    void (*done)(struct exchange *, struct answer *, enum verdict), uint64_t now);
void exchanges_abandon(struct upstream *upstream, uint64_t now);
void exchanges_timer(void *upstreams, uint64_t now);

/* exchange_received.c */
extern const struct attempt_events exchange_events;

/* probe.c */
void upstream_probe_init(struct upstream *upstream);
void upstream_probe_close(struct upstream *upstream);

#endif /* NODENS_UPSTREAM_PRIV_H */
