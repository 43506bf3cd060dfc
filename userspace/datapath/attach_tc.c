// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * tc programs as clsact filters, for kernels without tcx.
 *
 * Contract: first in the chain where that can be had, and replaced in place. A clsact qdisc of
 * nodens' own making is marked by a directory below the pins, since nothing about a qdisc says who
 * made it; without its mark it stays.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "attach_priv.h"
#include "datapath_priv.h"

#define INGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)
#define EGRESS	TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)

/* More than this on one hook are not looked at; they cannot be before the first. */
#define FILTERS_MAX 64

struct filter {
	uint32_t prio, handle, proto;
	bool bpf, ours;
	char name[32]; /* of the BPF program, else the filter's kind */
};

struct filters {
	struct filter list[FILTERS_MAX]; /* in the order in which they run */
	uint32_t count;
	int ifindex;
};

struct attrs {
	const struct nlattr *kind, *options, *chain;
};

static int on_tca(const struct nlattr *attr, void *ctx)
{
	struct attrs *attrs = ctx;

	switch (mnl_attr_get_type(attr)) {
	case TCA_KIND:
		attrs->kind = attr;
		break;
	case TCA_OPTIONS:
		attrs->options = attr;
		break;
	case TCA_CHAIN:
		attrs->chain = attr;
		break;
	}
	return MNL_CB_OK;
}

static int on_bpf_option(const struct nlattr *attr, void *ctx)
{
	uint32_t *id = ctx;

	if (mnl_attr_get_type(attr) == TCA_BPF_ID && mnl_attr_get_payload_len(attr) >= sizeof(*id))
		*id = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static void read_bpf_options(struct filter *f, const struct nlattr *options)
{
	uint32_t id = 0;
	char name[16];

	mnl_attr_parse_nested(options, on_bpf_option, &id);
	if (!id)
		return;
	attach_prog_name(id, name);
	if (name[0])
		snprintf(f->name, sizeof(f->name), "%s", name);
	f->ours = attach_is_tc_name(name);
}

static int on_filter(const struct nlmsghdr *nlh, void *ctx)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	struct filters *filters = ctx;
	struct attrs attrs = {};
	struct filter *f;

	if (nlh->nlmsg_type != RTM_NEWTFILTER || nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*tc)))
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*tc), on_tca, &attrs);
	/* Each priority is also listed once as such, without a filter's handle. */
	if (tc->tcm_ifindex != filters->ifindex || !tc->tcm_handle || !attrs.kind ||
	    filters->count == FILTERS_MAX)
		return MNL_CB_OK;
	if (attrs.chain && mnl_attr_get_u32(attrs.chain))
		return MNL_CB_OK; /* run only when a filter of chain 0 goes there */
	f = &filters->list[filters->count++];
	memset(f, 0, sizeof(*f));
	f->prio = tc->tcm_info >> 16;
	f->proto = ntohs(tc->tcm_info & 0xffff);
	f->handle = tc->tcm_handle;
	f->bpf = !strcmp(mnl_attr_get_str(attrs.kind), "bpf");
	snprintf(f->name, sizeof(f->name), "%s", mnl_attr_get_str(attrs.kind));
	if (f->bpf && attrs.options)
		read_bpf_options(f, attrs.options);
	return MNL_CB_OK;
}

static int list_filters(struct nl *nl, int ifindex, uint32_t parent, struct filters *filters)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh;
	struct tcmsg *tc;
	int ret, tries;

	for (tries = 0; tries < 5; tries++) {
		nlh = nl__begin(buf, RTM_GETTFILTER, NLM_F_DUMP, sizeof(*tc), (void **)&tc);
		tc->tcm_family = AF_UNSPEC;
		tc->tcm_ifindex = ifindex;
		tc->tcm_parent = parent;
		filters->count = 0;
		filters->ifindex = ifindex;
		ret = nl__query(nl, nlh, on_filter, filters);
		if (ret != -EINTR)
			break;
	}
	/* No qdisc there, no filter there. */
	if (ret == -EINVAL || ret == -ENOENT)
		ret = 0;
	return ret;
}

bool clsact__unused(struct nl *nl, int ifindex)
{
	struct filters filters;

	return !list_filters(nl, ifindex, INGRESS, &filters) && !filters.count;
}

