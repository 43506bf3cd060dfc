// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Tests of what `nodens status` finds wrong: each problem by its code from a node on which all is
 * well but for it, its exit status, and what is printed of names that others chose.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/status.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define NSEC	      1000000000ull
#define NOW	      (100000 * NSEC)
#define NOW_S	      1790000000

static struct publish_device devices[3];
static struct publish_upstream upstreams[2];

static struct status healthy(void)
{
	struct status s = {
		.now_ns = NOW,
		.now_s = NOW_S,
		.agent = STATUS_ALIVE,
		.info = {
			.written_ns = NOW - NSEC / 2,
			.started_ns = NOW - 3600 * NSEC,
			.pid = 944,
			.state = PUBLISH_RUNNING,
			.mode = PUBLISH_STEER,
			.kernel_path = 1,
			.ready = 1,
			.steering = 1,
			.n_listen = 1,
			.version = "0.4.0",
			.revision = "2e10867",
			.node = "node-7",
			.config_hash = "9268babe01234567",
			.config_read_s = NOW_S - 3000,
		},
		.devices = devices,
		.n_devices = ARRAY_SIZE(devices),
		.upstreams = upstreams,
		.n_upstreams = ARRAY_SIZE(upstreams),
		.has_maps = true,
		.beat_ns = NOW - NSEC / 10,
		.lease_ns = 60 * NSEC,
		.hung_ns = NSEC,
		.pid = 944,
		.rates = { .from_agent = true, .seconds = 10, .queries = 2004, .kernel = 1974 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		devices[i] = (struct publish_device){ .ifindex = i + 1,
						      .state = PUBLISH_ATTACHED,
						      .hook = "tcx",
						      .since_ns = NOW - 3000 * NSEC };
		snprintf(devices[i].name, sizeof(devices[i].name), "veth%zu", i);
	}
	devices[2].state = PUBLISH_EXCLUDED;
	for (size_t i = 0; i < ARRAY_SIZE(upstreams); i++) {
		upstreams[i] = (struct publish_upstream){ .state = PUBLISH_UP,
							  .zones = "cluster.local.",
							  .queries = 5000,
							  .base_queries = 4000,
							  .timeouts = 10,
							  .base_timeouts = 8,
							  .base_ns = NOW - 10 * NSEC,
							  .since_ns = NOW - 3000 * NSEC };
		snprintf(upstreams[i].to, sizeof(upstreams[i].to), "10.96.0.1%zu:53", i);
	}
	return s;
}

/* ---- what makes it ill ---- */

static void nothing(struct status *s)
{
	(void)s;
}

static void dead(struct status *s)
{
	s->agent = STATUS_DEAD;
	s->beat_ns = NOW - 20 * NSEC;
	/* what was so when it died is no news */
	s->info.steering = 0;
	devices[0].state = PUBLISH_NOT_ATTACHED;
}

static void dead_for_long(struct status *s)
{
	dead(s);
	s->beat_ns = NOW - 61 * NSEC;
}

static void ended(struct status *s)
{
	dead(s);
	s->info.state = PUBLISH_LEAVING;
}

static void hung(struct status *s)
{
	s->agent = STATUS_HUNG;
	s->beat_ns = NOW - 5 * NSEC;
}

static void hung_for_long(struct status *s)
{
	s->agent = STATUS_HUNG;
	s->beat_ns = NOW - 50 * NSEC;
}

static void half_written(struct status *s)
{
	dead(s);
	memset(&s->info, 0, sizeof(s->info));
	s->half_written = true;
}

static void starting(struct status *s)
{
	s->info.state = PUBLISH_STARTING;
	s->info.steering = s->info.ready = 0;
}

/* Its programs are being loaded: nothing has told them anything yet. */
static void loading(struct status *s)
{
	starting(s);
	s->beat_ns = s->lease_ns = s->hung_ns = 0;
	s->info.written_ns = s->info.started_ns = NOW - 20 * NSEC;
}

/* After another, whose lease is over. */
static void loading_again(struct status *s)
{
	loading(s);
	s->beat_ns = NOW - 3600 * NSEC;
	s->lease_ns = 60 * NSEC;
	s->hung_ns = NSEC;
}

/* Before it has written anything. */
static void loading_soon(struct status *s)
{
	loading(s);
	memset(&s->info, 0, sizeof(s->info));
	s->n_devices = s->n_upstreams = 0;
}

static void killed_while_loading(struct status *s)
{
	loading(s);
	s->agent = STATUS_DEAD;
}

/* It beats, and there is no row of it. */
static void unpublished(struct status *s)
{
	memset(&s->info, 0, sizeof(s->info));
	s->n_devices = s->n_upstreams = 0;
}

/* The row is that of an agent before it, or the disk is full since. */
static void unpublished_since(struct status *s)
{
	s->info.written_ns = NOW - 4 * NSEC;
	s->info.steering = s->info.ready = 0;
	devices[0].state = PUBLISH_NOT_ATTACHED;
}

static void leaving(struct status *s)
{
	s->info.state = PUBLISH_LEAVING;
	s->info.steering = s->info.ready = 0;
}

static void not_steering(struct status *s)
{
	s->info.steering = s->info.ready = 0;
	strcpy(s->info.why_not_ready, "not steering: nd0 is down");
}

static void not_ready(struct status *s)
{
	s->info.mode = PUBLISH_LISTEN;
	s->info.steering = s->info.ready = 0;
	strcpy(s->info.why_not_ready, "cluster.local.");
}

static void no_kernel_path(struct status *s)
{
	s->info.kernel_path = s->info.steering = 0;
	s->has_maps = false;
	strcpy(s->info.no_path, "bpf() is not permitted");
	s->n_devices = 0;
}

/* node-cache's arguments for kube-ipvs0: it listens nowhere. */
static void no_path_at_all(struct status *s)
{
	no_kernel_path(s);
	s->info.n_listen = s->info.ready = 0;
	strcpy(s->info.why_not_ready, "no kernel path");
}

static void not_attached(struct status *s)
{
	(void)s;
	devices[0].state = PUBLISH_NOT_ATTACHED;
	strcpy(devices[0].error, "another XDP program holds it");
}

static void lost(struct status *s)
{
	(void)s;
	devices[0].lost = 1;
	devices[0].lost_ns = NOW - 590 * NSEC;
}

static void lost_long_ago(struct status *s)
{
	(void)s;
	devices[0].lost = 1;
	devices[0].lost_ns = NOW - 601 * NSEC;
}

static void ahead(struct status *s)
{
	(void)s;
	strcpy(devices[1].ahead, "cil_from_cont");
}

static void no_device(struct status *s)
{
	s->n_devices = 0;
}

static void down(struct status *s)
{
	(void)s;
	upstreams[1].state = PUBLISH_DOWN;
	upstreams[1].since_ns = NOW - 34 * NSEC;
	upstreams[1].timeouts = 100;
	strcpy(upstreams[1].reason, "i/o timeout");
}

static void unheard(struct status *s)
{
	(void)s;
	upstreams[0].state = PUBLISH_UNHEARD;
}

static void timeouts(struct status *s)
{
	(void)s;
	upstreams[0].timeouts = upstreams[0].base_timeouts + 10;
}

static void few_timeouts(struct status *s)
{
	(void)s;
	upstreams[0].timeouts = upstreams[0].base_timeouts + 9;
}

static void two_timeouts(struct status *s)
{
	(void)s;
	upstreams[0].base_queries = upstreams[0].queries - 2;
	upstreams[0].timeouts = upstreams[0].base_timeouts + 2;
}

static void refused(struct status *s)
{
	s->info.refused_s = NOW_S - 60;
	strcpy(s->info.refused, "Corefile:3: no such directive");
}

static void episode(struct status *s, enum publish_event event, uint64_t ago_s)
{
	s->info.episodes[event] = (struct publish_episode){ .begun_ns = NOW - 100 * NSEC,
							    .last_ns = NOW - ago_s * NSEC,
							    .n = 12 };
}

static void shed(struct status *s)
{
	episode(s, PUBLISH_SHED, 59);
	s->shed = NODENS_SHED_LOAD;
}

static void shares(struct status *s)
{
	episode(s, PUBLISH_CLIENT_FULL, 59);
	episode(s, PUBLISH_CONFLICT, 59);
}

static void drops(struct status *s)
{
	episode(s, PUBLISH_RECEIVE_DROP, 59);
	episode(s, PUBLISH_REPLY_DROP, 59);
	episode(s, PUBLISH_LOG_DROP, 59);
	episode(s, PUBLISH_LOG_HIT_LOST, 59);
}

static void long_ago(struct status *s)
{
	for (int i = 0; i < PUBLISH_EVENTS; i++)
		episode(s, i, 61);
}

static void evictions(struct status *s)
{
	s->rates.evicted = 1;
}

static void notrack(struct status *s)
{
	s->notrack = 4;
}

static void standby(struct status *s)
{
	s->has_standby = true;
	s->standby_pid = 17;
}

static const struct {
	void (*make)(struct status *s);
	const char *codes; /* in their order */
	int exit;
} cases[] = {
	{ nothing, "", 0 },
	{ dead, "agent_dead", EXIT_NOT_RUNNING },
	{ dead_for_long, "agent_dead lease_lapsed", EXIT_NOT_RUNNING },
	{ ended, "agent_ended", EXIT_NOT_RUNNING },
	{ hung, "agent_hung", EXIT_DEGRADED },
	{ hung_for_long, "agent_hung lease_ending", EXIT_DEGRADED },
	{ half_written, "agent_dead half_written", EXIT_NOT_RUNNING },
	{ starting, "starting", EXIT_DEGRADED },
	{ loading, "starting", EXIT_DEGRADED },
	{ loading_again, "starting", EXIT_DEGRADED },
	{ loading_soon, "starting", EXIT_DEGRADED },
	{ killed_while_loading, "agent_dead", EXIT_NOT_RUNNING },
	{ unpublished, "unpublished", EXIT_DEGRADED },
	{ unpublished_since, "unpublished", EXIT_DEGRADED },
	{ leaving, "leaving", EXIT_DEGRADED },
	{ not_steering, "not_steering", EXIT_DEGRADED },
	{ not_ready, "not_ready", EXIT_DEGRADED },
	{ no_kernel_path, "no_kernel_path", EXIT_DEGRADED },
	{ no_path_at_all, "not_ready no_kernel_path", EXIT_DEGRADED },
	{ not_attached, "device_not_attached", EXIT_DEGRADED },
	{ lost, "device_lost_program", EXIT_DEGRADED },
	{ lost_long_ago, "", 0 },
	{ ahead, "program_ahead", 0 },
	{ no_device, "no_device", 0 },
	{ down, "upstream_down", EXIT_DEGRADED },
	{ unheard, "upstream_unheard", EXIT_DEGRADED },
	{ timeouts, "upstream_timeouts", EXIT_DEGRADED },
	{ few_timeouts, "", 0 },
	{ two_timeouts, "", 0 },
	{ refused, "config_refused", EXIT_DEGRADED },
	{ shed, "shedding shedding_now", EXIT_DEGRADED },
	{ shares, "client_over_share address_conflicts", EXIT_DEGRADED },
	{ drops, "receive_drops reply_drops log_lines_lost log_hits_lost", EXIT_DEGRADED },
	{ long_ago, "", 0 },
	{ evictions, "cache_too_small", EXIT_DEGRADED },
	{ notrack, "notrack_rules", EXIT_DEGRADED },
	{ standby, "standby", 0 },
};

static void test_problems(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct status s = healthy();
		struct problems problems;
		char codes[512] = "";

		cases[i].make(&s);
		status__problems(&s, &problems);
		for (size_t k = 0; k < problems.n; k++)
			snprintf(codes + strlen(codes), sizeof(codes) - strlen(codes), "%s%s",
				 k ? " " : "", problems.list[k].code);
		assert_string_equal(codes, cases[i].codes);
		assert_int_equal(status__exit(&s, &problems), cases[i].exit);
	}
}

