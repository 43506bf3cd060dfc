// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The lock of a network namespace. Contract: node_lock.h.
 */
#include "link/node_lock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* 127.110.100.48, "nd0" in ASCII: a loopback address, so nothing comes there from outside. */
#define LOCK_ADDR 0x7f6e6430
/* tcpmux, which is TCP's alone: no DNS server or client binds it, not even for all addresses. */
#define LOCK_PORT 1

/* A killed agent's descriptors go a moment after it. */
#define TRIES	40
#define WAIT_US 50000

/* Who has the port: 1 with the user's id, 0 nobody, -errno. */
static int find_holder(unsigned int *user)
{
	FILE *file = fopen("/proc/thread-self/net/udp", "re");
	unsigned int addr, port, uid;
	char line[256];
	int n = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, " %*u: %8X:%4X %*8X:%*4X %*x %*8x:%*8x %*2x:%*8x %*8x %u", &addr,
			   &port, &uid) != 3 ||
		    addr != htonl(LOCK_ADDR) || port != LOCK_PORT)
			continue;
		*user = uid;
		n = 1;
	}
	fclose(file);
	return n;
}

/*
 * Where net.ipv4.ip_unprivileged_port_start is 0 or 1 anybody can take the port. Agents are root's,
 * or this one's user's; what cannot be read is taken for an agent.
 */
static bool is_stranger(unsigned int uid)
{
	return uid && uid != geteuid();
}

static bool held_by_stranger(void)
{
	unsigned int uid;

	return find_holder(&uid) > 0 && is_stranger(uid);
}

bool node_lock__held(void)
{
	unsigned int uid;

	return find_holder(&uid) > 0 && !is_stranger(uid);
}

int node_lock__try(void)
{
	const struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(LOCK_PORT),
		.sin_addr = { htonl(LOCK_ADDR) },
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1, least = 1, ret = 0;

	if (fd < 0)
		return -errno;
	/* Also where lo is not up; what somebody sends there is nobody's to read. */
	if (setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)) ||
	    bind(fd, (const struct sockaddr *)&addr, sizeof(addr)))
		ret = -errno;
	if (ret)
		close(fd);
	if (ret == -EADDRINUSE)
		return held_by_stranger() ? -EPERM : -EBUSY;
	return ret ? ret : fd;
}

int node_lock__take(struct error *err)
{
	int fd, i;

	for (i = 0; (fd = node_lock__try()) == -EBUSY && i < TRIES; i++)
		usleep(WAIT_US);
	if (fd == -EBUSY)
		return error__set(err, fd, "another nodens agent runs in this network namespace");
	if (fd == -EPERM)
		return error__set(
			err, fd,
			"the lock of this network namespace, UDP port %d of 127.110.100.48, is "
			"held by a process that is no agent "
			"(net.ipv4.ip_unprivileged_port_start allows that)",
			LOCK_PORT);
	if (fd < 0)
		return error__set(err, fd, "the lock of this network namespace: %s%s",
				  strerror(-fd),
				  fd == -EACCES ? " (CAP_NET_BIND_SERVICE is needed)" : "");
	return fd;
}
