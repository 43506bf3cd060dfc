// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * `nodens trace`: single queries as they come, with what became of each; as text, as JSON, as
 * packets for a file or Wireshark, or as messages for a reader of dnstap.
 *
 * Contract: reads only, and takes one session (watch/session.h) for as long as it runs. Each query
 * is shown once: what the programs answered, passed on or dropped by their word, what went to the
 * agent by the agent's; where the agent says nothing of a query it is shown as "to the agent".
 * Where more wait for the agent than there is room for (watch/pending.h), one may be shown as both.
 */
#include "cmd/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/look.h"
#include "cmd/pinned.h"
#include "cmd/status.h"
#include "datapath/replies.h"
#include "dnstap/endpoint.h"
#include "watch/pcap.h"
#include "watch/pending.h"
#include "watch/session.h"

#define MAX_WORDS 32
/* Output is flushed after so many events at the latest. */
#define TURN_EVENTS 512
/* What may still wait at the end. */
#define LAST_EVENTS (NODENS_RING_BYTES / NODENS_EVENT_SMALL)
/* So long the programs go on when it does not renew its session. */
#define LEASE_NS (SESSION_LEASE_MS * NSEC_PER_MS)

/* The agent that comes after one that has ended, or was killed, takes over in less. */
#define NEXT_AGENT_NS (5 * NSEC_PER_SEC)

#define KIND(id) (1u << NODENS_EVENT_##id)
#define SHOWN	 (KIND(ANSWERED) | KIND(PASSED) | KIND(DROPPED) | KIND(AGENT))
#define PACKETS	 (KIND(ANSWERED) | KIND(PASSED) | KIND(DROPPED) | KIND(TO_AGENT) | KIND(RETURNED))
#define MESSAGES (KIND(ANSWERED) | KIND(PASSED) | KIND(TO_AGENT) | KIND(AGENT))

struct trace_options {
	bool json, with_replies;
	const char *bpffs, *cni_results, *pcap, *dnstap;
	uint32_t count, seconds, sample;
};

struct trace {
	struct trace_options opts;
	struct words words;
	struct look look;
	uint64_t which; /* look__which() at its start */
	struct session *session;
	struct nodens_seen seen; /* of this session */
	struct trace_losses all; /* the rest */
	uint64_t lost_said, second_ns;
	struct pending *pending; /* NULL where packets or messages are written, not queries */
	struct trace_tap *tap;
	struct replies *replies; /* NULL: not asked for */
	struct pending *passed;	 /* wait for those */
	int replies_error;	 /* said last */
	struct trace_who who;
	struct trace_out out;
	struct trace_print print;
	bool over; /* as many as were asked for */
};

/* For a machine: packets or messages, not queries for people. */
static bool writes(const struct trace *trace)
{
	return trace->opts.pcap || trace->opts.dnstap;
}

/* ---- signals ---- */

static struct {
	struct session *volatile session; /* NULL: there is none to renew */
	volatile sig_atomic_t stop, expired;
	bool lapses;	   /* a session that is not renewed in time sees nothing */
	uint64_t until_ns; /* UINT64_MAX: not by itself */
	volatile uint64_t renewed_ns, gap_ns;
} signals;

static void on_stop(int number)
{
	(void)number;
	signals.stop = 1;
}

/* By a signal, so that who waits for the reader of a pipe keeps its session and its losses. */
static void on_alarm(int number)
{
	int saved = errno;
	uint64_t now = clock_now();

	(void)number;
	if (signals.session) {
		if (!session__renew(signals.session))
			signals.expired = 1;
		if (signals.lapses && now - signals.renewed_ns > LEASE_NS)
			signals.gap_ns += now - signals.renewed_ns - LEASE_NS;
		signals.renewed_ns = now;
	}
	if (now >= signals.until_ns)
		signals.stop = 1;
	errno = saved;
}

