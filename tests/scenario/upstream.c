// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Upstreams: what they are asked, what they know, and how they misbehave. Contract: scenario.h.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "scenario.h"

#define QUERY_MAX 1024
#define ANY	  UINT64_MAX

/* One connection that nodens made. */
struct connection {
	struct list link;
	struct upstream_peer *peer;
	struct stream *stream; /* NULL: closed */
	bool lost;	       /* nothing comes through any more, and nobody says so */
};

/* An answer on its way. */
struct sent {
	struct list link;
	struct loop_timer timer;
	struct upstream_peer *peer;
	struct connection *connection; /* NULL: over UDP */
	struct sockaddr_in to;
	uint8_t *msg;
	size_t len;
};

/* ---- the wire ---- */

static void sent_free(struct sent *sent)
{
	list__del(&sent->link);
	loop_timer__stop(&sent->timer);
	free(sent->msg);
	free(sent);
}

static void deliver(void *ctx, uint64_t now)
{
	struct sent *sent = ctx;

	(void)now;
	if (sent->connection && sent->connection->stream)
		stream__send(sent->connection->stream, sent->msg, sent->len);
	else if (!sent->connection && sent->peer->fd >= 0)
		sendto(sent->peer->fd, sent->msg, sent->len, 0, (struct sockaddr *)&sent->to,
		       sizeof(sent->to));
	sent_free(sent);
}

static struct asked *note(struct upstream_peer *peer, const ldns_pkt *query, bool tcp)
{
	const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(query), 0);
	struct asked *asked = calloc(1, sizeof(*asked));
	char *name = ldns_rdf2str(ldns_rr_owner(question));
	char *type = ldns_rr_type2str(ldns_rr_get_type(question));

	step_name(peer->scene, name, asked->name);
	snprintf(asked->type, sizeof(asked->type), "%s", type);
	asked->at_ns = peer->scene->v.now_ns;
	asked->tcp = tcp;
	asked->probe = !strcmp(asked->name, ".") && !strcmp(type, "NS");
	asked->opt = ldns_pkt_edns(query) ? ldns_pkt_edns_udp_size(query) : 0;
	asked->dnssec_ok = asked->opt && ldns_pkt_edns_do(query);
	asked->checking_disabled = ldns_pkt_cd(query);
	list__append(&peer->queries, &asked->link);
	free(name);
	free(type);
	return asked;
}

static void take_query(struct upstream_peer *peer, struct connection *connection,
		       const struct sockaddr_in *from, const uint8_t *msg, size_t len)
{
	const struct asked *asked;
	struct sent *sent;
	ldns_pkt *query;

	if (ldns_wire2pkt(&query, msg, len) != LDNS_STATUS_OK ||
	    ldns_rr_list_rr_count(ldns_pkt_question(query)) != 1)
		scene_fail(peer->scene, "%s got a message that ldns cannot read", peer->name);
	asked = note(peer, query, connection != NULL);
	if (peer->mood == ANSWERS && !(asked->opt && peer->drops_opt)) {
		sent = calloc(1, sizeof(*sent));
		sent->peer = peer;
		sent->connection = connection;
		if (from)
			sent->to = *from;
		sent->msg = upstream_answer(peer, asked, query, &sent->len);
		list__append(&peer->under_way, &sent->link);
		loop_timer__init(&sent->timer, &peer->scene->v.loop, deliver, sent);
		if (peer->delay_ns)
			loop_timer__set(&sent->timer, peer->delay_ns);
		else
			deliver(sent, 0);
	}
	ldns_pkt_free(query);
}

