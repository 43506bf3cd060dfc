// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The source of what the node itself sends to an address of the link. Contract: dummy_priv.h.
 *
 * For a local destination the kernel takes the destination itself as the source. A query of the
 * node to the cluster DNS' address would leave with that, and after kube-proxy's DNAT arrive at a
 * pod of another node, from where no answer comes back (unless kube-proxy masquerades it, which it
 * does only where it is told the pods' addresses). So the local route gets another source: that of
 * the address beside it.
 */
#include <errno.h>
#include <linux/rtnetlink.h>

#include "base/route.h"
#include "dummy_priv.h"

#define IP6_PRIO_OURS 1024 /* what 0 means in a request */

/* What the node would send with, were the address not its own. */
static struct served_addr wanted_source(struct nl *nl, const struct served_addr *addr)
{
	struct route route;

	/* Two: the one beside it may be local as well. */
	for (uint8_t bit = 1; bit <= 2; bit <<= 1) {
		struct served_addr beside = *addr;

		((uint8_t *)&beside.v4)[served_addr__len(addr) - 1] ^= bit;
		if (!route__look_up(nl, &beside, &route) && !route.local && route.has_source)
			return route.source;
	}
	return *addr;
}

static int change_route(struct nl *nl, int ifindex, const struct served_addr *addr, uint16_t type,
			const struct served_addr *source)
{
	bool new = type == RTM_NEWROUTE;
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct rtmsg *rtm;
	struct nlmsghdr *nlh = nl__begin(buf, type, new ? NLM_F_CREATE | NLM_F_REPLACE : 0,
					 sizeof(*rtm), (void **)&rtm);

	rtm->rtm_family = addr->family;
	rtm->rtm_dst_len = 8 * served_addr__len(addr);
	rtm->rtm_table = RT_TABLE_LOCAL;
	rtm->rtm_protocol = new ? RTPROT_KERNEL : RTPROT_UNSPEC;
	rtm->rtm_scope = addr->family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_LOCAL;
	mnl_attr_put(nlh, RTA_DST, served_addr__len(addr), &addr->v4);
	mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
	if (source)
		mnl_attr_put(nlh, RTA_PREFSRC, served_addr__len(addr), &source->v4);
	if (new && addr->family == AF_INET6)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, IP6_PRIO_OURS);
	return nl__request(nl, nlh);
}

int dummy_route(struct nl *nl, int ifindex, const struct served_addr *addr)
{
	struct served_addr want = wanted_source(nl, addr);
	struct route have;
	int ret = route__look_up(nl, addr, &have);

	if (!ret && have.local && served_addr__same(&have.source, &want))
		return 0;
	/* Its own address as the source is what the route without a word about it means. */
	ret = change_route(nl, ifindex, addr, RTM_NEWROUTE,
			   served_addr__same(&want, addr) ? NULL : &want);
	if (ret || addr->family == AF_INET)
		return ret ? ret : 1;
	/*
	 * IPv6 keeps both, and the kernel's own is looked at first: it is the first to go. It may
	 * come a moment after its address (addrconf_dad_work); then the next review sees to it.
	 */
	if (!route__look_up(nl, addr, &have) && !served_addr__same(&have.source, &want))
		ret = change_route(nl, ifindex, addr, RTM_DELROUTE, NULL);
	return ret ? ret : 1;
}
