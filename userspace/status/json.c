// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A status as JSON: docs/schema/status.json is its shape. Contract: status.h.
 */
#include <string.h>

#include "base/text.h"
#include "status/status.h"

/* Numbers of ns as seconds, to the millisecond. */
static json_t *seconds(uint64_t ns)
{
	uint64_t ms = ns / 1000000;

	return json_real((double)ms / 1000);
}

static json_t *text(const char *from)
{
	char clean[1024];

	return json_string(text__printable(clean, sizeof(clean), from));
}

/* null where it is never. */
static json_t *age(const struct status *status, uint64_t since_ns)
{
	return since_ns && since_ns <= status->now_ns ? seconds(status->now_ns - since_ns)
						      : json_null();
}

static json_t *problems_json(const struct status *status, const struct problems *problems)
{
	json_t *list = json_array();

	for (size_t i = 0; i < problems->n; i++) {
		const struct problem *problem = &problems->list[i];

		json_array_append_new(list, json_pack("{ss ss ss so}", "code", problem->code,
						      "severity", severity_names[problem->severity],
						      "text", problem->text, "for_s",
						      age(status, problem->since_ns)));
	}
	return list;
}

static json_t *served_json(const struct publish_info *info)
{
	char addr[INET6_ADDRSTRLEN];
	json_t *list = json_array();

	for (uint32_t i = 0; i < info->n_served && i < 2 * NODENS_MAX_SERVED; i++)
		json_array_append_new(
			list, json_string(served_addr__text(&info->served[i], addr, sizeof(addr))));
	return list;
}

static json_t *counts_json(const struct status_counts *counts)
{
	const struct nodens_device_counts *n = &counts->n;

	if (!counts->known)
		return json_null();
	return json_pack("{sI sI sI sI sI sI}", "hits", (json_int_t)n->hits, "nxdomain",
			 (json_int_t)n->nxdomain, "misses", (json_int_t)n->misses, "tcp",
			 (json_int_t)n->tcp, "unsteered", (json_int_t)n->unsteered, "passed",
			 (json_int_t)n->passed);
}

static json_t *device_rates_json(const struct status_counts *counts)
{
	if (counts->seconds <= 0)
		return json_null();
	return json_pack("{sf sf sf sf sf}", "seconds", counts->seconds, "queries_per_s",
			 counts->queries, "kernel_per_s", counts->kernel, "nxdomain_per_s",
			 counts->nxdomain, "passed_per_s", counts->passed);
}

static json_t *devices_json(const struct status *status)
{
	static const char *const states[] = { "", "attached", "not_attached", "excluded" };
	static const struct status_counts unknown;
	json_t *list = json_array();

	for (size_t i = 0; i < status->n_devices; i++) {
		const struct publish_device *device = &status->devices[i];
		const struct status_counts *counts = status->counts ? &status->counts[i] : &unknown;
		bool attached = device->state == PUBLISH_ATTACHED;
		char pod[POD_TEXT];

		if (device->state > PUBLISH_EXCLUDED)
			continue;
		json_array_append_new(
			list,
			json_pack("{so si ss? ss so so so so si so so so}", "name",
				  text(device->name), "ifindex", (int)device->ifindex, "pod",
				  status__pod(status, i, pod), "state", states[device->state],
				  "hook", attached ? text(device->hook) : json_null(), "ahead",
				  device->ahead[0] ? text(device->ahead) : json_null(), "error",
				  device->error[0] ? text(device->error) : json_null(), "for_s",
				  age(status, device->since_ns), "lost", (int)device->lost,
				  "lost_s_ago", age(status, device->lost_ns), "counts",
				  counts_json(counts), "rates", device_rates_json(counts)));
	}
	return list;
}

static json_t *zones_json(const char *zones)
{
	char copy[sizeof(((struct publish_upstream *)0)->zones)], *save = NULL;
	json_t *list = json_array();

	text__printable(copy, sizeof(copy), zones);
	for (char *zone = strtok_r(copy, " ", &save); zone; zone = strtok_r(NULL, " ", &save))
		json_array_append_new(list, json_string(zone));
	return list;
}

