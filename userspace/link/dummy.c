// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The link that holds the local addresses. Contract: dummy.h.
 *
 * Addresses of IPv4 have host scope and those of IPv6 are deprecated from the first: both are
 * local, and neither is ever the source of something else. What source goes with them as
 * destinations is dummy_route.c's to see to.
 */
#include "link/dummy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "dummy_priv.h"
#include "netdev_priv.h"

struct dummy {
	char name[16], kind[16];
	int ifindex;
	struct served_addr *addrs;
	enum { MISSING, HERE, ELSEWHERE } * where;
	int n_addrs;
};

/* ---- links ---- */

struct link_state {
	int ifindex;
	bool up;
	char kind[16], alias[64];
};

static int on_kind(const struct nlattr *attr, void *ctx)
{
	struct link_state *state = ctx;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		snprintf(state->kind, sizeof(state->kind), "%.*s",
			 (int)mnl_attr_get_payload_len(attr), mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int on_attr(const struct nlattr *attr, void *ctx)
{
	struct link_state *state = ctx;

	if (mnl_attr_get_type(attr) == IFLA_IFALIAS)
		snprintf(state->alias, sizeof(state->alias), "%.*s",
			 (int)mnl_attr_get_payload_len(attr), mnl_attr_get_str(attr));
	if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
		mnl_attr_parse_nested(attr, on_kind, state);
	return MNL_CB_OK;
}

static bool read_link(const struct nlmsghdr *nlh, struct link_state *state)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type != RTM_NEWLINK || nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*ifi)))
		return false;
	memset(state, 0, sizeof(*state));
	state->ifindex = ifi->ifi_index;
	state->up = ifi->ifi_flags & IFF_UP;
	mnl_attr_parse(nlh, sizeof(*ifi), on_attr, state);
	return true;
}

static int on_link(const struct nlmsghdr *nlh, void *ctx)
{
	read_link(nlh, ctx);
	return MNL_CB_OK;
}

static int get_link(struct nl *nl, const char *name, struct link_state *state)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = nl__begin(buf, RTM_GETLINK, 0, sizeof(*ifi), (void **)&ifi);

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	return nl__query(nl, nlh, on_link, state);
}

static int create(struct nl *nl, const char *name, const char *kind)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlattr *info;
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh =
		nl__begin(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*ifi), (void **)&ifi);

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(nlh, info);
	return nl__request(nl, nlh);
}

/* What node-cache leaves behind is a dummy of this name without a word whose it is. */
static bool is_ours(const struct link_state *state)
{
	return !strcmp(state->alias, DUMMY_ALIAS) ||
	       (!state->alias[0] && !strcmp(state->kind, "dummy"));
}

static int make_link(struct nl *nl, const char *name)
{
	int ret = create(nl, name, "dummy");

	/*
	 * As good: a bridge without ports. Nothing crosses it, no second device comes with it (a
	 * veth's peer, the ifb0 and ifb1 of a module that is loaded), and it is in every kernel
	 * that runs pods.
	 */
	return ret == -EOPNOTSUPP ? create(nl, name, "bridge") : ret;
}

/* Ours from now on. */
static int claim(struct nl *nl, int ifindex)
{
	int ret = netdev_set_alias(nl, ifindex, DUMMY_ALIAS);

	if (!ret)
		netdev_no_ipv6_address(nl, ifindex);
	return ret;
}

/*
 * The link up and, with @claims, ours, whatever was there before; one that is made is ours anyway.
 * 1: it was made or brought up.
 */
static int ensure_link(struct nl *nl, struct dummy *dummy, bool claims, struct error *err)
{
	struct link_state state = { 0 };
	bool made = false;
	int ret = get_link(nl, dummy->name, &state);

	if (ret == -ENODEV) {
		ret = make_link(nl, dummy->name);
		if (!ret)
			ret = get_link(nl, dummy->name, &state);
		made = !ret;
	} else if (!ret && !is_ours(&state)) {
		return error__set(err, -EEXIST,
				  "link %s%s%s exists, and nodens did not make it: remove it, or "
				  "give -interfacename another name",
				  dummy->name, state.kind[0] ? " of type " : "", state.kind);
	}
	if (!ret && (made || claims) && strcmp(state.alias, DUMMY_ALIAS))
		ret = claim(nl, state.ifindex);
	/* nobody is to be asked about neighbours there */
	if (!ret && !state.up)
		ret = netdev_set_up(nl, state.ifindex, IFF_NOARP);
	if (ret && made)
		netdev_delete(nl, state.ifindex);
	if (ret)
		return error__set(err, ret, "cannot make the link %s: %s%s%s", dummy->name,
				  strerror(-ret), nl->message[0] ? ": " : "", nl->message);
	dummy->ifindex = state.ifindex;
	strcpy(dummy->kind, state.kind);
	return made || !state.up;
}

/* ---- addresses ---- */

static void *bytes_of(struct served_addr *addr, size_t *len)
{
	*len = addr->family == AF_INET ? sizeof(addr->v4) : sizeof(addr->v6);
	return &addr->v4;
}

