// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The rewrite directive.
 * Contract: the row of directives.c calls corefile_set_rewrite() with one argument at
 * least; a block has become arguments.
 */
#include "corefile_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EDNS0_FORMS                                                                \
	"edns0 local set|replace|append CODE DATA, edns0 local unset CODE, edns0 " \
	"nsid|subnet unset, edns0 nsid set|replace|append, or edns0 subnet "       \
	"set|replace|append V4BITS V6BITS"
#define EDNS0_DATA_MAX 255
#define EDNS0_NSID     3 /* RFC 5001 */
#define EDNS0_SUBNET   8 /* RFC 7871 */

/* The arguments that have not been read yet. */
struct args {
	const struct corefile_token *at, *end;
	const struct corefile_token *directive; /* what messages name when none is left */
};

static size_t left(const struct args *args)
{
	return (size_t)(args->end - args->at);
}

/* In capitals as well, as CoreDNS takes most of them. */
static bool take_word(struct args *args, const char *word)
{
	if (!left(args) || strcasecmp(args->at->text, word) != 0)
		return false;
	args->at++;
	return true;
}

/* The word at @args, or the want of one; @forms: what would be right. */
static int wrong(struct corefile_parse *p, const struct args *args, const char *forms)
{
	if (!left(args))
		return corefile_fail(p, args->directive, "a word is missing at its end; write %s",
				     forms);
	return corefile_fail(p, args->at, "'%s' cannot stand here; write %s",
			     corefile_show(p, args->at->text), forms);
}

/* Are there @n more words, and not one besides? */
static int exactly(struct corefile_parse *p, const struct args *args, size_t n)
{
	struct args at = *args;

	if (left(args) == n)
		return 0;
	at.at = left(args) < n ? args->end : args->at + n;
	return wrong(p, &at, COREFILE_REWRITE_FORMS);
}

static int no_match(struct corefile_parse *p, const struct args *args)
{
	return corefile_fail(p, args->at, "'%s' is none of exact, prefix, suffix, substring, regex",
			     corefile_show(p, args->at->text));
}

const char *const corefile_matches[] = {
	[COREFILE_MATCH_EXACT] = "exact",   [COREFILE_MATCH_PREFIX] = "prefix",
	[COREFILE_MATCH_SUFFIX] = "suffix", [COREFILE_MATCH_SUBSTRING] = "substring",
	[COREFILE_MATCH_REGEX] = "regex",
};

/* [exact|prefix|...], where at least @more arguments follow it; else exact. */
static bool take_match(struct args *args, size_t more, struct corefile_rewrite *rule)
{
	for (unsigned int i = 0; left(args) > more && i <= COREFILE_MATCH_REGEX; i++) {
		if (take_word(args, corefile_matches[i])) {
			rule->match = i;
			return true;
		}
	}
	return false;
}

/* @at's text; names are compared and written with their dot at the end. */
static int text_of(struct corefile_parse *p, const struct corefile_token *at, bool name,
		   const char **out)
{
	size_t len;
	char *dotted;
	int err = corefile_value_text(p, at, out);

	if (err || !name)
		return err;
	len = strlen(*out);
	if (len && (*out)[len - 1] == '.')
		return 0;
	dotted = corefile_mem_alloc(p->cf->mem, len + 2);
	if (!dotted)
		return corefile_nomem(p);
	memcpy(dotted, *out, len);
	dotted[len] = '.';
	*out = dotted;
	return 0;
}

/* What the name is compared with. */
static int take_from(struct corefile_parse *p, struct args *args, struct corefile_rewrite *rule)
{
	const struct corefile_token *at = args->at++;

	if (rule->match == COREFILE_MATCH_REGEX)
		return corefile_value_regex(p, at, &rule->from);
	return text_of(p, at,
		       rule->match == COREFILE_MATCH_EXACT || rule->match == COREFILE_MATCH_SUFFIX,
		       &rule->from);
}

