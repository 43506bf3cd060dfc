// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Which hook a device gets, and the attachment as a whole.
 *
 * Contract: as attach.h. The new program is in before an old one of ours goes, so a device is
 * never without one while its hook changes.
 */
#include "datapath/attach.h"

#include <errno.h>
#include <limits.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "attach_priv.h"
#include "datapath_priv.h"
#include "base/netlink.h"

struct attachment {
	struct datapath *datapath;
	int ifindex;
	char ifname[IFNAMSIZ];
	bool has_tc;
	struct tcx_part tcx; /* link_fd < 0: clsact */
	struct clsact_part clsact;
	struct xdp_part xdp;
	char how[64];
	char ahead[32];
};

/* The driver's name for the kind of a device: "veth", "bridge"... "" for hardware. */
struct kind {
	int ifindex;
	char name[16];
	bool loopback;
};

static int on_linkinfo(const struct nlattr *attr, void *ctx)
{
	struct kind *kind = ctx;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		snprintf(kind->name, sizeof(kind->name), "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int on_attr(const struct nlattr *attr, void *ctx)
{
	if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
		mnl_attr_parse_nested(attr, on_linkinfo, ctx);
	return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *nlh, void *ctx)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct kind *kind = ctx;

	if (nlh->nlmsg_type != RTM_NEWLINK || ifi->ifi_index != kind->ifindex)
		return MNL_CB_OK;
	kind->loopback = ifi->ifi_flags & IFF_LOOPBACK;
	return mnl_attr_parse(nlh, sizeof(*ifi), on_attr, kind);
}

static void device_kind(struct nl *nl, int ifindex, struct kind *kind)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_GETLINK, 0, sizeof(*ifi), (void **)&ifi);

	memset(kind, 0, sizeof(*kind));
	kind->ifindex = ifindex;
	ifi->ifi_index = ifindex;
	nl__query(nl, nlh, on_link, kind);
}

/* One socket serves every device. */
static int need_rtnl(struct datapath *dp, struct error *err)
{
	int ret = dp->rtnl.sock ? 0 : nl__open(&dp->rtnl);

	return ret ? error__set(err, ret, "rtnetlink: %s", strerror(-ret)) : 0;
}

#define NO_IDS "without CAP_SYS_ADMIN an XDP program could not be taken off again"

/*
 * What to try, in order. *why: the reason, where it is not plain.
 *
 * In listen mode a veth is most often the pod's own end, eth0: what a host-side program redirects
 * into it passes native XDP by, but not generic XDP, and native XDP there would clear GSO on the
 * peer. XDP without growth of the tail (before 5.8) cannot hold an answer.
 */
static int choose(struct datapath *dp, const struct attach_request *request, enum hook order[3],
		  const char **why, struct error *err)
{
	bool grow = dp->features.xdp_grow;
	struct kind kind;
	int n = 0;

	*why = "";
	switch (request->hook) {
	case HOOK_TC:
		order[n++] = HOOK_TC;
		return n;
	case HOOK_XDP_NATIVE:
	case HOOK_XDP_GENERIC:
	case HOOK_XDP:
		if (!dp->features.prog_ids)
			*why = NO_IDS;
		if (!grow)
			return error__set(err, -EOPNOTSUPP,
					  "%s: XDP cannot grow packets on this kernel, or it"
					  " has no BTF (Linux 5.8 with BTF will do): use --hook tc",
					  request->ifname);
		if (request->hook != HOOK_XDP_GENERIC)
			order[n++] = HOOK_XDP_NATIVE;
		if (request->hook != HOOK_XDP_NATIVE)
			order[n++] = HOOK_XDP_GENERIC;
		return n;
	case HOOK_AUTO:
		break;
	}
	if (request->pod_veth && request->steer) {
		order[n++] = HOOK_TC;
		return n;
	}
	device_kind(&dp->rtnl, request->ifindex, &kind);
	if (!grow) {
		*why = "XDP cannot grow packets on this kernel, or it has no BTF";
	} else if (!dp->features.prog_ids) {
		*why = NO_IDS;
	} else if (kind.loopback) {
		*why = "the loopback has no native XDP";
	} else if (!strcmp(kind.name, "veth")) {
		*why = "native XDP on a veth misses what is redirected into it";
		order[n++] = HOOK_XDP_GENERIC;
	} else {
		order[n++] = HOOK_XDP_NATIVE;
		order[n++] = HOOK_XDP_GENERIC;
	}
	order[n++] = HOOK_TC;
	return n;
}

