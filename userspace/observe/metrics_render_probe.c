// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The page, fourth part: what the probe directive finds, and until when certificates of upstreams
 * last. Contract: metrics_priv.h.
 */
#include <stdio.h>
#include <time.h>

#include "metrics_priv.h"

#define LABELS_MAX    2560 /* a name of 1,000 characters, each escaped */
#define PROBES_MAX    8192 /* beyond them none is shown */
#define UPSTREAMS_MAX 1024

static const char *const results[PROBE_OUTCOMES] = {
	[PROBE_SUCCESS] = "result=\"success\"",
	[PROBE_TIMEOUT] = "result=\"timeout\"",
	[PROBE_UNEXPECTED] = "result=\"unexpected\"",
	[PROBE_ERROR] = "result=\"error\"",
};

typedef void (*render_one)(struct metrics_page *page, const char *name, const char *labels,
			   const struct probe_stats *probe);

static void one_success(struct metrics_page *page, const char *name, const char *labels,
			const struct probe_stats *probe)
{
	metrics_page__u64(page, name, "", labels, "", probe->success);
}

static void one_total(struct metrics_page *page, const char *name, const char *labels,
		      const struct probe_stats *probe)
{
	for (int i = 0; i < PROBE_OUTCOMES; i++)
		metrics_page__u64(page, name, "", labels, results[i], probe->outcomes[i]);
}

static void one_duration(struct metrics_page *page, const char *name, const char *labels,
			 const struct probe_stats *probe)
{
	metrics_render_time(page, name, labels, &probe->time);
}

static void one_age(struct metrics_page *page, const char *name, const char *labels,
		    const struct probe_stats *probe)
{
	if (probe->has_age)
		metrics_page__ns(page, name, "", labels, "", probe->age_ns);
}

static void make_labels(const struct probe_stats *probe, char labels[LABELS_MAX])
{
	char zone[LABELS_MAX / 3], name[LABELS_MAX / 3];

	metrics_page__escape(probe->zone, zone, sizeof(zone));
	metrics_page__escape(probe->name, name, sizeof(name));
	snprintf(labels, LABELS_MAX, "zone=\"%s\",name=\"%s\",via=\"%s\"", zone, name, probe->via);
}

/* 0 of the last day, less than 0 where it is over. */
static void render_certificates(struct metrics *m, struct metrics_page *page)
{
	static const char name[] = "nodens_probe_certificate_days";
	struct upstream_stats up;
	char labels[128];
	bool head = false;

	for (size_t i = 0; i < UPSTREAMS_MAX && m->config.upstream; i++) {
		if (!m->config.upstream(m->config.ctx, i, &up))
			break;
		if (!up.certificate_ends_s)
			continue;
		if (!head)
			metrics_page__head(page, name, "gauge",
					   "Days until the certificate that the upstream showed "
					   "last ends.");
		head = true;
		snprintf(labels, sizeof(labels), "to=\"%s\"", up.to);
		metrics_page__real(page, name, "", labels, "",
				   (double)(up.certificate_ends_s - time(NULL)) / 86400);
	}
}

void metrics_render_probes(struct metrics *m, struct metrics_page *page)
{
	static const struct {
		const char *name, *type, *help;
		render_one render;
	} families[] = {
		{ "nodens_probe_success", "gauge", "Whether the last probe was a success.",
		  one_success },
		{ "nodens_probe_total", "counter", "Probes by their result.", one_total },
		{ "nodens_probe_duration_seconds", "histogram", "Time until a probe was answered.",
		  one_duration },
		{ "nodens_probe_answer_age_seconds", "gauge",
		  "How long the last answer had been in the cache.", one_age },
	};
	char labels[LABELS_MAX];
	struct probe_stats probe;

	for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
		bool head = false;

		for (size_t i = 0; i < PROBES_MAX && m->config.probe; i++) {
			if (!m->config.probe(m->config.ctx, i, &probe))
				break;
			if (!probe.known)
				continue;
			if (!head)
				metrics_page__head(page, families[f].name, families[f].type,
						   families[f].help);
			head = true;
			make_labels(&probe, labels);
			families[f].render(page, families[f].name, labels, &probe);
		}
	}
	render_certificates(m, page);
}
