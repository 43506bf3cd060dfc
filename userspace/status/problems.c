// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is wrong. Contract: status.h; docs/operations.md has each code, and what to do.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "status/status.h"

/* Of devices that lost their program, or upstreams, so many are named; the others are counted. */
#define NAMED_MAX 3
/* For so long a program that was lost and is back is worth a word. */
#define LOST_NS (600 * NSEC_PER_SEC)
/* The least at which single timeouts are more than the net's own. */
#define TIMEOUTS_MIN	 3
#define TIMEOUTS_PERCENT 1
/* Evictions a second from which the cache is too small: alerts.yaml has the same. */
#define EVICTIONS_MIN 1.0

const char *const severity_names[] = { "error", "warning", "notice" };

static void add(struct problems *problems, const char *code, enum severity severity,
		uint64_t since_ns, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void add(struct problems *problems, const char *code, enum severity severity,
		uint64_t since_ns, const char *fmt, ...)
{
	struct problem *problem = &problems->list[problems->n];
	char text[sizeof(problem->text)];
	va_list ap;

	if (problems->n == PROBLEMS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	problem->code = code;
	problem->severity = severity;
	problem->since_ns = since_ns;
	text__printable(problem->text, sizeof(problem->text), text);
	problems->n++;
}

/* ---- the agent itself ---- */

/* What the programs do without it. */
static void lease(const struct status *status, char *text, size_t size)
{
	uint64_t left = status__lease_left_ns(status);
	enum status_next next = status__next(status);
	const char *to = next == STATUS_NOBODY ? "" : status_next_names[next];
	char span[STATUS_SPAN];

	if (!status->has_maps)
		snprintf(text, size, "nothing is answered here");
	else if (left)
		snprintf(text, size, "the kernel answers cached names for %s more, and %s%s",
			 status__span(left, span),
			 next == STATUS_NOBODY ? "nobody all else" : "all else goes to ", to);
	else
		snprintf(text, size, "%s: %s%s",
			 status->lease_ns ? "its lease has run out, so the kernel answers nothing"
					  : "the kernel answers nothing",
			 next == STATUS_NOBODY ? "no query is answered" : "all queries go to ", to);
}

/* What starts answers nothing yet. */
static void find_start(const struct status *status, struct problems *problems)
{
	enum status_next next = status__next(status);
	bool waits = next == STATUS_SOCKETS;

	add(problems, "starting", SEVERITY_WARNING, status->info.started_ns,
	    "the agent is starting: %s%s", waits ? "queries wait for it" : "pods use ",
	    waits ? "" : status_next_names[next]);
}

static void find_agent(const struct status *status, struct problems *problems)
{
	uint64_t beat = status->now_ns - status__beat_age_ns(status);
	uint64_t left = status__lease_left_ns(status);
	char text[256], span[STATUS_SPAN];

	lease(status, text, sizeof(text));
	status__span(status__beat_age_ns(status), span);
	if (status->agent == STATUS_ALIVE && status__starts(status))
		find_start(status, problems);
	if (status->agent == STATUS_DEAD && status->info.state == PUBLISH_LEAVING)
		add(problems, "agent_ended", SEVERITY_ERROR, beat,
		    "the agent (pid %u) ended %s ago, as it was told; %s", status->pid, span, text);
	else if (status->agent == STATUS_DEAD)
		add(problems, "agent_dead", SEVERITY_ERROR, beat,
		    "the agent (pid %u) is dead, its last beat was %s ago; %s", status->pid, span,
		    text);
	if (status->agent == STATUS_HUNG)
		add(problems, "agent_hung", SEVERITY_ERROR, beat,
		    "the agent (pid %u) is there, but its last beat was %s ago; %s", status->pid,
		    span, text);
	if (status->agent != STATUS_ALIVE && status->lease_ns && !left)
		add(problems, "lease_lapsed", SEVERITY_ERROR, beat + status->lease_ns,
		    "no program answers: the agent has not renewed its lease of %s",
		    status__span(status->lease_ns, span));
	else if (status->agent != STATUS_ALIVE && left && left < status->lease_ns / 4)
		add(problems, "lease_ending", SEVERITY_ERROR, 0,
		    "in %s the programs stop answering, unless the agent beats again",
		    status__span(left, span));
	if (status->agent == STATUS_ALIVE && !status__starts(status) && !status->half_written &&
	    !status__published(status))
		add(problems, "unpublished", SEVERITY_WARNING, status->info.written_ns,
		    "the agent (pid %u) beats, but cannot write down how it is (its log says why): "
		    "what is wrong there is not known",
		    status->pid);
	if (status->half_written)
		add(problems, "half_written", SEVERITY_WARNING, 0,
		    "the agent was stopped while it wrote down how it is: little is known of it");
}

static void find_config(const struct status *status, struct problems *problems)
{
	const struct publish_info *info = &status->info;
	uint64_t age_ns = (uint64_t)(status->now_s - info->refused_s) * NSEC_PER_SEC;
	char read[STATUS_SPAN];

	if (!info->refused_s)
		return;
	add(problems, "config_refused", SEVERITY_WARNING,
	    info->refused_s <= status->now_s && age_ns < status->now_ns ? status->now_ns - age_ns
									: 0,
	    "the configuration was read again and refused: %s; what was read at %s is at work",
	    info->refused, status__clock(status, info->config_read_s, read));
}

/* Of an agent that lives: the way of queries to it, and from it. */
static void find_path(const struct status *status, struct problems *problems)
{
	const struct publish_info *info = &status->info;
	bool steers = info->kernel_path && info->mode == PUBLISH_STEER;

	if (status__starts(status))
		return;
	if (info->state == PUBLISH_LEAVING)
		add(problems, "leaving", SEVERITY_WARNING, 0, "the agent was told to end");
	else if (steers && !info->steering)
		add(problems, "not_steering", SEVERITY_ERROR, 0,
		    "misses go to %s, not to the agent: %s",
		    status_next_names[status__next(status)], info->why_not_ready);
	else if (!info->ready)
		add(problems, "not_ready", SEVERITY_ERROR, 0, "/ready says no: %s",
		    info->why_not_ready);
	if (!info->kernel_path)
		add(problems, "no_kernel_path", SEVERITY_WARNING, info->started_ns,
		    "nothing is answered %s: %s",
		    info->n_listen ? "in the kernel, the agent answers on sockets of the node"
				   : "here, pods use the cluster's DNS",
		    info->no_path[0] ? info->no_path : "it may not, or cannot");
}

/* ---- devices ---- */

/* Pods' names are of 40 octets or so, and of 317 at most. */
struct names {
	char text[480];
	unsigned int n;
	uint64_t since_ns; /* the earliest */
};

/* "veth1 of shop/cart (why)": the @i-th device. */
static void add_name(struct names *names, const struct status *status, size_t i, const char *why,
		     uint64_t since_ns)
{
	size_t len = strlen(names->text);
	char pod_text[POD_TEXT];
	const char *pod = status__pod(status, i, pod_text);

	if (!names->n || since_ns < names->since_ns)
		names->since_ns = since_ns;
	if (names->n++ < NAMED_MAX)
		snprintf(names->text + len, sizeof(names->text) - len, "%s%s%s%s%s%s%s",
			 len ? ", " : "", status->devices[i].name, pod ? " of " : "",
			 pod ? pod : "", why[0] ? " (" : "", why, why[0] ? ")" : "");
	else if (names->n == NAMED_MAX + 1)
		snprintf(names->text + len, sizeof(names->text) - len, "...");
}

static void find_devices(const struct status *status, struct problems *problems)
{
	struct names missing = { .n = 0 }, lost = { .n = 0 }, ahead = { .n = 0 };
	unsigned int wanted = 0;

	for (size_t i = 0; i < status->n_devices; i++) {
		const struct publish_device *device = &status->devices[i];

		if (device->state == PUBLISH_EXCLUDED)
			continue;
		wanted++;
		if (device->state == PUBLISH_NOT_ATTACHED)
			add_name(&missing, status, i, device->error, device->since_ns);
		else if (device->lost_ns && status->now_ns - device->lost_ns < LOST_NS)
			add_name(&lost, status, i, "", device->lost_ns);
		if (device->state == PUBLISH_ATTACHED && device->ahead[0])
			add_name(&ahead, status, i, device->ahead, 0);
	}
	if (missing.n)
		add(problems, "device_not_attached", SEVERITY_ERROR, missing.since_ns,
		    "%u of %u devices have no program, their pods use %s: %s", missing.n, wanted,
		    status_next_names[status__next(status)], missing.text);
	if (lost.n)
		add(problems, "device_lost_program", SEVERITY_WARNING, lost.since_ns,
		    "%u of %u devices lost their program, or another came before it; it was "
		    "attached again: %s",
		    lost.n, wanted, lost.text);
	if (ahead.n)
		add(problems, "program_ahead", SEVERITY_NOTICE, 0,
		    "another program runs before nodens on %u of %u devices, and sees queries "
		    "first: %s",
		    ahead.n, wanted, ahead.text);
	if (!wanted && status->info.kernel_path && status->agent == STATUS_ALIVE &&
	    status->info.state == PUBLISH_RUNNING)
		add(problems, "no_device", SEVERITY_NOTICE, 0,
		    "no device is to be attached to: no pod runs here, or -interfaces and -exclude "
		    "leave none");
}

/* ---- upstreams ---- */

static bool times_out(const struct publish_upstream *upstream)
{
	uint64_t queries = upstream->queries - upstream->base_queries;
	uint64_t timeouts = upstream->timeouts - upstream->base_timeouts;

	return timeouts >= TIMEOUTS_MIN && timeouts * 100 >= queries * TIMEOUTS_PERCENT;
}

static void find_upstreams(const struct status *status, struct problems *problems)
{
	char span[STATUS_SPAN];

	for (size_t i = 0; i < status->n_upstreams; i++) {
		const struct publish_upstream *up = &status->upstreams[i];

		if (up->state == PUBLISH_DOWN)
			add(problems, "upstream_down", SEVERITY_ERROR, up->since_ns,
			    "upstream %s for %s down for %s (%s)", up->to, up->zones,
			    status__span(status->now_ns - up->since_ns, span),
			    up->reason[0] ? up->reason : "no answer");
		else if (up->state == PUBLISH_UNHEARD)
			add(problems, "upstream_unheard", SEVERITY_WARNING, 0,
			    "upstream %s for %s has not answered yet%s%s", up->to, up->zones,
			    up->reason[0] ? ": " : "", up->reason);
		else if (times_out(up))
			add(problems, "upstream_timeouts", SEVERITY_WARNING, 0,
			    "upstream %s did not answer %llu of %llu queries of the last %s in "
			    "time (%s)",
			    up->to, (unsigned long long)(up->timeouts - up->base_timeouts),
			    (unsigned long long)(up->queries - up->base_queries),
			    status__span(status->now_ns - up->base_ns, span), publish__proto(up));
	}
}

/* ---- what happens now and then ---- */

static void find_events(const struct status *status, struct problems *problems)
{
	static const struct {
		const char *code, *text;
		enum severity severity;
	} events[PUBLISH_EVENTS] = {
		[PUBLISH_SHED] = { "shedding",
				   "queries were sent on or turned away: too much was under way in "
				   "the agent",
				   SEVERITY_ERROR },
		[PUBLISH_CLIENT_FULL] = { "client_over_share",
					  "queries of a client were turned away: it had its share "
					  "of those that wait",
					  SEVERITY_WARNING },
		[PUBLISH_RECEIVE_DROP] = { "receive_drops",
					   "UDP packets were lost in the agent's receive queues",
					   SEVERITY_WARNING },
		[PUBLISH_REPLY_DROP] = { "reply_drops",
					 "replies were lost: the socket or the client did not take "
					 "them",
					 SEVERITY_WARNING },
		[PUBLISH_LOG_DROP] = { "log_lines_lost",
				       "lines of the log were lost: whoever reads it is too slow",
				       SEVERITY_WARNING },
		[PUBLISH_LOG_HIT_LOST] = { "log_hits_lost",
					   "answers from the kernel are not in the query log: they "
					   "came faster than the agent writes lines",
					   SEVERITY_WARNING },
		[PUBLISH_CONFLICT] = { "address_conflicts",
				       "queries were not steered to the agent: their sender's "
				       "address is another device's, or its device claims too many",
				       SEVERITY_WARNING },
	};
	enum status_next next = status__next(status);

	for (int i = 0; i < PUBLISH_EVENTS; i++) {
		const struct publish_episode *episode = &status->info.episodes[i];

		if (!events[i].code || !episode->last_ns ||
		    status->now_ns - episode->last_ns > PUBLISH_EPISODE_NS)
			continue;
		add(problems, events[i].code, events[i].severity, episode->begun_ns, "%llu %s",
		    (unsigned long long)episode->n, events[i].text);
	}
	if (status->shed)
		add(problems, "shedding_now", SEVERITY_ERROR, 0,
		    "new misses %s%s at this moment: the agent has too much under way",
		    next == STATUS_SOCKETS ? "may be turned away" : "go to ",
		    next == STATUS_SOCKETS ? "" : status_next_names[next]);
	if (status->rates.evicted >= EVICTIONS_MIN)
		add(problems, "cache_too_small", SEVERITY_WARNING,
		    status->info.episodes[PUBLISH_EVICTED].begun_ns,
		    "the cache is full: %.0f answers a second are evicted; raise the capacity of "
		    "the cache plugin, or -capacity",
		    status->rates.evicted);
}

static void find_around(const struct status *status, struct problems *problems)
{
	if (status->notrack)
		add(problems, "notrack_rules", SEVERITY_WARNING, 0,
		    "%d NOTRACK rules for served addresses in table raw, left by a node-cache that "
		    "was killed: queries that nodens passes on get no answer",
		    status->notrack);
	if (status->has_standby)
		add(problems, "standby", SEVERITY_NOTICE, 0,
		    "another agent (pid %u) stands by, to take over when this one ends",
		    status->standby_pid);
}

static int by_severity(const void *a, const void *b)
{
	const struct problem *x = a, *y = b;

	if (x->severity != y->severity)
		return x->severity < y->severity ? -1 : 1;
	return x < y ? -1 : 1;
}

void status__problems(const struct status *status, struct problems *problems)
{
	problems->n = 0;
	find_agent(status, problems);
	/* what a dead or hanging agent said last of queries says nothing of now */
	if (status->agent == STATUS_ALIVE && status__published(status)) {
		find_path(status, problems);
		find_devices(status, problems);
		find_upstreams(status, problems);
		find_events(status, problems);
	}
	find_config(status, problems);
	find_around(status, problems);
	qsort(problems->list, problems->n, sizeof(problems->list[0]), by_severity);
}
