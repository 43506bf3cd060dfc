// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Queries over TCP (RFC 7766): several at once on a connection, replied to as
 * answers come. Contract: server.h.
 */
#include <errno.h>
#include <event2/event_struct.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server_priv.h"
#include "transport/stream.h"

#define ACCEPTS_A_TURN 32

struct tcp_listener {
	struct server *server;
	struct list link;
	int fd;
	struct event readable;
};

struct tcp_client {
	struct server *server;
	struct list link;
	struct stream *stream; /* NULL: the connection is gone, replies are still due */
	struct share *share;   /* while there is a stream */
	union sockaddr_any peer, local;
	struct corefile_timeouts timeouts; /* no time is 0 */
	uint64_t active_ns;
	/* Since when a message has been coming, or the first one is waited for; 0: none is. */
	uint64_t reading_ns;
	uint64_t written, written_ns; /* bytes of replies, and since when no more */
	unsigned int under_way;
	int32_t left; /* messages that are still taken; negative: no limit */
	bool fresh;   /* no message has come yet */
	bool busy;    /* one of its messages is being handled */
	bool eof;     /* the client sends no more */
};

static void client_free_if_done(struct tcp_client *client)
{
	if (!client->stream && !client->under_way && !client->busy) {
		list__del(&client->link);
		free(client);
	}
}

/* Closes the connection; the struct stays until the last reply is due no more. */
static void client_close(struct tcp_client *client)
{
	if (client->stream) {
		stream__free(client->stream);
		client->stream = NULL;
		share__give(client->share);
		client->server->n_tcp--;
		client->server->config.stats->v[AGENT_STAT_TCP_OPEN]--;
	}
	client_free_if_done(client);
}

/* Who does not read replies, or asks faster than they come, is not read from. */
static void client_throttle(struct tcp_client *client)
{
	stream__pause(client->stream, !client->left || client->under_way >= SERVER_MAX_PIPELINED ||
					      stream__queued(client->stream) > SERVER_MAX_QUEUED);
}

static bool client_finished(const struct tcp_client *client)
{
	return (client->eof || !client->left) && !client->under_way && !client->busy &&
	       !stream__queued(client->stream);
}

static void client_send(struct tcp_client *client, const uint8_t *msg, size_t len)
{
	if (!client->stream)
		return;
	if (stream__send(client->stream, msg, len))
		server_count(client->server, AGENT_STAT_REPLY_DROPS);
}

void tcp_reply(const struct client *who, const uint8_t *msg, size_t len)
{
	struct tcp_client *client = who->owner;

	client->under_way--;
	client->active_ns = server_now(client->server);
	if (len)
		client_send(client, msg, len);
	if (client->stream && client_finished(client)) {
		client_close(client);
	} else {
		if (client->stream)
			client_throttle(client);
		client_free_if_done(client);
	}
}

static void on_message(void *ctx, const uint8_t *msg, size_t len)
{
	struct tcp_client *client = ctx;
	uint8_t refusal[DNS_HEADER + DNS_MAX_NAME + 64];
	struct client who = {
		.owner = client,
		.tcp = true,
		.peer = client->peer,
		.local = client->local,
		.query_size = len,
	};
	int refusal_len;

	client->active_ns = server_now(client->server);
	client->reading_ns = 0;
	client->fresh = false;
	client->busy = true;
	client->under_way++;
	if (client->left > 0 && !--client->left)
		client_throttle(client); /* what follows in the same segment waits as well */
	refusal_len = server_receive(client->server, &who, msg, len, refusal, sizeof(refusal),
				     client->active_ns);
	if (refusal_len >= 0)
		client->under_way--;
	if (refusal_len > 0)
		client_send(client, refusal, refusal_len);
	client->busy = false;
	if (client->stream && (!refusal_len || client_finished(client)))
		client_close(client); /* what is not even refused is not DNS */
	else if (client->stream)
		client_throttle(client);
	else
		client_free_if_done(client);
}

