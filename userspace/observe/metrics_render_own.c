// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The page, second part: what the whole process has one of; nodens' own counters; /proc/self.
 * Contract: metrics_priv.h.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "metrics_priv.h"
#include "base/version.h"

static void single(struct metrics_page *page, const char *name, const char *type, const char *help,
		   uint64_t value)
{
	metrics_page__head(page, name, type, help);
	metrics_page__u64(page, name, "", "", "", value);
}

static void render_kernel(struct metrics *m, struct metrics_page *page)
{
	static const struct {
		const char *name, *help;
	} counters[] = {
#define X(id, name, help) [NODENS_CTR_##id] = { "nodens_kernel_" name "_total", help },
		NODENS_OUTCOMES(X) NODENS_HIT_KINDS(X) NODENS_STEERS(X)
#undef X
	};
	uint64_t values[NODENS_CTR_COUNT];

	if (!m->config.kernel || m->config.kernel(m->config.ctx, values))
		return;
	for (int i = 0; i < NODENS_CTR_COUNT; i++)
		single(page, counters[i].name, "counter", counters[i].help, values[i]);
}

static void render_path(const struct metrics *m, struct metrics_page *page)
{
	single(page, "nodens_kernel_path", "gauge",
	       "1: programs answer in the kernel; 0: nodens may not have them, or no device has "
	       "one.",
	       m->config.kernel_path && m->config.kernel_path(m->config.ctx));
}

static void render_watched(const struct metrics *m, struct metrics_page *page)
{
	const struct agent_stats *agent = m->config.agent;
	uint64_t age_ns, lease_ns;

	if (agent) {
		metrics_page__head(
			page, "nodens_devices", "gauge",
			"Network devices that should have a program of nodens, and those "
			"that have one.");
		metrics_page__u64(page, "nodens_devices", "", "state=\"wanted\"", "",
				  agent->v[AGENT_STAT_DEVICES_WANTED]);
		metrics_page__u64(page, "nodens_devices", "", "state=\"attached\"", "",
				  agent->v[AGENT_STAT_DEVICES]);
	}
	if (!m->config.heartbeat)
		return;
	m->config.heartbeat(m->config.ctx, &age_ns, &lease_ns);
	metrics_page__head(page, "nodens_heartbeat_age_seconds", "gauge",
			   "How long ago the agent told its programs that it lives; it does ten "
			   "times a second.");
	metrics_page__ns(page, "nodens_heartbeat_age_seconds", "", "", "", age_ns);
	metrics_page__head(page, "nodens_lease_seconds", "gauge",
			   "Age of a heartbeat at which programs stop answering.");
	metrics_page__ns(page, "nodens_lease_seconds", "", "", "", lease_ns);
}

