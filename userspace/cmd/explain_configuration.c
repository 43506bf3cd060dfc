// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The configuration that is walked: read as the agent would read it now. Contract: explain.h.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/explain.h"

/* What the process runs, without its directories; an upgrade may have deleted it. */
static bool program_of(const char *process, char name[PATH_MAX])
{
	char path[64], link[PATH_MAX], *slash;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%s/exe", process);
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		return false;
	link[len] = '\0';
	link[strcspn(link, " ")] = '\0';
	slash = strrchr(link, '/');
	snprintf(name, PATH_MAX, "%s", slash ? slash + 1 : link);
	return true;
}

/* The agent's id is of its own process namespace: here it may be anybody's. */
static bool is_nodens(uint32_t pid)
{
	char process[16], its[PATH_MAX], ours[PATH_MAX];

	snprintf(process, sizeof(process), "%u", pid);
	return program_of(process, its) && program_of("self", ours) && !strcmp(its, ours);
}

/* The agent's own flags, where its process is to be seen. */
static bool agent_flags(uint32_t pid, struct run_options *opts, char *text, size_t size)
{
	struct error err;
	char path[64], *argv[128];
	int argc = 0, fd;
	ssize_t len;

	if (!is_nodens(pid))
		return false;
	snprintf(path, sizeof(path), "/proc/%u/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return false;
	text[len] = '\0';
	for (char *at = text; at < text + len && argc < 127; at += strlen(at) + 1)
		argv[argc++] = at;
	argv[argc] = NULL;
	if (argc > 1 && !strcmp(argv[1], "run"))
		return !run_options__parse(opts, argc - 1, argv + 1, &err);
	return !run_options__parse(opts, argc, argv, &err);
}

/* What the agent said of it is what there is else. */
static void published_flags(const struct publish_info *info, struct run_options *opts)
{
	char *argv[] = { (char *)"run", (char *)(info->from_base ? "-basecorefile" : "-conf"),
			 (char *)info->config_path, NULL };
	struct error err;

	run_options__parse(opts, 3, argv, &err);
}

/* What the agent works with may be another than what the file says by now. */
static void compare(struct explain *ex, const char *path, bool flags)
{
	const struct publish_info *info = &ex->status.info;
	char digest[COREFILE_DIGEST], at[STATUS_SPAN];

	if (!info->config_hash[0] || corefile__digest(ex->config.cf, digest) ||
	    !strncmp(digest, info->config_hash, strlen(info->config_hash)))
		return;
	explain_step(ex, "configuration", EXPLAIN_OPEN,
		     "%s as it reads now%s: not what the agent works with, which it read at %s%s%s",
		     path,
		     flags ? "" : ", without the agent's flags, which are not to be seen here",
		     status__clock(&ex->status, info->config_read_s, at),
		     info->refused_s ? "; this was refused: " : "",
		     info->refused_s ? info->refused : "");
}

void explain_configuration(struct explain *ex)
{
	static char text[16384]; /* the options' texts lie there */
	const struct publish_info *info = &ex->status.info;
	static struct run_options opts;
	struct error err = { .text = "" };
	bool flags = ex->status.agent != STATUS_DEAD &&
		     agent_flags(ex->status.pid, &opts, text, sizeof(text));

	if (!flags)
		published_flags(info, &opts);
	if (ex->conf) {
		opts.conf = ex->conf;
		opts.conf_given = true;
		opts.base_given = opts.nodecache = false;
	}
	if (!conf__load(&opts, &ex->config, &err)) {
		compare(ex, conf__from_base(&opts) ? opts.basecorefile : opts.conf, flags);
		return;
	}
	conf__free(&ex->config);
	memset(&ex->config, 0, sizeof(ex->config));
	explain_step(ex, "configuration", EXPLAIN_OPEN, "cannot be read: %s", err.text);
}
