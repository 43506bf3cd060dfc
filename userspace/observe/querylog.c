// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Query log lines. Contract: querylog.h.
 */
#include "observe/querylog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/rrtype.h"

#define NAME_TEXT 1024

/* Where a line is written: cut, never beyond its end. */
struct out {
	char *text;
	size_t size, len;
};

static void put(struct out *out, const char *text, size_t len)
{
	size_t room = out->size - 1 - out->len;

	if (len > room)
		len = room;
	memcpy(out->text + out->len, text, len);
	out->len += len;
}

static __attribute__((format(printf, 2, 3))) void put_fmt(struct out *out, const char *fmt, ...)
{
	char text[64];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		put(out, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static void put_ip(struct out *out, const struct sockaddr *addr)
{
	struct served_addr ip = served_addr__of(addr);
	char text[INET6_ADDRSTRLEN];

	served_addr__text(&ip, text, sizeof(text));
	put_fmt(out, ip.family == AF_INET6 ? "[%s]" : "%s", text);
}

/* ---- placeholders ---- */

static void put_type(struct out *out, const struct querylog_event *event)
{
	char text[RRTYPE_TEXT];

	put_fmt(out, "%s", rrtype__text(event->query->qtype, text));
}

static void put_name(struct out *out, const struct querylog_event *event)
{
	struct dns_name lower = event->query->qname;
	char text[NAME_TEXT];
	int n;

	dns_name__lower(&lower);
	n = dns_name__to_text(&lower, text, sizeof(text));
	if (n > 0)
		put(out, text, (size_t)n);
}

static void put_class(struct out *out, const struct querylog_event *event)
{
	switch (event->query->qclass) {
	case 1:
		put(out, "IN", 2);
		break;
	case 3:
		put(out, "CH", 2);
		break;
	case 4:
		put(out, "HS", 2);
		break;
	case 254:
		put(out, "NONE", 4);
		break;
	case 255:
		put(out, "ANY", 3);
		break;
	default:
		put_fmt(out, "CLASS%u", event->query->qclass);
	}
}

static void put_proto(struct out *out, const struct querylog_event *event)
{
	put(out, event->tcp ? "tcp" : "udp", 3);
}

static void put_remote(struct out *out, const struct querylog_event *event)
{
	put_ip(out, event->peer);
}

static void put_port(struct out *out, const struct querylog_event *event)
{
	put_fmt(out, "%u", sockaddr__port(event->peer));
}

static void put_local(struct out *out, const struct querylog_event *event)
{
	put_ip(out, event->local);
}

static void put_size(struct out *out, const struct querylog_event *event)
{
	put_fmt(out, "%zu", event->request_size);
}

static void put_rcode(struct out *out, const struct querylog_event *event)
{
	char text[RRTYPE_TEXT];

	put_fmt(out, "%s",
		event->rcode == DNS_BADVERS ? "BADVERS" : rcode__text(event->rcode, text));
}

static void put_rsize(struct out *out, const struct querylog_event *event)
{
	put_fmt(out, "%zu", event->reply ? event->reply_size : 0);
}

/* Seconds with as few digits as say it: 0.00125s, 2s. */
static void put_duration(struct out *out, const struct querylog_event *event)
{
	char text[40];
	int n = snprintf(text, sizeof(text), "%llu.%09llu",
			 (unsigned long long)(event->duration_ns / 1000000000),
			 (unsigned long long)(event->duration_ns % 1000000000));

	while (text[n - 1] == '0')
		n--;
	if (text[n - 1] == '.')
		n--;
	put_fmt(out, "%.*ss", n, text);
}

static void put_id(struct out *out, const struct querylog_event *event)
{
	put_fmt(out, "%u", event->query->id);
}

static void put_opcode(struct out *out, const struct querylog_event *event)
{
	put_fmt(out, "%u", (event->query->flags & DNS_OPCODE) >> 11);
}

static void put_do(struct out *out, const struct querylog_event *event)
{
	put_fmt(out, "%s", event->query->edns_do ? "true" : "false");
}

/* What the client takes: without EDNS 512, over TCP anything. */
static void put_bufsize(struct out *out, const struct querylog_event *event)
{
	unsigned int size = event->query->edns_size;

	if (event->tcp)
		size = DNS_MAX_MSG;
	put_fmt(out, "%u", size > 512 ? size : 512);
}

static void put_rflags(struct out *out, const struct querylog_event *event)
{
	static const struct {
		uint16_t bit;
		const char *text;
	} flags[] = { { DNS_QR, "qr" }, { DNS_AA, "aa" }, { DNS_TC, "tc" }, { DNS_RD, "rd" },
		      { DNS_RA, "ra" }, { 0x0040, "z" },  { DNS_AD, "ad" }, { DNS_CD, "cd" } };
	const char *comma = "";
	uint16_t bits;

	if (!event->reply || event->reply_size < DNS_HEADER) {
		put(out, "-", 1);
		return;
	}
	bits = (uint16_t)(event->reply[2] << 8 | event->reply[3]);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (!(bits & flags[i].bit))
			continue;
		put_fmt(out, "%s%s", comma, flags[i].text);
		comma = ",";
	}
}

static void put_or_dash(struct out *out, const char *text)
{
	put(out, text && *text ? text : "-", text && *text ? strlen(text) : 1);
}

static void put_pod_namespace(struct out *out, const struct querylog_event *event)
{
	put_or_dash(out, event->pod_namespace);
}

static void put_pod_name(struct out *out, const struct querylog_event *event)
{
	put_or_dash(out, event->pod_name);
}

typedef void (*put_one)(struct out *out, const struct querylog_event *event);

static const struct {
	const char *name;
	put_one put;
} placeholders[] = {
	{ "{type}", put_type },
	{ "{name}", put_name },
	{ "{class}", put_class },
	{ "{proto}", put_proto },
	{ "{remote}", put_remote },
	{ "{port}", put_port },
	{ "{local}", put_local },
	{ "{size}", put_size },
	{ "{rcode}", put_rcode },
	{ "{rsize}", put_rsize },
	{ "{duration}", put_duration },
	{ "{>id}", put_id },
	{ "{>opcode}", put_opcode },
	{ "{>do}", put_do },
	{ "{>bufsize}", put_bufsize },
	{ "{>rflags}", put_rflags },
	/* metadata of CoreDNS' kubernetes plugin */
	{ "{/kubernetes/client-namespace}", put_pod_namespace },
	{ "{/kubernetes/client-pod-name}", put_pod_name },
};

/* ---- formats ---- */

/* A text, then a placeholder (NULL at the end). */
struct segment {
	size_t at, len; /* in rule.text */
	put_one put;
};

struct rule {
	struct corefile_zone *names; /* wire form only */
	size_t names_len;
	unsigned int classes;
	char *text;
	struct segment *segments;
	size_t segments_len;
};

struct querylog {
	bool names_pods;
	size_t len;
	struct rule rules[];
};

/* {common} and {combined} stand for formats of their own. NULL: out of memory. */
static char *expand(const char *format)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	while (*format) {
		if (!strncmp(format, "{common}", 8)) {
			fputs(QUERYLOG_COMMON, out);
			format += 8;
		} else if (!strncmp(format, "{combined}", 10)) {
			fputs(QUERYLOG_COMBINED, out);
			format += 10;
		} else {
			fputc(*format++, out);
		}
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static void put_nothing(struct out *out, const struct querylog_event *event)
{
	(void)event;
	put(out, "-", 1);
}

/* The placeholder at @text and its length; NULL: there is none. Other metadata has no values here.
 */
static put_one placeholder_at(const char *text, size_t *len)
{
	const char *end;

	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++) {
		*len = strlen(placeholders[i].name);
		if (!strncmp(text, placeholders[i].name, *len))
			return placeholders[i].put;
	}
	end = strchr(text, '}');
	if (!end || strncmp(text, "{/", 2) != 0)
		return NULL;
	*len = (size_t)(end - text) + 1;
	return put_nothing;
}

static int compile(struct rule *rule)
{
	size_t braces = 1, start = 0, at = 0, len;

	for (const char *c = rule->text; *c; c++)
		braces += *c == '{';
	rule->segments = calloc(braces, sizeof(rule->segments[0]));
	if (!rule->segments)
		return -ENOMEM;
	while (rule->text[at]) {
		put_one found = NULL;

		if (rule->text[at] == '{')
			found = placeholder_at(rule->text + at, &len);
		if (!found) {
			at++;
			continue;
		}
		rule->segments[rule->segments_len++] = (struct segment){ start, at - start, found };
		at += len;
		start = at;
	}
	rule->segments[rule->segments_len++] = (struct segment){ start, at - start, NULL };
	/* A format comes from a file: it makes one line as well. */
	for (at = 0; rule->text[at]; at++) {
		if ((unsigned char)rule->text[at] < 0x20 || rule->text[at] == 0x7f)
			rule->text[at] = '?';
	}
	return 0;
}

static bool names_pods(const struct rule *rule)
{
	for (size_t i = 0; i < rule->segments_len; i++) {
		if (rule->segments[i].put == put_pod_name ||
		    rule->segments[i].put == put_pod_namespace)
			return true;
	}
	return false;
}

bool querylog__names_pods(const struct querylog *log)
{
	return log && log->names_pods;
}

int querylog__open(const struct corefile_log *logs, size_t n, struct querylog **out)
{
	struct querylog *log;

	if (!n) {
		*out = NULL;
		return 0;
	}
	log = calloc(1, sizeof(*log) + n * sizeof(log->rules[0]));
	if (!log)
		return -ENOMEM;
	log->len = n;
	for (size_t i = 0; i < n; i++) {
		struct rule *rule = &log->rules[i];

		rule->classes = logs[i].classes;
		rule->names_len = logs[i].names.len;
		rule->names = calloc(rule->names_len + 1, sizeof(rule->names[0]));
		rule->text = expand(logs[i].format ? logs[i].format : "{common}");
		if (!rule->names || !rule->text || compile(rule)) {
			querylog__close(log);
			return -ENOMEM;
		}
		log->names_pods |= names_pods(rule);
		for (size_t j = 0; j < rule->names_len; j++) {
			rule->names[j] = logs[i].names.list[j];
			rule->names[j].text = rule->names[j].file = NULL; /* not kept */
		}
	}
	*out = log;
	return 0;
}

void querylog__close(struct querylog *log)
{
	if (!log)
		return;
	for (size_t i = 0; i < log->len; i++) {
		free(log->rules[i].names);
		free(log->rules[i].text);
		free(log->rules[i].segments);
	}
	free(log);
}

/* ---- lines ---- */

static bool has_soa(const uint8_t *msg, size_t len)
{
	unsigned int records = msg[8] << 8 | msg[9];
	struct dns_cursor cur;
	struct dns_rr rr;

	if (msg[6] | msg[7])
		return false;
	dns_cursor__records(&cur, msg, len);
	while (records-- && !cur.error) {
		dns_cursor__rr(&cur, &rr);
		if (!cur.error && rr.type == DNS_TYPE_SOA)
			return true;
	}
	return false;
}

unsigned int querylog__class(const uint8_t *reply, size_t len, uint16_t rcode)
{
	if (!reply || len < DNS_HEADER)
		return COREFILE_LOG_ERROR;
	if (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN)
		return COREFILE_LOG_ERROR;
	if (rcode == DNS_NOERROR && (reply[6] || reply[7]))
		return COREFILE_LOG_SUCCESS;
	if (has_soa(reply, len))
		return COREFILE_LOG_DENIAL;
	return rcode == DNS_NOERROR ? COREFILE_LOG_SUCCESS : COREFILE_LOG_ERROR;
}

static bool names_match(const struct rule *rule, const struct dns_name *lower)
{
	for (size_t i = 0; i < rule->names_len; i++) {
		if (dns_name__within(lower, &rule->names[i].name))
			return true;
	}
	return !rule->names_len;
}

size_t querylog__line(const struct querylog *log, const struct querylog_event *event, char *buf,
		      size_t size)
{
	struct out out = { buf, size, 0 };
	const struct rule *rule = NULL;
	struct dns_name lower = event->query->qname;

	if (!log || !size)
		return 0;
	dns_name__lower(&lower);
	for (size_t i = 0; i < log->len && !rule; i++) {
		if (names_match(&log->rules[i], &lower))
			rule = &log->rules[i];
	}
	if (!rule)
		return 0;
	if (rule->classes != COREFILE_LOG_ALL &&
	    !(rule->classes & querylog__class(event->reply, event->reply_size, event->rcode)))
		return 0;
	for (size_t i = 0; i < rule->segments_len; i++) {
		const struct segment *segment = &rule->segments[i];

		put(&out, rule->text + segment->at, segment->len);
		if (segment->put)
			segment->put(&out, event);
	}
	buf[out.len] = '\0';
	return out.len;
}
