// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Names that are looked up again and again. Contract: prober.h.
 */
#include "resolver/prober.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "dns/answer.h"
#include "prober_priv.h"

/* How often a file of names is looked at. */
#define FILE_NS (5 * NSEC_PER_SEC)

/* One way that a name is asked in: as the node's client, or of one upstream. */
struct probe {
	struct target *target;
	struct exchange exchange;
	uint64_t sent_ns;
	bool out; /* not judged yet */
	char via[SOCKADDR_TEXT];
	struct probe_stats stats;
};

struct target {
	struct resolver_asker asker; /* the client's owner */
	struct list link;
	struct block_probe *block;
	struct dns_query query;
	struct client client;
	struct loop_timer next;	      /* when it is asked again */
	struct loop_timer limit;      /* the timeout */
	struct upstream_group *group; /* NULL: no upstream is asked for itself */
	bool in_resolver;	      /* the node's reply has not come, though it may be late */
	bool gone;		      /* freed when that has come */
	char name[1024];
	size_t n;
	struct probe probes[]; /* the first is the node's */
};

struct block_probe {
	struct prober *prober;
	const struct server_block *sb;
	const struct corefile_probe *config;
	struct list targets;
	uint64_t look_ns;
	struct stat seen;
	bool read;
	char problem[256];
};

struct prober {
	struct prober_config config;
	size_t n;
	struct block_probe *blocks;
};

static uint64_t now_of(const struct prober *prober)
{
	return loop__now(prober->config.loop);
}

/* ---- what an answer is worth ---- */

static bool is_expected_addr(const struct corefile_probe *config, const uint8_t *rdata, size_t len)
{
	struct served_addr addr = served_addr__of(&config->expect_addr);

	return len == served_addr__len(&addr) && !memcmp(rdata, &addr.v4, len);
}

static bool has_addr(const struct target *target, const uint8_t *msg, size_t len)
{
	unsigned int records = msg[6] << 8 | msg[7];
	struct dns_cursor cur;
	struct dns_rr rr;

	dns_cursor__records(&cur, msg, len);
	while (records-- && !cur.error) {
		dns_cursor__rr(&cur, &rr);
		if (!cur.error && rr.type == target->query.qtype &&
		    is_expected_addr(target->block->config, msg + rr.rdata_at, rr.rdata_len))
			return true;
	}
	return false;
}

/* Of a reply to the target's query. */
static enum probe_outcome judge(const struct target *target, const uint8_t *msg, size_t len)
{
	const struct corefile_probe *config = target->block->config;

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
		histogram__add(&stats->time, now_of(probe->target->block->prober) - probe->sent_ns);
}

/* ---- targets ---- */

static void free_target(struct target *target)
{
	for (size_t i = 1; i < target->n; i++)
		exchange__cancel(&target->probes[i].exchange);
	loop_timer__stop(&target->next);
	loop_timer__stop(&target->limit);
	list__del(&target->link);
	free(target);
}

/* Now, or when the node's reply has come: until then the resolver knows it. */
static void remove_target(struct target *target)
{
	if (!target->in_resolver) {
		free_target(target);
		return;
	}
	for (size_t i = 1; i < target->n; i++)
		exchange__cancel(&target->probes[i].exchange);
	loop_timer__stop(&target->next);
	loop_timer__stop(&target->limit);
	list__del(&target->link);
	target->gone = true;
}

/* The node's question is over. */
static void let_go(struct target *target)
{
	target->in_resolver = false;
	if (target->gone)
		free_target(target);
}

/* ---- asking ---- */

/* The upstream has not answered. */
static enum probe_outcome in_vain(const struct exchange *exchange)
{
	return exchange->silent ? PROBE_TIMEOUT : PROBE_ERROR;
}

static void on_limit(void *ctx, uint64_t now)
{
	struct target *target = ctx;

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
	const struct target *target = probe->target;
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
	const struct target *target = probe->target;

	probe->out = true;
	probe->sent_ns = now;
	probe->exchange.qname = target->query.qname;
	probe->exchange.qtype = target->query.qtype;
	probe->exchange.done = on_upstream_done;
	exchange__watch(target->group, index, &probe->exchange, now);
}

