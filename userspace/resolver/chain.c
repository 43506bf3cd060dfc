// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The one order of plugins, and a question's way through it: down until one answers, and up again.
 * Contract: resolver_priv.h, plugin/plugin.h.
 */
#include <string.h>

#include "plugin/acl.h"
#include "plugin/any.h"
#include "plugin/cname.h"
#include "plugin/dns64.h"
#include "plugin/hosts.h"
#include "plugin/loadbalance.h"
#include "plugin/rewrite.h"
#include "plugin/template.h"
#include "plugin/whoami.h"
#include "resolver_priv.h"

/*
 * CoreDNS' order (plugin.cfg), as seen by a client. acl and any see each client's query; acl comes
 * first, so that nobody is told anything who may not ask. Then comes the cache (resolver.c), so
 * what dns64 and loadbalance make is kept as they made it. loadbalance comes before dns64, so that
 * the addresses that dns64 makes are put in order, too. CNAMEs that a template makes are followed
 * as template does it in CoreDNS, whose rewrites are undone before.
 */
const struct plugin *const chain_plugins[] = {
	&acl_plugin,	 &any_plugin,	   &loadbalance_plugin, &dns64_plugin,	 &cname_plugin,
	&rewrite_plugin, &template_plugin, &hosts_plugin,	&forward_plugin, &whoami_plugin,
};
const size_t chain_len = sizeof(chain_plugins) / sizeof(chain_plugins[0]);

/* Below who asks elsewhere the block is that of the target's name. */
static void *state_of(const struct way *way, size_t at)
{
	const struct server_block *sb = at > way->asker ? way->asked : way->sb;

	return sb->state[chain_plugins[at]->id];
}

static void end(struct way *way, enum plugin_result result)
{
	if (result == PLUGIN_SERVFAIL)
		way->passage.by = PLUGIN_NONE;
	way->done(way, result);
}

/* ---- down ---- */

static void up(struct way *way, size_t at);

static void ended(struct way *way, size_t at, enum plugin_result result)
{
	if (result == PLUGIN_ANSWER)
		up(way, at);
	else
		end(way, result);
}

static void down(struct way *way, size_t at)
{
	struct passage *passage = &way->passage;

	for (; at < chain_len; at++) {
		const struct plugin *plugin = chain_plugins[at];
		void *state = state_of(way, at);
		enum plugin_result result;

		if (!plugin->query || !state)
			continue;
		way->at = at;
		passage->by = plugin->id;
		result = plugin->query(state, passage);
		if (result == PLUGIN_LATER)
			return; /* perhaps it is all over already */
		if (result != PLUGIN_NEXT) {
			ended(way, at, result);
			return;
		}
	}
	end(way, plugin__fail(passage, DNS_SERVFAIL, "no plugin of the block answers"));
}

/* A plugin that said PLUGIN_LATER has the answer now, or none. */
static void resume(struct way *way, enum plugin_result result)
{
	ended(way, way->at, result);
}

static void forget(struct way *way, size_t at)
{
	for (; at < chain_len; at++) {
		const struct plugin *plugin = chain_plugins[at];
		struct plugin_kept *kept = &way->passage.kept[plugin->id];

		if (plugin->release)
			plugin->release(kept);
		answer__free(kept->held);
		*kept = (struct plugin_kept){ .own = NULL };
	}
}

/* One round: a question from the plugin at @at on. */
static void round_of(struct way *way, size_t at, const struct dns_name *qname, uint16_t qtype)
{
	struct passage *passage = &way->passage;

	forget(way, at);
	passage->qname = *qname;
	passage->qtype = qtype;
	passage->query.qname = &passage->qname;
	passage->query.qtype = qtype;
	passage->query.qclass = DNS_CLASS_IN;
	passage->query.key_flags = passage->question.key_flags & ~NODENS_KEY_AGENT;
	passage->options_len = 0;
	passage->changed = passage->exact = false;
	passage->answer = NULL;
	passage->error = NULL;
	/* of a CNAME's target it is the first template's that counts */
	if (!way->passage.kept[PLUGIN_CNAME].held)
		passage->ede = NULL;
	down(way, at);
}

/* ---- up ---- */

/* Is there a client that must not have the answer to this question? */
static bool not_for_all(const struct server_block *sb, const struct dns_name *qname, uint16_t qtype)
{
	for (size_t i = 0; sb->admits && i < chain_len; i++) {
		const struct plugin *plugin = chain_plugins[i];
		const void *state = sb->state[plugin->id];

		if (state && plugin->agent_only && plugin->agent_only(state, qname, qtype))
			return true;
	}
	return false;
}

/* The block to ask for what the plugin at way->at wants; NULL: nobody is to be asked. */
static struct server_block *block_to_ask(struct way *way)
{
	const struct passage *passage = &way->passage;
	const struct corefile *cf = way->resolver->config.corefile;
	const struct dns_name *qname = &passage->ask.qname;
	const struct corefile_block *block;
	struct server_block *sb;

