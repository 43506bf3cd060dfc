// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * CNAMEs that lead on. Contract: cname.h.
 */
#include "plugin/cname.h"

#include <errno.h>

#include "dns/compose.h"

/* 1: there is a record of @type at @owner; *value: the name in it, if there is one. 0; -errno. */
static int find(const struct answer *answer, const struct dns_name *owner, uint16_t type,
		struct dns_name *value)
{
	struct records records;
	int ret = records__open(&records, answer);
	bool equal = false;

	if (!ret) {
		while ((ret = records__next(&records)) > 0 &&
		       records.rr.section == DNS_ANSWER_SECTION) {
			if (!records.same_owner)
				equal = dns_name__equal(&records.rr.owner, owner);
			if (equal && records.rr.type == type)
				break;
		}
	}
	if (ret > 0)
		ret = records.rr.section == DNS_ANSWER_SECTION;
	if (ret > 0)
		records__name(&records, value);
	records__close(&records);
	return ret;
}

/* The name, in lower case, that is to be asked for besides; false: the answer is whole. */
static bool target_of(const struct answer *answer, struct dns_name *target)
{
	struct dns_name name = answer->qname, unused;
	unsigned int n = 0;
	int ret;

	if (!answer->count[DNS_ANSWER_SECTION] || (answer->flags & DNS_RCODE) != DNS_NOERROR ||
	    (answer->qtype != DNS_TYPE_A && answer->qtype != DNS_TYPE_AAAA))
		return false;
	do {
		struct dns_name owner = name;

		ret = find(answer, &owner, DNS_TYPE_CNAME, &name);
	} while (ret > 0 && n++ < CNAME_MAX);
	if (ret || !n || find(answer, &name, answer->qtype, &unused))
		return false;
	dns_name__lower(&name);
	*target = name;
	return true;
}

/* Of the first @sections sections. */
static int add_all(struct compose *to, struct records *from, unsigned int sections)
{
	int ret;

	while ((ret = records__next(from)) > 0 && from->rr.section < sections) {
		ret = compose__add(to, from, NULL);
		if (ret)
			return ret;
	}
	return ret < 0 ? ret : 0;
}

int cname__join(const struct answer *first, const struct answer *then, enum verdict *verdict,
		struct answer **out)
{
	uint16_t flags = DNS_AA | DNS_RA | (then->flags & (DNS_RCODE | DNS_TC));
	struct compose *to = NULL;
	struct records a, b = { .msg = NULL };
	int ret = records__open(&a, first);

	if (!ret)
		ret = records__open(&b, then);
	if (!ret)
		ret = compose__open(&first->qname, first->qtype, first->key_flags,
				    first->n_ttl + then->n_ttl, &to);
	if (!ret)
		ret = add_all(to, &a, DNS_AUTHORITY);
	if (!ret)
		ret = add_all(to, &b, DNS_ADDITIONAL);
	if (!ret)
		ret = compose__answer(to, flags, verdict, out);
	records__close(&a);
	records__close(&b);
	compose__close(to);
	return ret;
}

static int cname_open(const struct plugin_open *open, void **state)
{
	if (open->block->templates_len)
		*state = (void *)open->block;
	return 0;
}

/* A template's CNAME is followed, as CoreDNS does: a stub resolver would not. */
static bool cname_response(void *state, struct passage *passage)
{
	struct plugin_kept *kept = &passage->kept[PLUGIN_CNAME];
	const struct answer *then = passage->answer;

	(void)state;
	if (kept->held) {
		passage->answer = NULL;
		if (then)
			cname__join(kept->held, then, &passage->verdict, &passage->answer);
		if (passage->by == PLUGIN_FORWARD || passage->exact)
			passage->by = PLUGIN_TEMPLATE;
		passage->exact = false;
	}
	if (!passage->answer || passage->by == PLUGIN_FORWARD || passage->exact ||
	    kept->n_asked == CNAME_MAX || !target_of(passage->answer, &passage->ask.qname))
		return false;
	passage->ask.qtype = passage->answer->qtype;
	passage->ask.elsewhere = true;
	return true;
}

const struct plugin cname_plugin = {
	.id = PLUGIN_CNAME,
	.open = cname_open,
	.response = cname_response,
};
