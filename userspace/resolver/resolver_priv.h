/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of this folder share.
 *
 * Contract: resolver.c takes queries and knows what is cached; inflight.c holds a question that is
 * not, for all who ask it; chain.c carries it through the block's plugins; finish.c ends it:
 * reply.c sends replies, keep.c says what is kept, stale.c knows what has expired, nxdomain.c
 * learns from answers below which names nothing exists; loop.c finds out whether we ask ourselves;
 * preload.c puts what blocks answer themselves into the store; client_device.c knows the device of
 * a client.
 */
#ifndef NODENS_RESOLVER_PRIV_H
#define NODENS_RESOLVER_PRIV_H

#include "base/share.h"
#include "plugin/plugin.h"
#include "resolver/resolver.h"

#define BUCKETS	    8192
#define MAX_WAITING 16384 /* all questions together; some 400 bytes each */
/* One question: above what one client may have, so that nobody keeps others from a slow name. */
#define QUESTION_WAITING (MAX_WAITING / 4)
/* One client's part of what would make the agent turn others away; not fewer than the least. */
#define CLIENT_EXCHANGES(shed_above) ((shed_above) / 4)
#define CLIENT_WAITING		     (MAX_WAITING / 16)
#define CLIENT_LEAST		     64
#define UNANSWERED		     1024 /* questions remembered; an older one gives way */

struct waiting {
	struct waiting *next;
	struct client client;
	struct dns_query query;
	uint64_t since_ns;
	struct share *share; /* of resolver->waiting */
};

/*
 * A question on its way through the chain: down to the plugin that answers it, and up again.
 * chain.c's, but for what forward.c keeps.
 */
struct way {
	struct passage passage; /* what plugins see of it */
	struct resolver *resolver;
	struct server_block *sb; /* the question's */
	/* Whose plugins below @asker are asked: of a CNAME's target; else sb. */
	struct server_block *asked;
	size_t at, asker; /* places in chain_plugins: who is asked; who asked first */
	uint64_t hash;	  /* inflight_hash() of the question */
	/* forward_plugin's: it has the answer in passage, or the error. */
	void (*resume)(struct way *way, enum plugin_result result);
	/* The end: ANSWER, SERVFAIL or EACH. The way is the callee's. */
	void (*done)(struct way *way, enum plugin_result result);

	struct exchange exchange;
	const struct forwards *forwards;
	const struct corefile_forward *forward; /* being asked */
	uint64_t forwards_asked;		/* bits of the block's, for next */
};

/* What the agent itself wants to know by a question. */
struct agent_asks {
	unsigned int probe;	      /* bits: nxdomain_policy.h */
	bool loop;		      /* loop.c */
	struct dns_name nx_below_for; /* a name below it that does not exist; len 0: none */
};

/* A question being resolved, and the queries that wait for it: none where the agent itself asks. */
struct inflight {
	struct way way;
	struct inflight *next; /* in its bucket */
	uint64_t since_ns;
	size_t zone;	     /* of the block's zones */
	struct share *share; /* of resolver->exchanges, of the client who asked first; or NULL */
	struct client asker; /* whose words rewrites may put into the query; peer AF_UNSPEC: none */
	struct waiting *first, **last;
	unsigned int n_waiting;
	struct loop_timer stale; /* then a stale answer is sent: RFC 8767, 5 */
	struct agent_asks asks;
};

struct loop_probe {
	struct dns_name name; /* len 0: none is being watched for */
	uint64_t until_ns;
	bool answered;
	unsigned int back; /* came back so far, each by a name of its own */
};

/*
 * Questions whose upstreams had nothing better than what has expired, by their hash. All clients'
 * together; who comes later takes a place that is taken, and the former is asked for again sooner.
 */
#define RECHECKS 1024

struct recheck {
	uint64_t hash, until_ns;
};

/* A question that went unanswered, by its hash alone: one in 2^64 is taken for another. */
struct unanswered {
	uint64_t hash, until_ns;
};

/* A client's device (client_device.c); one place for each hash. */
#define KNOWN_DEVICES 256

struct known_device {
	struct served_addr addr;
	uint32_t device;
	uint64_t until_ns;
};

#define SPARE_INFLIGHTS \
	256 /* kept for the next questions: 3 KB each, too many for malloc()'s cache */

