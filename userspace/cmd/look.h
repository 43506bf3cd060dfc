/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where `nodens trace`, `top` and `report` look: at the programs, by their maps; at an agent
 * without the kernel path by what it publishes and its socket; or, on kernels without rings, at
 * both, each for what it knows.
 *
 * Contract: reads only, but for sessions.
 */
#ifndef NODENS_CMD_LOOK_H
#define NODENS_CMD_LOOK_H

#include <limits.h>
#include <stdbool.h>

#include "datapath/datapath.h"
#include "watch/session.h"

struct look {
	struct datapath *datapath; /* NULL: the agent is without the kernel path */
	char dir[PATH_MAX];	   /* of the agent's tables */
	bool at_agent;		   /* sessions are the agent's, by its socket; else the programs' */
};

/* 0, or an exit status, and it has been said why. */
int look__open(struct look *look, const char *command, const char *bpffs);
/* The same without a word: 0, or -errno. -ENOENT: nodens does not run here; -EACCES, -EPERM; ... */
int look__try(struct look *look, const char *bpffs, struct error *err);
/* Says what look__try() returned, where that is not 0: an exit status. */
int look__say(const struct look *look, const char *command, const char *bpffs, int ret,
	      const struct error *err);
void look__close(struct look *look); /* also of one that was not opened, all zero */

/* As session__open(), or session__connect(). */
int look__session(const struct look *look, const struct nodens_filter *filter,
		  void (*event)(void *ctx, const struct nodens_event *event), void *ctx,
		  struct session **out, struct error *err);

/* Sessions see the agent's events alone. */
bool look__at_agent(const struct look *look);
/* Those, and there are programs: what these answer is not seen. The reason, or NULL. */
const char *look__not_seen(const struct look *look);

/* What changes when the agent has other maps, or another agent the socket; 0: there is none. */
uint64_t look__which(const struct look *look);

#endif /* NODENS_CMD_LOOK_H */
