// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * nodens below the agent: server, resolver, upstreams and a store of its own memory, with the
 * agent's beats. Contract: scenario.h.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "config/corefile.h"
#include "config/flags.h"
#include "config/plan.h"
#include "resolver/resolver.h"
#include "scenario.h"
#include "server/server.h"
#include "store/store.h"
#include "upstream/upstream.h"

/* As the agent's. */
#define TICK_NS	      (250 * NSEC_PER_MS)
#define MAX_EXCHANGES 16384
#define SHED_ABOVE    4096
#define BUFSIZE	      1232
#define DRAIN_NS      (UPSTREAM_DEADLINE_NS + NSEC_PER_SEC)

/* A configuration at work, or draining. */
struct at_work {
	struct at_work *older;
	struct corefile *cf;
	struct upstreams *upstreams;
	struct resolver *resolver;
	uint64_t retired_ns;
};

/* ---- what the parts say to each other ---- */

static void on_query(void *ctx, const struct client *client, const struct dns_query *query,
		     uint64_t now)
{
	struct scene *scene = ctx;
	struct client as_asked = *client;

	/* blocks are told apart by port: what stands for 53 is a port that was free */
	as_asked.local.v4.sin_port = htons(53);
	resolver__query(scene->gen->resolver, &as_asked, query, now);
}

static void on_reply(void *ctx, const struct client *client, const uint8_t *msg, size_t len)
{
	struct scene *scene = ctx;

	scene->sent_to_clients += len && !client->tcp;
	server__reply(scene->server, client, msg, len);
}

static void on_refused(void *ctx, const struct client *client, uint16_t rcode, size_t size)
{
	struct scene *scene = ctx;

	(void)rcode;
	(void)size;
	scene->sent_to_clients += !client->tcp;
}

static void on_refresh(void *ctx, const struct store_question *question, uint64_t now)
{
	struct scene *scene = ctx;

	if (scene->gen)
		resolver__refresh(scene->gen->resolver, question, now);
}

static void on_loop(void *ctx, const struct client *client, const char *zone,
		    const struct dns_name *probe)
{
	struct scene *scene = ctx;

	(void)client;
	(void)probe;
	snprintf(scene->loop_zone, sizeof(scene->loop_zone), "%s", zone);
}

/* ---- beats ---- */

static void on_tick(void *ctx, uint64_t now)
{
	store__tick(((struct scene *)ctx)->store, now);
}

static void close_one(struct at_work *gen)
{
	resolver__close(gen->resolver);
	upstreams__close(gen->upstreams);
	corefile__free(gen->cf);
	free(gen);
}

static void on_second(void *ctx, uint64_t now)
{
	struct scene *scene = ctx;

	if (!upstreams__answered(scene->gen->upstreams, NULL))
		upstreams__probe(scene->gen->upstreams);
	resolver__tick(scene->gen->resolver, now);
	for (struct at_work **at = &scene->gen->older; *at;) {
		struct at_work *gen = *at;

		if (resolver__in_flight(gen->resolver) && now - gen->retired_ns < DRAIN_NS) {
			at = &gen->older;
			continue;
		}
		*at = gen->older;
		close_one(gen);
	}
}

/* ---- open ---- */

/* $NAME stands for an upstream's address, $NODENS for our own. */
static struct corefile *parse(struct scene *scene, const char *text)
{
	struct corefile_error err = { "" };
	struct corefile *cf = NULL;
	char *filled = NULL;
	size_t len;
	FILE *out = open_memstream(&filled, &len);

	while (*text) {
		char name[32] = "";

		if (*text != '$' || !isupper((unsigned char)text[1])) {
			fputc(*text++, out);
			continue;
		}
		for (text++; isalnum((unsigned char)*text) && strlen(name) < sizeof(name) - 1;
		     text++)
			name[strlen(name)] = *text;
		scene->unaccounted |= !strcmp(name, "NODENS");
		fprintf(out, "127.0.0.1:%u",
			strcmp(name, "NODENS") ? upstream_peer(scene, name)->port : scene->port);
	}
	fclose(out);
	if (corefile__parse(scene->file, filled, len, &cf, &err))
		scene_fail(scene, "%s", err.text);
	free(filled);
	return cf;
}

