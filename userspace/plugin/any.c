// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Answers to ANY. Contract: any.h.
 */
#include "plugin/any.h"

#include <stdio.h>

#include "plugin/synth.h"

#define NAME_TEXT 1024
#define RECORD	  " 8482 IN HINFO \"ANY obsoleted\" \"See RFC 8482\"" /* CoreDNS' */

static int any_open(const struct plugin_open *open, void **state)
{
	if (open->block->any)
		*state = (void *)open->block;
	return 0;
}

static enum plugin_result any_admit(void *state, const struct plugin_query *query,
				    struct plugin_reply *reply)
{
	char name[NAME_TEXT], text[NAME_TEXT + sizeof(RECORD)];
	struct synth synth;
	int ret;

	(void)state;
	if (query->qtype != DNS_TYPE_ANY || dns_name__to_text(query->qname, name, sizeof(name)) < 0)
		return PLUGIN_NEXT;
	snprintf(text, sizeof(text), "%s" RECORD, name);
	ret = synth__open(&synth, query->qname, query->qtype, DNS_NOERROR);
	if (!ret)
		ret = synth__add(&synth, DNS_ANSWER_SECTION, text);
	/* without one it is answered SERVFAIL */
	if (!ret)
		synth__answer(&synth, query->qname, query->qtype, query->key_flags, NULL,
			      &reply->answer);
	synth__close(&synth);
	return PLUGIN_ANSWER;
}

/* The answer costs less to make than to keep: each name that a client thinks of has one. */
static bool any_agent_only(const void *state, const struct dns_name *qname, uint16_t qtype)
{
	(void)state;
	(void)qname;
	return qtype == DNS_TYPE_ANY;
}

const struct plugin any_plugin = {
	.id = PLUGIN_ANY,
	.open = any_open,
	.admit = any_admit,
	.agent_only = any_agent_only,
};