/* No SA_RESTART: a write that waits looks whether to stop. */
static void catch_signals(uint32_t seconds)
{
	struct sigaction stop = { .sa_handler = on_stop }, alarm = { .sa_handler = on_alarm };
	struct itimerval each = { { 0, SESSION_RENEW_MS * 1000 }, { 0, SESSION_RENEW_MS * 1000 } };

	signals.until_ns = seconds ? clock_now() + seconds * NSEC_PER_SEC : UINT64_MAX;
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGALRM, &alarm, NULL);
	signal(SIGPIPE, SIG_IGN);
	setitimer(ITIMER_REAL, &each, NULL);
}

/* ---- events ---- */

static bool wanted(struct trace *trace, const struct watch_event *event,
		   struct trace_client *client)
{
	char pod[POD_TEXT];
	struct words_client known = { 0 };

	if (trace->words.pod || trace->words.dev) {
		trace_who__client(&trace->who, event, client);
		snprintf(pod, sizeof(pod), "%s/%s", client->pod.ns, client->pod.name);
		known.pod = client->pod.name[0] ? pod : NULL;
		known.dev = client->dev[0] ? client->dev : NULL;
	}
	if (!words__match(&trace->words, event, &known)) {
		trace->all.unmatched++;
		return false;
	}
	trace->all.shown++;
	trace->over = trace->all.shown == trace->opts.count;
	return true;
}

static void show(void *ctx, const struct watch_event *event)
{
	struct trace *trace = ctx;
	struct trace_client client;

	if (trace->over || !wanted(trace, event, &client))
		return;
	if (!trace->words.pod && !trace->words.dev)
		trace_who__client(&trace->who, event, &client);
	if (trace->opts.json)
		trace_json__event(&trace->print, event, &client);
	else
		trace_text__event(&trace->print, event, &client);
}

/* Might it be one to show, should the agent say nothing of it? */
static void to_agent(struct trace *trace, const struct watch_event *event)
{
	struct words alike = trace->words;

	alike.pod = alike.dev = NULL;
	if (words__match(&alike, event, &(struct words_client){ 0 }))
		pending__add(trace->pending, event);
}

static void show_passed(void *ctx, const struct watch_event *passed)
{
	struct trace *trace = ctx;
	struct watch_event event = *passed;

	event.no_reply = clock_now() - passed->time_ns >= PENDING_WAIT_NS;
	if (!trace->opts.pcap)
		show(trace, &event);
}

/* To a query that was passed on? All others have their events. @event: that query, with it. */
static bool is_awaited(struct trace *trace, const struct watch_event *reply,
		       struct watch_event *event)
{
	if (!trace->passed || !pending__take(trace->passed, reply, event))
		return false;
	event__replied(event, reply);
	return true;
}

static void on_query(struct trace *trace, struct watch_event *event)
{
	struct watch_event passed;

	/* a TCP segment is no query; the agent says what came by TCP */
	if (event->flags & NODENS_EVENT_TCP && event->kind != NODENS_EVENT_AGENT)
		return;
	if (event->kind == NODENS_EVENT_TO_AGENT)
		to_agent(trace, event);
	else if (event->kind == NODENS_EVENT_REPLY && is_awaited(trace, event, &passed))
		show(trace, &passed);
	else if (trace->passed && trace_replies__may_come(event, &trace->words))
		pending__add(trace->passed, event);
	else if (event->kind != NODENS_EVENT_REPLY &&
		 (event->kind != NODENS_EVENT_AGENT || pending__end(trace->pending, event)))
		show(trace, event);
}

static void on_packet(struct trace *trace, const struct nodens_event *raw,
		      const struct watch_event *event)
{
	struct pcap_packet head = pcap__packet(raw, trace->print.epoch_ns);
	struct watch_event passed;
	struct trace_client client;

	/* of the agent's only replies are packets */
	if (event->kind == NODENS_EVENT_AGENT && !event->is_reply)
		return;
	if (trace->passed && trace_replies__may_come(event, &trace->words))
		pending__add(trace->passed, event);
	if (event->kind == NODENS_EVENT_REPLY) {
		if (!is_awaited(trace, event, &passed))
			return;
		event = &passed;
	}
	if (!wanted(trace, event, &client))
		return;
	trace_out__write(&trace->out, &head, sizeof(head));
	trace_out__write(&trace->out, raw->packet, raw->captured);
}

