/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Network devices as they come and go: attached to, left, forgotten.
 *
 * Contract: one device that cannot be attached to is one line in the log, once;
 * it is tried again each second, or where there are more than 64 devices in its turn. Those that
 * come and go are lines at debug, and summed up at info (device_sum.h).
 */
#ifndef NODENS_DEVICES_H
#define NODENS_DEVICES_H

#include "base/counters.h"
#include "base/loop.h"
#include "config/plan.h"
#include "datapath/datapath.h"
#include "link/monitor.h"

struct devices_config {
	struct loop *loop;
	const struct run_options *opts;
	struct datapath *datapath;
	struct agent_stats *stats;
	struct device_board *board;	       /* NULL: nobody is shown */
	const struct plan *(*plan)(void *ctx); /* at work */
	/* Asked about every device that changes or goes; true: it is the agent's own.
	 */
	bool (*own)(void *ctx, const struct netdev *info, bool gone);
	void *ctx;
};

struct device_board;
struct devices;

/* -errno: it has been logged. */
int devices_open(const struct devices_config *config, struct devices **out);
/* Once a second. Devices that could not be attached to, or have lost their programs, are tried
 * again; those no longer wanted are left. */
void devices_review(struct devices *devices);
/* Some device has a program, or none should have one. */
bool devices_have_path(const struct devices *devices);
/* -errno: a device that the operator named could not be attached to; 0: there
 * is none. */
int devices_error(const struct devices *devices);
/* @detach: the programs come off the devices; else they stay on them. */
void devices_close(struct devices *devices, bool detach);

#endif /* NODENS_DEVICES_H */