static void listens(struct status *s)
{
	s->info.mode = PUBLISH_LISTEN;
	s->info.steering = 0;
}

static void front(struct status *s)
{
	s->info.front = 1;
}

/* Whom it sends queries to depends on the mode. */
static void test_who_has_the_queries(void **state)
{
	static const struct {
		void (*mode)(struct status *s), (*make)(struct status *s);
		const char *words;
	} texts[] = {
		{ nothing, dead, "all else goes to the cluster's DNS" },
		{ nothing, dead_for_long, "all queries go to the cluster's DNS" },
		{ nothing, starting, "pods use the cluster's DNS" },
		{ nothing, not_attached, "their pods use the cluster's DNS" },
		{ nothing, not_steering, "misses go to the cluster's DNS" },
		{ nothing, shed, "new misses go to the cluster's DNS" },
		{ nothing, no_kernel_path, "the agent answers on sockets" },
		{ nothing, no_path_at_all, "nothing is answered here, pods use the cluster's DNS" },
		{ front, dead, "all else goes to the cache that nodens stands in front of" },
		{ front, dead_for_long, "all queries go to the cache that" },
		{ front, starting, "pods use the cache that" },
		{ front, not_attached, "their pods use the cache that" },
		{ front, not_steering, "misses go to the cache that" },
		{ front, shed, "new misses go to the cache that" },
		{ listens, dead, "and nobody all else" },
		{ listens, dead_for_long, "no query is answered" },
		{ listens, hung, "and nobody all else" },
		{ listens, starting, "queries wait for it" },
		{ listens, not_attached, "their pods use the agent's sockets" },
		{ listens, shed, "may be turned away" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct status s = healthy();
		struct problems problems;
		bool found = false;

		texts[i].mode(&s);
		texts[i].make(&s);
		status__problems(&s, &problems);
		for (size_t k = 0; k < problems.n; k++) {
			found |= strstr(problems.list[k].text, texts[i].words) != NULL;
			assert_false(texts[i].mode != nothing &&
				     strstr(problems.list[k].text, "cluster's DNS"));
		}
		if (!found)
			fail_msg("nothing says: %s", texts[i].words);
	}
}

/* Each code of these is in the document that says what to do. */
static void test_each_code_is_explained(void **state)
{
	static char doc[1 << 20];
	FILE *file = fopen("docs/operations.md", "r");
	size_t len;

	(void)state;
	assert_non_null(file);
	len = fread(doc, 1, sizeof(doc) - 1, file);
	doc[len] = '\0';
	fclose(file);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char codes[512], row[64], *save = NULL;

		strcpy(codes, cases[i].codes);
		for (char *code = strtok_r(codes, " ", &save); code;
		     code = strtok_r(NULL, " ", &save)) {
			snprintf(row, sizeof(row), "| `%s` |", code);
			if (!strstr(doc, row))
				fail_msg("docs/operations.md has no row for %s", code);
		}
	}
}