static void on_message(struct trace *trace, const struct nodens_event *raw,
		       const struct watch_event *event)
{
	struct trace_client client;

	/* a TCP segment is no message; the agent says what came by TCP */
	if (event->flags & NODENS_EVENT_TCP && event->kind != NODENS_EVENT_AGENT)
		return;
	if (wanted(trace, event, &client))
		trace_tap__event(trace->tap, raw, event, trace->print.epoch_ns,
				 look__at_agent(&trace->look));
}

static void on_event(void *ctx, const struct nodens_event *raw)
{
	struct trace *trace = ctx;
	struct watch_event event;

	if (trace->over || trace->out.failed || raw->kind >= NODENS_EVENT_KINDS)
		return;
	event__decode(raw, &event);
	if (trace->opts.pcap)
		on_packet(trace, raw, &event);
	else if (trace->tap)
		on_message(trace, raw, &event);
	else
		on_query(trace, &event);
}

/* ---- the session ---- */

/* By no program, as in mode listen: the agent's own account of replies stands for them. */
static bool replies_by_agent(const struct trace *trace)
{
	struct table table = { .fd = -1 };
	struct publish_info info;
	bool yes;

	if (look__at_agent(&trace->look))
		return true;
	if (table__open(&table, trace->look.dir, PUBLISH_INFO, sizeof(info)))
		return false;
	yes = !table__get(&table, 0, &info) && info.mode == PUBLISH_LISTEN;
	table__close(&table);
	return yes;
}

static struct nodens_filter make_filter(const struct trace *trace)
{
	struct nodens_filter filter = session__any();

	filter.one_in = trace->opts.sample;
	if (writes(trace))
		filter.snap = NODENS_MAX_SNAP;
	if (trace->opts.dnstap) {
		filter.kinds = MESSAGES;
	} else if (trace->opts.pcap) {
		filter.kinds = PACKETS | (replies_by_agent(trace) ? KIND(AGENT) : 0);
	} else {
		/* of samples, one of a query and one of its end are hardly the same query's */
		filter.kinds = SHOWN | (trace->opts.sample == 1 ? KIND(TO_AGENT) : 0);
	}
	words__filter(&trace->words, &filter);
	/* there the agent does not know the device: the query says which it is (on_query) */
	if (replies_by_agent(trace))
		filter.ifindex = 0;
	return filter;
}

/* 0, or -errno; *found false: nodens is not there, or may not be looked at. */
static int try_session(struct trace *trace, bool *found, struct error *err)
{
	struct nodens_filter filter;
	int ret = look__try(&trace->look, trace->opts.bpffs, err);

	*found = !ret;
	if (ret)
		return ret;
	filter = make_filter(trace);
	trace->which = look__which(&trace->look);
	ret = look__session(&trace->look, &filter, on_event, trace, &trace->session, err);
	if (ret)
		look__close(&trace->look);
	return ret;
}

/*
 * 0, or an exit status, and it has been said why. Until @until_ns it waits for an agent that is not
 * there; where it is told to stop meanwhile, 0 and no session.
 */
static int open_session(struct trace *trace, uint64_t until_ns)
{
	struct error err = { .text = "" };
	bool found;
	int ret;

	/* a killed agent leaves its socket behind, at which nobody listens */
	while ((ret = try_session(trace, &found, &err)) &&
	       (ret == -ENOENT || ret == -ECONNREFUSED) && !signals.stop && clock_now() < until_ns)
		poll(NULL, 0, SESSION_READ_MS);
	if (ret && signals.stop)
		return 0;
	if (ret && !found)
		return look__say(&trace->look, "trace", trace->opts.bpffs, ret, &err);
	if (ret) {
		fprintf(stderr, "nodens trace: %s\n", err.text);
		return EXIT_FAILURE;
	}
	signals.lapses = !look__at_agent(&trace->look);
	signals.expired = 0;
	signals.renewed_ns = clock_now();
	signals.session = trace->session;
	if (!trace->opts.with_replies)
		return 0;
	trace->replies = trace_replies__open(&trace->look, trace->session);
	return trace->replies ? 0 : EXIT_FAILURE;
}