static json_t *rtt_json(uint64_t ns)
{
	return ns ? json_integer((json_int_t)(ns / 1000)) : json_null();
}

static json_t *upstreams_json(const struct status *status)
{
	json_t *list = json_array();

	for (size_t i = 0; i < status->n_upstreams; i++) {
		const struct publish_upstream *up = &status->upstreams[i];
		double s = (double)(status->info.written_ns - up->base_ns) / 1e9;

		if (up->state > PUBLISH_DOWN || up->proto > PUBLISH_TLS)
			continue;
		json_array_append_new(
			list,
			json_pack("{so ss so ss so so s{so so} sf sI sI sI}", "to", text(up->to),
				  "proto", publish__proto(up), "zones", zones_json(up->zones),
				  "state", publish_upstream_states[up->state], "for_s",
				  age(status, up->since_ns), "reason",
				  up->reason[0] ? text(up->reason) : json_null(), "rtt_us", "p50",
				  rtt_json(up->rtt_p50_ns), "p99", rtt_json(up->rtt_p99_ns),
				  "queries_per_s",
				  s > 0 ? (double)(up->queries - up->base_queries) / s : 0.0,
				  "queries", (json_int_t)up->queries, "timeouts",
				  (json_int_t)up->timeouts, "failures", (json_int_t)up->failures));
	}
	return list;
}

static json_t *rates_json(const struct status *status)
{
	const struct status_rates *rates = &status->rates;

	if (rates->seconds <= 0)
		return json_null();
	return json_pack("{ss sf sf sf sf sf sf sf so so}", "source",
			 rates->from_agent ? "agent" : "readings", "seconds", rates->seconds,
			 "queries_per_s", rates->queries, "kernel_per_s", rates->kernel,
			 "agent_per_s", rates->agent, "passed_per_s", rates->passed,
			 "servfail_per_s", rates->servfail, "evicted_per_s", rates->evicted,
			 "miss_p50_us", rtt_json(status->info.miss_p50_ns), "miss_p99_us",
			 rtt_json(status->info.miss_p99_ns));
}

static json_t *config_json(const struct publish_info *info)
{
	return json_pack("{so so so so}", "path", text(info->config_path), "hash",
			 text(info->config_hash), "read_at",
			 info->config_read_s ? json_integer(info->config_read_s) : json_null(),
			 "refused", info->refused_s ? text(info->refused) : json_null());
}

json_t *status__json(const struct status *status, const struct problems *problems)
{
	static const char *const agents[] = { "alive", "hung", "dead" };
	static const char *const states[] = { "starting", "running", "leaving", "standing_by" };
	bool known = status->info.written_ns && status->info.state <= PUBLISH_STANDING_BY;
	const struct publish_info *info = &status->info;
	json_t *ready = json_pack("{sb so}", "ok", (int)info->ready, "why",
				  info->ready ? json_null() : text(info->why_not_ready));
	json_t *json = json_pack(
		"{si so so so ss ss? ss sb sb sI so so so sb so so so so so so so so s{sI sI sI} "
		"so}",
		"schema", 1, "version", text(info->version), "revision", text(info->revision),
		"node", text(info->node), "agent", agents[status->agent], "state",
		known ? states[info->state] : NULL, "mode",
		info->mode == PUBLISH_STEER ? "steer" : "listen", "front", (int)info->front,
		"kernel_path", (int)info->kernel_path, "pid", (json_int_t)status->pid, "beat_age_s",
		seconds(status__beat_age_ns(status)), "lease_left_s",
		status->has_maps ? seconds(status__lease_left_ns(status)) : json_null(), "up_s",
		status->agent != STATUS_DEAD ? age(status, info->started_ns) : json_null(),
		"steering", (int)info->steering, "ready", ready, "as_of_s",
		age(status, info->written_ns), "config", config_json(info), "served",
		served_json(info), "problems", problems_json(status, problems), "devices",
		devices_json(status), "other_devices", counts_json(&status->others), "upstreams",
		upstreams_json(status), "cache", "entries", (json_int_t)status->entries, "capacity",
		(json_int_t)status->capacity, "bytes", (json_int_t)status->bytes, "rates",
		rates_json(status));

	return json;
}
