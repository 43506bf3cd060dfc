// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Templates at work. Contract: template.h.
 */
#include "template.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regex.h"
#include "rrtype.h"
#include "synth.h"

#define MAX_HOLES 32
#define MAX_RR	  4096 /* characters of one record, filled in */
#define NAME_TEXT 1024

enum hole { HOLE_NONE, HOLE_NAME, HOLE_TYPE, HOLE_CLASS, HOLE_ZONE, HOLE_GROUP, HOLE_NAMED };

/* Text up to a hole, and what fills it. */
struct piece {
	const char *text;
	size_t len;
	enum hole hole;
	int group;
	char named[64];
};

struct form {
	struct piece pieces[MAX_HOLES];
	size_t n;
};

struct template
{
	const struct corefile_template *config;
	const struct corefile_zones *zones;
	struct regex **match;
	struct form *forms[DNS_SECTIONS];
};

struct templates {
	struct corefile_zones block_zones;
	struct template *list;
	size_t len;
};

/* ---- reading ---- */

static const char *skip(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

static bool word(const char **s, const char *want)
{
	size_t len = strlen(want);

	if (strncmp(*s, want, len) || isalnum((unsigned char)(*s)[len]) || (*s)[len] == '_')
		return false;
	*s = skip(*s + len);
	return true;
}

static bool named(const char **s, struct piece *piece)
{
	size_t len = 0;

	while (isalnum((unsigned char)(*s)[len]) || (*s)[len] == '_')
		len++;
	if (!len || len >= sizeof(piece->named))
		return false;
	memcpy(piece->named, *s, len);
	piece->named[len] = '\0';
	piece->hole = HOLE_NAMED;
	if (isdigit((unsigned char)piece->named[0])) {
		piece->hole = HOLE_GROUP;
		piece->group = atoi(piece->named);
	}
	*s += len;
	return true;
}

/* What stands between {{ and }}, blanks and dashes at its ends taken off; @end is its end. */
static bool read_action(const char *s, const char *end, struct piece *piece)
{
	static const struct {
		const char *name;
		enum hole hole;
	} plain[] = {
		{ ".Name", HOLE_NAME },
		{ ".Type", HOLE_TYPE },
		{ ".Class", HOLE_CLASS },
		{ ".Zone", HOLE_ZONE },
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (word(&s, plain[i].name)) {
			piece->hole = plain[i].hole;
			return s == end;
		}
	}
	if (!strncmp(s, ".Group.", 7)) {
		s += 7;
		return named(&s, piece) && skip(s) == end;
	}
	if (!word(&s, "index"))
		return false;
	if (word(&s, ".Match")) {
		piece->hole = HOLE_GROUP;
		piece->group = (int)strtol(s, (char **)&s, 10);
		return piece->group >= 0 && piece->group < REGEX_GROUPS && skip(s) == end;
	}
	if (!word(&s, ".Group") || *s++ != '"' || !named(&s, piece) || *s++ != '"')
		return false;
	return skip(s) == end;
}

/* One {{ ... }} at @s; returns where it ends, NULL: not known. */
static const char *read_hole(const char *s, struct piece *piece, bool *trim)
{
	const char *close = strstr(s, "}}"), *end = close;
	char copy[128];
	size_t len;

	if (!close)
		return NULL;
	s += 2;
	if (*s == '-' && isspace((unsigned char)s[1])) {
		while (piece->len && isspace((unsigned char)piece->text[piece->len - 1]))
			piece->len--;
		s++;
	}
	*trim = end > s + 1 && end[-1] == '-' && isspace((unsigned char)end[-2]);
	if (*trim)
		end--;
	s = skip(s);
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	len = end - s;
	if (len >= sizeof(copy))
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return read_action(copy, copy + len, piece) ? close + 2 : NULL;
}

static int form_read(const char *text, struct form *form, char *why, size_t why_size)
{
	const char *s = text;

	form->n = 0;
	for (;;) {
		const char *open = strstr(s, "{{");
		struct piece *piece = &form->pieces[form->n];
		bool trim = false;

		if (form->n == MAX_HOLES) {
			snprintf(why, why_size, "it has more than %d actions", MAX_HOLES - 1);
			return -EINVAL;
		}
		*piece = (struct piece){ .text = s, .len = open ? open - s : (long)strlen(s) };
		form->n++;
		if (!open)
			return 0;
		s = read_hole(open, piece, &trim);
		if (!s) {
			snprintf(why, why_size,
				 "the action '%.*s' is not known; known are .Name .Type .Class "
				 ".Zone .Group.NAME, index .Match N, index .Group \"NAME\"",
				 (int)strcspn(open, "}") + 2, open);
			return -EINVAL;
		}
		if (trim)
			s = skip(s);
	}
}

int template__check(const char *text, char *why, size_t why_size)
{
	struct form form;

	return form_read(text, &form, why, why_size);
}

static int open_forms(const struct corefile_strings *texts, struct form **out, char *why,
		      size_t why_size)
{
	int ret = 0;

	*out = calloc(texts->len + 1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (size_t i = 0; !ret && i < texts->len; i++)
		ret = form_read(texts->list[i], &(*out)[i], why, why_size);
	return ret;
}

static int open_one(struct template *t, const struct corefile_template *config,
		    const struct corefile_zones *block_zones, char *why, size_t why_size)
{
	int ret;

	t->config = config;
	t->zones = config->zones.len ? &config->zones : block_zones;
	t->match = calloc(config->match.len + 1, sizeof(*t->match));
	if (!t->match)
		return -ENOMEM;
	for (size_t i = 0; i < config->match.len; i++) {
		ret = regex__open(config->match.list[i], &t->match[i], why, why_size);
		if (ret)
			return ret;
	}
	ret = open_forms(&config->answer, &t->forms[DNS_ANSWER_SECTION], why, why_size);
	if (!ret)
		ret = open_forms(&config->authority, &t->forms[DNS_AUTHORITY], why, why_size);
	if (!ret)
		ret = open_forms(&config->additional, &t->forms[DNS_ADDITIONAL], why, why_size);
	return ret;
}

int template__open(const struct corefile_template *list, size_t len,
		   const struct corefile_zones *block_zones, struct templates **out, char *err,
		   size_t err_size)
{
	struct templates *templates = calloc(1, sizeof(*templates));
	char why[256] = "out of memory";
	int ret = 0;

	if (!templates)
		return -ENOMEM;
	templates->block_zones = *block_zones;
	templates->list = calloc(len, sizeof(*templates->list));
	if (!templates->list)
		ret = -ENOMEM;
	for (size_t i = 0; !ret && i < len; i++) {
		templates->len++;
		ret = open_one(&templates->list[i], &list[i], &templates->block_zones, why,
			       sizeof(why));
		if (ret)
			snprintf(err, err_size, "%s:%u: template: %s", list[i].file, list[i].line,
				 why);
	}
	if (ret) {
		template__close(templates);
		return ret;
	}
	*out = templates;
	return 0;
}

void template__close(struct templates *templates)
{
	if (!templates)
		return;
	for (size_t i = 0; templates->list && i < templates->len; i++) {
		struct template *t = &templates->list[i];

		for (size_t k = 0; t->match && k < t->config->match.len; k++)
			regex__close(t->match[k]);
		free(t->match);
		for (int k = 0; k < DNS_SECTIONS; k++)
			free(t->forms[k]);
	}
	free(templates->list);
	free(templates);
}

/* ---- answering ---- */

struct fill {
	const struct template *t;
	const struct regex *regex; /* NULL: everything matches */
	struct regex_match match;
	char name[NAME_TEXT], zone[ZONE_TEXT_MAX];
	const char *type;
};

static void put(char *out, size_t *at, const char *text, size_t len)
{
	if (*at + len >= MAX_RR)
		len = MAX_RR - 1 - *at;
	memcpy(out + *at, text, len);
	*at += len;
	out[*at] = '\0';
}

static void put_hole(char *out, size_t *at, const struct piece *piece, const struct fill *fill)
{
	int group = piece->group;

	switch (piece->hole) {
	case HOLE_NAME:
		put(out, at, fill->name, strlen(fill->name));
		break;
	case HOLE_TYPE:
		put(out, at, fill->type, strlen(fill->type));
		break;
	case HOLE_CLASS:
		put(out, at, "IN", 2);
		break;
	case HOLE_ZONE:
		put(out, at, fill->zone, strlen(fill->zone));
		break;
	case HOLE_NAMED:
		group = fill->regex ? regex__group(fill->regex, piece->named) : -1;
		/* fall through */
	case HOLE_GROUP:
		if (group >= 0 && (size_t)group < fill->match.n)
			put(out, at, fill->match.subject + fill->match.group[group].at,
			    fill->match.group[group].len);
		break;
	case HOLE_NONE:
		break;
	}
}

static int add_records(struct synth *synth, const struct fill *fill, enum dns_section section,
		       size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct form *form = &fill->t->forms[section][i];
		char text[MAX_RR] = "";
		size_t at = 0;
		int ret;

		for (size_t k = 0; k < form->n; k++) {
			put(text, &at, form->pieces[k].text, form->pieces[k].len);
			put_hole(text, &at, &form->pieces[k], fill);
		}
		ret = synth__add(synth, section, text);
		if (ret)
			return ret;
	}
	return 0;
}

static int build(const struct fill *fill, const struct local_query *query, struct answer **out)
{
	const struct corefile_template *config = fill->t->config;
	struct synth synth;
	int ret = synth__open(&synth, query->qname, query->qtype, config->rcode);

	if (!ret)
		ret = add_records(&synth, fill, DNS_ANSWER_SECTION, config->answer.len);
	if (!ret)
		ret = add_records(&synth, fill, DNS_AUTHORITY, config->authority.len);
	if (!ret)
		ret = add_records(&synth, fill, DNS_ADDITIONAL, config->additional.len);
	if (!ret)
		ret = synth__answer(&synth, query->qname, query->qtype, query->key_flags, NULL,
				    out);
	synth__close(&synth);
	return ret;
}

static const struct corefile_zone *zone_of(const struct template *t, const struct dns_name *name)
{
	const struct corefile_zone *best = NULL;

	for (size_t i = 0; i < t->zones->len; i++) {
		const struct corefile_zone *zone = &t->zones->list[i];

		if (zone__contains(zone->wire, zone->wire_len, name->wire, name->len) &&
		    (!best || zone->wire_len > best->wire_len))
			best = zone;
	}
	return best;
}

static bool matches(struct fill *fill)
{
	size_t n = fill->t->config->match.len;

	fill->regex = NULL;
	fill->match = (struct regex_match){ .subject = fill->name, .n = 1 };
	fill->match.group[0].len = strlen(fill->name);
	for (size_t i = 0; i < n; i++) {
		if (regex__match(fill->t->match[i], fill->name, &fill->match)) {
			fill->regex = fill->t->match[i];
			return true;
		}
	}
	return !n;
}

static int nxdomain(const struct local_query *query, struct answer **out)
{
	*out = answer__empty(query->qname, query->qtype, query->key_flags, DNS_NXDOMAIN);
	return *out ? 0 : -ENOMEM;
}

enum local_result template__answer(const struct templates *templates,
				   const struct local_query *query, struct answer **out)
{
	struct fill fill;
	char type[RRTYPE_TEXT];

	if (dns_name__to_text(query->qname, fill.name, sizeof(fill.name)) < 0)
		return LOCAL_NEXT;
	fill.type = rrtype__text(query->qtype, type);
	for (size_t i = 0; i < templates->len; i++) {
		const struct template *t = &templates->list[i];
		const struct corefile_template *config = t->config;
		const struct corefile_zone *zone = zone_of(t, query->qname);

		if (!zone || (config->class != DNS_TYPE_ANY && config->class != query->qclass) ||
		    (config->type != DNS_TYPE_ANY && config->type != query->qtype))
			continue;
		fill.t = t;
		snprintf(fill.zone, sizeof(fill.zone), "%s", zone->text);
		if (!matches(&fill)) {
			if (local_falls_through(&config->fallthrough, query->qname))
				continue;
			return nxdomain(query, out) ? LOCAL_SERVFAIL : LOCAL_ANSWER;
		}
		if (config->rcode == DNS_SERVFAIL || build(&fill, query, out))
			return LOCAL_SERVFAIL;
		return LOCAL_ANSWER;
	}
	return LOCAL_NEXT;
}

/* ---- what can be said without a question ---- */

/* A regular expression's literal: letters, digits, '-', '_' and dots written \. or [.]. */
static const char *literal(const char *s, char *out, size_t size)
{
	size_t n = 0;

	for (;;) {
		if (n + 2 >= size)
			return NULL;
		if (isalnum((unsigned char)*s) || *s == '-' || *s == '_')
			out[n++] = tolower((unsigned char)*s++);
		else if (!strncmp(s, "\\.", 2))
			out[n++] = '.', s += 2;
		else if (!strncmp(s, "[.]", 3))
			out[n++] = '.', s += 3;
		else
			break;
	}
	out[n] = '\0';
	return n ? s : NULL;
}

/* "...NAME\.$": the name, and whether only itself (^NAME) or also what ends in it is matched. */
static bool constant_suffix(const char *pattern, struct dns_name *name, bool *only)
{
	static const char *const open[] = { "^(.*\\.)?", "^(.*[.])?", "^(.+\\.)?",   "^(.+[.])?",
					    "(^|\\.)",	 "(^|[.])",   "^(?:.*\\.)?", "(?:^|\\.)",
					    "(.*\\.)?",	 ".*",	      "^.*" };
	char text[NAME_TEXT];
	const char *s = pattern, *end;

	*only = false;
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		if (!strncmp(s, open[i], strlen(open[i]))) {
			s += strlen(open[i]);
			goto found;
		}
	}
	if (*s == '^') {
		*only = true;
		s++;
	}
found:
	end = literal(s, text, sizeof(text));
	/* "\.NAME": below it, and not itself */
	if (!end || strcmp(end, "$") || text[0] == '.' || text[strlen(text) - 1] != '.')
		return false;
	return !dns_name__from_text(name, text);
}