/* What is @counted only while the session is still this one's. */
static void close_session(struct trace *trace)
{
	signals.session = NULL;
	replies__close(trace->replies);
	session__close(trace->session);
	look__close(&trace->look);
	trace->replies = NULL;
	trace->session = NULL;
	trace->all.lost += trace->seen.lost;
	if (trace->words.any)
		trace->all.unmatched += trace->seen.filtered;
	trace->seen = (struct nodens_seen){};
}

static void count_losses(struct trace *trace)
{
	struct nodens_seen seen;

	if (!signals.expired && !session__seen(trace->session, &seen))
		trace->seen = seen;
}

/* What waits still, before the session is closed. */
static void read_rest(struct trace *trace)
{
	session__read(trace->session, LAST_EVENTS);
	count_losses(trace);
}

/* At most once a second, so that losses do not make more losses. */
static void say_losses(struct trace *trace)
{
	uint64_t lost;

	count_losses(trace);
	lost = trace->all.lost + trace->seen.lost - trace->lost_said;
	if (!lost)
		return;
	trace->lost_said += lost;
	if (writes(trace))
		fprintf(stderr, TRACE_LOST "\n", (unsigned long long)lost);
	else if (trace->opts.json)
		trace_json__lost(&trace->print, lost);
	else
		trace_out__print(&trace->out, TRACE_LOST "\n", (unsigned long long)lost);
}

static const char *why_anew(const struct trace *trace)
{
	if (look__at_agent(&trace->look))
		return "the agent has ended";
	return signals.expired ? "its session ran out and is another's by now"
			       : "the agent has other maps";
}

/* Whatever cannot be seen again is said. 0 or an exit status. */
static int each_second(struct trace *trace)
{
	uint64_t gap_ns = signals.gap_ns;
	uint64_t which = look__which(&trace->look);

	trace->print.epoch_ns = clock_epoch();
	say_losses(trace);
	if (gap_ns) {
		signals.gap_ns -= gap_ns;
		fprintf(stderr, "nodens trace: stopped for %.1f s, of which it has seen nothing\n",
			(double)gap_ns / 1e9);
	}
	if (trace->replies)
		trace_replies__follow(trace->replies, trace->look.dir, trace->words.dev,
				      &trace->replies_error);
	if (!signals.expired && which == trace->which)
		return 0;
	fprintf(stderr, "nodens trace: %s; it looks on in a new session\n", why_anew(trace));
	read_rest(trace);
	close_session(trace);
	return open_session(trace, look__at_agent(&trace->look) ? clock_now() + NEXT_AGENT_NS : 0);
}

/* ---- begin, look on, end ---- */

static int look_on(struct trace *trace)
{
	int ret = 0;

	while (!ret && !signals.stop && !trace->over && !trace->out.failed) {
		uint64_t now;

		/* as many as a turn has: there are more */
		if (session__read(trace->session, TURN_EVENTS) < TURN_EVENTS)
			poll(NULL, 0, SESSION_READ_MS);
		now = clock_now();
		if (trace->pending)
			pending__tick(trace->pending, now);
		if (trace->passed)
			pending__tick(trace->passed, now);
		if (now >= trace->second_ns) {
			trace->second_ns = now + NSEC_PER_SEC;
			ret = each_second(trace);
		}
		trace_out__flush(&trace->out);
		if (trace->tap)
			trace_tap__turn(trace->tap);
	}
	return ret;
}

/* What is in the file goes once there is a session. */
static int open_output(struct trace *trace)
{
	const char *path = trace->opts.pcap;

	trace->out = (struct trace_out){ .fd = STDOUT_FILENO, .stop = &signals.stop };
	if (trace->opts.dnstap)
		return trace_tap__open(trace->opts.dnstap, &trace->tap);
	if (path && strcmp(path, "-"))
		trace->out.fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (trace->out.fd >= 0)
		return 0;
	fprintf(stderr, "nodens trace: cannot write %s: %s\n", path, strerror(errno));
	return EXIT_FAILURE;
}

