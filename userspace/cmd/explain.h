/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What `nodens explain` finds on the way of a question through this node.
 *
 * Contract: the steps are in the order in which they decide; each says what is so, in printable
 * text, and the first that decides is the verdict. explain__walk() reads; explain__ask() sends
 * queries.
 */
#ifndef NODENS_EXPLAIN_H
#define NODENS_EXPLAIN_H

#include <jansson.h>

#include "cmd/status.h"
#include "config/nodecache.h"
#include "dns/name.h"

enum explain_by {
	EXPLAIN_OPEN, /* not decided yet */
	EXPLAIN_KERNEL,
	EXPLAIN_AGENT,	  /* of its own: hosts, template... */
	EXPLAIN_UPSTREAM, /* which it asks */
	EXPLAIN_CLUSTER,  /* it passes by */
	EXPLAIN_BEHIND,	  /* likewise, in mode front */
	EXPLAIN_NOBODY,	  /* refused, dropped */
};
extern const char *const explain_by_names[EXPLAIN_NOBODY + 1];

struct explain_step {
	const char *name;
	bool decides;
	char text[512];
};

#define EXPLAIN_STEPS 24
#define EXPLAIN_ASKED (COREFILE_TO_MAX + 1)

/* What one server said to the question. */
struct explain_asked {
	char to[SOCKADDR_TEXT];
	bool path;	  /* the served address, by this node's routes; else an upstream */
	char answer[256]; /* rcode and records, sorted, without TTLs; or what went wrong */
	bool asked;	  /* else answer says why it was not */
	bool failed, differs;
	double ms;
};

struct explain {
	/* what is asked */
	struct dns_name qname; /* lower case */
	uint16_t qtype;
	const char *bpffs, *conf, *pod, *cni_results;
	/* what is known */
	struct status status;
	struct conf config; /* cf NULL: it could not be read */
	const struct corefile_forward *forward;
	struct dns_name up_qname; /* what its upstreams are asked: a rewrite may have changed it */
	uint16_t up_qtype;
	const char *own;     /* the plugin that answers, or refuses, before any upstream is asked */
	const char *changes; /* the plugin that may make another answer of an upstream's */
	/* what came out */
	struct explain_step steps[EXPLAIN_STEPS];
	size_t n_steps;
	enum explain_by by;
	bool by_sockets;   /* past the programs, to the agent's sockets */
	bool agent_has_it; /* in the store, where no program finds it, or sees the question */
	struct explain_asked asked[EXPLAIN_ASKED];
	size_t n_asked;
};

/* -1: walked; else an exit status, and it has been said why. explain__free() in any case. */
int explain__walk(struct explain *ex);
void explain__free(struct explain *ex);
/* The served address, and each upstream of ex->forward. */
void explain__ask(struct explain *ex);

/* explain_configuration.c: ex->config, as the agent would read it now; a step where that is not
 * what it works with. */
void explain_configuration(struct explain *ex);

/* explain_config.c: what the blocks make of the question. @client NULL: it is not known who asks.
 */
void explain_blocks(struct explain *ex, const struct sockaddr *client);

/* explain_step.c: what is so; @by: who answers because of it, unless a step before decided. */
void explain_step(struct explain *ex, const char *name, enum explain_by by, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif /* NODENS_EXPLAIN_H */
