// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Sessions. Contract: session.h.
 *
 * An entry is claimed by one atomic exchange of its until_ns, which is past while it is free. The
 * programs write to no entry; they clear its byte in the control block once it has run out.
 */
#include "watch/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "session_priv.h"

#define LEASE_NS (SESSION_LEASE_MS * 1000000ull)

struct session {
	struct session_socket *socket; /* or else: */
	struct datapath_sessions maps;
	struct nodens_session *all; /* mapped */
	struct nodens_session *mine;
	uint32_t number;
	uint64_t owner;
	uint8_t observe; /* NODENS_OBSERVE_*, of its filter */
	int ring_fd;
	struct ring_buffer *ring;
	void (*event)(void *ctx, const struct nodens_event *event);
	void *ctx;
	unsigned int left; /* of what session__read() is to read */
};

struct nodens_filter session__any(void)
{
	return (struct nodens_filter){
		.outcomes = UINT64_MAX,
		.kinds = UINT32_MAX,
		.rcodes = NODENS_ALL_RCODES,
		.one_in = 1,
		.snap = SESSION_SNAP,
	};
}

static size_t mapped_size(void)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (NODENS_SESSIONS * sizeof(struct nodens_session) + page - 1) / page * page;
}

/* Of @n one that is free, @owner's from now on; NULL: there is none. */
static struct nodens_session *claim(struct nodens_session *all, unsigned int n, uint64_t owner)
{
	uint64_t now = clock_now();

	for (unsigned int i = 0; i < n; i++) {
		__u64 until = __atomic_load_n(&all[i].until_ns, __ATOMIC_RELAXED);

		/* past for a while: its viewer may only have been late */
		if (until && until + LEASE_NS > now)
			continue;
		if (!__atomic_compare_exchange_n(&all[i].until_ns, &until, now + LEASE_NS, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		__atomic_store_n(&all[i].owner, owner, __ATOMIC_RELEASE);
		return &all[i];
	}
	return NULL;
}

void session__sweep(const struct datapath *dp)
{
	struct datapath_sessions maps;
	struct nodens_session *all;

	datapath__sessions(dp, &maps);
	if (maps.rings_fd < 0)
		return;
	all = mmap(NULL, mapped_size(), PROT_READ | PROT_WRITE, MAP_SHARED, maps.sessions_fd, 0);
	if (all == MAP_FAILED)
		return;
	for (uint32_t i = 0; i < NODENS_SESSIONS; i++) {
		if (!all[i].owner || !claim(&all[i], 1, 0))
			continue;
		bpf_map_delete_elem(maps.rings_fd, &i);
		__atomic_store_n(&all[i].until_ns, 0, __ATOMIC_RELEASE);
	}
	munmap(all, mapped_size());
}

static int clear_seen(const struct session *session)
{
	int cpus = libbpf_num_possible_cpus(), ret;
	void *zero = cpus > 0 ? calloc(cpus, sizeof(struct nodens_seen)) : NULL;

	if (!zero)
		return -ENOMEM;
	ret = bpf_map_update_elem(session->maps.seen_fd, &session->number, zero, BPF_ANY);
	free(zero);
	return ret ? -errno : 0;
}

static int on_record(void *ctx, void *data, size_t size)
{
	struct session *session = ctx;

	if (size >= sizeof(struct nodens_event))
		session->event(session->ctx, data);
	return session->left && !--session->left ? -ECANCELED : 0;
}

static int open_ring(struct session *session)
{
	session->ring_fd = datapath__ring();
	if (session->ring_fd < 0)
		return session->ring_fd;
	session->ring = ring_buffer__new(session->ring_fd, on_record, session, NULL);
	if (!session->ring)
		return -errno;
	if (bpf_map_update_elem(session->maps.rings_fd, &session->number, &session->ring_fd,
				BPF_ANY))
		return -errno;
	return 0;
}

static uint8_t observe_byte(const struct nodens_filter *filter)
{
	if (!(filter->kinds & ~(1u << NODENS_EVENT_AGENT)))
		return NODENS_OBSERVE_AGENT;
	return filter->one_in < NODENS_FEW ? NODENS_OBSERVE_MORE : NODENS_OBSERVE_FEW;
}

static int begin(struct session *session, const struct nodens_filter *filter)
{
	int ret;

	session->mine = claim(session->all, NODENS_SESSIONS, session->owner);
	if (!session->mine)
		return -EUSERS;
	session->number = session->mine - session->all;
	__atomic_store_n(&session->maps.ctl->observe[session->number], 0, __ATOMIC_RELEASE);
	session->mine->pid = getpid();
	session->mine->filter = *filter;
	session->observe = observe_byte(filter);
	ret = clear_seen(session);
	if (!ret)
		ret = open_ring(session);
	if (!ret)
		session__renew(session);
	return ret;
}

unsigned int session__holders(const struct datapath *dp, uint32_t pids[NODENS_SESSIONS])
{
	struct datapath_sessions maps;
	struct nodens_session entry;
	uint64_t now = clock_now();
	unsigned int n = 0;

	datapath__sessions(dp, &maps);
	for (uint32_t i = 0; i < NODENS_SESSIONS; i++) {
		if (!bpf_map_lookup_elem(maps.sessions_fd, &i, &entry) && entry.until_ns > now)
			pids[n++] = entry.pid;
	}
	return n;
}

/* " (their pids: 12 34)" */
static void say_holders(const struct datapath *dp, struct error *err)
{
	uint32_t pids[NODENS_SESSIONS];
	unsigned int n = session__holders(dp, pids);
	size_t len = strlen(err->text);

	for (unsigned int i = 0; i < n && len < sizeof(err->text); i++)
		len += snprintf(err->text + len, sizeof(err->text) - len, "%s%u%s",
				i ? " " : " (their pids: ", pids[i], i + 1 < n ? "" : ")");
}

static const char *refusal(int error)
{
	if (error == -EOPNOTSUPP)
		return "this kernel has no BPF ring buffers (Linux 5.8) or no BTF, or refuses the "
		       "program for it";
	if (error == -EUSERS)
		return "all sessions are in use: end another `nodens trace` or `nodens top`";
	return strerror(-error);
}

int session__open(const struct datapath *dp, const struct nodens_filter *filter,
		  void (*event)(void *ctx, const struct nodens_event *event), void *ctx,
		  struct session **out, struct error *err)
{
	struct session *session = calloc(1, sizeof(*session));
	int ret = -ENOMEM;
	void *at;

	if (!session)
		goto out;
	session->ring_fd = -1;
	session->event = event;
	session->ctx = ctx;
	datapath__sessions(dp, &session->maps);
	ret = -EOPNOTSUPP;
	if (session->maps.rings_fd < 0)
		goto out;
	ret = -EIO;
	if (getrandom(&session->owner, sizeof(session->owner), 0) != sizeof(session->owner))
		goto out;
	at = mmap(NULL, mapped_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
		  session->maps.sessions_fd, 0);
	ret = -errno;
	if (at == MAP_FAILED)
		goto out;
	session->all = at;
	ret = begin(session, filter);
out:
	if (!ret) {
		*out = session;
		return 0;
	}
	session__close(session);
	error__set(err, ret, "cannot look at single packets: %s", refusal(ret));
	if (ret == -EUSERS && err)
		say_holders(dp, err);
	return ret;
}

static const char *agent_refusal(int error)
{
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		return "the agent that would tell of them is not there";
	case -ETIMEDOUT:
		return "the agent, which would tell of them, does not answer";
	case -EPROTO:
		return "the agent is of another version: ask the nodens of that version, in its "
		       "container";
	case -EPERM:
	case -EACCES:
		return "no permission: run as root";
	}
	return refusal(error);
}

int session__connect(const char *path, const struct nodens_filter *filter,
		     void (*event)(void *ctx, const struct nodens_event *event), void *ctx,
		     struct session **out, struct error *err)
{
	struct session *session = calloc(1, sizeof(*session));
	int ret = -ENOMEM;

