// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Query log lines. Contract: querylog.h.
 */
#include "querylog_priv.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- formats ---- */

/* A text, then a placeholder (NULL at the end). */
struct segment {
	size_t at, len; /* in querylog_rule.text */
	const struct querylog_placeholder *placeholder;
};

struct querylog_rule {
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
	struct querylog_rule rules[];
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

static int compile(struct querylog_rule *rule)
{
	size_t braces = 1, start = 0, at = 0, len;

	for (const char *c = rule->text; *c; c++)
		braces += *c == '{';
	rule->segments = calloc(braces, sizeof(rule->segments[0]));
	if (!rule->segments)
		return -ENOMEM;
	while (rule->text[at]) {
		const struct querylog_placeholder *found = NULL;

		if (rule->text[at] == '{')
			found = querylog_placeholder_at(rule->text + at, &len);
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

static bool names_pods(const struct querylog_rule *rule)
{
	for (size_t i = 0; i < rule->segments_len; i++) {
		const struct querylog_placeholder *placeholder = rule->segments[i].placeholder;

		if (placeholder && placeholder->of_pod)
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
		struct querylog_rule *rule = &log->rules[i];

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

static bool names_match(const struct querylog_rule *rule, const struct dns_name *lower)
{
	for (size_t i = 0; i < rule->names_len; i++) {
		if (dns_name__within(lower, &rule->names[i].name))
			return true;
	}
	return !rule->names_len;
}

const struct querylog_rule *querylog__rule(const struct querylog *log,
					   const struct querylog_event *event)
{
	struct dns_name lower = event->query->qname;
	const struct querylog_rule *rule = NULL;

	dns_name__lower(&lower);
	for (size_t i = 0; log && i < log->len && !rule; i++) {
		if (names_match(&log->rules[i], &lower))
			rule = &log->rules[i];
	}
	if (!rule || rule->classes == COREFILE_LOG_ALL)
		return rule;
	return rule->classes & querylog__class(event->reply, event->reply_size, event->rcode)
		       ? rule
		       : NULL;
}

size_t querylog__line(const struct querylog_rule *rule, const struct querylog_event *event,
		      char *buf, size_t size)
{
	struct querylog_out out = { buf, size, 0 };

	if (!size)
		return 0;
	for (size_t i = 0; i < rule->segments_len; i++) {
		const struct segment *segment = &rule->segments[i];

		querylog_put(&out, rule->text + segment->at, segment->len);
		if (segment->placeholder)
			segment->placeholder->put(&out, event);
	}
	buf[out.len] = '\0';
	return out.len;
}

/* As it stands in a line; "-" is what is not known. */
static json_t *value_of(const struct querylog_placeholder *placeholder,
			const struct querylog_event *event)
{
	char text[2048];
	struct querylog_out out = { text, sizeof(text), 0 };

	placeholder->put(&out, event);
	text[out.len] = '\0';
	if (!strcmp(text, "-"))
		return json_null();
	switch (placeholder->kind) {
	case QUERYLOG_NUMBER:
		return json_integer(strtoll(text, NULL, 10));
	case QUERYLOG_BOOL:
		return json_boolean(!strcmp(text, "true"));
	case QUERYLOG_SECONDS:
		return json_real(strtod(text, NULL));
	default:
		return json_string(text);
	}
}

struct json_t *querylog__fields(const struct querylog_rule *rule,
				const struct querylog_event *event)
{
	json_t *fields = json_object();

	for (size_t i = 0; i < rule->segments_len; i++) {
		const struct querylog_placeholder *placeholder = rule->segments[i].placeholder;

		if (placeholder && placeholder->field &&
		    json_object_set_new(fields, placeholder->field, value_of(placeholder, event))) {
			json_decref(fields);
			return NULL;
		}
	}
	return fields;
}
