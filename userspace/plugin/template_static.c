// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What templates say of names that nobody has asked for yet: single names, and suffixes that they
 * take off the net. Contract: template.h.
 *
 * A regular expression is understood where it is a name with something plain before it; all others
 * are taken to match anything.
 */
#include <ctype.h>
#include <string.h>

#include "template_priv.h"

/* The names that an expression matches, as far as it is understood. */
struct extent {
	enum {
		EXTENT_UNKNOWN,
		EXTENT_NAME,   /* the name alone */
		EXTENT_SUFFIX, /* all at and below it, and perhaps others that end like it */
		EXTENT_BELOW,  /* all below it, but not the name itself */
	} kind;
	struct dns_name name;
};

static bool skip_word(const char **s, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*s, word, len))
		return false;
	*s += len;
	return true;
}

/* What may stand before a name, and whether the name itself is then matched. */
static int read_start(const char **s)
{
	static const struct {
		const char *text;
		int kind;
	} starts[] = {
		{ "^(.*\\.)?", EXTENT_SUFFIX },
		{ "^(.*[.])?", EXTENT_SUFFIX },
		{ "^(.+\\.)?", EXTENT_SUFFIX },
		{ "^(.+[.])?", EXTENT_SUFFIX },
		{ "^(?:.*\\.)?", EXTENT_SUFFIX },
		{ "^(?:.+\\.)?", EXTENT_SUFFIX },
		{ "(.*\\.)?", EXTENT_SUFFIX },
		{ "(.*[.])?", EXTENT_SUFFIX },
		{ "(^|\\.)", EXTENT_SUFFIX },
		{ "(^|[.])", EXTENT_SUFFIX },
		{ "(?:^|\\.)", EXTENT_SUFFIX },
		{ "(?:^|[.])", EXTENT_SUFFIX },
		{ "^.*\\.", EXTENT_BELOW },
		{ "^.*[.]", EXTENT_BELOW },
		{ "^.+\\.", EXTENT_BELOW },
		{ "^.+[.]", EXTENT_BELOW },
		{ ".*\\.", EXTENT_BELOW },
		{ ".*[.]", EXTENT_BELOW },
		{ ".+\\.", EXTENT_BELOW },
		{ ".+[.]", EXTENT_BELOW },
		{ "^(.*)\\.", EXTENT_BELOW },
		{ "(.*)\\.", EXTENT_BELOW },
		{ "^(.+)\\.", EXTENT_BELOW },
		{ "(.+)\\.", EXTENT_BELOW },
		{ "\\.", EXTENT_BELOW },
		{ "[.]", EXTENT_BELOW },
		{ "^.*.", EXTENT_BELOW },
		{ ".*.", EXTENT_BELOW },
		{ "^.*", EXTENT_SUFFIX },
		{ ".*", EXTENT_SUFFIX },
		{ "^", EXTENT_NAME },
	};

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		if (skip_word(s, starts[i].text))
			return starts[i].kind;
	}
	return EXTENT_SUFFIX; /* anywhere in the name */
}

/*
 * A name: letters in lower case, as names are compared, digits, '-', '_', and dots, which may be
 * bare, for then a dot is matched as well. NULL: something else.
 */
static const char *read_name(const char *s, bool any_case, char *out, size_t size)
{
	size_t n = 0;

	for (;;) {
		unsigned char c = *s;

		if (n + 2 >= size || (isupper(c) && !any_case))
			return NULL;
		if (isalnum(c) || c == '-' || c == '_') {
			out[n++] = tolower(c);
			s++;
		} else if (skip_word(&s, "\\.") || skip_word(&s, "[.]") || skip_word(&s, ".")) {
			out[n++] = '.';
		} else {
			break;
		}
	}
	out[n] = '\0';
	return n ? s : NULL;
}

static void extent_of(const char *pattern, struct extent *extent)
{
	char text[TEMPLATE_NAME_TEXT];
	const char *s = pattern;
	bool any_case = skip_word(&s, "(?i)");
	int kind = read_start(&s);

	extent->kind = EXTENT_UNKNOWN;
	s = read_name(s, any_case, text, sizeof(text));
	/* to the end of the name, which has its dot there */
	if (!s || strcmp(s, "$") || text[strlen(text) - 1] != '.' || text[0] == '.' ||
	    dns_name__from_text(&extent->name, text))
		return;
	extent->kind = kind;
}

/* NXDOMAIN to whatever matches, of any type. */
static bool denies(const struct template *t)
{
	const struct corefile_template *config = t->config;

	return config->type == DNS_TYPE_ANY &&
	       (config->class == DNS_TYPE_ANY || config->class == DNS_CLASS_IN) &&
	       config->rcode == DNS_NXDOMAIN && !config->answer.len;
}

/* Has the template's zones names at or below @name, or above it? */
static bool overlaps(const struct template *t, const struct dns_name *name)
{
	for (size_t i = 0; i < t->zones->len; i++) {
		const struct corefile_zone *zone = &t->zones->list[i];

		if (dns_name__within(name, &zone->name) || dns_name__within(&zone->name, name))
			return true;
	}
	return false;
}

static bool ends_in(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcmp(text + len - end_len, end);
}