	if (session)
		ret = session_socket_open(path, filter, event, ctx, &session->socket);
	if (!ret) {
		session->ring_fd = -1;
		*out = session;
		return 0;
	}
	free(session);
	return error__set(err, ret, "cannot look at single packets: %s", agent_refusal(ret));
}

static bool is_mine(const struct session *session)
{
	return session->mine &&
	       __atomic_load_n(&session->mine->owner, __ATOMIC_ACQUIRE) == session->owner;
}

void session__close(struct session *session)
{
	if (!session)
		return;
	if (is_mine(session)) {
		__atomic_store_n(&session->maps.ctl->observe[session->number], 0, __ATOMIC_RELEASE);
		bpf_map_delete_elem(session->maps.rings_fd, &session->number);
		session->mine->owner = 0;
		__atomic_store_n(&session->mine->until_ns, 0, __ATOMIC_RELEASE);
	}
	session_socket_close(session->socket);
	ring_buffer__free(session->ring);
	if (session->ring_fd >= 0)
		close(session->ring_fd);
	if (session->all)
		munmap(session->all, mapped_size());
	free(session);
}

bool session__renew(struct session *session)
{
	if (session->socket)
		return session_socket_open_still(session->socket);
	if (!is_mine(session))
		return false;
	__atomic_store_n(&session->mine->until_ns, clock_now() + LEASE_NS, __ATOMIC_RELEASE);
	__atomic_store_n(&session->maps.ctl->observe[session->number], session->observe,
			 __ATOMIC_RELEASE);
	return true;
}

void session__set_one_in(struct session *session, uint32_t one_in)
{
	if (session->socket)
		session_socket_set_one_in(session->socket, one_in);
	if (!is_mine(session))
		return;
	__atomic_store_n(&session->mine->filter.one_in, one_in, __ATOMIC_RELEASE);
	session->observe = observe_byte(&session->mine->filter);
	session__renew(session);
}

int session__read(struct session *session, unsigned int max)
{
	int ret;

	if (session->socket)
		return session_socket_read(session->socket, max);
	session->left = max;
	ret = ring_buffer__consume(session->ring);
	return ret == -ECANCELED ? (int)max : ret;
}

unsigned int session__number(const struct session *session)
{
	return session->number;
}

int session__seen(const struct session *session, struct nodens_seen *seen)
{
	int cpus = libbpf_num_possible_cpus(), ret = -ENOMEM;
	struct nodens_seen *each;

	if (session->socket) {
		session_socket_seen(session->socket, seen);
		return 0;
	}
	each = cpus > 0 ? calloc(cpus, sizeof(*each)) : NULL;
	if (!each)
		return ret;
	*seen = (struct nodens_seen){};
	ret = bpf_map_lookup_elem(session->maps.seen_fd, &session->number, each) ? -errno : 0;
	for (int i = 0; !ret && i < cpus; i++) {
		seen->sent += each[i].sent;
		seen->lost += each[i].lost;
		seen->filtered += each[i].filtered;
	}
	free(each);
	return ret;
}