struct address_dump {
	struct dummy *dummy;
	struct {
		struct served_addr addr;
		uint8_t prefix;
	} strange[8]; /* on the link, but none of ours */
	int n_strange;
};

struct address_attrs {
	const void *local, *address;
	size_t len;
};

static int on_address_attr(const struct nlattr *attr, void *ctx)
{
	struct address_attrs *found = ctx;

	if (mnl_attr_get_payload_len(attr) != found->len)
		return MNL_CB_OK;
	if (mnl_attr_get_type(attr) == IFA_LOCAL)
		found->local = mnl_attr_get_payload(attr);
	if (mnl_attr_get_type(attr) == IFA_ADDRESS)
		found->address = mnl_attr_get_payload(attr);
	return MNL_CB_OK;
}

static int on_address(const struct nlmsghdr *nlh, void *ctx)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct address_attrs found = { .len = ifa->ifa_family == AF_INET ? 4 : 16 };
	struct address_dump *dump = ctx;
	struct dummy *dummy = dump->dummy;
	struct served_addr addr;
	bool known = false;

	if (nlh->nlmsg_type != RTM_NEWADDR ||
	    (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*ifa), on_address_attr, &found);
	if (!found.local)
		found.local = found.address;
	if (!found.local)
		return MNL_CB_OK;
	memset(&addr, 0, sizeof(addr));
	addr.family = ifa->ifa_family;
	memcpy(&addr.v4, found.local, found.len);
	for (int i = 0; i < dummy->n_addrs; i++) {
		if (!served_addr__same(&dummy->addrs[i], &addr))
			continue;
		known = true;
		if ((int)ifa->ifa_index != dummy->ifindex)
			dummy->where[i] = ELSEWHERE;
		else if (dummy->where[i] == MISSING)
			dummy->where[i] = HERE;
	}
	if (!known && (int)ifa->ifa_index == dummy->ifindex && dump->n_strange < 8) {
		dump->strange[dump->n_strange].addr = addr;
		dump->strange[dump->n_strange++].prefix = ifa->ifa_prefixlen;
	}
	return MNL_CB_OK;
}

static int find_addresses(struct nl *nl, struct address_dump *dump)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct ifaddrmsg *ifa;
	int ret = -EINTR;

	for (int tries = 0; ret == -EINTR && tries < 5; tries++) {
		struct nlmsghdr *nlh =
			nl__begin(buf, RTM_GETADDR, NLM_F_DUMP, sizeof(*ifa), (void **)&ifa);

		memset(dump->dummy->where, 0, dump->dummy->n_addrs * sizeof(*dump->dummy->where));
		dump->n_strange = 0;
		ret = nl__query(nl, nlh, on_address, dump);
	}
	return ret;
}

static int change_address(struct nl *nl, int ifindex, uint16_t type, struct served_addr *addr,
			  uint8_t prefix)
{
	struct ifa_cacheinfo life = { .ifa_prefered = 0, .ifa_valid = 0xffffffff };
	char buf[MNL_SOCKET_BUFFER_SIZE];
	bool v4 = addr->family == AF_INET, new = type == RTM_NEWADDR;
	struct ifaddrmsg *ifa;
	struct nlmsghdr *nlh = nl__begin(buf, type, new ? NLM_F_CREATE | NLM_F_EXCL : 0,
					 sizeof(*ifa), (void **)&ifa);
	size_t len;
	void *bytes = bytes_of(addr, &len);

	ifa->ifa_family = addr->family;
	ifa->ifa_prefixlen = prefix;
	ifa->ifa_scope = v4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	ifa->ifa_index = ifindex;
	mnl_attr_put(nlh, IFA_LOCAL, len, bytes);
	mnl_attr_put(nlh, IFA_ADDRESS, len, bytes);
	if (new && !v4) {
		mnl_attr_put_u32(nlh, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
		mnl_attr_put(nlh, IFA_CACHEINFO, sizeof(life), &life);
	}
	return nl__request(nl, nlh);
}

static int add_address(struct nl *nl, struct dummy *dummy, int i, struct error *err)
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = dummy->addrs[i].family == AF_INET;
	int ret = change_address(nl, dummy->ifindex, RTM_NEWADDR, &dummy->addrs[i], v4 ? 32 : 128);

	if (ret && ret != -EEXIST)
		return error__set(err, ret, "cannot give %s the address %s: %s%s%s", dummy->name,
				  served_addr__text(&dummy->addrs[i], text, sizeof(text)),
				  strerror(-ret), nl->message[0] ? ": " : "", nl->message);
	dummy->where[i] = HERE;
	return 0;
}

