// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Configurations that follow one another. Contract: generation.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent_priv.h"
#include "clock.h"

/* Longer than any query may take. */
#define DRAIN_NS (UPSTREAM_DEADLINE_NS + NSEC_PER_SEC)

static int open_upstreams(struct agent *agent, struct generation *gen)
{
	struct upstreams_config config = {
		.base = agent->base,
		.stats = agent->map.stats,
		.bufsize = agent->opts->bufsize,
		.read_ns = UPSTREAM_READ_NS,
		.deadline_ns = UPSTREAM_DEADLINE_NS,
		.changed = agent__on_upstream,
		.ctx = agent,
	};
	int ret = upstreams__open(&config, &gen->upstreams);

	if (ret)
		log_error("cannot set up the upstreams: %s", strerror(-ret));
	return ret;
}

static int open_resolver(struct agent *agent, struct generation *gen)
{
	struct resolver_config config = {
		.corefile = gen->cf,
		.base = agent->base,
		.upstreams = gen->upstreams,
		.store = agent->store,
		.stats = agent->map.stats,
		.hash_key = (const uint64_t *)agent->ctl->hash_key,
		.bufsize = agent->opts->bufsize,
		.max_exchanges = agent->max_exchanges,
		.shed_above = agent->shed_above,
		.reply = agent__on_reply,
		.overload = agent__on_overload,
		.replied = agent__on_replied,
		.loop = agent__on_loop,
		.ctx = agent,
	};
	struct section_error err;
	int ret = resolver__open(&config, &gen->resolver, &err);

	if (ret)
		log_error("%s", err.text);
	return ret;
}

int generation__open(struct agent *agent, struct corefile *cf, const struct plan *plan,
		     struct generation **out)
{
	struct generation *gen = calloc(1, sizeof(*gen));
	int ret;

	if (!gen) {
		log_error("out of memory");
		corefile__free(cf);
		return -ENOMEM;
	}
	gen->cf = cf;
	gen->plan = *plan;
	ret = open_upstreams(agent, gen);
	if (!ret)
		ret = open_resolver(agent, gen);
	if (ret) {
		generation__close(gen);
		return ret;
	}
	*out = gen;
	return 0;
}

void generation__close(struct generation *gen)
{
	if (!gen)
		return;
	resolver__close(gen->resolver);
	upstreams__close(gen->upstreams);
	corefile__free(gen->cf);
	free(gen);
}

static char *block_text(const struct corefile_block *block)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	corefile__print_block(block, out);
	fclose(out);
	return text;
}

/* What is cached of a block that reads as before stays. */
static int *owners_map(const struct corefile *before, const struct corefile *after)
{
	int *same = malloc(before->blocks_len * sizeof(*same));

	for (size_t i = 0; same && i < before->blocks_len; i++) {
		char *text = block_text(&before->blocks[i]);

		same[i] = -1;
		for (size_t k = 0; text && same[i] < 0 && k < after->blocks_len; k++) {
			char *other = block_text(&after->blocks[k]);

			if (other && !strcmp(text, other))
				same[i] = (int)k;
			free(other);
		}
		free(text);
	}
	return same;
}

void generation__take_over(struct agent *agent, struct generation *gen, uint64_t now)
{
	struct generation *before = agent->gen;
	int *same = NULL, ret;

	if (before) {
		same = owners_map(before->cf, gen->cf);
		before->retired_ns = now;
		upstreams__inherit(gen->upstreams, before->upstreams);
	}
	gen->older = before;
	agent->gen = gen;
	ret = resolver__take_store(gen->resolver, same, before ? before->cf->blocks_len : 0, now);
	if (ret > 0)
		log_warn("the cache was made for %u answers, which the capacities are more than: "
			 "each "
			 "block has its share until the next start",
			 agent->ctl->capacity[0] + agent->ctl->capacity[1]);
	if (ret < 0)
		log_error("nothing is cached: %s", strerror(-ret));
	free(same);
}

void generation__reap(struct agent *agent, uint64_t now)
{
	for (struct generation **at = &agent->gen->older; *at;) {
		struct generation *gen = *at;

		if (resolver__in_flight(gen->resolver) && now - gen->retired_ns < DRAIN_NS) {
			at = &gen->older;
			continue;
		}
		*at = gen->older;
		generation__close(gen);
	}
}

unsigned int generation__in_flight(const struct agent *agent)
{
	unsigned int n = 0;

	for (const struct generation *gen = agent->gen; gen; gen = gen->older)
		n += resolver__in_flight(gen->resolver);
	return n;
}
