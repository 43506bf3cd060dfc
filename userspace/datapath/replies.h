/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Replies to queries that were passed on, as they leave for pods: a program at the egress of
 * devices that sends them to a session (bpf/replies.bpf.c).
 *
 * Contract: the program is on a device while this process holds it open; nothing is pinned, so it
 * is gone with the process, however that ends. It runs before others' there and changes nothing.
 */
#ifndef NODENS_REPLIES_H
#define NODENS_REPLIES_H

#include "datapath/datapath.h"

struct replies;

/*
 * For session @number of @maps, which is open. -EOPNOTSUPP: no tcx links (Linux 6.6); -errno of
 * bpf(), with @err.
 */
int replies__open(const struct datapath_sessions *maps, uint32_t number, struct replies **out,
		  struct error *err);
/*
 * It is to be on these devices from now on, and on no others; those that it is on already stay
 * untouched. 0, or -errno of one that could not be had: it is on all that could; one that is gone
 * is no error. @ifindexes in any order.
 */
int replies__follow(struct replies *replies, const uint32_t *ifindexes, size_t n);
void replies__close(struct replies *replies); /* NULL: nothing */

#endif /* NODENS_REPLIES_H */
