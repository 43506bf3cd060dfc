// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Viewers of the agent's events. Contract: viewers.h.
 */
#include "watch/viewers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "viewers_priv.h"
#include "watch/filter.h"

#define WAITING_MAX NODENS_SESSIONS /* to be accepted */
#define REST_NS	    NSEC_PER_SEC    /* when none can be accepted */

struct viewer {
	struct viewers *viewers;
	int fd; /* -1: nobody */
	struct event readable;
	struct nodens_seen *seen; /* NULL: it has not said what it wants */
	struct nodens_filter filter;
};

struct viewers {
	struct loop *loop;
	struct sockaddr_un addr; /* sun_path "": not bound */
	int fd;
	struct event readable;
	struct loop_timer rest; /* until readable is looked at again */
	struct viewer viewer[NODENS_SESSIONS];
	unsigned int n; /* of those that look on */
	uint64_t random;
	union {
		struct nodens_event head;
		uint8_t bytes[sizeof(struct nodens_event) + NOTE_PACKET_MAX];
	} event;
};

/* ---- a viewer ---- */

static void viewer_end(struct viewer *viewer)
{
	if (viewer->fd < 0)
		return;
	event_del(&viewer->readable);
	close(viewer->fd);
	viewer->fd = -1;
	if (viewer->seen) {
		munmap(viewer->seen, sizeof(*viewer->seen));
		viewer->viewers->n--;
	}
	viewer->seen = NULL;
}

/* Counts that it may read, and map, but cannot make shorter. A descriptor or -errno. */
static int make_seen(struct nodens_seen **out)
{
	int fd = memfd_create("nodens_seen", MFD_CLOEXEC | MFD_ALLOW_SEALING), ret;
	void *seen;

	if (fd < 0)
		return -errno;
	seen = ftruncate(fd, sizeof(**out)) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)
		       ? MAP_FAILED
		       : mmap(NULL, sizeof(**out), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (seen != MAP_FAILED) {
		*out = seen;
		return fd;
	}
	ret = -errno;
	close(fd);
	return ret;
}

/* @seen -1: none. False: it is gone. */
static bool send_answer(int fd, int error, int seen)
{
	struct viewers_answer answer = { .version = VIEWERS_VERSION, .error = error };
	struct iovec iov = { &answer, sizeof(answer) };
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = {};
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (seen >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.room);
		control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
						 .cmsg_level = SOL_SOCKET,
						 .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.head), &seen, sizeof(seen));
	}
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(answer);
}

/* Its first request. False: it is to go. */
static bool viewer_begin(struct viewer *viewer)
{
	int fd = make_seen(&viewer->seen);
	bool told = send_answer(viewer->fd, fd < 0 ? fd : 0, fd);

	if (fd < 0)
		return false;
	close(fd);
	viewer->viewers->n++;
	return told;
}

static bool take_request(struct viewer *viewer, const struct viewers_request *request, ssize_t len)
{
	if (len < (ssize_t)sizeof(request->version) || request->version != VIEWERS_VERSION ||
	    len != sizeof(*request)) {
		if (len > 0 && !viewer->seen)
			send_answer(viewer->fd, -EPROTO, -1);
		return false;
	}
	viewer->filter = request->filter;
	if (!viewer->filter.one_in)
		viewer->filter.one_in = 1;
	return viewer->seen || viewer_begin(viewer);
}

static void on_request(evutil_socket_t fd, short what, void *arg)
{
	struct viewer *viewer = arg;
	struct viewers_request request = { .version = 0 };
	ssize_t len = recv(fd, &request, sizeof(request), MSG_DONTWAIT | MSG_TRUNC);

	(void)what;
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (!take_request(viewer, &request, len))
		viewer_end(viewer);
}

/* ---- the socket ---- */

/*
 * As much waits for it as would in a ring; without CAP_NET_ADMIN as much as anybody may have. The
 * kernel takes twice of what it is told (sock_setsockopt()), and counts its own heads in.
 */
