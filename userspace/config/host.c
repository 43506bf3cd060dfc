// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The Corefile parser's way to this machine's files, globs, environment and interfaces.
 * Contract: struct corefile_options in corefile.h.
 */
#include "config/corefile.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_file(void *ctx, const char *path, char **text, size_t *len)
{
	/* One octet more than allowed, so that a file that is too large is seen as such. */
	size_t size = COREFILE_TEXT_MAX + 1, n = 0;
	ssize_t got = 1;
	char *buf;
	int fd, err = 0;

	(void)ctx;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	buf = malloc(size);
	if (!buf)
		err = -ENOMEM;
	while (!err && got && n < size) {
		got = read(fd, buf + n, size - n);
		if (got > 0)
			n += (size_t)got;
		else if (got < 0 && errno != EINTR)
			err = -errno;
	}
	close(fd);
	if (err) {
		free(buf);
		return err;
	}
	*text = buf;
	*len = n;
	return 0;
}

static int glob_error(int err)
{
	switch (err) {
	case 0:
	case GLOB_NOMATCH:
		return 0;
	case GLOB_NOSPACE:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int glob_files(void *ctx, const char *pattern, char ***paths, size_t *len)
{
	glob_t found = { 0 };
	char **list = NULL;
	size_t n = 0;
	int err;

	(void)ctx;
	/* As Go's Glob: a directory that is not there, or that cannot be read, has no files. */
	err = glob_error(glob(pattern, 0, NULL, &found));
	if (!err && found.gl_pathc) {
		list = calloc(found.gl_pathc, sizeof(*list));
		if (!list)
			err = -ENOMEM;
	}
	for (; !err && n < found.gl_pathc; n++) {
		list[n] = strdup(found.gl_pathv[n]);
		if (!list[n])
			err = -ENOMEM;
	}
	globfree(&found);
	if (err) {
		while (list && n--)
			free(list[n]);
		free(list);
		return err;
	}
	*paths = list;
	*len = n;
	return 0;
}

static const char *get_env(void *ctx, const char *name)
{
	(void)ctx;
	return getenv(name);
}

static unsigned int ifindex(void *ctx, const char *name)
{
	(void)ctx;
	return if_nametoindex(name);
}

/* Link-local IPv6 addresses are no use without their interface. */
static bool usable(const struct ifaddrs *ifa, const char *name)
{
	const struct sockaddr *addr = ifa->ifa_addr;

	if (!addr || strcmp(ifa->ifa_name, name) != 0 || !(ifa->ifa_flags & IFF_UP))
		return false;
	return addr->sa_family == AF_INET ||
	       (addr->sa_family == AF_INET6 &&
		!IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)addr)->sin6_addr));
}

static int interface_addresses(void *ctx, const char *name, union sockaddr_any **addrs, size_t *len)
{
	struct ifaddrs *all, *ifa;
	union sockaddr_any *list;
	size_t n = 0;

	(void)ctx;
	if (getifaddrs(&all))
		return -errno;
	for (ifa = all; ifa; ifa = ifa->ifa_next)
		n += usable(ifa, name);
	list = calloc(n + 1, sizeof(*list));
	n = 0;
	for (ifa = all; list && ifa; ifa = ifa->ifa_next) {
		if (usable(ifa, name))
			memcpy(&list[n++], ifa->ifa_addr, sockaddr__len(ifa->ifa_addr));
	}
	freeifaddrs(all);
	if (!list)
		return -ENOMEM;
	if (!n) {
		free(list);
		return -ENODEV;
	}
	*addrs = list;
	*len = n;
	return 0;
}

const struct corefile_options corefile_host_options = {
	.read_file = read_file,
	.glob = glob_files,
	.get_env = get_env,
	.interface = interface_addresses,
	.ifindex = ifindex,
};
