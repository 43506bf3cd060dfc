// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Command-line flags by a table of rows. Contract: options.h.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#define MAX_ROWS 64

static int fail(struct options_error *err, const char *flag, const char *value, const char *why)
{
	if (value)
		snprintf(err->text, sizeof(err->text), "-%s: \"%s\" %s", flag, value, why);
	else
		snprintf(err->text, sizeof(err->text), "-%s: %s", flag, why);
	return -EINVAL;
}

/* What getopt did not like: argv[optind - 1], without its dashes and value. */
static int fail_getopt(struct options_error *err, int found, const char *arg)
{
	const char *name = arg + strspn(arg, "-");
	int len = (int)strcspn(name, "=");

	if (found == ':')
		snprintf(err->text, sizeof(err->text), "-%.*s: needs a value", len, name);
	else
		snprintf(err->text, sizeof(err->text), "-%.*s: no such flag; see --help", len,
			 name);
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

int options__parse(const struct option_row *rows, size_t n_rows, void *target, int argc,
		   char **argv, int *first, struct options_error *err)
{
	struct option longopts[MAX_ROWS + 3] = { 0 };
	const char *why = "is not valid";
	int index, found, ret;

	if (n_rows > MAX_ROWS)
		return -E2BIG;
	for (size_t i = 0; i < n_rows; i++) {
		longopts[i].name = rows[i].name;
		longopts[i].has_arg = rows[i].arg ? required_argument : optional_argument;
	}
	longopts[n_rows].name = "help";
	longopts[n_rows + 1].name = "h";

	optind = 0; /* glibc: begin anew, also when a test parses twice */
	opterr = 0;
	while ((found = getopt_long_only(argc, argv, "+:", longopts, &index)) != -1) {
		const char *value;

		if (found)
			return fail_getopt(err, found, argv[optind - 1]);
		if ((size_t)index >= n_rows)
			return -ECANCELED;
		value = rows[index].arg || optarg ? optarg : "true";
		if (!rows[index].arg)
			value = truth(value);
		if (!value)
			return fail(err, rows[index].name, optarg, "is neither true nor false");
		ret = rows[index].set(target, value, &why);
		if (ret)
			return fail(err, rows[index].name, value, why);
	}
	*first = optind;
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