struct resolver {
	struct resolver_config config;
	struct server_block *blocks; /* one a block */
	size_t n_blocks;
	struct inflight *buckets[BUCKETS]; /* clients choose the questions: base/secret_hash.h */
	unsigned int n_inflight, n_waiting;
	struct inflight *spare; /* by their next */
	unsigned int n_spare;
	struct known_device devices[KNOWN_DEVICES];
	struct recheck rechecks[RECHECKS];
	struct shares waiting, exchanges; /* what each client has of n_waiting and n_inflight */
	unsigned int client_exchanges;	  /* the most of one address */
	struct unanswered unanswered[UNANSWERED];
	uint32_t rotate;
	bool overloaded;
	void (*done)(struct way *way, enum plugin_result result); /* of each question in flight */
	struct nx_below *nx_below;
	struct loop_probe *loops; /* one a block */
	bool owns_store;
	uint64_t static_look_ns;
	uint8_t msg[DNS_MAX_MSG];
};

static inline uint64_t resolver_now(const struct resolver *resolver)
{
	return loop__now(resolver->config.loop);
}

static inline void resolver_count(struct resolver *resolver, enum agent_stat stat)
{
	resolver->config.stats->v[stat]++;
}

/* What became of a client's query; those of the agent itself count as no client's. */
static inline void resolver_count_client(struct resolver *resolver, const struct client *client,
					 enum agent_stat stat)
{
	if (!client->probe)
		resolver_count(resolver, stat);
}

/* reply.c */
/* To the client; @len 0: nothing. */
void resolver_send(struct resolver *resolver, const struct client *client, const uint8_t *msg,
		   size_t len);
/* There is no reply to what *event says. */
void resolver_drop(struct resolver *resolver, struct resolver_event *event, uint64_t since_ns);
/* Send @answer, of which *event says the rest. */
void resolver_reply(struct resolver *resolver, struct resolver_event *event,
		    const struct answer *answer, uint32_t ttl_s, uint64_t since_ns);
void resolver_reply_rcode(struct resolver *resolver, struct resolver_event *event, uint16_t rcode,
			  uint64_t since_ns);
struct resolver_event reply_event(const struct inflight *flight, const struct waiting *waiting,
				  enum plugin_id plugin);
/* To all who wait, who wait no longer then. @answer NULL: SERVFAIL, @error says why. */
void reply_all(struct inflight *flight, const struct answer *answer, uint32_t ttl_s,
	       enum plugin_id plugin, bool stale, const char *error);
void reply_waiting_free(struct waiting *waiting);
void reply_waiting_gone(struct inflight *flight);
/* Two thresholds, so that the flag does not flutter. */
void resolver_update_shed(struct resolver *resolver);

/* stale.c */
/*
 * With a RECHECK: is a new answer being asked for, or was it in vain just now? Then what has
 * expired is sent at once.
 */
bool stale_rechecks(const struct resolver *resolver, const struct server_block *sb,
		    const struct question *question, uint64_t now);
/* A stale answer that may be sent at once; the store asks for a new one by itself. NULL: none. */
const struct answer *stale_find(struct resolver *resolver, const struct server_block *sb,
				const struct question *q, uint64_t now);
/* The question is in flight: what has expired is sent if that takes too long. */
void stale_plan(struct resolver *resolver, const struct server_block *sb, const struct question *q,
		uint64_t now);
/* An attempt was in vain. True: all who wait have been answered with what has expired. */
bool stale_end(struct inflight *flight, uint64_t now);
/* Is what is known from before kept in place of what denies it (serve_stale_policy)? */
bool stale_keeps_positive(const struct inflight *flight, enum verdict verdict, uint64_t now);
/* Upstreams know better than what has expired, though that is not to be kept. */
void stale_drop(const struct inflight *flight, uint64_t now);

/* client_device.c */
/* The ifindex; 0: not known. */
uint32_t client_device(struct resolver *resolver, const struct client *client, uint64_t now);

/* inflight.c */
/*
 * Resolve @question for @client (copied), or for the agent itself: NULL. 0; -EBUSY, -ENOMEM: too
 * many are under way, -EDQUOT: too many of this client's; nobody has been replied to.
 */
