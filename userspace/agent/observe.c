// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is said and shown of the agent at work: /health, /ready and /metrics, the lines of the log
 * and errors plugins. Contract: agent_priv.h.
 *
 * Those lines go to stdout as CoreDNS words them, so that what reads its log reads this one.
 */
#include <errno.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_priv.h"

static const char *const prefixes[] = {
	[LOG_LEVEL_ERROR] = "[ERROR] ",
	[LOG_LEVEL_WARN] = "[WARNING] ",
	[LOG_LEVEL_INFO] = "[INFO] ",
	[LOG_LEVEL_DEBUG] = "[DEBUG] ",
};

/* ---- queries and errors ---- */

static void on_error_line(void *ctx, enum log_level level, const char *text)
{
	struct agent *agent = ctx;

	if (level != LOG_LEVEL_DEBUG || agent->debug)
		lines__add(agent->lines, prefixes[level], text, strlen(text));
}

int agent_observe__open_logs(struct agent *agent, struct generation *gen)
{
	const struct corefile *cf = gen->cf;
	int ret = errlog__open(cf, on_error_line, agent, &gen->errlog);
	size_t templates = 1;

	gen->querylogs = calloc(cf->blocks_len, sizeof(gen->querylogs[0]));
	if (!gen->querylogs)
		ret = -ENOMEM;
	for (size_t i = 0; i < cf->blocks_len; i++)
		templates += cf->blocks[i].templates_len;
	gen->templates_seen =
		calloc(templates, METRICS_TEMPLATE_EVENT_COUNT * sizeof(gen->templates_seen[0]));
	if (!gen->templates_seen)
		ret = -ENOMEM;
	for (size_t i = 0; !ret && i < cf->blocks_len; i++)
		ret = querylog__open(cf->blocks[i].logs, cf->blocks[i].logs_len,
				     &gen->querylogs[i]);
	if (ret)
		log_error("log, errors: %s", strerror(-ret));
	return ret;
}

void agent_observe__close_logs(struct generation *gen)
{
	errlog__close(gen->errlog);
	for (size_t i = 0; gen->querylogs && i < gen->cf->blocks_len; i++)
		querylog__close(gen->querylogs[i]);
	free(gen->querylogs);
	free(gen->templates_seen);
}

static void say_query(struct agent *agent, const struct querylog *log,
		      const struct resolver_event *event)
{
	struct querylog_event query = {
		.query = event->query,
		.peer = &event->client->peer.sa,
		.local = &event->client->local.sa,
		.tcp = event->client->tcp,
		.request_size = event->client->query_size,
		.reply = event->reply,
		.reply_size = event->size,
		.rcode = event->rcode,
		.duration_ns = event->duration_ns,
	};
	char text[QUERYLOG_LINE];
	size_t len = querylog__line(log, &query, text, sizeof(text));

	if (len)
		lines__add(agent->lines, prefixes[LOG_LEVEL_INFO], text, len);
}

/* The configuration that answered; NULL: no block of it did. */
static const struct generation *generation_of(const struct agent *agent,
					      const struct resolver_event *event)
{
	const struct generation *gen = event->sb ? agent->gen : NULL;

	while (gen && (event->sb->config < gen->cf->blocks ||
		       event->sb->config >= gen->cf->blocks + gen->cf->blocks_len))
		gen = gen->older;
	return gen;
}

void agent__on_replied(void *ctx, const struct resolver_event *event)
{
	struct agent *agent = ctx;
	const struct generation *gen = generation_of(agent, event);
	size_t block;

	agent_metrics__replied(agent, gen, event);
	if (!gen)
		return;
	block = event->sb->config - gen->cf->blocks;
	if (event->error)
		errlog__event(gen->errlog, block, event->rcode, &event->query->qname,
			      event->query->qtype, event->error, loop__now(&agent->loop));
	if (gen->querylogs[block])
		say_query(agent, gen->querylogs[block], event);
}

/* As CoreDNS: one of the upstreams is this very agent. */
void agent__on_loop(void *ctx, const struct client *client, const char *zone,
		    const struct dns_name *probe)
{
	struct agent *agent = ctx;
	char peer[64], local[64], name[1024] = "?";

	dns_name__to_text(probe, name, sizeof(name));
	log_error("plugin/loop: Loop (%s -> %s) detected for zone \"%s\", see "
		  "https://coredns.io/plugins/loop#troubleshooting. Query: \"HINFO %s\": what is "
		  "forwarded for the zone comes back here; name other upstreams",
		  sockaddr__text(&client->peer, peer, sizeof(peer)),
		  sockaddr__text(&client->local, local, sizeof(local)), zone, name);
	/* every query for the zone would go round until it times out: better none is taken at all
	 */
	agent->fatal = -ELOOP;
	event_base_loopbreak(agent->loop.events);
}

/* ---- readiness ---- */

bool agent_observe__waiting(const struct agent *agent, char *zones, size_t size)
{
	size_t n, at = 0;
	const struct server_block *blocks = resolver__blocks(agent->gen->resolver, &n);
	bool waiting = false;

	zones[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		const struct corefile_block *block = blocks[i].config;

		if (server_block__answered(&blocks[i]))
			continue;
		for (size_t k = 0; k < block->zones_len && at < size; k++) {
			at += snprintf(zones + at, size - at, "%s%s", waiting ? "," : "",
				       block->zones[k].text);
			waiting = true;
		}
	}
	return waiting;
}

