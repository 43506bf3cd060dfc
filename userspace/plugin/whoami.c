// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * whoami. Contract: whoami.h.
 */
#include "plugin/whoami.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "plugin/synth.h"

static int whoami_each(const struct dns_query *query, const struct plugin_client *client,
		       struct answer **out)
{
	bool v6 = client->peer->sa_family == AF_INET6;
	char name[1024], ip[INET6_ADDRSTRLEN], text[2200];
	struct dns_name lower = query->qname;
	struct synth synth;
	int ret;

	dns_name__lower(&lower);
	sockaddr__ip_text(client->peer, ip, sizeof(ip));
	if (dns_name__to_text(&lower, name, sizeof(name)) < 0)
		return -1;
	ret = synth__open(&synth, &lower, query->qtype, DNS_NOERROR);
	snprintf(text, sizeof(text), "%s 0 IN %s %s", name, v6 ? "AAAA" : "A", ip);
	if (!ret)
		ret = synth__add(&synth, DNS_ADDITIONAL, text);
	snprintf(text, sizeof(text), "_%s.%s 0 IN SRV 0 0 %u .", client->tcp ? "tcp" : "udp",
		 name[0] == '.' ? "" : name, sockaddr__port(client->peer));
	/* a name that is too long for the label has no port */
	if (!ret)
		synth__add(&synth, DNS_ADDITIONAL, text);
	if (!ret)
		ret = synth__answer(&synth, &lower, query->qtype, query->key_flags, NULL, out);
	synth__close(&synth);
	return ret;
}

static int whoami_open(const struct plugin_open *open, void **state)
{
	if (open->block->whoami)
		*state = (void *)open->block;
	return 0;
}

static enum plugin_result whoami_query(void *state, struct passage *passage)
{
	(void)state;
	return passage->own_only
		       ? plugin__fail(passage, DNS_SERVFAIL, "each client is told another")
		       : PLUGIN_EACH;
}

const struct plugin whoami_plugin = {
	.id = PLUGIN_WHOAMI,
	.open = whoami_open,
	.query = whoami_query,
	.each = whoami_each,
};