static bool takes_all(const struct template *t)
{
	const struct corefile_template *config = t->config;

	return config->type == DNS_TYPE_ANY && config->rcode == DNS_NXDOMAIN &&
	       !config->answer.len && !config->additional.len;
}

static void report(const struct template *t, const struct dns_name *suffix,
		   void (*fn)(void *ctx, const struct dns_name *suffix,
			      const struct answer *nxdomain),
		   void *ctx)
{
	struct local_query query = {
		.qname = suffix,
		.qtype = DNS_TYPE_A,
		.qclass = DNS_CLASS_IN,
	};
	const struct corefile_zone *zone = zone_of(t, suffix);
	struct answer *answer = NULL;
	struct fill fill = { .t = t, .type = "A" };

	/* an authority that depends on the question is not the same for all */
	for (size_t i = 0; i < t->config->authority.len; i++) {
		const struct form *form = &t->forms[DNS_AUTHORITY][i];

		for (size_t k = 0; k < form->n; k++) {
			if (form->pieces[k].hole != HOLE_NONE && form->pieces[k].hole != HOLE_ZONE)
				return;
		}
	}
	if (!zone || suffix->len < 2 || dns_name__to_text(suffix, fill.name, sizeof(fill.name)) < 0)
		return;
	snprintf(fill.zone, sizeof(fill.zone), "%s", zone->text);
	if (!build(&fill, &query, &answer))
		fn(ctx, suffix, answer);
	answer__free(answer);
}