/* ---- what is printed ---- */

static char screen[65536];

static void print(const struct status *s, unsigned int columns)
{
	struct problems problems;
	FILE *file = tmpfile();
	size_t len;
	int saved;

	status__problems(s, &problems);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	dup2(fileno(file), STDOUT_FILENO);
	status__print(s, &problems, columns);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(file);
	len = fread(screen, 1, sizeof(screen) - 1, file);
	screen[len] = '\0';
	fclose(file);
}

static void test_lines_fit(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (unsigned int columns = 80; columns <= 120; columns += 40) {
			struct status s = healthy();
			char *save = NULL;

			cases[i].make(&s);
			print(&s, columns);
			for (char *line = strtok_r(screen, "\n", &save); line;
			     line = strtok_r(NULL, "\n", &save)) {
				if (strlen(line) > columns)
					fail_msg("longer than %u: %s", columns, line);
				assert_int_not_equal(line[strlen(line) - 1], ' ');
			}
		}
	}
}

/* A device, a program or a configuration may be called anything. */
static void test_nothing_raw(void **state)
{
	static const char evil[] = "\033]0;x\007\r\n\x9b\xff";
	struct status s = healthy();
	struct problems problems;
	char *text;
	json_t *json;

	(void)state;
	refused(&s);
	memcpy(s.info.refused, evil, sizeof(evil));
	memcpy(s.info.node, evil, sizeof(evil));
	memcpy(s.info.version, evil, sizeof(evil));
	memcpy(s.info.config_hash, evil, sizeof(evil));
	memcpy(devices[0].ahead, evil, sizeof(evil));
	memcpy(devices[0].name, evil, sizeof(evil));
	memcpy(devices[0].hook, evil, sizeof(evil));
	memcpy(upstreams[0].zones, evil, sizeof(evil));
	memcpy(upstreams[0].to, evil, sizeof(evil));
	memcpy(upstreams[0].reason, evil, sizeof(evil));
	upstreams[0].state = PUBLISH_DOWN;
	devices[1].state = PUBLISH_NOT_ATTACHED;
	memcpy(devices[1].error, evil, sizeof(evil));
	print(&s, 80);
	for (char *at = screen; *at; at++)
		assert_true(*at == '\n' || (*at >= 0x20 && *at < 0x7f));
	status__problems(&s, &problems);
	json = status__json(&s, &problems);
	assert_non_null(json);
	text = json_dumps(json, 0);
	assert_non_null(text);
	assert_null(strchr(text, '\\'));
	free(text);
	json_decref(json);
}

