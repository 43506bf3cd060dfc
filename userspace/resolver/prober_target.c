// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A name that is looked up again and again: how it is asked for, and what its answers are worth.
 * Contract: prober_priv.h.
 */
#include "prober_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dns/answer.h"

static uint64_t now_of(const struct probe_target *target)
{
	return loop__now(target->config->loop);
}

/* ---- what an answer is worth ---- */

static bool is_expected_addr(const struct corefile_probe *config, const uint8_t *rdata, size_t len)
{
	struct served_addr addr = served_addr__of(&config->expect_addr);

	return len == served_addr__len(&addr) && !memcmp(rdata, &addr.v4, len);
}

static bool has_addr(const struct probe_target *target, const uint8_t *msg, size_t len)
{
	unsigned int records = msg[6] << 8 | msg[7];
	struct dns_cursor cur;
	struct dns_rr rr;

	dns_cursor__records(&cur, msg, len);
	while (records-- && !cur.error) {
		dns_cursor__rr(&cur, &rr);
		if (!cur.error && rr.type == target->query.qtype &&
		    is_expected_addr(target->how, msg + rr.rdata_at, rr.rdata_len))
			return true;
	}
	return false;
}

/* Of a reply to the target's query. */
static enum probe_outcome judge(const struct probe_target *target, const uint8_t *msg, size_t len)
{
	const struct corefile_probe *config = target->how;

	if ((msg[3] & DNS_RCODE) != config->expect_rcode)
		return PROBE_UNEXPECTED;
	if (config->expects_addr && !has_addr(target, msg, len))
		return PROBE_UNEXPECTED;
	return PROBE_SUCCESS;
}

static void record(struct probe *probe, enum probe_outcome outcome)
{
	struct probe_stats *stats = &probe->stats;

	probe->out = false;
	stats->known = true;
	stats->success = outcome == PROBE_SUCCESS;
	stats->outcomes[outcome]++;
	if (outcome == PROBE_SUCCESS || outcome == PROBE_UNEXPECTED)
		histogram__add(&stats->time, now_of(probe->target) - probe->sent_ns);
}

/* ---- the end ---- */

static void stop(struct probe_target *target)
{
	for (size_t i = 1; i < target->n; i++)
		exchange__cancel(&target->probes[i].exchange);
	loop_timer__stop(&target->next);
	loop_timer__stop(&target->limit);
	list__del(&target->link);
}

void probe_target_close(struct probe_target *target)
{
	stop(target);
	if (target->in_resolver)
		target->gone = true;
	else
		free(target);
}

/* The node's question is over. */
static void let_go(struct probe_target *target)
{
	target->in_resolver = false;
	if (target->gone)
		free(target);
}

/* ---- asking ---- */

/* The upstream has not answered. */
static enum probe_outcome in_vain(const struct exchange *exchange)
{
	return exchange->silent ? PROBE_TIMEOUT : PROBE_ERROR;
}

static void on_limit(void *ctx, uint64_t now)
{
	struct probe_target *target = ctx;

	(void)now;
	if (target->probes[0].out)
		record(&target->probes[0], PROBE_TIMEOUT);
	for (size_t i = 1; i < target->n; i++) {
		struct probe *probe = &target->probes[i];

		if (!probe->out)
			continue;
		exchange__cancel(&probe->exchange);
		record(probe, in_vain(&probe->exchange));
	}
}

static void on_upstream_done(struct exchange *exchange, struct answer *answer, enum verdict verdict)
{
	struct probe *probe = list_entry(exchange, struct probe, exchange);
	const struct probe_target *target = probe->target;
	static uint8_t msg[DNS_MAX_MSG];
	struct reply_options options = { .limit = sizeof(msg) };
	int len = answer ? reply__build(msg, sizeof(msg), &target->query, answer, &options) : -1;

	(void)verdict;
	if (len >= DNS_HEADER)
		record(probe, judge(target, msg, len));
	else
		record(probe, answer ? PROBE_ERROR : in_vain(exchange));
	answer__free(answer);
}

static void ask_upstream(struct probe *probe, size_t index, uint64_t now)
{
	const struct probe_target *target = probe->target;

	probe->out = true;
	probe->sent_ns = now;
	probe->exchange.qname = target->query.qname;
	probe->exchange.qtype = target->query.qtype;
	probe->exchange.done = on_upstream_done;
	exchange__watch(target->group, index, &probe->exchange, now);
}

/* What the reply says of the target may end it: it is not touched after the last call. */
static void ask(struct probe_target *target, uint64_t now)
{
	loop_timer__set(&target->limit, target->how->timeout_ns);
	for (size_t i = 1; i < target->n; i++)
		ask_upstream(&target->probes[i], i - 1, now);
	target->probes[0].out = true;
	target->probes[0].sent_ns = now;
	target->in_resolver = true;
	resolver__query(target->config->resolver, &target->client, &target->query, now);
}