/* Returns how many addresses were put there. */
static int ensure_addresses(struct nl *nl, struct dummy *dummy, bool alone, char *done,
			    size_t done_size, struct error *err)
{
	struct address_dump dump = { .dummy = dummy };
	char text[INET6_ADDRSTRLEN];
	int n = 0, ret = find_addresses(nl, &dump);

	if (ret)
		return error__set(err, ret, "cannot look for addresses: %s", strerror(-ret));
	for (int i = 0; alone && i < dump.n_strange; i++)
		change_address(nl, dummy->ifindex, RTM_DELADDR, &dump.strange[i].addr,
			       dump.strange[i].prefix);
	for (int i = 0; i < dummy->n_addrs; i++) {
		if (dummy->where[i] == MISSING) {
			ret = add_address(nl, dummy, i, err);
			if (ret)
				return ret;
			netdev_note(done, done_size, "%s added",
				    served_addr__text(&dummy->addrs[i], text, sizeof(text)));
			n++;
		}
		/* Worth no error: it matters for what the node itself sends, if for that. */
		if (dummy->where[i] == HERE)
			dummy_route(nl, dummy->ifindex, &dummy->addrs[i]);
	}
	return n;
}

/* ---- the whole ---- */

int dummy__review(struct dummy *dummy, char *done, size_t done_size, struct error *err)
{
	struct nl nl = {};
	int made, ret;

	done[0] = '\0';
	ret = nl__open(&nl);
	if (ret)
		return error__set(err, ret, "rtnetlink: %s", strerror(-ret));
	made = ensure_link(&nl, dummy, true, err);
	if (made > 0)
		netdev_note(done, done_size, "the link was made or brought up");
	ret = made < 0 ? made : ensure_addresses(&nl, dummy, false, done, done_size, err);
	nl__close(&nl);
	return ret < 0 ? ret : ret + made;
}

static void describe(const struct dummy *dummy, char *note, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	if (strcmp(dummy->kind, "dummy"))
		netdev_note(note, size, "a %s without ports, as the kernel has no dummy links",
			    dummy->kind);
	for (int i = 0; i < dummy->n_addrs; i++) {
		if (dummy->where[i] == ELSEWHERE)
			netdev_note(note, size, "%s is on another link and stays there",
				    served_addr__text(&dummy->addrs[i], text, sizeof(text)));
	}
}

static int open_link(struct dummy *dummy, bool claims, struct error *err)
{
	char done[256] = "";
	struct nl nl = {};
	int ret = nl__open(&nl);

	if (ret)
		return error__set(err, ret, "rtnetlink: %s", strerror(-ret));
	ret = ensure_link(&nl, dummy, claims, err);
	if (ret >= 0)
		ret = ensure_addresses(&nl, dummy, claims, done, sizeof(done), err);
	nl__close(&nl);
	return ret < 0 ? ret : 0;
}

int dummy__keep(struct dummy *dummy, struct error *err)
{
	return open_link(dummy, true, err);
}

int dummy__open(const char *name, const struct served_addr *addrs, int n_addrs, struct dummy **out,
		char *note, size_t note_size, struct error *err)
{
	struct dummy *dummy = calloc(1, sizeof(*dummy));
	int ret = -ENOMEM;

	note[0] = '\0';
	if (dummy) {
		snprintf(dummy->name, sizeof(dummy->name), "%s", name);
		dummy->n_addrs = n_addrs;
		dummy->addrs = calloc(n_addrs, sizeof(*dummy->addrs));
		dummy->where = calloc(n_addrs, sizeof(*dummy->where));
	}
	if (!dummy || !dummy->addrs || !dummy->where) {
		error__set(err, ret, "out of memory");
	} else {
		memcpy(dummy->addrs, addrs, n_addrs * sizeof(*addrs));
		ret = open_link(dummy, false, err);
	}
	if (ret) {
		dummy__close(dummy, true);
		return ret;
	}
	describe(dummy, note, note_size);
	*out = dummy;
	return 0;
}

void dummy__close(struct dummy *dummy, bool remove)
{
	struct link_state state = { 0 };
	struct nl nl = {};

	if (!dummy)
		return;
	if (remove && dummy->ifindex && !nl__open(&nl)) {
		if (!get_link(&nl, dummy->name, &state) && !strcmp(state.alias, DUMMY_ALIAS))
			netdev_delete(&nl, state.ifindex);
		nl__close(&nl);
	}
	free(dummy->addrs);
	free(dummy->where);
	free(dummy);
}

struct stale {
	int ifindex[8];
	int n;
};

static int on_stale(const struct nlmsghdr *nlh, void *ctx)
{
	struct link_state state;
	struct stale *stale = ctx;

	if (read_link(nlh, &state) && !strcmp(state.alias, DUMMY_ALIAS) && stale->n < 8)
		stale->ifindex[stale->n++] = state.ifindex;
	return MNL_CB_OK;
}

int dummy__remove_stale(struct error *err)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct stale stale = { .n = 0 };
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh;
	struct nl nl = {};
	int ret = nl__open(&nl), n = 0;

	if (ret)
		return error__set(err, ret, "rtnetlink: %s", strerror(-ret));
	nlh = nl__begin(buf, RTM_GETLINK, NLM_F_DUMP, sizeof(*ifi), (void **)&ifi);
	ret = nl__query(&nl, nlh, on_stale, &stale);
	for (int i = 0; i < stale.n; i++)
		n += !netdev_delete(&nl, stale.ifindex[i]);
	nl__close(&nl);
	return ret && ret != -EINTR ? error__set(err, ret, "rtnetlink: %s", strerror(-ret)) : n;
}
