// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens status` as a screen. Contract: status.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/text.h"
#include "cmd/status.h"

#define COLUMNS_MIN 60
#define COLUMNS_MAX 250
#define LABEL_WIDTH 10

unsigned int status__columns(void)
{
	const char *given = getenv("COLUMNS");
	struct winsize size;

	if (given && atoi(given) > 0)
		return atoi(given);
	return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : 80;
}

/* ---- lines ---- */

/* "1234567" as "1,234,567"; 27 bytes of room. */
static const char *grouped(uint64_t n, char text[32])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n), at = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

void status__print_wrapped(const char *text, unsigned int indent, unsigned int columns)
{
	unsigned int at = 0, gap = 0;

	while (*text) {
		unsigned int word = strcspn(text, " ");

		if (at > indent && at + gap + word > columns) {
			printf("\n%*s", (int)indent, "");
			at = indent;
		} else {
			printf("%*s", (int)gap, "");
			at += gap;
		}
		printf("%.*s", (int)word, text);
		at += word;
		gap = strspn(text + word, " ");
		text += word + gap;
	}
	putchar('\n');
}

static void print_labelled(const char *label, const char *text, unsigned int columns)
{
	char line[1024];

	snprintf(line, sizeof(line), "%-*s%s", LABEL_WIDTH, label, text);
	status__print_wrapped(line, LABEL_WIDTH, columns);
}

/* Appends; what does not fit is cut. */
#define append(text, ...) snprintf((text) + strlen(text), sizeof(text) - strlen(text), __VA_ARGS__)

static void print_head(const struct status *status, unsigned int columns)
{
	const struct publish_info *info = &status->info;
	char line[512], clean[512], text[STATUS_SPAN];
	struct utsname os;

	snprintf(line, sizeof(line), "nodens %s (%.12s)  %s  %s%s", info->version, info->revision,
		 info->node, info->mode == PUBLISH_STEER ? "steer" : "listen",
		 info->front ? ", front" : "");
	if (!uname(&os))
		append(line, "  %s %s", os.sysname, os.release);
	if (status->agent != STATUS_DEAD && info->started_ns)
		append(line, "  up %s", status__span(status->now_ns - info->started_ns, text));
	if (info->config_hash[0])
		append(line, "  config %.8s, read %s", info->config_hash,
		       status__clock(status, info->config_read_s, text));
	status__print_wrapped(text__printable(clean, sizeof(clean), line), 2, columns);
}

static void print_problem(const struct status *status, const struct problem *problem,
			  unsigned int columns)
{
	char line[800], when[STATUS_SPAN];

	snprintf(line, sizeof(line), "%s %s", problem->severity == SEVERITY_NOTICE ? "-" : "!",
		 problem->text);
	if (problem->since_ns)
		append(line, ", since %s", status__when(status, problem->since_ns, when));
	append(line, " [%s]", problem->code);
	status__print_wrapped(line, 2, columns);
}

static void print_agent(const struct status *status, unsigned int columns)
{
	const struct publish_info *info = &status->info;
	char line[1200], clean[1200], text[STATUS_SPAN];

	snprintf(line, sizeof(line), "pid %u%s", status->pid,
		 status->agent == STATUS_DEAD	? ", dead"
		 : status->agent == STATUS_HUNG ? ", hangs"
		 : status__starts(status)	? ", starting"
						: "");
	if (!status__starts(status))
		append(line, ", beat %s ago", status__span(status__beat_age_ns(status), text));
	if (status->lease_ns)
		append(line, ", lease %s",
		       status__span(status->agent == STATUS_ALIVE ? status->lease_ns
								  : status__lease_left_ns(status),
				    text));
	if (status->agent != STATUS_ALIVE && status__lease_left_ns(status))
		append(line, " left");
	if (info->written_ns && (status->agent != STATUS_ALIVE || !status__published(status)))
		append(line, "     what follows is as of %s",
		       status__when(status, info->written_ns, text));
	else if (info->mode == PUBLISH_STEER && info->kernel_path)
		append(line, "     steering %s", info->steering ? "yes" : "no");
	if (status->agent == STATUS_ALIVE && status__published(status))
		append(line, "     ready %s", info->ready ? "yes" : "no");
	print_labelled("agent", text__printable(clean, sizeof(clean), line), columns);
}

static void print_served(const struct status *status, unsigned int columns)
{
	char line[1024] = "", text[INET6_ADDRSTRLEN];

	for (uint32_t i = 0; i < status->info.n_served && i < 2 * NODENS_MAX_SERVED; i++)
		append(line, "%s%s", i ? "  " : "",
		       served_addr__text(&status->info.served[i], text, sizeof(text)));
	print_labelled("served", line[0] ? line : "no address by the programs", columns);
}

