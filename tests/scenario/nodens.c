// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * nodens but for what the agent does to the node: server, the agent's generations with their
 * resolvers and upstreams, a store of its own memory; beats as the agent's. Contract: scenario.h.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "agent/generation.h"
#include "config/corefile.h"
#include "config/flags.h"
#include "config/plan.h"
#include "scenario.h"
#include "server/server.h"
#include "store/store.h"

#define TICK_NS (250 * NSEC_PER_MS) /* as the agent's */
#define BUFSIZE 1232

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

static void on_refused(void *ctx, const struct client *client, uint16_t rcode, const uint8_t *reply,
		       size_t size)
{
	struct scene *scene = ctx;

	(void)rcode;
	(void)reply;
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

static void on_error_line(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	(void)text;
}

/* ---- beats ---- */

static void on_tick(void *ctx, uint64_t now)
{
	store__tick(((struct scene *)ctx)->store, now);
}

static void on_second(void *ctx, uint64_t now)
{
	struct scene *scene = ctx;

	upstreams__probe(scene->gen->upstreams);
	resolver__tick(scene->gen->resolver, now);
	generation_tick(scene->gen, now);
	generation_reap(scene->gen, now);
}

/* ---- open ---- */

/* $NAME stands for an upstream's address, $NODENS for our own. */
static struct corefile *parse(struct scene *scene, const char *text)
{
	struct error err = { "" };
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
	if (corefile__parse(&corefile_host_options, scene->file, filled, len, &cf, &err))
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
		.nx_below_depths = (uint64_t *)&scene->ctl.nx_below_depths,
		.refresh = on_refresh,
		.ctx = scene,
	};
	struct publisher *publisher;

	plan__capacity(&no_options, cf, config.capacity);
	if (publisher__none(store__plan(config.capacity), &publisher) ||
	    store__open(publisher, &config, scene->v.now_ns, &scene->store))
		scene_fail(scene, "store__open");
}

static void take(struct scene *scene, const char *text)
{
	static const struct run_options no_options;
	struct generation_config config = {
		.loop = &scene->v.loop,
		.stats = &scene->stats,
		.bufsize = BUFSIZE,
		.reply = on_reply,
		.looped = on_loop,
		.error_line = on_error_line,
		.ctx = scene,
	};
	struct corefile *cf = parse(scene, text);
	static const struct plan plan; /* the sockets are the scene's */
	struct generation *gen;
	uint32_t capacity[2];

	if (!scene->store)
		open_store(scene, cf);
	plan__capacity(&no_options, cf, capacity);
	config.store = scene->store;
	if (generation_open(&config, cf, &plan, &gen))
		scene_fail(scene, "generation_open");
	generation_take_over(&scene->gen, gen, scene->store, capacity[0] + capacity[1],
			     scene->v.now_ns);
	upstreams__probe(gen->upstreams);
	resolver__watch_loops(gen->resolver, scene->v.now_ns);
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
	if (getrandom(scene->ctl.hash_key, sizeof(scene->ctl.hash_key), 0) < 0)
		scene_fail(scene, "getrandom");
	scene->v.owed = owed;
	scene->v.ctx = scene;
	open_server(scene);
	loop_timer__init(&scene->tick, &scene->v.loop, on_tick, scene);
	loop_timer__init(&scene->second, &scene->v.loop, on_second, scene);
	take(scene, text);
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
	take(scene, text);
}

void nodens_close(struct scene *scene)
{
	loop_timer__stop(&scene->tick);
	loop_timer__stop(&scene->second);
	while (scene->gen) {
		struct generation *older = scene->gen->older;

		generation_close(scene->gen);
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

bool nodens_probe(struct scene *scene, const char *name, const char *via, struct probe_stats *out)
{
	char addr[32];

	snprintf(addr, sizeof(addr), "%s", via);
	if (strcmp(via, "node") != 0)
		snprintf(addr, sizeof(addr), "127.0.0.1:%u", upstream_peer(scene, via)->port);
	for (size_t i = 0; prober__stats(scene->gen->prober, i, out); i++) {
		if (!strcmp(out->name, name) && !strcmp(out->via, addr))
			return out->known;
	}
	return false;
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