static void render_agent(const struct agent_stats *stats, struct metrics_page *page)
{
	if (!stats)
		return;
#define X(id, name, help) \
	single(page, "nodens_agent_" name "_total", "counter", help, stats->v[AGENT_STAT_##id]);
	AGENT_STATS(X)
#undef X
#define X(id, name, help) \
	single(page, "nodens_agent_" name, "gauge", help, stats->v[AGENT_STAT_##id]);
	AGENT_GAUGES(X)
#undef X
}

static void render_kinds(struct metrics_page *page, const char *name, const char *type,
			 const char *help, const uint64_t values[2])
{
	metrics_page__head(page, name, type, help);
	metrics_page__u64(page, name, "", "type=\"success\"", "", values[NODENS_POSITIVE]);
	metrics_page__u64(page, name, "", "type=\"denial\"", "", values[NODENS_NEGATIVE]);
}

static void render_store(struct metrics *m, struct metrics_page *page)
{
	struct store_stats stats = { .bytes = 0 };

	if (!m->config.store)
		return;
	m->config.store(m->config.ctx, &stats);
	render_kinds(page, "nodens_store_entries", "gauge", "Answers in the store.", stats.entries);
	render_kinds(page, "nodens_store_capacity", "gauge", "Answers that the store can hold.",
		     stats.capacity);
	render_kinds(page, "nodens_store_evictions_total", "counter",
		     "Answers evicted to make room for others.", stats.evicted);
	single(page, "nodens_store_bytes", "gauge",
	       "Memory for slots, and of the agent's tables and answers.", stats.bytes);
	single(page, "nodens_store_slot_bytes", "gauge",
	       "Memory for slots so far; more comes as it fills.", stats.slot_bytes);
	single(page, "nodens_store_slot_bytes_used", "gauge",
	       "What answers take of it, in cells of 2,048 bytes.", stats.slot_bytes_used);
	single(page, "nodens_store_no_memory_total", "counter",
	       "Times that the kernel gave no more memory for slots: answers went for others.",
	       stats.no_memory);
	single(page, "nodens_store_inserts_total", "counter", "Answers stored.", stats.inserts);
	single(page, "nodens_store_replaced_total", "counter",
	       "Answers stored in place of an older one of the same hash.", stats.replaced);
	single(page, "nodens_store_collisions_total", "counter",
	       "Replaced answers of another question.", stats.collisions);
	single(page, "nodens_store_expired_total", "counter", "Answers that expired.",
	       stats.expired);
	single(page, "nodens_store_refused_total", "counter",
	       "Answers not stored: no slot was free and none could be evicted.", stats.refused);
}

static void render_health(struct metrics *m, struct metrics_page *page)
{
	static const char *const le[METRICS_HEALTH_BUCKETS + 1] = {
		"le=\"0.00025\"", "le=\"0.0025\"", "le=\"0.025\"",
		"le=\"0.25\"",	  "le=\"2.5\"",	   "le=\"+Inf\"",
	};
	const char *name = "coredns_health_request_duration_seconds";
	uint64_t sum = 0;

	single(page, "coredns_health_request_failures_total", "counter",
	       "Checks of /health that failed.", m->health_failed);
	metrics_page__head(page, name, "histogram", "Time a request to /health took.");
	for (int i = 0; i <= METRICS_HEALTH_BUCKETS; i++) {
		sum += m->health[i];
		metrics_page__u64(page, name, "_bucket", "", le[i], sum);
	}
	metrics_page__ns(page, name, "_sum", "", "", m->health_ns);
	metrics_page__u64(page, name, "_count", "", "", sum);
}

static void render_coredns(struct metrics *m, struct metrics_page *page)
{
	uint64_t entries = 0;
	double reloaded = 0;
	char labels[192];

	metrics_page__head(page, "coredns_build_info", "gauge",
			   "1, labelled with version and revision.");
	snprintf(labels, sizeof(labels), "version=\"nodens-%s\",revision=\"%s\",goversion=\"\"",
		 version__number, version__revision);
	metrics_page__u64(page, "coredns_build_info", "", labels, "", 1);
	single(page, "coredns_panics_total", "counter", "Always 0: for CoreDNS' dashboards.", 0);
#define X(id, name, help)                   \
	single(page, name, "counter", help, \
	       m->config.agent ? m->config.agent->v[AGENT_STAT_##id] : 0);
	METRICS_OF_AGENT(X)
#undef X
	if (m->config_hash[0]) {
		snprintf(labels, sizeof(labels), "hash=\"sha512\",value=\"%s\"", m->config_hash);
		metrics_page__head(page, "coredns_reload_version_info", "gauge",
				   "1, labelled with the hash of the configuration at work.");
		metrics_page__u64(page, "coredns_reload_version_info", "", labels, "", 1);
	}
	render_health(m, page);
	if (m->config.hosts)
		m->config.hosts(m->config.ctx, &entries, &reloaded);
	single(page, "coredns_hosts_entries", "gauge", "Entries of all hosts files and blocks.",
	       entries);
	metrics_page__head(page, "coredns_hosts_reload_timestamp_seconds", "gauge",
			   "When the newest hosts file was written.");
	metrics_page__real(page, "coredns_hosts_reload_timestamp_seconds", "", "", "", reloaded);
	metrics_page__head(page, "coredns_nodecache_setup_errors_total", "counter",
			   "Errors while setting the node up, by type.");
#define X(id, text)                                                         \
	metrics_page__u64(page, "coredns_nodecache_setup_errors_total", "", \
			  "errortype=\"" text "\"", "", m->setup_errors[METRICS_SETUP_##id]);
	METRICS_SETUP_ERRORS(X)
#undef X
}

/* ---- the process ---- */

static bool read_text(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t len;

	if (!file)
		return false;
	len = fread(text, 1, size - 1, file);
	fclose(file);
	text[len] = '\0';
	return len > 0;
}

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n > 3 ? n - 3 : 0; /* ".", ".." and the directory itself */
}

/* Seconds since 1970 at which the machine started. */
static double boot_time(void)
{
	FILE *file = fopen("/proc/stat", "re");
	unsigned long long seconds = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "btime %llu", &seconds) == 1)
			break;
	}
	if (file)
		fclose(file);
	return (double)seconds;
}

/* proc(5): the fields after the program's name, which may hold anything but ends with ")". */
static void render_stat(struct metrics_page *page)
{
	unsigned long long user, system, started, bytes, pages;
	double ticks = (double)sysconf(_SC_CLK_TCK);
	char text[1024], *at;

	if (!read_text("/proc/self/stat", text, sizeof(text)) || !(at = strrchr(text, ')')) ||
	    sscanf(at + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d "
		   "%llu %llu %llu",
		   &user, &system, &started, &bytes, &pages) != 5)
		return;
	metrics_page__head(page, "process_cpu_seconds_total", "counter",
			   "CPU time of the agent, user and system.");
	metrics_page__real(page, "process_cpu_seconds_total", "", "", "",
			   (double)(user + system) / ticks);
	metrics_page__head(page, "process_start_time_seconds", "gauge",
			   "When the agent started, since 1970.");
	metrics_page__real(page, "process_start_time_seconds", "", "", "",
			   boot_time() + (double)started / ticks);
	single(page, "process_virtual_memory_bytes", "gauge", "Virtual memory of the agent.",
	       bytes);
	single(page, "process_resident_memory_bytes", "gauge", "Resident memory of the agent.",
	       pages * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void render_process(struct metrics_page *page)
{
	struct rlimit limit;

	render_stat(page);
	single(page, "process_open_fds", "gauge", "Open file descriptors.", count_fds());
	if (!getrlimit(RLIMIT_NOFILE, &limit))
		single(page, "process_max_fds", "gauge", "Limit of open file descriptors.",
		       limit.rlim_cur);
}

void metrics_render_own(struct metrics *m, struct metrics_page *page)
{
	render_coredns(m, page);
	render_path(m, page);
	render_watched(m, page);
	render_kernel(m, page);
	render_agent(m->config.agent, page);
	render_store(m, page);
	render_process(page);
}
