// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Text with actions. Contract: template_text.h.
 */
#include "config/template_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PIECES 80 /* the 32 nibbles of an IPv6 address, twice, and more */
#define MAX_ACTION 128

enum action {
	ACTION_NONE,
	ACTION_NAME,
	ACTION_TYPE,
	ACTION_CLASS,
	ACTION_ZONE,
	ACTION_GROUP,
	ACTION_NAMED
};

/* Text up to a action, and what it is replaced by. */
struct piece {
	const char *text;
	size_t len;
	enum action action;
	unsigned int group;
	char named[64];
	unsigned int base; /* of parseInt, whose result is decimal; 0: the text as it is */
	uint64_t max;
};

struct record_template {
	size_t n;
	struct piece pieces[];
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

static bool number(const char **s, unsigned int max, unsigned int *out)
{
	unsigned int value = 0;

	if (!isdigit((unsigned char)**s))
		return false;
	for (; isdigit((unsigned char)**s); (*s)++) {
		value = value * 10 + **s - '0';
		if (value > max)
			return false;
	}
	*s = skip(*s);
	*out = value;
	return true;
}

static bool named(const char **s, struct piece *piece)
{
	size_t len = 0;

	while (isalnum((unsigned char)(*s)[len]) || (*s)[len] == '_')
		len++;
	if (!len || len >= sizeof(piece->named))
		return false;
	if (isdigit((unsigned char)**s)) {
		piece->action = ACTION_GROUP;
		return number(s, REGEX_GROUPS - 1, &piece->group);
	}
	memcpy(piece->named, *s, len);
	piece->named[len] = '\0';
	piece->action = ACTION_NAMED;
	*s += len;
	return true;
}

/* .Group.NAME */
static bool group(const char **s, struct piece *piece)
{
	static const char prefix[] = ".Group.";

	if (strncmp(*s, prefix, strlen(prefix)))
		return false;
	*s += strlen(prefix);
	if (!named(s, piece))
		return false;
	*s = skip(*s);
	return true;
}

/* .Group.NAME BASE BITS: what Go's strconv.ParseUint takes. */
static bool parse_int(const char **s, struct piece *piece)
{
	unsigned int base, bits;

	if (!group(s, piece) || !number(s, 36, &base) || base < 2 || !number(s, 64, &bits))
		return false;
	piece->base = base;
	piece->max = bits && bits < 64 ? (1ull << bits) - 1 : UINT64_MAX;
	return true;
}

/* .Match N, .Group "NAME" */
static bool indexed(const char **s, struct piece *piece)
{
	if (word(s, ".Match")) {
		piece->action = ACTION_GROUP;
		return number(s, REGEX_GROUPS - 1, &piece->group);
	}
	if (!word(s, ".Group") || *(*s)++ != '"' || !named(s, piece) || *(*s)++ != '"')
		return false;
	*s = skip(*s);
	return true;
}

/* What stands between {{ and }}, blanks and dashes at its ends taken off. */
static bool read_action(const char *s, struct piece *piece)
{
	static const struct {
		const char *name;
		enum action action;
	} plain[] = {
		{ ".Name", ACTION_NAME },
		{ ".Type", ACTION_TYPE },
		{ ".Class", ACTION_CLASS },
		{ ".Zone", ACTION_ZONE },
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (word(&s, plain[i].name)) {
			piece->action = plain[i].action;
			return !*s;
		}
	}
	if (word(&s, "parseInt"))
		return parse_int(&s, piece) && !*s;
	if (word(&s, "index"))
		return indexed(&s, piece) && !*s;
	return group(&s, piece) && !*s;
}

/* One {{ ... }} at @s; returns where it ends, NULL: not known. */
static const char *read_braces(const char *s, struct piece *piece, bool *trim)
{
	const char *close = strstr(s, "}}"), *end = close;
	char action[MAX_ACTION];

	if (!close)
		return NULL;
	s += 2;
	if (*s == '-' && isspace((unsigned char)s[1])) {
		while (piece->len && isspace((unsigned char)piece->text[piece->len - 1]))
			piece->len--;
		s++;
	}
	*trim = end > s + 1 && end[-1] == '-' && isspace((unsigned char)end[-2]);
	end -= *trim;
	while (s < end && isspace((unsigned char)*s))
		s++;
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	if (end - s >= MAX_ACTION)
		return NULL;
	memcpy(action, s, end - s);
	action[end - s] = '\0';
	return read_action(action, piece) ? close + 2 : NULL;
}

static int read_pieces(const char *s, struct record_template *record, char *why, size_t why_size)
{
	for (;;) {
		const char *open = strstr(s, "{{");
		struct piece *piece = &record->pieces[record->n++];
		bool trim = false;

		*piece = (struct piece){ .text = s, .len = open ? open - s : (long)strlen(s) };
		if (!open)
			return 0;
		s = read_braces(open, piece, &trim);
		if (!s) {
			snprintf(why, why_size,
				 "the action '%.*s' is not supported; write " TEMPLATE_ACTIONS,
				 (int)strcspn(open, "}") + 2, open);
			return -EINVAL;
		}
		if (trim)
			s = skip(s);
	}
}

int record_template__parse(const char *text, struct record_template **out, char *why,
			   size_t why_size)
{
	struct record_template *record;
	size_t n = 1;
	int ret;

	for (const char *s = text; (s = strstr(s, "{{")); s += 2)
		n++;
	if (n > MAX_PIECES) {
		snprintf(why, why_size, "it has more than %d actions", MAX_PIECES - 1);
		return -EINVAL;
	}
	record = calloc(1, sizeof(*record) + n * sizeof(record->pieces[0]));
	if (!record)
		return -ENOMEM;
	ret = read_pieces(text, record, why, why_size);
	if (ret)
		record_template__free(record);
	else
		*out = record;
	return ret;
}

void record_template__free(struct record_template *record)
{
	free(record);
}

/* ---- execution ---- */

bool record_template__is_constant(const struct record_template *record)
{
	for (size_t i = 0; i < record->n; i++) {
		enum action action = record->pieces[i].action;

		if (action != ACTION_NONE && action != ACTION_ZONE && action != ACTION_CLASS)
			return false;
	}
	return true;
}

struct text {
	char *at;
	size_t left; /* with the NUL */
};

static int put(struct text *out, const char *text, size_t len)
{
	if (len >= out->left)
		return -ENOSPC;
	memcpy(out->at, text, len);
	out->at += len;
	out->left -= len;
	*out->at = '\0';
	return 0;
}

/* Digits of the base, at least one, and nothing else. */
static bool read_number(const char *s, size_t len, unsigned int base, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned int c = tolower((unsigned char)s[i]), digit = c - '0';

		if (c >= 'a' && c <= 'z')
			digit = c - 'a' + 10;
		if (digit >= base || value > (UINT64_MAX - digit) / base)
			return false;
		value = value * base + digit;
	}
	*out = value;
	return len && value <= max;
}

