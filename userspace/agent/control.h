/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the agent tells the programs: the control block (struct nodens_ctl of nodens_abi.h).
 *
 * Contract: each change is in the kernel when its function returns. Without a datapath nobody reads
 * it.
 */
#ifndef NODENS_CONTROL_H
#define NODENS_CONTROL_H

#include "config/plan.h"
#include "datapath/datapath.h"
#include "link/netns.h"

struct control {
	struct nodens_ctl *ctl;
	struct datapath *datapath; /* NULL: none */
	struct nodens_ctl own;	   /* is ctl then */
};

/*
 * Programs neither steer nor shed until they are told to: what a killed agent left may say
 * otherwise. -EIO: no random bytes for a hash key.
 */
int control_open(struct control *control, struct datapath *datapath);
/* After a change of *control->ctl. */
void control_commit(struct control *control);

/* All that this agent is: the programs answer from here on. @netns: NULL where it does not steer.
 */
void control_begin(struct control *control, const struct run_options *opts, const struct plan *plan,
		   const struct netns *netns, uint64_t now_ns);
void control_beat(struct control *control, uint64_t now_ns);
/* Sets the addresses only where they changed: meanwhile nothing is served. */
void control_serve(struct control *control, const struct plan *plan);
/* @what: NODENS_SHED_*, not to be steered from now on, or steered again. */
void control_shed(struct control *control, uint32_t what, bool on);
void control_steer(struct control *control, bool on);

#endif /* NODENS_CONTROL_H */
