// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The table of devices. Contract: device_board.h.
 */
#include "agent/device_board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "publish/table.h"

#define FIRST_ROWS 64

struct device_board {
	const char *dir;
	bool mmapable;
	struct table table;
	struct publish_device *rows; /* as they are to be; the table has them sealed */
	uint32_t n;
};

/* Whoever reads finds the old table until the new one is whole. */
static bool grow(struct device_board *board, uint32_t n)
{
	struct publish_device *rows = calloc(n, sizeof(*rows));
	struct table table = { .fd = -1 };
	int ret = 0;

	if (!rows)
		return false;
	if (board->n)
		memcpy(rows, board->rows, board->n * sizeof(*rows));
	if (board->dir)
		ret = table__create(&table, board->dir, PUBLISH_DEVICES, sizeof(*rows), n,
				    board->mmapable);
	if (ret)
		log_debug("the table of devices: %s", strerror(-ret));
	for (uint32_t i = 0; i < board->n; i++) {
		if (rows[i].state != PUBLISH_NO_DEVICE)
			table__put(&table, i, &rows[i]);
	}
	table__close(&board->table);
	free(board->rows);
	board->table = table;
	board->rows = rows;
	board->n = n;
	return true;
}

void device_board_open(const char *dir, bool mmapable, struct device_board **out)
{
	struct device_board *board = calloc(1, sizeof(*board));

	*out = board;
	if (!board)
		return;
	board->dir = dir;
	board->mmapable = mmapable;
	board->table.fd = -1;
	grow(board, FIRST_ROWS);
}

void device_board_close(struct device_board *board, bool remove)
{
	if (!board)
		return;
	if (remove)
		table__remove(&board->table);
	table__close(&board->table);
	free(board->rows);
	free(board);
}

static struct publish_device *find(const struct device_board *board, uint32_t ifindex)
{
	for (uint32_t i = 0; i < board->n; i++) {
		if (board->rows[i].ifindex == ifindex)
			return &board->rows[i];
	}
	return NULL;
}

/* Its row; a new one has a name and nothing else. NULL: no board, or no room. */
static struct publish_device *row_of(struct device_board *board, const struct netdev *device)
{
	struct publish_device *row = board ? find(board, device->ifindex) : NULL;

	if (board && !row)
		row = find(board, 0);
	if (board && !row && grow(board, board->n ? 2 * board->n : FIRST_ROWS))
		row = find(board, 0);
	if (!row)
		return NULL;
	if (row->ifindex != (uint32_t)device->ifindex)
		*row = (struct publish_device){ .ifindex = device->ifindex };
	memcpy(row->name, device->name, sizeof(row->name));
	return row;
}

static void put(struct device_board *board, struct publish_device *row)
{
	table__put(&board->table, row - board->rows, row);
}

void device_board_attached(struct device_board *board, const struct netdev *device,
			   const struct attachment *attachment, uint64_t now)
{
	struct publish_device *row = row_of(board, device);

	if (!row)
		return;
	row->state = PUBLISH_ATTACHED;
	row->since_ns = now;
	row->error[0] = '\0';
	snprintf(row->hook, sizeof(row->hook), "%s", attachment__how(attachment));
	snprintf(row->ahead, sizeof(row->ahead), "%s", attachment__ahead(attachment));
	put(board, row);
}

void device_board_failed(struct device_board *board, const struct netdev *device, const char *error,
			 uint64_t now)
{
	struct publish_device *row = row_of(board, device);

	if (!row || (row->state == PUBLISH_NOT_ATTACHED &&
		     !strncmp(row->error, error, sizeof(row->error) - 1)))
		return;
	if (row->state != PUBLISH_NOT_ATTACHED)
		row->since_ns = now;
	row->state = PUBLISH_NOT_ATTACHED;
	snprintf(row->error, sizeof(row->error), "%s", error);
	put(board, row);
}

void device_board_lost(struct device_board *board, const struct netdev *device, uint64_t now)
{
	struct publish_device *row = row_of(board, device);

	if (!row)
		return;
	row->lost++;
	row->lost_ns = now;
	put(board, row);
}

void device_board_ahead(struct device_board *board, const struct netdev *device,
			const struct attachment *attachment)
{
	const char *ahead = attachment__ahead(attachment);
	struct publish_device *row = row_of(board, device);

	if (!row || !strncmp(row->ahead, ahead, sizeof(row->ahead) - 1))
		return;
	snprintf(row->ahead, sizeof(row->ahead), "%s", ahead);
	put(board, row);
}

void device_board_counted(struct device_board *board, const struct netdev *device, uint64_t at_ns,
			  const struct nodens_device_counts *counts)
{
	struct publish_device *row = row_of(board, device);

	if (!row)
		return;
	row->base_ns = at_ns;
	row->base = *counts;
	put(board, row);
}

void device_board_excluded(struct device_board *board, const struct netdev *device, uint64_t now)
{
	struct publish_device *row = row_of(board, device);

	if (!row || row->state == PUBLISH_EXCLUDED)
		return;
	row->state = PUBLISH_EXCLUDED;
	row->since_ns = now;
	put(board, row);
}

const struct publish_device *device_board_rows(const struct device_board *board, uint32_t *n)
{
	*n = board ? board->n : 0;
	return board ? board->rows : NULL;
}

void device_board_remove(struct device_board *board, uint32_t ifindex)
{
	struct publish_device *row = board ? find(board, ifindex) : NULL;

	if (!row)
		return;
	*row = (struct publish_device){ .state = PUBLISH_NO_DEVICE };
	put(board, row);
}