static void on_datagram(evutil_socket_t fd, short what, void *ctx)
{
	struct upstream_peer *peer = ctx;
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	uint8_t msg[QUERY_MAX];
	ssize_t n =
		recvfrom(fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

	(void)what;
	if (n < 0)
		return;
	peer->scene->got_by_upstreams++;
	take_query(peer, NULL, &from, msg, n);
}

static void on_message(void *ctx, const uint8_t *msg, size_t len)
{
	struct connection *connection = ctx;

	if (!connection->lost)
		take_query(connection->peer, connection, NULL, msg, len);
}

/* The rest stays: an answer may be on its way to it. */
static void on_closed(void *ctx, int error)
{
	struct connection *connection = ctx;

	(void)error;
	stream__free(connection->stream);
	connection->stream = NULL;
}

static void on_accept(evutil_socket_t fd, short what, void *ctx)
{
	static const struct stream_ops ops = { .message = on_message, .closed = on_closed };
	struct upstream_peer *peer = ctx;
	struct connection *connection = calloc(1, sizeof(*connection));
	int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	connection->peer = peer;
	list__append(&peer->connections, &connection->link);
	if (conn < 0 || stream__open(peer->scene->v.loop.events, conn, false, &ops, connection,
				     &connection->stream))
		scene_fail(peer->scene, "%s cannot accept: %s", peer->name, strerror(errno));
}

static int bound(int type, uint16_t *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(*port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int on = 1, fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    (type == SOCK_STREAM && listen(fd, 16))) {
		close(fd);
		return -1;
	}
	getsockname(fd, (struct sockaddr *)&addr, &len);
	*port = ntohs(addr.sin_port);
	return fd;
}

/* One port for both; by chance the second may be taken. */
static void open_ports(struct upstream_peer *peer)
{
	struct event_base *events = peer->scene->v.loop.events;
	uint16_t port;

	if (peer->fd >= 0)
		return;
	for (int tries = 0; tries < 16 && peer->listener < 0; tries++) {
		port = peer->port;
		peer->fd = bound(SOCK_DGRAM, &port);
		if (peer->fd >= 0)
			peer->listener = bound(SOCK_STREAM, &port);
		if (peer->fd >= 0 && peer->listener < 0)
			close(peer->fd);
	}
	if (peer->listener < 0)
		scene_fail(peer->scene, "no port for %s", peer->name);
	peer->port = port;
	event_assign(&peer->readable, events, peer->fd, EV_READ | EV_PERSIST, on_datagram, peer);
	event_add(&peer->readable, NULL);
	event_assign(&peer->acceptable, events, peer->listener, EV_READ | EV_PERSIST, on_accept,
		     peer);
	event_add(&peer->acceptable, NULL);
}

/* As when its process ends: the connections as well. */
static void close_ports(struct upstream_peer *peer)
{
	if (peer->fd < 0)
		return;
	for (struct list *node = peer->connections.next; node != &peer->connections;
	     node = node->next) {
		struct connection *connection = list_entry(node, struct connection, link);

		stream__free(connection->stream);
		connection->stream = NULL;
	}
	event_del(&peer->readable);
	event_del(&peer->acceptable);
	close(peer->fd);
	close(peer->listener);
	peer->fd = peer->listener = -1;
}

struct upstream_peer *upstream_peer(struct scene *scene, const char *name)
{
	struct upstream_peer *peer;

	for (struct list *node = scene->upstreams.next; node != &scene->upstreams;
	     node = node->next) {
		peer = list_entry(node, struct upstream_peer, link);
		if (!strcmp(peer->name, name))
			return peer;
	}
	peer = calloc(1, sizeof(*peer));
	snprintf(peer->name, sizeof(peer->name), "%s", name);
	peer->scene = scene;
	peer->fd = peer->listener = peer->rcode = -1;
	peer->records = ldns_rr_list_new();
	list__init(&peer->denied);
	list__init(&peer->queries);
	list__init(&peer->connections);
	list__init(&peer->under_way);
	list__append(&scene->upstreams, &peer->link);
	open_ports(peer);
	return peer;
}

/* ---- what it was asked ---- */

static void asked_text(const struct upstream_peer *peer, const struct asked *asked, char *text,
		       size_t size)
{
	snprintf(text, size, "%s %s%s%s%s", asked->name, asked->type, asked->tcp ? " tcp" : "",
		 asked->dnssec_ok ? " do" : "", asked->checking_disabled ? " cd" : "");
	if (asked->opt)
		snprintf(text + strlen(text), size - strlen(text), " opt %d", asked->opt);
	snprintf(text + strlen(text), size - strlen(text), " at %s",
		 scene_time(asked->at_ns - peer->scene->stopwatch_ns));
}

/* Probes, or what is none; NULL: there are none. */
static const char *unseen(const struct upstream_peer *peer, bool probes)
{
	static char text[2000];

	*text = '\0';
	for (struct list *node = peer->queries.next; node != &peer->queries; node = node->next) {
		const struct asked *asked = list_entry(node, struct asked, link);
		size_t len = strlen(text);

		if (asked->probe != probes || len > sizeof(text) - 400)
			continue;
		if (len)
			len += snprintf(text + len, sizeof(text) - len, "; ");
		asked_text(peer, asked, text + len, sizeof(text) - len);
	}
	return *text ? text : NULL;
}

const char *upstream_unseen(const struct upstream_peer *peer)
{
	return unseen(peer, false);
}

void upstream_forget(struct upstream_peer *peer)
{
	while (!list__empty(&peer->queries)) {
		struct list *node = peer->queries.next;

		list__del(node);
		free(list_entry(node, struct asked, link));
	}
}

struct expected {
	const char *name, *type; /* NULL: a probe */
	bool tcp, dnssec_ok, checking_disabled, timed;
	int opt; /* -1: any */
	uint64_t at_ns, times;
};

static void read_how(const struct upstream_peer *peer, struct expected *e, char **words, int n)
{
	const struct scene *scene = peer->scene;

	for (int i = 0; i < n; i++) {
		if (!strcmp(words[i], "tcp")) {
			e->tcp = true;
		} else if (!strcmp(words[i], "do")) {
			e->dnssec_ok = true;
		} else if (!strcmp(words[i], "cd")) {
			e->checking_disabled = true;
		} else if (!strcmp(words[i], "opt")) {
			e->opt = step_number(scene, words[++i]);
		} else if (!strcmp(words[i], "at")) {
			e->at_ns = step_duration(scene, words[++i]);
			e->timed = true;
		} else if (i + 1 < n && !strcmp(words[i + 1], "times")) {
			e->times = strcmp(words[i], "any") ? step_number(scene, words[i]) : ANY;
			i++;
		} else {
			scene_fail(scene, "%s: tcp, do, cd, opt SIZE, at TIME, N (or any) times",
				   words[i]);
		}
	}
}

static struct asked *find(const struct upstream_peer *peer, const struct expected *e)
{
	for (struct list *node = peer->queries.next; node != &peer->queries; node = node->next) {
		struct asked *asked = list_entry(node, struct asked, link);

		if (e->name ? !strcmp(asked->name, e->name) && !strcmp(asked->type, e->type)
			    : asked->probe)
			return asked;
	}
	return NULL;
}

static void check_asked(const struct upstream_peer *peer, const struct expected *e)
{
	const struct scene *scene = peer->scene;
	struct asked *asked = find(peer, e);
	const char *other;
	char text[400];

	if (!asked)
		scene_fail(scene, "expected %s, got %s", e->name ? "to be asked that" : "a probe",
			   other ? other : "nothing");
	asked_text(peer, asked, text, sizeof(text));
	if (asked->tcp != e->tcp || asked->dnssec_ok != e->dnssec_ok ||
	    asked->checking_disabled != e->checking_disabled ||
	    (e->opt >= 0 && asked->opt != e->opt))
		scene_fail(scene, "it was asked otherwise: %s", text);
	if (e->timed && asked->at_ns != scene->stopwatch_ns + e->at_ns)
		scene_fail(scene, "expected it at %s: %s", scene_time(e->at_ns), text);
	list__del(&asked->link);
	free(asked);
}

static void is_asked(struct upstream_peer *peer, char **words, int n, bool probe)
{
	struct expected e = { .opt = -1, .times = 1 };
	char name[256];

	if (!probe) {
		if (n < 2)
			scene_fail(peer->scene, "is asked NAME TYPE");
		step_name(peer->scene, words[0], name);
		e.name = name;
		e.type = words[1];
	}
	read_how(peer, &e, words + (probe ? 0 : 2), n - (probe ? 0 : 2));
	for (uint64_t i = 0; i < e.times && (e.times != ANY || find(peer, &e)); i++)
		check_asked(peer, &e);
}

static void is_not(const struct upstream_peer *peer, bool probe)
{
	const char *got = unseen(peer, probe);

	if (got)
		scene_fail(peer->scene, "expected nothing, got %s", got);
}

/* ---- connections ---- */

static void has_connections(const struct upstream_peer *peer, const char *number)
{
	uint32_t want = step_number(peer->scene, number), n = 0;

	for (struct list *node = peer->connections.next; node != &peer->connections;
	     node = node->next)
		n += list_entry(node, struct connection, link)->stream != NULL;
	if (n != want)
		scene_fail(peer->scene, "expected %u, got %u", want, n);
}

static void lose_connections(struct upstream_peer *peer)
{
	for (struct list *node = peer->connections.next; node != &peer->connections;
	     node = node->next)
		list_entry(node, struct connection, link)->lost = true;
}

/* ---- steps ---- */

static void set_mood(struct upstream_peer *peer, enum mood mood)
{
	peer->mood = mood;
	peer->rcode = -1;
	peer->delay_ns = 0;
	peer->truncates = peer->drops_opt = peer->refuses_opt = false;
	if (mood == REFUSES) {
		peer->scene->unaccounted = true;
		close_ports(peer);
	} else {
		open_ports(peer);
	}
}

static bool line_is(char **words, int n, const char *text)
{
	char line[256] = "";

	for (int i = 0; i < n && strlen(line) + strlen(words[i]) < sizeof(line) - 2; i++) {
		strcat(line, i ? " " : "");
		strcat(line, words[i]);
	}
	return !strcmp(line, text);
}

/* How it behaves from here on. False: the line says nothing of that. */
static bool behaves(struct upstream_peer *peer, char **words, int n)
{
	static const struct {
		const char *line;
		enum mood mood;
		bool truncates, drops_opt, refuses_opt;
	} moods[] = {
		{ .line = "answers" },
		{ .line = "is silent", .mood = IS_SILENT },
		{ .line = "refuses", .mood = REFUSES },
		{ .line = "truncates", .truncates = true },
		{ .line = "drops OPT", .drops_opt = true },
		{ .line = "refuses OPT", .refuses_opt = true },
	};

	for (size_t i = 0; i < sizeof(moods) / sizeof(moods[0]); i++) {
		if (!line_is(words, n, moods[i].line))
			continue;
		set_mood(peer, moods[i].mood);
		peer->truncates = moods[i].truncates;
		peer->drops_opt = moods[i].drops_opt;
		peer->refuses_opt = moods[i].refuses_opt;
		return true;
	}
	if (n == 3 && line_is(words, 2, "answers after")) {
		set_mood(peer, ANSWERS);
		peer->delay_ns = step_duration(peer->scene, words[2]);
		return true;
	}
	if (n == 2 && !strcmp(words[0], "says") && upstream_rcode(words[1]) >= 0) {
		set_mood(peer, ANSWERS);
		peer->rcode = upstream_rcode(words[1]);
		return true;
	}
	return false;
}

void upstream_step(struct upstream_peer *peer, char **words, int n)
{
	if (behaves(peer, words, n))
		return;
	if (!strcmp(words[0], "has") && n == 3 && !strncmp(words[2], "connection", 10))
		has_connections(peer, words[1]);
	else if (!strcmp(words[0], "has"))
		upstream_has(peer, words + 1, n - 1);
	else if (!strcmp(words[0], "forgets") && n == 2)
		upstream_forgets(peer, words[1]);
	else if (line_is(words, n, "loses its connections"))
		lose_connections(peer);
	else if (line_is(words, n, "is not asked"))
		is_not(peer, false);
	else if (line_is(words, n, "is not probed"))
		is_not(peer, true);
	else if (n > 2 && line_is(words, 2, "is asked"))
		is_asked(peer, words + 2, n - 2, false);
	else if (n > 1 && line_is(words, 2, "is probed"))
		is_asked(peer, words + 2, n - 2, true);
	else
		scene_fail(peer->scene, "no such step of an upstream: README.md has them");
}

void upstream_free(struct upstream_peer *peer)
{
	close_ports(peer);
	upstream_forget(peer);
	while (!list__empty(&peer->under_way))
		sent_free(list_entry(peer->under_way.next, struct sent, link));
	while (!list__empty(&peer->connections)) {
		struct connection *connection =
			list_entry(peer->connections.next, struct connection, link);

		list__del(&connection->link);
		stream__free(connection->stream);
		free(connection);
	}
	while (!list__empty(&peer->denied)) {
		struct denial *denial = list_entry(peer->denied.next, struct denial, link);

		list__del(&denial->link);
		free(denial);
	}
	ldns_rr_list_deep_free(peer->records);
	free(peer);
}
