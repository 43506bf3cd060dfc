// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What the log says of a start. Contract: agent_priv.h.
 */
#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "agent_priv.h"
#include "base/log.h"
#include "base/version.h"
#include "link/notrack.h"

#define HASH_DIGITS 16 /* of the configuration's hash, as `nodens status --json` has it */

/* As much of the addresses as @text takes. */
static const char *served_text(const struct plan *plan, char *text, size_t size)
{
	char addr[INET6_ADDRSTRLEN];
	size_t len = 0;

	if (plan->wildcard)
		return "all addresses";
	snprintf(text, size, "no address");
	for (int i = 0; i < plan->n_served && len + 2 + sizeof(addr) < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s", i ? ", " : "",
					served_addr__text(&plan->served[i], addr, sizeof(addr)));
	return text;
}

/* The caller lets go of it; NULL: out of memory. */
static json_t *served_list(const struct plan *plan)
{
	json_t *list = json_array();
	char addr[INET6_ADDRSTRLEN];

	for (int i = 0; i < plan->n_served; i++)
		json_array_append_new(
			list, json_string(served_addr__text(&plan->served[i], addr, sizeof(addr))));
	return list;
}

static const char *mode_text(const struct agent *agent, const struct plan *plan)
{
	if (agent->opts->mode == MODE_FRONT)
		return "front";
	return plan->mode == MODE_STEER ? "steer" : "listen";
}

void agent_log_start(const struct agent *agent, const struct conf *conf)
{
	const char *mode = mode_text(agent, conf->plan);
	unsigned long long bytes = agent->datapath ? datapath__bytes(agent->datapath) : 0;
	unsigned int capacity = agent->capacity[0] + agent->capacity[1];
	char hash[COREFILE_DIGEST] = "", served[768];
	struct utsname os = { .release = "?" };
	json_t *fields;

	uname(&os);
	corefile__digest(conf->cf, hash);
	hash[HASH_DIGITS] = '\0';
	fields = json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:I, s:I, s:s}", "version",
			   version__number, "revision", version__revision, "kernel", os.release,
			   "mode", mode, "kernel_path", agent->datapath != NULL, "served",
			   served_list(conf->plan), "capacity", (json_int_t)capacity, "map_bytes",
			   (json_int_t)bytes, "config_hash", hash);
	log__write_fields(LOG_LEVEL_INFO, fields,
			  "nodens %s (%s), Linux %s: mode %s%s, capacity %u answers, %.1f MB of "
			  "maps, configuration %s, serves %s",
			  version__number, version__revision, os.release, mode,
			  agent->datapath ? "" : " without the kernel path", capacity,
			  (double)bytes / 1e6, hash,
			  served_text(conf->plan, served, sizeof(served)));
	json_decref(fields);
}

void agent_log_features(const struct agent *agent)
{
	char *text = NULL, *line, *save;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	datapath_features__print(datapath__features(agent->datapath), out);
	fclose(out);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		log_debug("%s", line);
	free(text);
}

static void on_notrack(void *ctx, const char *tool, const struct served_addr *addr, int n)
{
	char text[INET6_ADDRSTRLEN] = "?";

	(void)ctx;
	served_addr__text(addr, text, sizeof(text));
	log_warn("%d NOTRACK rules for %s in table raw, left by a node-cache that was killed: they "
		 "break every query that nodens passes on to the cluster's DNS, and all queries "
		 "once nodens ends. Remove them: %s-save -t raw | sed -n '/%s[ "
		 "/].*\\(NOTRACK\\|--notrack\\)/"
		 "s/^-A/%s -t raw -D/p' | sh",
		 n, text, tool, text, tool);
}

static void log_notes(const struct agent *agent, const struct conf *conf)
{
	for (unsigned int i = 0; i < agent->opts->n_ignored; i++)
		log_info("%s", agent->opts->ignored[i]);
	/* In front of another cache the rules for its address are its own. */
	if (agent->opts->mode != MODE_FRONT)
		notrack__find(agent->gen->plan.served, agent->gen->plan.n_served, on_notrack, NULL);
	for (size_t i = 0; i < conf->notes.len; i++)
		log_warn("%s", conf->notes.text[i]);
	if (conf->plan->warning[0])
		log_warn("%s", conf->plan->warning);
	if (conf->plan->why_mode && agent->datapath)
		log_info("mode: %s, because %s",
			 conf->plan->mode == MODE_STEER ? "steer" : "listen", conf->plan->why_mode);
}

void agent_log_ready(const struct agent *agent, const struct conf *conf)
{
	const struct corefile *cf = agent->gen->cf;

	/* Not before: a start that fails says why in one line. */
	for (size_t i = 0; i < cf->warnings_len; i++)
		log_warn("%s", cf->warnings[i]);
	log_notes(agent, conf);
	log_info("ready: addresses served: %d, devices attached to: %llu%s",
		 agent->gen->plan.n_served,
		 (unsigned long long)agent->counters.stats->v[AGENT_STAT_DEVICES],
		 agent->steering    ? "; steering begins when an upstream answers"
		 : !agent->datapath ? "; without the kernel path"
				    : "");
}

/* So that libevent's own word comes in the log's format as well. */
static void on_libevent(int severity, const char *text)
{
	static const enum log_level levels[] = {
		[EVENT_LOG_DEBUG] = LOG_LEVEL_DEBUG,
		[EVENT_LOG_MSG] = LOG_LEVEL_INFO,
		[EVENT_LOG_WARN] = LOG_LEVEL_WARN,
		[EVENT_LOG_ERR] = LOG_LEVEL_ERROR,
	};

	log__write(levels[severity & 3], "libevent: %s", text);
}

void agent_log_libevent(void)
{
	event_set_log_callback(on_libevent);
}
