/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Tables of fixed-size rows that one process writes and others read, while it lives, hangs or is
 * dead: an array map pinned in a bpffs, or a file where there is none to be had.
 *
 * Contract: one writer. It makes each table anew when it starts or needs more rows, in place of an
 * older one, by a rename: whoever reads finds the one or the other, whole. A row is written in one
 * go and says by its sum whether it was read in one go (row.h); without mmap of arrays (before
 * Linux 5.5) and with a file it is the same to the reader.
 */
#ifndef NODENS_TABLE_H
#define NODENS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table {
	int fd;	      /* -1: nobody else sees it */
	void *rows;   /* the table itself, or this process' copy of it; n of row_size bytes */
	bool mapped;  /* rows is the table itself */
	bool is_file; /* no map */
	uint32_t row_size, n;
	char *path; /* where table__create() put it; NULL: it is somebody else's */
};

/*
 * All rows zero, as @dir/@name. @row_size is a multiple of 8. @mmapable: the kernel can map arrays.
 * -errno: there is no table, and *table is as it was.
 */
int table__create(struct table *table, const char *dir, const char *name, uint32_t row_size,
		  uint32_t n, bool mmapable);
/* Of rows with a sum: seals @row and writes it as the i-th. */
void table__put(struct table *table, uint32_t i, void *row);
/* Of rows that were changed in table->rows: where that is a copy, others see it from now on. */
void table__sync(struct table *table);
/* Nobody is to find it any more. One that has taken its place since stays. */
void table__remove(const struct table *table);
void table__close(struct table *table); /* also of one that was never made, with fd -1 */

/*
 * To read. -ENOENT: there is none; -ESTALE: its rows are not of @row_size, so another version's;
 * -EACCES, -EPERM; ... @row_size 0: of a file, whatever they are, for table__has_writer() alone.
 */
int table__open(struct table *table, const char *dir, const char *name, uint32_t row_size);
/* Whether the process that made the file is there still; of a map nobody can say. */
bool table__has_writer(const struct table *table);
/* The bytes of the i-th row as they are; for rows without a sum. 0 or -errno. */
int table__read(const struct table *table, uint32_t i, void *row);
/*
 * A row with a sum, whole. -ENOENT: it was never written; -EAGAIN: it stays half written, so its
 * writer ended there; or -errno.
 */
int table__get(const struct table *table, uint32_t i, void *row);

#endif /* NODENS_TABLE_H */
