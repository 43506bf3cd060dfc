// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The configuration read again, while queries are answered. Contract: agent_priv.h.
 *
 * What cannot be taken leaves what there is at work, and is one line in the log.
 */
#include <stdlib.h>
#include <string.h>

#include "agent_priv.h"
#include "clock.h"
#include "conf.h"

/* As node-cache looks at its ConfigMaps, whatever `reload` says of the Corefile made of them. */
#define BASE_INTERVAL_NS (10 * NSEC_PER_SEC)

static const struct corefile_reload *reload_of(const struct corefile *cf)
{
	for (size_t i = 0; i < cf->blocks_len; i++) {
		if (cf->blocks[i].reload.enabled && cf->blocks[i].reload.interval_ns)
			return &cf->blocks[i].reload;
	}
	return NULL;
}

/* Sockets and steered addresses are made once. */
static bool same_addresses(const struct plan *a, const struct plan *b)
{
	return a->wildcard == b->wildcard && a->n_listen == b->n_listen &&
	       !memcmp(a->listen, b->listen, sizeof(a->listen)) &&
	       (a->wildcard ||
		(a->n_served == b->n_served && !memcmp(a->served, b->served, sizeof(a->served))));
}

static void take(struct agent *agent, struct conf *conf, const char *reason)
{
	const struct plan *now = &agent->gen->plan;
	struct generation *gen;

	if (!same_addresses(now, conf->plan)) {
		log_error("%s: other addresses to serve or to listen on need a restart; the "
			  "configuration stays as it was",
			  reason);
		return;
	}
	if (now->wildcard) {
		memcpy(conf->plan->served, now->served, sizeof(now->served));
		conf->plan->n_served = now->n_served;
	}
	for (size_t i = 0; i < conf->cf->warnings_len; i++)
		log_warn("%s", conf->cf->warnings[i]);
	if (generation__open(agent, conf->cf, conf->plan, &gen)) {
		conf->cf = NULL;
		log_error("%s: the configuration stays as it was", reason);
		return;
	}
	conf->cf = NULL;
	generation__take_over(agent, gen, clock_now());
	upstreams__probe(gen->upstreams);
	agent->map.stats->v[AGENT_STAT_RELOADS]++;
	log_info("%s: the configuration was read again and is at work", reason);
}

void agent__reload(struct agent *agent, const char *reason)
{
	struct options_error err = { .text = "" };
	struct conf conf;

	if (agent->stopping)
		return;
	if (conf__load(agent->opts, &conf, &err)) {
		agent->map.stats->v[AGENT_STAT_RELOADS_FAILED]++;
		log_error("%s: %s; the configuration stays as it was", reason, err.text);
		return;
	}
	agent->fingerprint = conf.fingerprint;
	if (conf.note[0]) {
		agent__setup_error(agent, METRICS_SETUP_CONFIGMAP);
		log_error("%s: %s; the configuration stays as it was", reason, conf.note);
		agent->map.stats->v[AGENT_STAT_RELOADS_FAILED]++;
	} else {
		take(agent, &conf, reason);
	}
	conf__free(&conf);
}

/* The interval with as much of the jitter as chance wants: not all nodes at once. */
static uint64_t next_look(const struct agent *agent, const struct corefile_reload *reload,
			  uint64_t now)
{
	/* ConfigMaps come to the nodes at different times as it is. */
	if (conf__from_base(agent->opts) && reload->interval_ns > BASE_INTERVAL_NS)
		return now + BASE_INTERVAL_NS;
	uint64_t jitter = reload->jitter_ns ? random() % (2 * reload->jitter_ns) : 0;

	return now + reload->interval_ns - reload->jitter_ns + jitter;
}

void agent__watch(struct agent *agent, uint64_t now)
{
	const struct corefile_reload *reload = reload_of(agent->gen->cf);
	uint64_t fingerprint;

	if (!reload)
		return;
	if (!agent->reload_ns || now < agent->reload_ns) {
		if (!agent->reload_ns)
			agent->reload_ns = next_look(agent, reload, now);
		return;
	}
	agent->reload_ns = next_look(agent, reload, now);
	fingerprint = conf__fingerprint(agent->opts, agent->gen->cf);
	/* 0: a file is gone for the moment, as while a ConfigMap is swapped */
	if (!fingerprint || fingerprint == agent->fingerprint)
		return;
	agent__reload(agent, "reload");
	agent->fingerprint = fingerprint;
}
