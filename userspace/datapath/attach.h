/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Programs onto devices and off again: tc (clsact or tcx) and XDP (libxdp).
 *
 * Contract: everything happens in the calling thread's network namespace. A
 * foreign filter, qdisc, XDP program or pin is never removed; what nodens
 * attached is known by its program names. Attaching where nodens is already
 * attached replaces its program atomically. What is attached stays so when the
 * process ends, however it ends.
 */
#ifndef NODENS_ATTACH_H
#define NODENS_ATTACH_H

#include "base/hook.h"
#include "datapath/datapath.h"

struct attach_request {
	int ifindex;
	char ifname[16];
	enum hook hook;
	bool pod_veth; /* veth whose peer is in another namespace: answers by redirect_peer */
	bool steer;    /* misses are steered (tc beside XDP is then needed) */
	/*
	 * Many wait: clsact will do where no other program is at the device's ingress. The kernel
	 * makes a tcx link in one grace period of RCU, with the lock of all devices held (4 to 15
	 * ms; tcx_entry_sync() in include/net/tcx.h), and a filter in less than 0.1.
	 */
	bool hurry;
};

/*
 * Loads the programs that devices get with @hook, nd0's too with @steer, before anything is
 * attached to: whether this kernel takes them is the same for every device.
 * datapath__verifier_lines() has the verifier's reason.
 */
int attach__load(struct datapath *dp, enum hook hook, bool steer, struct error *err);

struct attachment; /* one device */

/*
 * *note: why this hook, or what could not be first in the chain ("" if nothing to say).
 * Errors: -ENODEV the device is gone (no fault of anybody), -EBUSY another XDP program holds it
 * and does not share, or what the kernel said.
 */
int attachment__open(struct datapath *dp, const struct attach_request *request,
		     struct attachment **out, char *note, size_t note_size, struct error *err);
enum attachment_state {
	ATTACHMENT_PRESENT,
	ATTACHMENT_LOST,   /* somebody removed the qdisc, the link or the program */
	ATTACHMENT_BEHIND, /* a clsact filter, and a tcx program came, which runs before */
};

/* Two or three system calls. What is not as it should be is forgotten and opened anew. */
enum attachment_state attachment__state(struct attachment *attachment);
void attachment__detach(struct attachment *attachment); /* removes from the device, frees */
void attachment__forget(
	struct attachment *attachment); /* frees; the device went, or stays attached */
/* "tcx", "clsact prio 1", "xdp native, shared", "xdp generic + tcx": for logs. */
const char *attachment__how(const struct attachment *attachment);

/* The program or filter of somebody else's that runs before ours, as it was found last; "": none.
 */
const char *attachment__ahead(const struct attachment *attachment);

/* nd0's own program (DATAPATH_TC_RETURN). It goes with nd0. */
int attach__return(struct datapath *dp, int ifindex, struct error *err);
bool attach__return_present(struct datapath *dp, int ifindex);

/* Removes what an earlier agent left on one device that is no longer wanted. Returns how much, or
 * -errno. */
int attach__leave(struct datapath *dp, int ifindex, const char *ifname);

/*
 * Detach nodens' programs from every device of this namespace, and remove the clsact qdiscs that
 * are known (below @pin_dir) to be of its making and are empty. @removed is called with one line
 * for each; NULL: not. Returns how many programs, or -errno.
 */
int attach__detach_all(const char *pin_dir, void (*removed)(const char *line), struct error *err);

#endif /* NODENS_ATTACH_H */
