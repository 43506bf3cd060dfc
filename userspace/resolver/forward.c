// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The forward plugin: which of a block's forwards is asked, and which next. How upstreams are asked
 * is upstream/'s. Contract: resolver_priv.h, plugin/plugin.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "resolver_priv.h"

/* Of a block; forwards[i] of its configuration has groups[i]. */
struct forwards {
	const struct corefile_block *block;
	struct upstream_group *groups[];
};

static int forward_open(const struct plugin_open *open, void **state)
{
	const struct corefile_block *block = open->block;
	struct forwards *forwards =
		calloc(1, sizeof(*forwards) + block->forwards_len * sizeof(forwards->groups[0]));

	if (!forwards)
		return -ENOMEM;
	forwards->block = block;
	for (size_t i = 0; i < block->forwards_len; i++) {
		const struct corefile_zone *from = &block->forwards[i].from;
		struct error why = { .text = "" };
		int ret = upstream_group__open(open->upstreams, &block->forwards[i],
					       &forwards->groups[i], &why);

		if (!ret)
			continue;
		error__set(open->err, ret, "%s:%u: forward %s: %s%s", from->file, from->line,
			   from->text, why.text[0] ? "tls: " : "",
			   why.text[0] ? why.text : strerror(-ret));
		free(forwards);
		return ret;
	}
	*state = forwards;
	return 0;
}

static void forward_close(void *state)
{
	free(state);
}

static struct way *way_of(struct passage *passage)
{
	return (struct way *)((char *)passage - offsetof(struct way, passage));
}

/* The forward that has not been asked: the longest FROM at first, then the others in file order. */
static const struct corefile_forward *next_forward(const struct way *way)
{
	const struct corefile_block *block = way->forwards->block;
	const struct dns_name *name = way->passage.query.qname;

	if (!way->forward)
		return corefile__forward_for(block, name);
	for (size_t i = 0; i < block->forwards_len && i < 64; i++) {
		const struct corefile_forward *forward = &block->forwards[i];

		if (!(way->forwards_asked >> i & 1) && corefile__forward_takes(forward, name))
			return forward;
	}
	return NULL;
}

static bool wants_next(const struct corefile_forward *forward, const struct answer *answer)
{
	uint16_t rcode = answer->flags & DNS_RCODE;

	return forward->next_rcodes >> rcode & 1 ||
	       (forward->next_on_nodata && rcode == DNS_NOERROR &&
		!answer->count[DNS_ANSWER_SECTION]);
}

static void exchanged(struct exchange *exchange, struct answer *answer, enum verdict verdict);

/* LATER may mean that it is over, and the way gone. */
static enum plugin_result ask(struct way *way, const struct corefile_forward *forward)
{
	size_t index = forward - way->forwards->block->forwards;
	struct passage *passage = &way->passage;
	struct exchange *ex = &way->exchange;

	ex->qname = *passage->query.qname;
	ex->qtype = passage->query.qtype;
	ex->key_flags = passage->query.key_flags;
	ex->options = passage->options;
	ex->options_len = passage->options_len;
	ex->once = unanswered_lately(way->resolver, way->hash, passage->now_ns);
	ex->done = exchanged;
	way->forward = forward;
	way->forwards_asked |= 1ull << (index & 63);
	if (exchange__start(way->forwards->groups[index], ex, passage->now_ns))
		return plugin__fail(passage, DNS_REFUSED, ex->error);
	return PLUGIN_LATER;
}

static void exchanged(struct exchange *exchange, struct answer *answer, enum verdict verdict)
{
	struct way *way = (struct way *)((char *)exchange - offsetof(struct way, exchange));
	struct passage *passage = &way->passage;
	const struct corefile_forward *next = NULL;
	enum plugin_result result;

	passage->now_ns = resolver_now(way->resolver);
	if (answer && wants_next(way->forward, answer))
		next = next_forward(way);
	if (next) {
		answer__free(answer);
		result = ask(way, next);
		if (result != PLUGIN_LATER)
			way->resume(way, result);
		return;
	}
	passage->answer = answer;
	passage->verdict = verdict;
	passage->error = exchange->error[0] ? exchange->error : "no upstream answered";
	way->resume(way, PLUGIN_ANSWER);
}

static enum plugin_result forward_query(void *state, struct passage *passage)
{
	struct way *way = way_of(passage);
	const struct corefile_forward *forward;

	if (passage->own_only)
		return plugin__fail(passage, DNS_SERVFAIL, "others are asked");
	/* upstreams are asked for class IN alone */
	if (passage->query.qclass != DNS_CLASS_IN)
		return plugin__fail(passage, DNS_REFUSED, "rewrite: no upstream for this class");
	way->forwards = state;
	way->forward = NULL;
	way->forwards_asked = 0;
	forward = next_forward(way);
	return forward ? ask(way, forward) : PLUGIN_NEXT;
}

/* Are there names below @name that others are asked for than who denied it? */
static bool forward_answers_below(const void *state, const struct dns_name *name)
{
	const struct corefile_block *block = ((const struct forwards *)state)->block;

	for (size_t i = 0; i < block->forwards_len; i++) {
		const struct corefile_forward *forward = &block->forwards[i];

		if (forward->from.name.len > name->len &&
		    dns_name__within(&forward->from.name, name))
			return true;
		for (size_t k = 0; k < forward->except.len; k++) {
			if (dns_name__within(&forward->except.list[k].name, name))
				return true;
		}
	}
	return false;
}

bool server_block__answered(const struct server_block *sb)
{
	const struct forwards *forwards = sb->state[PLUGIN_FORWARD];

	for (size_t i = 0; i < forwards->block->forwards_len; i++) {
		if (!upstream_group__answered(forwards->groups[i]))
			return false;
	}
	return true;
}

struct upstream_group *server_block__group_for(const struct server_block *sb,
					       const struct dns_name *qname)
{
	const struct forwards *forwards = sb->state[PLUGIN_FORWARD];
	const struct corefile_forward *forward =
		forwards ? corefile__forward_for(forwards->block, qname) : NULL;

	return forward ? forwards->groups[forward - forwards->block->forwards] : NULL;
}

const struct plugin forward_plugin = {
	.id = PLUGIN_FORWARD,
	.open = forward_open,
	.close = forward_close,
	.query = forward_query,
	.answers_below = forward_answers_below,
};
