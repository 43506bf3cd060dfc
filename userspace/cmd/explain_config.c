// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What the configuration makes of a question, by the plugins themselves. Contract: explain.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/explain.h"
#include "dns/rrtype.h"
#include "plugin/acl.h"
#include "plugin/hosts.h"
#include "plugin/rewrite.h"
#include "plugin/template.h"

#define NAME_TEXT 1024

struct block_walk {
	struct explain *ex;
	const struct corefile_block *block;
	struct corefile_zones zones;
	struct dns_name qname; /* as rewrites have it by now */
	struct plugin_query query;
	struct error err;
};

static void see_answer(struct block_walk *walk, const char *step, const struct answer *answer,
		       const char *where)
{
	char rcode[RRTYPE_TEXT];

	walk->ex->own = step;

	if (answer)
		explain_step(walk->ex, step, EXPLAIN_AGENT, "answers %s, %u records%s%s",
			     rcode__text(answer->flags & DNS_RCODE, rcode),
			     answer->count[DNS_ANSWER_SECTION], where[0] ? ": " : "", where);
	else
		explain_step(walk->ex, step, EXPLAIN_AGENT, "fails: SERVFAIL");
}

static void see_acl(struct block_walk *walk)
{
	const struct plugin_open open = { .block = walk->block,
					  .zones = walk->zones,
					  .err = &walk->err };
	struct plugin_reply reply = { .drop = false };
	char rcode[RRTYPE_TEXT];
	void *state = NULL;

	if (!walk->block->acls_len || acl_plugin.open(&open, &state) || !state)
		return;
	/* this node, which --ask asks from, is one of those who ask */
	if (acl_plugin.agent_only(state, walk->query.qname, walk->query.qtype))
		walk->ex->changes = "acl";
	if (!walk->query.client)
		explain_step(walk->ex, "acl", EXPLAIN_OPEN,
			     walk->ex->changes ? "it depends on who asks: -pod says it"
					       : "every client may ask");
	else if (acl_plugin.admit(state, &walk->query, &reply) == PLUGIN_NEXT)
		explain_step(walk->ex, "acl", EXPLAIN_OPEN, "this client may ask");
	else if (reply.drop)
		explain_step(walk->ex, "acl", EXPLAIN_NOBODY, "this client gets no reply");
	else
		explain_step(walk->ex, "acl", EXPLAIN_NOBODY, "this client gets %s",
			     reply.answer ? rcode__text(reply.answer->flags & DNS_RCODE, rcode)
					  : "SERVFAIL");
	answer__free(reply.answer);
	acl_plugin.close(state);
}

static void see_rewrite(struct block_walk *walk)
{
	struct rewrite_result *result;
	char name[NAME_TEXT], type[RRTYPE_TEXT];
	struct rewrite *rewrite;

	if (!walk->block->rewrites_len ||
	    rewrite__open(walk->block->rewrites, walk->block->rewrites_len, &rewrite, &walk->err))
		return;
	result = rewrite__apply(rewrite, &walk->query);
	if (result && result->invalid) {
		walk->ex->own = "rewrite";
		explain_step(walk->ex, "rewrite", EXPLAIN_NOBODY,
			     "makes what is no name of it: SERVFAIL");
	} else if (result) {
		const struct corefile_rewrite *rule =
			&walk->block->rewrites[result->n ? result->applied[0] : 0];

		if (result->reverts)
			walk->ex->changes = "rewrite";
		walk->qname = result->qname;
		walk->query.qtype = result->qtype;
		dns_name__to_text(&walk->qname, name, sizeof(name));
		explain_step(walk->ex, "rewrite", EXPLAIN_OPEN, "%s:%u: asked for as %s %s",
			     rule->file, rule->line, name, rrtype__text(result->qtype, type));
	}
	rewrite_result__free(result);
	rewrite__close(rewrite);
}

static void see_template(struct block_walk *walk)
{
	struct templates *templates;
	struct answer *answer = NULL;
	const struct ede *ede;
	enum plugin_result result;

	if (!walk->block->templates_len ||
	    template__open(walk->block->templates, walk->block->templates_len, &walk->zones,
			   &templates, &walk->err))
		return;
	result = template__answer(templates, &walk->query, &answer, &ede);
	if (result != PLUGIN_NEXT)
		see_answer(walk, "template", answer, "");
	answer__free(answer);
	template__close(templates);
}

static void see_hosts(struct block_walk *walk)
{
	const struct corefile_hosts *config = &walk->block->hosts;
	struct answer *answer = NULL;
	struct hosts *hosts;

	if (!walk->block->has_hosts || hosts__open(config, &walk->zones, &hosts, &walk->err))
		return;
	if (hosts__answer(hosts, &walk->query, &answer) != PLUGIN_NEXT)
		see_answer(walk, "hosts", answer, config->path);
	else
		explain_step(walk->ex, "hosts", EXPLAIN_OPEN, "%s does not have it", config->path);
	answer__free(answer);
	hosts__close(hosts);
}

