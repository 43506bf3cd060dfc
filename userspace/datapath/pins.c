// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What of nodens lies in bpffs: <pin_dir>/layout-N/ with a pin per map, steps/, tail/ and links/.
 *
 * Contract: only what lies below a layout-N directory is ever removed. A set of maps replaces an
 * older one by renames, so that a failure half way leaves the old one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "datapath_priv.h"

#ifndef BPF_FS_MAGIC
#define BPF_FS_MAGIC 0xcafe4a11 /* linux/magic.h */
#endif

/* An agent that was killed or is told to end holds its lock for a moment longer. */
#define LOCK_TRIES   40
#define LOCK_WAIT_US 50000

/* The kernel frees a program a moment after it has left its last device. */
#define GONE_TRIES   20
#define GONE_WAIT_US 50000

#define LAYOUT_PREFIX "layout-"

/* Is the deepest directory of @path that exists in a bpffs? */
static int check_bpffs(const char *path, struct error *err)
{
	char at[PATH_MAX], *slash;
	struct statfs fs;

	snprintf(at, sizeof(at), "%s", path);
	while (statfs(at, &fs)) {
		slash = strrchr(at, '/');
		if (errno != ENOENT || !slash)
			return error__set(err, -errno, "%s: %s%s", at, strerror(errno),
					  errno == EPERM && strchr(path, '.')
						  ? " (bpffs allows no dot in a name)"
						  : "");
		slash[slash == at] = '\0';
	}
	if (fs.f_type == BPF_FS_MAGIC)
		return 0;
	return error__set(err, -ENODEV,
			  "%s is not in a bpffs: mount -t bpf bpf /sys/fs/bpf (in a container:"
			  " mount the host's)",
			  path);
}

int datapath__may_pin(const char *pin_dir, struct error *err)
{
	return check_bpffs(pin_dir ? pin_dir : NODENS_PIN_DIR, err);
}

static bool is_mount_root(const char *path, const struct stat *st)
{
	char parent[PATH_MAX + 4];
	struct stat up;

	snprintf(parent, sizeof(parent), "%s/..", path);
	return !stat(parent, &up) && (up.st_dev != st->st_dev || up.st_ino == st->st_ino);
}

