// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Do we ask ourselves? A question that nobody else asks goes to the upstreams of each block with
 * `loop`; if it comes in as a query, it does.
 *
 * Contract: resolver_priv.h. As CoreDNS a probe is a HINFO question of two random numbers below the
 * block's first zone, asked at the start and after a reload only; and several have to come back,
 * each made anew after the one before: a query that is merely repeated by whoever has seen it ends
 * nothing.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "resolver_priv.h"

#define WATCH_NS      (30 * NSEC_PER_SEC) /* as CoreDNS */
#define AFTERWARDS_NS (2 * NSEC_PER_SEC)
#define LOOPS	      3 /* as CoreDNS: it goes round, then */

/* False: there is no room for it below the zone, or no random number. */
static bool make_name(const struct corefile_zone *zone, struct dns_name *name)
{
	uint64_t random[2];
	char text[64];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return false;
	snprintf(text, sizeof(text), "%llu.%llu.", (unsigned long long)random[0],
		 (unsigned long long)random[1]);
	if (dns_name__from_text(name, text) || name->len - 1 + zone->name.len > DNS_MAX_NAME)
		return false;
	memcpy(name->wire + name->len - 1, zone->name.wire, zone->name.len);
	name->len += zone->name.len - 1;
	return true;
}

void resolver_loop_answered(struct resolver *resolver, const struct server_block *sb)
{
	struct loop_probe *probe = &resolver->loops[sb - resolver->blocks];

	probe->answered = true;
	/* a copy of it may still be under way */
	probe->until_ns = resolver_now(resolver) + AFTERWARDS_NS;
}

static void ask(struct resolver *resolver, size_t block, uint64_t now)
{
	struct question q = {
		.qname = resolver->loops[block].name,
		.qtype = DNS_TYPE_HINFO,
	};
	struct inflight_start start = {
		.sb = &resolver->blocks[block],
		.question = &q,
		.asks = &(struct agent_asks){ .loop = true },
	};

	/* not had now: again in a second */
	inflight_start(resolver, &start, now);
}

/* The same name will not count again: the next one is asked for. */
static void came_back(struct resolver *resolver, size_t block, const struct client *client,
		      uint64_t now)
{
	const struct corefile_zone *zone = &resolver->blocks[block].config->zones[0];
	struct loop_probe *probe = &resolver->loops[block];
	struct dns_name name = probe->name;

	probe->back++;
	if (probe->back < LOOPS) {
		if (make_name(zone, &probe->name))
			ask(resolver, block, now);
	} else if (resolver->config.looped) {
		resolver->config.looped(resolver->config.ctx, client, zone->text, &name);
	}
}

void resolver_loop_look(struct resolver *resolver, const struct question *q,
			const struct client *client, uint64_t now)
{
	if (q->qtype != DNS_TYPE_HINFO)
		return;
	for (size_t i = 0; i < resolver->n_blocks; i++) {
		const struct loop_probe *probe = &resolver->loops[i];

		if (probe->name.len && dns_name__equal(&probe->name, &q->qname)) {
			came_back(resolver, i, client, now);
			return;
		}
	}
}

void resolver__watch_loops(struct resolver *resolver, uint64_t now)
{
	for (size_t i = 0; i < resolver->n_blocks; i++) {
		const struct corefile_block *block = resolver->blocks[i].config;
		struct loop_probe *probe = &resolver->loops[i];

		*probe = (struct loop_probe){ .until_ns = now + WATCH_NS };
		if (!block->loop || !make_name(&block->zones[0], &probe->name))
			probe->name.len = 0;
		else
			ask(resolver, i, now);
	}
}

void resolver_loop_tick(struct resolver *resolver, uint64_t now)
{
	for (size_t i = 0; i < resolver->n_blocks; i++) {
		struct loop_probe *probe = &resolver->loops[i];

		if (!probe->name.len)
			continue;
		if (now >= probe->until_ns)
			probe->name.len = 0;
		else if (!probe->answered)
			ask(resolver, i, now);
	}
}
