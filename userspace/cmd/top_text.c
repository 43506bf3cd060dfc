// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Rows of `nodens top`. Contract: top.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cmd/top.h"
#include "dns/rrtype.h"

#define LINE_MAX_OCTETS (DNS_NAME_TEXT + DNS_NAME_TEXT + 256)
#define NAME_MIN	20
#define NAME_USUAL	48
#define WHO_WIDTH	34

const char *const top_views[TOP_VIEWS] = { "names",    "nx",	    "clients", "slow",
					   "timeouts", "upstreams", "devices" };

static const enum traffic_list list_of[] = {
	[TOP_NAMES] = TRAFFIC_NAMES,	   [TOP_NX] = TRAFFIC_NX,
	[TOP_CLIENTS] = TRAFFIC_CLIENTS,   [TOP_SLOW] = TRAFFIC_SLOW,
	[TOP_TIMEOUTS] = TRAFFIC_TIMEOUTS,
};

/* Appends; what does not fit is cut. */
#define append(text, ...) snprintf((text) + strlen(text), sizeof(text) - strlen(text), __VA_ARGS__)

static double seconds(const struct top *top)
{
	return top->tally->rates.seconds > 0 ? top->tally->rates.seconds : 1;
}

static double per_cent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

static void print_cut(const struct top *top, char *line, top_line *print, void *ctx)
{
	if (top->columns && strlen(line) > top->columns)
		line[top->columns] = '\0';
	print(ctx, line);
}

/* ---- the head ---- */

static void add_rcodes(const struct top *top, char *line, size_t size)
{
	double sum = 0;

	for (int i = 0; i < RCODE_COUNT; i++)
		sum += top->tally->rcodes[i];
	for (int i = 0; i < RCODE_COUNT; i++) {
		bool always = i == RCODE_0 || i == RCODE_2 || i == RCODE_3;

		if (always || top->tally->rcodes[i] > 0)
			snprintf(line + strlen(line), size - strlen(line), " %s %.1f%%",
				 rcode_names[i], per_cent(top->tally->rcodes[i], sum));
	}
}

static void add_sampling(const struct top *top, char *line, size_t size)
{
	const struct tally *tally = top->tally;
	char *at = line + strlen(line);

	size -= strlen(line);
	if (top->traffic->no_session)
		snprintf(at, size, " | %s", top->traffic->in_short);
	else if (tally->one_in > 1)
		snprintf(at, size, " | 1 in %u, +-%% by row", tally->one_in);
	else
		snprintf(at, size, " | all seen");
}

void top__head(const struct top *top, top_line *print, void *ctx)
{
	const struct status_rates *rates = &top->tally->rates;
	char line[512], node[64];

	snprintf(line, sizeof(line), "%s  %.0f q/s  kernel %.1f%%  agent %.1f%%  passed %.1f%% |",
		 text__printable(node, sizeof(node), top->traffic->node), rates->queries,
		 per_cent(rates->kernel, rates->queries), per_cent(rates->agent, rates->queries),
		 per_cent(rates->passed, rates->queries));
	add_rcodes(top, line, sizeof(line));
	add_sampling(top, line, sizeof(line));
	print_cut(top, line, print, ctx);
	line[0] = '\0';
	if (top->tally->gap_ns)
		append(line, "For %.1f s single queries were not seen: rows are too low.  ",
		       (double)top->tally->gap_ns / 1e9);
	if (top->tally->lost)
		append(line, "%llu events were lost: rows are too low.  ",
		       (unsigned long long)top->tally->lost);
	if (top->view < sizeof(list_of) / sizeof(list_of[0])) {
		uint64_t bound = heavy__bound(top->tally->lists[list_of[top->view]]);

		if (bound && top->view != TOP_SLOW)
			append(line, "What is not listed has at most %.0f/s.",
			       (double)bound / seconds(top));
	}
	if (top->traffic->no_session && top->view != TOP_NAMES && top->view != TOP_UPSTREAMS &&
	    top->view != TOP_DEVICES)
		append(line, "%s", top->traffic->no_session);
	if (line[0])
		print_cut(top, line, print, ctx);
}

/* ---- names ---- */

static void top_client(const struct top *top, const struct traffic_name *name, char *out,
		       size_t size)
{
	char text[DNS_NAME_TEXT];
	double share;
	const struct traffic_who *who = traffic__top_client(name, &share);

	out[0] = '\0';
	if (who)
		snprintf(out, size, "%s (%.0f%%)",
			 traffic__client_text(top->traffic, &who->client, text), 100 * share);
}

