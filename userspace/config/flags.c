// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Command-line flags by a table of rows: parsed, explained, printed. Contract: flags.h.
 */
#include "config/flags.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int fail(struct error *err, const char *flag, const char *value, const char *why)
{
	if (value)
		return error__set(err, -EINVAL, "-%s: \"%s\" %s", flag, value, why);
	return error__set(err, -EINVAL, "-%s: %s", flag, why);
}

/* ---- kinds ---- */

static const char *set_text(const struct option_row *row, void *at, const char *value)
{
	*(const char **)at = value;
	return *value ? NULL : row->why;
}

static const char *set_optional(const struct option_row *row, void *at, const char *value)
{
	(void)row;
	*(const char **)at = *value ? value : NULL;
	return NULL;
}

static const char *set_path(const struct option_row *row, void *at, const char *value)
{
	*(const char **)at = value;
	return value[0] == '/' ? NULL : row->why;
}

/* No octet of the value ends the line that it is printed in. */
bool option__show_text(const struct option_row *row, const void *at, FILE *out)
{
	const char *text = *(const char *const *)at;

	(void)row;
	for (const char *c = text; c && *c; c++)
		fputc(iscntrl((unsigned char)*c) ? '?' : *c, out);
	return text && *text;
}

static const char *set_switch(const struct option_row *row, void *at, const char *value)
{
	(void)row;
	*(bool *)at = !strcmp(value, "true");
	return NULL;
}

static bool show_switch(const struct option_row *row, const void *at, FILE *out)
{
	(void)row;
	return fputs(*(const bool *)at ? "true" : "false", out) >= 0;
}

static const char *parse_number(const struct option_row *row, const char *text, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	return text[0] < '0' || text[0] > '9' || errno || *end || *out < row->min || *out > row->max
		       ? row->why
		       : NULL;
}

static const char *set_u16(const struct option_row *row, void *at, const char *value)
{
	unsigned long number;
	const char *why = parse_number(row, value, &number);

	*(uint16_t *)at = number;
	return why;
}

static const char *set_u32(const struct option_row *row, void *at, const char *value)
{
	unsigned long number;
	const char *why = parse_number(row, value, &number);

	*(uint32_t *)at = number;
	return why;
}

static bool show_u16(const struct option_row *row, const void *at, FILE *out)
{
	(void)row;
	return fprintf(out, "%u", *(const uint16_t *)at);
}

static bool show_u32(const struct option_row *row, const void *at, FILE *out)
{
	uint32_t number = *(const uint32_t *)at;

	(void)row;
	return number && fprintf(out, "%u", number);
}

static const char *set_choice(const struct option_row *row, void *at, const char *value)
{
	for (unsigned int i = 0; i <= row->max; i++) {
		if (!strcmp(value, row->choices[i])) {
			*(unsigned int *)at = i;
			return NULL;
		}
	}
	return row->why;
}

static bool show_choice(const struct option_row *row, const void *at, FILE *out)
{
	return fputs(row->choices[*(const unsigned int *)at], out) >= 0;
}

const struct option_kind option_text = { set_text, option__show_text };
const struct option_kind option_optional = { set_optional, option__show_text };
const struct option_kind option_path = { set_path, option__show_text };
const struct option_kind option_switch = { set_switch, show_switch };
const struct option_kind option_u16 = { set_u16, show_u16 };
const struct option_kind option_u32 = { set_u32, show_u32 };
const struct option_kind option_choice = { set_choice, show_choice };

/* ---- the command line ---- */

/* As Go's strconv.ParseBool: "true", "false" or NULL. */
static const char *truth(const char *value)
{
	static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
	static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False" };

	for (unsigned int i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (!strcmp(value, yes[i]))
			return "true";
		if (!strcmp(value, no[i]))
			return "false";
	}
	return NULL;
}

/* Is @name (@len octets, without dashes and value) this one? Nothing is taken for its beginning. */
static bool is_name(const char *name, size_t len, const char *want)
{
	return strlen(want) == len && !memcmp(name, want, len);
}

static const struct option_row *find_row(const struct option_row *rows, size_t n_rows,
					 const char *name, size_t len)
{
	for (size_t i = 0; i < n_rows; i++) {
		if (is_name(name, len, rows[i].name))
			return &rows[i];
	}
	return NULL;
}

/* @value: what follows '=' or NULL; @next: the argument after it or NULL, taken where it is needed,
 * which *taken says. */
static int set_row(const struct option_row *row, void *target, const char *value, const char *next,
		   bool *taken, struct error *err)
{
	const char *given = value, *why;

	*taken = row->arg && !value;
	if (*taken)
		value = next;
	if (row->arg && !value)
		return fail(err, row->name, NULL, "needs a value");
	if (!row->arg)
		value = truth(value ? value : "true");
	if (!value)
		return fail(err, row->name, given, "is neither true nor false");
	why = row->kind->set(row, (char *)target + row->offset, value);
	return why ? fail(err, row->name, value, why) : 0;
}

/* As Go's flag package has it, which node-cache uses: "--" ends the flags, and so does "-". */
int options__parse(const struct option_row *rows, size_t n_rows, void *target, int argc,
		   char **argv, int *first, struct error *err)
{
	int at = 1;

	while (at < argc && argv[at][0] == '-' && argv[at][1]) {
		const char *name = argv[at] + (argv[at][1] == '-' ? 2 : 1);
		size_t len = strcspn(name, "=");
		const struct option_row *row = find_row(rows, n_rows, name, len);
		bool taken;
		int ret;

		at++;
		if (!strcmp(argv[at - 1], "--"))
			break;
		if (!row && (is_name(name, len, "help") || is_name(name, len, "h")))
			return -ECANCELED;
		if (!row)
			return error__set(err, -EINVAL, "-%.*s: no such flag; see --help", (int)len,
					  name);
		ret = set_row(row, target, name[len] ? name + len + 1 : NULL,
			      at < argc ? argv[at] : NULL, &taken, err);
		if (ret)
			return ret;
		at += taken;
	}
	if (first)
		*first = at;
	else if (at < argc)
		return error__set(err, -EINVAL, "\"%s\": takes no arguments", argv[at]);
	return 0;
}

void options__print_help(const struct option_row *rows, size_t n_rows, FILE *out)
{
	for (size_t i = 0; i < n_rows; i++) {
		char flag[64];

		snprintf(flag, sizeof(flag), "-%s%s%s", rows[i].name, rows[i].arg ? " " : "",
			 rows[i].arg ? rows[i].arg : "");
		fprintf(out, "  %-26s %s\n", flag, rows[i].help);
	}
}

void options__print(const struct option_row *rows, size_t n_rows, const void *target, FILE *out)
{
	for (const struct option_row *row = rows; row < rows + n_rows; row++) {
		char *text = NULL;
		size_t len = 0;
		FILE *value =
			row->kind->show && !row->other_name ? open_memstream(&text, &len) : NULL;
		bool shown =
			value && row->kind->show(row, (const char *)target + row->offset, value);

		if (value)
			fclose(value);
		if (shown)
			fprintf(out, "# -%s=%s\n", row->name, text);
		free(text);
	}
}
