// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Where an agent publishes that has no pins. Contract: records.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "publish/records.h"
#include "publish/table.h"

/* In a container that may write to neither /run nor the rest of its root there is still this. */
static const char *const places[] = { "/run/nodens", "/dev/shm/nodens" };

/* Ours or root's, and nobody else's to write to: /dev/shm is everybody's. */
static int check(const char *dir)
{
	struct stat st;

	if (lstat(dir, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode) || (st.st_uid && st.st_uid != geteuid()) ||
	    st.st_mode & (S_IWOTH | S_IWGRP))
		return -EPERM;
	/* who may not look into it is told so, not that nothing is there */
	return access(dir, R_OK | X_OK) ? -errno : 0;
}

static int make_dir(const char *dir)
{
	return mkdir(dir, 0700) && errno != EEXIST ? -errno : check(dir);
}

int publish__run_dir(char dir[PATH_MAX], bool make)
{
	int ret = -ENOENT, first = -ENOENT;
	struct stat netns;

	if (stat("/proc/thread-self/ns/net", &netns))
		return -errno;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		ret = make ? make_dir(places[i]) : check(places[i]);
		/* what is not ours to trust is nothing to read */
		if (ret == -EPERM && !make)
			ret = -ENOENT;
		snprintf(dir, PATH_MAX, "%s/netns-%llu", places[i],
			 (unsigned long long)netns.st_ino);
		if (!ret)
			ret = make ? make_dir(dir) : check(dir);
		if (!ret)
			return 0;
		if (first == -ENOENT)
			first = ret;
	}
	return first;
}

/* A socket that nobody listens at. */
static bool is_stale_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	bool stale;
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return false;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	stale = fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) &&
		errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return stale;
}

int publish__remove_stale(void)
{
	static const char *const names[] = { PUBLISH_INFO, PUBLISH_DEVICES, PUBLISH_UPSTREAMS,
					     PUBLISH_STANDBY, AGENT_STATS_MAP };
	char dir[PATH_MAX], path[PATH_MAX];
	int ret = publish__run_dir(dir, false), n = 0;

	for (size_t i = 0; !ret && i < sizeof(names) / sizeof(names[0]); i++) {
		struct table table = { .fd = -1 };

		if (table__open(&table, dir, names[i], 0) ||
		    snprintf(path, sizeof(path), "%s/%s", dir, names[i]) >= (int)sizeof(path))
			continue;
		if (!table__has_writer(&table))
			n += !unlink(path);
		table__close(&table);
	}
	if (!ret && snprintf(path, sizeof(path), "%s/" PUBLISH_WATCH, dir) < (int)sizeof(path) &&
	    is_stale_socket(path))
		n += !unlink(path);
	if (!ret)
		rmdir(dir);
	return ret == -ENOENT ? 0 : ret ? ret : n;
}
