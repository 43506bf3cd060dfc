// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The steps of a script that are neither a client's nor an upstream's. Contract: scenario.h.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/generation.h"
#include "scenario.h"

uint64_t step_duration(const struct scene *scene, const char *word)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = { { "ns", 1 },  { "us", 1e3 },     { "ms", 1e6 },
		      { "s", 1e9 }, { "m", 60 * 1e9 }, { "h", 3600 * 1e9 } };
	char *unit;
	double value = word ? strtod(word, &unit) : 0;

	for (size_t i = 0; word && unit != word && i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strcmp(unit, units[i].unit))
			return llround(value * units[i].ns);
	}
	scene_fail(scene, "%s: a time is wanted, as 1.8s, 400ms, 5m", word ? word : "(nothing)");
}

uint32_t step_number(const struct scene *scene, const char *word)
{
	char *end;
	unsigned long n = word ? strtoul(word, &end, 10) : 0;

	if (!word || end == word || *end)
		scene_fail(scene, "%s: a number is wanted", word ? word : "(nothing)");
	return n;
}

void step_name(const struct scene *scene, const char *word, char name[256])
{
	size_t len = word ? strlen(word) : 0;

	if (!len || len > 253)
		scene_fail(scene, "a name is wanted");
	for (size_t i = 0; i <= len; i++)
		name[i] = tolower((unsigned char)word[i]);
	if (name[len - 1] != '.')
		strcpy(name + len, ".");
}

static bool is(char **words, int n, int at, const char *word)
{
	return at < n && !strcmp(words[at], word);
}

static void time_passes(struct scene *scene, char **words, int n)
{
	if (n != 3)
		scene_fail(scene, "time passes DURATION");
	virtual_loop__run(&scene->v, scene->v.now_ns + step_duration(scene, words[2]), NULL, NULL);
	virtual_loop__io(&scene->v);
}

static void counter(struct scene *scene, char **words, int n)
{
	uint64_t want, got;

	if (n != 4 || !is(words, n, 2, "is"))
		scene_fail(scene, "counter NAME is NUMBER");
	want = step_number(scene, words[3]);
	got = nodens_counter(scene, words[1]);
	if (want != got)
		scene_fail(scene, "expected %llu, got %llu", (unsigned long long)want,
			   (unsigned long long)got);
}

/* What the programs do with a question now; @hits: they get it so often. */
static void programs_once(struct scene *scene, const char *name, const char *type, enum served want,
			  uint32_t hits)
{
	static const char *const texts[] = { [PASSED] = "pass it to the agent",
					     [SERVED] = "serve it",
					     [SERVED_STALE] = "serve it as stale" };
	enum served got = nodens_programs(scene, name, type, hits);

	if (got != want)
		scene_fail(scene, "expected that the programs %s, but they %s", texts[want],
			   texts[got]);
}

static void programs(struct scene *scene, char **words, int n)
{
	bool pass = is(words, n, 1, "pass"), stale = is(words, n, 4, "stale");
	enum served want = pass ? PASSED : stale ? SERVED_STALE : SERVED;
	uint64_t every_ns = 0, end = scene->v.now_ns;
	int at = stale ? 5 : 4;
	uint32_t hits = 0;
	char name[256];

	if (n < 4 || (!pass && !is(words, n, 1, "serve")))
		scene_fail(scene, "programs serve NAME TYPE [stale] [N times] [every TIME for "
				  "TIME], or pass NAME TYPE");
	step_name(scene, words[2], name);
	if (is(words, n, at + 1, "times")) {
		hits = step_number(scene, words[at]);
		at += 2;
	}
	if (is(words, n, at, "every") && is(words, n, at + 2, "for") && n == at + 4) {
		every_ns = step_duration(scene, words[at + 1]);
		end += step_duration(scene, words[at + 3]);
	} else if (n != at) {
		scene_fail(scene, "%s: N times, every TIME for TIME", words[at]);
	}
	programs_once(scene, name, words[3], want, hits);
	while (every_ns && scene->v.now_ns + every_ns <= end) {
		virtual_loop__run(&scene->v, scene->v.now_ns + every_ns, NULL, NULL);
		programs_once(scene, name, words[3], want, hits);
	}
}

/* When is drawn, so how often is between two numbers. */
static void probe(struct scene *scene, char **words, int n)
{
	static const char *const results[PROBE_OUTCOMES] = { "success", "timeout", "unexpected",
							     "error" };
	struct probe_stats stats = { .known = false };
	uint64_t got = 0, least, most;
	char name[256];
	int result = 0;

	if (n != 9 || !is(words, n, 2, "via") || !is(words, n, 6, "to") ||
	    !is(words, n, 8, "times"))
		scene_fail(scene, "probe NAME via node|UPSTREAM RESULT N to M times");
	step_name(scene, words[1], name);
	least = step_number(scene, words[5]);
	most = step_number(scene, words[7]);
	while (result < PROBE_OUTCOMES && strcmp(words[4], results[result]))
		result++;
	if (result == PROBE_OUTCOMES)
		scene_fail(scene, "%s: success, timeout, unexpected or error", words[4]);
	if (nodens_probe(scene, name, words[3], &stats))
		got = stats.outcomes[result];
	if (got < least || got > most)
		scene_fail(scene, "expected %llu to %llu, got %llu", (unsigned long long)least,
			   (unsigned long long)most, (unsigned long long)got);
}

