/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How long devices wait for a tc program: from when one appeared, or from this program's start if
 * it was there, until the kernel says that one is attached.
 *
 * Contract: looks on from outside (rtnetlink, BPF_PROG_QUERY) and knows nothing of nodens. Prints
 * "watching" when it looks, and in the end a line of key=value, times in ms; exit status 1 when
 * there were too few within the time.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>

#define DEVICES_MAX 8192
#define TCX_INGRESS 46 /* BPF_TCX_INGRESS: include/uapi/linux/bpf.h, Linux 6.6 */

static struct device {
	int ifindex;
	double since, attached; /* 0: not yet */
} devices[DEVICES_MAX];
static unsigned int n_devices, n_attached;
static const char *prefix;

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

static struct device *find(int ifindex)
{
	for (unsigned int i = 0; i < n_devices; i++)
		if (devices[i].ifindex == ifindex)
			return &devices[i];
	return NULL;
}

static void has_program(struct device *device)
{
	if (!device || device->attached)
		return;
	device->attached = now_ms();
	n_attached++;
}

static void on_link(const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = NLMSG_DATA(nlh);
	int len = IFLA_PAYLOAD(nlh);

	if (ifi->ifi_family != AF_UNSPEC)
		return;
	for (const struct rtattr *attr = IFLA_RTA(ifi); RTA_OK(attr, len);
	     attr = RTA_NEXT(attr, len)) {
		if (attr->rta_type != IFLA_IFNAME ||
		    strncmp(RTA_DATA(attr), prefix, strlen(prefix)) || find(ifi->ifi_index) ||
		    n_devices == DEVICES_MAX)
			continue;
		devices[n_devices++] =
			(struct device){ .ifindex = ifi->ifi_index, .since = now_ms() };
	}
}

static void on_filter(const struct nlmsghdr *nlh)
{
	const struct tcmsg *tc = NLMSG_DATA(nlh);

	if (tc->tcm_handle && tc->tcm_parent == TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS))
		has_program(find(tc->tcm_ifindex));
}

/* One datagram at most. 1: the end of a dump. */
static int take(int fd, int wait_ms)
{
	static char buf[1 << 16];
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	const struct nlmsghdr *nlh;
	ssize_t len;

	if (poll(&pfd, 1, wait_ms) <= 0)
		return 0;
	len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (len < 0 && errno == ENOBUFS) {
		fprintf(stderr, "messages were lost\n");
		exit(1);
	}
	for (nlh = (void *)buf; len > 0 && NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len)) {
		if (nlh->nlmsg_type == NLMSG_DONE)
			return 1;
		if (nlh->nlmsg_type == RTM_NEWLINK)
			on_link(nlh);
		if (nlh->nlmsg_type == RTM_NEWTFILTER)
			on_filter(nlh);
	}
	return 0;
}

static bool has_tcx(int ifindex)
{
	/* The fields of union bpf_attr that Linux 6.6 added come behind: none of them is needed. */
	struct {
		__u32 ifindex, type, query_flags, attach_flags;
		__aligned_u64 prog_ids;
		__u32 count, pad;
		__u64 more[4];
	} attr = { .ifindex = ifindex, .type = TCX_INGRESS };

	return !syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)) && attr.count;
}

/*
 * Asking takes the lock that attaching takes: no more is asked than the first that waits, as far as
 * those in a row have one.
 */
static void ask(void)
{
	static unsigned int first;

	while (first < n_devices && (devices[first].attached || has_tcx(devices[first].ifindex)))
		has_program(&devices[first++]);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(double start)
{
	static double waited[DEVICES_MAX];
	double last = start;
	unsigned int n = 0;

	for (unsigned int i = 0; i < n_devices; i++) {
		if (!devices[i].attached)
			continue;
		waited[n++] = devices[i].attached - devices[i].since;
		if (devices[i].attached > last)
			last = devices[i].attached;
	}
	qsort(waited, n, sizeof(*waited), by_value);
	printf("attached=%u p50=%.0f p99=%.0f max=%.0f all=%.0f\n", n, n ? waited[n / 2] : 0,
	       n ? waited[n * 99 / 100] : 0, n ? waited[n - 1] : 0, last - start);
}

int main(int argc, char **argv)
{
	struct {
		struct nlmsghdr nlh;
		struct ifinfomsg ifi;
	} dump = { .nlh = { .nlmsg_len = sizeof(dump),
			    .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_TC };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), size = 16 << 20;
	double start, end;
	unsigned int wanted;

	if (argc != 4 || fd < 0) {
		fprintf(stderr, "usage: attached PREFIX COUNT SECONDS\n");
		return 2;
	}
	prefix = argv[1];
	wanted = atoi(argv[2]);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (void *)&addr, sizeof(addr)) || send(fd, &dump, sizeof(dump), 0) < 0) {
		perror("rtnetlink");
		return 2;
	}
	while (!take(fd, 1000))
		;
	start = now_ms();
	for (unsigned int i = 0; i < n_devices; i++)
		devices[i].since = start;
	end = start + atof(argv[3]) * 1e3;
	printf("watching\n");
	fflush(stdout);
	while (n_attached < wanted && now_ms() < end) {
		take(fd, 1);
		ask();
	}
	report(start);
	return n_attached < wanted;
}
