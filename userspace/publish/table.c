// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tables in maps and files. Contract: table.h.
 */
#include "publish/table.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "publish/row.h"

#define BPF_FS_TYPE 0xcafe4a11 /* linux/magic.h: BPF_FS_MAGIC, which older headers lack */

/* A row is written in less than a microsecond: one that stays torn was never finished. */
#define GET_TRIES   50
#define GET_WAIT_US 100

static int in_bpffs(const char *dir)
{
	struct statfs fs;

	return statfs(dir, &fs) ? -errno : fs.f_type == BPF_FS_TYPE;
}

static size_t mapped_size(const struct table *table)
{
	size_t page = sysconf(_SC_PAGESIZE), size = (size_t)table->row_size * table->n;

	return (size + page - 1) / page * page;
}

/* Behind the rows of a file stands how large one is: sizes alone do not say whose version it is. */
static off_t trailer_at(const struct table *table)
{
	return (off_t)table->row_size * table->n;
}

/* ---- to write ---- */

static int create_map(struct table *table, const char *name, const char *temp, bool mmapable)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = mmapable ? BPF_F_MMAPABLE : 0);

	table->fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t), table->row_size,
				   table->n, &opts);
	if (table->fd < 0)
		return -errno;
	unlink(temp);
	return bpf_obj_pin(table->fd, temp) ? -errno : 0;
}

static int create_file(struct table *table, const char *temp)
{
	uint64_t row_size = table->row_size;

	table->is_file = true;
	unlink(temp);
	table->fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (table->fd < 0)
		return -errno;
	/* for table__has_writer(); goes with this process, however that ends */
	if (flock(table->fd, LOCK_EX | LOCK_NB))
		return -errno;
	if (pwrite(table->fd, &row_size, sizeof(row_size), trailer_at(table)) < 0)
		return -errno;
	return 0;
}

static int give_rows(struct table *table, bool mmapable)
{
	void *rows = mmapable ? mmap(NULL, mapped_size(table), PROT_READ | PROT_WRITE, MAP_SHARED,
				     table->fd, 0)
			      : MAP_FAILED;

	table->mapped = rows != MAP_FAILED;
	table->rows = table->mapped ? rows : calloc(table->n, table->row_size);
	return table->rows ? 0 : -ENOMEM;
}

int table__create(struct table *table, const char *dir, const char *name, uint32_t row_size,
		  uint32_t n, bool mmapable)
{
	struct table made = { .fd = -1, .row_size = row_size, .n = n };
	char path[PATH_MAX], temp[PATH_MAX];
	int bpf = in_bpffs(dir), ret;

	if (bpf < 0)
		return bpf;
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) ||
	    snprintf(temp, sizeof(temp), "%s/new-%s", dir, name) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	ret = bpf ? create_map(&made, name, temp, mmapable) : create_file(&made, temp);
	if (!ret)
		ret = give_rows(&made, mmapable || !bpf);
	made.path = ret ? NULL : strdup(path);
	if (!ret && !made.path)
		ret = -ENOMEM;
	/* In place of an older one: whoever holds that open reads on in it. */
	if (!ret && rename(temp, path))
		ret = -errno;
	if (ret) {
		unlink(temp);
		table__close(&made);
		return ret;
	}
	*table = made;
	return 0;
}

static void write_row(struct table *table, uint32_t i)
{
	const char *row = (const char *)table->rows + (size_t)i * table->row_size;

	if (table->fd < 0 || table->mapped)
		return;
	if (table->is_file) {
		if (pwrite(table->fd, row, table->row_size, (off_t)i * table->row_size) < 0)
			return; /* a full disk: others read what was there before */
	} else {
		bpf_map_update_elem(table->fd, &i, row, BPF_ANY);
	}
}

void table__put(struct table *table, uint32_t i, void *row)
{
	if (!table->rows || i >= table->n)
		return;
	row__seal(row, table->row_size);
	memcpy((char *)table->rows + (size_t)i * table->row_size, row, table->row_size);
	write_row(table, i);
}

void table__sync(struct table *table)
{
	for (uint32_t i = 0; i < table->n; i++)
		write_row(table, i);
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/* Is it what lies there? */
static bool in_place(const struct table *table)
{
	struct stat opened, named;
	bool same;
	int fd;

	if (table->is_file)
		return !fstat(table->fd, &opened) && !lstat(table->path, &named) &&
		       opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
	fd = bpf_obj_get(table->path);
	if (fd < 0)
		return false;
	same = map_id(fd) == map_id(table->fd);
	close(fd);
	return same;
}

void table__remove(const struct table *table)
{
	if (table->path && in_place(table))
		unlink(table->path);
}

void table__close(struct table *table)
{
	if (table->mapped)
		munmap(table->rows, mapped_size(table));
	else
		free(table->rows);
	if (table->fd >= 0)
		close(table->fd);
	free(table->path);
	*table = (struct table){ .fd = -1 };
}

/* ---- to read ---- */

static int open_map(struct table *table, const char *path)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);

	table->fd = bpf_obj_get(path);
	if (table->fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(table->fd, &info, &len))
		return -errno;
	table->n = info.max_entries;
	return info.type == BPF_MAP_TYPE_ARRAY && info.value_size == table->row_size ? 0 : -ESTALE;
}

static int open_file(struct table *table, const char *path)
{
	uint64_t row_size;
	struct stat st;

	table->is_file = true;
	table->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (table->fd < 0)
		return -errno;
	if (fstat(table->fd, &st))
		return -errno;
	/* Where others may write to the directory, what lies there may be theirs. */
	if (!S_ISREG(st.st_mode) || (st.st_uid && st.st_uid != geteuid()))
		return -EPERM;
	if (!table->row_size)
		return 0;
	if (st.st_size < (off_t)sizeof(row_size))
		return -ESTALE;
	table->n = (st.st_size - sizeof(row_size)) / table->row_size;
	if (pread(table->fd, &row_size, sizeof(row_size), trailer_at(table)) != sizeof(row_size) ||
	    row_size != table->row_size)
		return -ESTALE;
	return 0;
}

int table__open(struct table *table, const char *dir, const char *name, uint32_t row_size)
{
	struct table opened = { .fd = -1, .row_size = row_size };
	int bpf = in_bpffs(dir), ret;
	char path[PATH_MAX];

	if (bpf < 0)
		return bpf;
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	ret = bpf ? open_map(&opened, path) : open_file(&opened, path);
	if (ret)
		table__close(&opened);
	else
		*table = opened;
	return ret;
}

bool table__has_writer(const struct table *table)
{
	if (!flock(table->fd, LOCK_SH | LOCK_NB)) {
		flock(table->fd, LOCK_UN);
		return false;
	}
	return errno == EWOULDBLOCK;
}

int table__read(const struct table *table, uint32_t i, void *row)
{
	ssize_t n;

	if (i >= table->n)
		return -ENOENT;
	if (!table->is_file)
		return bpf_map_lookup_elem(table->fd, &i, row) ? -errno : 0;
	n = pread(table->fd, row, table->row_size, (off_t)i * table->row_size);
	return n == (ssize_t)table->row_size ? 0 : n < 0 ? -errno : -ENOENT;
}

int table__get(const struct table *table, uint32_t i, void *row)
{
	int ret = table__read(table, i, row);

	for (int tries = 0; !ret && !row__sound(row, table->row_size); tries++) {
		if (row__empty(row, table->row_size))
			return -ENOENT;
		if (tries == GET_TRIES)
			return -EAGAIN;
		usleep(GET_WAIT_US);
		ret = table__read(table, i, row);
	}
	return ret;
}
