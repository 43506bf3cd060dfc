// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * XDP programs, through libxdp so that they share a device with others.
 *
 * Contract: a program of ours that is there is replaced without a gap (the new one is in before
 * the old one is out); a foreign one is never. Where the kernel has no room for libxdp's
 * dispatcher, ours is the only one, and a device that has another one is refused.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <linux/rtnetlink.h>
#include <xdp/libxdp.h>

#include "attach_priv.h"
#include "datapath_priv.h"

/* libxdp runs lower ones first; its default is 50. A DDoS filter wants to be before us, at 1..9. */
#define RUN_PRIO 10

#ifndef BPF_FS_MAGIC
#define BPF_FS_MAGIC 0xcafe4a11 /* linux/magic.h */
#endif

/* The dispatcher holds up to this many (struct xdp_dispatcher_config). */
#define PROGS_MAX 10

static bool is_ours(const struct xdp_program *prog)
{
	/* libxdp's names come from BTF, in full; the kernel's end after 15 characters. */
	return !strcmp(xdp_program__name(prog), XDP_PROG_NAME);
}

struct single {
	uint32_t prog_id;
	bool generic;
};

static int on_xdp(const struct nlattr *attr, void *ctx)
{
	struct single *single = ctx;

	if (mnl_attr_get_type(attr) == IFLA_XDP_ATTACHED &&
	    mnl_attr_validate(attr, MNL_TYPE_U8) >= 0)
		single->generic = mnl_attr_get_u8(attr) == XDP_ATTACHED_SKB;
	if (mnl_attr_get_type(attr) == IFLA_XDP_PROG_ID &&
	    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		single->prog_id = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int on_attr(const struct nlattr *attr, void *ctx)
{
	if (mnl_attr_get_type(attr) == IFLA_XDP)
		mnl_attr_parse_nested(attr, on_xdp, ctx);
	return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *nlh, void *ctx)
{
	if (nlh->nlmsg_type == RTM_NEWLINK)
		mnl_attr_parse(nlh, sizeof(struct ifinfomsg), on_attr, ctx);
	return MNL_CB_OK;
}

/*
 * The single program on the device outside any dispatcher: 0 none. Not by bpf_xdp_query(), which
 * in libbpf before 1.2 has the kernel list every device for the one.
 */
static uint32_t single_prog(struct nl *nl, int ifindex, bool *generic)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct single single = {};
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_GETLINK, 0, sizeof(*ifi), (void **)&ifi);

	ifi->ifi_index = ifindex;
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (nl__query(nl, nlh, on_link, &single))
		return 0;
	*generic = single.generic;
	return single.prog_id;
}

static bool is_ours_alone(uint32_t prog_id)
{
	char name[16];

	attach_prog_name(prog_id, name);
	return !strcmp(name, XDP_PROG_NAME);
}

/* Without the dispatcher: straight onto the device, in place of ours only. */
static int attach_single(struct xdp_part *part, struct nl *nl, int fd, int ifindex, bool generic,
			 struct error *err)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
	uint32_t mode = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info), old;
	bool old_generic = generic;
	char name[16];
	int ret;

	old = single_prog(nl, ifindex, &old_generic);
	if (old) {
		attach_prog_name(old, name);
		if (strcmp(name, XDP_PROG_NAME))
			return error__set(err, -EBUSY, "XDP program %s (id %u) holds the device",
					  name, old);
	}
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return error__set(err, -errno, "%s", strerror(errno));
	if (old && old_generic == generic) {
		opts.old_prog_fd = bpf_prog_get_fd_by_id(old);
		ret = bpf_xdp_attach(ifindex, fd, mode | XDP_FLAGS_REPLACE, &opts);
		if (opts.old_prog_fd >= 0)
			close(opts.old_prog_fd);
	} else {
		/* The kernel has no two modes at once, so changing it does have a gap. */
		if (old)
			bpf_xdp_detach(ifindex,
				       old_generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE, NULL);
		ret = bpf_xdp_attach(ifindex, fd, mode | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	}
	if (ret)
		return error__set(err, ret, "%s", strerror(-ret));
	part->prog_id = info.id;
	part->generic = generic;
	part->shared = false;
	return 0;
}

static bool held_by_dispatcher(int ifindex, uint32_t prog_id)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *prog = NULL;
	bool found = false;

	if (libxdp_get_error(mp))
		return false;
	if (!xdp_multiprog__is_legacy(mp))
		while ((prog = xdp_multiprog__next_prog(prog, mp)))
			found = found || xdp_program__id(prog) == prog_id;
	xdp_multiprog__close(mp);
	return found;
}

