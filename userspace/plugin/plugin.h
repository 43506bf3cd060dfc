/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a plugin is: one file of this folder (or of resolver/, for what asks others), one line of
 * the chain in resolver/chain.c.
 *
 * Contract: a question goes down the chain until a plugin's query() answers it; the answer goes up
 * again through the response() of each plugin above that one. Both happen once for all clients that
 * wait for the same question; what differs from client to client is said before, by admit().
 * Single-threaded; a plugin knows nothing of the store, of upstreams,
 * or of other plugins.
 */
#ifndef NODENS_PLUGIN_H
#define NODENS_PLUGIN_H

#include <string.h>
#include <sys/socket.h>

#include "config/corefile.h"
#include "config/plugin_id.h"
#include "dns/answer.h"

struct plugin_client {
	const struct sockaddr *peer, *local; /* AF_INET or AF_INET6 */
	bool tcp;
};

struct plugin_query {
	const struct dns_name *qname; /* lower case */
	uint16_t qtype, qclass;
	uint8_t key_flags;		    /* DO and CD */
	const struct plugin_client *client; /* NULL: nobody in particular asks */
};

enum plugin_result {
	PLUGIN_NEXT,	 /* the next plugin is asked */
	PLUGIN_ANSWER,	 /* this is it */
	PLUGIN_SERVFAIL, /* there is none */
	PLUGIN_LATER,	 /* it will come, or has come already: by way of passage->resume() */
	PLUGIN_EACH,	 /* each client has one of its own: each() */
};

/* What is asked: also what the store keeps the answer under. */
struct question {
	struct dns_name qname; /* lower case */
	uint16_t qtype;
	uint8_t key_flags;
};

/* What one plugin keeps of a passage between query() and response(). */
struct plugin_kept {
	void *own; /* release() frees it */
	/* What response() was given when it asked for something else first; the chain's. */
	struct answer *held;
	enum verdict held_verdict;
	unsigned int n_asked;
};

/* A question on its way down the chain, and its answer on the way up. */
struct passage {
	struct question question;
	bool over_ipv6; /* dns64: its clients asked over IPv6 */
	bool own_only;	/* nobody waits: what can be told without asking others, as for anybody */
	uint64_t now_ns;
	/* Of this round: the question, or what a response() asks for first. */
	struct dns_name qname; /* lower case; before rewrites */
	uint16_t qtype;
	struct plugin_query query; /* as it is by now */
	struct plugin_client client;
	const uint8_t *options; /* of our OPT to upstreams; options_len 0: none */
	size_t options_len;
	bool changed; /* what answers is another question: a rewrite's */

	struct plugin_kept kept[PLUGIN_COUNT];
	/* The answer: the plugin that answers fills it in, those above may put another in its
	 * place. */
	struct answer *answer; /* NULL: there was none to be had */
	enum verdict verdict;
	enum plugin_id by;
	bool exact;	       /* of a line of a hosts file, and not by a wildcard */
	const struct ede *ede; /* goes along, and is never kept; NULL: none */
	uint16_t rcode;	       /* of PLUGIN_SERVFAIL: SERVFAIL, or another error */
	const char *error;     /* why */

	/* What response() wants to be asked first. */
	struct {
		struct dns_name qname; /* lower case */
		uint16_t qtype;
		bool elsewhere; /* of whichever block has the name, and what is cached will do */
	} ask;
};

/* What admit() says to a client at once. */
struct plugin_reply {
	bool drop;	       /* nothing */
	struct answer *answer; /* the caller's to free; NULL: there is no memory for it */
	const struct ede *ede; /* NULL: none */
};

/* For preload(): what a plugin can say before anybody asks, and to whom. */
struct plugin_preload {
	/* A question whose answer is always alike. False: that is enough. */
	bool (*question)(void *ctx, const struct dns_name *qname, uint16_t qtype);
	/*
	 * A suffix at and below which every question is answered NXDOMAIN, or, with
	 * nxdomain->below_only, below which; @nxdomain is that answer, with its SOA, if it has one.
	 * NULL: of no interest. Of those that are not @wanted no answer is made, which costs a
	 * hundred times as much as asking; NULL: all.
	 */
	void (*denied)(void *ctx, const struct dns_name *suffix, const struct answer *nxdomain);
	bool (*wanted)(void *ctx, const struct dns_name *suffix);
	void *ctx;
};

