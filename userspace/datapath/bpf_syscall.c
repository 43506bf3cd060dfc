// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * bpf() for what libbpf wraps only from 1.3 on: tcx. Contract: bpf_syscall_priv.h.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "bpf_syscall_priv.h"

/* include/uapi/linux/bpf.h as of kernel commit e420bed02507, newer than the build's headers. */
#define TCX_FLAG_BEFORE (1u << 3) /* BPF_F_BEFORE; relative to nothing: first */

/* The query part of union bpf_attr with the fields that commit added. */
struct tcx_query {
	__u32 ifindex;
	__u32 attach_type;
	__u32 query_flags;
	__u32 attach_flags;
	__aligned_u64 prog_ids;
	__u32 count;
	__u32 pad;
	__aligned_u64 prog_attach_flags;
	__aligned_u64 link_ids;
	__aligned_u64 link_attach_flags;
	__u64 revision;
};

int bpf_tcx_query(int ifindex, struct tcx_list *list)
{
	struct tcx_query attr = {
		.ifindex = ifindex,
		.attach_type = TCX_INGRESS,
		.prog_ids = (uintptr_t)list->prog,
		.link_ids = (uintptr_t)list->link,
		.count = TCX_MAX,
	};

	if (syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)))
		return -errno;
	list->count = attr.count < TCX_MAX ? attr.count : TCX_MAX;
	return 0;
}

int bpf_tcx_link_create(int prog_fd, int ifindex, enum tcx_hook hook)
{
	union bpf_attr attr = {};
	int fd;

	attr.link_create.prog_fd = prog_fd;
	attr.link_create.target_ifindex = ifindex;
	attr.link_create.attach_type = hook;
	attr.link_create.flags = TCX_FLAG_BEFORE;
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}
