// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Queries over UDP. Contract: server.h.
 *
 * Both directions go in batches: one recvmmsg() a wake-up, and one sendmmsg()
 * at the end of each turn of the loop for all replies that came up in it.
 */
#include <errno.h>
#include <event2/event_struct.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server_priv.h"

#define BATCH	     64
#define QUERY_SIZE   2048 /* no query of class IN needs more; a longer one is cut and FORMERR */
#define REPLY_SIZE   4096 /* the largest bufsize */
#define CONTROL_SIZE 64
/*
 * A burst of some thousand queries waits here while the loop does other things (the kernel counts
 * about 800 octets for one, and doubles what is asked for). All clients of the socket share it, so
 * before it is full new queries had better go elsewhere: from five eighths on, down to three. (A
 * quarter may be read already and not yet given back, udp_rmem_release() in net/ipv4/udp.c.)
 */
#define RECEIVE_BUFFER (4 * 1024 * 1024)
#define CROWDED_ABOVE  5
#define CROWDED_BELOW  3

struct udp_out {
	uint8_t msg[REPLY_SIZE];
	union sockaddr_any peer;
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_SIZE];
	} control;
};

struct udp_listener {
	struct server *server;
	struct list link;
	int fd, family;
	uint16_t port;
	struct event readable, flush;
	bool flush_set;
	bool crowded;	/* its receive queue is */
	uint32_t drops; /* datagrams that did not go in there, as the kernel counts */

	struct mmsghdr in[BATCH], out[BATCH];
	struct iovec in_iov[BATCH], out_iov[BATCH];
	union sockaddr_any in_peer[BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_SIZE];
	} in_control[BATCH];
	uint8_t in_msg[BATCH][QUERY_SIZE];
	unsigned int n_out;
	struct udp_out outs[BATCH];
};

/* The address that was asked; the port is the listener's. */
static void read_local(const struct udp_listener *listener, struct msghdr *hdr,
		       union sockaddr_any *local)
{
	struct cmsghdr *cmsg;

	memset(local, 0, sizeof(*local));
	local->sa.sa_family = listener->family;
	if (listener->family == AF_INET)
		local->v4.sin_port = htons(listener->port);
	else
		local->v6.sin6_port = htons(listener->port);
	for (cmsg = CMSG_FIRSTHDR(hdr); cmsg; cmsg = CMSG_NXTHDR(hdr, cmsg)) {
		if (cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
			local->v4.sin_addr = info.ipi_addr;
		} else if (cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
			local->v6.sin6_addr = info.ipi6_addr;
		}
	}
}