/* The qdisc: made if there is none. 1: made, 0: was there. */
static int make_qdisc(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	int ret = bpf_tc_hook_create(&hook);

	return ret == -EEXIST ? 0 : ret ? ret : 1;
}

static void remove_qdisc(int ifindex)
{
	/* Both attach points: the qdisc goes, and not only its filters. */
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	bpf_tc_hook_destroy(&hook);
}

static int detach_filter(int ifindex, uint32_t prio, uint32_t handle)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .priority = prio, .handle = handle);

	return bpf_tc_detach(&hook, &opts);
}

/*
 * Before all others: the only one of prio 1, or, where a BPF filter of another has prio 1, another
 * handle of that (a new handle goes to the head of its list). A prio 1 of another kind or protocol
 * cannot be shared: the next free one then.
 */
static void choose_place(const struct filters *filters, struct bpf_tc_opts *opts)
{
	uint32_t i, prio = 1;

	for (i = 0; i < filters->count; i++) {
		const struct filter *f = &filters->list[i];

		if (f->prio != prio)
			continue;
		if (prio == 1 && f->bpf && f->proto == ETH_P_ALL)
			break;
		prio++;
	}
	opts->priority = prio;
	opts->handle = 0; /* the kernel takes a free one */
}

static void note_order(const struct filters *filters, struct clsact_part *part, char *note,
		       size_t size)
{
	const struct filter *first = &filters->list[0];
	uint32_t i;

	note[0] = '\0';
	if (!filters->count || (first->prio == part->prio && first->handle == part->handle)) {
		for (i = 1; i < filters->count; i++)
			if (filters->list[i].prio == part->prio && !filters->list[i].ours) {
				snprintf(note, size, "shares priority %u with %s, and runs first",
					 part->prio, filters->list[i].name);
				break;
			}
		return;
	}
	memcpy(part->ahead, first->name, sizeof(part->ahead));
	snprintf(note, size,
		 "filter %s (priority %u) runs before nodens: what it answers, drops or"
		 " accepts never reaches nodens",
		 first->name, first->prio);
}

static int attach_filter(struct nl *nl, struct clsact_part *part, int ifindex, int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd);
	struct filters filters = {};
	int ret = part->alone ? 0 : list_filters(nl, ifindex, INGRESS, &filters);

	if (ret)
		return ret;
	if (filters.count && filters.list[0].ours) {
		opts.priority = filters.list[0].prio;
		opts.handle = filters.list[0].handle;
		opts.flags = BPF_TC_F_REPLACE;
	} else {
		choose_place(&filters, &opts);
	}
	ret = bpf_tc_attach(&hook, &opts);
	if (ret)
		return ret;
	part->prio = opts.priority;
	part->handle = opts.handle;
	part->prog_id = opts.prog_id;
	return 0;
}

static int on_own_filter(const struct nlmsghdr *nlh, void *ctx)
{
	struct attrs attrs = {};
	uint32_t *id = ctx;

	if (nlh->nlmsg_type == RTM_NEWTFILTER)
		mnl_attr_parse(nlh, sizeof(struct tcmsg), on_tca, &attrs);
	if (attrs.options)
		mnl_attr_parse_nested(attrs.options, on_bpf_option, id);
	return MNL_CB_OK;
}

bool clsact__present(const struct clsact_part *part, struct nl *nl, int ifindex)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct tcmsg *tc;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_GETTFILTER, 0, sizeof(*tc), (void **)&tc);
	uint32_t id = 0;

	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = ifindex;
	tc->tcm_parent = INGRESS;
	tc->tcm_handle = part->handle;
	tc->tcm_info = TC_H_MAKE(part->prio << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(nlh, TCA_KIND, "bpf");
	return !nl__query(nl, nlh, on_own_filter, &id) && id == part->prog_id;
}