static void set_room(int fd)
{
	int room = NODENS_RING_BYTES / 2;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

static void on_rest_over(void *ctx, uint64_t now)
{
	struct viewers *viewers = ctx;

	(void)now;
	event_add(&viewers->readable, NULL);
}

/* Out of descriptors or memory: who waits is there still, and the loop would do nothing else. */
static void rest(struct viewers *viewers)
{
	if (!loop_timer__set(&viewers->rest, REST_NS))
		event_del(&viewers->readable);
}

static void on_viewer(evutil_socket_t fd, short what, void *arg)
{
	struct viewers *viewers = arg;
	struct viewer *viewer = viewers->viewer;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (peer < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		rest(viewers);
	if (peer < 0)
		return;
	while (viewer < viewers->viewer + NODENS_SESSIONS && viewer->fd >= 0)
		viewer++;
	if (viewer == viewers->viewer + NODENS_SESSIONS || !viewers_peer_may(peer)) {
		send_answer(peer, viewers_peer_may(peer) ? -EUSERS : -EPERM, -1);
		close(peer);
		return;
	}
	set_room(peer);
	event_assign(&viewer->readable, viewers->loop->events, peer, EV_READ | EV_PERSIST,
		     on_request, viewer);
	if (event_add(&viewer->readable, NULL))
		close(peer);
	else
		viewer->fd = peer;
}

static int listen_at(struct viewers *viewers, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	viewers->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (viewers->fd < 0)
		return -errno;
	unlink(path);
	if (bind(viewers->fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	viewers->addr = addr;
	if (chmod(path, 0600) || listen(viewers->fd, WAITING_MAX))
		return -errno;
	event_assign(&viewers->readable, viewers->loop->events, viewers->fd, EV_READ | EV_PERSIST,
		     on_viewer, viewers);
	return event_add(&viewers->readable, NULL) ? -ENOMEM : 0;
}

int viewers__open(struct loop *loop, const char *path, struct viewers **out)
{
	struct viewers *viewers = calloc(1, sizeof(*viewers));
	int ret;

	if (!viewers)
		return -ENOMEM;
	viewers->loop = loop;
	viewers->fd = -1;
	loop_timer__init(&viewers->rest, loop, on_rest_over, viewers);
	viewers->random = clock_now() | 1;
	for (int i = 0; i < NODENS_SESSIONS; i++)
		viewers->viewer[i] = (struct viewer){ .viewers = viewers, .fd = -1 };
	ret = listen_at(viewers, path);
	if (ret) {
		viewers__close(viewers);
		return ret;
	}
	*out = viewers;
	return 0;
}

void viewers__close(struct viewers *viewers)
{
	if (!viewers)
		return;
	for (int i = 0; i < NODENS_SESSIONS; i++)
		viewer_end(&viewers->viewer[i]);
	loop_timer__stop(&viewers->rest);
	if (event_initialized(&viewers->readable))
		event_del(&viewers->readable);
	if (viewers->addr.sun_path[0])
		unlink(viewers->addr.sun_path);
	if (viewers->fd >= 0)
		close(viewers->fd);
	free(viewers);
}

/* ---- events ---- */

bool viewers__wanted(const struct viewers *viewers)
{
	return viewers && viewers->n;
}

/* Marsaglia, Xorshift RNGs, 2003. */
static bool drawn(struct viewers *viewers, uint32_t one_in)
{
	uint64_t x = viewers->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	viewers->random = x;
	return !((x >> 32) * one_in >> 32);
}

static void count(__u64 *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static void viewer_send(struct viewer *viewer, struct nodens_event *event, size_t whole)
{
	size_t snap = viewer->filter.snap < whole ? viewer->filter.snap : whole;
	ssize_t len;

	if (!drawn(viewer->viewers, viewer->filter.one_in))
		return;
	event->captured = whole;
	if (!filter__matches(&viewer->filter, event)) {
		count(&viewer->seen->filtered);
		return;
	}
	event->captured = snap < NODENS_MAX_SNAP ? snap : NODENS_MAX_SNAP;
	len = sizeof(*event) + event->captured;
	/* of one that has ended the loop hears in its next turn */
	if (send(viewer->fd, event, len, MSG_DONTWAIT | MSG_NOSIGNAL) == len)
		count(&viewer->seen->sent);
	else
		count(&viewer->seen->lost);
}

void viewers__send(struct viewers *viewers, struct note_event *event)
{
	struct nodens_event *head = &viewers->event.head;
	size_t len = note__packet(event, head->packet);

	*head = (struct nodens_event){
		.time_ns = clock_now(),
		.ifindex = event->about.ifindex,
		.packet_len = len,
		.kind = NODENS_EVENT_AGENT,
		.outcome = event->about.outcome,
		.flags = event->about.flags,
		.l3 = event->about.l3,
		.l4 = event->about.l4,
		.tries = event->about.tries,
		.upstream = event->about.upstream,
		.took_us = event->about.took_us,
	};
	for (int i = 0; i < NODENS_SESSIONS; i++) {
		if (viewers->viewer[i].seen)
			viewer_send(&viewers->viewer[i], head, len);
	}
}
