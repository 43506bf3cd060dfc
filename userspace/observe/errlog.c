// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Lines about errors. Contract: errlog.h.
 */
#include "observe/errlog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/regex.h"
#include "dns/rrtype.h"

/* Steps of one match: some 300 us at most. */
#define MATCH_STEPS 33000

struct pattern {
	struct regex *regex;
	char *text;
	uint64_t duration_ns;
	enum log_level level;
	bool show_first;
	uint64_t count, first_ns; /* since; count 0: nothing is waiting */
};

struct errlog_block {
	bool enabled;
	struct pattern *patterns;
	size_t len;
};

struct errlog {
	errlog_line line;
	void *ctx;
	size_t len;
	struct errlog_block blocks[];
};

/* What takes too long does not match: the line is written then. */
static bool matches(const struct pattern *pattern, const char *text)
{
	struct regex_budget budget = { REGEX_STEPS - MATCH_STEPS };
	struct regex_match match;

	return regex__match(pattern->regex, text, &budget, &match) == 1;
}

/* Go's way to write a duration of whole milliseconds: 5m0s, 30s, 1h0m0s, 1.5s, 100ms. */
static void duration_text(uint64_t ns, char *text, size_t size)
{
	unsigned long long ms = ns / 1000000, s = ms / 1000, rest = ms % 1000;
	char fraction[8] = "";
	int n;

	if (!s) {
		snprintf(text, size, "%llums", ms);
		return;
	}
	if (rest) {
		n = snprintf(fraction, sizeof(fraction), ".%03u", (unsigned int)rest);
		while (fraction[n - 1] == '0')
			fraction[--n] = '\0';
	}
	if (s >= 3600)
		snprintf(text, size, "%lluh%llum%llu%ss", s / 3600, s / 60 % 60, s % 60, fraction);
	else if (s >= 60)
		snprintf(text, size, "%llum%llu%ss", s / 60, s % 60, fraction);
	else
		snprintf(text, size, "%llu%ss", s, fraction);
}

static void write_line(struct errlog *el, enum log_level level, char *text)
{
	for (char *c = text; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	el->line(el->ctx, level, text);
}

static void summarize(struct errlog *el, struct pattern *pattern)
{
	uint64_t count = pattern->count;
	char text[ERRLOG_REASON + 192], duration[64];

	pattern->count = 0;
	/* the first one was shown: there is nothing to add */
	if (!count || (count == 1 && pattern->show_first))
		return;
	duration_text(pattern->duration_ns, duration, sizeof(duration));
	snprintf(text, sizeof(text), "plugin/errors: %llu errors like '%.*s' occurred in last %s",
		 (unsigned long long)count, ERRLOG_REASON, pattern->text, duration);
	write_line(el, pattern->level, text);
}

static int open_pattern(struct pattern *pattern, const struct corefile_consolidate *from)
{
	char why[200];

	pattern->duration_ns = from->duration_ns;
	pattern->level = (enum log_level)from->level;
	pattern->show_first = from->show_first;
	pattern->text = strdup(from->regex);
	if (!pattern->text)
		return -ENOMEM;
	return regex__open(from->regex, &pattern->regex, why, sizeof(why));
}

static int open_block(struct errlog_block *block, const struct errors *from)
{
	int ret = 0;

	block->enabled = from->enabled;
	block->patterns = calloc(from->consolidate_len + 1, sizeof(block->patterns[0]));
	if (!block->patterns)
		return -ENOMEM;
	for (; !ret && block->len < from->consolidate_len; block->len++)
		ret = open_pattern(&block->patterns[block->len], &from->consolidate[block->len]);
	return ret;
}

static void errlog_free(struct errlog *el)
{
	for (size_t i = 0; i < el->len; i++) {
		for (size_t j = 0; j < el->blocks[i].len; j++) {
			regex__close(el->blocks[i].patterns[j].regex);
			free(el->blocks[i].patterns[j].text);
		}
		free(el->blocks[i].patterns);
	}
	free(el);
}

int errlog__open(const struct corefile *cf, errlog_line line, void *ctx, struct errlog **out)
{
	struct errlog *el = calloc(1, sizeof(*el) + cf->blocks_len * sizeof(el->blocks[0]));
	int ret = 0;

	if (!el)
		return -ENOMEM;
	el->line = line;
	el->ctx = ctx;
	for (; !ret && el->len < cf->blocks_len; el->len++)
		ret = open_block(&el->blocks[el->len], &cf->blocks[el->len].errors);
	if (ret) {
		errlog_free(el);
		return ret;
	}
	*out = el;
	return 0;
}

void errlog__close(struct errlog *el)
{
	if (!el)
		return;
	for (size_t i = 0; i < el->len; i++) {
		for (size_t j = 0; j < el->blocks[i].len; j++)
			summarize(el, &el->blocks[i].patterns[j]);
	}
	errlog_free(el);
}

/* The first that matches; NULL: none does. */
static struct pattern *find_pattern(const struct errlog_block *block, const char *reason)
{
	for (size_t i = 0; i < block->len; i++) {
		if (matches(&block->patterns[i], reason))
			return &block->patterns[i];
	}
	return NULL;
}

void errlog__event(struct errlog *el, size_t block, uint16_t rcode, const struct dns_name *qname,
		   uint16_t qtype, const char *reason, uint64_t now)
{
	char text[ERRLOG_REASON + 1200], name[1024] = "?", type[RRTYPE_TEXT];
	enum log_level level = LOG_LEVEL_ERROR;
	struct dns_name lower = *qname;
	struct pattern *pattern;

	if (block >= el->len || !el->blocks[block].enabled)
		return;
	pattern = find_pattern(&el->blocks[block], reason);
	if (pattern) {
		/* so that it is right however late a tick comes */
		if (pattern->count && now - pattern->first_ns >= pattern->duration_ns)
			summarize(el, pattern);
		if (!pattern->count++)
			pattern->first_ns = now;
		if (pattern->count > 1 || !pattern->show_first)
			return;
		level = pattern->level;
	}
	dns_name__lower(&lower);
	dns_name__to_text(&lower, name, sizeof(name));
	snprintf(text, sizeof(text), "plugin/errors: %u %s %s: %.*s", rcode, name,
		 rrtype__text(qtype, type), ERRLOG_REASON, reason);
	write_line(el, level, text);
}

void errlog__tick(struct errlog *el, uint64_t now)
{
	for (size_t i = 0; i < el->len; i++) {
		for (size_t j = 0; j < el->blocks[i].len; j++) {
			struct pattern *pattern = &el->blocks[i].patterns[j];

			if (pattern->count && now - pattern->first_ns >= pattern->duration_ns)
				summarize(el, pattern);
		}
	}
}
