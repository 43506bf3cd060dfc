/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The three ways onto a device, each in a file of its own, as attach.c sees them.
 *
 * Contract: @nl is a socket to rtnetlink in the devices' namespace. "Ours" is a program whose
 * kernel name is one of those below; every function that removes something checks it right before.
 */
#ifndef NODENS_ATTACH_PRIV_H
#define NODENS_ATTACH_PRIV_H

#include <limits.h>

#include "base/netlink.h"
#include "datapath/attach.h"

#define TC_PROG_NAME	 "tc_nodens"
#define RETURN_PROG_NAME "tc_return"
#define XDP_PROG_NAME	 "xdp_nodens"

/* attach_util.c */
/* The kernel's name of a program by its id, "" where it cannot be had. */
void attach_prog_name(uint32_t id, char name[16]);
bool attach_is_tc_name(const char *name); /* TC_PROG_NAME or RETURN_PROG_NAME */
bool attach_is_tc_ours(uint32_t id);

/* Where a link's or marker's file for this device lies: no dots, bpffs allows none. */
void attach_device_path(char *path, size_t size, const char *dir, const char *sub, int ifindex,
			const char *ifname);

/* attach_tcx.c */
struct tcx_part {
	int link_fd;
	uint32_t link_id;
	char pin[PATH_MAX];
};

/* Replaces the program of a link of ours that is there, or makes one. @other: who runs before, or
 * "". */
int tcx__attach(struct tcx_part *part, const char *dir, int ifindex, const char *ifname,
		int prog_fd, char other[16], struct error *err);
/* The program that runs before ours; "": none. */
void tcx__ahead(const struct tcx_part *part, int ifindex, char other[16]);
/* Does any program run there by tcx, ours included? */
bool tcx__used(int ifindex);
bool tcx__present(const struct tcx_part *part); /* is the link still on a device? */
void tcx__detach(struct tcx_part *part);
void tcx__forget(struct tcx_part *part, bool gone);
/* Links of ours on this device but @keep. How many went. */
int tcx__remove_ours(int ifindex, uint32_t keep);

/* attach_tc.c: clsact. */
struct clsact_part {
	uint32_t prio, handle, prog_id;
	bool alone;	       /* its qdisc was made for it, so there was nothing else */
	char ahead[32];	       /* what runs before it; "" */
	char marker[PATH_MAX]; /* a directory that says that the qdisc is our making, or "" */
};

int clsact__attach(struct clsact_part *part, struct nl *nl, const char *dir, int ifindex,
		   const char *ifname, int prog_fd, char *note, size_t note_size,
		   struct error *err);
/* No filter is at the device's ingress. */
bool clsact__unused(struct nl *nl, int ifindex);
/* Is the filter still there, with the program that was put in? */
bool clsact__present(const struct clsact_part *part, struct nl *nl, int ifindex);
/* Filters of ours on this device but @keep (NULL: all), and a qdisc of ours that then is empty. */
int clsact__remove_ours(struct nl *nl, int ifindex, const char *pin_dir,
			const struct clsact_part *keep);
void clsact__forget(struct clsact_part *part, bool gone);

/* attach_xdp.c: libxdp. */
struct xdp_part {
	uint32_t prog_id;	 /* 0: not attached */
	uint32_t device_prog_id; /* what the device runs: this one, or a dispatcher that has it */
	bool generic;
	bool shared; /* through libxdp's dispatcher */
};

/* @why: what of it the operator should know, or "". */
int xdp__attach(struct xdp_part *part, struct datapath *dp, const struct attach_request *request,
		bool generic, char *why, size_t why_size, struct error *err);
bool xdp__present(struct xdp_part *part, struct nl *nl, int ifindex);
int xdp__remove_ours(struct nl *nl, int ifindex, uint32_t keep);
void xdp__forget(struct xdp_part *part, int ifindex, bool gone);

#endif /* NODENS_ATTACH_PRIV_H */