/* "10.96.0.11:53 up 1.1 ms" of what the agent says of it. */
static void add_upstream(const struct explain *ex, const struct corefile_upstream *to, char *text,
			 size_t size)
{
	static const char *const states[] = { "?", "not heard of yet", "up", "DOWN" };
	const struct publish_upstream *up = NULL;
	char addr[SOCKADDR_TEXT];
	size_t len = strlen(text);

	sockaddr__text(&to->addr, addr, sizeof(addr));
	for (size_t i = 0; i < ex->status.n_upstreams; i++) {
		if (!strcmp(ex->status.upstreams[i].to, addr) &&
		    (ex->status.upstreams[i].proto == PUBLISH_TLS) == to->tls)
			up = &ex->status.upstreams[i];
	}
	len += snprintf(text + len, size - len, "%s%s%s (%s", len ? ", " : "", addr,
			to->tls ? " over TLS" : "",
			up && up->state <= PUBLISH_DOWN ? states[up->state] : "not known");
	if (len < size && up && up->rtt_p50_ns)
		len += snprintf(text + len, size - len, ", p50 %.2f ms",
				(double)up->rtt_p50_ns / 1e6);
	if (len < size)
		snprintf(text + len, size - len, ")");
}

static void see_failure(struct block_walk *walk, const struct corefile_forward *forward)
{
	const struct corefile_cache *cache = &walk->block->cache;
	char stale[96] = "", span[STATUS_SPAN];

	if (cache->enabled && cache->serve_stale_s)
		snprintf(stale, sizeof(stale), "what expired up to %s ago is answered, else ",
			 status__span(cache->serve_stale_s * NSEC_PER_SEC, span));
	explain_step(walk->ex, "on failure", EXPLAIN_OPEN,
		     "%s after 0.4 s of silence, until 5 s are over; then %sSERVFAIL%s",
		     forward->upstreams_len > 1 ? "the next upstream is asked"
						: "the same one is asked again",
		     stale, forward->failfast ? "; at once where all are down" : "");
}

static void see_forward(struct block_walk *walk)
{
	const struct corefile_forward *forward = corefile__forward_for(walk->block, &walk->qname);
	static const char *const policies[] = { "random", "round_robin", "sequential" };
	char text[400] = "";

	if (!forward) {
		if (walk->block->whoami)
			explain_step(walk->ex, "whoami", EXPLAIN_AGENT, "answers who asks");
		else
			explain_step(walk->ex, "forward", EXPLAIN_NOBODY,
				     "no forward of the block takes it: SERVFAIL");
		return;
	}
	walk->ex->forward = forward;
	walk->ex->up_qname = walk->qname;
	walk->ex->up_qtype = walk->query.qtype;
	if (forward->next_rcodes || forward->next_on_nodata)
		walk->ex->changes = "forward";
	for (size_t i = 0; i < forward->upstreams_len; i++)
		add_upstream(walk->ex, &forward->upstreams[i], text, sizeof(text));
	explain_step(walk->ex, "forward", EXPLAIN_UPSTREAM, "%s, policy %s%s: %s",
		     forward->from.text, policies[forward->policy],
		     forward->force_tcp ? ", over TCP" : "", text);
	see_failure(walk, forward);
}

static void see_keeping(const struct block_walk *walk)
{
	const struct corefile_cache *cache = &walk->block->cache;

	if (!cache->enabled || !plugin__in_zones(&cache->zones, &walk->ex->qname, true))
		explain_step(walk->ex, "kept", EXPLAIN_OPEN, "not: the block has no cache for it");
	else
		explain_step(walk->ex, "kept", EXPLAIN_OPEN,
			     "its TTL, from %u to %u s; a denial from %u to %u s",
			     cache->success.min_ttl_s, cache->success.ttl_s,
			     cache->denial.min_ttl_s, cache->denial.ttl_s);
}

void explain_blocks(struct explain *ex, const struct sockaddr *client)
{
	const struct plugin_client who = { .peer = client, .local = client };
	const struct corefile_block *block = corefile__block_for(ex->config.cf, &ex->qname);
	struct block_walk walk = { .ex = ex, .block = block, .qname = ex->qname };
	const struct corefile_zone *zone = NULL;

	if (!block) {
		explain_step(ex, "block", EXPLAIN_NOBODY,
			     "no block has a zone above the name: REFUSED");
		return;
	}
	walk.zones = (struct corefile_zones){ block->zones, block->zones_len };
	walk.query = (struct plugin_query){ .qname = &walk.qname,
					    .qtype = ex->qtype,
					    .qclass = DNS_CLASS_IN,
					    .client = client ? &who : NULL };
	for (size_t i = 0; i < block->zones_len; i++) {
		if (dns_name__within(&ex->qname, &block->zones[i].name) &&
		    (!zone || block->zones[i].name.len > zone->name.len))
			zone = &block->zones[i];
	}
	explain_step(ex, "block", EXPLAIN_OPEN, "%s:%u, zone %s", block->file, block->line,
		     zone ? zone->text : "?");
	see_acl(&walk);
	if (block->any && ex->qtype == DNS_TYPE_ANY) {
		ex->own = "any";
		explain_step(ex, "any", EXPLAIN_AGENT, "answers HINFO (RFC 8482)");
	}
	see_rewrite(&walk);
	see_template(&walk);
	see_hosts(&walk);
	if (block->dns64.enabled && walk.query.qtype == DNS_TYPE_AAAA)
		ex->changes = "dns64";
	see_forward(&walk);
	see_keeping(&walk);
}
