/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Requests to rtnetlink and their answers, over libmnl.
 *
 * Contract: a socket belongs to the network namespace of the thread that opened it and is used by
 * one thread at a time; a call returns when the kernel has answered.
 */
#ifndef NODENS_NETLINK_H
#define NODENS_NETLINK_H

#include <stddef.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

/* The kernel fills dumps in pieces of up to this size. */
#define NL_BUFFER 32768

struct nl {
	struct mnl_socket *sock;
	uint32_t seq, portid;
	char message[128]; /* the kernel's own words on the last failure, or "" */
};

int nl__open(struct nl *nl);
void nl__close(struct nl *nl);

/* A request in @buf (MNL_SOCKET_BUFFER_SIZE bytes or more) with @extra bytes of zeroed header. */
struct nlmsghdr *nl__begin(void *buf, uint16_t type, uint16_t flags, size_t extra, void **header);

/* Send and wait for the acknowledgement: 0 or -errno. */
int nl__request(struct nl *nl, struct nlmsghdr *nlh);
/* Send and hand each answer to @cb (MNL_CB_OK goes on). -EINTR: the dump was not of one moment. */
int nl__query(struct nl *nl, struct nlmsghdr *nlh, mnl_cb_t cb, void *ctx);

#endif /* NODENS_NETLINK_H */
