// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Where queries go that the programs do not answer. Contract: status.h.
 */
#include "status/status.h"

const char *const status_next_names[] = {
	[STATUS_CLUSTER] = "the cluster's DNS",
	[STATUS_BEHIND] = "the cache that nodens stands in front of",
	[STATUS_SOCKETS] = "the agent's sockets",
	[STATUS_NOBODY] = "nobody",
};

enum status_next status__next(const struct status *status)
{
	const struct publish_info *info = &status->info;

	if (info->front)
		return STATUS_BEHIND;
	if ((info->mode == PUBLISH_STEER && status->has_maps) || !info->n_listen)
		return STATUS_CLUSTER;
	return status->agent == STATUS_ALIVE ? STATUS_SOCKETS : STATUS_NOBODY;
}