/* "40 tcx, 2 clsact": by the first word of how they are attached. */
static void add_hooks(const struct status *status, char *line, size_t size)
{
	struct {
		char word[16];
		unsigned int n;
	} kinds[6];
	unsigned int n_kinds = 0, k;

	for (size_t i = 0; i < status->n_devices; i++) {
		char word[16] = "";

		if (status->devices[i].state != PUBLISH_ATTACHED)
			continue;
		sscanf(status->devices[i].hook, "%15s", word);
		for (k = 0; k < n_kinds && strcmp(kinds[k].word, word); k++)
			;
		if (k == sizeof(kinds) / sizeof(kinds[0]))
			continue;
		if (k == n_kinds) {
			memcpy(kinds[k].word, word, sizeof(word));
			kinds[n_kinds++].n = 0;
		}
		kinds[k].n++;
	}
	for (k = 0; k < n_kinds; k++)
		snprintf(line + strlen(line), size - strlen(line), "%s%u %s", k ? ", " : " (",
			 kinds[k].n, kinds[k].word);
	if (n_kinds)
		snprintf(line + strlen(line), size - strlen(line), ")");
}

static void print_devices(const struct status *status, unsigned int columns)
{
	const struct publish_info *info = &status->info;
	char line[512], clean[512];
	unsigned int n[PUBLISH_EXCLUDED + 1] = { 0 }, ahead = 0;
	const char *first = "";

	if (!info->kernel_path) {
		print_labelled("devices", "none: there is no kernel path", columns);
		return;
	}
	for (size_t i = 0; i < status->n_devices; i++) {
		if (status->devices[i].state <= PUBLISH_EXCLUDED)
			n[status->devices[i].state]++;
		if (status->devices[i].state != PUBLISH_ATTACHED || !status->devices[i].ahead[0])
			continue;
		ahead++;
		first = status->devices[i].ahead;
	}
	snprintf(line, sizeof(line), "%u attached", n[PUBLISH_ATTACHED]);
	add_hooks(status, line, sizeof(line));
	append(line, " of %u wanted, %u excluded", n[PUBLISH_ATTACHED] + n[PUBLISH_NOT_ATTACHED],
	       n[PUBLISH_EXCLUDED]);
	if (ahead)
		append(line, "; before nodens: %s on %u", first, ahead);
	print_labelled("devices", text__printable(clean, sizeof(clean), line), columns);
}

#define BUSIEST 3

/* Indices of the devices with the most queries a second, at most BUSIEST: how many. */
static unsigned int find_busiest(const struct status *status, size_t busiest[BUSIEST])
{
	const struct status_counts *counts = status->counts;
	unsigned int n = 0, at;

	for (size_t i = 0; counts && i < status->n_devices; i++) {
		if (counts[i].queries < 0.5)
			continue;
		for (at = n; at && counts[busiest[at - 1]].queries < counts[i].queries; at--) {
			if (at < BUSIEST)
				busiest[at] = busiest[at - 1];
		}
		if (at < BUSIEST)
			busiest[at] = i;
		n += n < BUSIEST;
	}
	return n;
}

static void print_busiest(const struct status *status, unsigned int columns)
{
	char line[3 * (POD_TEXT + 48)] = "", pod[POD_TEXT], name[16], n[32];
	size_t busiest[BUSIEST];
	unsigned int found = find_busiest(status, busiest);

	for (unsigned int i = 0; i < found; i++) {
		const struct status_counts *counts = &status->counts[busiest[i]];
		const char *who = status__pod(status, busiest[i], pod);

		append(line, "%s%s %s/s", i ? "   " : "",
		       who ? who
			   : text__printable(name, sizeof(name), status->devices[busiest[i]].name),
		       grouped((uint64_t)(counts->queries + 0.5), n));
		if (counts->nxdomain >= counts->queries / 100)
			append(line, " (NXDOMAIN %.0f %%)",
			       100 * counts->nxdomain / counts->queries);
	}
	if (found)
		print_labelled("busiest", line, columns);
}

static void print_cache(const struct status *status, unsigned int columns)
{
	char line[256], n[32], of[32];

	snprintf(line, sizeof(line), "%s / %s answers   %.1f MB", grouped(status->entries, n),
		 grouped(status->capacity, of), (double)status->bytes / 1e6);
	if (status->rates.from_agent)
		append(line, "   evicted %.0f/s", status->rates.evicted);
	print_labelled("cache", line, columns);
}