static void on_closed(void *ctx, int error)
{
	struct tcp_client *client = ctx;

	client->eof = true;
	if (error || client_finished(client))
		client_close(client);
}

static void on_drained(void *ctx)
{
	struct tcp_client *client = ctx;

	if (client_finished(client))
		client_close(client);
	else
		client_throttle(client);
}

static void set_timeouts(struct tcp_client *client)
{
	const struct server_config *config = &client->server->config;
	struct corefile_timeouts *timeouts = &client->timeouts;

	if (config->timeouts)
		config->timeouts(config->ctx, &client->local.sa, timeouts);
	if (!timeouts->read_ns)
		timeouts->read_ns = SERVER_READ_NS;
	if (!timeouts->write_ns)
		timeouts->write_ns = SERVER_WRITE_NS;
	if (!timeouts->idle_ns)
		timeouts->idle_ns = SERVER_IDLE_NS;
	client->left = timeouts->max_queries > 0 ? timeouts->max_queries : -1;
}

static int client_open(struct server *server, int fd, const union sockaddr_any *peer,
		       struct share *share)
{
	static const struct stream_ops ops = {
		.message = on_message,
		.closed = on_closed,
		.drained = on_drained,
	};
	struct tcp_client *client = calloc(1, sizeof(*client));
	socklen_t len = sizeof(client->local);
	int on = 1, ret;

	if (!client)
		return -ENOMEM;
	client->server = server;
	client->peer = *peer;
	client->fresh = true;
	client->active_ns = client->reading_ns = client->written_ns = server_now(server);
	ret = getsockname(fd, &client->local.sa, &len) ? -errno : 0;
	if (!ret)
		ret = stream__open(server->config.loop->events, fd, false, &ops, client,
				   &client->stream);
	if (ret) {
		free(client);
		return ret;
	}
	client->share = share;
	set_timeouts(client);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	list__append(&server->tcp_clients, &client->link);
	server->n_tcp++;
	server->config.stats->v[AGENT_STAT_TCP_OPEN]++;
	server_count(server, AGENT_STAT_TCP_CONNECTIONS);
	return 0;
}

/*
 * Of the connections of one address, or of all (@share: NULL): the one that has been silent for
 * longest, if it has nothing under way; @any: else the oldest.
 */
static struct tcp_client *victim(struct server *server, const struct share *share, bool any)
{
	struct tcp_client *silent = NULL, *oldest = NULL;
	struct list *node;

	for (node = server->tcp_clients.next; node != &server->tcp_clients; node = node->next) {
		struct tcp_client *client = list_entry(node, struct tcp_client, link);

		if (!client->stream || client->busy || (share && client->share != share))
			continue;
		if (!oldest)
			oldest = client;
		if (!client->under_way && (!silent || client->active_ns < silent->active_ns))
			silent = client;
	}
	/* One that came this second has not had its turn. */
	if (silent && server_now(server) - silent->active_ns >= NSEC_PER_SEC)
		return silent;
	return any ? oldest : NULL;
}

/*
 * Room for one connection more, which @share counts already. Whoever holds most gives way, for
 * nobody may shut the others out; among those that hold little none is cut off in the middle.
 */
static bool make_room(struct server *server, const struct share *share)
{
	unsigned int max = server->config.max_tcp;
	const struct share *heaviest = NULL;
	struct tcp_client *client;

	if (share__client(share) > max / SERVER_TCP_CLIENTS)
		heaviest = shares__heaviest_of(&server->tcp_shares, share);
	else if (server->n_tcp < max)
		return true;
	else if (share__client(shares__heaviest(&server->tcp_shares)) > SERVER_TCP_FAIR)
		heaviest = shares__heaviest(&server->tcp_shares);
	client = victim(server, heaviest, heaviest != NULL);
	if (!client)
		return false;
	server_count(server, AGENT_STAT_TCP_EVICTED);
	client_close(client);
	return true;
}

