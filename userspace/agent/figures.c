// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The figures of the page. Contract: figures.h.
 */
#include "agent/figures.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "agent/history.h"
#include "base/text.h"
#include "observe/page_cache.h"

#define PROBES_MAX    1024 /* beyond them none is shown */
#define UPSTREAMS_MAX 1024

/* Rules of netfilter are looked through so often at most. */
#define NOTRACK_NS (10 * NSEC_PER_SEC)

/* Rates of rcodes are of so long at least once that time is over, and of twice that at most. */
#define RCODES_NS (10 * NSEC_PER_SEC)

struct rcodes {
	uint64_t at_ns; /* 0: never */
	uint64_t n[RCODE_COUNT];
};

struct figures {
	struct figures_config config;
	struct page_cache cache;
	struct history history;
	struct rcodes base, next; /* next becomes base when it is old enough */
	uint64_t notrack_ns;	  /* when they were looked for; 0: never */
	int notrack;
};

/* ---- answers by rcode ---- */

/* Nobody asked for a while: what was then is no longer near. */
static void take_rcodes(struct figures *figures, const struct rcodes *now)
{
	if (!figures->next.at_ns || now->at_ns - figures->next.at_ns > 2 * RCODES_NS)
		figures->base = figures->next = *now;
	if (now->at_ns - figures->next.at_ns < RCODES_NS)
		return;
	figures->base = figures->next;
	figures->next = *now;
}

static json_t *rcodes_json(struct figures *figures)
{
	struct rcodes now = { .at_ns = loop__now(figures->config.loop) };
	json_t *list = json_array();
	double s;

	figures->config.rcodes(figures->config.ctx, now.n);
	take_rcodes(figures, &now);
	s = (double)(now.at_ns - figures->base.at_ns) / 1e9;
	for (int i = 0; i < RCODE_COUNT; i++) {
		/* of a zone that a reload took away nothing is counted any more */
		uint64_t n = now.n[i] > figures->base.n[i] ? now.n[i] - figures->base.n[i] : 0;

		if (now.n[i])
			json_array_append_new(
				list, json_pack("{ss sI so}", "rcode", rcode_names[i], "total",
						(json_int_t)now.n[i], "per_s",
						s > 0 ? json_real((double)n / s) : json_null()));
	}
	return json_pack("{so so}", "seconds", s > 0 ? json_real(s) : json_null(), "list", list);
}

/* ---- upstreams over TLS, probes ---- */

static json_t *certificates_json(const struct figures *figures)
{
	json_t *list = json_array();
	struct upstream_stats up;

	for (size_t i = 0; i < UPSTREAMS_MAX; i++) {
		if (!figures->config.upstream(figures->config.ctx, i, &up))
			break;
		if (up.certificate_ends_s)
			json_array_append_new(
				list,
				json_pack("{so sf}", "to", text__json(up.to), "days",
					  (double)(up.certificate_ends_s - time(NULL)) / 86400));
	}
	return list;
}

static json_t *mean_us(const struct histogram *time)
{
	uint64_t n = 0;

	for (int i = 0; i <= HISTOGRAM_BUCKETS; i++)
		n += time->bucket[i];
	return n ? json_integer((json_int_t)(time->sum_ns / n / 1000)) : json_null();
}

static json_t *probe_json(const struct probe_stats *probe)
{
	json_t *outcomes =
		json_pack("{sI sI sI sI}", "success", (json_int_t)probe->outcomes[PROBE_SUCCESS],
			  "timeout", (json_int_t)probe->outcomes[PROBE_TIMEOUT], "unexpected",
			  (json_int_t)probe->outcomes[PROBE_UNEXPECTED], "error",
			  (json_int_t)probe->outcomes[PROBE_ERROR]);

	return json_pack("{so so so so so so so}", "zone", text__json(probe->zone), "name",
			 text__json(probe->name), "via", text__json(probe->via), "success",
			 probe->known ? json_boolean(probe->success) : json_null(), "outcomes",
			 outcomes, "mean_us", mean_us(&probe->time), "answer_age_s",
			 probe->has_age ? json_real((double)probe->age_ns / 1e9) : json_null());
}

static json_t *probes_json(const struct figures *figures)
{
	json_t *list = json_array();
	struct probe_stats probe;

	for (size_t i = 0; i < PROBES_MAX; i++) {
		if (!figures->config.probe(figures->config.ctx, i, &probe))
			break;
		json_array_append_new(list, probe_json(&probe));
	}
	return list;
}

/* ---- the whole ---- */

static void look_around(struct figures *figures, struct status *status)
{
	status__find_standby(status);
	if (!figures->notrack_ns || status->now_ns - figures->notrack_ns >= NOTRACK_NS) {
		status__find_notrack(status);
		figures->notrack = status->notrack;
		figures->notrack_ns = status->now_ns;
	}
	status->notrack = figures->notrack;
}

static json_t *system_json(void)
{
	char name[sizeof(((struct utsname *)0)->sysname) * 2 + 2] = "";
	struct utsname os;

	if (!uname(&os))
		snprintf(name, sizeof(name), "%s %s", os.sysname, os.release);
	return text__json(name);
}

static json_t *figures_json(struct figures *figures, const struct status *status)
{
	struct problems problems;

	status__problems(status, &problems);
	return json_pack("{si so so so so so so}", "schema", 1, "system", system_json(), "status",
			 status__json(status, &problems), "rcodes", rcodes_json(figures),
			 "certificates", certificates_json(figures), "probes", probes_json(figures),
			 "history", history_json(&figures->history));
}

static int append(const char *text, size_t len, void *page)
{
	metrics_page__add(page, text, len);
	return 0;
}

static int render(void *ctx, struct metrics_page *page)
{
	struct figures *figures = ctx;
	struct status status = { .now_ns = 0 };
	json_t *json = NULL;
	int ret = -EAGAIN;

	if (figures->config.status(figures->config.ctx, &status)) {
		look_around(figures, &status);
		json = figures_json(figures, &status);
		ret = json ? json_dump_callback(json, append, page,
						JSON_COMPACT | JSON_REAL_PRECISION(10))
			   : -1;
		ret = ret ? -ENOMEM : 0;
	}
	json_decref(json);
	free(status.devices);
	free(status.upstreams);
	return ret;
}

int figures_get(struct figures *figures, struct evbuffer *out)
{
	return page_cache__get(&figures->cache, figures->config.loop, render, figures, out);
}

void figures_second(struct figures *figures, const struct publish *publish)
{
	const struct publish_base *before = publish_reading(publish, 1);

	if (figures && before)
		history_add(&figures->history, before, publish_reading(publish, 0),
			    publish_info(publish));
}

int figures_open(const struct figures_config *config, struct figures **out)
{
	struct figures *figures = calloc(1, sizeof(*figures));

	if (!figures)
		return -ENOMEM;
	figures->config = *config;
	*out = figures;
	return 0;
}

void figures_close(struct figures *figures)
{
	if (!figures)
		return;
	page_cache__clear(&figures->cache);
	free(figures);
}
