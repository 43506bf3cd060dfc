// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A query of `nodens trace` as a line of text. Contract: trace.h.
 */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/trace.h"
#include "dns/rrtype.h"

#define COLUMNS "%-15s  %-20s  %-33s  %-18s  %-17s  %s\n"

void trace_text__head(const struct trace_print *print)
{
	trace_out__print(print->out, COLUMNS, "TIME", "CLIENT", "QUESTION", "ANSWER", "WHERE",
			 "\xc2\xb5s");
}

static void put_time(const struct trace_print *print, uint64_t at_ns, char text[32])
{
	uint64_t ns = at_ns + print->epoch_ns;
	time_t s = (time_t)(ns / NSEC_PER_SEC);
	char clock[16];
	struct tm tm;

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&s, &tm));
	snprintf(text, 32, "%s.%06u", clock, (unsigned int)(ns % NSEC_PER_SEC / 1000));
}

static void put_question(const struct watch_event *event, char *text, size_t size)
{
	char name[DNS_NAME_TEXT], type[RRTYPE_TEXT];

	if (!event->has_question) {
		snprintf(text, size, "-");
		return;
	}
	dns_name__to_text(&event->qname, name, sizeof(name));
	snprintf(text, size, "%s %s%s", rrtype__text(event->qtype, type), name,
		 watch_outcome__of(event) == WATCH_TCP ? " +tcp" : "");
}

static void put_answer(const struct watch_event *event, char *text, size_t size)
{
	char rcode[RRTYPE_TEXT], ttl[24] = "";

	if (event->kind == NODENS_EVENT_DROPPED ||
	    (event->kind == NODENS_EVENT_PASSED && !event->replied)) {
		snprintf(text, size,
			 event->kind == NODENS_EVENT_DROPPED ? "dropped"
			 : event->no_reply		     ? "no reply seen"
							     : "passed on");
	} else if (!event->is_reply && !event->replied) {
		snprintf(text, size, event->kind == NODENS_EVENT_AGENT ? "unanswered" : "-");
	} else {
		if (event->has_ttl)
			snprintf(ttl, sizeof(ttl), " ttl %u", event->ttl_s);
		snprintf(text, size, "%s %u%s%s", rcode__text(event->rcode, rcode), event->answers,
			 ttl, event->truncated ? " tc" : "");
	}
}

const char *trace__reason(const struct watch_event *event)
{
	static const char *const names[NODENS_CTR_COUNT] = {
#define X(id, name, help) [NODENS_CTR_##id] = (name),
		NODENS_OUTCOMES(X) NODENS_HIT_KINDS(X) NODENS_STEERS(X)
#undef X
	};
	const char *name = event->outcome < NODENS_CTR_COUNT ? names[event->outcome] : "?";

	return !strncmp(name, "pass_", 5) || !strncmp(name, "drop_", 5) ? name + 5 : name;
}

/* "10.96.0.11", "10.96.0.11/tcp", "10.96.0.11:5353/tls x2" */
static void put_upstream(const struct trace_print *print, const struct watch_event *event,
			 char *text, size_t size)
{
	static const char *const protos[] = { "", "/tcp", "/tls" };
	struct publish_upstream up;
	char to[sizeof(up.to)], tries[16] = "";
	size_t len;

	if (event->tries > 1)
		snprintf(tries, sizeof(tries), " x%u", event->tries);
	if (!trace_who__upstream(print->who, event->upstream, &up)) {
		snprintf(text, size, "upstream%s", tries);
		return;
	}
	text__printable(to, sizeof(to), up.to);
	len = strlen(to);
	if (len > 3 && !strcmp(to + len - 3, ":53") && to[0] != '[')
		to[len - 3] = '\0';
	snprintf(text, size, "%s%s%s", to, up.proto <= PUBLISH_TLS ? protos[up.proto] : "", tries);
}

static void put_where(const struct trace_print *print, const struct watch_event *event, char *text,
		      size_t size)
{
	const char *how = event->flags & NODENS_EVENT_STALE	 ? " stale"
			  : event->flags & NODENS_EVENT_NX_BELOW ? " cut"
								 : "";

	switch (event->kind) {
	case NODENS_EVENT_PASSED:
	case NODENS_EVENT_DROPPED:
		snprintf(text, size, "%s", trace__reason(event));
		break;
	case NODENS_EVENT_ANSWERED:
		snprintf(text, size, "kernel%s", how);
		break;
	case NODENS_EVENT_TO_AGENT:
		snprintf(text, size, "to the agent");
		break;
	default:
		if (event->upstream && !(event->flags & NODENS_EVENT_CACHED)) {
			put_upstream(print, event, text, size);
			break;
		}
		if (!*how && event->flags & NODENS_EVENT_CACHED)
			how = " cache";
		snprintf(text, size, "agent%s", how);
	}
}

void trace_text__event(const struct trace_print *print, const struct watch_event *event,
		       const struct trace_client *client)
{
	char time[32], question[DNS_NAME_TEXT + 40], answer[64], where[SOCKADDR_TEXT + 24];
	char took[16] = "-";

	put_time(print, event->time_ns, time);
	put_question(event, question, sizeof(question));
	put_answer(event, answer, sizeof(answer));
	put_where(print, event, where, sizeof(where));
	if (event->kind == NODENS_EVENT_AGENT || event->replied)
		snprintf(took, sizeof(took), "%u", event->took_us);
	trace_out__print(print->out, COLUMNS, time, client->text[0] ? client->text : "-", question,
			 answer, where, took);
}

void trace_text__summary(const struct trace_print *print, const struct trace_losses *all,
			 char *text, size_t size)
{
	int len = snprintf(text, size,
			   "-- %llu events, %llu lost (viewer too slow), %llu did not match",
			   (unsigned long long)all->shown, (unsigned long long)all->lost,
			   (unsigned long long)all->unmatched);

	if (print->sample > 1 && len > 0 && (size_t)len < size)
		snprintf(text + len, size - len, ", of 1 packet in %u", print->sample);
}
