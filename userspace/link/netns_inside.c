// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is set up inside the private namespace, and its sockets.
 *
 * Contract: runs in a thread that is in the namespace. Everything is set by rtnetlink, since
 * /proc/sys is read-only in many containers; what only /proc/sys can do is not needed to answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netdev_priv.h"
#include "netns_priv.h"

/*
 * Both ways' limit for TCP and the size over which UDP leaves in fragments: the least MTU of IPv6,
 * which every pod's path can carry.
 */
#define ROUTE_MTU 1280

/* Pending connections: a node's pods may all turn to TCP at once. */
#define BACKLOG 1024

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78 /* linux/in6.h */
#endif

const uint8_t nd0_mac[ETH_ALEN] = { 0x02, 0x6e, 0x64, 0x6e, 0x73, 0x00 };
const uint8_t nd1_mac[ETH_ALEN] = { 0x02, 0x6e, 0x64, 0x6e, 0x73, 0x01 };

/* Forwarding and the reverse path check are inherited from the node's defaults. */
static int reset_ipv4(struct nl *nl, int ifindex)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlattr *spec, *inet, *conf;
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_NEWLINK, 0, sizeof(*ifi), (void **)&ifi);

	ifi->ifi_index = ifindex;
	spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	inet = mnl_attr_nest_start(nlh, AF_INET);
	conf = mnl_attr_nest_start(nlh, IFLA_INET_CONF);
	mnl_attr_put_u32(nlh, IPV4_DEVCONF_FORWARDING, 0);
	mnl_attr_put_u32(nlh, IPV4_DEVCONF_RP_FILTER, 0);
	mnl_attr_put_u32(nlh, IPV4_DEVCONF_SEND_REDIRECTS, 0);
	mnl_attr_nest_end(nlh, conf);
	mnl_attr_nest_end(nlh, inet);
	mnl_attr_nest_end(nlh, spec);
	return nl__request(nl, nlh);
}

static int local_route(struct nl *nl, const struct served_addr *addr, int lo)
{
	bool v4 = addr->family == AF_INET;
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct rtmsg *rtm;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE,
					 sizeof(*rtm), (void **)&rtm);

	rtm->rtm_family = addr->family;
	rtm->rtm_dst_len = v4 ? 32 : 128;
	rtm->rtm_table = RT_TABLE_LOCAL;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_scope = RT_SCOPE_HOST;
	rtm->rtm_type = RTN_LOCAL;
	mnl_attr_put(nlh, RTA_DST, v4 ? sizeof(addr->v4) : sizeof(addr->v6), &addr->v4);
	mnl_attr_put_u32(nlh, RTA_OIF, lo);
	return nl__request(nl, nlh);
}

/* The way out: a neighbour that is nd0, known for ever, so nobody is ever asked. */
struct gateway {
	int family;
	size_t len;
	uint8_t addr[16];
};

static int neighbour(struct nl *nl, const struct gateway *gw, int nd1)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct ndmsg *ndm;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
					 sizeof(*ndm), (void **)&ndm);

	ndm->ndm_family = gw->family;
	ndm->ndm_ifindex = nd1;
	ndm->ndm_state = NUD_PERMANENT;
	mnl_attr_put(nlh, NDA_DST, gw->len, gw->addr);
	mnl_attr_put(nlh, NDA_LLADDR, ETH_ALEN, nd0_mac);
	return nl__request(nl, nlh);
}

static int default_route(struct nl *nl, const struct gateway *gw, int nd1)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlattr *metrics;
	struct rtmsg *rtm;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE,
					 sizeof(*rtm), (void **)&rtm);

	rtm->rtm_family = gw->family;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_scope = RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	rtm->rtm_flags = RTNH_F_ONLINK;
	mnl_attr_put(nlh, RTA_GATEWAY, gw->len, gw->addr);
	mnl_attr_put_u32(nlh, RTA_OIF, nd1);
	metrics = mnl_attr_nest_start(nlh, RTA_METRICS);
	mnl_attr_put_u32(nlh, RTAX_MTU, ROUTE_MTU);
	mnl_attr_put_u32(nlh, RTAX_LOCK, 1 << RTAX_MTU);
	mnl_attr_nest_end(nlh, metrics);
	return nl__request(nl, nlh);
}

