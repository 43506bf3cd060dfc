// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The configuration read again, while queries are answered. Contract: agent_priv.h.
 *
 * What cannot be taken leaves what there is at work, and is one line in the log.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent_priv.h"
#include "base/clock.h"
#include "config/nodecache.h"

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

static bool is_listed(const struct plan_listen *listen, const struct plan *plan)
{
	for (int i = 0; i < plan->n_listen; i++) {
		if (sockaddr__same(&plan->listen[i].addr, &listen->addr))
			return true;
	}
	return false;
}

static bool is_served(const struct served_addr *addr, const struct plan *plan)
{
	for (int i = 0; i < plan->n_served; i++) {
		if (served_addr__same(&plan->served[i], addr))
			return true;
	}
	return false;
}

/*
 * Sockets and steered addresses are made once; in which order they are named means nothing, and
 * none is named twice.
 */
static bool same_addresses(const struct plan *a, const struct plan *b)
{
	if (a->wildcard != b->wildcard || a->n_listen != b->n_listen ||
	    (!a->wildcard && a->n_served != b->n_served))
		return false;
	for (int i = 0; i < a->n_listen; i++) {
		if (!is_listed(&a->listen[i], b))
			return false;
	}
	for (int i = 0; !a->wildcard && i < a->n_served; i++) {
		if (!is_served(&a->served[i], b))
			return false;
	}
	return true;
}

/* False: the configuration stays as it was, which has been logged. */
static bool take(struct agent *agent, struct conf *conf, const char *reason)
{
	const struct plan *now = &agent->gen->plan;
	struct generation *gen;
	uint64_t now_ns;
	int ret;

	if (!same_addresses(now, conf->plan)) {
		log_error("%s: other addresses to serve or to listen on need a restart; the "
			  "configuration stays as it was",
			  reason);
		return false;
	}
	if (now->wildcard) {
		memcpy(conf->plan->served, now->served, sizeof(now->served));
		conf->plan->n_served = now->n_served;
	}
	for (size_t i = 0; i < conf->cf->warnings_len; i++)
		log_warn("%s", conf->cf->warnings[i]);
	ret = generation__open(agent, conf->cf, conf->plan, &gen);
	conf->cf = NULL;
	if (ret) {
		log_error("%s: the configuration stays as it was", reason);
		return false;
	}
	now_ns = loop__now(&agent->loop);
	generation__take_over(agent, gen, now_ns);
	agent_observe__configure(agent, agent->gen->cf);
	upstreams__probe(gen->upstreams);
	resolver__watch_loops(gen->resolver, now_ns);
	agent->map.stats->v[AGENT_STAT_RELOADS]++;
	log_info("%s: the new configuration is at work", reason);
	return true;
}

static bool reload(struct agent *agent, const char *reason)
{
	struct options_error err = { .text = "" };
	struct conf conf;
	bool taken;
	int ret = conf__load(agent->opts, &conf, &err);

	/* Taken or refused: what it was read from is not read again before it changes. */
	if (conf.watch) {
		conf_watch__free(agent->watch);
		agent->watch = conf.watch;
		conf.watch = NULL;
	}
	if (ret) {
		log_error("%s: %s; the configuration stays as it was", reason, err.text);
		return false;
	}
	for (size_t i = 0; i < conf.notes.len; i++)
		log_error("%s: %s; the configuration stays as it was", reason, conf.notes.text[i]);
	if (conf.notes.len) {
		metrics__setup_error(agent->metrics, METRICS_SETUP_CONFIGMAP);
		conf__free(&conf);
		return false;
	}
	taken = take(agent, &conf, reason);
	if (taken)
		agent->reload_ns = 0; /* the interval may be another one */
	conf__free(&conf);
	return taken;
}

void agent__reload(struct agent *agent, const char *reason)
{
	if (agent->stopping || agent->leave_ns)
		return;
	if (!reload(agent, reason))
		agent->map.stats->v[AGENT_STAT_RELOADS_FAILED]++;
}

/*
 * The interval with as much of the jitter as chance wants: not all nodes at once. (ConfigMaps come
 * to the nodes at different times as it is.) 0: never.
 */
static uint64_t next_look(const struct agent *agent, uint64_t now)
{
	const struct corefile_reload *reload = reload_of(agent->gen->cf);
	uint64_t wait = 0, random = 0;

	if (reload) {
		wait = reload->interval_ns - reload->jitter_ns;
		if (reload->jitter_ns && getrandom(&random, sizeof(random), 0) == sizeof(random))
			wait += random % (2 * reload->jitter_ns);
	}
	if (conf__from_base(agent->opts) && (!wait || wait > BASE_INTERVAL_NS))
		wait = BASE_INTERVAL_NS;
	return wait ? now + wait : 0;
}

/* A file is gone: for the moment, as while a ConfigMap is swapped, or for longer. */
static void say_missing(struct agent *agent)
{
	if (agent->missing++ == 1)
		log_warn("reload: the configuration's file is gone; the configuration stays as "
			 "it was");
}

void agent__watch(struct agent *agent, uint64_t now)
{
	enum conf_change change;

	if (agent->leave_ns)
		return;
	if (!agent->reload_ns || now < agent->reload_ns) {
		if (!agent->reload_ns)
			agent->reload_ns = next_look(agent, now);
		return;
	}
	change = conf_watch__look(agent->watch, agent->opts);
	if (change == CONF_MISSING)
		say_missing(agent);
	else
		agent->missing = 0;
	if (change == CONF_CHANGED)
		agent__reload(agent, "reload");
	agent->reload_ns = next_look(agent, now);
}