static int begin_output(struct trace *trace)
{
	struct pcap_header head = pcap__header();
	struct stat st;

	if (!writes(trace) && !trace->opts.json)
		trace_text__head(&trace->print);
	if (!trace->opts.pcap)
		return 0;
	if (strcmp(trace->opts.pcap, "-") && !fstat(trace->out.fd, &st) && S_ISREG(st.st_mode) &&
	    ftruncate(trace->out.fd, 0))
		return -errno;
	trace_out__write(&trace->out, &head, sizeof(head));
	return 0;
}

/* The output first: a FIFO that nobody reads yet is waited for, and a session runs out meanwhile.
 */
static int begin(struct trace *trace)
{
	int ret = open_output(trace);

	if (!ret)
		ret = open_session(trace, 0);
	if (ret)
		return ret;
	trace->print = (struct trace_print){
		.out = &trace->out,
		.who = &trace->who,
		.epoch_ns = clock_epoch(),
		.sample = trace->opts.sample,
	};
	if (look__not_seen(&trace->look))
		fprintf(stderr, "nodens trace: %s\n", look__not_seen(&trace->look));
	ret = trace_who__open(&trace->who, trace->opts.cni_results, trace->look.dir);
	if (!ret && !writes(trace))
		ret = pending__open(show, trace, &trace->pending);
	if (!ret && trace->opts.with_replies)
		ret = pending__open(show_passed, trace, &trace->passed);
	if (!ret)
		ret = begin_output(trace);
	if (!ret)
		return 0;
	fprintf(stderr, "nodens trace: %s\n", strerror(-ret));
	return EXIT_FAILURE;
}

/* On stdout, but for what a machine reads, and where nobody reads that. */
static void say_summary(struct trace *trace)
{
	char line[160];

	trace_text__summary(&trace->print, &trace->all, line, sizeof(line));
	if (!writes(trace) && trace->opts.json)
		trace_json__summary(&trace->print, &trace->all);
	else if (!writes(trace))
		trace_out__print(&trace->out, "%s\n", line);
	trace_out__flush(&trace->out);
	if (writes(trace) || trace->out.failed)
		fprintf(stderr, "%s\n", line);
}

/* What waits by now is shown as well. */
static void end(struct trace *trace)
{
	if (trace->session)
		read_rest(trace);
	if (trace->pending && !trace->out.failed)
		pending__tick(trace->pending, UINT64_MAX);
	if (trace->passed && !trace->out.failed)
		pending__tick(trace->passed, UINT64_MAX);
	close_session(trace);
	say_summary(trace);
}

static int run(struct trace *trace)
{
	int ret = begin(trace), error;

	if (!ret) {
		catch_signals(trace->opts.seconds);
		ret = look_on(trace);
		end(trace);
		error = trace->out.error;
		/* who does not want to read on, or not now, has made no error */
		if (error && error != EPIPE && error != EINTR) {
			fprintf(stderr, "nodens trace: cannot write: %s\n", strerror(error));
			ret = EXIT_FAILURE;
		}
	} else {
		close_session(trace);
	}
	trace_tap__close(trace->tap);
	pending__close(trace->pending);
	pending__close(trace->passed);
	trace_who__close(&trace->who);
	return ret;
}

/* ---- the command line ---- */

static const char about[] =
	"Shows queries of this node's pods as they come: who asked what, what was answered, by\n"
	"whom, and how long it took. Words say which; all of them must hold:\n";

