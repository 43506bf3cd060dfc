/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The agent's own events to those who look on, by a unix socket: where the kernel has no rings for
 * them (before Linux 5.8, or without BTF), or there is no kernel path at all.
 *
 * Contract: not for threads. NODENS_SESSIONS viewers at most, root's or the agent's own user's,
 * each with its filter. Nobody is waited for: what a viewer's socket does not take is lost to it
 * alone, and counted. A viewer that ends, however that is, is forgotten at once. While there is
 * none a query costs one load.
 */
#ifndef NODENS_VIEWERS_H
#define NODENS_VIEWERS_H

#include "base/loop.h"
#include "watch/note.h"

struct viewers;

/* @path: of the socket; one that lies there already is an ended agent's, and goes. -errno. */
int viewers__open(struct loop *loop, const char *path, struct viewers **out);
void viewers__close(struct viewers *viewers); /* NULL: nothing */

/* Does anybody look on? @viewers NULL: no. */
bool viewers__wanted(const struct viewers *viewers);
/* To all who do. */
void viewers__send(struct viewers *viewers, struct note_event *event);

#endif /* NODENS_VIEWERS_H */