static const char *upstream_text(const struct top *top, uint16_t number, char *out, size_t size)
{
	const struct traffic_upstream *up = traffic__upstream(top->traffic, number);
	char to[sizeof(up->row.to)];

	snprintf(out, size, "%s%s%s", up ? text__printable(to, sizeof(to), up->row.to) : "-",
		 up ? " " : "", up ? publish__proto(&up->row) : "");
	return out;
}

/* The name is as wide as what is left beside @before and the last column. */
static unsigned int name_width(const struct top *top, unsigned int before)
{
	unsigned int taken = before + 2 + 8 + 2 + WHO_WIDTH;

	if (!top->columns)
		return NAME_USUAL;
	return top->columns > taken + NAME_MIN ? top->columns - taken : NAME_MIN;
}

static void add_name(const struct top *top, const struct heavy_item *item, unsigned int before,
		     const char *last, char *line, size_t size)
{
	char text[DNS_NAME_TEXT], type_text[RRTYPE_TEXT];
	uint16_t type = traffic__name_text(item, text);
	unsigned int width = name_width(top, before);

	if (top->columns && strlen(text) > width)
		strcpy(text + width - 3, "...");
	snprintf(line + strlen(line), size - strlen(line), "  %-*s  %-8s%s%s", (int)width, text,
		 rrtype__text(type, type_text), *last ? "  " : "", last);
}

static void deviation_text(const struct top *top, const struct heavy_item *item, char text[16])
{
	double deviation = traffic__deviation(top->tally, list_of[top->view], item);
	double n = (double)(item->n - item->error);

	if (deviation == 0 || n == 0)
		snprintf(text, 16, "0");
	else
		snprintf(text, 16, "%.0f",
			 per_cent(deviation, n) > 99 ? 99 : per_cent(deviation, n));
}

static void name_row(const struct top *top, const struct heavy_item *item, char *line, size_t size)
{
	const struct traffic_name *name = item->extra;
	char who[DNS_NAME_TEXT + 16], ttl[16] = "-", deviation[16];
	double n = (double)(item->n - item->error);

	if (name->has_ttl)
		snprintf(ttl, sizeof(ttl), "%u", name->ttl_s);
	deviation_text(top, item, deviation);
	top_client(top, name, who, sizeof(who));
	snprintf(line, size, "%9.1f %4s %9.0f %7.0f %6s", n / seconds(top), deviation,
		 per_cent((double)name->nx, n), per_cent((double)name->kernel, n), ttl);
	add_name(top, item, 39, who, line, size);
}

static void slow_row(const struct top *top, const struct heavy_item *item, char *line, size_t size)
{
	const struct traffic_name *name = item->extra;
	double ended = name->ended ? (double)name->ended : 1;
	char upstream[96];

	snprintf(line, size, "%9.1f %9.1f %9.1f", (double)name->ended / seconds(top),
		 (double)name->took_us / ended / 1000, (double)name->slowest_us / 1000);
	add_name(top, item, 29, upstream_text(top, name->upstream, upstream, sizeof(upstream)),
		 line, size);
}

static void timeout_row(const struct top *top, const struct heavy_item *item, char *line,
			size_t size)
{
	const struct traffic_name *name = item->extra;
	char upstream[96];

	snprintf(line, size, "%9.2f %6.1f %9.1f", (double)(item->n - item->error) / seconds(top),
		 name->ended ? (double)name->tries / (double)name->ended : 0,
		 (double)name->slowest_us / 1000);
	add_name(top, item, 26, upstream_text(top, name->upstream, upstream, sizeof(upstream)),
		 line, size);
}

static void client_row(const struct top *top, const struct heavy_item *item, char *line,
		       size_t size)
{
	const struct traffic_use *use = item->extra;
	struct traffic_client client;
	double n = (double)(item->n - item->error);
	char text[DNS_NAME_TEXT], deviation[16];

	memcpy(&client, item->key, sizeof(client));
	deviation_text(top, item, deviation);
	snprintf(line, size, "%9.1f %4s %9.0f %7.0f  %s", n / seconds(top), deviation,
		 per_cent((double)use->nx, n), per_cent((double)use->kernel, n),
		 traffic__client_text(top->traffic, &client, text));
}

/* ---- tables ---- */

