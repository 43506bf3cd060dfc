// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The node's network devices as they come and go.
 *
 * Contract: as monitor.h. What was told is remembered, sorted by ifindex, so that a device is
 * reported again only when something of it changed, and one that went unnoticed (a lost message) is
 * reported gone.
 */
#include "link/monitor.h"

#include <errno.h>
#include <fnmatch.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/netlink.h"
#include "netdev_priv.h"

/* A node that starts 250 pods at once makes some thousand messages of about 2 KB. */
#define RECEIVE_BUFFER (8 << 20)
/* Datagrams without news for one call, so that a storm of them does not hold up the event loop. */
#define DISPATCH_MAX 64
#define DUMP_TRIES   5

#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

struct known {
	struct netdev info;
	uint64_t seen; /* the dump that last had it */
};

struct monitor {
	monitor_cb *cb;
	void (*touched)(void *ctx, int ifindex); /* NULL: not wanted */
	void *ctx;
	struct nl events, requests;
	struct known *known;
	size_t n_known, cap;
	uint64_t dump; /* number of the running dump */
	bool all;      /* report the unchanged too */
	bool told;     /* the callback was called for an event */
	bool overrun;  /* messages were lost */
	int error;
};

/* Where it is, or would be. */
static size_t place(const struct monitor *monitor, int ifindex)
{
	size_t low = 0, high = monitor->n_known;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (monitor->known[middle].info.ifindex < ifindex)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct known *find(const struct monitor *monitor, int ifindex)
{
	size_t at = place(monitor, ifindex);

	return at < monitor->n_known && monitor->known[at].info.ifindex == ifindex
		       ? &monitor->known[at]
		       : NULL;
}

/* Room for one more at its place, or NULL. */
static struct known *insert(struct monitor *monitor, int ifindex)
{
	size_t at = place(monitor, ifindex);

	if (monitor->n_known == monitor->cap) {
		size_t cap = monitor->cap ? monitor->cap * 2 : 64;
		void *more = realloc(monitor->known, cap * sizeof(*monitor->known));

		if (!more)
			return NULL;
		monitor->known = more;
		monitor->cap = cap;
	}
	memmove(&monitor->known[at + 1], &monitor->known[at],
		(monitor->n_known++ - at) * sizeof(*monitor->known));
	return &monitor->known[at];
}

static void tell(struct monitor *monitor, const struct netdev *info)
{
	struct known *known = find(monitor, info->ifindex);
	struct netdev copy = *info;

	if (!known) {
		known = insert(monitor, info->ifindex);
		if (!known) {
			monitor->error = -ENOMEM;
			return;
		}
	} else if (!monitor->all && !memcmp(&known->info, info, sizeof(*info))) {
		known->seen = monitor->dump;
		return;
	}
	known->info = *info;
	known->seen = monitor->dump;
	monitor->told = true;
	monitor->cb(monitor->ctx, &copy, false);
}

static void tell_gone(struct monitor *monitor, struct known *known)
{
	struct netdev info = known->info;

	memmove(known, known + 1,
		(&monitor->known[monitor->n_known--] - (known + 1)) * sizeof(*known));
	monitor->told = true;
	monitor->cb(monitor->ctx, &info, true);
}

static int on_dumped(const struct nlmsghdr *nlh, void *ctx)
{
	struct monitor *monitor = ctx;
	struct netdev_parsed parsed;

	if (nlh->nlmsg_type == RTM_NEWLINK && netdev_parse(nlh, &parsed))
		tell(monitor, &parsed.info);
	return MNL_CB_OK;
}

/* One device (or all, 0) as it is now. */
static int get_links(struct monitor *monitor, int ifindex)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh =
		nl__begin(buf, RTM_GETLINK, ifindex ? 0 : NLM_F_DUMP, sizeof(*ifi), (void **)&ifi);

	ifi->ifi_index = ifindex;
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return nl__query(&monitor->requests, nlh, on_dumped, monitor);
}

static int dump(struct monitor *monitor, bool all)
{
	int ret = -EINTR, tries;
	size_t i;

	monitor->error = 0;
	monitor->all = all;
	monitor->dump++;
	for (tries = 0; ret == -EINTR && tries < DUMP_TRIES; tries++) {
		ret = get_links(monitor, 0);
		monitor->all = false;
	}
	/* A dump that others kept disturbing holds all that stayed; who is missing is asked for. */
	if (ret && ret != -EINTR)
		return ret;
	for (i = 0; i < monitor->n_known;) {
		struct known *known = &monitor->known[i];

		if (known->seen != monitor->dump &&
		    get_links(monitor, known->info.ifindex) == -ENODEV)
			tell_gone(monitor, known);
		else
			i++;
	}
	return monitor->error;
}

