// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What the ways onto a device have in common: whose a program is, where a device's file lies.
 * Contract: attach_priv.h.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "attach_priv.h"

void attach_prog_name(uint32_t id, char name[16])
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	name[0] = '\0';
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len))
		snprintf(name, 16, "%.15s", info.name);
	close(fd);
}

bool attach_is_tc_name(const char *name)
{
	return !strcmp(name, TC_PROG_NAME) || !strcmp(name, RETURN_PROG_NAME);
}

bool attach_is_tc_ours(uint32_t id)
{
	char name[16];

	attach_prog_name(id, name);
	return attach_is_tc_name(name);
}

void attach_device_path(char *path, size_t size, const char *dir, const char *sub, int ifindex,
			const char *ifname)
{
	char clean[IFNAMSIZ];
	size_t i;

	for (i = 0; i < sizeof(clean) - 1 && ifname[i]; i++)
		clean[i] = ifname[i] == '.' ? '+' : ifname[i];
	clean[i] = '\0';
	snprintf(path, size, "%s/%s/%s-%d", dir, sub, clean, ifindex);
}
