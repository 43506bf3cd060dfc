// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * NOTRACK rules of the raw tables. Contract: notrack.h.
 */
#include "link/notrack.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

/* Rules of one family, counted by the address that they are for. */
struct count {
	const struct served_addr *addrs;
	int n_addrs, family;
	int *n;
};

static bool is_notrack(const char *target)
{
	/* iptables writes NOTRACK as CT with a flag, which zones and helpers do not go with */
	return !strcmp(target, "NOTRACK") || !strcmp(target, "CT");
}

static void add(struct count *count, const void *addr, size_t len)
{
	for (int i = 0; i < count->n_addrs; i++) {
		if (count->addrs[i].family == count->family &&
		    len == (count->family == AF_INET ? 4 : 16) &&
		    !memcmp(&count->addrs[i].v4, addr, len))
			count->n[i]++;
	}
}

/* ---- nf_tables ---- */

struct rule {
	const char *table;
	const struct nlattr *expressions;
	bool notrack;
	const void *addr;
	size_t addr_len, want_len;
};

static int on_target(const struct nlattr *attr, void *ctx)
{
	struct rule *rule = ctx;

	if (mnl_attr_get_type(attr) == NFTA_TARGET_NAME)
		rule->notrack |= is_notrack(mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int on_value(const struct nlattr *attr, void *ctx)
{
	struct rule *rule = ctx;

	if (mnl_attr_get_type(attr) == NFTA_DATA_VALUE &&
	    mnl_attr_get_payload_len(attr) == rule->want_len) {
		rule->addr = mnl_attr_get_payload(attr);
		rule->addr_len = rule->want_len;
	}
	return MNL_CB_OK;
}

static int on_cmp(const struct nlattr *attr, void *ctx)
{
	if (mnl_attr_get_type(attr) == NFTA_CMP_DATA)
		mnl_attr_parse_nested(attr, on_value, ctx);
	return MNL_CB_OK;
}

struct expression {
	const char *name;
	const struct nlattr *data;
};

static int on_expression_attr(const struct nlattr *attr, void *ctx)
{
	struct expression *expr = ctx;

	if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME)
		expr->name = mnl_attr_get_str(attr);
	if (mnl_attr_get_type(attr) == NFTA_EXPR_DATA)
		expr->data = attr;
	return MNL_CB_OK;
}

static int on_expression(const struct nlattr *attr, void *ctx)
{
	struct expression expr = { .name = "" };
	struct rule *rule = ctx;

	mnl_attr_parse_nested(attr, on_expression_attr, &expr);
	if (!strcmp(expr.name, "notrack"))
		rule->notrack = true;
	if (expr.data && !strcmp(expr.name, "target"))
		mnl_attr_parse_nested(expr.data, on_target, rule);
	if (expr.data && !strcmp(expr.name, "cmp"))
		mnl_attr_parse_nested(expr.data, on_cmp, rule);
	return MNL_CB_OK;
}

static int on_rule_attr(const struct nlattr *attr, void *ctx)
{
	struct rule *rule = ctx;

	if (mnl_attr_get_type(attr) == NFTA_RULE_TABLE)
		rule->table = mnl_attr_get_str(attr);
	if (mnl_attr_get_type(attr) == NFTA_RULE_EXPRESSIONS)
		rule->expressions = attr;
	return MNL_CB_OK;
}

static int on_rule(const struct nlmsghdr *nlh, void *ctx)
{
	struct count *count = ctx;
	struct rule rule = { .table = "", .want_len = count->family == AF_INET ? 4 : 16 };

	mnl_attr_parse(nlh, sizeof(struct nfgenmsg), on_rule_attr, &rule);
	if (strcmp(rule.table, "raw") || !rule.expressions)
		return MNL_CB_OK;
	mnl_attr_parse_nested(rule.expressions, on_expression, &rule);
	if (rule.notrack && rule.addr)
		add(count, rule.addr, rule.addr_len);
	return MNL_CB_OK;
}

static void count_nft(struct count *count)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	static char buf[64 * 1024]; /* a rule is never divided */
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *gen;
	ssize_t len;

	if (!nl)
		return;
	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = 1;
	gen = mnl_nlmsg_put_extra_header(nlh, sizeof(*gen));
	gen->nfgen_family = count->family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;
	gen->version = NFNETLINK_V0;
	/* The table alone: kube-proxy has thousands of rules in others. */
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, "raw");
	if (!mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) &&
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) >= 0) {
		while ((len = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0) {
			if (mnl_cb_run(buf, len, 1, mnl_socket_get_portid(nl), on_rule, count) <=
			    MNL_CB_STOP)
				break;
		}
	}
	mnl_socket_close(nl);
}