/* From 0 to @limit_ns. */
static uint64_t draw(uint64_t limit_ns)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = 0;
	return random % (limit_ns + 1);
}

/* The one before is still waited for, or the resolver has not done with it. */
static bool is_out(const struct probe_target *target)
{
	for (size_t i = 0; i < target->n; i++) {
		if (target->probes[i].out)
			return true;
	}
	return target->in_resolver;
}

static void on_next(void *ctx, uint64_t now)
{
	struct probe_target *target = ctx;
	uint64_t interval_ns = target->how->interval_ns;

	/* a tenth more or less, so that names and nodes do not march in step */
	loop_timer__set(&target->next, interval_ns - interval_ns / 10 + draw(interval_ns / 5));
	if (!is_out(target))
		ask(target, now);
}

static void on_replied(struct resolver_asker *asker, const struct resolver_event *event)
{
	struct probe_target *target = list_entry(asker, struct probe_target, asker);
	struct probe *probe = &target->probes[0];
	const struct store *store = target->config->store;
	const struct dns_query *query = &target->query;
	uint64_t now = now_of(target), stored_ns = now;

	if (probe->out) {
		record(probe,
		       event->error ? PROBE_ERROR : judge(target, event->reply, event->size));
		if (event->hit && store)
			stored_ns = store__stored_ns(store, &query->qname, query->qtype,
						     query->key_flags);
		probe->stats.has_age = stored_ns && !event->error;
		probe->stats.age_ns = stored_ns < now ? now - stored_ns : 0;
	}
	let_go(target);
}

static void on_dropped(struct resolver_asker *asker)
{
	struct probe_target *target = list_entry(asker, struct probe_target, asker);

	if (target->probes[0].out && !target->gone)
		record(&target->probes[0], PROBE_ERROR);
	let_go(target);
}

/* ---- begin ---- */

/* As a process of the node that asks the block's first address. */
static void make_client(struct probe_target *target, const struct corefile_block *block)
{
	struct client *client = &target->client;
	bool ipv6 = block->binds_len && block->binds[0].sa.sa_family == AF_INET6;

	target->asker = (struct resolver_asker){ on_replied, on_dropped };
	client->owner = &target->asker;
	client->probe = true;
	client->tcp = true; /* the whole answer */
	sockaddr__parse_ip(ipv6 ? "::1" : "127.0.0.1", 0, &client->peer);
	client->local = client->peer;
	if (block->binds_len)
		client->local = block->binds[0];
	sockaddr__set_port(&client->local, block->port);
}

static void name_probe(struct probe *probe, struct probe_target *target,
		       const union sockaddr_any *addr)
{
	probe->target = target;
	if (addr)
		sockaddr__text(addr, probe->via, sizeof(probe->via));
	else
		strcpy(probe->via, "node");
	probe->stats.via = probe->via;
	probe->stats.name = target->name;
	probe->stats.zone = target->sb->config->zones[0].text;
}

int probe_target_open(const struct prober_config *config, const struct server_block *sb,
		      const struct dns_name *name, struct probe_target **out)
{
	const struct corefile_probe *how = &sb->config->probe;
	const struct corefile_forward *forward = corefile__forward_for(sb->config, name);
	size_t n = how->upstreams && forward ? forward->upstreams_len : 0;
	struct probe_target *target =
		calloc(1, sizeof(*target) + (n + 1) * sizeof(target->probes[0]));
	bool ipv6 = how->expects_addr && how->expect_addr.sa.sa_family == AF_INET6;

	if (!target)
		return -ENOMEM;
	target->config = config;
	target->sb = sb;
	target->how = how;
	target->n = n + 1;
	target->query = (struct dns_query){
		.flags = DNS_RD,
		.qname = *name,
		.qtype = ipv6 ? DNS_TYPE_AAAA : DNS_TYPE_A,
		.qclass = DNS_CLASS_IN,
	};
	make_client(target, sb->config);
	target->group = n ? server_block__group_for(sb, name) : NULL;
	dns_name__to_text(name, target->name, sizeof(target->name));
	name_probe(&target->probes[0], target, NULL);
	for (size_t i = 0; i < n; i++)
		name_probe(&target->probes[i + 1], target, &forward->upstreams[i].addr);
	loop_timer__init(&target->next, config->loop, on_next, target);
	loop_timer__init(&target->limit, config->loop, on_limit, target);
	if (loop_timer__set(&target->next, draw(how->interval_ns))) {
		probe_target_close(target);
		return -ENOMEM;
	}
	*out = target;
	return 0;
}