static void open_store(struct scene *scene, const struct corefile *cf)
{
	static const struct run_options no_options;
	struct store_config config = {
		.bufsize = BUFSIZE,
		.hash_key = (const uint64_t *)scene->ctl.hash_key,
		.cut_depths = (uint64_t *)&scene->ctl.cut_depths,
		.refresh = on_refresh,
		.ctx = scene,
	};
	uint32_t slab_entries[NODENS_CLASSES];
	struct publisher *publisher;

	plan__capacity(&no_options, cf, config.capacity);
	store__plan(config.capacity, slab_entries);
	if (publisher__none(slab_entries, &publisher) ||
	    store__open(publisher, &config, scene->v.now_ns, &scene->store))
		scene_fail(scene, "store__open");
}

static struct at_work *open_one(struct scene *scene, const char *text)
{
	struct at_work *gen = calloc(1, sizeof(*gen));
	struct upstreams_config upstreams = {
		.loop = &scene->v.loop,
		.stats = &scene->stats,
		.bufsize = BUFSIZE,
		.deadline_ns = UPSTREAM_DEADLINE_NS,
	};
	struct resolver_config resolver = {
		.loop = &scene->v.loop,
		.store = scene->store,
		.stats = &scene->stats,
		.bufsize = BUFSIZE,
		.max_exchanges = MAX_EXCHANGES,
		.shed_above = SHED_ABOVE,
		.reply = on_reply,
		.looped = on_loop,
		.ctx = scene,
	};
	struct server_block_error err;

	gen->cf = parse(scene, text);
	if (!scene->store)
		open_store(scene, gen->cf);
	if (upstreams__open(&upstreams, &gen->upstreams))
		scene_fail(scene, "upstreams__open");
	resolver.corefile = gen->cf;
	resolver.store = scene->store;
	resolver.upstreams = gen->upstreams;
	if (resolver__open(&resolver, &gen->resolver, &err))
		scene_fail(scene, "%s", err.text);
	return gen;
}

static void take_over(struct scene *scene, struct at_work *gen)
{
	struct at_work *before = scene->gen;
	uint64_t now = scene->v.now_ns;
	int *same = NULL;

	if (before) {
		same = corefile__unchanged(before->cf, gen->cf);
		before->retired_ns = now;
		resolver__leave_store(before->resolver);
		upstreams__inherit(gen->upstreams, before->upstreams);
	}
	gen->older = before;
	scene->gen = gen;
	if (resolver__take_store(gen->resolver, same, before ? before->cf->blocks_len : 0, now) < 0)
		scene_fail(scene, "resolver__take_store");
	free(same);
	upstreams__probe(gen->upstreams);
	resolver__watch_loops(gen->resolver, now);
	virtual_loop__io(&scene->v);
}

static void on_connection(void *ctx, const struct sockaddr *local, struct corefile_timeouts *out)
{
	struct scene *scene = ctx;

	(void)local;
	*out = scene->gen->cf->blocks[0].timeouts;
}

static void open_server(struct scene *scene)
{
	struct server_config config = {
		.loop = &scene->v.loop,
		.stats = &scene->stats,
		.max_tcp = SERVER_MAX_TCP,
		.timeouts = on_connection,
		.refused = on_refused,
		.query = on_query,
		.ctx = scene,
	};
	union sockaddr_any addr = { .v4 = { .sin_family = AF_INET } };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&addr;
	socklen_t len = sizeof(*v4);
	int udp, tcp;

	v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (server__open(&config, &scene->server))
		scene_fail(scene, "server__open");
	/* a port that is free for both; by chance the second is not */
	do {
		v4->sin_port = 0;
		udp = server__socket(&addr, SOCK_DGRAM);
		getsockname(udp, (struct sockaddr *)v4, &len);
		tcp = server__socket(&addr, SOCK_STREAM);
		if (tcp < 0)
			close(udp);
	} while (tcp < 0);
	scene->port = ntohs(v4->sin_port);
	if (server__add_udp(scene->server, udp, AF_INET, scene->port) ||
	    server__add_tcp(scene->server, tcp))
		scene_fail(scene, "server__add");
}

/* A datagram is under way: to nodens, to an upstream, or to a client. */
static bool owed(void *ctx)
{
	const struct scene *scene = ctx;
	const uint64_t *v = scene->stats.v;

	return scene->sent_to_nodens > v[AGENT_STAT_QUERIES] - v[AGENT_STAT_QUERIES_TCP] ||
	       (!scene->unaccounted && (scene->sent_to_clients > scene->got_by_clients ||
					v[AGENT_STAT_UPSTREAM_UDP] > scene->got_by_upstreams));
}

