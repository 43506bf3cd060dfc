/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Without the kernel path, where it is not to be had: node-cache's own DaemonSet gives neither
 * bpf() nor a namespace nor a bpffs, a kernel may refuse the programs, and with nothing but the
 * image changed the node must go on to have its DNS. The agent then answers as node-cache did, on
 * the addresses of the link, from a store that it alone reads; pods that ask the cluster DNS'
 * address are kube-proxy's as before.
 *
 * Contract: only for an agent that was started as node-cache is; who says `nodens run` asks for the
 * kernel path and is told why there is none.
 */
#ifndef NODENS_USERSPACE_ONLY_H
#define NODENS_USERSPACE_ONLY_H

#include "config/plan.h"
#include "datapath/datapath.h"

/*
 * The datapath, without its programs; or *out NULL where this agent goes without: @err has what is
 * missing, and *rights says whether it is what can be given, not the kernel itself. -errno:
 * neither;
 * @err is for the log.
 */
int userspace_only_or_datapath(const struct run_options *opts, const struct datapath_config *config,
			       const struct plan *plan, struct datapath **out, bool *rights,
			       struct error *err);
/*
 * Loads the programs, once, which takes the verifier seconds; a refusal holds for every device, now
 * and later. Then *datapath is closed, NULL, and this agent goes without it: @err has what is
 * missing, which no right would help; or -errno. The verifier's own lines have been logged.
 */
int userspace_only_or_programs(const struct run_options *opts, const struct plan *plan,
			       struct datapath **datapath, struct error *err);
/* That there is no kernel path, what is missing, and what can be done about it. */
void userspace_only_log(const char *missing, const struct plan *plan, bool rights);

/* For the store of an agent without a datapath. */
int userspace_only_publisher(const uint32_t capacity[2], struct publisher **out);

/* Each second, without a datapath: it is worth a word now and then. *logged_ns is 0 at first. */
void userspace_only_remind(uint64_t *logged_ns, uint64_t now_ns);

#endif /* NODENS_USERSPACE_ONLY_H */
