/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The link that holds the local addresses for processes of the node itself, as node-cache makes
 * one (nodelocaldns): made, looked after, removed.
 *
 * Contract: over rtnetlink, in the calling thread's network namespace; single-threaded; no logging.
 * A link of that name is taken over if nodens or node-cache made it, another's is left alone and
 * an error. An address that another link holds (kube-ipvs0 has each service's) stays there.
 *
 * With the addresses nothing else of the node changes: they are not chosen as a source for other
 * destinations, and what the node itself sends to them has the source it would have without the
 * link. That matters for the cluster DNS' own address: kube-proxy sends such queries on to a pod,
 * and the answer must find its way back to this node.
 */
#ifndef NODENS_DUMMY_H
#define NODENS_DUMMY_H

#include <stdbool.h>

#include "link/netns.h"

#define DUMMY_ALIAS "nodens: local addresses"

struct dummy;

/*
 * Makes the link or finds it, with the addresses. *note, for the log: what kind of link and why,
 * what is elsewhere. -EEXIST: another's link has the name. On failure nothing is left that was not
 * there.
 */
int dummy__open(const char *name, const struct served_addr *addrs, int n_addrs, struct dummy **out,
		char *note, size_t note_size, struct error *err);

/*
 * Takes it over, and every other address off it. Until then a link that was there may be a running
 * node-cache's, whose sockets are in the way of ours, and closing does not remove it.
 */
int dummy__keep(struct dummy *dummy, struct error *err);

/*
 * Is all as it was made? Puts back what is missing and returns how much that was; *done says what,
 * for the log.
 */
int dummy__review(struct dummy *dummy, char *done, size_t done_size, struct error *err);

/* @remove: the link goes as well. */
void dummy__close(struct dummy *dummy, bool remove);

/* Removes links that agents left (-skipteardown, kill -9): how many, or -errno. */
int dummy__remove_stale(struct error *err);

#endif /* NODENS_DUMMY_H */