struct inflight_start {
	struct server_block *sb;
	size_t zone;
	const struct question *question;
	const struct client *client; /* NULL: the agent asks */
	const struct client *asker; /* the client, or on whose behalf the agent asks; may be NULL */
	const struct dns_query *query;
	bool alone;		       /* no other client's answer will do */
	const struct agent_asks *asks; /* NULL: a client's question, and nothing besides */
};
int inflight_start(struct resolver *resolver, const struct inflight_start *start, uint64_t now);
uint64_t inflight_hash(const struct resolver *resolver, const struct server_block *sb,
		       const struct question *q);
struct inflight *inflight_find(struct resolver *resolver, uint64_t hash,
			       const struct server_block *sb, const struct question *q);
/* Out of the table: who asks the same from here on begins anew. */
void inflight_unlink(struct inflight *flight);
void inflight_free(struct inflight *flight);
void inflight_close_all(struct resolver *resolver);

/* finish.c */
/* What becomes of a question at its end, and of those who wait for it; it is gone then. */
void resolver_finish(struct way *way, enum plugin_result result);

/* server_block.c */
/* Another block answers for a part of what lies below @suffix. */
bool resolver_divided(const struct resolver *resolver, const struct server_block *sb,
		      const struct dns_name *suffix);

/* chain.c */
extern const struct plugin *const chain_plugins[]; /* in the order of the way down */
extern const size_t chain_len;
/*
 * The question of way->passage, from the first plugin on; sb, resolver and done are set. done is
 * called, perhaps before this returns.
 */
void chain_run(struct way *way);
void chain_release(struct way *way);
/* Of each client's query: NEXT, or ANSWER: *by has filled in *reply. */
enum plugin_result chain_admit(const struct server_block *sb, const struct plugin_query *query,
			       struct plugin_reply *reply, enum plugin_id *by);
/* Is what the store has for this question not for every client? Then programs must not find it. */
bool chain_agent_only(const struct server_block *sb, const struct dns_name *qname, uint16_t qtype);
/* Might a plugin before @until (NULL: any) say something of its own of a name below @name? */
bool chain_answers_below(const struct server_block *sb, const struct dns_name *name,
			 const struct plugin *until);
/* Do clients over IPv6 get another answer than others? @passage NULL: might they? */
bool chain_by_family(const struct server_block *sb, uint16_t qtype, const struct passage *passage);
/* Does a plugin's list have the name? */
bool chain_has(const struct server_block *sb, const struct dns_name *name);

/* forward.c */
extern const struct plugin forward_plugin;

/* nxdomain.c */
/* What came of @flight's question; NULL: nothing. Before the answer is stored. */
void resolver_nx_below_learn(struct inflight *flight, const struct answer *answer,
			     enum verdict verdict, uint64_t now);
/* @flight ends otherwise. */
void resolver_nx_below_forget(struct inflight *flight);
/* Is whoever denies @name the one to ask for all names below it, too? */
bool resolver_nx_below_may(const struct resolver *resolver, const struct server_block *sb,
			   const struct dns_name *name);
void resolver_nx_below_tick(struct resolver *resolver, uint64_t now);

/* unanswered.c */
/* Did nobody answer the question with this hash a moment ago? */
bool unanswered_lately(const struct resolver *resolver, uint64_t hash, uint64_t now);
/* What came of it; NULL: nothing. True: nobody answered, which is to be kept. */
bool unanswered_learn(struct inflight *flight, const struct answer *answer, uint64_t now);
/* That as an answer to store; NULL: the block keeps none. */
struct answer *unanswered_keep(const struct inflight *flight, struct store_put *how);

/* loop.c */
/* Is this query a probe of ours that came back? */
void resolver_loop_look(struct resolver *resolver, const struct question *q,
			const struct client *client, uint64_t now);
/* A probe was answered, by somebody else. */
void resolver_loop_answered(struct resolver *resolver, const struct server_block *sb);
void resolver_loop_tick(struct resolver *resolver, uint64_t now);

/* preload.c */
/* An entry put there is to be put again; false: it is not one of them. */
bool resolver_static_refresh(struct resolver *resolver, const struct store_question *question,
			     uint64_t now);
void resolver_static_tick(struct resolver *resolver, uint64_t now);

#endif /* NODENS_RESOLVER_PRIV_H */