static int make_dirs(const char *path)
{
	char at[PATH_MAX], *slash;

	snprintf(at, sizeof(at), "%s", path);
	for (slash = strchr(at + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(at, 0700) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(at, 0700) && errno != EEXIST ? -errno : 0;
}

int pins_check_owner(const char *path, struct error *err)
{
	char at[PATH_MAX], *slash;
	struct stat st, up;
	int fd, ret = 0;

	snprintf(at, sizeof(at), "%s", path);
	fd = open(at, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		ret = error__set(err, -errno, "%s: %s", at, strerror(errno));
	if (fd >= 0)
		close(fd);
	while (!ret) {
		if ((st.st_uid && st.st_uid != geteuid()) || st.st_mode & S_IWOTH ||
		    (st.st_mode & S_IWGRP && st.st_gid))
			ret = error__set(err, -EPERM,
					 "%s belongs to user %u, mode %04o: somebody else made "
					 "it, or may write to it; remove it, or name another by "
					 "--bpffs",
					 at, st.st_uid, st.st_mode & 07777);
		slash = strrchr(at, '/');
		if (ret || !slash || slash == at)
			break;
		*slash = '\0';
		/* The mount's own root is the administrator's business; it may be open and sticky.
		 */
		if (lstat(at, &up) || up.st_dev != st.st_dev || is_mount_root(at, &up))
			break;
		st = up;
	}
	return ret;
}

/* The directory may have been removed, by the agent that ended, while its lock was waited for. */
static bool still_there(int fd, const char *path)
{
	struct stat opened, named;

	return !fstat(fd, &opened) && !stat(path, &named) && opened.st_dev == named.st_dev &&
	       opened.st_ino == named.st_ino;
}

static int take_lock(struct datapath *dp, struct error *err)
{
	int i, fd, ret;

	for (i = 0; i < LOCK_TRIES; i++) {
		ret = make_dirs(dp->pin_dir);
		if (ret)
			return error__set(err, ret, "cannot make %s: %s", dp->pin_dir,
					  strerror(-ret));
		ret = pins_check_owner(dp->pin_dir, err);
		if (ret && ret != -ENOENT)
			return ret;
		fd = open(dp->pin_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT)
			return error__set(err, -errno, "%s: %s", dp->pin_dir, strerror(errno));
		if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB) && still_there(fd, dp->pin_dir)) {
			dp->lock_fd = fd;
			return 0;
		}
		if (fd >= 0)
			close(fd);
		usleep(LOCK_WAIT_US);
	}
	return error__set(err, -EBUSY, "another nodens agent is running on %s", dp->pin_dir);
}

int pins_prepare(struct datapath *dp, struct error *err)
{
	static const char *const sub[] = { "", "/tail", "/links", "/steps" };
	char path[PATH_MAX];
	size_t i;
	int ret;

	if (dp->pin_dir[0] != '/')
		return error__set(err, -EINVAL, "pin directory '%s': want an absolute path",
				  dp->pin_dir);
	ret = check_bpffs(dp->pin_dir, err);
	if (!ret)
		ret = take_lock(dp, err);
	for (i = 0; !ret && i < sizeof(sub) / sizeof(sub[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", dp->dir, sub[i]);
		ret = make_dirs(path);
		if (ret)
			error__set(err, ret, "cannot make %s: %s", path, strerror(-ret));
		else
			ret = pins_check_owner(path, err);
	}
	return ret;
}

void pins_remove_empty(struct datapath *dp)
{
	static const char *const sub[] = { "/tail", "/links", "/clsact", "/steps", "" };
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(sub) / sizeof(sub[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", dp->dir, sub[i]);
		rmdir(path);
	}
	rmdir(dp->pin_dir);
}

static bool join(char path[PATH_MAX], const char *dir, const char *name)
{
	return snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX;
}

typedef void entry_fn(const char *dir, const char *name, void *ctx);

static void for_each_entry(const char *dir, entry_fn *fn, void *ctx)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			fn(dir, e->d_name, ctx);
	closedir(d);
}

static void remove_pin(const char *dir, const char *name, void *ctx)
{
	char path[PATH_MAX];

	(void)ctx;
	if (join(path, dir, name))
		unlink(path);
}

int pins_pin_maps(struct datapath *dp, struct error *err)
{
	char path[PATH_MAX], temp[PATH_MAX];
	int i, renamed = 0, ret = 0;

	for (i = 0; i < MAP_COUNT; i++) {
		snprintf(temp, sizeof(temp), "%s/new-%s", dp->dir, map_names[i]);
		unlink(temp);
		if (maps_has(dp, i) && bpf_obj_pin(dp->map_fd[i], temp)) {
			ret = -errno;
			break;
		}
	}
	/* those of an older set: without its pins nobody takes a step for one of ours */
	if (!ret)
		for_each_entry(dp->steps_dir, remove_pin, NULL);
	for (i = 0; i < MAP_COUNT; i++) {
		snprintf(temp, sizeof(temp), "%s/new-%s", dp->dir, map_names[i]);
		snprintf(path, sizeof(path), "%s/%s", dp->dir, map_names[i]);
		if (!maps_has(dp, i))
			unlink(path);
		else if (!ret && rename(temp, path))
			ret = -errno;
		if (ret)
			unlink(temp);
		else
			renamed = i + 1;
	}
	if (!ret)
		return 0;
	/* What an older set had under these names is gone; half a set is worse than none. */
	for (i = 0; i < renamed; i++) {
		snprintf(path, sizeof(path), "%s/%s", dp->dir, map_names[i]);
		unlink(path);
	}
	return error__set(err, ret, "cannot pin the maps in %s: %s", dp->dir, strerror(-ret));
}

static bool is_layout(const char *name)
{
	const char *digits = name + strlen(LAYOUT_PREFIX);

	return !strncmp(name, LAYOUT_PREFIX, strlen(LAYOUT_PREFIX)) && *digits &&
	       !digits[strspn(digits, "0123456789")];
}

static void remove_tree(const char *dir, const char *name, void *ctx)
{
	char path[PATH_MAX];
	int *count = ctx;
	struct stat st;

	if (!join(path, dir, name) || lstat(path, &st))
		return;
	if (S_ISDIR(st.st_mode)) {
		for_each_entry(path, remove_tree, ctx);
		rmdir(path);
	} else if (!unlink(path)) {
		++*count;
	}
}

static void remove_layout(const char *dir, const char *name, void *ctx)
{
	if (is_layout(name))
		remove_tree(dir, name, ctx);
}

int datapath__unpin(const char *pin_dir)
{
	int count = 0, ret;
	DIR *d;

	pin_dir = pin_dir ? pin_dir : NODENS_PIN_DIR;
	d = opendir(pin_dir);
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	closedir(d);
	/* In a directory of somebody else's the paths may lead anywhere. */
	ret = pins_check_owner(pin_dir, NULL);
	if (ret)
		return ret;
	for_each_entry(pin_dir, remove_layout, &count);
	rmdir(pin_dir); /* stays where it holds something else */
	return count;
}

int datapath__agent_runs(const char *pin_dir, pid_t *pid)
{
	struct nodens_ctl ctl;
	char path[PATH_MAX];
	uint32_t zero = 0;
	int fd, map;

	*pid = 0;
	pin_dir = pin_dir ? pin_dir : NODENS_PIN_DIR;
	fd = pins_check_owner(pin_dir, NULL);
	if (fd == -EPERM)
		return fd;
	fd = open(pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	/* shared, so that two who look do not take each other for one */
	if (!flock(fd, LOCK_SH | LOCK_NB)) {
		close(fd);
		return 0;
	}
	close(fd);
	snprintf(path, sizeof(path), "%s/" LAYOUT_PREFIX "%d/nodens_ctl", pin_dir, NODENS_LAYOUT);
	map = bpf_obj_get(path);
	if (map >= 0) {
		if (!bpf_map_lookup_elem(map, &zero, &ctl))
			*pid = ctl.agent_pid;
		close(map);
	}
	return 1;
}

/* What is attached to devices; tc_dns is not, and lives as long as the pin of its program array. */
static bool is_entry(const char *name)
{
	return !strcmp(name, "tc_nodens") || !strcmp(name, "tc_return") ||
	       !strcmp(name, "xdp_nodens");
}

/* How many loaded programs that devices may have use this map; -errno where they cannot be asked.
 */
static int map_users(uint32_t map_id)
{
	uint32_t id = 0, maps[64] = {}, len, i;
	struct bpf_prog_info info;
	int fd, n = 0;

	while (!bpf_prog_get_next_id(id, &id)) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd < 0)
			continue;
		memset(&info, 0, sizeof(info));
		len = sizeof(info);
		info.map_ids = (uintptr_t)maps;
		info.nr_map_ids = sizeof(maps) / sizeof(maps[0]);
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && is_entry(info.name)) {
			for (i = 0; i < info.nr_map_ids && i < sizeof(maps) / sizeof(maps[0]); i++)
				n += maps[i] == map_id;
		}
		close(fd);
	}
	return errno == ENOENT ? n : -errno;
}

/* The pin's path into @path (PATH_MAX bytes). Returns what it pins, or a negative number. */
static int open_pin(char *path, const char *dir, const char *name)
{
	return join(path, dir, name) ? bpf_obj_get(path) : -1;
}

static void sweep_tail(const char *dir, const char *name, void *ctx)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	char path[PATH_MAX];
	int fd = open_pin(path, dir, name);

	(void)ctx;
	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && map_users(info.id) == 0)
		unlink(path);
	if (fd >= 0)
		close(fd);
}