static int put_number(struct text *out, const struct piece *piece, const char *digits, size_t len)
{
	uint64_t value;
	char text[24];

	if (!read_number(digits, len, piece->base, piece->max, &value))
		return -EINVAL;
	return put(out, text, snprintf(text, sizeof(text), "%" PRIu64, value));
}

static int put_group(struct text *out, const struct piece *piece,
		     const struct template_values *values)
{
	int n = piece->group;
	const char *text;
	size_t len;

	if (piece->action == ACTION_NAMED)
		n = values->regex ? regex__group(values->regex, piece->named) : -ENOENT;
	if (n < 0 || (size_t)n >= values->match.n)
		return -EINVAL;
	text = values->match.subject + values->match.group[n].at;
	len = values->match.group[n].len;
	return piece->base ? put_number(out, piece, text, len) : put(out, text, len);
}

static int put_action(struct text *out, const struct piece *piece,
		      const struct template_values *values)
{
	switch (piece->action) {
	case ACTION_NAME:
		return put(out, values->name, strlen(values->name));
	case ACTION_TYPE:
		return put(out, values->type, strlen(values->type));
	case ACTION_CLASS:
		return put(out, values->class, strlen(values->class));
	case ACTION_ZONE:
		return put(out, values->zone, strlen(values->zone));
	case ACTION_GROUP:
	case ACTION_NAMED:
		return put_group(out, piece, values);
	case ACTION_NONE:
		break;
	}
	return 0;
}

int record_template__execute(const struct record_template *record,
			     const struct template_values *values, char *out, size_t size)
{
	struct text text = { out, size };
	int ret = put(&text, "", 0);

	for (size_t i = 0; !ret && i < record->n; i++) {
		ret = put(&text, record->pieces[i].text, record->pieces[i].len);
		if (!ret)
			ret = put_action(&text, &record->pieces[i], values);
	}
	return ret;
}

int record_template__check(const char *text, char *why, size_t why_size)
{
	struct record_template *record = NULL;
	int ret = record_template__parse(text, &record, why, why_size);

	record_template__free(record);
	return ret;
}
