/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A file of libcni's cache (libcni/api.go, cachedInfo): which pod a runtime wired, its addresses,
 * and the node's end of its device.
 *
 * Contract: pure. Whatever the octets are, what comes out is bounded, and its names have only
 * characters that Kubernetes' names have: they can be printed as they are.
 */
#ifndef NODENS_CNI_RESULT_H
#define NODENS_CNI_RESULT_H

#include <net/if.h>

#include "base/sockaddr.h"

/* Names as Kubernetes has them (DNS-1123), and '_' and capitals besides, which other tools use. */
struct pod_name {
	char ns[64]; /* "": none, as podman has it */
	char name[254];
};

#define CNI_MAX_ADDRS	8
#define CNI_MAX_DEVICES 4
#define CNI_MAX_FILE	(256 << 10) /* octets of a file that is read; real ones have 1 to 4 KB */

struct cni_result {
	struct pod_name pod;
	struct served_addr addrs[CNI_MAX_ADDRS];
	char devices[CNI_MAX_DEVICES][IF_NAMESIZE]; /* on the node: a veth, and a bridge perhaps */
	unsigned int n_addrs, n_devices;
};

/* -EINVAL: no JSON of that kind. -ENOENT: says no pod. -EBADMSG: no name of a pod. */
int cni_result__parse(const char *text, size_t len, struct cni_result *out);

/* The same rule for names from elsewhere; -EBADMSG: not of a pod. @ns may be empty. */
int pod_name__set(struct pod_name *pod, const char *ns, size_t ns_len, const char *name,
		  size_t name_len);
/* "namespace/name"; @size: POD_TEXT holds it whole. */
#define POD_TEXT sizeof(struct pod_name)
const char *pod_name__text(const struct pod_name *pod, char *text, size_t size);

#endif /* NODENS_CNI_RESULT_H */