static int attach_shared(struct xdp_part *part, struct bpf_object *obj, int ifindex, bool generic,
			 struct error *err)
{
	LIBBPF_OPTS(xdp_program_opts, opts, .obj = obj, .prog_name = XDP_PROG_NAME);
	struct xdp_program *prog = xdp_program__create(&opts);
	int ret = libxdp_get_error(prog);

	if (ret)
		return error__set(err, ret, "libxdp: %s %s", strerror(-ret), bpf_log_last());
	xdp_program__set_run_prio(prog, RUN_PRIO);
	xdp_program__set_chain_call_enabled(prog, XDP_PASS, true);
	ret = xdp_program__attach(prog, ifindex, generic ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
	if (ret) {
		xdp_program__close(prog);
		return error__set(err, ret, "%s: %s", strerror(-ret), bpf_log_last());
	}
	part->prog_id = xdp_program__id(prog);
	part->generic = generic;
	part->shared = held_by_dispatcher(ifindex, part->prog_id);
	/* What is attached stays: libxdp has pinned it. */
	xdp_program__close(prog);
	return 0;
}

/*
 * libxdp keeps its pins in the bpffs at /sys/fs/bpf, where other tools look for them; where none is
 * mounted there, next to ours.
 */
static void choose_bpffs(const struct datapath *dp)
{
	struct statfs fs;
	char at[PATH_MAX];
	char *slash;
	struct stat st, up;

	if (getenv(XDP_BPFFS_ENVVAR) || (!statfs("/sys/fs/bpf", &fs) && fs.f_type == BPF_FS_MAGIC))
		return;
	/* The mount point is the highest directory of the same device. */
	snprintf(at, sizeof(at), "%s", dp->pin_dir);
	if (stat(at, &st))
		return;
	for (slash = strrchr(at, '/'); slash && slash != at; slash = strrchr(at, '/')) {
		*slash = '\0';
		if (stat(at, &up) || up.st_dev != st.st_dev) {
			*slash = '/';
			break;
		}
	}
	setenv(XDP_BPFFS_ENVVAR, at, 1);
}

/* Ours inside a dispatcher, but @keep; it is rebuilt without them. */
static int remove_shared(int ifindex, uint32_t keep)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *prog = NULL, *ours[PROGS_MAX];
	enum xdp_attach_mode mode;
	size_t n = 0, i;
	int ret;

	if (libxdp_get_error(mp))
		return 0;
	mode = xdp_multiprog__attach_mode(mp);
	if (!xdp_multiprog__is_legacy(mp))
		while (n < PROGS_MAX && (prog = xdp_multiprog__next_prog(prog, mp))) {
			if (!is_ours(prog) || xdp_program__id(prog) == keep)
				continue;
			ours[n] = xdp_program__from_id(xdp_program__id(prog));
			if (!libxdp_get_error(ours[n]))
				n++;
		}
	xdp_multiprog__close(mp);
	ret = n ? xdp_program__detach_multi(ours, n, ifindex, mode, 0) : 0;
	for (i = 0; i < n; i++)
		xdp_program__close(ours[i]);
	return ret ? 0 : (int)n;
}

/* Ours outside any dispatcher. */
static int remove_single(struct nl *nl, int ifindex, uint32_t keep)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
	bool generic = false;
	uint32_t id = single_prog(nl, ifindex, &generic);
	int ret;

	if (!id || id == keep || !is_ours_alone(id))
		return 0;
	/* Only if it is still that one. */
	opts.old_prog_fd = bpf_prog_get_fd_by_id(id);
	if (opts.old_prog_fd < 0)
		return 0;
	ret = bpf_xdp_detach(
		ifindex, (generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE) | XDP_FLAGS_REPLACE,
		&opts);
	close(opts.old_prog_fd);
	return !ret;
}

/* A dispatcher is of one mode; one of ours alone there makes room for another. */
static void make_room(struct nl *nl, int ifindex, bool generic)
{
	struct xdp_multiprog *mp;
	bool other;

	if (!single_prog(nl, ifindex, &other))
		return;
	mp = xdp_multiprog__get_from_ifindex(ifindex);
	if (libxdp_get_error(mp))
		return;
	other = xdp_multiprog__attach_mode(mp) != (generic ? XDP_MODE_SKB : XDP_MODE_NATIVE);
	xdp_multiprog__close(mp);
	if (other && !remove_shared(ifindex, 0))
		remove_single(nl, ifindex, 0);
}

