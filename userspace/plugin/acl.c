// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Who may ask. Contract: acl.h.
 */
#include "plugin/acl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sockaddr.h"
#include "plugin/rewrite.h"

/* RFC 8914, 4.16 and 4.18 */
static const struct ede blocked = { 15, NULL }, filtered = { 17, NULL };

struct acl {
	const struct corefile_block *block;
	struct corefile_zones block_zones;
	struct rewrite *rewrite; /* the block's rules; NULL: it has none that change a question */
};

static bool restricts_any(const struct corefile_block *block)
{
	for (size_t i = 0; i < block->acls_len; i++) {
		for (size_t k = 0; k < block->acls[i].policies_len; k++) {
			if (block->acls[i].policies[k].action != COREFILE_ACL_ALLOW)
				return true;
		}
	}
	return false;
}

static void acl_close(void *state)
{
	struct acl *acl = state;

	rewrite__close(acl->rewrite);
	free(acl);
}

/* Where every client may ask everything, there is no acl. */
static int acl_open(const struct plugin_open *open, void **state)
{
	const struct corefile_block *block = open->block;
	struct acl *acl;
	int ret = 0;

	if (!restricts_any(block))
		return 0;
	acl = calloc(1, sizeof(*acl));
	if (!acl)
		return -ENOMEM;
	acl->block = block;
	acl->block_zones = open->zones;
	if (block->rewrites_len)
		ret = rewrite__open(block->rewrites, block->rewrites_len, &acl->rewrite, open->err);
	if (!ret && acl->rewrite && !rewrite__changes(acl->rewrite)) {
		rewrite__close(acl->rewrite);
		acl->rewrite = NULL;
	}
	if (ret)
		acl_close(acl);
	else
		*state = acl;
	return ret;
}

static const struct corefile_zones *zones_of(const struct acl *acl, const struct corefile_acl *rule)
{
	return rule->zones.len ? &rule->zones : &acl->block_zones;
}

static bool has_type(const struct corefile_acl_policy *policy, uint16_t qtype)
{
	size_t i = 0;

	while (i < policy->types_len && policy->types[i] != qtype)
		i++;
	return policy->all_types || i < policy->types_len;
}

static bool has_source(const struct corefile_acl_policy *policy, int family, const uint8_t *addr)
{
	size_t i = 0;

	while (i < policy->nets_len && !plugin__in_subnet(&policy->nets[i], family, addr))
		i++;
	return policy->all_nets || i < policy->nets_len;
}

/* Where next_policy() is: which acl, and which policy of it comes next. */
struct acl_cursor {
	size_t acl, policy;
};

/* The next policy for names and types like these, in the order of the Corefile; NULL: none. */
static const struct corefile_acl_policy *next_policy(const struct acl *acl,
						     const struct dns_name *qname, uint16_t qtype,
						     struct acl_cursor *at)
{
	for (; at->acl < acl->block->acls_len; at->acl++, at->policy = 0) {
		const struct corefile_acl *rule = &acl->block->acls[at->acl];

		if (!plugin__in_zones(zones_of(acl, rule), qname, true))
			continue;
		while (at->policy < rule->policies_len) {
			const struct corefile_acl_policy *policy = &rule->policies[at->policy++];

			if (has_type(policy, qtype))
				return policy;
		}
	}
	return NULL;
}

/* The first policy that fits decides; none: the client may ask. */
static enum corefile_acl_action action_for(const struct acl *acl, const struct dns_name *qname,
					   uint16_t qtype, const struct sockaddr *peer)
{
	struct served_addr addr = served_addr__of(peer);
	const struct corefile_acl_policy *policy;
	struct acl_cursor at = { 0, 0 };

	while ((policy = next_policy(acl, qname, qtype, &at))) {
		if (has_source(policy, addr.family, (const uint8_t *)&addr.v4))
			return policy->action;
	}
	return COREFILE_ACL_ALLOW;
}

static enum corefile_acl_action action_for_query(const struct acl *acl,
						 const struct plugin_query *query)
{
	const struct sockaddr *peer = query->client->peer;
	struct rewrite_result *result = NULL;
	const struct dns_name *qname = query->qname;
	uint16_t qtype = query->qtype;
	enum corefile_acl_action action;

	if (acl->rewrite)
		result = rewrite__apply(acl->rewrite, query);
	if (result) {
		qname = &result->qname;
		qtype = result->qtype;
	}
	action = action_for(acl, qname, qtype, peer);
	/* dns64 makes these answers out of A records */
	if (action == COREFILE_ACL_ALLOW && qtype == DNS_TYPE_AAAA && acl->block->dns64.enabled)
		action = action_for(acl, qname, DNS_TYPE_A, peer);
	rewrite_result__free(result);
	return action;
}

static enum plugin_result acl_admit(void *state, const struct plugin_query *query,
				    struct plugin_reply *reply)
{
	enum corefile_acl_action action = action_for_query(state, query);
	bool block = action == COREFILE_ACL_BLOCK;

	if (action == COREFILE_ACL_ALLOW)
		return PLUGIN_NEXT;
	if (action == COREFILE_ACL_DROP) {
		reply->drop = true;
		return PLUGIN_ANSWER;
	}
	reply->ede = block ? &blocked : &filtered;
	reply->answer = answer__empty(query->qname, query->qtype, query->key_flags,
				      block ? DNS_REFUSED : DNS_NOERROR);
	return PLUGIN_ANSWER;
}

/* Is there a client that may not ask this? */
static bool restricts(const struct acl *acl, const struct dns_name *qname, uint16_t qtype)
{
	const struct corefile_acl_policy *policy;
	struct acl_cursor at = { 0, 0 };

	while ((policy = next_policy(acl, qname, qtype, &at))) {
		if (policy->action != COREFILE_ACL_ALLOW)
			return true;
		if (policy->all_nets)
			return false;
	}
	return false;
}

static bool acl_agent_only(const void *state, const struct dns_name *qname, uint16_t qtype)
{
	const struct acl *acl = state;

	/* it is asked under another name, perhaps */
	return acl->rewrite || restricts(acl, qname, qtype) ||
	       (qtype == DNS_TYPE_AAAA && acl->block->dns64.enabled &&
		restricts(acl, qname, DNS_TYPE_A));
}

/* Is there a name at or below @name that not every client may ask? */
static bool acl_answers_below(const void *state, const struct dns_name *name)
{
	const struct acl *acl = state;

	for (size_t i = 0; i < acl->block->acls_len; i++) {
		const struct corefile_zones *zones = zones_of(acl, &acl->block->acls[i]);

		if (plugin__in_zones(zones, name, true))
			return true;
		for (size_t k = 0; k < zones->len; k++) {
			if (dns_name__within(&zones->list[k].name, name))
				return true;
		}
	}
	return false;
}

const struct plugin acl_plugin = {
	.id = PLUGIN_ACL,
	.open = acl_open,
	.close = acl_close,
	.admit = acl_admit,
	.agent_only = acl_agent_only,
	.answers_below = acl_answers_below,
};
