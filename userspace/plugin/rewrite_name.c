// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What one rule makes of a name. Contract: rewrite_priv.h.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "rewrite_priv.h"

/* "{12}" at @s: 12, and *len; -1: it is none. */
static int reference(const char *s, size_t *len)
{
	int value = 0;
	size_t i = 1;

	if (s[0] != '{' || !isdigit((unsigned char)s[1]))
		return -1;
	for (; isdigit((unsigned char)s[i]) && value < REGEX_GROUPS; i++)
		value = value * 10 + s[i] - '0';
	if (s[i] != '}')
		return -1;
	*len = i + 1;
	return value;
}

bool rewrite_substitute(const char *to, const struct regex_match *match, char *out, size_t size)
{
	size_t n = 0;

	while (*to) {
		const char *from = to;
		size_t len = 1, skip = 1;
		int group = reference(to, &skip);

		if (group >= 0 && (size_t)group < match->n) {
			len = match->group[group].len;
			from = match->subject + match->group[group].at;
		} else {
			skip = 1;
		}
		to += skip;
		if (n + len >= size)
			return false;
		memcpy(out + n, from, len);
		n += len;
	}
	out[n] = '\0';
	return true;
}

bool rewrite_ends_in(const char *text, const char *suffix)
{
	size_t len = strlen(text), suffix_len = strlen(suffix);

	return len >= suffix_len && !strcasecmp(text + len - suffix_len, suffix);
}

/* 1: the name that @text becomes by the rule; 0: it does not apply; -ELOOP: nobody knows. */
static int rewrite_name(const struct rule *rule, const char *text, struct regex_budget *budget,
			char *out, size_t size)
{
	const char *from = rule->config->from, *at;
	const char *to = rule->config->to ? rule->config->to : ""; /* ttl and rcode have none */
	struct regex_match match;
	int n = -1, ret;

	switch (rule->config->match) {
	case COREFILE_MATCH_EXACT:
		if (strcasecmp(text, from))
			return false;
		n = snprintf(out, size, "%s", to);
		break;
	case COREFILE_MATCH_PREFIX:
		if (strncasecmp(text, from, strlen(from)))
			return false;
		n = snprintf(out, size, "%s%s", to, text + strlen(from));
		break;
	case COREFILE_MATCH_SUFFIX:
		if (!rewrite_ends_in(text, from))
			return false;
		n = snprintf(out, size, "%.*s%s", (int)(strlen(text) - strlen(from)), text, to);
		break;
	case COREFILE_MATCH_SUBSTRING:
		at = strcasestr(text, from);
		if (!at || !*from)
			return false;
		/* as strings.Replace with -1: each of them */
		n = 0;
		while (n >= 0 && (size_t)n < size) {
			int more = snprintf(out + n, size - n, "%.*s%s",
					    (int)(at ? at - text : (long)strlen(text)), text,
					    at ? to : "");

			n += more;
			if (!at)
				break;
			text = at + strlen(from);
			at = strcasestr(text, from);
		}
		break;
	case COREFILE_MATCH_REGEX:
		ret = regex__match(rule->from, text, budget, &match);
		return ret > 0 ? rewrite_substitute(to, &match, out, size) : ret;
	}
	return n >= 0 && (size_t)n < size;
}

bool rewrite_new_name(const struct rule *rule, const struct dns_name *name,
		      struct regex_budget *budget, struct dns_name *out, bool *wrong)
{
	char text[NAME_TEXT], new[NAME_TEXT];
	int ret;

	if (dns_name__to_text(name, text, sizeof(text)) < 0)
		return false;
	ret = rewrite_name(rule, text, budget, new, sizeof(new));
	if (ret < 0)
		*wrong = true;
	if (ret <= 0)
		return ret;
	if (rule->config->kind != COREFILE_REWRITE_NAME)
		return true;
	if (dns_name__from_text(out, new))
		*wrong = true;
	else
		dns_name__lower(out);
	return true;
}