static void sweep_link(const char *dir, const char *name, void *ctx)
{
	struct bpf_link_info info = {};
	uint32_t len = sizeof(info);
	char path[PATH_MAX];
	int fd = open_pin(path, dir, name);

	(void)ctx;
	/* A tcx link's ifindex lies where that of an XDP link does; 0: its device went. */
	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && !info.xdp.ifindex)
		unlink(path);
	if (fd >= 0)
		close(fd);
}

/* The mark of a clsact qdisc, by attach_tc.c: <device>-<ifindex>. */
static void sweep_mark(const char *dir, const char *name, void *ctx)
{
	const char *dash = strrchr(name, '-');
	char path[PATH_MAX], ifname[IF_NAMESIZE];

	(void)ctx;
	if (dash && !if_indextoname(strtoul(dash + 1, NULL, 10), ifname) && join(path, dir, name))
		rmdir(path);
}

static void remove_unless_marks(const char *dir, const char *name, void *ctx)
{
	if (strcmp(name, "clsact") != 0)
		remove_tree(dir, name, ctx);
}

static void sweep_layout(const char *dir, const char *name, void *ctx)
{
	const bool *marks = ctx;
	char path[PATH_MAX], sub[PATH_MAX];

	if (!is_layout(name) || !join(path, dir, name))
		return;
	/* A link that goes may be the last to need a program array. */
	if (join(sub, path, "links"))
		for_each_entry(sub, sweep_link, NULL);
	if (*marks && join(sub, path, "clsact"))
		for_each_entry(sub, sweep_mark, NULL);
	if (join(sub, path, "tail"))
		for_each_entry(sub, sweep_tail, NULL);
}

