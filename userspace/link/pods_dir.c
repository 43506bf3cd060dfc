// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The directory of libcni's results: read, and followed by inotify. Contract: pods_priv.h.
 *
 * A runtime writes a file in place (libcni/api.go, cacheAdd), so it is read when it is closed. What
 * is in the directory is not trusted to be files, or small ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "pods_priv.h"

#define WATCHED \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF)
/* Files of one turn of the loop, 50 us each; the next is a moment later. */
#define TURN_FILES 32
#define TURN_NS	   (5 * NSEC_PER_MS)
/* How often a directory that is not there is looked for. */
#define MISSING_NS (10 * NSEC_PER_SEC)

/* All of the file, or less where somebody is writing it: then it is read again. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size) {
		n = read(fd, text + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += n;
	}
	return len;
}

static int read_result(int fd, struct cni_result *result, struct timespec *written)
{
	struct stat st;
	char *text;
	ssize_t len;
	int ret;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > CNI_MAX_FILE)
		return -EINVAL;
	text = malloc(st.st_size + 1);
	if (!text)
		return -ENOMEM;
	len = read_all(fd, text, st.st_size);
	ret = len < 0 ? (int)len : cni_result__parse(text, len, result);
	*written = st.st_mtim;
	free(text);
	return ret;
}

/* What is gone or says nothing any more is forgotten. */
static void take_file(struct pods *pods, const char *name)
{
	struct cni_result result;
	struct timespec written;
	int dir = open(pods->dir.path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, ret;

	/* no link is followed, no pipe waited for */
	fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ret = fd < 0 ? -errno : read_result(fd, &result, &written);
	if (ret)
		pods_remove(pods, name);
	else
		pods_put(pods, name, &result, written);
	/* not of a pod: podman's, or a tool's */
	if (ret && ret != -ENOENT)
		pods->stats.refused++;
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
}

/* True: there are more. */
static bool read_some(struct pods *pods, size_t max)
{
	const struct dirent *at;

	for (size_t i = 0; i < max; i++) {
		at = readdir(pods->dir.reading);
		if (!at) {
			closedir(pods->dir.reading);
			pods->dir.reading = NULL;
			return false;
		}
		if (strcmp(at->d_name, ".") && strcmp(at->d_name, ".."))
			take_file(pods, at->d_name);
	}
	return true;
}

static void forget_dir(struct pods *pods)
{
	struct pods_dir *dir = &pods->dir;

	if (dir->event)
		event_free(dir->event);
	if (dir->watch_fd >= 0)
		close(dir->watch_fd);
	if (dir->reading)
		closedir(dir->reading);
	dir->event = NULL;
	dir->watch_fd = -1;
	dir->reading = NULL;
	pods_clear(pods);
}

static void read_again(struct pods *pods)
{
	struct pods_dir *dir = &pods->dir;

	if (dir->reading)
		closedir(dir->reading);
	pods_clear(pods);
	dir->reading = opendir(dir->path);
	loop_timer__set(&dir->timer, dir->reading ? TURN_NS : MISSING_NS);
}

/* True: the directory is there no more. */
static bool take_event(struct pods *pods, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW) {
		read_again(pods);
		return false;
	}
	if (event->len && event->mask & (IN_DELETE | IN_MOVED_FROM))
		pods_remove(pods, event->name);
	else if (event->len)
		take_file(pods, event->name);
	return event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT);
}

/* A read's worth of events, 16 to 200 of them. */
static void on_events(evutil_socket_t fd, short what, void *ctx)
{
	struct pods *pods = ctx;
	char buf[4096] __attribute__((aligned(8)));
	ssize_t len = read(fd, buf, sizeof(buf)), at = 0;
	bool gone = false;

	(void)what;
	while (at < len) {
		const struct inotify_event *event = (const void *)(buf + at);

		gone |= take_event(pods, event);
		at += sizeof(*event) + event->len;
	}
	if (!gone)
		return;
	forget_dir(pods);
	loop_timer__set(&pods->dir.timer, MISSING_NS);
}

/* Watched before it is read, so that nothing comes in between. */
static void begin_watch(struct pods *pods)
{
	struct pods_dir *dir = &pods->dir;

	dir->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (dir->watch_fd >= 0 &&
	    inotify_add_watch(dir->watch_fd, dir->path, WATCHED | IN_ONLYDIR) >= 0)
		dir->event = event_new(dir->loop->events, dir->watch_fd, EV_READ | EV_PERSIST,
				       on_events, pods);
	if (dir->event && !event_add(dir->event, NULL)) {
		read_again(pods);
		return;
	}
	forget_dir(pods);
	loop_timer__set(&dir->timer, MISSING_NS);
}

static void on_timer(void *ctx, uint64_t now)
{
	struct pods *pods = ctx;

	(void)now;
	if (pods->dir.watch_fd < 0)
		begin_watch(pods);
	else if (!pods->dir.reading)
		read_again(pods); /* it could not be opened */
	else if (read_some(pods, TURN_FILES))
		loop_timer__set(&pods->dir.timer, TURN_NS);
}

int pods_dir_open(struct pods *pods, struct loop *loop, const char *path)
{
	struct pods_dir *dir = &pods->dir;

	dir->path = strdup(path);
	if (!dir->path)
		return -ENOMEM;
	dir->loop = loop;
	if (loop) {
		loop_timer__init(&dir->timer, loop, on_timer, pods);
		begin_watch(pods);
		return 0;
	}
	dir->reading = opendir(path);
	while (dir->reading && read_some(pods, TURN_FILES))
		;
	return 0;
}

void pods_dir_close(struct pods *pods)
{
	forget_dir(pods);
	if (pods->dir.loop)
		loop_timer__stop(&pods->dir.timer);
	free(pods->dir.path);
}
