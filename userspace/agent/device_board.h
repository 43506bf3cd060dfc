/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What others see of the devices: a row each in the agent's table (publish/records.h).
 *
 * Contract: costs something when a device changes, and each ten seconds; nothing else. A board that
 * could not be made says nothing and takes everything.
 */
#ifndef NODENS_DEVICE_BOARD_H
#define NODENS_DEVICE_BOARD_H

#include "datapath/attach.h"
#include "link/monitor.h"
#include "publish/records.h"

struct device_board;

/* @dir: where the table is; NULL: nowhere. *out NULL: no memory. */
void device_board_open(const char *dir, bool mmapable, struct device_board **out);
/* @remove: nobody is to read it any more. */
void device_board_close(struct device_board *board, bool remove);

void device_board_attached(struct device_board *board, const struct netdev *device,
			   const struct attachment *attachment, uint64_t now_ns);
/* Again and again, for the same reason most often: that costs no more than a look. */
void device_board_failed(struct device_board *board, const struct netdev *device, const char *error,
			 uint64_t now_ns);
/* Its program was gone, or another came before it; it is attached to again next. */
void device_board_lost(struct device_board *board, const struct netdev *device, uint64_t now_ns);
/* Somebody's program may come before ours, or go, at any time. */
void device_board_ahead(struct device_board *board, const struct netdev *device,
			const struct attachment *attachment);
/* What had been counted there at @at_ns: counts of now less these are a rate. */
void device_board_counted(struct device_board *board, const struct netdev *device, uint64_t at_ns,
			  const struct nodens_device_counts *counts);
/* It would be attached to, but for -exclude. */
void device_board_excluded(struct device_board *board, const struct netdev *device,
			   uint64_t now_ns);
/* @n rows, of which some are PUBLISH_NO_DEVICE; until the next change. @board may be NULL. */
const struct publish_device *device_board_rows(const struct device_board *board, uint32_t *n);
void device_board_remove(struct device_board *board, uint32_t ifindex);

#endif /* NODENS_DEVICE_BOARD_H */
