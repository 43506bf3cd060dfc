// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The private namespace as the node sees it: nd0, the namespace's id, who may have one.
 *
 * Contract: as netns.h. An nd0 is removed only if its alias says that it is ours and no agent
 * holds the lock of this network namespace (link/node_lock.h), which a dead agent loses.
 */
#include "link/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/node_lock.h"
#include "netdev_priv.h"
#include "netns_priv.h"

/*
 * What a pod sends in one packet must pass, so the largest there is; what goes out of the
 * namespace is kept small by its routes (netns_inside.c).
 */
#define ND_MTU 65535

/* Ids that the kernel hands out itself count up from 0: keep away from them. */
#define NSID_MIN   0x10000000
#define NSID_TRIES 16

/* The namespace of a killed agent, and nd0 with it, goes a moment after the agent. */
#define STALE_TRIES   40
#define STALE_WAIT_US 50000

struct netns {
	int netns_fd;
	int nd0_ifindex;
	int32_t netns_id;
	char note[256];
};

struct netns_call {
	int fd;
	int (*fn)(void *ctx);
	void *ctx;
	int ret;
};

static void *netns_thread(void *arg)
{
	struct netns_call *call = arg;

	if (call->fd >= 0 ? setns(call->fd, CLONE_NEWNET) : unshare(CLONE_NEWNET))
		call->ret = -errno;
	else
		call->ret = call->fn(call->ctx);
	return NULL;
}

/* Runs @fn in a thread of the namespace @fd (-1: in a new one) and returns what it returns. */
static int netns_run(int fd, int (*fn)(void *ctx), void *ctx)
{
	struct netns_call call = { .fd = fd, .fn = fn, .ctx = ctx };
	sigset_t all, old;
	pthread_t thread;
	int ret;

	/* Signals are the calling thread's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&thread, NULL, netns_thread, &call);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		return -ret;
	pthread_join(thread, NULL);
	return call.ret;
}

static int do_nothing(void *ctx)
{
	(void)ctx;
	return 0;
}

int netns__may_open(void)
{
	return netns_run(-1, do_nothing, NULL);
}

static int open_own_netns(void *ctx)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*(int *)ctx = fd;
	return 0;
}

/* With the lock held. 1: removed. */
static int remove_stale(struct nl *nl, struct error *err)
{
	char alias[256];
	int ifindex = 0, ret;

	ret = netdev_find(nl, ND0, &ifindex, alias, sizeof(alias));
	if (ret == -ENODEV)
		return 0;
	if (ret)
		return error__set(err, ret, "cannot look for " ND0 ": %s", strerror(-ret));
	if (strcmp(alias, ND0_ALIAS))
		return error__set(err, -EEXIST,
				  "device " ND0 " exists, and nodens did not make it:"
				  " rename or remove it");
	ret = netdev_delete(nl, ifindex);
	if (ret && ret != -ENODEV)
		return error__set(err, ret, "cannot remove a stale " ND0 ": %s", strerror(-ret));
	return 1;
}

int netns__remove_stale(struct error *err)
{
	int lock_fd, ret;
	struct nl nl;

	lock_fd = node_lock__try();
	if (lock_fd == -EBUSY)
		return error__set(err, lock_fd, ND0 " is in use: the agent is running");
	if (lock_fd < 0)
		return error__set(err, lock_fd, "the lock of this network namespace: %s",
				  strerror(-lock_fd));
	ret = nl__open(&nl);
	if (ret)
		error__set(err, ret, "rtnetlink: %s", strerror(-ret));
	else
		ret = remove_stale(&nl, err);
	nl__close(&nl);
	close(lock_fd);
	return ret;
}

static int set_netns_id(struct nl *nl, int netns_fd, int32_t *id)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh;
	struct rtgenmsg *gen;
	uint32_t random;
	int ret = -EEXIST, i;

	for (i = 0; i < NSID_TRIES && (ret == -EEXIST || ret == -ENOSPC); i++) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -EIO;
		random = NSID_MIN + random % (INT32_MAX - NSID_MIN);
		nlh = nl__begin(buf, RTM_NEWNSID, 0, sizeof(*gen), (void **)&gen);
		mnl_attr_put_u32(nlh, NETNSA_NSID, random);
		mnl_attr_put_u32(nlh, NETNSA_FD, netns_fd);
		ret = nl__request(nl, nlh);
	}
	if (!ret)
		*id = random;
	return ret;
}

static int make_pair(struct nl *nl, int netns_fd)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlattr *info, *data, *peer;
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh =
		nl__begin(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*ifi), (void **)&ifi);

	mnl_attr_put_strz(nlh, IFLA_IFNAME, ND0);
	mnl_attr_put(nlh, IFLA_ADDRESS, ETH_ALEN, nd0_mac);
	mnl_attr_put_u32(nlh, IFLA_MTU, ND_MTU);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	memset(mnl_nlmsg_get_payload_tail(nlh), 0, sizeof(*ifi));
	nlh->nlmsg_len += MNL_ALIGN(sizeof(*ifi));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, ND1);
	mnl_attr_put(nlh, IFLA_ADDRESS, ETH_ALEN, nd1_mac);
	mnl_attr_put_u32(nlh, IFLA_MTU, ND_MTU);
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, netns_fd);
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return nl__request(nl, nlh);
}

static int nd0_up(struct nl *nl, int ifindex)
{
	netdev_no_ipv6_address(nl, ifindex);
	return netdev_set_up(nl, ifindex, 0);
}

