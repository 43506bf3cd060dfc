// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Command-line flags by a table of rows. Contract: flags.h.
 */
#include "config/flags.h"

#include <errno.h>
#include <string.h>

static int fail(struct options_error *err, const char *flag, const char *value, const char *why)
{
	if (value)
		snprintf(err->text, sizeof(err->text), "-%s: \"%s\" %s", flag, value, why);
	else
		snprintf(err->text, sizeof(err->text), "-%s: %s", flag, why);
	return -EINVAL;
}

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
		   bool *taken, struct options_error *err)
{
	const char *why = "is not valid", *given = value;

	*taken = row->arg && !value;
	if (*taken)
		value = next;
	if (row->arg && !value)
		return fail(err, row->name, NULL, "needs a value");
	if (!row->arg)
		value = truth(value ? value : "true");
	if (!value)
		return fail(err, row->name, given, "is neither true nor false");
	return row->set(target, value, &why) ? fail(err, row->name, value, why) : 0;
}

/* As Go's flag package has it, which node-cache uses: "--" ends the flags, and so does "-". */
int options__parse(const struct option_row *rows, size_t n_rows, void *target, int argc,
		   char **argv, int *first, struct options_error *err)
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
		if (!row) {
			snprintf(err->text, sizeof(err->text), "-%.*s: no such flag; see --help",
				 (int)len, name);
			return -EINVAL;
		}
		ret = set_row(row, target, name[len] ? name + len + 1 : NULL,
			      at < argc ? argv[at] : NULL, &taken, err);
		if (ret)
			return ret;
		at += taken;
	}
	*first = at;
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
