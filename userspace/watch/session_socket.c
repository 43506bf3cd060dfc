// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Sessions by the agent's socket. Contract: session_priv.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "session_priv.h"
#include "viewers_priv.h"

#define ANSWER_S 3 /* an agent that works has its loop turn far sooner */

struct session_socket {
	int fd;
	const struct nodens_seen *seen; /* mapped; the agent counts there */
	struct viewers_request request;
	void (*event)(void *ctx, const struct nodens_event *event);
	void *ctx;
	volatile bool ended;
	union {
		struct nodens_event head;
		uint8_t bytes[sizeof(struct nodens_event) + NODENS_MAX_SNAP];
	} record;
};

/* Viewers have a signal each SESSION_RENEW_MS; an agent that begins may take longer to answer. */
static bool again(uint64_t until_ns)
{
	return errno == EINTR && clock_now() < until_ns;
}

/* -errno as of now, of what waited until ANSWER_S was over. */
static int failure(void)
{
	return errno == EAGAIN || errno == EINTR ? -ETIMEDOUT : -errno;
}

static int connect_to(const char *path, uint64_t until_ns)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const struct timeval wait = { .tv_sec = ANSWER_S };
	int fd, ret;

	if (!path[0]) /* to connect() it would be an abstract one */
		return -ENOENT;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	do {
		ret = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ? failure() : 0;
	} while (ret && again(until_ns));
	if (!ret)
		ret = viewers_peer_may(fd) ? 0 : -EPERM;
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/* The descriptor that came with the answer, or -errno. */
static int receive_answer(int fd, uint64_t until_ns)
{
	struct viewers_answer answer;
	struct iovec iov = { &answer, sizeof(answer) };
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control.room) };
	const struct cmsghdr *head;
	int seen = -EPROTO;
	ssize_t len;

	do {
		len = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	} while (len < 0 && again(until_ns));
	/* closed with the request unread: what was sent before is there still */
	if (len < 0 && errno == ECONNRESET)
		len = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	if (len < 0)
		return failure();
	if (!len)
		return -ECONNREFUSED;
	head = CMSG_FIRSTHDR(&msg);
	if (head && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof(seen)))
		memcpy(&seen, CMSG_DATA(head), sizeof(seen));
	if (len == sizeof(answer) && answer.version == VIEWERS_VERSION && !answer.error)
		return seen;
	if (seen >= 0)
		close(seen);
	return len == sizeof(answer) && answer.error < 0 ? answer.error : -EPROTO;
}

static int begin(struct session_socket *session, uint64_t until_ns)
{
	const void *seen;
	int fd, ret = 0;

	/* one that was turned away has its answer all the same */
	send(session->fd, &session->request, sizeof(session->request), MSG_NOSIGNAL);
	fd = receive_answer(session->fd, until_ns);
	if (fd < 0)
		return fd;
	seen = mmap(NULL, sizeof(*session->seen), PROT_READ, MAP_SHARED, fd, 0);
	if (seen == MAP_FAILED)
		ret = -errno;
	else
		session->seen = seen;
	close(fd);
	return ret;
}

int session_socket_open(const char *path, const struct nodens_filter *filter,
			void (*event)(void *ctx, const struct nodens_event *event), void *ctx,
			struct session_socket **out)
{
	struct session_socket *session = calloc(1, sizeof(*session));
	uint64_t until_ns = clock_now() + ANSWER_S * NSEC_PER_SEC;
	int ret = -ENOMEM;

	if (!session)
		return ret;
	session->request =
		(struct viewers_request){ .version = VIEWERS_VERSION, .filter = *filter };
	session->event = event;
	session->ctx = ctx;
	ret = session->fd = connect_to(path, until_ns);
	if (ret >= 0)
		ret = begin(session, until_ns);
	if (ret < 0) {
		session_socket_close(session);
		return ret;
	}
	*out = session;
	return 0;
}

void session_socket_close(struct session_socket *session)
{
	if (!session)
		return;
	if (session->fd >= 0)
		close(session->fd);
	if (session->seen)
		munmap((void *)session->seen, sizeof(*session->seen));
	free(session);
}

bool session_socket_open_still(const struct session_socket *session)
{
	return !session->ended;
}

void session_socket_set_one_in(struct session_socket *session, uint32_t one_in)
{
	session->request.filter.one_in = one_in;
	send(session->fd, &session->request, sizeof(session->request), MSG_NOSIGNAL);
}

/* False: there is none now. */
static bool read_record(struct session_socket *session)
{
	const struct nodens_event *event = &session->record.head;
	ssize_t len =
		recv(session->fd, session->record.bytes, sizeof(session->record), MSG_DONTWAIT);

	if (len < 0 && errno == EINTR)
		return true;
	if (len <= 0) {
		session->ended = !len || errno != EAGAIN;
		return false;
	}
	if ((size_t)len >= sizeof(*event) && event->captured <= len - sizeof(*event))
		session->event(session->ctx, event);
	return true;
}

int session_socket_read(struct session_socket *session, unsigned int max)
{
	unsigned int n = 0;

	while (!session->ended && (!max || n < max) && read_record(session))
		n++;
	return (int)n;
}

void session_socket_seen(const struct session_socket *session, struct nodens_seen *seen)
{
	*seen = (struct nodens_seen){
		.sent = __atomic_load_n(&session->seen->sent, __ATOMIC_RELAXED),
		.lost = __atomic_load_n(&session->seen->lost, __ATOMIC_RELAXED),
		.filtered = __atomic_load_n(&session->seen->filtered, __ATOMIC_RELAXED),
	};
}
