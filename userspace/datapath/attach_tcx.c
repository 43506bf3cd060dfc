// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * tc programs through tcx links (Linux 6.6).
 *
 * Contract: a link is pinned, so it outlives the agent; a link of ours is found by asking the
 * device, not by its pin, so a pin of another namespace's device is never touched.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "attach_priv.h"
#include "bpf_syscall_priv.h"
#include "datapath_priv.h"

static int link_id(int fd, uint32_t *id)
{
	struct bpf_link_info info = {};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	*id = info.id;
	return 0;
}

/* Puts another program into the device's own link, atomically. -ENOENT: no link of ours there. */
static int update_present(int ifindex, int prog_fd, struct tcx_part *part)
{
	struct tcx_list list = {};
	uint32_t i;
	int fd;

	if (bpf_tcx_query(ifindex, &list))
		return -ENOENT;
	for (i = 0; i < list.count; i++) {
		if (!list.link[i] || !attach_is_tc_ours(list.prog[i]))
			continue;
		/* Links cannot be moved: one behind a foreign program is made anew, first. */
		if (i)
			return -ENOENT;
		fd = bpf_link_get_fd_by_id(list.link[i]);
		if (fd < 0)
			continue;
		if (!bpf_link_update(fd, prog_fd, NULL)) {
			part->link_fd = fd;
			part->link_id = list.link[i];
			return 0;
		}
		close(fd);
	}
	return -ENOENT;
}

/* A pin of the same name that is another link is a left-over: its device went. */
static int pin_link(struct tcx_part *part)
{
	uint32_t id = 0;
	int fd = bpf_obj_get(part->pin);

	if (fd >= 0) {
		if (link_id(fd, &id))
			id = 0;
		close(fd);
		if (id == part->link_id)
			return 0;
		unlink(part->pin);
	}
	return bpf_obj_pin(part->link_fd, part->pin) ? -errno : 0;
}

int tcx__attach(struct tcx_part *part, const char *dir, int ifindex, const char *ifname,
		int prog_fd, char other[16], struct error *err)
{
	struct tcx_part new = { .link_fd = -1 };
	bool made = false;
	int ret;

	ret = update_present(ifindex, prog_fd, &new);
	if (ret) {
		new.link_fd = bpf_tcx_link_create(prog_fd, ifindex, TCX_INGRESS);
		if (new.link_fd < 0)
			return error__set(err, new.link_fd, "%s: cannot attach by tcx: %s", ifname,
					  strerror(-new.link_fd));
		made = true;
		ret = link_id(new.link_fd, &new.link_id);
	}
	if (!ret && dir) {
		attach_device_path(new.pin, sizeof(new.pin), dir, "links", ifindex, ifname);
		ret = pin_link(&new);
	}
	if (ret) {
		if (made)
			bpf_link_detach(new.link_fd);
		close(new.link_fd);
		return error__set(err, ret, "%s: cannot pin its tcx link: %s", ifname,
				  strerror(-ret));
	}
	*part = new;
	tcx__ahead(part, ifindex, other);
	return 0;
}

void tcx__ahead(const struct tcx_part *part, int ifindex, char other[16])
{
	struct tcx_list list = {};

	other[0] = '\0';
	if (!bpf_tcx_query(ifindex, &list) && list.count && list.link[0] != part->link_id)
		attach_prog_name(list.prog[0], other);
}

bool tcx__used(int ifindex)
{
	struct tcx_list list = {};

	return !bpf_tcx_query(ifindex, &list) && list.count;
}

bool tcx__present(const struct tcx_part *part)
{
	struct bpf_link_info info = {};
	uint32_t len = sizeof(info);

	/* A tcx link's ifindex lies where that of an XDP link does; 0: it was taken off. */
	return !bpf_obj_get_info_by_fd(part->link_fd, &info, &len) && info.xdp.ifindex;
}

void tcx__forget(struct tcx_part *part, bool gone)
{
	if (part->link_fd < 0)
		return;
	if (gone && part->pin[0])
		unlink(part->pin);
	close(part->link_fd);
	part->link_fd = -1;
}

void tcx__detach(struct tcx_part *part)
{
	if (part->link_fd >= 0)
		bpf_link_detach(part->link_fd);
	tcx__forget(part, true);
}

int tcx__remove_ours(int ifindex, uint32_t keep)
{
	struct tcx_list list = {};
	int fd, count = 0;
	uint32_t i;

	if (bpf_tcx_query(ifindex, &list))
		return 0;
	for (i = 0; i < list.count; i++) {
		if (!list.link[i] || list.link[i] == keep || !attach_is_tc_ours(list.prog[i]))
			continue;
		fd = bpf_link_get_fd_by_id(list.link[i]);
		if (fd < 0)
			continue;
		if (!bpf_link_detach(fd))
			count++;
		close(fd);
	}
	return count;
}
