// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The acl directive. Contract: rows of directives.c call these with the number of arguments already
 * checked.
 */
#include "corefile_priv.h"

#include <string.h>

static const char *const actions[] = {
	[COREFILE_ACL_ALLOW] = "allow",
	[COREFILE_ACL_BLOCK] = "block",
	[COREFILE_ACL_FILTER] = "filter",
	[COREFILE_ACL_DROP] = "drop",
};

const char *corefile_acl_action(enum corefile_acl_action action)
{
	return actions[action];
}

int corefile_set_acl(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_block *b = p->block;
	struct corefile_acl acl = { .policies = NULL };
	int err = corefile_value_zones(p, stmt->args, stmt->args_len, &acl.zones);

	if (err)
		return err;
	return corefile_append(p, &b->acls, &b->acls_len, &acl, sizeof(acl));
}

static int add_type(struct corefile_parse *p, const struct corefile_token *arg,
		    struct corefile_acl_policy *policy)
{
	uint16_t type;
	int err = corefile_value_type(p, arg, &type);

	if (err)
		return err;
	return corefile_append(p, &policy->types, &policy->types_len, &type, sizeof(type));
}

static int add_net(struct corefile_parse *p, const struct corefile_token *arg,
		   struct corefile_acl_policy *policy)
{
	struct corefile_subnet net;

	if (!corefile_subnet(arg->text, true, &net))
		return corefile_fail(p, arg, "'%s' is not a source; write IP, IP/BITS or *",
				     corefile_show(p, arg->text));
	return corefile_append(p, &policy->nets, &policy->nets_len, &net, sizeof(net));
}

static bool is_keyword(const struct corefile_token *arg)
{
	return !strcasecmp(arg->text, "type") || !strcasecmp(arg->text, "net");
}

/*
 * "type QTYPE..." or "net SOURCE..." from args[*at] on. As CoreDNS: "*" is all of them, whatever
 * else is written there; the last "type *" or none at all, too.
 */
static int read_part(struct corefile_parse *p, const struct corefile_statement *stmt, size_t *at,
		     struct corefile_acl_policy *policy)
{
	const struct corefile_token *keyword = &stmt->args[(*at)++];
	bool type = !strcasecmp(keyword->text, "type"), all = false, any = false;
	int err = 0;

	if (!is_keyword(keyword))
		return corefile_fail(p, keyword,
				     "'%s' is not known; write type QTYPE... or net SOURCE...",
				     corefile_show(p, keyword->text));
	for (; !err && *at < stmt->args_len && !is_keyword(&stmt->args[*at]); (*at)++) {
		const struct corefile_token *arg = &stmt->args[*at];

		any = true;
		all |= !strcmp(arg->text, "*");
		if (!all)
			err = type ? add_type(p, arg, policy) : add_net(p, arg, policy);
	}
	if (!err && !any)
		err = corefile_fail(p, keyword,
				    "'%s' says none; write type QTYPE... or net SOURCE...",
				    keyword->text);
	if (all && type)
		policy->all_types = true;
	else if (all)
		policy->all_nets = true;
	return err;
}

int corefile_set_acl_policy(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	struct corefile_acl *acl = &p->block->acls[p->block->acls_len - 1];
	struct corefile_acl_policy policy = { .types = NULL };
	size_t at = 0;
	int err = 0;

	while (policy.action <= COREFILE_ACL_DROP &&
	       strcasecmp(stmt->name->text, actions[policy.action]))
		policy.action++;
	if (policy.action > COREFILE_ACL_DROP)
		return 1;
	while (!err && at < stmt->args_len)
		err = read_part(p, stmt, &at, &policy);
	if (err)
		return err;
	policy.all_types |= !policy.types_len;
	policy.all_nets |= !policy.nets_len;
	return corefile_append(p, &acl->policies, &acl->policies_len, &policy, sizeof(policy));
}
