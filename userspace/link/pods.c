// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The module opened and closed, and pods as text. Contract: pods.h.
 */
#include "link/pods.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "netdev_priv.h"
#include "pods_priv.h"

/* The kernel refuses blanks, '/' and ':' in a device's name, and nothing else. */
static void make_printable(char *text)
{
	for (; *text; text++) {
		if (*text < 0x21 || *text > 0x7e)
			*text = '?';
	}
}

const char *pods__text(struct pods *pods, const struct served_addr *addr, int ifindex, char *text,
		       size_t size)
{
	char ip[INET6_ADDRSTRLEN];
	struct pod_name pod;
	struct netdev info;

	if (pods__find(pods, addr, ifindex, &pod))
		return pod_name__text(&pod, text, size);
	served_addr__text(addr, ip, sizeof(ip));
	if (!ifindex || netdev_get(&pods->nl, NULL, ifindex, &info))
		snprintf(text, size, "%s", ip);
	else
		snprintf(text, size, "%s@%s", ip, info.name);
	make_printable(text);
	return text;
}

struct pods_stats pods__stats(const struct pods *pods)
{
	return pods->stats;
}

/* ---- open and close ---- */

int pods__open(struct loop *loop, const char *dir, struct pods **out)
{
	struct pods *pods = calloc(1, sizeof(*pods));
	int ret;

	if (!pods)
		return -ENOMEM;
	pods_init(pods);
	pods->dir.watch_fd = -1;
	ret = nl__open(&pods->nl);
	if (!ret && *dir)
		ret = pods_dir_open(pods, loop, dir);
	if (ret)
		pods__close(pods);
	else
		*out = pods;
	return ret;
}

void pods__close(struct pods *pods)
{
	if (!pods)
		return;
	pods_dir_close(pods);
	pods_clear(pods);
	nl__close(&pods->nl);
	free(pods);
}