static int add_answer(struct corefile_parse *p, struct args *args, struct corefile_rewrite *rule)
{
	struct corefile_rewrite_answer new = { .value = false };
	int err;

	if (take_word(args, "value"))
		new.value = true;
	else if (!take_word(args, "name"))
		return wrong(p, args, COREFILE_REWRITE_FORMS);
	if (left(args) < 2)
		return exactly(p, args, 2);
	err = corefile_value_regex(p, args->at, &new.from);
	if (!err)
		err = text_of(p, args->at + 1, true, &new.to);
	if (err)
		return err;
	args->at += 2;
	return corefile_append(p, &rule->answers, &rule->answers_len, &new, sizeof(new));
}

/* [answer] auto | [answer] name|value FROM TO, any number of them; the first one has its "answer".
 */
static int take_answers(struct corefile_parse *p, struct args *args, struct corefile_rewrite *rule)
{
	bool first = true;
	int err = 0;

	for (; !err && left(args); first = false) {
		if (!take_word(args, "answer") && first)
			return wrong(p, args, COREFILE_REWRITE_FORMS);
		if (take_word(args, "auto"))
			rule->answer_auto = true;
		else
			err = add_answer(p, args, rule);
	}
	for (size_t i = 0; !err && rule->answer_auto && i < rule->answers_len; i++) {
		if (!rule->answers[i].value)
			err = corefile_fail(p, args->directive,
					    "answer auto and answer name contradict each other; "
					    "write one of them");
	}
	return err;
}

/* name [MATCH] FROM TO [answer ...] */
static int set_name(struct corefile_parse *p, struct args *args, struct corefile_rewrite *rule)
{
	int err;

	rule->kind = COREFILE_REWRITE_NAME;
	if (!take_match(args, 2, rule) && left(args) > 2 && strcmp(args->at[2].text, "answer"))
		return no_match(p, args);
	if (left(args) < 2)
		return exactly(p, args, 2);
	err = take_from(p, args, rule);
	if (!err)
		err = text_of(p, args->at++,
			      rule->match != COREFILE_MATCH_PREFIX &&
				      rule->match != COREFILE_MATCH_SUBSTRING,
			      &rule->to);
	if (err)
		return err;
	return take_answers(p, args, rule);
}

static int set_type(struct corefile_parse *p, struct args *args, struct corefile_rewrite *rule)
{
	int err;

	rule->kind = COREFILE_REWRITE_TYPE;
	err = exactly(p, args, 2);
	if (!err)
		err = corefile_value_type(p, args->at++, &rule->from_number);
	return err ? err : corefile_value_type(p, args->at++, &rule->to_number);
}

static int set_class(struct corefile_parse *p, struct args *args, struct corefile_rewrite *rule)
{
	int err;

	rule->kind = COREFILE_REWRITE_CLASS;
	err = exactly(p, args, 2);
	if (!err)
		err = corefile_value_class(p, args->at++, false, &rule->from_number);
	return err ? err : corefile_value_class(p, args->at++, false, &rule->to_number);
}

static bool seconds(const char **text, uint32_t *out)
{
	char *end;
	unsigned long n;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	n = strtoul(*text, &end, 10);
	if (errno || n > INT32_MAX)
		return false;
	*text = end;
	*out = n;
	return true;
}

/* "5", "5-", "-5", "5-10" */
static bool ttl_range(const char *text, struct corefile_rewrite *rule)
{
	bool has_min = seconds(&text, &rule->ttl_min_s);

	if (!has_min)
		rule->ttl_min_s = 0;
	rule->ttl_max_s = has_min ? rule->ttl_min_s : 0;
	if (*text != '-')
		return has_min && !*text;
	text++;
	rule->ttl_max_s = INT32_MAX;
	if (!*text)
		return has_min;
	return seconds(&text, &rule->ttl_max_s) && !*text && rule->ttl_min_s <= rule->ttl_max_s;
}

static int set_ttl(struct corefile_parse *p, struct args *args, struct corefile_rewrite *rule)
{
	int err;

	rule->kind = COREFILE_REWRITE_TTL;
	if (!take_match(args, 2, rule) && left(args) == 3)
		return no_match(p, args);
	err = exactly(p, args, 2);
	if (!err)
		err = take_from(p, args, rule);
	if (!err && !ttl_range(args->at->text, rule))
		err = corefile_fail(p, args->at,
				    "'%s' is not a TTL in seconds; write 5, 5-, -5 or 5-10",
				    corefile_show(p, args->at->text));
	return err;
}