struct users {
	int n, error;
};

/* The map of the counters is what each of them has. */
static void add_users(const char *dir, const char *name, void *ctx)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	struct users *users = ctx;
	char path[PATH_MAX];
	int fd, n;

	if (!is_layout(name) ||
	    snprintf(path, sizeof(path), "%s/%s/nodens_percpu", dir, name) >= (int)sizeof(path))
		return;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	n = bpf_obj_get_info_by_fd(fd, &info, &len) ? -errno : map_users(info.id);
	close(fd);
	if (n < 0)
		users->error = n;
	else
		users->n += n;
}

int datapath__programs_left(const char *pin_dir)
{
	struct users users;
	int i;

	pin_dir = pin_dir ? pin_dir : NODENS_PIN_DIR;
	/* As datapath__unpin(), which says so; a set of maps that is not ours has no programs of
	 * ours.
	 */
	if (pins_check_owner(pin_dir, NULL))
		return 0;
	/* Links of devices that they were just taken from hold their programs until they go. Which
	 * marks of qdiscs are stale, only their own network namespace knows. */
	for_each_entry(pin_dir, sweep_layout, &(bool){ false });
	for (i = 0; i < GONE_TRIES; i++) {
		users = (struct users){ 0 };
		for_each_entry(pin_dir, add_users, &users);
		if (users.error || !users.n)
			break;
		usleep(GONE_WAIT_US);
	}
	return users.error ? users.error : users.n;
}

void pins_sweep(const char *pin_dir)
{
	for_each_entry(pin_dir, sweep_layout, &(bool){ true });
}

struct older {
	const char *own; /* the layout's name */
	int left;
};

static void sweep_older(const char *dir, const char *name, void *ctx)
{
	struct older *older = ctx;
	struct users users = { 0 };
	char path[PATH_MAX], marks[PATH_MAX];
	int count = 0;

	if (!is_layout(name) || !strcmp(name, older->own) || !join(path, dir, name))
		return;
	sweep_layout(dir, name, &(bool){ true });
	add_users(dir, name, &users);
	if (!users.error && !users.n) {
		for_each_entry(path, remove_unless_marks, &count);
		/* its marks say of qdiscs that are still there that they are ours */
		if (join(marks, path, "clsact"))
			rmdir(marks);
		rmdir(path);
	} else {
		older->left++;
	}
}

int datapath__sweep_older(struct datapath *dp)
{
	struct older older = { .own = strrchr(dp->dir, '/') + 1 };

	for_each_entry(dp->pin_dir, sweep_older, &older);
	return older.left;
}
