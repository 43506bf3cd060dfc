// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The node's network devices as they come and go.
 *
 * Contract: as monitor.h. What was told is remembered, so that a device is reported again only when
 * something of it changed, and one that went unnoticed (a lost message) is reported gone.
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

/* A node that starts 250 pods at once makes some thousand messages of about 2 KB. */
#define RECEIVE_BUFFER (8 << 20)
/* Datagrams for one call, so that a storm of devices does not hold up the event loop. */
#define DISPATCH_MAX 64
#define DUMP_TRIES   5

#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

struct known {
	struct link_info info;
	uint64_t seen; /* the dump that last had it */
};

struct links {
	links_cb *cb;
	void *ctx;
	struct nl events, requests;
	struct known *known;
	size_t n_known, cap;
	uint64_t dump; /* number of the running dump */
	bool all;      /* report the unchanged too */
	bool overrun;  /* messages were lost */
	int error;
};

struct parsed {
	struct link_info info;
	int peer; /* IFLA_LINK */
	bool veth;
};

static int on_linkinfo(const struct nlattr *attr, void *ctx)
{
	struct parsed *parsed = ctx;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
	    mnl_attr_validate(attr, MNL_TYPE_STRING) >= 0)
		snprintf(parsed->info.kind, sizeof(parsed->info.kind), "%s",
			 mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int on_attr(const struct nlattr *attr, void *ctx)
{
	struct parsed *parsed = ctx;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(attr, MNL_TYPE_STRING) >= 0)
			snprintf(parsed->info.name, sizeof(parsed->info.name), "%s",
				 mnl_attr_get_str(attr));
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == sizeof(parsed->info.mac))
			memcpy(parsed->info.mac, mnl_attr_get_payload(attr),
			       sizeof(parsed->info.mac));
		break;
	case IFLA_LINK:
		if (mnl_attr_get_payload_len(attr) >= sizeof(uint32_t))
			parsed->peer = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK_NETNSID:
		parsed->info.foreign_peer = true;
		break;
	case IFLA_LINKINFO:
		mnl_attr_parse_nested(attr, on_linkinfo, parsed);
		break;
	}
	return MNL_CB_OK;
}

static bool parse(const struct nlmsghdr *nlh, struct parsed *parsed)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*ifi)))
		return false;
	/* AF_BRIDGE: as a bridge's port. Its RTM_DELLINK says that it left the bridge. */
	if (ifi->ifi_family != AF_UNSPEC)
		return false;
	memset(parsed, 0, sizeof(*parsed));
	parsed->info.ifindex = ifi->ifi_index;
	parsed->info.up = ifi->ifi_flags & IFF_UP;
	mnl_attr_parse(nlh, sizeof(*ifi), on_attr, parsed);
	parsed->veth = !strcmp(parsed->info.kind, "veth");
	parsed->info.foreign_peer = parsed->info.foreign_peer && parsed->veth;
	return true;
}

static struct known *find(struct links *links, int ifindex)
{
	size_t i;

	for (i = 0; i < links->n_known; i++)
		if (links->known[i].info.ifindex == ifindex)
			return &links->known[i];
	return NULL;
}

static void tell(struct links *links, const struct link_info *info)
{
	struct known *known = find(links, info->ifindex);
	struct link_info copy = *info;

	if (!known) {
		if (links->n_known == links->cap) {
			size_t cap = links->cap ? links->cap * 2 : 64;
			void *more = realloc(links->known, cap * sizeof(*links->known));

			if (!more) {
				links->error = -ENOMEM;
				return;
			}
			links->known = more;
			links->cap = cap;
		}
		known = &links->known[links->n_known++];
	} else if (!links->all && !memcmp(&known->info, info, sizeof(*info))) {
		known->seen = links->dump;
		return;
	}
	known->info = *info;
	known->seen = links->dump;
	links->cb(links->ctx, &copy, false);
}

static void tell_gone(struct links *links, struct known *known)
{
	struct link_info info = known->info;

	*known = links->known[--links->n_known];
	links->cb(links->ctx, &info, true);
}