/* What the reply says of the target may end it: it is not touched after the last call. */
static void ask(struct target *target, uint64_t now)
{
	struct prober *prober = target->block->prober;

	loop_timer__set(&target->limit, target->block->config->timeout_ns);
	for (size_t i = 1; i < target->n; i++)
		ask_upstream(&target->probes[i], i - 1, now);
	target->probes[0].out = true;
	target->probes[0].sent_ns = now;
	target->in_resolver = true;
	resolver__query(prober->config.resolver, &target->client, &target->query, now);
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
static bool is_out(const struct target *target)
{
	for (size_t i = 0; i < target->n; i++) {
		if (target->probes[i].out)
			return true;
	}
	return target->in_resolver;
}

static void on_next(void *ctx, uint64_t now)
{
	struct target *target = ctx;
	uint64_t interval_ns = target->block->config->interval_ns;

	/* a tenth more or less, so that names and nodes do not march in step */
	loop_timer__set(&target->next, interval_ns - interval_ns / 10 + draw(interval_ns / 5));
	if (!is_out(target))
		ask(target, now);
}

static void on_replied(struct resolver_asker *asker, const struct resolver_event *event)
{
	struct target *target = list_entry(asker, struct target, asker);
	struct probe *probe = &target->probes[0];
	const struct prober *prober = target->block->prober;
	const struct dns_query *query = &target->query;
	uint64_t now = now_of(prober), stored_ns = now;

	if (probe->out) {
		record(probe,
		       event->error ? PROBE_ERROR : judge(target, event->reply, event->size));
		if (event->hit && prober->config.store)
			stored_ns = store__stored_ns(prober->config.store, &query->qname,
						     query->qtype, query->key_flags);
		probe->stats.has_age = stored_ns && !event->error;
		probe->stats.age_ns = stored_ns < now ? now - stored_ns : 0;
	}
	let_go(target);
}

static void on_dropped(struct resolver_asker *asker)
{
	struct target *target = list_entry(asker, struct target, asker);

	if (target->probes[0].out && !target->gone)
		record(&target->probes[0], PROBE_ERROR);
	let_go(target);
}

/* ---- from names to targets ---- */

/* As a process of the node that asks the block's first address. */
static void make_client(struct target *target, const struct corefile_block *block)
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

static void name_probe(struct probe *probe, struct target *target, const union sockaddr_any *addr)
{
	probe->target = target;
	if (addr)
		sockaddr__text(addr, probe->via, sizeof(probe->via));
	else
		strcpy(probe->via, "node");
	probe->stats.via = probe->via;
	probe->stats.name = target->name;
	probe->stats.zone = target->block->sb->config->zones[0].text;
}

static int add_target(struct block_probe *block, const struct dns_name *name)
{
	const struct corefile_forward *forward = corefile__forward_for(block->sb->config, name);
	size_t n = block->config->upstreams && forward ? forward->upstreams_len : 0;
	struct target *target = calloc(1, sizeof(*target) + (n + 1) * sizeof(target->probes[0]));
	struct loop *loop = block->prober->config.loop;
	bool ipv6 =
		block->config->expects_addr && block->config->expect_addr.sa.sa_family == AF_INET6;

	if (!target)
		return -ENOMEM;
	target->block = block;
	target->n = n + 1;
	target->query = (struct dns_query){
		.flags = DNS_RD,
		.qname = *name,
		.qtype = ipv6 ? DNS_TYPE_AAAA : DNS_TYPE_A,
		.qclass = DNS_CLASS_IN,
	};
	make_client(target, block->sb->config);
	target->group = n ? server_block__group_for(block->sb, name) : NULL;
	dns_name__to_text(name, target->name, sizeof(target->name));
	name_probe(&target->probes[0], target, NULL);
	for (size_t i = 0; i < n; i++)
		name_probe(&target->probes[i + 1], target, &forward->upstreams[i].addr);
	loop_timer__init(&target->next, loop, on_next, target);
	loop_timer__init(&target->limit, loop, on_limit, target);
	list__append(&block->targets, &target->link);
	return loop_timer__set(&target->next, draw(block->config->interval_ns));
}

static struct target *find_target(const struct block_probe *block, const struct dns_name *name)
{
	for (struct list *at = block->targets.next; at != &block->targets; at = at->next) {
		struct target *target = list_entry(at, struct target, link);

		if (dns_name__equal(&target->query.qname, name))
			return target;
	}
	return NULL;
}

/* Those that stay go on as they are. */
static int take_names(struct block_probe *block, const struct probe_names *names)
{
	struct list *next;
	int ret = 0;

	for (struct list *at = block->targets.next; at != &block->targets; at = next) {
		struct target *target = list_entry(at, struct target, link);

		next = at->next;
		if (!probe_names_have(names, &target->query.qname))
			remove_target(target);
	}
	for (size_t i = 0; !ret && i < names->len; i++) {
		if (!find_target(block, &names->list[i]))
			ret = add_target(block, &names->list[i]);
	}
	return ret;
}

static void tell(struct block_probe *block, const char *problem)
{
	const struct prober_config *config = &block->prober->config;

	if (*problem && strcmp(problem, block->problem) != 0 && config->problem)
		config->problem(config->ctx, problem);
	snprintf(block->problem, sizeof(block->problem), "%s", problem);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_size == b->st_size && a->st_ino == b->st_ino;
}

/* A file that is gone for a moment, as editors do it: what it said holds. */
static int look_at_file(struct block_probe *block)
{
	struct probe_names names;
	struct stat st = { 0 };
	bool there = !stat(block->config->file, &st);

	if (block->read && (!there || same_file(&st, &block->seen)))
		return 0;
	block->seen = st;
	there = probe_names_read(block->config->file, block->sb->config, &names);
	tell(block, names.problem);
	if (!there)
		return 0;
	block->read = true;
	return take_names(block, &names);
}

void prober__tick(struct prober *prober, uint64_t now)
{
	for (size_t i = 0; prober && i < prober->n; i++) {
		struct block_probe *block = &prober->blocks[i];

		if (!block->config->file || now < block->look_ns)
			continue;
		block->look_ns = now + FILE_NS;
		if (look_at_file(block))
			tell(block, "probe: out of memory: not all names are probed");
	}
}

/* ---- open and close ---- */

/* One cache serves pods, so one block of each zone is probed: the first. */
static bool is_probed(const struct corefile *cf, size_t index)
{
	const struct corefile_block *block = &cf->blocks[index];

	for (size_t i = 0; i < index; i++) {
		if (cf->blocks[i].has_probe && !cf->blocks[i].apart &&
		    dns_name__equal(&cf->blocks[i].zones[0].name, &block->zones[0].name))
			return false;
	}
	return block->has_probe && !block->apart;
}

static int open_block(struct prober *prober, const struct server_block *sb)
{
	struct block_probe *block = &prober->blocks[prober->n++];
	const struct corefile_zones *names = &sb->config->probe.names;
	struct probe_names list = { .len = 0 };

	block->prober = prober;
	block->sb = sb;
	block->config = &sb->config->probe;
	list__init(&block->targets);
	if (block->config->file)
		return look_at_file(block);
	for (size_t i = 0; i < names->len; i++) {
		if (!probe_names_have(&list, &names->list[i].name))
			list.list[list.len++] = names->list[i].name;
	}
	return take_names(block, &list);
}

int prober__open(const struct prober_config *config, const struct corefile *cf, struct prober **out)
{
	const struct server_block *blocks;
	struct prober *prober;
	size_t n, probed = 0;
	int ret = 0;

	blocks = resolver__blocks(config->resolver, &n);
	for (size_t i = 0; i < n; i++)
		probed += is_probed(cf, i);
	*out = NULL;
	if (!probed)
		return 0;
	prober = calloc(1, sizeof(*prober));
	if (!prober)
		return -ENOMEM;
	prober->config = *config;
	prober->blocks = calloc(probed, sizeof(prober->blocks[0]));
	if (!prober->blocks)
		ret = -ENOMEM;
	for (size_t i = 0; !ret && i < n; i++) {
		if (is_probed(cf, i))
			ret = open_block(prober, &blocks[i]);
	}
	if (ret)
		prober__close(prober);
	else
		*out = prober;
	return ret;
}

void prober__stop(struct prober *prober)
{
	struct probe_names none = { .len = 0 };

	for (size_t i = 0; prober && i < prober->n; i++) {
		take_names(&prober->blocks[i], &none);
		prober->blocks[i].look_ns = UINT64_MAX;
	}
}

void prober__close(struct prober *prober)
{
	if (!prober)
		return;
	prober__stop(prober);
	free(prober->blocks);
	free(prober);
}

/* ---- figures ---- */

static struct probe *probe_at(const struct prober *prober, size_t index)
{
	for (size_t i = 0; prober && i < prober->n; i++) {
		const struct list *targets = &prober->blocks[i].targets;

		for (struct list *at = targets->next; at != targets; at = at->next) {
			struct target *target = list_entry(at, struct target, link);

			if (index < target->n)
				return &target->probes[index];
			index -= target->n;
		}
	}
	return NULL;
}

bool prober__stats(const struct prober *prober, size_t index, struct probe_stats *out)
{
	const struct probe *probe = probe_at(prober, index);

	if (probe)
		*out = probe->stats;
	return probe;
}

static bool same_way(const struct probe *a, const struct probe *b)
{
	return !strcmp(a->stats.zone, b->stats.zone) && !strcmp(a->stats.name, b->stats.name) &&
	       !strcmp(a->via, b->via);
}

void prober__inherit(struct prober *prober, const struct prober *before)
{
	struct probe *probe;

	for (size_t i = 0; (probe = probe_at(prober, i)); i++) {
		const struct probe *old;
		size_t k = 0;

		while ((old = probe_at(before, k)) && !same_way(probe, old))
			k++;
		if (!old)
			continue;
		memcpy(probe->stats.outcomes, old->stats.outcomes, sizeof(old->stats.outcomes));
		probe->stats.time = old->stats.time;
		probe->stats.known = old->stats.known;
		probe->stats.success = old->stats.success;
	}
}