/* A link-local address that is not one of those served. */
static void gateway4(const struct netns_inside *in, struct gateway *gw)
{
	uint32_t addr = 0xa9fe0101; /* 169.254.1.1 */
	int i;

	for (i = 0; i < in->n_addrs; i++)
		if (in->addrs[i].family == AF_INET && ntohl(in->addrs[i].v4.s_addr) == addr) {
			addr++;
			i = -1;
		}
	gw->family = AF_INET;
	gw->len = 4;
	addr = htonl(addr);
	memcpy(gw->addr, &addr, 4);
}

static int way_out(struct nl *nl, const struct gateway *gw, int nd1)
{
	int ret = default_route(nl, gw, nd1);

	return ret ? ret : neighbour(nl, gw, nd1);
}

static bool serves(const struct netns_inside *in, int family)
{
	int i;

	for (i = 0; i < in->n_addrs; i++)
		if (in->addrs[i].family == family)
			return true;
	return false;
}

static int set_up(struct nl *nl, const struct netns_inside *in)
{
	struct gateway gw6 = { AF_INET6, 16, { 0xfe, 0x80, [15] = 1 } }, gw4;
	int lo, nd1, i, ret;

	ret = netdev_find(nl, "lo", &lo, NULL, 0);
	if (!ret)
		ret = netdev_set_up(nl, lo, 0);
	if (!ret)
		ret = netdev_find(nl, ND1, &nd1, NULL, 0);
	if (ret)
		return ret;
	/* so no duplicate address detection, no router solicitation */
	netdev_no_ipv6_address(nl, nd1);
	ret = netdev_set_up(nl, nd1, 0);
	if (ret)
		return ret;
	gateway4(in, &gw4);
	if (reset_ipv4(nl, nd1))
		netdev_note(in->note, in->note_size, "forwarding inside the private namespace: %s",
			    nl->message);
	for (i = 0; !ret && i < in->n_addrs; i++)
		ret = local_route(nl, &in->addrs[i], lo);
	if (!ret && serves(in, AF_INET))
		ret = way_out(nl, &gw4, nd1);
	if (!ret && serves(in, AF_INET6))
		ret = way_out(nl, &gw6, nd1);
	return ret;
}

int netns_inside_set_up(void *ctx)
{
	const struct netns_inside *in = ctx;
	struct nl nl;
	int ret = nl__open(&nl);

	if (!ret)
		ret = set_up(&nl, in);
	if (ret)
		error__set(in->err, ret, "cannot set the private namespace up: %s%s%s%s",
			   strerror(-ret), nl.message[0] ? ": " : "", nl.message,
			   ret == -EAFNOSUPPORT || ret == -EOPNOTSUPP
				   ? " (an IPv6 address on a kernel without IPv6?)"
				   : "");
	nl__close(&nl);
	/* The routes are right for any reverse path check and nothing is forwarded: to be tidy. */
	sysctl_write("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
	sysctl_write("/proc/sys/net/ipv4/ip_forward", "0");
	return ret;
}

static int set_options(int fd, const struct netns_socket *sock)
{
	int on = 1, ret;
	bool v4 = sock->family == AF_INET;

	ret = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!ret && !v4)
		ret = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (!ret && sock->type == SOCK_DGRAM)
		ret = v4 ? setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on))
			 : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	/* A served address is local by its route, yet no device has it: IPv6 asks for one. */
	if (!ret && !v4 && setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)))
		ret = setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	return ret ? -errno : 0;
}

int netns_inside_socket(void *ctx)
{
	struct netns_socket *sock = ctx;
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(sock->port) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(sock->port) };
	bool v4 = sock->family == AF_INET;
	int fd, ret;

	fd = socket(sock->family, sock->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ret = set_options(fd, sock);
	if (!ret && bind(fd, v4 ? (struct sockaddr *)&any4 : (struct sockaddr *)&any6,
			 v4 ? sizeof(any4) : sizeof(any6)))
		ret = -errno;
	if (!ret && sock->type == SOCK_STREAM && listen(fd, BACKLOG))
		ret = -errno;
	if (ret) {
		close(fd);
		return ret;
	}
	sock->fd = fd;
	return 0;
}
