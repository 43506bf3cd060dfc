// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Where to look. Contract: look.h.
 */
#include "cmd/look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/pinned.h"
#include "publish/records.h"
#include "publish/table.h"

/* An agent without the kernel path, perhaps. */
static int open_agent(struct look *look, struct error *err)
{
	struct table table = { .fd = -1 };
	int ret = publish__run_dir(look->dir, false);

	if (!ret)
		ret = table__open(&table, look->dir, PUBLISH_INFO, sizeof(struct publish_info));
	if (!ret && !table__has_writer(&table))
		ret = -ENOENT;
	table__close(&table);
	return error__set(err, ret, "%s: %s", look->dir,
			  ret == -ESTALE ? "an agent of another version was here" : strerror(-ret));
}

int look__try(struct look *look, const char *bpffs, struct error *err)
{
	struct datapath_sessions maps = { .rings_fd = -1 };
	int ret;

	*look = (struct look){ .datapath = NULL };
	ret = datapath__open_pinned(bpffs, &look->datapath, err);
	if (ret == -ENOENT)
		ret = open_agent(look, err);
	if (ret)
		return ret;
	if (look->datapath) {
		snprintf(look->dir, sizeof(look->dir), "%s", datapath__dir(look->datapath));
		datapath__sessions(look->datapath, &maps);
	}
	look->at_agent = maps.rings_fd < 0;
	return 0;
}

int look__say(const struct look *look, const char *command, const char *bpffs, int ret,
	      const struct error *err)
{
	if (ret == -ENOENT)
		return pinned__say_no_maps(bpffs);
	if (ret == -EPERM || ret == -EACCES) {
		fprintf(stderr, "nodens %s: %s: no permission: run as root\n", command,
			look->dir[0] ? look->dir : bpffs);
		return EXIT_NO_PERMISSION;
	}
	fprintf(stderr, "nodens %s: %s\n", command, err->text);
	return EXIT_FAILURE;
}

int look__open(struct look *look, const char *command, const char *bpffs)
{
	struct error err = { .text = "" };
	int ret = look__try(look, bpffs, &err);

	return ret ? look__say(look, command, bpffs, ret, &err) : 0;
}

void look__close(struct look *look)
{
	datapath__close(look->datapath);
	look->datapath = NULL;
}

bool look__at_agent(const struct look *look)
{
	return look->at_agent;
}

/* Its directory comes and goes with the agent. -errno: there is none that is to be trusted. */
static int find_socket(char path[PATH_MAX])
{
	char dir[PATH_MAX];
	int ret = publish__run_dir(dir, false);

	if (!ret && snprintf(path, PATH_MAX, "%s/" PUBLISH_WATCH, dir) >= PATH_MAX)
		ret = -ENAMETOOLONG;
	if (ret)
		path[0] = '\0';
	return ret;
}

int look__session(const struct look *look, const struct nodens_filter *filter,
		  void (*event)(void *ctx, const struct nodens_event *event), void *ctx,
		  struct session **out, struct error *err)
{
	char path[PATH_MAX];
	int ret;

	if (!look__at_agent(look))
		return session__open(look->datapath, filter, event, ctx, out, err);
	ret = find_socket(path);
	if (ret && ret != -ENOENT)
		return error__set(err, ret, "cannot look at single packets: the agent's socket: %s",
				  strerror(-ret));
	return session__connect(path, filter, event, ctx, out, err);
}

const char *look__not_seen(const struct look *look)
{
	if (!look->datapath || !look__at_agent(look))
		return NULL;
	return "answers from the kernel are not seen one by one, the agent's are: this kernel has "
	       "no BPF ring buffers (Linux 5.8) or no BTF, or refuses the program for it";
}

uint64_t look__which(const struct look *look)
{
	char path[PATH_MAX];
	struct stat st;

	if (!look__at_agent(look))
		return pinned__maps(look->dir);
	return find_socket(path) || stat(path, &st) ? 0 : st.st_ino;
}
