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
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "attach_priv.h"
#include "datapath_priv.h"

/* include/uapi/linux/bpf.h as of kernel commit e420bed02507, newer than the build's headers. */
#define TCX_INGRESS	46	  /* BPF_TCX_INGRESS */
#define TCX_FLAG_BEFORE (1u << 3) /* BPF_F_BEFORE; relative to nothing: first */

/* The query part of union bpf_attr with the fields that commit added. */
struct tcx_query {
	__u32 ifindex;
	__u32 attach_type;
	__u32 query_flags;
	__u32 attach_flags;
	__aligned_u64 prog_ids;
	__u32 count;
	__u32 pad;
	__aligned_u64 prog_attach_flags;
	__aligned_u64 link_ids;
	__aligned_u64 link_attach_flags;
	__u64 revision;
};

/* The kernel allows 64 programs a hook (BPF_MPROG_MAX). */
#define TCX_MAX 64

struct tcx_list {
	uint32_t prog[TCX_MAX], link[TCX_MAX];
	uint32_t count;
};

static int query(int ifindex, struct tcx_list *list)
{
	struct tcx_query attr = {
		.ifindex = ifindex,
		.attach_type = TCX_INGRESS,
		.prog_ids = (uintptr_t)list->prog,
		.link_ids = (uintptr_t)list->link,
		.count = TCX_MAX,
	};

	if (syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)))
		return -errno;
	list->count = attr.count < TCX_MAX ? attr.count : TCX_MAX;
	return 0;
}

int tcx_link__create(int prog_fd, int ifindex)
{
	union bpf_attr attr = {};
	int fd;

	attr.link_create.prog_fd = prog_fd;
	attr.link_create.target_ifindex = ifindex;
	attr.link_create.attach_type = TCX_INGRESS;
	attr.link_create.flags = TCX_FLAG_BEFORE;
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

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

	if (query(ifindex, &list))
		return -ENOENT;
	for (i = 0; i < list.count; i++) {
		if (!list.link[i] || !prog_is_tc_ours(list.prog[i]))
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
	struct tcx_list list = {};
	bool made = false;
	int ret;

	ret = update_present(ifindex, prog_fd, &new);
	if (ret) {
		new.link_fd = tcx_link__create(prog_fd, ifindex);
		if (new.link_fd < 0)
			return error__set(err, new.link_fd, "%s: cannot attach by tcx: %s", ifname,
					  strerror(-new.link_fd));
		made = true;
		ret = link_id(new.link_fd, &new.link_id);
	}
	if (!ret && dir) {
		device_path(new.pin, sizeof(new.pin), dir, "links", ifindex, ifname);
		ret = pin_link(&new);
	}
	if (ret) {
		if (made)
			bpf_link_detach(new.link_fd);
		close(new.link_fd);
		return error__set(err, ret, "%s: cannot pin its tcx link: %s", ifname,
				  strerror(-ret));
	}
	other[0] = '\0';
	if (!query(ifindex, &list) && list.count && list.link[0] != new.link_id)
		prog_name_of(list.prog[0], other);
	*part = new;
	return 0;
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

	if (query(ifindex, &list))
		return 0;
	for (i = 0; i < list.count; i++) {
		if (!list.link[i] || list.link[i] == keep || !prog_is_tc_ours(list.prog[i]))
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
