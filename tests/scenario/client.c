// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Clients: what they ask and see. Contract: scenario.h; each has an address of its own.
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

#define UDP_MAX 4096

static void take_reply(struct client_peer *client, const uint8_t *msg, size_t len)
{
	struct reply *reply = calloc(1, sizeof(*reply));

	if (ldns_wire2pkt(&reply->pkt, msg, len) != LDNS_STATUS_OK)
		scene_fail(client->scene, "%s got a message that ldns cannot read", client->name);
	reply->at_ns = client->scene->v.now_ns;
	list__append(&client->replies, &reply->link);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct client_peer *client = ctx;
	uint8_t msg[65536];
	ssize_t n = recv(fd, msg, sizeof(msg), MSG_DONTWAIT);

	(void)what;
	if (n < 0)
		return;
	client->scene->got_by_clients++;
	take_reply(client, msg, n);
}

/* "client" is 127.0.0.2, "client1" 127.0.1.1, "client2" 127.0.1.2 ... */
static struct sockaddr_in address_of(const struct client_peer *client)
{
	const char *number = client->name + strcspn(client->name, "0123456789");
	uint32_t host = *number ? 0x7f000100 + step_number(client->scene, number) : 0x7f000002;

	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(host) };
}

static int dial(struct client_peer *client, int type)
{
	struct sockaddr_in from = address_of(client);
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(client->scene->port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)))
		scene_fail(client->scene, "%s cannot reach nodens: %s", client->name,
			   strerror(errno));
	return fd;
}

static void on_message(void *ctx, const uint8_t *msg, size_t len)
{
	take_reply(ctx, msg, len);
}

static void on_closed(void *ctx, int error)
{
	struct client_peer *client = ctx;

	(void)error;
	stream__free(client->stream);
	client->stream = NULL;
}

static void connect_tcp(struct client_peer *client)
{
	static const struct stream_ops ops = { .message = on_message, .closed = on_closed };
	int fd = dial(client, SOCK_STREAM);

	evutil_make_socket_nonblocking(fd);
	if (client->stream ||
	    stream__open(client->scene->v.loop.events, fd, false, &ops, client, &client->stream))
		scene_fail(client->scene, "%s has a connection already", client->name);
}

static void send_udp(struct client_peer *client, const uint8_t *msg, size_t len)
{
	if (client->fd < 0) {
		client->fd = dial(client, SOCK_DGRAM);
		event_assign(&client->readable, client->scene->v.loop.events, client->fd,
			     EV_READ | EV_PERSIST, on_readable, client);
		event_add(&client->readable, NULL);
	}
	client->scene->sent_to_nodens++;
	if (send(client->fd, msg, len, 0) != (ssize_t)len)
		scene_fail(client->scene, "send: %s", strerror(errno));
}

/* ---- asks ---- */

struct question {
	char name[256];
	ldns_rr_type type;
	bool dnssec_ok, checking_disabled, tcp;
	uint64_t every_ns, for_ns;
};

static struct question read_question(struct client_peer *client, char **words, int n)
{
	const struct scene *scene = client->scene;
	struct question q = { .every_ns = 0 };

	if (n < 2)
		scene_fail(scene, "asks NAME TYPE [do] [cd] [tcp] [every TIME for TIME]");
	step_name(scene, words[0], q.name);
	q.type = ldns_get_rr_type_by_name(words[1]);
	for (int i = 2; i < n; i++) {
		if (!strcmp(words[i], "do")) {
			q.dnssec_ok = true;
		} else if (!strcmp(words[i], "cd")) {
			q.checking_disabled = true;
		} else if (!strcmp(words[i], "tcp")) {
			q.tcp = true;
		} else if (!strcmp(words[i], "every") && i + 3 < n &&
			   !strcmp(words[i + 2], "for")) {
			q.every_ns = step_duration(scene, words[i + 1]);
			q.for_ns = step_duration(scene, words[i + 3]);
			i += 3;
		} else {
			scene_fail(scene, "%s: do, cd, tcp, every TIME for TIME", words[i]);
		}
	}
	return q;
}

static void ask_once(struct client_peer *client, const struct question *q)
{
	ldns_pkt *pkt = ldns_pkt_query_new(ldns_dname_new_frm_str(q->name), q->type,
					   LDNS_RR_CLASS_IN, LDNS_RD);
	uint8_t *msg;
	size_t len;

	ldns_pkt_set_id(pkt, ++client->id);
	ldns_pkt_set_cd(pkt, q->checking_disabled);
	if (q->dnssec_ok) {
		ldns_pkt_set_edns_udp_size(pkt, 1232);
		ldns_pkt_set_edns_do(pkt, true);
	}
	if (ldns_pkt2wire(&msg, pkt, &len) != LDNS_STATUS_OK)
		scene_fail(client->scene, "ldns cannot write this question");
	ldns_pkt_free(pkt);
	if (q->tcp && !client->stream)
		connect_tcp(client);
	if (q->tcp)
		stream__send(client->stream, msg, len);
	else
		send_udp(client, msg, len);
	free(msg);
	virtual_loop__io(&client->scene->v);
}