int xdp__remove_ours(struct nl *nl, int ifindex, uint32_t keep)
{
	bool generic;
	uint32_t id = single_prog(nl, ifindex, &generic);

	if (!id || id == keep)
		return 0;
	/* To look into a dispatcher, libxdp has the kernel list every device for the one. */
	return is_ours_alone(id) ? remove_single(nl, ifindex, keep) : remove_shared(ifindex, keep);
}

bool xdp__present(struct xdp_part *part, struct nl *nl, int ifindex)
{
	bool generic;
	uint32_t id = single_prog(nl, ifindex, &generic);

	if (!id || id == part->device_prog_id)
		return id;
	/* A dispatcher is made anew each time a program comes or goes. */
	if (!part->shared || !held_by_dispatcher(ifindex, part->prog_id))
		return false;
	part->device_prog_id = id;
	return true;
}

void xdp__forget(struct xdp_part *part, int ifindex, bool gone)
{
	if (gone && part->shared)
		libxdp_clean_references(ifindex);
	memset(part, 0, sizeof(*part));
}

static int try_single(struct xdp_part *part, struct datapath *dp,
		      const struct attach_request *request, bool generic, struct error *err)
{
	int fd = progs_xdp_alone_fd(dp, request->steer, generic, err);
	uint32_t id;

	if (fd < 0)
		return fd;
	id = single_prog(&dp->rtnl, request->ifindex, &(bool){ false });
	if (id && !is_ours_alone(id))
		remove_shared(request->ifindex, 0);
	return attach_single(part, &dp->rtnl, fd, request->ifindex, generic, err);
}

static int try_shared(struct xdp_part *part, struct datapath *dp,
		      const struct attach_request *request, bool generic, struct error *err)
{
	struct bpf_object *obj;
	int ret, tries;

	make_room(&dp->rtnl, request->ifindex, generic);
	for (tries = 0; tries < 2; tries++) {
		ret = datapath__xdp_object(dp, request->steer, generic, &obj, err);
		if (ret)
			return ret;
		bpf_log_clear();
		ret = attach_shared(part, obj, request->ifindex, generic, err);
		bpf_object__close(obj);
		/* One of ours that is alone there cannot be taken into a dispatcher. */
		if (ret != -EBUSY || !remove_single(&dp->rtnl, request->ifindex, 0))
			break;
	}
	return ret;
}

/*
 * libxdp's dispatcher may be refused for more reasons than its own check knows. Kernels since 6.13
 * (and stable ones, seen on 6.12) let a program that changes packets replace only a function that
 * does, and the dispatcher of libxdp 1.3 has none (kernel commit 81f6d0530ba0); 5.10 refuses to
 * take over a program that is there. Then ours goes onto the device alone, if it is free.
 */
int xdp__attach(struct xdp_part *part, struct datapath *dp, const struct attach_request *request,
		bool generic, char *why, size_t why_size, struct error *err)
{
	const char *mode = generic ? "generic" : "native", *text;
	struct error shared = { .text = "" }, single = { .text = "" };
	int ret = -EOPNOTSUPP;

	why[0] = '\0';
	choose_bpffs(dp);
	if (dp->features.xdp_dispatcher && !dp->xdp_single)
		ret = try_shared(part, dp, request, generic, &shared);
	if (ret && ret != -EBUSY && ret != -ENODEV) {
		ret = try_single(part, dp, request, generic, &single);
		/* That is so for every device: no need to try it again. */
		if (!ret)
			dp->xdp_single = true;
	}
	if (ret) {
		text = single.text[0] ? single.text : shared.text;
		return error__set(err, ret, "%s: cannot attach XDP (%s): %.200s%s%.200s%s",
				  request->ifname, mode, text,
				  shared.text[0] && text != shared.text ? " (libxdp: " : "",
				  text != shared.text ? shared.text : "",
				  shared.text[0] && text != shared.text ? ")" : "");
	}
	part->device_prog_id = single_prog(&dp->rtnl, request->ifindex, &(bool){ false });
	if (!part->shared)
		snprintf(why, why_size, "the only XDP program that %s can have on this kernel%s%s",
			 request->ifname, shared.text[0] ? ": " : "", shared.text);
	return 0;
}