	if (!passage->ask.elsewhere)
		return way->sb;
	block = corefile__block_for(cf, qname);
	if (!block)
		return NULL;
	sb = &way->resolver->blocks[block - cf->blocks];
	/* who asks was admitted for another name */
	return not_for_all(sb, qname, passage->ask.qtype) ? NULL : sb;
}

static bool respond(struct way *way, const struct plugin *plugin, void *state, bool borrowed)
{
	struct passage *passage = &way->passage;
	struct plugin_kept *kept = &passage->kept[plugin->id];
	struct answer *held = kept->held, *then = passage->answer;
	bool asks = plugin->response(state, passage);

	if (held && held != passage->answer)
		answer__free(held);
	if (held && !borrowed && then != passage->answer)
		answer__free(then);
	if (held)
		kept->held = NULL;
	return asks;
}

/* True: on the way up with what was cached; false: what the plugin asks for is under way. */
static bool ask_first(struct way *way, size_t at, struct server_block *sb, void *state)
{
	struct passage *passage = &way->passage;
	struct plugin_kept *kept = &passage->kept[chain_plugins[at]->id];
	const struct dns_name *qname = &passage->ask.qname;
	struct store *store = way->resolver->config.store;
	const struct answer *cached = NULL;
	struct answer live;
	uint32_t ttl_s;

	kept->held = passage->answer;
	kept->held_verdict = passage->verdict;
	kept->n_asked++;
	passage->answer = NULL;
	if (store && passage->ask.elsewhere)
		cached = store__get(store, qname, passage->ask.qtype, kept->held->key_flags,
				    passage->now_ns, &ttl_s);
	if (!cached) {
		way->asked = sb;
		way->asker = at;
		round_of(way, at + 1, qname, passage->ask.qtype);
		return false;
	}
	live = *cached;
	live.ttl_s = ttl_s;
	passage->answer = &live;
	respond(way, chain_plugins[at], state, true);
	return true;
}

static void up(struct way *way, size_t at)
{
	while (at-- > 0) {
		const struct plugin *plugin = chain_plugins[at];
		struct server_block *sb;
		void *state;

		/* past who asked elsewhere it is the question's own block again */
		if (at == way->asker)
			way->asked = way->sb;
		state = state_of(way, at);
		if (!plugin->response || !state || !respond(way, plugin, state, false))
			continue;
		if (way->passage.own_only) {
			end(way, plugin__fail(&way->passage, DNS_SERVFAIL, "others are asked"));
			return;
		}
		sb = block_to_ask(way);
		if (sb && !ask_first(way, at, sb, state))
			return;
	}
	end(way, PLUGIN_ANSWER);
}

/* ---- what others call ---- */

void chain_run(struct way *way)
{
	const struct question *q = &way->passage.question;

	way->asked = way->sb;
	way->asker = chain_len;
	way->resume = resume;
	round_of(way, 0, &q->qname, q->qtype);
}

void chain_release(struct way *way)
{
	forget(way, 0);
}

enum plugin_result chain_admit(const struct server_block *sb, const struct plugin_query *query,
			       struct plugin_reply *reply, enum plugin_id *by)
{
	for (size_t i = 0; i < chain_len; i++) {
		const struct plugin *plugin = chain_plugins[i];
		void *state = sb->state[plugin->id];

		if (!state || !plugin->admit || plugin->admit(state, query, reply) == PLUGIN_NEXT)
			continue;
		*by = plugin->id;
		return PLUGIN_ANSWER;
	}
	return PLUGIN_NEXT;
}

bool chain_agent_only(const struct server_block *sb, const struct dns_name *qname, uint16_t qtype)
{
	return sb->tells_client || not_for_all(sb, qname, qtype);
}

bool chain_answers_below(const struct server_block *sb, const struct dns_name *name,
			 const struct plugin *until)
{
	for (size_t i = 0; i < chain_len && chain_plugins[i] != until; i++) {
		const struct plugin *plugin = chain_plugins[i];
		const void *state = sb->state[plugin->id];

		if (state && plugin->answers_below && plugin->answers_below(state, name))
			return true;
	}
	return false;
}

bool chain_by_family(const struct server_block *sb, uint16_t qtype, const struct passage *passage)
{
	for (size_t i = 0; sb->by_family && i < chain_len; i++) {
		const struct plugin *plugin = chain_plugins[i];
		const void *state = sb->state[plugin->id];

		if (state && plugin->by_family && plugin->by_family(state, qtype, passage))
			return true;
	}
	return false;
}

bool chain_has(const struct server_block *sb, const struct dns_name *name)
{
	for (size_t i = 0; i < chain_len; i++) {
		const struct plugin *plugin = chain_plugins[i];
		const void *state = sb->state[plugin->id];

		if (state && plugin->has && plugin->has(state, name))
			return true;
	}
	return false;
}