static void asks(struct client_peer *client, char **words, int n)
{
	struct virtual_loop *v = &client->scene->v;
	struct question q = read_question(client, words, n);
	uint64_t end = v->now_ns + q.for_ns;

	ask_once(client, &q);
	while (q.every_ns && v->now_ns + q.every_ns <= end) {
		virtual_loop__run(v, v->now_ns + q.every_ns, NULL, NULL);
		ask_once(client, &q);
	}
}

/* ---- sees ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Records' data, sorted, with a blank before each; a type that is not an address says its name. */
static void data_text(const ldns_rr_list *list, char *text, size_t size)
{
	size_t n = ldns_rr_list_rr_count(list);
	char *data[n + 1];

	*text = '\0';
	for (size_t i = 0; i < n; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);
		ldns_rr_type type = ldns_rr_get_type(rr);
		char *name = ldns_rr_type2str(type), *rdf, one[600];

		*one = '\0';
		if (type != LDNS_RR_TYPE_A && type != LDNS_RR_TYPE_AAAA)
			snprintf(one, sizeof(one), "%s:", name);
		for (size_t k = 0; k < ldns_rr_rd_count(rr); k++) {
			rdf = ldns_rdf2str(ldns_rr_rdf(rr, k));
			snprintf(one + strlen(one), sizeof(one) - strlen(one), "%s%s", k ? "," : "",
				 rdf);
			free(rdf);
		}
		free(name);
		data[i] = strdup(one);
	}
	qsort(data, n, sizeof(data[0]), by_text);
	for (size_t i = 0; i < n; i++) {
		snprintf(text + strlen(text), size - strlen(text), " %s", data[i]);
		free(data[i]);
	}
}

/* Of the first record of the answer or, without one, of the authority; -1: there is none. */
static long ttl_of(const ldns_pkt *pkt)
{
	const ldns_rr_list *list =
		ldns_pkt_ancount(pkt) ? ldns_pkt_answer(pkt) : ldns_pkt_authority(pkt);

	return ldns_rr_list_rr_count(list) ? (long)ldns_rr_ttl(ldns_rr_list_rr(list, 0)) : -1;
}

static void question_text(const ldns_pkt *pkt, char *text, size_t size)
{
	const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_question(pkt), 0);
	char *name = rr ? ldns_rdf2str(ldns_rr_owner(rr)) : strdup("?");
	char *type = ldns_rr_type2str(rr ? ldns_rr_get_type(rr) : 0);

	snprintf(text, size, "%s %s", name, type);
	for (char *c = text; *c && *c != ' '; c++)
		*c = tolower((unsigned char)*c);
	free(name);
	free(type);
}

/* "NOERROR 192.0.2.1 tc" */
static void result_text(const ldns_pkt *pkt, char *text, size_t size)
{
	char *rcode = ldns_pkt_rcode2str(ldns_pkt_get_rcode(pkt)), data[4096];

	data_text(ldns_pkt_answer(pkt), data, sizeof(data));
	snprintf(text, size, "%s%s%s", rcode, data, ldns_pkt_tc(pkt) ? " tc" : "");
	free(rcode);
}

const char *client_unseen(const struct client_peer *client)
{
	static char text[9000];

	*text = '\0';
	for (struct list *node = client->replies.next; node != &client->replies;
	     node = node->next) {
		const struct reply *reply = list_entry(node, struct reply, link);
		size_t len = strlen(text);
		char question[300], result[4200];

		question_text(reply->pkt, question, sizeof(question));
		result_text(reply->pkt, result, sizeof(result));
		snprintf(text + len, sizeof(text) - len, "%s%s %s ttl %ld at %s", len ? "; " : "",
			 question, result, ttl_of(reply->pkt),
			 scene_time(reply->at_ns - client->scene->stopwatch_ns));
	}
	return *text ? text : NULL;
}

/* What is to be seen: what is not said may be anything, but for the data. */
struct sight {
	char question[300], result[4200];
	long ttl; /* -1: any */
	uint64_t at_ns, times;
	bool timed;
};

static struct sight read_sight(struct client_peer *client, char **words, int n)
{
	const struct scene *scene = client->scene;
	struct sight sight = { .ttl = -1, .times = 1 };
	char name[256], *data[WORDS_MAX];
	bool tc = false;
	size_t n_data = 0;

