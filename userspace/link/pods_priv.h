/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the table (pods_table.c), the directory (pods_dir.c) and pods.c share.
 */
#ifndef NODENS_PODS_PRIV_H
#define NODENS_PODS_PRIV_H

#include <dirent.h>
#include <sys/stat.h>

#include "base/list.h"
#include "base/netlink.h"
#include "link/pods.h"

#define PODS_BUCKETS 256

struct pod_addr {
	struct list in_bucket;
	struct pod *pod;
};

/* One file's. */
struct pod {
	struct list all, by_device;
	struct pod_addr addrs[CNI_MAX_ADDRS];
	struct cni_result result;
	struct timespec written;
	int ifindex; /* of its device; 0: the file names none that is there */
	bool alive;  /* as it was found before alive_until_ns */
	uint64_t alive_until_ns;
	char file[];
};

struct pods_dir {
	struct loop *loop; /* NULL: read once */
	char *path;
	int watch_fd;	     /* inotify; -1: the directory was not there */
	DIR *reading;	     /* NULL: it has been read */
	struct event *event; /* of watch_fd */
	struct loop_timer timer;
};

struct pods {
	struct list all;
	struct list by_device[PODS_BUCKETS], by_addr[PODS_BUCKETS];
	struct pods_stats stats;
	struct nl nl;
	struct pods_dir dir;
};

/* pods_table.c */
void pods_init(struct pods *pods);
/* What file @name says from now on. */
void pods_put(struct pods *pods, const char *name, const struct cni_result *result,
	      struct timespec written);
void pods_remove(struct pods *pods, const char *name);
void pods_clear(struct pods *pods);

/* pods_dir.c; -ENOMEM. */
int pods_dir_open(struct pods *pods, struct loop *loop, const char *path);
void pods_dir_close(struct pods *pods);

#endif /* NODENS_PODS_PRIV_H */