static int set_rcode(struct corefile_parse *p, struct args *args, struct corefile_rewrite *rule)
{
	int err;

	rule->kind = COREFILE_REWRITE_RCODE;
	if (!take_match(args, 3, rule) && left(args) == 4)
		return no_match(p, args);
	err = exactly(p, args, 3);
	if (!err)
		err = take_from(p, args, rule);
	if (!err)
		err = corefile_value_rcode(p, args->at++, &rule->from_number);
	return err ? err : corefile_value_rcode(p, args->at++, &rule->to_number);
}

/* ---- edns0 ---- */

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *corefile_edns0_variable(enum corefile_edns0_source source)
{
	static const char *const names[] = {
		[COREFILE_EDNS0_FIXED] = "",
		[COREFILE_EDNS0_QNAME] = "{qname}",
		[COREFILE_EDNS0_QTYPE] = "{qtype}",
		[COREFILE_EDNS0_CLIENT_IP] = "{client_ip}",
		[COREFILE_EDNS0_CLIENT_PORT] = "{client_port}",
		[COREFILE_EDNS0_PROTOCOL] = "{protocol}",
		[COREFILE_EDNS0_SERVER_IP] = "{server_ip}",
		[COREFILE_EDNS0_SERVER_PORT] = "{server_port}",
		[COREFILE_EDNS0_SUBNET] = "",
	};

	return names[source];
}

static int edns0_variable(struct corefile_parse *p, const struct corefile_token *at,
			  enum corefile_edns0_source *out)
{
	for (int i = 0; i <= COREFILE_EDNS0_SUBNET; i++) {
		if (!strcmp(at->text, corefile_edns0_variable(i))) {
			*out = i;
			return 0;
		}
	}
	return corefile_fail(p, at,
			     "'%s' is not known%s; write {qname}, {qtype}, {client_ip}, "
			     "{client_port}, {protocol}, {server_ip} or {server_port}",
			     corefile_show(p, at->text),
			     strchr(at->text, '/') ? ": there is no metadata" : "");
}

/* Text as it is, 0x and hexadecimal digits, or a variable. */
static int edns0_data(struct corefile_parse *p, const struct corefile_token *at,
		      struct corefile_rewrite *rule)
{
	const char *text = at->text, *digits = text + 2;
	bool hex = text[0] == '0' && (text[1] | 0x20) == 'x';
	size_t len = hex ? strlen(digits) / 2 : strlen(text);
	char *data;

	if (text[0] == '{' && text[strlen(text) - 1] == '}')
		return edns0_variable(p, at, &rule->edns0_source);
	if (len > EDNS0_DATA_MAX)
		return corefile_fail(p, at, "it is longer than %d octets", EDNS0_DATA_MAX);
	data = corefile_mem_alloc(p->cf->mem, len + 1);
	if (!data)
		return corefile_nomem(p);
	for (size_t i = 0; i < len; i++) {
		int high = hex ? nibble(digits[2 * i]) : 0,
		    low = hex ? nibble(digits[2 * i + 1]) : 0;

		if (high < 0 || low < 0)
			return corefile_fail(p, at, "'%s' is not hexadecimal",
					     corefile_show(p, text));
		data[i] = hex ? high << 4 | low : text[i];
	}
	if (hex && strlen(digits) % 2)
		return corefile_fail(p, at, "'%s' has an odd number of digits",
				     corefile_show(p, text));
	rule->edns0_data = data;
	rule->edns0_len = len;
	return 0;
}

static int edns0_code(struct corefile_parse *p, const struct corefile_token *at, uint16_t *out)
{
	char *end;
	unsigned long code;

	errno = 0;
	code = strtoul(at->text, &end, 0);
	if (errno || *end || end == at->text || *at->text == '-' || !code || code > UINT16_MAX)
		return corefile_fail(p, at,
				     "'%s' is not an option's code; write 1 to 65535 or 0x...",
				     corefile_show(p, at->text));
	*out = code;
	return 0;
}