static const struct option_row rows[] = {
	{ "c", "N", "end after so many queries, or packets", .kind = &option_u32,
	  offsetof(struct trace_options, count), "is not a number from 1 to 1000000000", 1,
	  1000000000 },
	{ "t", "SEC", "end after so many seconds", .kind = &option_u32,
	  offsetof(struct trace_options, seconds), "is not a number from 1 to 1000000", 1,
	  1000000 },
	{ "sample", "N", "look at one packet in so many, drawn at random", .kind = &option_u32,
	  offsetof(struct trace_options, sample), "is not a number from 1 to 1000000", 1, 1000000 },
	{ "json", NULL, "a JSON object a line: docs/schema/trace.json", .kind = &option_switch,
	  offsetof(struct trace_options, json) },
	{ "with-replies", NULL, "of what was passed on, what came back as well (Linux 6.6)",
	  .kind = &option_switch, offsetof(struct trace_options, with_replies) },
	{ "w", "FILE", "packets, as pcap with nanoseconds; -: to stdout, for a pipe",
	  .kind = &option_text, offsetof(struct trace_options, pcap), "is no file's name" },
	{ "dnstap", "SOCKET", "messages to a reader of dnstap: unix:PATH or tcp://IP:PORT",
	  .kind = &option_text, offsetof(struct trace_options, dnstap), "is no socket's name" },
	PINNED_BPFFS_ROW(offsetof(struct trace_options, bpffs)),
	PINNED_CNI_ROW(offsetof(struct trace_options, cni_results)),
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static int usage(const char *text)
{
	fprintf(stderr, "nodens trace: %s\n", text);
	return EXIT_USAGE;
}

/* Flags may stand before the words and behind them. -1, or an exit status. */
static int parse_flags(struct trace *trace, int argc, char **argv, char **words, int *n_words)
{
	char help[sizeof(about) + 1024];
	int at = 0, first, ret;

	strcpy(help, about);
	words__help(help + strlen(help), sizeof(help) - strlen(help));
	while (at < argc) {
		char *before = argv[at];

		argv[at] = argv[0];
		ret = pinned__parse(argv[0], rows, N_ROWS, &trace->opts, argc - at, argv + at,
				    " [WORD...]", help, &first);
		argv[at] = before;
		if (ret >= 0)
			return ret;
		at += first;
		/* what the parser took for no flag is a word, whatever it looks like */
		for (bool is_first = true; at < argc && (is_first || argv[at][0] != '-'); at++) {
			if (*n_words == MAX_WORDS)
				return usage("too many words");
			words[(*n_words)++] = argv[at];
			is_first = false;
		}
		if (at == argc)
			break;
		at--; /* the parser begins behind what it takes for the command's name */
	}
	return -1;
}

static int check_flags(const struct trace *trace)
{
	struct tap_endpoint to;
	char text[512];
	const char *why;

	if ((trace->opts.pcap != NULL) + (trace->opts.dnstap != NULL) + trace->opts.json > 1)
		return usage("-w writes packets, -dnstap messages, -json text: one of the three");
	if (writes(trace) && (trace->words.has_slower || trace->words.unanswered))
		return usage("slower and unanswered are no property of a single packet or message, "
			     "which is what -w and -dnstap write");
	if (trace->opts.dnstap && trace->opts.with_replies)
		return usage("-dnstap has the messages of nodens' own clients and upstreams, so no "
			     "-with-replies");
	why = trace->opts.dnstap ? tap_endpoint__parse(trace->opts.dnstap, &to) : NULL;
	if (!why)
		return -1;
	snprintf(text, sizeof(text), "-dnstap %s %s", trace->opts.dnstap, why);
	return usage(text);
}

int cmd_trace(int argc, char **argv)
{
	static struct trace trace;
	char *words[MAX_WORDS];
	struct error err;
	int n_words = 0, ret;

	trace.opts = (struct trace_options){ .bpffs = NODENS_PIN_DIR,
					     .cni_results = NODENS_CNI_RESULTS,
					     .sample = 1 };
	ret = parse_flags(&trace, argc, argv, words, &n_words);
	if (ret >= 0)
		return ret;
	if (words__parse(n_words, words, &trace.words, &err))
		return usage(err.text);
	trace.words.replies = trace.opts.with_replies;
	ret = check_flags(&trace);
	return ret >= 0 ? ret : run(&trace);
}