void template__blackholes(const struct templates *templates,
			  void (*fn)(void *ctx, const struct dns_name *suffix,
				     const struct answer *nxdomain),
			  void *ctx)
{
	/* one that may answer something else hides all that come after it */
	for (size_t i = 0; i < templates->len && takes_all(&templates->list[i]); i++) {
		const struct template *t = &templates->list[i];
		struct dns_name name;
		bool only;

		for (size_t k = 0; k < t->config->match.len; k++) {
			if (constant_suffix(t->config->match.list[k], &name, &only) && !only)
				report(t, &name, fn, ctx);
		}
		for (size_t k = 0; !t->config->match.len && k < t->zones->len; k++) {
			name.len = t->zones->list[k].wire_len;
			memcpy(name.wire, t->zones->list[k].wire, name.len);
			report(t, &name, fn, ctx);
		}
	}
}

void template__exact(const struct templates *templates,
		     void (*fn)(void *ctx, const struct dns_name *name, uint16_t qtype), void *ctx)
{
	for (size_t i = 0; i < templates->len; i++) {
		const struct corefile_template *config = templates->list[i].config;
		struct dns_name name;
		bool only;

		for (size_t k = 0; k < config->match.len; k++) {
			if (!constant_suffix(config->match.list[k], &name, &only) || !only)
				continue;
			if (config->type != DNS_TYPE_ANY) {
				fn(ctx, &name, config->type);
				continue;
			}
			fn(ctx, &name, DNS_TYPE_A);
			fn(ctx, &name, DNS_TYPE_AAAA);
		}
	}
}