static const char *text_of(const struct problems *problems, const char *code)
{
	for (size_t i = 0; i < problems->n; i++) {
		if (!strcmp(problems->list[i].code, code))
			return problems->list[i].text;
	}
	return "";
}

/* Two readings of a device's counts make its rates; the busiest come first, as far as they have
 * any. */
static void test_counts(void **state)
{
	const struct nodens_device_counts before = { .hits = 1000, .nxdomain = 500, .misses = 10 };
	struct status_counts counts[ARRAY_SIZE(devices)] = {
		[1] = { .known = true, .n = { 3000, 1300, 110, 7, .unsteered = 50, .passed = 3 } },
	};
	struct status s = healthy();
	struct problems problems;
	json_t *json, *device, *rates;

	(void)state;
	status__rates_by_device(&counts[0], 10, &before);
	assert_true(counts[0].seconds == 0);
	status__rates_by_device(&counts[1], 0, &before);
	assert_true(counts[1].seconds == 0);
	status__rates_by_device(&counts[1], 10, &before);
	s.counts = counts;
	status__problems(&s, &problems);
	json = status__json(&s, &problems);
	device = json_array_get(json_object_get(json, "devices"), 1);
	rates = json_object_get(device, "rates");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(device, "counts"), "unsteered")),
		50);
	assert_true(json_real_value(json_object_get(rates, "queries_per_s")) == 210);
	assert_true(json_real_value(json_object_get(rates, "kernel_per_s")) == 200);
	assert_true(json_real_value(json_object_get(rates, "nxdomain_per_s")) == 80);
	assert_true(json_real_value(json_object_get(rates, "passed_per_s")) == 5);
	device = json_array_get(json_object_get(json, "devices"), 0);
	assert_true(json_is_null(json_object_get(device, "counts")));
	assert_true(json_is_null(json_object_get(device, "rates")));
	json_decref(json);
	print(&s, 80);
	assert_non_null(strstr(screen, "\nbusiest   veth1 210/s (NXDOMAIN 38 %)\n"));
	counts[0] = (struct status_counts){ .queries = 1200 };
	counts[2] = (struct status_counts){ .queries = 300 };
	print(&s, 80);
	assert_non_null(
		strstr(screen, "\nbusiest   veth0 1,200/s   veth2 300/s   veth1 210/s (NXDOMAIN"));
}