static bool on_ready(void *ctx, char *why)
{
	struct agent *agent = ctx;

	if (!agent->gen) {
		snprintf(why, ENDPOINTS_WHY, "standing by: another agent runs");
		return false;
	}
	if (agent->leave_ns || agent->stopping) {
		snprintf(why, ENDPOINTS_WHY, "leaving");
		return false;
	}
	if (agent->bare ? !agent->gen->plan.n_listen : !agent_devices__has_path(agent)) {
		snprintf(why, ENDPOINTS_WHY, "no kernel path");
		return false;
	}
	if (agent_observe__waiting(agent, why, ENDPOINTS_WHY))
		return false;
	/* a beat later it begins, unless nd0 is down */
	if (agent->netns && !agent->steering) {
		snprintf(why, ENDPOINTS_WHY, "not steering");
		return false;
	}
	return true;
}

/* ---- HTTP ---- */

static void on_bound(void *ctx, const char *addr, int error)
{
	(void)ctx;
	if (error)
		log_warn("HTTP: cannot listen on %s: %s; it is tried again each second", addr,
			 strerror(-error));
	else
		log_info("HTTP: listening on %s", addr);
}

/* "[IP]:PORT" of a flag; without an IP all addresses of both families. */
static int parse_address(const char *flag, const char *text, union sockaddr_any *out)
{
	union sockaddr_any addr;
	int len = sizeof(addr);
	char any[64];

	memset(&addr, 0, sizeof(addr));
	if (!strncmp(text, "localhost:", 10))
		snprintf(any, sizeof(any), "127.0.0.1%s", text + 9);
	else
		snprintf(any, sizeof(any), "%s%s", *text == ':' ? "[::]" : "", text);
	if (evutil_parse_sockaddr_port(any, (struct sockaddr *)&addr, &len) ||
	    !((struct sockaddr_in *)&addr)->sin_port) {
		log_error("-%s: '%s' is not [IP]:PORT", flag, text);
		return -EINVAL;
	}
	*out = addr;
	return 0;
}

/* What flags say besides; @addrs has room for two. Negative: -errno. */
static int flag_addresses(const struct agent *agent, const struct corefile *cf,
			  union sockaddr_any *addrs)
{
	const struct run_options *opts = agent->opts;
	int n = 0, ret = 0;

	if (opts->metrics_address[0])
		ret = parse_address("metrics-listen-address", opts->metrics_address, &addrs[n++]);
	if (ret || !opts->prometheus_given)
		return ret ? ret : n;
	/* The Corefile says where; the flag is for one that does not. */
	for (size_t i = 0; i < cf->blocks_len; i++) {
		if (cf->blocks[i].prometheus.enabled)
			return n;
	}
	ret = parse_address("prometheus-listen-address", opts->prometheus_address, &addrs[n++]);
	return ret ? ret : n;
}

static void on_kern_line(const char *line)
{
	log_debug("%s", line);
}

void agent_observe__level(struct agent *agent, const struct corefile *cf)
{
	agent->debug = agent->opts->log_level == LOG_LEVEL_DEBUG;
	for (size_t i = 0; i < cf->blocks_len; i++)
		agent->debug |= cf->blocks[i].debug;
	log__set_level(agent->debug ? LOG_LEVEL_DEBUG : agent->opts->log_level);
	datapath__on_debug(agent->debug ? on_kern_line : NULL);
}

int agent_observe__configure(struct agent *agent, const struct corefile *cf)
{
	union sockaddr_any addrs[2];
	int n = flag_addresses(agent, cf, addrs);

	if (n < 0)
		return n;
	if (!endpoints__configure(agent->endpoints, cf, addrs, n))
		return 0;
	log_error("out of memory: some of /health, /ready and /metrics may be missing");
	return -ENOMEM;
}

/* ---- open and close ---- */

int agent_observe__open(struct agent *agent)
{
	struct endpoints_config config = {
		.base = agent->loop.events,
		.ready = on_ready,
		.bound = on_bound,
		.ctx = agent,
	};
	int ret = agent_metrics__open(agent);

	config.metrics = agent->metrics;
	if (!ret)
		ret = lines__open(STDOUT_FILENO, &agent->lines);
	if (!ret)
		ret = endpoints__open(&config, &agent->endpoints);
	if (ret)
		log_error("out of memory");
	return ret;
}

void agent_observe__beat(struct agent *agent)
{
	lines__flush(agent->lines);
	agent->map.stats->v[AGENT_STAT_LOG_DROPPED] = log__dropped() + lines__dropped(agent->lines);
}

void agent_observe__tick(struct agent *agent, uint64_t now)
{
	endpoints__tick(agent->endpoints);
	for (const struct generation *gen = agent->gen; gen; gen = gen->older)
		errlog__tick(gen->errlog, now);
}

void agent_observe__close(struct agent *agent)
{
	endpoints__close(agent->endpoints);
	metrics__close(agent->metrics);
	lines__close(agent->lines);
	agent->endpoints = NULL;
	agent->metrics = NULL;
	agent->lines = NULL;
}

uint64_t agent_observe__lameduck(const struct agent *agent)
{
	const struct corefile *cf = agent->gen->cf;
	uint64_t longest = 0;

	for (size_t i = 0; i < cf->blocks_len; i++) {
		if (cf->blocks[i].health.enabled && cf->blocks[i].health_lameduck_ns > longest)
			longest = cf->blocks[i].health_lameduck_ns;
	}
	return longest;
}
