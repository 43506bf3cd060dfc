/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which pod a client is, without asking Kubernetes: from libcni's cache, a directory of a file for
 * each pod that the node's container runtime wired (containerd, CRI-O, podman).
 *
 * Contract: single-threaded; the network namespace is that of the thread that opened it. Files
 * outlive their pods and the node's boots: one is believed while the device that it names is there,
 * or, where it names none, while the node's routes lead to its address by a pod's device, or by a
 * bridge on which the address was seen. Of several that are alive the newest is believed. A file
 * that cannot be read or is not of that kind tells nothing. Memory: PODS_MAX entries of 1 KB.
 */
#ifndef NODENS_PODS_H
#define NODENS_PODS_H

#include "base/loop.h"
#include "link/cni_result.h"

#define PODS_MAX 4096

struct pods;

/*
 * @loop: the directory is read in turns of it, and followed by inotify from then on; it need not be
 * there yet. NULL: it is read once, now. @dir "": no pod is known. -ENOMEM, or -errno where the
 * kernel gives no netlink socket.
 */
int pods__open(struct loop *loop, const char *dir, struct pods **out);
void pods__close(struct pods *pods);

/*
 * Who has @addr behind @ifindex, where queries of it came from (0: not known). Where a device is
 * known it decides: nobody can put on another pod's name with its address. False: it is not known.
 */
bool pods__find(struct pods *pods, const struct served_addr *addr, int ifindex,
		struct pod_name *out);

/* Of a device of the node's: which pod is behind it; an empty name: it is not known. */
struct pod_behind {
	int ifindex;
	struct pod_name pod;
};

/* Fills in the pod of each of @n. */
void pods__behind(struct pods *pods, struct pod_behind *devices, size_t n);

/* "namespace/pod", "address@device" or "address": printable whatever the device's name is. */
const char *pods__text(struct pods *pods, const struct served_addr *addr, int ifindex, char *text,
		       size_t size);

/* For tests and figures. */
struct pods_stats {
	size_t known;	/* entries */
	size_t refused; /* files that were no result, too large, or no file */
	size_t dropped; /* results for which PODS_MAX left no room */
};
struct pods_stats pods__stats(const struct pods *pods);

#endif /* NODENS_PODS_H */