int clsact__attach(struct clsact_part *part, struct nl *nl, const char *dir, int ifindex,
		   const char *ifname, int prog_fd, char *note, size_t note_size, struct error *err)
{
	struct clsact_part new = {};
	struct filters filters;
	int made, ret;

	bpf_log_clear();
	made = make_qdisc(ifindex);
	if (made < 0)
		return error__set(err, made, "%s: cannot make a clsact qdisc: %s%s", ifname,
				  strerror(-made),
				  made == -ENODEV ? "" : " (is CONFIG_NET_SCH_INGRESS there?)");
	if (dir) {
		attach_device_path(new.marker, sizeof(new.marker), dir, "clsact", ifindex, ifname);
		if (made) {
			char sub[PATH_MAX];

			snprintf(sub, sizeof(sub), "%s/clsact", dir);
			mkdir(sub, 0700);
			mkdir(new.marker, 0700);
		}
	}
	new.alone = made;
	ret = attach_filter(nl, &new, ifindex, prog_fd);
	if (ret) {
		error__set(err, ret, "%s: cannot attach by clsact: %s %s", ifname, strerror(-ret),
			   bpf_log_last());
		if (made) {
			remove_qdisc(ifindex);
			rmdir(new.marker);
		}
	} else {
		note[0] = '\0';
		if (!new.alone && !list_filters(nl, ifindex, INGRESS, &filters))
			note_order(&filters, &new, note, note_size);
		*part = new;
	}
	return ret;
}

/* The mark of this device in a directory of marks; it may have had another name when it was made.
 */
static bool take_mark_of(const char *dir, int ifindex)
{
	char path[PATH_MAX], tail[32];
	struct dirent *mark;
	bool found = false;
	DIR *d;

	snprintf(tail, sizeof(tail), "-%d", ifindex);
	d = opendir(dir);
	while (d && (mark = readdir(d))) {
		size_t len = strlen(mark->d_name), n = strlen(tail);

		if (len <= n || strcmp(mark->d_name + len - n, tail) ||
		    snprintf(path, sizeof(path), "%s/%s", dir, mark->d_name) >= (int)sizeof(path))
			continue;
		found = !rmdir(path) || found;
	}
	if (d)
		closedir(d);
	return found;
}

/*
 * The mark of this device in any layout's directory: the qdisc may be an older version's making. A
 * directory that others may write to says nothing.
 */
static bool take_mark(int ifindex, const char *pin_dir)
{
	char dir[PATH_MAX], path[PATH_MAX], name[IF_NAMESIZE] = "";
	struct dirent *layout;
	bool found = false;
	DIR *d;

	if_indextoname(ifindex, name);
	d = pin_dir ? opendir(pin_dir) : NULL;
	while (d && (layout = readdir(d))) {
		if (strncmp(layout->d_name, "layout-", 7))
			continue;
		snprintf(dir, sizeof(dir), "%s/%s/clsact", pin_dir, layout->d_name);
		if (pins_check_owner(dir, NULL))
			continue;
		/* Under the name that it has it is found without a look at the others'. */
		snprintf(dir, sizeof(dir), "%s/%s", pin_dir, layout->d_name);
		attach_device_path(path, sizeof(path), dir, "clsact", ifindex, name);
		snprintf(dir, sizeof(dir), "%s/%s/clsact", pin_dir, layout->d_name);
		found = !rmdir(path) || take_mark_of(dir, ifindex) || found;
	}
	if (d)
		closedir(d);
	return found;
}

int clsact__remove_ours(struct nl *nl, int ifindex, const char *pin_dir,
			const struct clsact_part *keep)
{
	struct filters filters, egress;
	uint32_t i, left = 0;
	int count = 0;

	bpf_log_clear();
	if (list_filters(nl, ifindex, INGRESS, &filters))
		filters.count = 0, left = 1;
	for (i = 0; i < filters.count; i++) {
		const struct filter *f = &filters.list[i];

		if (!f->ours || (keep && f->prio == keep->prio && f->handle == keep->handle) ||
		    detach_filter(ifindex, f->prio, f->handle))
			left++;
		else
			count++;
	}
	if (!left && !keep && !list_filters(nl, ifindex, EGRESS, &egress) && !egress.count &&
	    take_mark(ifindex, pin_dir))
		remove_qdisc(ifindex);
	return count;
}

void clsact__forget(struct clsact_part *part, bool gone)
{
	if (gone && part->marker[0])
		rmdir(part->marker);
	memset(part, 0, sizeof(*part));
}
