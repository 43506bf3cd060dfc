// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * CNAMEs that lead on. Contract: cname.h.
 */
#include "plugin/cname.h"

#include <errno.h>

#include "plugin/synth.h"

static const ldns_rr *find(const ldns_rr_list *list, const struct dns_name *owner, uint16_t type)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);
		struct dns_name name;

		if (ldns_rr_get_type(rr) == (ldns_rr_type)type &&
		    !synth__to_name(ldns_rr_owner(rr), &name) && dns_name__equal(&name, owner))
			return rr;
	}
	return NULL;
}

bool cname__target(const struct answer *answer, struct dns_name *target)
{
	struct dns_name name = answer->qname;
	const ldns_rr *cname = NULL;
	unsigned int n = 0;
	struct synth synth;
	bool leads_on = false;

	if (!answer->count[DNS_ANSWER_SECTION] || (answer->flags & DNS_RCODE) != DNS_NOERROR ||
	    (answer->qtype != DNS_TYPE_A && answer->qtype != DNS_TYPE_AAAA))
		return false;
	if (synth__from_answer(&synth, answer))
		return false;
	while ((cname = find(ldns_pkt_answer(synth.pkt), &name, DNS_TYPE_CNAME)) &&
	       n++ < CNAME_MAX && !synth__to_name(ldns_rr_rdf(cname, 0), &name))
		;
	if (!cname && n && !find(ldns_pkt_answer(synth.pkt), &name, answer->qtype)) {
		dns_name__lower(&name);
		*target = name;
		leads_on = true;
	}
	synth__close(&synth);
	return leads_on;
}

static int add_all(struct synth *to, enum dns_section section, const ldns_rr_list *list)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < ldns_rr_list_rr_count(list); i++) {
		ldns_rr *rr = ldns_rr_clone(ldns_rr_list_rr(list, i));

		ret = rr ? synth__add_rr(to, section, rr) : -ENOMEM;
	}
	return ret;
}

int cname__join(const struct answer *first, const struct answer *then, enum admission *admission,
		struct answer **out)
{
	struct synth a = { .pkt = NULL }, b = { .pkt = NULL }, to = { .pkt = NULL };
	int ret = synth__from_answer(&a, first);

	if (!ret)
		ret = synth__from_answer(&b, then);
	if (!ret)
		ret = synth__open(&to, &first->qname, first->qtype, then->flags & DNS_RCODE);
	if (!ret)
		ret = add_all(&to, DNS_ANSWER_SECTION, ldns_pkt_answer(a.pkt));
	if (!ret)
		ret = add_all(&to, DNS_ANSWER_SECTION, ldns_pkt_answer(b.pkt));
	if (!ret)
		ret = add_all(&to, DNS_AUTHORITY, ldns_pkt_authority(b.pkt));
	if (!ret)
		ret = synth__answer(&to, &first->qname, first->qtype, first->key_flags, admission,
				    out);
	synth__close(&a);
	synth__close(&b);
	synth__close(&to);
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
			cname__join(kept->held, then, &passage->admission, &passage->answer);
		if (passage->by == PLUGIN_FORWARD || passage->exact)
			passage->by = PLUGIN_TEMPLATE;
		passage->exact = false;
	}
	if (!passage->answer || passage->by == PLUGIN_FORWARD || passage->exact ||
	    kept->n_asked == CNAME_MAX || !cname__target(passage->answer, &passage->ask.qname))
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