/* V4BITS V6BITS */
static int edns0_bits(struct corefile_parse *p, struct args *args, struct corefile_rewrite *rule)
{
	for (int i = 0; i < 2; i++, args->at++) {
		unsigned long max = i ? 128 : 32, bits;
		char *end;

		errno = 0;
		bits = strtoul(args->at->text, &end, 0);
		if (errno || *end || end == args->at->text || *args->at->text == '-' || bits > max)
			return corefile_fail(p, args->at,
					     "'%s' is not a number of bits; write 0 to %lu",
					     corefile_show(p, args->at->text), max);
		rule->edns0_bits[i] = bits;
	}
	return 0;
}

const char *const corefile_edns0_actions[] = {
	[COREFILE_EDNS0_SET] = "set",
	[COREFILE_EDNS0_REPLACE] = "replace",
	[COREFILE_EDNS0_APPEND] = "append",
	[COREFILE_EDNS0_UNSET] = "unset",
};

static bool take_action(struct args *args, enum corefile_edns0_action *out)
{
	for (unsigned int i = 0; i <= COREFILE_EDNS0_UNSET; i++) {
		if (take_word(args, corefile_edns0_actions[i])) {
			*out = i;
			return true;
		}
	}
	return false;
}

static int set_edns0(struct corefile_parse *p, struct args *args, struct corefile_rewrite *rule)
{
	bool local = take_word(args, "local"), subnet = !local && take_word(args, "subnet"), unset;
	size_t want;
	int err = 0;

	rule->kind = COREFILE_REWRITE_EDNS0;
	rule->edns0_code = subnet ? EDNS0_SUBNET : EDNS0_NSID;
	if ((!local && !subnet && !take_word(args, "nsid")) ||
	    !take_action(args, &rule->edns0_action))
		return wrong(p, args, EDNS0_FORMS);
	unset = rule->edns0_action == COREFILE_EDNS0_UNSET;
	want = local ? 2 - unset : subnet && !unset ? 2 : 0;
	if (left(args) < want)
		return wrong(p, &(struct args){ args->end, args->end, args->directive },
			     EDNS0_FORMS);
	if (local) {
		err = edns0_code(p, args->at++, &rule->edns0_code);
		if (!err && !unset)
			err = edns0_data(p, args->at++, rule);
	} else if (want) {
		rule->edns0_source = COREFILE_EDNS0_SUBNET;
		err = edns0_bits(p, args, rule);
	}
	if (!unset)
		take_word(args, "revert"); /* options of an answer are never a client's */
	if (!err && left(args))
		err = wrong(p, args, EDNS0_FORMS);
	return err;
}

/* ---- the directive ---- */

static bool is_mode(const struct corefile_token *at)
{
	return !strcasecmp(at->text, "continue") || !strcasecmp(at->text, "stop");
}

int corefile_set_rewrite(struct corefile_parse *p, const struct corefile_statement *stmt)
{
	static const struct {
		const char *field;
		int (*set)(struct corefile_parse *p, struct args *args,
			   struct corefile_rewrite *rule);
	} fields[] = {
		{ "name", set_name },	{ "type", set_type }, { "class", set_class },
		{ "edns0", set_edns0 }, { "ttl", set_ttl },   { "rcode", set_rcode },
	};
	struct corefile_rewrite rule = { .file = stmt->name->file, .line = stmt->name->line };
	struct args args = { stmt->args, stmt->args + stmt->args_len, stmt->name };
	struct corefile_block *b = p->block;
	int err = 1;

	if (stmt->args_len &&
	    !strcasecmp(stmt->args[stmt->args_len > 1 && is_mode(stmt->args)].text, "cname"))
		return corefile_fail(p, stmt->args,
				     "cname rules are not supported: an answer would need a second "
				     "look-up after it came; write a name rule");
	if (take_word(&args, "continue"))
		rule.go_on = true;
	else
		take_word(&args, "stop");
	for (size_t i = 0; err == 1 && i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (take_word(&args, fields[i].field))
			err = fields[i].set(p, &args, &rule);
	}
	if (err)
		return err == 1 ? wrong(p, &args, COREFILE_REWRITE_FORMS) : err;
	return corefile_append(p, &b->rewrites, &b->rewrites_len, &rule, sizeof(rule));
}