struct plugin_open {
	const struct corefile_block *block; /* outlives what is opened */
	struct corefile_zones zones;	    /* the block's */
	struct upstreams *upstreams;
	struct error *err; /* why it failed; may stay empty */
};

/* Each function but open may be NULL. state: what open made of one block, never NULL. */
struct plugin {
	enum plugin_id id;
	/* *state stays NULL where the block does not have it. -EINVAL, -ENOMEM. */
	int (*open)(const struct plugin_open *open, void **state);
	void (*close)(void *state);

	/* Of each client's query, before the cache. NEXT; ANSWER: *reply is all that it gets. */
	enum plugin_result (*admit)(void *state, const struct plugin_query *query,
				    struct plugin_reply *reply);
	/*
	 * True: not every client may have what the store holds for this question. Then the answer
	 * is put where only the agent finds it.
	 */
	bool (*agent_only)(const void *state, const struct dns_name *qname, uint16_t qtype);
	/* True: upstreams hear of the client who asks. */
	bool (*tells_client)(const void *state);
	/* Do clients over IPv6 get another answer than those over IPv4? @passage NULL: might they,
	 * of this type? */
	bool (*by_family)(const void *state, uint16_t qtype, const struct passage *passage);

	enum plugin_result (*query)(void *state, struct passage *passage);
	/* True: passage->ask is to be asked first. It is called again with the answer to that, and
	 * what it was given now is in kept[].held; or goes on as if it had said false. */
	bool (*response)(void *state, struct passage *passage);
	void (*release)(struct plugin_kept *kept);
	/* -errno: it is answered SERVFAIL. */
	int (*each)(const struct dns_query *query, const struct plugin_client *client,
		    struct answer **out);

	/* Might it say something of its own of a name below @name, or at it? */
	bool (*answers_below)(const void *state, const struct dns_name *name);
	void (*preload)(void *state, const struct plugin_preload *to);
	/* How many names it has a list of; NULL: it has none but what the Corefile says. */
	size_t (*lists)(const void *state);
	bool (*has)(const void *state, const struct dns_name *name); /* is it in that list? */
	/* Looks whether the list has changed: 1: it has; 0; -errno. */
	int (*reload)(void *state, uint64_t now_ns);
};

static inline enum plugin_result plugin__fail(struct passage *passage, uint16_t rcode,
					      const char *error)
{
	passage->rcode = rcode;
	passage->error = error;
	return PLUGIN_SERVFAIL;
}

/* SERVFAIL, or nothing at all. */
static inline bool plugin__failed(const struct answer *answer)
{
	return !answer || (answer->flags & DNS_RCODE) == DNS_SERVFAIL;
}

/* Another answer in place of the one there is. */
static inline void plugin__replace(struct passage *passage, struct answer *answer)
{
	answer__free(passage->answer);
	passage->answer = answer;
}

/* Of our own answer, for the cache. */
static inline enum verdict plugin__verdict(const struct answer *answer)
{
	return (answer->flags & DNS_RCODE) == DNS_NOERROR && answer->count[DNS_ANSWER_SECTION]
		       ? VERDICT_POSITIVE
		       : VERDICT_NEGATIVE;
}

/* Is the name in one of the zones? @otherwise: what no zones stand for. */
static inline bool plugin__in_zones(const struct corefile_zones *zones, const struct dns_name *name,
				    bool otherwise)
{
	for (size_t i = 0; i < zones->len; i++) {
		if (dns_name__within(name, &zones->list[i].name))
			return true;
	}
	return !zones->len && otherwise;
}

/* @addr: 4 or 16 octets. */
static inline bool plugin__in_subnet(const struct corefile_subnet *subnet, int family,
				     const uint8_t *addr)
{
	unsigned int whole = subnet->bits / 8, rest = subnet->bits % 8;

	if (family != subnet->family || memcmp(subnet->addr, addr, whole))
		return false;
	return !rest || !((subnet->addr[whole] ^ addr[whole]) >> (8 - rest));
}

static inline bool plugin__falls_through(const struct corefile_fallthrough *fallthrough,
					 const struct dns_name *name)
{
	return fallthrough->on && plugin__in_zones(&fallthrough->zones, name, true);
}

#endif /* NODENS_PLUGIN_H */