/* Of the last answer of the node. */
static void answer_age(struct scene *scene, char **words, int n)
{
	struct probe_stats stats = { .known = false };
	uint64_t least, most;
	char name[256];

	if (n != 6 || !is(words, n, 2, "is") || !is(words, n, 4, "to"))
		scene_fail(scene, "age NAME is TIME to TIME");
	step_name(scene, words[1], name);
	least = step_duration(scene, words[3]);
	most = step_duration(scene, words[5]);
	if (!nodens_probe(scene, name, "node", &stats) || !stats.has_age)
		scene_fail(scene, "its age is not known");
	if (stats.age_ns < least || stats.age_ns > most)
		scene_fail(scene, "expected %s to %s, got %s", words[3], words[5],
			   scene_time(stats.age_ns));
}

static void nodens(struct scene *scene, char **words, int n)
{
	char zone[256], zones[1024];
	bool waits = generation_waiting(scene->gen, zones, sizeof(zones));

	if (is(words, n, 1, "is") && is(words, n, 2, "ready")) {
		if (waits)
			scene_fail(scene, "expected ready, but it waits for %s", zones);
	} else if (is(words, n, 1, "waits") && is(words, n, 2, "for") && n == 4) {
		step_name(scene, words[3], zone);
		if (!waits || strcmp(zone, zones))
			scene_fail(scene, "expected to wait for %s, but it %s %s", zone,
				   waits ? "waits for" : "is", waits ? zones : "ready");
	} else if (is(words, n, 1, "sees") && is(words, n, 2, "loop") && n == 4) {
		step_name(scene, words[3], zone);
		if (strcmp(zone, scene->loop_zone))
			scene_fail(scene, "expected a loop in %s, but saw %s", zone,
				   *scene->loop_zone ? scene->loop_zone : "none");
		*scene->loop_zone = '\0';
	} else {
		scene_fail(scene, "nodens is ready, waits for ZONE, or sees loop ZONE");
	}
}

static struct client_peer *client_of(struct scene *scene, const char *name)
{
	struct client_peer *client;

	for (struct list *node = scene->clients.next; node != &scene->clients; node = node->next) {
		client = list_entry(node, struct client_peer, link);
		if (!strcmp(client->name, name))
			return client;
	}
	client = calloc(1, sizeof(*client));
	snprintf(client->name, sizeof(client->name), "%s", name);
	client->scene = scene;
	client->fd = -1;
	list__init(&client->replies);
	list__append(&scene->clients, &client->link);
	return client;
}

void scene_step(struct scene *scene, char **words, int n)
{
	if (is(words, n, 0, "time") && is(words, n, 1, "passes")) {
		time_passes(scene, words, n);
	} else if (is(words, n, 0, "stopwatch") && n == 1) {
		scene->stopwatch_ns = scene->v.now_ns;
	} else if (is(words, n, 0, "counter")) {
		counter(scene, words, n);
	} else if (is(words, n, 0, "probe")) {
		probe(scene, words, n);
	} else if (is(words, n, 0, "age")) {
		answer_age(scene, words, n);
	} else if (is(words, n, 0, "programs")) {
		programs(scene, words, n);
	} else if (is(words, n, 0, "nodens")) {
		nodens(scene, words, n);
	} else if (!strncmp(words[0], "client", 6) && n > 1) {
		client_step(client_of(scene, words[0]), words + 1, n - 1);
	} else if (isupper((unsigned char)words[0][0]) && n > 1) {
		upstream_step(upstream_peer(scene, words[0]), words + 1, n - 1);
	} else {
		scene_fail(scene, "no such step: README.md has them");
	}
}

void scene_end(struct scene *scene)
{
	for (struct list *node = scene->clients.next; node != &scene->clients; node = node->next) {
		const struct client_peer *client = list_entry(node, struct client_peer, link);

		if (client_unseen(client))
			scene_fail(scene, "nobody looked at what %s got: %s", client->name,
				   client_unseen(client));
	}
	for (struct list *node = scene->upstreams.next; node != &scene->upstreams;
	     node = node->next) {
		const struct upstream_peer *peer = list_entry(node, struct upstream_peer, link);

		if (upstream_unseen(peer))
			scene_fail(scene, "nobody looked at what %s was asked: %s", peer->name,
				   upstream_unseen(peer));
	}
	if (*scene->loop_zone)
		scene_fail(scene, "nobody expected the loop in %s", scene->loop_zone);
}

void scene_free(struct scene *scene)
{
	while (!list__empty(&scene->clients)) {
		struct list *node = scene->clients.next;

		list__del(node);
		client_free(list_entry(node, struct client_peer, link));
	}
	while (!list__empty(&scene->upstreams)) {
		struct list *node = scene->upstreams.next;

		list__del(node);
		upstream_free(list_entry(node, struct upstream_peer, link));
	}
}
