// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * One RTM_GETROUTE and its answer. Contract: route.h.
 */
#include "base/route.h"

#include <linux/rtnetlink.h>
#include <string.h>

static int on_attr(const struct nlattr *attr, void *ctx)
{
	struct route *route = ctx;

	switch (mnl_attr_get_type(attr)) {
	case RTA_PREFSRC:
		if (mnl_attr_get_payload_len(attr) != served_addr__len(&route->source))
			break;
		memcpy(&route->source.v4, mnl_attr_get_payload(attr),
		       served_addr__len(&route->source));
		route->has_source = true;
		break;
	case RTA_GATEWAY:
	case RTA_VIA:
		route->has_gateway = true;
		break;
	case RTA_OIF:
		if (mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
			route->ifindex = mnl_attr_get_u32(attr);
		break;
	}
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *nlh, void *ctx)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct route *route = ctx;

	if (nlh->nlmsg_type != RTM_NEWROUTE || rtm->rtm_family != route->source.family)
		return MNL_CB_OK;
	route->local = rtm->rtm_type == RTN_LOCAL;
	return mnl_attr_parse(nlh, sizeof(*rtm), on_attr, route);
}

int route__look_up(struct nl *nl, const struct served_addr *addr, struct route *route)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct rtmsg *rtm;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_GETROUTE, 0, sizeof(*rtm), (void **)&rtm);

	memset(route, 0, sizeof(*route));
	route->source.family = addr->family;
	rtm->rtm_family = addr->family;
	rtm->rtm_dst_len = 8 * served_addr__len(addr);
	mnl_attr_put(nlh, RTA_DST, served_addr__len(addr), &addr->v4);
	return nl__query(nl, nlh, on_route, route);
}