static void touch(struct monitor *monitor, int ifindex)
{
	if (monitor->touched && find(monitor, ifindex))
		monitor->touched(monitor->ctx, ifindex);
}

static void on_tc(struct monitor *monitor, const struct nlmsghdr *nlh)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_len >= mnl_nlmsg_size(sizeof(*tc)))
		touch(monitor, tc->tcm_ifindex);
}

static int on_event(const struct nlmsghdr *nlh, void *ctx)
{
	struct monitor *monitor = ctx;
	struct netdev_parsed parsed;
	struct known *known;

	switch (nlh->nlmsg_type) {
	case RTM_NEWQDISC:
	case RTM_DELQDISC:
	case RTM_NEWTFILTER:
	case RTM_DELTFILTER:
		on_tc(monitor, nlh);
		return MNL_CB_OK;
	}
	if ((nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK) ||
	    !netdev_parse(nlh, &parsed))
		return MNL_CB_OK;
	if (nlh->nlmsg_type == RTM_NEWLINK) {
		tell(monitor, &parsed.info);
		touch(monitor, parsed.info.ifindex);
		return MNL_CB_OK;
	}
	known = find(monitor, parsed.info.ifindex);
	if (known)
		tell_gone(monitor, known);
	/* It may have moved into another namespace, of which its peer here is told nothing. */
	if (parsed.veth && !parsed.info.foreign_peer && parsed.peer > 0 &&
	    find(monitor, parsed.peer))
		get_links(monitor, parsed.peer);
	return MNL_CB_OK;
}

int monitor__open(monitor_cb *cb, void *ctx, struct monitor **out)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));
	int size = RECEIVE_BUFFER, group = RTNLGRP_LINK, fd, ret;

	if (!monitor)
		return -ENOMEM;
	monitor->cb = cb;
	monitor->ctx = ctx;
	ret = nl__open(&monitor->requests);
	if (!ret)
		ret = nl__open(&monitor->events);
	if (ret)
		goto out;
	fd = monitor__fd(monitor);
	/* Beyond net.core.rmem_max with CAP_NET_ADMIN, as far as allowed without. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (mnl_socket_setsockopt(monitor->events.sock, NETLINK_ADD_MEMBERSHIP, &group,
				  sizeof(group)) < 0) {
		ret = -errno;
		goto out;
	}
	*out = monitor;
	return 0;
out:
	monitor__close(monitor);
	return ret;
}

void monitor__close(struct monitor *monitor)
{
	if (!monitor)
		return;
	nl__close(&monitor->events);
	nl__close(&monitor->requests);
	free(monitor->known);
	free(monitor);
}

int monitor__fd(const struct monitor *monitor)
{
	return mnl_socket_get_fd(monitor->events.sock);
}

int monitor__watch(struct monitor *monitor, void (*touched)(void *ctx, int ifindex))
{
	int group = RTNLGRP_TC;

	if (mnl_socket_setsockopt(monitor->events.sock, NETLINK_ADD_MEMBERSHIP, &group,
				  sizeof(group)) < 0)
		return -errno;
	monitor->touched = touched;
	return 0;
}

int monitor__dump(struct monitor *monitor)
{
	return dump(monitor, true);
}

int monitor__dispatch(struct monitor *monitor)
{
	char *buf = malloc(NL_BUFFER);
	int n, fd = monitor__fd(monitor), ret = 0;
	bool empty = false;
	ssize_t len;

	if (!buf)
		return -ENOMEM;
	monitor->error = 0;
	monitor->told = false;
	/* Not before the queue is empty where messages were lost: nothing may come after its last
	 * one. */
	for (n = 0; n < DISPATCH_MAX && (!monitor->told || monitor->overrun); n++) {
		len = recv(fd, buf, NL_BUFFER, MSG_DONTWAIT);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == ENOBUFS) {
			monitor->overrun = true;
			continue;
		}
		if (len < 0) {
			empty = errno == EAGAIN;
			ret = empty ? 0 : -errno;
			break;
		}
		if (mnl_cb_run(buf, len, 0, 0, on_event, monitor) < 0 && errno != EPROTO)
			ret = -errno;
	}
	free(buf);
	/* Only when the queue is empty: what is in it is older than a dump would be. */
	if (empty && monitor->overrun) {
		monitor->overrun = false;
		ret = dump(monitor, false);
	}
	return ret ? ret : monitor->error;
}

bool glob_list__match(const char *globs, const char *name)
{
	char glob[256];
	size_t len;

	while (globs && *globs) {
		globs += strspn(globs, ", \t");
		len = strcspn(globs, ", \t");
		if (len && len < sizeof(glob)) {
			memcpy(glob, globs, len);
			glob[len] = '\0';
			if (!fnmatch(glob, name, 0))
				return true;
		}
		globs += len;
	}
	return false;
}
