// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The link of -setupinterface: there while the agent is, looked after each second.
 *
 * Contract: agent_priv.h. What is put right is a line in the log each time; what cannot be is one,
 * and one more when it could be after all.
 */
#include <net/if.h>

#include "agent_priv.h"

int agent_link__open(struct agent *agent)
{
	const struct run_options *opts = agent->opts;
	struct error err = { .text = "" };
	char note[512];
	int ret;

	if (opts->setupinterface != YES || !opts->n_localip)
		return 0;
	ret = dummy__open(opts->interfacename, opts->localip, opts->n_localip, &agent->dummy, note,
			  sizeof(note), &err);
	if (ret) {
		log_error("-setupinterface: %s", err.text);
		return ret;
	}
	log_info("%s: the local addresses are there for the node's own processes%s%s",
		 opts->interfacename, note[0] ? ": " : "", note);
	return 0;
}

int agent_link__keep(struct agent *agent)
{
	struct error err = { .text = "" };
	int ret = agent->dummy ? dummy__keep(agent->dummy, &err) : 0;

	if (ret)
		log_error("-setupinterface: %s", err.text);
	return ret;
}

void agent_link__review(struct agent *agent)
{
	const char *name = agent->opts->interfacename;
	struct error err = { .text = "" };
	char done[512];
	int ret;

	if (!agent->dummy)
		return;
	ret = dummy__review(agent->dummy, done, sizeof(done), &err);
	if (ret < 0) {
		metrics__setup_error(agent->metrics, METRICS_SETUP_INTERFACE_CHECK);
		if (!if_nametoindex(name))
			metrics__setup_error(agent->metrics, METRICS_SETUP_INTERFACE_ADD);
		if (!agent->link_broken)
			log_error("%s", err.text);
	} else if (ret > 0) {
		log_warn("%s was changed by another program: %s", name, done);
	} else if (agent->link_broken) {
		log_info("%s is restored", name);
	}
	agent->link_broken = ret < 0;
}

void agent_link__close(struct agent *agent, bool remove)
{
	dummy__close(agent->dummy, remove);
	agent->dummy = NULL;
}