static void print_rates(const struct status *status, unsigned int columns)
{
	const struct status_rates *rates = &status->rates;
	double all = rates->queries;
	char line[256], label[32], n[32];

	if (rates->seconds <= 0)
		return;
	snprintf(label, sizeof(label), "last %.0f s", rates->seconds);
	snprintf(line, sizeof(line), "%s q/s", grouped((uint64_t)(all + 0.5), n));
	if (all > 0)
		append(line, "   %.1f %% kernel   %.1f %% agent   %.1f %% passed on",
		       100 * rates->kernel / all, 100 * rates->agent / all,
		       100 * rates->passed / all);
	if (all > 0 && rates->from_agent)
		append(line, "   SERVFAIL %.1f %%", 100 * rates->servfail / all);
	if (!rates->from_agent)
		append(line, "   (counted by this command just now)");
	else if (status->info.miss_p50_ns)
		append(line, "   miss p50 %.2g p99 %.2g ms", (double)status->info.miss_p50_ns / 1e6,
		       (double)status->info.miss_p99_ns / 1e6);
	print_labelled(label, line, columns);
}

/* ---- upstreams ---- */

static int upstream_name(const struct publish_upstream *up, char *text, size_t size)
{
	char to[sizeof(up->to)];

	return snprintf(text, size, "%s %s", text__printable(to, sizeof(to), up->to),
			publish__proto(up));
}

static void upstream_state(const struct status *status, const struct publish_upstream *up,
			   char *text, size_t size)
{
	char span[STATUS_SPAN];

	if (up->state == PUBLISH_UP)
		snprintf(text, size, "up");
	else if (up->state == PUBLISH_UNHEARD)
		snprintf(text, size, "unheard");
	else
		snprintf(text, size, "DOWN %s", status__span(status->now_ns - up->since_ns, span));
}

static void ms(uint64_t ns, char text[16])
{
	if (!ns)
		snprintf(text, 16, "-");
	else
		snprintf(text, 16, ns < 10 * 1000000ull ? "%.2f" : "%.0f", (double)ns / 1e6);
}

static void print_upstream(const struct status *status, const struct publish_upstream *up,
			   int name_width, int zones_width, int state_width)
{
	char name[80], zones[sizeof(up->zones)], state[48], p50[16], p99[16];
	double seconds = (double)(status->info.written_ns - up->base_ns) / 1e9;
	bool fresh = status->agent == STATUS_ALIVE;

	upstream_name(up, name, sizeof(name));
	text__printable(zones, sizeof(zones), up->zones);
	if ((int)strlen(zones) > zones_width)
		strcpy(zones + zones_width - 3, "...");
	upstream_state(status, up, state, sizeof(state));
	ms(fresh ? up->rtt_p50_ns : 0, p50);
	ms(fresh ? up->rtt_p99_ns : 0, p99);
	printf("%-*s  %-*s  %-*s %6.0f %6s %6s %8llu %6llu\n", name_width, name, zones_width, zones,
	       state_width, state,
	       fresh && seconds > 0 ? (double)(up->queries - up->base_queries) / seconds : 0.0, p50,
	       p99, (unsigned long long)up->timeouts, (unsigned long long)up->failures);
}

static void print_upstreams(const struct status *status, unsigned int columns)
{
	int name_width = 8, zones_width = 5, state_width = 7, width;
	char text[80];

	for (size_t i = 0; i < status->n_upstreams; i++) {
		const struct publish_upstream *up = &status->upstreams[i];

		width = upstream_name(up, text, sizeof(text));
		name_width = width > name_width ? width : name_width;
		width = (int)strlen(up->zones);
		zones_width = width > zones_width ? width : zones_width;
		upstream_state(status, up, text, sizeof(text));
		width = (int)strlen(text);
		state_width = width > state_width ? width : state_width;
	}
	/* the zones take what the others leave */
	width = (int)columns - name_width - state_width - 41;
	width = width < 5 ? 5 : width;
	zones_width = width < zones_width ? width : zones_width;
	if (status->n_upstreams)
		printf("%-*s  %-*s  %-*s %6s %6s %6s %8s %6s\n", name_width, "UPSTREAM",
		       zones_width, "ZONES", state_width, "STATE", "Q/S", "p50 ms", "p99 ms",
		       "TIMEOUTS", "FAILS");
	for (size_t i = 0; i < status->n_upstreams; i++)
		print_upstream(status, &status->upstreams[i], name_width, zones_width, state_width);
}

void status__print(const struct status *status, const struct problems *problems,
		   unsigned int columns)
{
	columns = columns < COLUMNS_MIN ? COLUMNS_MIN : columns;
	columns = columns > COLUMNS_MAX ? COLUMNS_MAX : columns;
	if (status->info.version[0])
		print_head(status, columns);
	for (size_t i = 0; i < problems->n; i++)
		print_problem(status, &problems->list[i], columns);
	print_agent(status, columns);
	if (!status->info.version[0])
		return;
	print_served(status, columns);
	print_devices(status, columns);
	print_busiest(status, columns);
	print_cache(status, columns);
	print_rates(status, columns);
	print_upstreams(status, columns);
}