static void add_note(char *note, size_t size, const char *text)
{
	size_t len = strlen(note);

	if (size && text[0])
		snprintf(note + len, size - len, "%s%s", len ? "; " : "", text);
}

static int attach_tc(struct attachment *at, const struct attach_request *request, bool behind,
		     char *note, size_t note_size, struct error *err)
{
	/* In listen mode a veth with a foreign peer is as well the pod's own end. */
	enum datapath_prog which =
		request->pod_veth && request->steer
			? (behind ? DATAPATH_TC_POD_BEHIND_XDP : DATAPATH_TC_POD)
			: (behind ? DATAPATH_TC_NIC_BEHIND_XDP : DATAPATH_TC_NIC);
	bool tcx = at->datapath->features.tcx;
	struct nl *nl = &at->datapath->rtnl;
	char text[160] = "", other[16];
	int fd, ret;

	fd = datapath__tc_prog_fd(at->datapath, which, request->steer, err);
	if (fd < 0)
		return fd;
	if (tcx && request->hurry && !tcx__used(at->ifindex) && clsact__unused(nl, at->ifindex))
		tcx = false;
	if (tcx) {
		ret = tcx__attach(&at->tcx, at->datapath->dir, at->ifindex, at->ifname, fd, other,
				  err);
		if (!ret)
			snprintf(at->ahead, sizeof(at->ahead), "%s", other);
		if (!ret && other[0])
			snprintf(text, sizeof(text), "program %s runs before nodens on %s", other,
				 at->ifname);
	} else {
		ret = clsact__attach(&at->clsact, nl, at->datapath->dir, at->ifindex, at->ifname,
				     fd, text, sizeof(text), err);
		if (!ret)
			memcpy(at->ahead, at->clsact.ahead, sizeof(at->ahead));
	}
	if (ret)
		return ret;
	at->has_tc = true;
	add_note(note, note_size, text);
	return 0;
}

static int attach_hook(struct attachment *at, const struct attach_request *request, enum hook hook,
		       char *note, size_t note_size, struct error *err)
{
	char text[160];
	int ret;

	if (hook == HOOK_TC)
		return attach_tc(at, request, false, note, note_size, err);
	ret = xdp__attach(&at->xdp, at->datapath, request, hook == HOOK_XDP_GENERIC, text,
			  sizeof(text), err);
	if (ret)
		return ret;
	add_note(note, note_size, text);
	if (!request->steer)
		return 0;
	ret = attach_tc(at, request, true, note, note_size, err);
	if (ret) {
		xdp__remove_ours(&at->datapath->rtnl, at->ifindex, 0);
		memset(&at->xdp, 0, sizeof(at->xdp));
	}
	return ret;
}

static void describe(struct attachment *at)
{
	char tc[32] = "";

	if (at->has_tc && at->tcx.link_fd >= 0)
		snprintf(tc, sizeof(tc), "tcx");
	else if (at->has_tc)
		snprintf(tc, sizeof(tc), "clsact prio %u", at->clsact.prio);
	if (at->xdp.prog_id)
		snprintf(at->how, sizeof(at->how), "xdp %s%s%s%s",
			 at->xdp.generic ? "generic" : "native", at->xdp.shared ? ", shared" : "",
			 at->has_tc ? " + " : "", tc);
	else
		snprintf(at->how, sizeof(at->how), "%s", tc);
}

/* What an earlier agent, or another hook, has left on the device. */
static void remove_others(const struct attachment *at)
{
	bool tcx = at->has_tc && at->tcx.link_fd >= 0;
	struct nl *nl = &at->datapath->rtnl;

	/* Also where tcx is not to be used, or is not there: an agent before this one may have. */
	tcx__remove_ours(at->ifindex, tcx ? at->tcx.link_id : 0);
	if (!at->clsact.alone)
		clsact__remove_ours(nl, at->ifindex, at->datapath->pin_dir,
				    at->has_tc && !tcx ? &at->clsact : NULL);
	xdp__remove_ours(nl, at->ifindex, at->xdp.prog_id);
}

