// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What others do and left on this node. Contract: status.h.
 */
#include "link/notrack.h"
#include "publish/table.h"
#include "status/status.h"

void status__find_standby(struct status *status)
{
	struct table table = { .fd = -1 };
	struct publish_info info;
	char dir[PATH_MAX];

	if (publish__run_dir(dir, false) || table__open(&table, dir, PUBLISH_STANDBY, sizeof(info)))
		return;
	if (table__has_writer(&table) && !table__get(&table, 0, &info)) {
		status->has_standby = true;
		status->standby_pid = info.pid;
	}
	table__close(&table);
}

static void on_notrack(void *ctx, const char *tool, const struct served_addr *addr, int n)
{
	(void)tool;
	(void)addr;
	((struct status *)ctx)->notrack += n;
}

void status__find_notrack(struct status *status)
{
	/* in front of another cache the rules for its address are its own */
	if (!status->info.front)
		notrack__find(status->info.served, status->info.n_served, on_notrack, status);
}