static int on_dumped(const struct nlmsghdr *nlh, void *ctx)
{
	struct links *links = ctx;
	struct parsed parsed;

	if (nlh->nlmsg_type == RTM_NEWLINK && parse(nlh, &parsed))
		tell(links, &parsed.info);
	return MNL_CB_OK;
}

/* One device (or all, 0) as it is now. */
static int get_links(struct links *links, int ifindex)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh =
		nl__begin(buf, RTM_GETLINK, ifindex ? 0 : NLM_F_DUMP, sizeof(*ifi), (void **)&ifi);

	ifi->ifi_index = ifindex;
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return nl__query(&links->requests, nlh, on_dumped, links);
}

static int dump(struct links *links, bool all)
{
	int ret = -EINTR, tries;
	size_t i;

	links->error = 0;
	links->all = all;
	links->dump++;
	for (tries = 0; ret == -EINTR && tries < DUMP_TRIES; tries++) {
		ret = get_links(links, 0);
		links->all = false;
	}
	/* A dump that others kept disturbing holds all that stayed; who is missing is asked for. */
	if (ret && ret != -EINTR)
		return ret;
	for (i = 0; i < links->n_known;) {
		struct known *known = &links->known[i];

		if (known->seen != links->dump && get_links(links, known->info.ifindex) == -ENODEV)
			tell_gone(links, known);
		else
			i++;
	}
	return links->error;
}

static int on_event(const struct nlmsghdr *nlh, void *ctx)
{
	struct links *links = ctx;
	struct parsed parsed;
	struct known *known;

	if ((nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK) ||
	    !parse(nlh, &parsed))
		return MNL_CB_OK;
	if (nlh->nlmsg_type == RTM_NEWLINK) {
		tell(links, &parsed.info);
		return MNL_CB_OK;
	}
	known = find(links, parsed.info.ifindex);
	if (known)
		tell_gone(links, known);
	/* It may have moved into another namespace, of which its peer here is told nothing. */
	if (parsed.veth && !parsed.info.foreign_peer && parsed.peer > 0 && find(links, parsed.peer))
		get_links(links, parsed.peer);
	return MNL_CB_OK;
}

int links__open(links_cb *cb, void *ctx, struct links **out)
{
	struct links *links = calloc(1, sizeof(*links));
	int size = RECEIVE_BUFFER, group = RTNLGRP_LINK, fd, ret;

	if (!links)
		return -ENOMEM;
	links->cb = cb;
	links->ctx = ctx;
	ret = nl__open(&links->requests);
	if (!ret)
		ret = nl__open(&links->events);
	if (ret)
		goto out;
	fd = links__fd(links);
	/* Beyond net.core.rmem_max with CAP_NET_ADMIN, as far as allowed without. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (mnl_socket_setsockopt(links->events.sock, NETLINK_ADD_MEMBERSHIP, &group,
				  sizeof(group)) < 0) {
		ret = -errno;
		goto out;
	}
	*out = links;
	return 0;
out:
	links__close(links);
	return ret;
}

void links__close(struct links *links)
{
	if (!links)
		return;
	nl__close(&links->events);
	nl__close(&links->requests);
	free(links->known);
	free(links);
}

int links__fd(const struct links *links)
{
	return mnl_socket_get_fd(links->events.sock);
}

int links__dump(struct links *links)
{
	return dump(links, true);
}

int links__dispatch(struct links *links)
{
	char *buf = malloc(NL_BUFFER);
	int n, fd = links__fd(links), ret = 0;
	ssize_t len;

	if (!buf)
		return -ENOMEM;
	links->error = 0;
	for (n = 0; n < DISPATCH_MAX; n++) {
		len = recv(fd, buf, NL_BUFFER, MSG_DONTWAIT);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == ENOBUFS) {
			links->overrun = true;
			continue;
		}
		if (len < 0) {
			ret = errno == EAGAIN ? 0 : -errno;
			break;
		}
		if (mnl_cb_run(buf, len, 0, 0, on_event, links) < 0 && errno != EPROTO)
			ret = -errno;
	}
	free(buf);
	/* Only when the queue is empty: what is in it is older than a dump would be. */
	if (!ret && links->overrun && n < DISPATCH_MAX) {
		links->overrun = false;
		ret = dump(links, false);
	}
	return ret ? ret : links->error;
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