int attach__load(struct datapath *dp, enum hook hook, bool steer, struct error *err)
{
	bool xdp = hook != HOOK_AUTO && hook != HOOK_TC;
	int fd = 0;

	/* With auto every device falls back to tc. */
	if (steer)
		fd = datapath__tc_prog_fd(dp, xdp ? DATAPATH_TC_POD_BEHIND_XDP : DATAPATH_TC_POD,
					  true, err);
	else if (!xdp)
		fd = datapath__tc_prog_fd(dp, DATAPATH_TC_NIC, false, err);
	if (fd >= 0 && steer)
		fd = datapath__tc_prog_fd(dp, DATAPATH_TC_RETURN, true, err);
	if (fd >= 0 && xdp)
		fd = progs_xdp_alone_fd(dp, steer, hook == HOOK_XDP_GENERIC, err);
	return fd < 0 ? fd : 0;
}

int attachment__open(struct datapath *dp, const struct attach_request *request,
		     struct attachment **out, char *note, size_t note_size, struct error *err)
{
	struct error first = {};
	struct attachment *at;
	char name[IFNAMSIZ];
	enum hook order[3];
	const char *why;
	int n, i, ret = 0;

	if (note_size)
		note[0] = '\0';
	if (!if_indextoname(request->ifindex, name))
		return error__set(err, -ENODEV, "%.15s: no such device", request->ifname);
	ret = need_rtnl(dp, err);
	if (ret)
		return ret;
	n = choose(dp, request, order, &why, err);
	if (n < 0)
		return n;
	at = calloc(1, sizeof(*at));
	if (!at)
		return error__set(err, -ENOMEM, "out of memory");
	at->datapath = dp;
	at->ifindex = request->ifindex;
	at->tcx.link_fd = -1;
	memcpy(at->ifname, name, sizeof(at->ifname));
	for (i = 0; i < n; i++) {
		ret = attach_hook(at, request, order[i], note, note_size, err);
		if (!ret || ret == -ENODEV)
			break;
		if (!i && err)
			first = *err;
	}
	if (ret) {
		/* The first choice's reason is the one to mend. */
		if (i && i == n && err)
			*err = first;
		if (!if_indextoname(request->ifindex, name))
			ret = -ENODEV;
		free(at);
		return ret;
	}
	if (i && first.text[0])
		add_note(note, note_size, first.text);
	else
		add_note(note, note_size, why);
	remove_others(at);
	describe(at);
	*out = at;
	return 0;
}

enum attachment_state attachment__state(struct attachment *at)
{
	struct nl *nl = &at->datapath->rtnl;

	if (at->xdp.prog_id && !xdp__present(&at->xdp, nl, at->ifindex))
		return ATTACHMENT_LOST;
	if (!at->has_tc)
		return ATTACHMENT_PRESENT;
	if (at->tcx.link_fd >= 0) {
		tcx__ahead(&at->tcx, at->ifindex, at->ahead);
		return tcx__present(&at->tcx) ? ATTACHMENT_PRESENT : ATTACHMENT_LOST;
	}
	if (!clsact__present(&at->clsact, nl, at->ifindex))
		return ATTACHMENT_LOST;
	return at->datapath->features.tcx && tcx__used(at->ifindex) ? ATTACHMENT_BEHIND
								    : ATTACHMENT_PRESENT;
}

const char *attachment__ahead(const struct attachment *at)
{
	return at->ahead;
}

const char *attachment__how(const struct attachment *at)
{
	return at->how;
}

void attachment__forget(struct attachment *at)
{
	char name[IFNAMSIZ];
	bool gone;

	if (!at)
		return;
	gone = !if_indextoname(at->ifindex, name);
	tcx__forget(&at->tcx, gone);
	clsact__forget(&at->clsact, gone);
	xdp__forget(&at->xdp, at->ifindex, gone);
	free(at);
}

