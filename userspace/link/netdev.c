// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A network device by its name, sysctls of one, notes about them. Contract: netdev_priv.h.
 */
#include "netdev_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int sysctl_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int on_linkinfo(const struct nlattr *attr, void *ctx)
{
	struct netdev_parsed *parsed = ctx;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
	    mnl_attr_validate(attr, MNL_TYPE_STRING) >= 0)
		snprintf(parsed->info.kind, sizeof(parsed->info.kind), "%s",
			 mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int on_attr(const struct nlattr *attr, void *ctx)
{
	struct netdev_parsed *parsed = ctx;

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

bool netdev_parse(const struct nlmsghdr *nlh, struct netdev_parsed *parsed)
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

static int on_got(const struct nlmsghdr *nlh, void *ctx)
{
	struct netdev_parsed parsed;

	if (nlh->nlmsg_type == RTM_NEWLINK && netdev_parse(nlh, &parsed))
		*(struct netdev *)ctx = parsed.info;
	return MNL_CB_OK;
}

int netdev_get(struct nl *nl, const char *name, int ifindex, struct netdev *out)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct netdev found = { 0 };
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_GETLINK, 0, sizeof(*ifi), (void **)&ifi);
	int ret;

	ifi->ifi_index = ifindex;
	if (name)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	ret = nl__query(nl, nlh, on_got, &found);
	if (!ret && !found.ifindex)
		ret = -ENODEV;
	if (!ret)
		*out = found;
	return ret;
}

struct found_link {
	int ifindex;
	char *alias;
	size_t alias_size;
};

static int on_alias(const struct nlattr *attr, void *ctx)
{
	struct found_link *found = ctx;

	if (mnl_attr_get_type(attr) == IFLA_IFALIAS && found->alias_size)
		snprintf(found->alias, found->alias_size, "%.*s",
			 (int)mnl_attr_get_payload_len(attr), mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *nlh, void *ctx)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct found_link *found = ctx;

	if (nlh->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	found->ifindex = ifi->ifi_index;
	return mnl_attr_parse(nlh, sizeof(*ifi), on_alias, found);
}

int netdev_find(struct nl *nl, const char *name, int *ifindex, char *alias, size_t alias_size)
{
	struct found_link found = { .alias = alias, .alias_size = alias_size };
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_GETLINK, 0, sizeof(*ifi), (void **)&ifi);
	int ret;

	if (alias_size)
		alias[0] = '\0';
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	ret = nl__query(nl, nlh, on_link, &found);
	if (!ret)
		*ifindex = found.ifindex;
	return ret;
}

int netdev_set_alias(struct nl *nl, int ifindex, const char *alias)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_NEWLINK, 0, sizeof(*ifi), (void **)&ifi);

	ifi->ifi_index = ifindex;
	mnl_attr_put_str(nlh, IFLA_IFALIAS, alias);
	return nl__request(nl, nlh);
}

int netdev_set_up(struct nl *nl, int ifindex, unsigned int flags)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_NEWLINK, 0, sizeof(*ifi), (void **)&ifi);

	ifi->ifi_index = ifindex;
	ifi->ifi_flags = ifi->ifi_change = IFF_UP | flags;
	return nl__request(nl, nlh);
}

int netdev_delete(struct nl *nl, int ifindex)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_DELLINK, 0, sizeof(*ifi), (void **)&ifi);

	ifi->ifi_index = ifindex;
	return nl__request(nl, nlh);
}

void netdev_no_ipv6_address(struct nl *nl, int ifindex)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlattr *spec, *inet6;
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_NEWLINK, 0, sizeof(*ifi), (void **)&ifi);

	ifi->ifi_index = ifindex;
	spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	inet6 = mnl_attr_nest_start(nlh, AF_INET6);
	mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(nlh, inet6);
	mnl_attr_nest_end(nlh, spec);
	nl__request(nl, nlh);
}

void netdev_note(char *note, size_t size, const char *fmt, ...)
{
	size_t len = strlen(note);
	va_list ap;

	if (len && len + 2 < size) {
		memcpy(note + len, "; ", 3);
		len += 2;
	}
	va_start(ap, fmt);
	vsnprintf(note + len, size - len, fmt, ap);
	va_end(ap);
}