/* ---- iptables-legacy ---- */

/* Asking for a table makes it: only one that is there. */
static bool has_raw(const char *names)
{
	FILE *f = fopen(names, "re");
	bool found = false;
	char line[64];

	while (f && fgets(line, sizeof(line), f))
		found = found || !strcmp(line, "raw\n");
	if (f)
		fclose(f);
	return found;
}

static void add_entry4(struct count *count, const struct ipt_entry *e)
{
	if (e->ip.dmsk.s_addr == INADDR_BROADCAST)
		add(count, &e->ip.dst, sizeof(e->ip.dst));
	if (e->ip.smsk.s_addr == INADDR_BROADCAST)
		add(count, &e->ip.src, sizeof(e->ip.src));
}

static void add_entry6(struct count *count, const struct ip6t_entry *e)
{
	struct in6_addr all;

	memset(&all, 0xff, sizeof(all));
	if (IN6_ARE_ADDR_EQUAL(&e->ipv6.dmsk, &all))
		add(count, &e->ipv6.dst, sizeof(e->ipv6.dst));
	if (IN6_ARE_ADDR_EQUAL(&e->ipv6.smsk, &all))
		add(count, &e->ipv6.src, sizeof(e->ipv6.src));
}

static void walk(struct count *count, const char *table, unsigned int size)
{
	bool v4 = count->family == AF_INET;
	size_t least = v4 ? sizeof(struct ipt_entry) : sizeof(struct ip6t_entry);

	for (unsigned int at = 0; at + least <= size;) {
		const struct ipt_entry *e4 = (const void *)(table + at);
		const struct ip6t_entry *e6 = (const void *)(table + at);
		unsigned int target = v4 ? e4->target_offset : e6->target_offset;
		unsigned int next = v4 ? e4->next_offset : e6->next_offset;
		const struct xt_entry_target *t = (const void *)(table + at + target);

		if (next < least || at + next > size || target + sizeof(*t) > next)
			return;
		if (is_notrack(t->u.user.name) && v4)
			add_entry4(count, e4);
		else if (is_notrack(t->u.user.name))
			add_entry6(count, e6);
		at += next;
	}
}

/* struct ipt_getinfo and ipt_get_entries are the same for both families but for what they hold. */
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo), "one for both");
_Static_assert(sizeof(struct ipt_get_entries) == sizeof(struct ip6t_get_entries), "one for both");

static void count_legacy(struct count *count)
{
	bool v4 = count->family == AF_INET;
	struct ipt_getinfo info = { .name = "raw" };
	struct ipt_get_entries *entries;
	socklen_t len = sizeof(info);
	int level = v4 ? IPPROTO_IP : IPPROTO_IPV6, fd;

	if (!has_raw(v4 ? "/proc/net/ip_tables_names" : "/proc/net/ip6_tables_names"))
		return;
	fd = socket(count->family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0)
		return;
	if (!getsockopt(fd, level, v4 ? IPT_SO_GET_INFO : IP6T_SO_GET_INFO, &info, &len)) {
		len = sizeof(*entries) + info.size;
		entries = calloc(1, len);
		if (entries) {
			strcpy(entries->name, "raw");
			entries->size = info.size;
			if (!getsockopt(fd, level, v4 ? IPT_SO_GET_ENTRIES : IP6T_SO_GET_ENTRIES,
					entries, &len))
				walk(count, (const char *)entries->entrytable, entries->size);
			free(entries);
		}
	}
	close(fd);
}

void notrack__find(const struct served_addr *addrs, int n_addrs,
		   void (*found)(void *ctx, const char *tool, const struct served_addr *addr,
				 int n),
		   void *ctx)
{
	static const struct {
		int family;
		void (*count)(struct count *count);
		const char *tool;
	} kinds[] = {
		{ AF_INET, count_nft, "iptables-nft" },
		{ AF_INET, count_legacy, "iptables-legacy" },
		{ AF_INET6, count_nft, "ip6tables-nft" },
		{ AF_INET6, count_legacy, "ip6tables-legacy" },
	};
	int *n = calloc(n_addrs + 1, sizeof(*n));

	for (size_t i = 0; n && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct count count = { addrs, n_addrs, kinds[i].family, n };

		memset(n, 0, n_addrs * sizeof(*n));
		kinds[i].count(&count);
		for (int k = 0; k < n_addrs; k++) {
			if (n[k])
				found(ctx, kinds[i].tool, &addrs[k], n[k]);
		}
	}
	free(n);
}