void attachment__detach(struct attachment *at)
{
	struct nl *nl;

	if (!at)
		return;
	nl = &at->datapath->rtnl;
	if (at->xdp.prog_id)
		xdp__remove_ours(nl, at->ifindex, 0);
	if (at->has_tc && at->tcx.link_fd >= 0)
		tcx__detach(&at->tcx);
	else if (at->has_tc)
		clsact__remove_ours(nl, at->ifindex, at->datapath->pin_dir, NULL);
	attachment__forget(at);
}

int attach__return(struct datapath *dp, int ifindex, struct error *err)
{
	int fd = datapath__tc_prog_fd(dp, DATAPATH_TC_RETURN, true, err);
	struct clsact_part clsact;
	struct tcx_part tcx;
	char text[160];
	int ret;

	if (fd < 0)
		return fd;
	if (!dp->features.tcx) {
		ret = need_rtnl(dp, err);
		if (!ret)
			ret = clsact__attach(&clsact, &dp->rtnl, NULL, ifindex, "nd0", fd, text,
					     sizeof(text), err);
		if (ret)
			return ret;
		dp->return_filter.prio = clsact.prio;
		dp->return_filter.handle = clsact.handle;
		dp->return_filter.prog_id = clsact.prog_id;
		return 0;
	}
	ret = tcx__attach(&tcx, NULL, ifindex, "nd0", fd, text, err);
	if (ret)
		return ret;
	if (dp->return_link_fd >= 0)
		close(dp->return_link_fd);
	dp->return_link_fd = tcx.link_fd;
	return 0;
}

bool attach__return_present(struct datapath *dp, int ifindex)
{
	const struct tcx_part tcx = { .link_fd = dp->return_link_fd };
	const struct clsact_part clsact = { .prio = dp->return_filter.prio,
					    .handle = dp->return_filter.handle,
					    .prog_id = dp->return_filter.prog_id };

	return dp->features.tcx ? tcx__present(&tcx) : clsact__present(&clsact, &dp->rtnl, ifindex);
}

/* What is ours on one device, and what that was, for a line of text. */
static int remove_from(struct nl *nl, int ifindex, const char *pin_dir, const char **xdp_text,
		       const char **tcx_text, const char **tc_text)
{
	int xdp = xdp__remove_ours(nl, ifindex, 0);
	int tcx = tcx__remove_ours(ifindex, 0);
	int tc = clsact__remove_ours(nl, ifindex, pin_dir ? pin_dir : NODENS_PIN_DIR, NULL);

	*xdp_text = xdp ? " XDP program" : "";
	*tcx_text = tcx ? " tcx link" : "";
	*tc_text = tc ? " tc filter" : "";
	return xdp + tcx + tc;
}

int attach__leave(struct datapath *dp, int ifindex, const char *ifname)
{
	const char *xdp, *tcx, *tc;
	char pin[PATH_MAX];
	int n = need_rtnl(dp, NULL);

	if (n)
		return n;
	n = remove_from(&dp->rtnl, ifindex, dp->pin_dir, &xdp, &tcx, &tc);
	if (n) {
		attach_device_path(pin, sizeof(pin), dp->dir, "links", ifindex, ifname);
		unlink(pin);
	}
	return n;
}

int attach__detach_all(const char *pin_dir, void (*removed)(const char *line), struct error *err)
{
	const char *xdp, *tcx, *tc;
	struct if_nameindex *list, *dev;
	char line[160];
	int total = 0, ret;
	struct nl nl;

	bpf_log_init();
	ret = nl__open(&nl);
	list = ret ? NULL : if_nameindex();
	if (!list) {
		ret = ret ? ret : -errno;
		nl__close(&nl);
		return error__set(err, ret, "cannot list the devices: %s", strerror(-ret));
	}
	for (dev = list; dev->if_index; dev++) {
		int n = remove_from(&nl, dev->if_index, pin_dir, &xdp, &tcx, &tc);

		if (!n)
			continue;
		snprintf(line, sizeof(line), "%s:%s%s%s", dev->if_name, xdp, tcx, tc);
		if (removed)
			removed(line);
		total += n;
	}
	if_freenameindex(list);
	nl__close(&nl);
	return total;
}