static void print_heading(const struct top *top, top_line *print, void *ctx)
{
	static const struct {
		const char *numbers, *last;
		unsigned int before;
	} headings[] = {
		[TOP_NAMES] = { "      Q/S  +-% NXDOMAIN% KERNEL%    TTL", "TOP CLIENT", 39 },
		[TOP_NX] = { "      Q/S  +-% NXDOMAIN% KERNEL%    TTL", "TOP CLIENT", 39 },
		[TOP_SLOW] = { " MISSES/S   MEAN ms    MAX ms", "UPSTREAM", 29 },
		[TOP_TIMEOUTS] = { "TIMEOUT/S  TRIES    MAX ms", "UPSTREAM", 26 },
	};
	char line[LINE_MAX_OCTETS];

	if (top->view == TOP_CLIENTS)
		snprintf(line, sizeof(line), "      Q/S  +-%% NXDOMAIN%% KERNEL%%  CLIENT");
	else if (top->view == TOP_UPSTREAMS)
		snprintf(line, sizeof(line), "%-28s %-8s %8s %8s %8s %9s %8s  %s", "UPSTREAM",
			 "STATE", "Q/S", "p50 ms", "p99 ms", "TIMEOUT/S", "FAIL/S", "ZONES");
	else if (top->view == TOP_DEVICES)
		snprintf(line, sizeof(line),
			 "      Q/S NXDOMAIN%% KERNEL%% PASSED/S    TCP/S  %-*s  %s",
			 (int)WHO_WIDTH, "POD", "DEVICE");
	else
		snprintf(line, sizeof(line), "%s  %-*s  %-8s  %s", headings[top->view].numbers,
			 (int)name_width(top, headings[top->view].before), "NAME", "TYPE",
			 headings[top->view].last);
	print_cut(top, line, print, ctx);
}

static void ms(uint64_t ns, char text[16])
{
	if (!ns)
		snprintf(text, 16, "-");
	else
		snprintf(text, 16, "%.2f", (double)ns / 1e6);
}

static void print_upstreams(const struct top *top, top_line *print, void *ctx)
{
	unsigned int n = 0;

	for (size_t i = 0; i < top->traffic->n_upstreams && n < top->rows; i++) {
		const struct traffic_upstream *up = traffic__upstream(top->traffic, i + 1);
		char line[LINE_MAX_OCTETS], name[96], p50[16], p99[16], zones[256];
		bool down = up && up->row.state == PUBLISH_DOWN;

		if (!up || up->row.state > PUBLISH_DOWN)
			continue;
		ms(up->row.rtt_p50_ns, p50);
		ms(up->row.rtt_p99_ns, p99);
		snprintf(line, sizeof(line), "%-28s %-8s %8.1f %8s %8s %9.1f %8.1f  %s",
			 upstream_text(top, i + 1, name, sizeof(name)),
			 down ? "DOWN" : publish_upstream_states[up->row.state], up->queries, p50,
			 p99, up->timeouts, up->failures,
			 text__printable(zones, sizeof(zones), up->row.zones));
		print_cut(top, line, print, ctx);
		n++;
	}
}

static void print_devices(const struct top *top, top_line *print, void *ctx)
{
	for (size_t i = 0; i < top->traffic->n_devices && i < top->rows; i++) {
		const struct traffic_device *device = &top->traffic->devices[i];
		const struct status_counts *counts = &device->counts;
		char line[LINE_MAX_OCTETS], text[POD_TEXT], name[sizeof(device->name)];
		const char *pod = traffic__device_pod(top->traffic, device, text);

		snprintf(line, sizeof(line), "%9.1f %9.0f %7.0f %8.1f %8.1f  %-*s  %s",
			 counts->queries, per_cent(counts->nxdomain, counts->queries),
			 per_cent(counts->kernel, counts->queries), counts->passed, device->tcp,
			 (int)WHO_WIDTH, pod ? pod : "-",
			 text__printable(name, sizeof(name), device->name));
		print_cut(top, line, print, ctx);
	}
	if (!top->traffic->n_devices)
		print(ctx, "nothing is counted by device: no kernel path, or -device-counts=false");
}

void top__table(const struct top *top, top_line *print, void *ctx)
{
	static void (*const rows[])(const struct top *, const struct heavy_item *, char *,
				    size_t) = {
		[TOP_NAMES] = name_row, [TOP_NX] = name_row,	      [TOP_CLIENTS] = client_row,
		[TOP_SLOW] = slow_row,	[TOP_TIMEOUTS] = timeout_row,
	};
	struct heavy_item items[HEAVY_COUNTERS];
	size_t n;

	print_heading(top, print, ctx);
	if (top->view == TOP_UPSTREAMS) {
		print_upstreams(top, print, ctx);
		return;
	}
	if (top->view == TOP_DEVICES) {
		print_devices(top, print, ctx);
		return;
	}
	n = heavy__top(top->tally->lists[list_of[top->view]], items,
		       top->rows < HEAVY_COUNTERS ? top->rows : HEAVY_COUNTERS);
	for (size_t i = 0; i < n && items[i].n > items[i].error; i++) {
		char line[LINE_MAX_OCTETS];

		rows[top->view](top, &items[i], line, sizeof(line));
		print_cut(top, line, print, ctx);
	}
}
