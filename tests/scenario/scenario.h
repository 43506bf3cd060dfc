/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One scenario: nodens below the agent, its clients and its upstreams, in a loop whose time the
 * script moves.
 *
 * Contract: one scenario a process; what goes wrong ends it (scene_fail). Messages are built and
 * read by ldns, so that nodens does not agree with itself.
 */
#ifndef NODENS_SCENARIO_H
#define NODENS_SCENARIO_H

#include <event2/event_struct.h>
#include <ldns/ldns.h>
#include <netinet/in.h>

#include "base/counters.h"
#include "base/list.h"
#include "nodens_abi.h"
#include "transport/stream.h"
#include "virtual_loop.h"

struct corefile;
struct generation;
struct server;
struct store;

#define WORDS_MAX 32

/* Who has asked us, and whom we may ask. */
struct client_peer {
	struct list link;
	struct scene *scene;
	char name[32];
	int fd;
	struct event readable;
	struct stream *stream; /* NULL: no connection is open */
	struct list replies;   /* struct reply, unseen */
	uint16_t id;
};

struct reply {
	struct list link;
	uint64_t at_ns;
	ldns_pkt *pkt;
};

enum mood { ANSWERS, IS_SILENT, REFUSES };

struct upstream_peer {
	struct list link;
	struct scene *scene;
	char name[32];
	uint16_t port;
	int fd, listener; /* -1: closed, as it refuses */
	struct event readable, acceptable;
	enum mood mood;
	uint64_t delay_ns;
	int rcode;	/* of every answer; -1: what the records say */
	bool truncates; /* over UDP */
	bool drops_opt, refuses_opt;
	ldns_rr_list *records;
	struct list denied;  /* struct denial */
	struct list queries; /* struct asked, unseen */
	struct list connections, under_way;
};

/* A name with an rcode of its own. */
struct denial {
	struct list link;
	char name[256];
	int rcode;
	uint32_t ttl_s;
};

struct asked {
	struct list link;
	uint64_t at_ns;
	char name[256], type[16];
	bool tcp, dnssec_ok, checking_disabled, probe;
	int opt; /* size; 0: none */
};

struct scene {
	const char *file;
	unsigned int line;
	char text[512]; /* of the line, for errors */

	struct virtual_loop v;
	uint64_t began_ns, stopwatch_ns;
	struct list clients, upstreams;
	/* datagrams; unaccounted: some went to nodens itself, or to a closed port */
	uint64_t sent_to_nodens, sent_to_clients, got_by_clients, got_by_upstreams;
	bool unaccounted;

	struct agent_stats stats;
	struct nodens_ctl ctl;
	struct generation *gen; /* at work; older ones drain */
	struct store *store;
	struct server *server;
	uint16_t port; /* both UDP and TCP */
	struct loop_timer tick, second;
	char loop_zone[256]; /* in which one was seen */
};

/* main.c */
void scene_fail(const struct scene *scene, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));
/* "1.8s" from nanoseconds; the text is valid until the third call after this. */
const char *scene_time(uint64_t ns);

/* steps.c */
void scene_step(struct scene *scene, char **words, int n);
/* What nobody has looked at is an error. */
void scene_end(struct scene *scene);
void scene_free(struct scene *scene);
uint64_t step_duration(const struct scene *scene, const char *word);
uint32_t step_number(const struct scene *scene, const char *word);
/* As ldns writes names: with a dot at its end, lower case. */
void step_name(const struct scene *scene, const char *word, char name[256]);

/* nodens.c: @text is a Corefile in which $NAME stands for an upstream. */
void nodens_open(struct scene *scene, const char *text);
void nodens_reload(struct scene *scene, const char *text);
void nodens_close(struct scene *scene);
uint64_t nodens_counter(const struct scene *scene, const char *name);
struct probe_stats;
/* @via: "node", or an upstream's name. False: it has not been asked so far. */
bool nodens_probe(struct scene *scene, const char *name, const char *via, struct probe_stats *out);
enum served { PASSED, SERVED, SERVED_STALE };
/* What the programs would do with this question; @hits: they have answered it so often. */
enum served nodens_programs(struct scene *scene, const char *name, const char *type, uint32_t hits);

/* client.c: words after its name. */
void client_step(struct client_peer *client, char **words, int n);
void client_free(struct client_peer *client);
/* The replies that nobody has seen, in words; NULL: there are none. */
const char *client_unseen(const struct client_peer *client);

/* knowledge.c: words after the verb; a message in memory of its own. */
void upstream_has(struct upstream_peer *peer, char **words, int n);
void upstream_forgets(struct upstream_peer *peer, const char *word);
uint8_t *upstream_answer(const struct upstream_peer *peer, const struct asked *asked,
			 const ldns_pkt *query, size_t *len);
int upstream_rcode(const char *word); /* -1: it is none */

/* upstream.c: words after its name. */
struct upstream_peer *upstream_peer(struct scene *scene, const char *name); /* made if need be */
void upstream_step(struct upstream_peer *peer, char **words, int n);
void upstream_free(struct upstream_peer *peer);
/* What it was asked so far counts as seen. */
void upstream_forget(struct upstream_peer *peer);
const char *upstream_unseen(const struct upstream_peer *peer);

#endif /* NODENS_SCENARIO_H */
