// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The configuration read again. Contract: reload.h.
 */
#include "agent/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

/* As node-cache looks at its ConfigMaps, whatever `reload` says of the Corefile made of them. */
#define BASE_INTERVAL_NS (10 * NSEC_PER_SEC)

struct reload {
	struct reload_config config;
	struct conf_watch *watch; /* what the configuration was made of, or was refused last */
	uint64_t next_ns;	  /* when it is looked at again; 0: to be chosen */
	unsigned int missing;	  /* looks in a row at which its file was gone */
	int64_t missing_s;	  /* since the second of them */
	int64_t read_s;
	int64_t refused_s; /* 0: what was read last is at work */
	char refused[256];
};

/* For a moment it is, while a ConfigMap is swapped. */
static bool is_missing(const struct reload *reload)
{
	return reload->missing > 1;
}

/* What there is stays at work. */
static void set_refused(struct reload *reload, const char *why)
{
	if (!reload->refused_s)
		reload->refused_s = time(NULL);
	snprintf(reload->refused, sizeof(reload->refused), "%s", why);
}

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
static bool take(struct reload *reload, struct conf *conf, const char *reason)
{
	const struct plan *now = reload->config.plan(reload->config.ctx);
	int ret;

	if (!same_addresses(now, conf->plan)) {
		log_error("%s: other addresses to serve or to listen on need a restart; the "
			  "configuration stays as it was",
			  reason);
		set_refused(reload, "other addresses to serve or to listen on need a restart");
		return false;
	}
	if (now->wildcard) {
		memcpy(conf->plan->served, now->served, sizeof(now->served));
		conf->plan->n_served = now->n_served;
	}
	for (size_t i = 0; i < conf->cf->warnings_len; i++)
		log_warn("%s", conf->cf->warnings[i]);
	ret = reload->config.take(reload->config.ctx, conf->cf, conf->plan);
	conf->cf = NULL;
	if (ret) {
		log_error("%s: the configuration stays as it was", reason);
		set_refused(reload, "it could not be put to work: the log says why");
		return false;
	}
	reload->config.stats->v[AGENT_STAT_RELOADS]++;
	reload->read_s = time(NULL);
	reload->refused_s = 0;
	reload->missing = 0;
	log_info("%s: the new configuration is at work", reason);
	return true;
}

static bool read_again(struct reload *reload, const char *reason)
{
	struct error err = { .text = "" };
	struct conf conf;
	bool taken;
	int ret = conf__load(reload->config.opts, &conf, &err);

	/* Taken or refused: what it was read from is not read again before it changes. */
	if (conf.watch) {
		conf_watch__free(reload->watch);
		reload->watch = conf.watch;
		conf.watch = NULL;
	}
	if (ret) {
		log_error("%s: %s; the configuration stays as it was", reason, err.text);
		set_refused(reload, err.text);
		return false;
	}
	for (size_t i = 0; i < conf.notes.len; i++)
		log_error("%s: %s; the configuration stays as it was", reason, conf.notes.text[i]);
	if (conf.notes.len) {
		set_refused(reload, conf.notes.text[0]);
		reload->config.refused(reload->config.ctx);
		conf__free(&conf);
		return false;
	}
	taken = take(reload, &conf, reason);
	if (taken)
		reload->next_ns = 0; /* the interval may be another one */
	conf__free(&conf);
	return taken;
}

void reload_now(struct reload *reload, const char *reason)
{
	if (!read_again(reload, reason))
		reload->config.stats->v[AGENT_STAT_RELOADS_FAILED]++;
}

/*
 * The interval with as much of the jitter as chance wants: not all nodes at once. (ConfigMaps come
 * to the nodes at different times as it is.) 0: never.
 */
static uint64_t next_look(const struct reload *reload, uint64_t now)
{
	const struct corefile_reload *wanted =
		reload_of(reload->config.corefile(reload->config.ctx));
	uint64_t wait = 0, random = 0;

	if (wanted) {
		wait = wanted->interval_ns - wanted->jitter_ns;
		if (wanted->jitter_ns && getrandom(&random, sizeof(random), 0) == sizeof(random))
			wait += random % (2 * wanted->jitter_ns);
	}
	if (conf__from_base(reload->config.opts) && (!wait || wait > BASE_INTERVAL_NS))
		wait = BASE_INTERVAL_NS;
	return wait ? now + wait : 0;
}

static void note_missing(struct reload *reload)
{
	reload->missing++;
	if (reload->missing != 2)
		return;
	log_warn("reload: the configuration's file is gone; the configuration stays as it was");
	reload->missing_s = time(NULL);
}

void reload_watch(struct reload *reload, uint64_t now)
{
	enum conf_change change;

	if (!reload->next_ns || now < reload->next_ns) {
		if (!reload->next_ns)
			reload->next_ns = next_look(reload, now);
		return;
	}
	change = conf_watch__look(reload->watch, reload->config.opts);
	if (change == CONF_MISSING)
		note_missing(reload);
	else
		reload->missing = 0;
	if (change == CONF_CHANGED)
		reload_now(reload, "reload");
	reload->next_ns = next_look(reload, now);
}

int reload_open(const struct reload_config *config, struct conf_watch *watch, struct reload **out)
{
	struct reload *reload = calloc(1, sizeof(*reload));

	if (!reload) {
		conf_watch__free(watch);
		return -ENOMEM;
	}
	reload->config = *config;
	reload->watch = watch;
	reload->read_s = time(NULL);
	*out = reload;
	return 0;
}

void reload_close(struct reload *reload)
{
	if (!reload)
		return;
	conf_watch__free(reload->watch);
	free(reload);
}

int64_t reload_read_s(const struct reload *reload)
{
	return reload->read_s;
}

const char *reload_refused(const struct reload *reload, int64_t *since_s)
{
	if (is_missing(reload)) {
		*since_s = reload->missing_s;
		return "its file is gone";
	}
	*since_s = reload->refused_s;
	return reload->refused_s ? reload->refused : NULL;
}