/* An agent that was started anew with maps of its own begins at 0: no count of before is a base. */
static void test_counts_go_on(void **state)
{
	const struct nodens_device_counts before = { 10, 10, 10, 10, 10, 10 };
	uint64_t counts[sizeof(before) / sizeof(uint64_t)];
	struct nodens_device_counts now = before;

	(void)state;
	assert_true(status__counts_go_on(&before, &now));
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(counts); k++)
			counts[k] = k == i ? 9 : 1000;
		memcpy(&now, counts, sizeof(now));
		assert_false(status__counts_go_on(&before, &now));
		counts[i] = 10;
		memcpy(&now, counts, sizeof(now));
		assert_true(status__counts_go_on(&before, &now));
	}
}

/* Behind one device nobody knows who is; behind the other whoever has the longest name. */
static void test_pods(void **state)
{
	struct pod_behind pods[ARRAY_SIZE(devices)] = { { .ifindex = 1 }, { .ifindex = 2 } };
	struct status s = healthy();
	struct problems problems;
	json_t *json, *list;

	(void)state;
	devices[0].state = devices[1].state = PUBLISH_NOT_ATTACHED;
	strcpy(devices[1].error, "held");
	strcpy(pods[1].pod.ns, "shop");
	strcpy(pods[1].pod.name, "cart-7d9f");
	s.pods = pods;
	status__problems(&s, &problems);
	assert_non_null(strstr(text_of(&problems, "device_not_attached"),
			       ": veth0, veth1 of shop/cart-7d9f (held)"));
	json = status__json(&s, &problems);
	list = json_object_get(json, "devices");
	assert_true(json_is_null(json_object_get(json_array_get(list, 0), "pod")));
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "pod")),
			    "shop/cart-7d9f");
	json_decref(json);

	memset(pods[0].pod.ns, 'n', sizeof(pods[0].pod.ns) - 1);
	memset(pods[0].pod.name, 'p', sizeof(pods[0].pod.name) - 1);
	pods[1] = pods[0];
	status__problems(&s, &problems);
	assert_non_null(strstr(text_of(&problems, "device_not_attached"), ": veth0 of nnn"));

	s.pods = NULL; /* as the page has it */
	status__problems(&s, &problems);
	assert_non_null(strstr(text_of(&problems, "device_not_attached"), ": veth0, veth1 (held)"));
}

static void test_spans(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} spans[] = {
		{ 0, "0.00 s" },
		{ 80 * NSEC / 1000, "0.08 s" },
		{ 9 * NSEC, "9.0 s" },
		{ 34 * NSEC, "34 s" },
		{ 303 * NSEC, "5 m 3 s" },
		{ 3 * 3600 * NSEC, "3 h 0 m" },
		{ (3 * 86400 + 4 * 3600) * NSEC, "3 d 4 h" },
	};
	char text[STATUS_SPAN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++)
		assert_string_equal(status__span(spans[i].ns, text), spans[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_has_the_queries),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_each_code_is_explained),
		cmocka_unit_test(test_lines_fit),
		cmocka_unit_test(test_nothing_raw),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_counts_go_on),
		cmocka_unit_test(test_pods),
		cmocka_unit_test(test_spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