void nodens_open(struct scene *scene, const char *text)
{
	struct at_work *gen;

	if (getrandom(scene->ctl.hash_key, sizeof(scene->ctl.hash_key), 0) < 0)
		scene_fail(scene, "getrandom");
	scene->v.owed = owed;
	scene->v.ctx = scene;
	open_server(scene);
	gen = open_one(scene, text);
	loop_timer__init(&scene->tick, &scene->v.loop, on_tick, scene);
	loop_timer__init(&scene->second, &scene->v.loop, on_second, scene);
	take_over(scene, gen);
	/* What happens next is not in the instant in which the upstreams were heard for the first
	 * time. */
	scene->v.now_ns++;
	scene->began_ns = scene->stopwatch_ns = scene->v.now_ns;
	for (struct list *node = scene->upstreams.next; node != &scene->upstreams;
	     node = node->next)
		upstream_forget(list_entry(node, struct upstream_peer, link));
	loop_timer__every(&scene->tick, TICK_NS);
	loop_timer__every(&scene->second, NSEC_PER_SEC);
}

void nodens_reload(struct scene *scene, const char *text)
{
	take_over(scene, open_one(scene, text));
}

void nodens_close(struct scene *scene)
{
	loop_timer__stop(&scene->tick);
	loop_timer__stop(&scene->second);
	while (scene->gen) {
		struct at_work *older = scene->gen->older;

		close_one(scene->gen);
		scene->gen = older;
	}
	server__close(scene->server);
	store__close(scene->store);
}

/* ---- looks ---- */

uint64_t nodens_counter(const struct scene *scene, const char *name)
{
	static const char *const names[] = {
#define X(id, name, help) [AGENT_STAT_##id] = name,
		AGENT_STATS(X) AGENT_GAUGES(X)
#undef X
	};
	struct store_stats store;

	for (int i = 0; i < AGENT_STAT_COUNT; i++) {
		if (!strcmp(names[i], name))
			return scene->stats.v[i];
	}
	store__stats(scene->store, &store);
	if (!strcmp(name, "entries"))
		return store.entries[0] + store.entries[1];
	if (!strcmp(name, "entries_stale"))
		return store.stale;
	if (!strcmp(name, "evicted"))
		return store.evicted[0] + store.evicted[1];
	scene_fail(scene, "no such counter: those of `nodens stats`, and entries, entries_stale, "
			  "evicted");
}

const char *nodens_waits_for(const struct scene *scene)
{
	const struct corefile_forward *waiting = NULL;

	for (const struct corefile_block *b = scene->gen->cf->blocks;
	     !upstreams__answered(scene->gen->upstreams, &waiting) &&
	     b < scene->gen->cf->blocks + scene->gen->cf->blocks_len;
	     b++) {
		for (size_t i = 0; i < b->forwards_len; i++) {
			if (&b->forwards[i] == waiting)
				return b->zones[0].text;
		}
	}
	return NULL;
}

struct looked_for {
	struct dns_name qname;
	uint16_t qtype;
	uint32_t hits;
	uint64_t now;
	enum served served;
};

/* As bpf/store.bpf.h; a hit leaves its marks. */
static bool look(void *ctx, const struct store_question *question, const struct nodens_slot *slot)
{
	struct looked_for *l = ctx;

	if (question->qtype != l->qtype || question->key_flags ||
	    !dns_name__equal(&question->qname, &l->qname))
		return true;
	if (slot->expires_ns > l->now)
		l->served = SERVED;
	else if (slot->expires_ns + slot->stale_s * NSEC_PER_SEC > l->now)
		l->served = SERVED_STALE;
	if (l->served != PASSED && l->hits) {
		((struct nodens_slot *)slot)->hits += l->hits;
		((struct nodens_slot *)slot)->last_use = l->now >> 30;
	}
	return true;
}

enum served nodens_programs(struct scene *scene, const char *name, const char *type, uint32_t hits)
{
	struct looked_for l = { .hits = hits, .now = scene->v.now_ns, .served = PASSED };

	l.qtype = ldns_get_rr_type_by_name(type);
	if (dns_name__from_text(&l.qname, name))
		scene_fail(scene, "%s is no name", name);
	store__filter(scene->store, look, &l);
	return l.served;
}