/* Could some text end in both? Not by labels: "b." is also the end of "ab.". */
static bool same_end(const struct dns_name *a, const struct dns_name *b)
{
	char text_a[TEMPLATE_NAME_TEXT], text_b[TEMPLATE_NAME_TEXT];

	if (dns_name__to_text(a, text_a, sizeof(text_a)) < 0 ||
	    dns_name__to_text(b, text_b, sizeof(text_b)) < 0)
		return true;
	return ends_in(text_a, text_b) || ends_in(text_b, text_a);
}

/* Is no name at or below @name matched? */
static bool matches_elsewhere(const struct template *t, const struct dns_name *name)
{
	for (size_t i = 0; i < t->config->match.len; i++) {
		struct extent extent;

		extent_of(t->config->match.list[i], &extent);
		if (extent.kind == EXTENT_UNKNOWN ||
		    (extent.kind == EXTENT_NAME ? dns_name__within(&extent.name, name)
						: same_end(&extent.name, name)))
			return false;
	}
	return t->config->match.len;
}

/* Could @t, which is asked before, keep a name at or below @name from being denied? */
static bool interferes(const struct template *t, const struct dns_name *name)
{
	bool on = t->config->class == DNS_TYPE_ANY || t->config->class == DNS_CLASS_IN;

	if (!on || !overlaps(t, name))
		return false;
	if (t->config->match.len && !plugin__falls_through(&t->config->fallthrough, name))
		return true;
	return (!denies(t) || t->config->has_ede) && !matches_elsewhere(t, name);
}

static bool all_constant(struct record_template **records)
{
	while (*records && record_template__is_constant(*records))
		records++;
	return !*records;
}

static void report(struct templates *templates, size_t index, const struct dns_name *suffix,
		   bool below, const struct plugin_preload *to)
{
	struct template *t = &templates->list[index];
	struct plugin_query query = { suffix, DNS_TYPE_A, DNS_CLASS_IN, 0, NULL };
	struct template_values values = { .type = "A", .class = "IN" };
	const struct corefile_zone *zone;
	char name[TEMPLATE_NAME_TEXT];
	struct answer *answer = NULL;

	if (to->wanted && !to->wanted(to->ctx, suffix))
		return;
	for (size_t i = 0; i < index; i++) {
		if (interferes(&templates->list[i], suffix))
			return;
	}
	zone = template_zone(t, suffix);
	/* what depends on the question is not the same for all */
	if (!zone || suffix->len < 2 || !all_constant(t->records[DNS_AUTHORITY]) ||
	    dns_name__to_text(suffix, name, sizeof(name)) < 0)
		return;
	values.name = name;
	values.zone = zone->text;
	if (!template_build(t, &values, &query, &answer)) {
		answer->below_only = below;
		to->denied(to->ctx, suffix, answer);
	}
	answer__free(answer);
}

/* Of one expression; NULL: there is none, all of the template's zones are meant. */
static void report_match(struct templates *templates, size_t index, const char *pattern,
			 const struct plugin_preload *to)
{
	const struct template *t = &templates->list[index];
	struct extent extent = { .kind = EXTENT_SUFFIX, .name = { .len = 1 } };

	if (pattern)
		extent_of(pattern, &extent);
	if (extent.kind != EXTENT_SUFFIX && extent.kind != EXTENT_BELOW)
		return;
	if (template_zone(t, &extent.name) && extent.name.len > 1) {
		report(templates, index, &extent.name, extent.kind == EXTENT_BELOW, to);
		return;
	}
	for (size_t i = 0; i < t->zones->len; i++) {
		struct dns_name zone = t->zones->list[i].name;

		if (dns_name__within(&zone, &extent.name))
			report(templates, index, &zone, false, to);
	}
}

void template__denied(struct templates *templates, const struct plugin_preload *to)
{
	for (size_t i = 0; i < templates->len; i++) {
		const struct corefile_template *config = templates->list[i].config;

		/* a slot holds no extended error, an entry for all names below no record but a SOA
		 */
		if (!denies(&templates->list[i]) || config->has_ede || config->additional.len)
			continue;
		for (size_t k = 0; k < config->match.len; k++)
			report_match(templates, i, config->match.list[k], to);
		if (!config->match.len)
			report_match(templates, i, NULL, to);
	}
}

bool template__below(const struct templates *templates, const struct dns_name *name)
{
	for (size_t i = 0; i < templates->len; i++) {
		const struct template *t = &templates->list[i];

		if (overlaps(t, name) && !denies(t) && !matches_elsewhere(t, name))
			return true;
	}
	return false;
}

void template__exact(const struct templates *templates,
		     bool (*fn)(void *ctx, const struct dns_name *name, uint16_t qtype), void *ctx)
{
	for (size_t i = 0; i < templates->len; i++) {
		const struct corefile_template *config = templates->list[i].config;

		for (size_t k = 0; k < config->match.len; k++) {
			bool any = config->type == DNS_TYPE_ANY;
			struct extent extent;

			extent_of(config->match.list[k], &extent);
			if (extent.kind != EXTENT_NAME)
				continue;
			if (!fn(ctx, &extent.name, any ? DNS_TYPE_A : config->type) ||
			    (any && !fn(ctx, &extent.name, DNS_TYPE_AAAA)))
				return;
		}
	}
}
