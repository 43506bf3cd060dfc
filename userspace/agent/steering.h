/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Misses of pods to the agent: the private namespace, nd0's program, and
 * whether queries are steered there now.
 *
 * Contract: steers only while nd0 is up and has its program; without either a
 * query would be lost. Logs what goes wrong and what was put right.
 */
#ifndef NODENS_STEERING_H
#define NODENS_STEERING_H

#include "agent/control.h"
#include "link/monitor.h"
#include "link/netns.h"

struct steering_config {
	struct datapath *datapath;
	struct control *control;
	const struct served_addr *addrs;
	int n_addrs;
	/* nd0 is gone, and with it the way to this agent's namespace. */
	void (*lost)(void *ctx);
	void *ctx;
};

struct steering;

/* Does not steer yet. -errno: it has been logged. */
int steering_open(const struct steering_config *config, struct steering **out);
void steering_close(struct steering *steering);

const struct netns *steering_netns(const struct steering *steering);
/* As netns__socket(); a failure has been logged. */
int steering_socket(struct steering *steering, int family, int type, uint16_t port);

/* Nothing is in the way of steering. */
bool steering_possible(const struct steering *steering);
bool steering_on(const struct steering *steering);
/* What is in the way; "": nothing. */
const char *steering_obstacle(const struct steering *steering);
void steering_set(struct steering *steering, bool on);

int steering_nd0(const struct steering *steering); /* ifindex */
/* nd0 itself changed or went. */
void steering_on_nd0(struct steering *steering, const struct netdev *info, bool gone);
/* Each second: nd0's program is put back where somebody took it off. */
void steering_review(struct steering *steering);

#endif /* NODENS_STEERING_H */