/* Reply from the address that was asked; the way out is routing's, or nd1's only one. */
static void write_local(struct udp_listener *listener, struct udp_out *out, struct msghdr *hdr,
			const union sockaddr_any *local)
{
	struct cmsghdr *cmsg = &out->control.align;

	memset(&out->control, 0, sizeof(out->control));
	hdr->msg_control = &out->control;
	if (listener->family == AF_INET) {
		struct in_pktinfo info = { .ipi_spec_dst = local->v4.sin_addr };

		cmsg->cmsg_level = IPPROTO_IP;
		cmsg->cmsg_type = IP_PKTINFO;
		cmsg->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
		hdr->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_addr = local->v6.sin6_addr };

		cmsg->cmsg_level = IPPROTO_IPV6;
		cmsg->cmsg_type = IPV6_PKTINFO;
		cmsg->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
		hdr->msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

static void flush(struct udp_listener *listener)
{
	unsigned int at = 0;

	while (at < listener->n_out) {
		int n = sendmmsg(listener->fd, listener->out + at, listener->n_out - at,
				 MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			server_count(listener->server, AGENT_STAT_REPLY_DROPS);
			if (errno == EAGAIN || errno == ENOBUFS) {
				listener->server->config.stats->v[AGENT_STAT_REPLY_DROPS] +=
					listener->n_out - at - 1;
				break;
			}
			n = 1; /* the first of them cannot be sent; the rest may */
		}
		at += n;
	}
	listener->n_out = 0;
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct udp_listener *listener = arg;

	(void)fd;
	(void)what;
	listener->flush_set = false;
	flush(listener);
}

static void put_reply(struct udp_listener *listener, const union sockaddr_any *peer,
		      const union sockaddr_any *local, const uint8_t *msg, size_t len)
{
	struct msghdr *hdr;
	struct udp_out *out;

	if (len > REPLY_SIZE) {
		server_count(listener->server, AGENT_STAT_REPLY_DROPS);
		return;
	}
	if (listener->n_out == BATCH)
		flush(listener);
	out = &listener->outs[listener->n_out];
	hdr = &listener->out[listener->n_out].msg_hdr;
	memcpy(out->msg, msg, len);
	out->peer = *peer;
	listener->out_iov[listener->n_out] = (struct iovec){ out->msg, len };
	*hdr = (struct msghdr){
		.msg_name = &out->peer,
		.msg_namelen =
			listener->family == AF_INET ? sizeof(out->peer.v4) : sizeof(out->peer.v6),
		.msg_iov = &listener->out_iov[listener->n_out],
		.msg_iovlen = 1,
	};
	write_local(listener, out, hdr, local);
	listener->n_out++;
	if (!listener->flush_set) {
		/* Runs after all that is ready now. */
		listener->flush_set = true;
		event_active(&listener->flush, EV_TIMEOUT, 0);
	}
}

void udp_reply(const struct client *client, const uint8_t *msg, size_t len)
{
	put_reply(client->owner, &client->peer, &client->local, msg, len);
}

/* SO_MEMINFO: unlike SO_RXQ_OVFL it tells of the last drops as well, and how full the queue is. */
static void look_at_queue(struct udp_listener *listener)
{
	struct server *server = listener->server;
	uint32_t info[SK_MEMINFO_DROPS + 1];
	socklen_t len = sizeof(info);
	uint64_t eighth;
	bool crowded;

	if (getsockopt(listener->fd, SOL_SOCKET, SO_MEMINFO, info, &len) || len < sizeof(info))
		return;
	server->config.stats->v[AGENT_STAT_RECEIVE_DROPS] +=
		(uint32_t)(info[SK_MEMINFO_DROPS] - listener->drops);
	listener->drops = info[SK_MEMINFO_DROPS];
	eighth = info[SK_MEMINFO_RCVBUF] / 8;
	crowded = info[SK_MEMINFO_RMEM_ALLOC] >
		  eighth * (listener->crowded ? CROWDED_BELOW : CROWDED_ABOVE);
	if (crowded == listener->crowded)
		return;
	listener->crowded = crowded;
	server->n_crowded += crowded ? 1 : -1;
	if (server->config.crowded && server->n_crowded == crowded)
		server->config.crowded(server->config.ctx, crowded);
}

void udp_upkeep(struct server *server)
{
	struct list *node;

	for (node = server->udp_listeners.next; node != &server->udp_listeners; node = node->next)
		look_at_queue(list_entry(node, struct udp_listener, link));
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct udp_listener *listener = arg;
	uint8_t refusal[DNS_HEADER + DNS_MAX_NAME + 64];
	uint64_t now;
	int n;

	(void)what;
	for (unsigned int i = 0; i < BATCH; i++) {
		listener->in[i].msg_hdr.msg_namelen = sizeof(listener->in_peer[i]);
		listener->in[i].msg_hdr.msg_controllen = CONTROL_SIZE;
	}
	n = recvmmsg(fd, listener->in, BATCH, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return;
	if (n == BATCH || listener->crowded)
		look_at_queue(listener);
	now = server_now(listener->server);
	for (int i = 0; i < n; i++) {
		struct client client = {
			.owner = listener,
			.peer = listener->in_peer[i],
			.query_size = listener->in[i].msg_len,
		};
		int len;

		/* A port of 0 cannot be replied to. */
		if (!client.peer.v4.sin_port)
			continue;
		read_local(listener, &listener->in[i].msg_hdr, &client.local);
		len = server_receive(listener->server, &client, listener->in_msg[i],
				     listener->in[i].msg_len, refusal, sizeof(refusal), now);
		if (len > 0)
			udp_reply(&client, refusal, len);
	}
}

int server__add_udp(struct server *server, int fd, int family, uint16_t port)
{
	struct udp_listener *listener = calloc(1, sizeof(*listener));
	int size = RECEIVE_BUFFER;

	if (!listener)
		return -ENOMEM;
	/* Above net.core.rmem_max where we may (CAP_NET_ADMIN), up to it where not. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	listener->server = server;
	listener->fd = fd;
	listener->family = family;
	listener->port = port;
	for (unsigned int i = 0; i < BATCH; i++) {
		listener->in_iov[i] = (struct iovec){ listener->in_msg[i], QUERY_SIZE };
		listener->in[i].msg_hdr = (struct msghdr){
			.msg_name = &listener->in_peer[i],
			.msg_iov = &listener->in_iov[i],
			.msg_iovlen = 1,
			.msg_control = &listener->in_control[i],
		};
		listener->out[i].msg_hdr.msg_iovlen = 1;
	}
	if (event_assign(&listener->readable, server->config.loop->events, fd, EV_READ | EV_PERSIST,
			 on_readable, listener) ||
	    event_assign(&listener->flush, server->config.loop->events, -1, 0, on_flush,
			 listener) ||
	    event_add(&listener->readable, NULL)) {
		free(listener);
		return -ENOMEM;
	}
	list__append(&server->udp_listeners, &listener->link);
	return 0;
}

void udp_close(struct server *server)
{
	while (!list__empty(&server->udp_listeners)) {
		struct udp_listener *listener =
			list_entry(server->udp_listeners.next, struct udp_listener, link);

		list__del(&listener->link);
		flush(listener);
		event_del(&listener->readable);
		event_del(&listener->flush);
		close(listener->fd);
		free(listener);
	}
}