/* New connections had better go elsewhere for the moment. */
static void set_full(struct server *server, bool full)
{
	if (server->tcp_full == full)
		return;
	server->tcp_full = full;
	if (server->config.full)
		server->config.full(server->config.ctx, full);
}

static int admit(struct server *server, int fd, const union sockaddr_any *peer)
{
	const struct server_config *config = &server->config;
	uint32_t device = config->device ? config->device(config->ctx, &peer->sa) : 0;
	struct share *share = shares__take(&server->tcp_shares, &peer->sa, device);
	int ret;

	if (!share)
		return -ENOMEM;
	if (!make_room(server, share)) {
		set_full(server, true);
		share__give(share);
		return -EUSERS;
	}
	ret = client_open(server, fd, peer, share);
	if (ret)
		share__give(share);
	return ret;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct tcp_listener *listener = arg;
	struct server *server = listener->server;

	(void)what;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		union sockaddr_any peer = { 0 };
		socklen_t len = sizeof(peer);
		int conn = accept4(fd, &peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (conn < 0 && (errno == EMFILE || errno == ENFILE)) {
			server_count(server, AGENT_STAT_TCP_REJECTED);
			event_del(&listener->readable); /* tcp_upkeep() adds it again */
			return;
		}
		if (conn < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (conn < 0)
			return;
		if (admit(server, conn, &peer)) {
			server_count(server, AGENT_STAT_TCP_REJECTED);
			close(conn);
		}
	}
}

int server__add_tcp(struct server *server, int fd)
{
	struct tcp_listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return -ENOMEM;
	listener->server = server;
	listener->fd = fd;
	if (event_assign(&listener->readable, server->config.loop->events, fd, EV_READ | EV_PERSIST,
			 on_accept, listener) ||
	    event_add(&listener->readable, NULL)) {
		free(listener);
		return -ENOMEM;
	}
	list__append(&server->tcp_listeners, &listener->link);
	return 0;
}

/* Who sends a message slowly, takes none, or has nothing to say. */
static bool timed_out(struct tcp_client *client, uint64_t now)
{
	const struct corefile_timeouts *timeouts = &client->timeouts;
	uint64_t written = stream__written(client->stream);
	bool queued = stream__queued(client->stream);

	if (!queued || written != client->written) {
		client->written = written;
		client->written_ns = now;
	}
	if (!stream__partial(client->stream) && !client->fresh)
		client->reading_ns = 0;
	else if (!client->reading_ns)
		client->reading_ns = now;
	if (now - client->written_ns > timeouts->write_ns)
		return true;
	if (client->reading_ns && !client->eof && client->left)
		return now - client->reading_ns > timeouts->read_ns;
	return !queued && !client->under_way && now - client->active_ns > timeouts->idle_ns;
}

void tcp_upkeep(struct server *server, uint64_t now)
{
	struct list *node, *next;

	for (node = server->tcp_clients.next; node != &server->tcp_clients; node = next) {
		struct tcp_client *client = list_entry(node, struct tcp_client, link);

		next = node->next;
		if (client->stream && timed_out(client, now))
			client_close(client);
	}
	/* a SYN that comes now finds out */
	set_full(server, false);
	for (node = server->tcp_listeners.next; node != &server->tcp_listeners; node = node->next)
		event_add(&list_entry(node, struct tcp_listener, link)->readable, NULL);
}

void tcp_close(struct server *server)
{
	while (!list__empty(&server->tcp_clients)) {
		struct tcp_client *client =
			list_entry(server->tcp_clients.next, struct tcp_client, link);

		client->under_way = 0;
		client_close(client);
	}
	while (!list__empty(&server->tcp_listeners)) {
		struct tcp_listener *listener =
			list_entry(server->tcp_listeners.next, struct tcp_listener, link);

		list__del(&listener->link);
		event_del(&listener->readable);
		close(listener->fd);
		free(listener);
	}
}