	if (n < 3)
		scene_fail(scene,
			   "sees NAME TYPE RCODE [DATA...] [tc] [ttl N] [at TIME] [N times]");
	step_name(scene, words[0], name);
	snprintf(sight.question, sizeof(sight.question), "%s %s", name, words[1]);
	for (int i = 3; i < n; i++) {
		if (!strcmp(words[i], "ttl")) {
			sight.ttl = step_number(scene, words[++i]);
		} else if (!strcmp(words[i], "at")) {
			sight.at_ns = step_duration(scene, words[++i]);
			sight.timed = true;
		} else if (i + 1 < n && !strcmp(words[i + 1], "times")) {
			sight.times = step_number(scene, words[i++]);
		} else if (!strcmp(words[i], "tc")) {
			tc = true;
		} else {
			data[n_data++] = words[i];
		}
	}
	qsort(data, n_data, sizeof(data[0]), by_text);
	snprintf(sight.result, sizeof(sight.result), "%s", words[2]);
	for (size_t i = 0; i < n_data; i++) {
		strcat(sight.result, " ");
		strcat(sight.result, data[i]);
	}
	if (tc)
		strcat(sight.result, " tc");
	return sight;
}

static void reply_free(struct reply *reply)
{
	list__del(&reply->link);
	ldns_pkt_free(reply->pkt);
	free(reply);
}

static void see_one(struct client_peer *client, const struct sight *sight)
{
	const struct scene *scene = client->scene;
	struct list *node = client->replies.next;
	char question[300] = "", result[4200];
	struct reply *reply = NULL;

	for (; node != &client->replies; node = node->next) {
		reply = list_entry(node, struct reply, link);
		question_text(reply->pkt, question, sizeof(question));
		if (!strcmp(question, sight->question))
			break;
	}
	if (node == &client->replies)
		scene_fail(scene, "expected a reply to %s, got %s", sight->question,
			   list__empty(&client->replies) ? "none" : client_unseen(client));
	result_text(reply->pkt, result, sizeof(result));
	if (strcmp(result, sight->result))
		scene_fail(scene, "expected %s, got %s", sight->result, result);
	if (sight->ttl >= 0 && ttl_of(reply->pkt) != sight->ttl)
		scene_fail(scene, "expected a TTL of %ld, got %ld", sight->ttl, ttl_of(reply->pkt));
	if (sight->timed && reply->at_ns != scene->stopwatch_ns + sight->at_ns)
		scene_fail(scene, "expected it at %s, got it at %s", scene_time(sight->at_ns),
			   scene_time(reply->at_ns - scene->stopwatch_ns));
	reply_free(reply);
}

static void sees(struct client_peer *client, char **words, int n)
{
	struct sight sight;

	if (n == 1 && !strcmp(words[0], "nothing")) {
		if (!list__empty(&client->replies))
			scene_fail(client->scene, "expected nothing, got %s",
				   client_unseen(client));
		return;
	}
	sight = read_sight(client, words, n);
	for (uint64_t i = 0; i < sight.times; i++)
		see_one(client, &sight);
}

/* ---- connections ---- */

static void sends(struct client_peer *client, char **words, int n)
{
	static const uint8_t part[1] = { 0 };

	if (n != 5 || strcmp(words[0], "a") || strcmp(words[1], "part"))
		scene_fail(client->scene, "sends a part of a message");
	if (!client->stream)
		scene_fail(client->scene, "%s has no connection", client->name);
	if (send(stream__fd(client->stream), part, sizeof(part), MSG_NOSIGNAL) < 0)
		scene_fail(client->scene, "send: %s", strerror(errno));
	virtual_loop__io(&client->scene->v);
}

static void is_connected(struct client_peer *client, char **words, int n)
{
	bool want = n == 1 && !strcmp(words[0], "connected");

	if (!want && (n != 1 || strcmp(words[0], "disconnected")))
		scene_fail(client->scene, "is connected, is disconnected");
	virtual_loop__io(&client->scene->v);
	if (want != !!client->stream)
		scene_fail(client->scene, "expected that it is %s, but it is not", words[0]);
}

void client_step(struct client_peer *client, char **words, int n)
{
	if (!strcmp(words[0], "asks")) {
		asks(client, words + 1, n - 1);
	} else if (!strcmp(words[0], "sees") && n > 1) {
		sees(client, words + 1, n - 1);
	} else if (!strcmp(words[0], "connects") && n == 1) {
		connect_tcp(client);
		virtual_loop__io(&client->scene->v);
	} else if (!strcmp(words[0], "sends")) {
		sends(client, words + 1, n - 1);
	} else if (!strcmp(words[0], "is")) {
		is_connected(client, words + 1, n - 1);
	} else {
		scene_fail(client->scene, "a client asks, sees, connects, sends, is");
	}
}

void client_free(struct client_peer *client)
{
	while (!list__empty(&client->replies))
		reply_free(list_entry(client->replies.next, struct reply, link));
	stream__free(client->stream);
	if (client->fd >= 0) {
		event_del(&client->readable);
		close(client->fd);
	}
	free(client);
}
