// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is logged and shown of the agent at work. Contract: observe.h.
 */
#include "agent/observe.h"

#include <errno.h>
#include <event2/util.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/line_writer.h"
#include "base/log.h"
#include "datapath/datapath.h"

struct observe {
	struct observe_config config;
	struct endpoints *endpoints;
	struct lines *lines; /* of the log and errors plugins */
	bool debug;
};

/* ---- queries and errors ---- */

void observe_error_line(struct observe *observe, enum log_level level, const char *text)
{
	struct log_record record = {
		.level = level, .plugin = "errors", .text = text, .len = strlen(text)
	};

	if (level != LOG_LEVEL_DEBUG || observe->debug)
		lines__add(observe->lines, &record);
}

static void log_query(struct observe *observe, const struct querylog *log,
		      const struct client *client, uint32_t ifindex, struct querylog_event query)
{
	char text[QUERYLOG_LINE];
	struct log_record record = { .level = LOG_LEVEL_INFO, .plugin = "log", .text = text };
	const struct querylog_rule *rule;
	struct pod_name pod;

	query.peer = &client->peer.sa;
	query.local = &client->local.sa;
	query.tcp = client->tcp;
	query.request_size = client->query_size;
	if (querylog__names_pods(log) &&
	    observe->config.pod(observe->config.ctx, client, ifindex, &pod)) {
		query.pod_namespace = pod.ns;
		query.pod_name = pod.name;
	}
	rule = querylog__rule(log, &query);
	record.len = rule ? querylog__line(rule, &query, text, sizeof(text)) : 0;
	if (!record.len)
		return;
	if (log__format() == LOG_FORMAT_JSON)
		record.fields = querylog__fields(rule, &query);
	lines__add(observe->lines, &record);
	json_decref(record.fields);
}

static void tap_client(const struct generation *gen, const struct resolver_event *event)
{
	uint64_t now = clock_now();
	struct taps_client client = {
		.client = event->client,
		.query = event->query,
		.rcode = event->rcode,
		.reply = event->reply,
		.size = event->size,
		.whole = true,
		.query_ns = now - event->duration_ns,
		.reply_ns = now,
	};

	if (gen->taps)
		taps__client(gen->taps, event->sb->config - gen->cf->blocks, &client);
}

void observe_dropped(const struct generation *gen, const struct resolver_event *event)
{
	tap_client(gen, event);
}

void observe_exchanged(const struct generation *gen, const struct upstream_exchanged *exchanged)
{
	while (gen && !taps__exchanged(gen->taps, exchanged))
		gen = gen->older;
}

static void tap_hit(const struct generation *gen, size_t block, const struct hit *hit)
{
	struct taps_client client = {
		.client = &hit->client,
		.query = &hit->query,
		.hit = true,
		.rcode = hit->query.flags & DNS_RCODE,
		.reply = hit->reply,
		.size = hit->size,
		.whole = hit->whole,
		.query_ns = hit->time_ns,
		.reply_ns = hit->time_ns,
	};

	taps__client(gen->taps, block, &client);
}

void observe_replied(struct observe *observe, const struct generation *gen,
		     const struct resolver_event *event)
{
	size_t block = event->sb->config - gen->cf->blocks;
	struct querylog_event query = {
		.query = event->query,
		.reply = event->reply,
		.reply_size = event->size,
		.rcode = event->rcode,
		.duration_ns = event->duration_ns,
	};

	if (event->error)
		errlog__event(gen->errlog, block, event->rcode, &event->query->qname,
			      event->query->qtype, event->error, loop__now(observe->config.loop));
	if (gen->querylogs[block])
		log_query(observe, gen->querylogs[block], event->client, 0, query);
	tap_client(gen, event);
}

void observe_hit(struct observe *observe, const struct generation *gen, const struct hit *hit)
{
	struct querylog_event query = {
		.query = &hit->query,
		.hit = true,
		.reply = hit->reply,
		.reply_size = hit->size,
		.rcode = hit->query.flags & DNS_RCODE,
	};
	struct dns_name lower = hit->query.qname;
	const struct corefile_block *found;
	size_t block;

	dns_name__lower(&lower);
	found = corefile__block_at(gen->cf, &lower, &hit->client.local);
	if (!found)
		return;
	block = found - gen->cf->blocks;
	if (gen->querylogs[block])
		log_query(observe, gen->querylogs[block], &hit->client, hit->ifindex, query);
	tap_hit(gen, block, hit);
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

static void on_tls_loaded(void *ctx, const char *why)
{
	(void)ctx;
	if (why)
		log_warn("HTTP: /metrics over TLS: %s; what was loaded before stays, the files are "
			 "looked at each second",
			 why);
	else
		log_info("HTTP: /metrics over TLS: certificate loaded");
}

static void on_not_secure(void *ctx, const char *addr)
{
	(void)ctx;
	log_warn("HTTP: /metrics is not served at %s: -tls-enabled is on, and probes ask there for "
		 "/health or /ready in the clear; give prometheus an address of its own",
		 addr);
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
static int flag_addresses(const struct run_options *opts, const struct corefile *cf,
			  union sockaddr_any *addrs)
{
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

static void on_bpf_line(const char *line)
{
	log_debug("%s", line);
}

bool observe_level(const struct run_options *opts, const struct corefile *cf)
{
	bool debug = opts->log_level == LOG_LEVEL_DEBUG;

	for (size_t i = 0; i < cf->blocks_len; i++)
		debug |= cf->blocks[i].debug;
	log__set_level(debug ? LOG_LEVEL_DEBUG : opts->log_level);
	datapath__on_debug(debug ? on_bpf_line : NULL);
	return debug;
}

int observe_configure(struct observe *observe, const struct corefile *cf)
{
	union sockaddr_any addrs[2];
	int n;

	observe->debug = observe_level(observe->config.opts, cf);
	n = flag_addresses(observe->config.opts, cf, addrs);
	if (n < 0)
		return n;
	if (!endpoints__configure(observe->endpoints, cf, addrs, n))
		return 0;
	log_error("out of memory: some of /health, /ready, /metrics and the page may be missing");
	return -ENOMEM;
}

/* ---- open and close ---- */

int observe_open(const struct observe_config *config, struct observe **out)
{
	struct endpoints_config endpoints = {
		.loop = config->loop,
		.metrics = config->metrics,
		.ready = config->ready,
		.figures = config->figures,
		.bound = on_bound,
		.tls = &config->opts->metrics_tls,
		.tls_loaded = on_tls_loaded,
		.not_secure = on_not_secure,
		.ctx = config->ctx,
	};
	struct observe *observe = calloc(1, sizeof(*observe));
	int ret;

	if (!observe)
		return -ENOMEM;
	observe->config = *config;
	ret = lines__open(STDOUT_FILENO, log__format(), &observe->lines);
	if (!ret)
		ret = endpoints__open(&endpoints, &observe->endpoints);
	if (ret)
		observe_close(observe);
	else
		*out = observe;
	return ret;
}

void observe_beat(struct observe *observe)
{
	lines__flush(observe->lines);
	observe->config.stats->v[AGENT_STAT_LOG_DROPPED] =
		log__dropped() + lines__dropped(observe->lines);
}

void observe_tick(struct observe *observe)
{
	endpoints__tick(observe->endpoints);
}

void observe_close(struct observe *observe)
{
	if (!observe)
		return;
	endpoints__close(observe->endpoints);
	lines__close(observe->lines);
	free(observe);
}
