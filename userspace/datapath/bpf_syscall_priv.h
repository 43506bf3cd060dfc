/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * tcx by bpf() itself, for a libbpf older than 1.3.
 */
#ifndef NODENS_BPF_SYSCALL_PRIV_H
#define NODENS_BPF_SYSCALL_PRIV_H

#include <stdint.h>

/* The kernel allows 64 programs a hook (BPF_MPROG_MAX). */
#define TCX_MAX 64

struct tcx_list {
	uint32_t prog[TCX_MAX], link[TCX_MAX];
	uint32_t count;
};

enum tcx_hook { TCX_INGRESS = 46, TCX_EGRESS = 47 }; /* BPF_TCX_* of kernel commit e420bed02507 */

/* The ingress programs of a device, first to last: 0 or -errno. */
int bpf_tcx_query(int ifindex, struct tcx_list *list);
/* A new link, first of its device: its descriptor or -errno. */
int bpf_tcx_link_create(int prog_fd, int ifindex, enum tcx_hook hook);

#endif /* NODENS_BPF_SYSCALL_PRIV_H */
