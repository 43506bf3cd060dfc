// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is worth a change. Contract: report.h.
 */
#include "cmd/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "dns/rrtype.h"

/* Each in docs/operations.md. Queries a second, and shares of 1. */
#define SEARCH_PATH_QPS	  10.0
#define SEARCH_PATH_SHARE 0.3
#define SHORT_TTL_S	  2
#define SHORT_TTL_QPS	  10.0
#define SHORT_TTL_MISSES  0.2
#define TRUNCATED_QPS	  1.0
#define TRUNCATED_SHARE	  0.5
#define EVICTIONS_QPS	  1.0
#define HEAVY_QPS	  500.0
#define HEAVY_SHARE	  0.5

#define MINTTL_S 5 /* CoreDNS' default */

/* Above all rates: queries that get no answer, or a late one. */
#define HURTS_NOW  1e12
#define HURTS_SOME 1e11

static struct finding *add(struct report *report, const char *code, double weight,
			   const char *subject, json_t *figures, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

static void leave_out(struct report *report, const char *code)
{
	size_t i = 0;

	while (report->left_out[i].n && strcmp(report->left_out[i].code, code) != 0)
		i++;
	report->left_out[i].code = code;
	report->left_out[i].n++;
}

/* Where it goes: of REPORT_PER_CODE findings of a code the lightest makes room, or NULL. */
static struct finding *place_for(struct report *report, const char *code, double weight)
{
	struct finding *lightest = NULL;
	size_t same = 0;

	for (size_t i = 0; i < report->n; i++) {
		struct finding *finding = &report->list[i];

		if (strcmp(finding->code, code) != 0)
			continue;
		same++;
		if (!lightest || finding->weight <= lightest->weight)
			lightest = finding;
	}
	if (same < REPORT_PER_CODE)
		return &report->list[report->n++];
	leave_out(report, code);
	if (weight <= lightest->weight)
		return NULL;
	json_decref(lightest->figures);
	return lightest;
}

/* Takes @figures. NULL: there are heavier ones, and enough of them. */
static struct finding *add(struct report *report, const char *code, double weight,
			   const char *subject, json_t *figures, const char *fmt, ...)
{
	struct finding *finding = place_for(report, code, weight);
	va_list ap;

	if (!finding) {
		json_decref(figures);
		return NULL;
	}
	finding->code = code;
	finding->weight = weight;
	finding->figures = figures;
	finding->fix[0] = '\0';
	snprintf(finding->subject, sizeof(finding->subject), "%s", subject);
	va_start(ap, fmt);
	vsnprintf(finding->text, sizeof(finding->text), fmt, ap);
	va_end(ap);
	return finding;
}

#define set_fix(finding, ...)                                                          \
	do {                                                                           \
		if (finding)                                                           \
			snprintf((finding)->fix, sizeof((finding)->fix), __VA_ARGS__); \
	} while (0)

static double asked(const struct traffic *traffic, const struct heavy_item *item)
{
	return (double)(item->n - item->error) / traffic->all.rates.seconds;
}

/* NAME TYPE */
static void question(const struct heavy_item *item, char text[DNS_NAME_TEXT + RRTYPE_TEXT])
{
	char name[DNS_NAME_TEXT], type[RRTYPE_TEXT];
	uint16_t rrtype = traffic__name_text(item, name);

	snprintf(text, DNS_NAME_TEXT + RRTYPE_TEXT, "%s %s", name, rrtype__text(rrtype, type));
}

/* ---- search_path, search_path_pods ---- */

struct searcher {
	const struct heavy_item *client;
	double qps;   /* NXDOMAINs */
	double saved; /* of them, with TRAFFIC_NDOTS */
};

static int by_searches(const void *a, const void *b)
{
	double x = ((const struct searcher *)a)->qps, y = ((const struct searcher *)b)->qps;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* Those of whose queries enough are of a search path, the worst first. */
static size_t find_searchers(struct traffic *traffic, const struct heavy_item *clients,
			     size_t n_clients, struct searcher searchers[HEAVY_COUNTERS])
{
	double seconds = traffic->all.rates.seconds;
	size_t n = 0;

	for (size_t i = 0; i < n_clients; i++) {
		const struct traffic_use *use = clients[i].extra;
		struct searcher searcher = { &clients[i], (double)use->search / seconds,
					     (double)use->saved / seconds };

		if (use->search && searcher.qps >= asked(traffic, &clients[i]) * SEARCH_PATH_SHARE)
			searchers[n++] = searcher;
	}
	qsort(searchers, n, sizeof(*searchers), by_searches);
	return n;
}

static void set_search_fix(struct finding *finding, double qps, double saved)
{
	if (saved > 0)
		set_fix(finding,
			"dnsConfig ndots:%d saves %.0f q/s; a dot at the end of the names %.0f "
			"q/s.",
			TRAFFIC_NDOTS, saved, qps);
	else
		set_fix(finding, "A dot at the end of the names saves %.0f q/s.", qps);
}

static const char *searcher_text(struct traffic *traffic, const struct searcher *searcher,
				 char text[DNS_NAME_TEXT])
{
	struct traffic_client client;

	memcpy(&client, searcher->client->key, sizeof(client));
	return traffic__client_text(traffic, &client, text);
}

/* Those that have no finding of their own, all together. One alone comes after others. */
static void find_many_searchers(struct report *report, struct traffic *traffic,
				const struct searcher *searchers, size_t n, bool others)
{
	double asked_qps = 0, qps = 0, saved = 0;
	struct finding *finding;
	char text[DNS_NAME_TEXT];
	const char *worst;
	json_t *figures;

	for (size_t i = 0; i < n; i++) {
		asked_qps += asked(traffic, searchers[i].client);
		qps += searchers[i].qps;
		saved += searchers[i].saved;
	}
	if (qps < SEARCH_PATH_QPS)
		return;
	worst = searcher_text(traffic, searchers, text);
	figures = json_pack("{si sf sf sf sf}", "pods", (int)n, "qps", asked_qps, "nxdomain_qps",
			    qps, "share", qps / asked_qps, "saved_qps", saved);
	if (n == 1)
		finding = add(report, "search_path_pods", qps, worst, figures,
			      "%.0f q/s, %.0f %% are search-path NXDOMAINs.", asked_qps,
			      100 * qps / asked_qps);
	else
		finding = add(report, "search_path_pods", qps, "", figures,
			      "%zu %spods together: %.0f q/s, %.0f %% are search-path NXDOMAINs, "
			      "the most of %s.",
			      n, others ? "other " : "", asked_qps, 100 * qps / asked_qps, worst);
	set_search_fix(finding, qps, saved);
}

static void find_search_paths(struct report *report, struct traffic *traffic,
			      const struct heavy_item *clients, size_t n_clients)
{
	struct searcher searchers[HEAVY_COUNTERS];
	size_t n = find_searchers(traffic, clients, n_clients, searchers), own = 0;

	for (; own < n && own < REPORT_PER_CODE && searchers[own].qps >= SEARCH_PATH_QPS; own++) {
		const struct searcher *by = &searchers[own];
		double qps = asked(traffic, by->client);
		char pod[DNS_NAME_TEXT];

		set_search_fix(add(report, "search_path", by->qps, searcher_text(traffic, by, pod),
				   json_pack("{sf sf sf sf}", "qps", qps, "nxdomain_qps", by->qps,
					     "share", by->qps / qps, "saved_qps", by->saved),
				   "%.0f q/s, %.0f %% are search-path NXDOMAINs.", qps,
				   100 * by->qps / qps),
			       by->qps, by->saved);
	}
	find_many_searchers(report, traffic, searchers + own, n - own, own > 0);
}

/* ---- heavy_client ---- */

static void find_heavy_client(struct report *report, struct traffic *traffic,
			      const struct heavy_item *top)
{
	double qps = asked(traffic, top), share = qps / traffic->all.rates.queries;
	struct traffic_client client;
	struct finding *finding;
	char pod[DNS_NAME_TEXT];

	if (qps < HEAVY_QPS || share <= HEAVY_SHARE)
		return;
	memcpy(&client, top->key, sizeof(client));
	finding = add(report, "heavy_client", qps, traffic__client_text(traffic, &client, pod),
		      json_pack("{sf sf}", "qps", qps, "share", share),
		      "%.0f q/s, %.0f %% of all queries of the node.", qps, 100 * share);
	set_fix(finding, "`nodens top -p %.400s` shows what it asks for; have it keep answers.",
		pod);
}

/* ---- names ---- */

static void find_short_ttl(struct report *report, struct traffic *traffic,
			   const struct heavy_item *item)
{
	const struct traffic_name *missed =
		heavy__find(traffic->all.lists[TRAFFIC_SLOW], item->key, item->len);
	double qps = asked(traffic, item), misses, saved;
	char text[DNS_NAME_TEXT + RRTYPE_TEXT];
	struct finding *finding;

	if (!missed || !missed->has_ttl || missed->ttl_s > SHORT_TTL_S)
		return;
	misses = (double)missed->ended / traffic->all.rates.seconds;
	if (qps < SHORT_TTL_QPS || misses < SHORT_TTL_MISSES)
		return;
	saved = fmax(0, misses - 1.0 / MINTTL_S);
	question(item, text);
	finding = add(report, "short_ttl", misses, text,
		      json_pack("{si sf sf sf}", "ttl", (int)missed->ttl_s, "qps", qps, "miss_qps",
				misses, "saved_qps", saved),
		      "TTL %u s, asked %.1f/s: %.1f/s wait for an upstream.", missed->ttl_s, qps,
		      misses);
	set_fix(finding, "`cache` MINTTL %d saves %.0f %% of these.", MINTTL_S,
		100 * saved / misses);
}

static void find_truncated(struct report *report, struct traffic *traffic,
			   const struct heavy_item *item)
{
	const struct traffic_name *name = item->extra;
	double s = traffic->all.rates.seconds, truncated = (double)name->truncated / s;
	double tcp = (double)name->tcp / s, udp = fmax(asked(traffic, item) - tcp, truncated);
	char text[DNS_NAME_TEXT + RRTYPE_TEXT];
	struct finding *finding;

	if (truncated < TRUNCATED_QPS || truncated < udp * TRUNCATED_SHARE)
		return;
	question(item, text);
	finding = add(report, "truncated", truncated, text,
		      json_pack("{si sf sf sf}", "records", (int)name->records, "truncated_qps",
				truncated, "share", truncated / udp, "tcp_qps", tcp),
		      "%u records, TC=1 on %.0f %% of %.1f/s by UDP: %.1f queries/s by TCP.",
		      name->records, 100 * truncated / udp, udp, tcp);
	set_fix(finding, "Clients that ask with EDNS, or fewer records (no headless service), save "
			 "them.");
}

/* ---- the agent's own ---- */

static void find_upstreams(struct report *report, const struct status *status)
{
	struct problems problems;

	status__problems(status, &problems);
	for (size_t i = 0; i < problems.n; i++) {
		const struct problem *problem = &problems.list[i];
		bool down = !strcmp(problem->code, "upstream_down");
		bool late = !strcmp(problem->code, "upstream_timeouts");
		double since_s = (double)(status->now_ns - problem->since_ns) / 1e9;
		struct finding *finding;

		if (!down && strcmp(problem->code, "upstream_unheard") != 0 && !late)
			continue;
		finding = add(report, problem->code, late ? HURTS_SOME : HURTS_NOW, "",
			      down ? json_pack("{sf}", "since_s", since_s) : json_object(), "%s.",
			      problem->text);
		set_fix(finding, "%s",
			late ? "`nodens top -s timeouts` shows for which names; `nodens explain "
			       "NAME --ask` asks it."
			     : "Make it answer, or take it out of `forward`.");
	}
}

/*
 * How many answers the cache should hold: as many as questions were asked, where all are known.
 * Else what it held and what went, which counts those twice that came again.
 */
static double wanted_capacity(const struct traffic *traffic, double capacity, double evicted)
{
	struct heavy_item items[HEAVY_COUNTERS];
	double wanted = capacity + evicted;

	if (!traffic->no_session && !heavy__bound(traffic->all.lists[TRAFFIC_NAMES]))
		wanted = (double)heavy__top(traffic->all.lists[TRAFFIC_NAMES], items,
					    HEAVY_COUNTERS);
	return ceil(fmax(wanted, 2 * capacity) / 100) * 100;
}

static void find_evictions(struct report *report, const struct traffic *traffic,
			   const struct status *before, const struct status *after)
{
	const struct publish_info *was = &before->info, *is = &after->info;
	double s = (double)(is->written_ns - was->written_ns) / 1e9, evicted, capacity, wanted;
	struct finding *finding;
	int fuller;

	if (is->started_ns != was->started_ns || is->written_ns <= was->written_ns)
		return;
	evicted = (double)(is->evicted - was->evicted);
	if (evicted < EVICTIONS_QPS * s)
		return;
	fuller = is->entries[0] * is->capacity[1] < is->entries[1] * is->capacity[0];
	capacity = (double)is->capacity[fuller];
	wanted = wanted_capacity(traffic, capacity, evicted);
	finding = add(report, "evictions", evicted / s, "",
		      json_pack("{sf sI sI}", "evictions_qps", evicted / s, "capacity",
				(json_int_t)capacity, "wanted", (json_int_t)wanted),
		      "%.0f answers/s are evicted: the cache is too small.", evicted / s);
	set_fix(finding, "`%s` of `cache`, or -capacity: %.0f -> %.0f.",
		fuller ? "denial" : "success", capacity, wanted);
}

/* ---- all ---- */

static void find_traffic(struct report *report, struct traffic *traffic)
{
	struct heavy_item items[HEAVY_COUNTERS];
	size_t n = heavy__top(traffic->all.lists[TRAFFIC_CLIENTS], items, HEAVY_COUNTERS);

	if (n)
		find_heavy_client(report, traffic, &items[0]);
	find_search_paths(report, traffic, items, n);
	n = heavy__top(traffic->all.lists[TRAFFIC_NAMES], items, HEAVY_COUNTERS);
	for (size_t i = 0; i < n; i++) {
		find_short_ttl(report, traffic, &items[i]);
		find_truncated(report, traffic, &items[i]);
	}
}

static int by_weight(const void *a, const void *b)
{
	double x = ((const struct finding *)a)->weight, y = ((const struct finding *)b)->weight;

	return x < y ? 1 : x > y ? -1 : 0;
}

void report__find(struct report *report, struct traffic *traffic, const struct status *before,
		  const struct status *after)
{
	*report = (struct report){ .n = 0 };
	if (after) {
		find_upstreams(report, after);
		find_evictions(report, traffic, before, after);
	}
	if (traffic->all.rates.seconds > 0)
		find_traffic(report, traffic);
	qsort(report->list, report->n, sizeof(report->list[0]), by_weight);
}

void report__free(struct report *report)
{
	for (size_t i = 0; i < report->n; i++)
		json_decref(report->list[i].figures);
	report->n = 0;
}