int netns__bring_up(struct netns *netns)
{
	struct nl nl;
	int ret = nl__open(&nl);

	if (ret)
		return ret;
	ret = nd0_up(&nl, netns->nd0_ifindex);
	nl__close(&nl);
	return ret;
}

static int make_veth(struct netns *netns, struct nl *nl, struct error *err)
{
	int ret = 0, i;

	for (i = 0; i < STALE_TRIES; i++) {
		ret = remove_stale(nl, err);
		if (ret < 0)
			return ret;
		ret = make_pair(nl, netns->netns_fd);
		if (ret != -EEXIST)
			break;
		usleep(STALE_WAIT_US);
	}
	if (!ret)
		ret = netdev_find(nl, ND0, &netns->nd0_ifindex, NULL, 0);
	/* The alias first: an nd0 that is left here is known for ours. */
	if (!ret)
		ret = netdev_set_alias(nl, netns->nd0_ifindex, ND0_ALIAS);
	if (!ret) {
		int no6 = sysctl_write("/proc/sys/net/ipv6/conf/" ND0 "/disable_ipv6", "1");

		if (no6 && no6 != -ENOENT)
			netdev_note(netns->note, sizeof(netns->note),
				    "IPv6 stays on at " ND0 ", without an address"
				    " (/proc/sys: %s)",
				    strerror(-no6));
		ret = nd0_up(nl, netns->nd0_ifindex);
	}
	return ret ? error__set(err, ret, "cannot make the veth pair " ND0 ": %s%s%s",
				strerror(-ret), nl->message[0] ? ": " : "", nl->message)
		   : 0;
}

static int check_addrs(const struct served_addr *addrs, int n, struct error *err)
{
	int i;

	for (i = 0; i < n; i++) {
		bool v4 = addrs[i].family == AF_INET;
		uint32_t a = v4 ? ntohl(addrs[i].v4.s_addr) : 0;

		if (!v4 && addrs[i].family != AF_INET6)
			return error__set(err, -EINVAL,
					  "served address %d: neither IPv4 nor"
					  " IPv6",
					  i + 1);
		if (v4 ? !a || IN_MULTICAST(a) || a == INADDR_BROADCAST
		       : IN6_IS_ADDR_UNSPECIFIED(&addrs[i].v6) ||
				    IN6_IS_ADDR_MULTICAST(&addrs[i].v6) ||
				    IN6_IS_ADDR_LINKLOCAL(&addrs[i].v6))
			return error__set(err, -EINVAL,
					  "served address %d: want a unicast address"
					  " (of IPv6 none of fe80::/10)",
					  i + 1);
	}
	return 0;
}

static int open_netns(struct netns *netns, const struct served_addr *addrs, int n_addrs,
		      struct error *err)
{
	struct netns_inside inside = { addrs, n_addrs, netns->note, sizeof(netns->note), err };
	struct nl nl = {};
	int ret;

	ret = netns_run(-1, open_own_netns, &netns->netns_fd);
	if (ret)
		return error__set(err, ret, "cannot make a network namespace: %s%s", strerror(-ret),
				  ret == -EPERM ? " (CAP_SYS_ADMIN is needed)" : "");
	ret = nl__open(&nl);
	if (ret)
		return error__set(err, ret, "rtnetlink: %s", strerror(-ret));
	/* Before there is a device in it whose announcement would give it another id. */
	ret = set_netns_id(&nl, netns->netns_fd, &netns->netns_id);
	if (ret)
		error__set(err, ret, "cannot give the network namespace an id: %s", strerror(-ret));
	else
		ret = make_veth(netns, &nl, err);
	nl__close(&nl);
	if (!ret)
		ret = netns_run(netns->netns_fd, netns_inside_set_up, &inside);
	return ret;
}

int netns__open(const struct served_addr *addrs, int n_addrs, struct netns **out, struct error *err)
{
	struct netns *netns;
	int ret;

	ret = check_addrs(addrs, n_addrs, err);
	if (ret)
		return ret;
	netns = calloc(1, sizeof(*netns));
	if (!netns)
		return error__set(err, -ENOMEM, "out of memory");
	netns->netns_fd = -1;
	ret = open_netns(netns, addrs, n_addrs, err);
	if (ret) {
		netns__close(netns);
		return ret;
	}
	*out = netns;
	return 0;
}

void netns__close(struct netns *netns)
{
	struct nl nl;

	if (!netns)
		return;
	/* It would go with the namespace, but that is later, and sockets may hold that. */
	if (netns->nd0_ifindex && !nl__open(&nl)) {
		netdev_delete(&nl, netns->nd0_ifindex);
		nl__close(&nl);
	}
	if (netns->netns_fd >= 0)
		close(netns->netns_fd);
	free(netns);
}

const char *netns__note(const struct netns *netns)
{
	return netns->note;
}

int netns__socket(struct netns *netns, int family, int type, uint16_t port)
{
	struct netns_socket sock = { family, type, port, -1 };
	int ret = netns_run(netns->netns_fd, netns_inside_socket, &sock);

	return ret ? ret : sock.fd;
}

int netns__nd0(const struct netns *netns)
{
	return netns->nd0_ifindex;
}

void netns__fill_ctl(const struct netns *netns, struct nodens_ctl *ctl)
{
	ctl->nd0_ifindex = netns->nd0_ifindex;
	ctl->netns_id = netns->netns_id;
	memcpy(ctl->nd1_mac, nd1_mac, sizeof(ctl->nd1_mac));
}
