// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens top --json`: docs/schema/top.json. Contract: top.h.
 */
#include <string.h>

#include "base/text.h"
#include "cmd/top.h"
#include "dns/rrtype.h"

static double rate(const struct top *top, uint64_t n)
{
	return top->tally->rates.seconds > 0 ? (double)n / top->tally->rates.seconds : 0;
}

static json_t *name_json(const struct top *top, enum traffic_list list,
			 const struct heavy_item *item)
{
	const struct traffic_name *name = item->extra;
	char text[DNS_NAME_TEXT], type_text[RRTYPE_TEXT], client[DNS_NAME_TEXT];
	const struct traffic_upstream *up = traffic__upstream(top->traffic, name->upstream);
	uint16_t type = traffic__name_text(item, text);
	uint64_t n = list == TRAFFIC_SLOW ? name->ended : item->n - item->error;
	double share = 0;
	const struct traffic_who *who = traffic__top_client(name, &share);
	json_t *json =
		json_pack("{ss ss sf sf sf sf}", "name", text, "type",
			  rrtype__text(type, type_text), "qps", rate(top, n), "error",
			  traffic__deviation(top->tally, list, item) /
				  (top->tally->rates.seconds > 0 ? top->tally->rates.seconds : 1),
			  "nxdomain", rate(top, name->nx), "kernel", rate(top, name->kernel));

	if (name->has_ttl)
		json_object_set_new(json, "ttl", json_integer(name->ttl_s));
	if (who) {
		json_object_set_new(
			json, "top_client",
			json_string(traffic__client_text(top->traffic, &who->client, client)));
		json_object_set_new(json, "top_client_share", json_real(share));
	}
	if (list == TRAFFIC_SLOW || list == TRAFFIC_TIMEOUTS) {
		double ended = name->ended ? (double)name->ended : 1;

		json_object_set_new(json, "mean_us", json_real((double)name->took_us / ended));
		json_object_set_new(json, "max_us", json_integer(name->slowest_us));
		json_object_set_new(json, "tries", json_real((double)name->tries / ended));
	}
	if (up)
		json_object_set_new(json, "upstream", text__json(up->row.to));
	return json;
}

static json_t *client_json(const struct top *top, const struct heavy_item *item)
{
	const struct traffic_use *use = item->extra;
	struct traffic_client client;
	char text[DNS_NAME_TEXT];

	memcpy(&client, item->key, sizeof(client));
	return json_pack("{ss sf sf sf sf}", "client",
			 traffic__client_text(top->traffic, &client, text), "qps",
			 rate(top, item->n - item->error), "error",
			 traffic__deviation(top->tally, TRAFFIC_CLIENTS, item) /
				 (top->tally->rates.seconds > 0 ? top->tally->rates.seconds : 1),
			 "nxdomain", rate(top, use->nx), "kernel", rate(top, use->kernel));
}

static json_t *list_json(const struct top *top, enum traffic_list list)
{
	struct heavy_item items[HEAVY_COUNTERS];
	size_t n = heavy__top(top->tally->lists[list], items,
			      top->rows < HEAVY_COUNTERS ? top->rows : HEAVY_COUNTERS);
	json_t *rows = json_array();

	for (size_t i = 0; i < n && items[i].n > items[i].error; i++)
		json_array_append_new(rows, list == TRAFFIC_CLIENTS
						    ? client_json(top, &items[i])
						    : name_json(top, list, &items[i]));
	return rows;
}

static json_t *upstreams_json(const struct top *top)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < top->traffic->n_upstreams; i++) {
		const struct traffic_upstream *up = traffic__upstream(top->traffic, i + 1);
		char to[sizeof(up->row.to)];

		if (!up || up->row.state > PUBLISH_DOWN || up->row.proto > PUBLISH_TLS)
			continue;
		json_array_append_new(
			rows, json_pack("{ss ss ss sf sf sf sI sI}", "to",
					text__printable(to, sizeof(to), up->row.to), "proto",
					publish__proto(&up->row), "state",
					publish_upstream_states[up->row.state], "qps", up->queries,
					"timeouts", up->timeouts, "failures", up->failures,
					"rtt_p50_us", (json_int_t)(up->row.rtt_p50_ns / 1000),
					"rtt_p99_us", (json_int_t)(up->row.rtt_p99_ns / 1000)));
	}
	return rows;
}

static json_t *devices_json(const struct top *top)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < top->traffic->n_devices && i < top->rows; i++) {
		const struct traffic_device *device = &top->traffic->devices[i];
		const struct status_counts *counts = &device->counts;
		char pod[POD_TEXT], name[sizeof(device->name)];

		json_array_append_new(
			rows,
			json_pack("{ss ss? sf sf sf sf sf}", "name",
				  text__printable(name, sizeof(name), device->name), "pod",
				  traffic__device_pod(top->traffic, device, pod), "qps",
				  counts->queries, "nxdomain", counts->nxdomain, "kernel",
				  counts->kernel, "passed", counts->passed, "tcp", device->tcp));
	}
	return rows;
}

static json_t *rcodes_json(const struct top *top)
{
	json_t *rcodes = json_object();

	for (int i = 0; i < RCODE_COUNT; i++) {
		if (i == RCODE_0 || i == RCODE_2 || i == RCODE_3 || top->tally->rcodes[i] > 0)
			json_object_set_new(rcodes, rcode_names[i],
					    json_real(top->tally->rcodes[i]));
	}
	return rcodes;
}

json_t *top__json(const struct top *top)
{
	const struct tally *tally = top->tally;
	const struct status_rates *rates = &tally->rates;
	char node[64];
	json_t *json = json_pack("{si ss sf s{sf sf sf sf} so s{sI sI sf sb}}", "schema", 1, "node",
				 text__printable(node, sizeof(node), top->traffic->node), "seconds",
				 rates->seconds, "rates", "queries", rates->queries, "kernel",
				 rates->kernel, "agent", rates->agent, "passed", rates->passed,
				 "rcodes", rcodes_json(top), "sample", "one_in",
				 (json_int_t)tally->one_in, "lost", (json_int_t)tally->lost,
				 "gap_s", (double)tally->gap_ns / 1e9, "slots", tally->by_slots);

	json_object_set_new(json, "bound",
			    json_real(rate(top, heavy__bound(tally->lists[TRAFFIC_NAMES]))));
	json_object_set_new(json, "names", list_json(top, TRAFFIC_NAMES));
	json_object_set_new(json, "nx", list_json(top, TRAFFIC_NX));
	json_object_set_new(json, "clients", list_json(top, TRAFFIC_CLIENTS));
	json_object_set_new(json, "slow", list_json(top, TRAFFIC_SLOW));
	json_object_set_new(json, "timeouts", list_json(top, TRAFFIC_TIMEOUTS));
	json_object_set_new(json, "upstreams", upstreams_json(top));
	json_object_set_new(json, "devices", devices_json(top));
	return json;
}
