// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A file of names. Contract: prober_priv.h.
 */
#include "prober_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The lines that were left out, and the first of them. */
struct left_out {
	size_t wrong, wrong_line; /* no names of the block */
	size_t beyond;
};

bool probe_names_have(const struct probe_names *names, const struct dns_name *name)
{
	for (size_t i = 0; i < names->len; i++) {
		if (dns_name__equal(&names->list[i], name))
			return true;
	}
	return false;
}

static void take_line(char *line, size_t number, const struct corefile_block *block,
		      struct probe_names *out, struct left_out *left)
{
	struct dns_name name;
	const char *why;
	char *rest, *word;

	line[strcspn(line, "#\n")] = '\0';
	word = strtok_r(line, " \t\r\v\f", &rest);
	if (!word)
		return;
	if (strtok_r(NULL, " \t\r\v\f", &rest) || dns_name__from_config(&name, word, &why)) {
		name.len = 0;
	} else {
		dns_name__lower(&name);
		if (!corefile__in_zones(block, &name))
			name.len = 0;
	}
	if (!name.len) {
		left->wrong_line = left->wrong++ ? left->wrong_line : number;
	} else if (!probe_names_have(out, &name)) {
		if (out->len < COREFILE_PROBE_MAX)
			out->list[out->len++] = name;
		else
			left->beyond++;
	}
}

static void say(const char *path, const struct left_out *left, struct probe_names *out)
{
	size_t at = 0;

	if (!left->wrong && !left->beyond)
		return;
	at += snprintf(out->problem, sizeof(out->problem), "probe %.100s: ", path);
	if (left->beyond)
		at += snprintf(out->problem + at, sizeof(out->problem) - at,
			       "%zu names; the first %d are probed%s", out->len + left->beyond,
			       COREFILE_PROBE_MAX, left->wrong ? "; " : "");
	if (left->wrong)
		snprintf(out->problem + at, sizeof(out->problem) - at,
			 "lines that are no name of the block's zones: %zu, the first is line %zu",
			 left->wrong, left->wrong_line);
}

/* A pipe, or a disk full of names, is not waited for. */
static FILE *open_file(const char *path, int *error)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	FILE *in;

	*error = errno;
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		*error = EINVAL;
	else if (st.st_size > PROBE_FILE_MAX)
		*error = EFBIG;
	else if ((in = fdopen(fd, "r")))
		return in;
	else
		*error = errno;
	close(fd);
	return NULL;
}

bool probe_names_read(const char *path, const struct corefile_block *block, struct probe_names *out)
{
	struct left_out left = { 0 };
	char *line = NULL;
	size_t size = 0, number = 0;
	int error = 0;
	FILE *in = open_file(path, &error);

	out->len = 0;
	out->problem[0] = '\0';
	if (!in) {
		snprintf(out->problem, sizeof(out->problem), "probe %.100s: %s", path,
			 error == EINVAL ? "is no file" : strerror(error));
		return false;
	}
	while (getline(&line, &size, in) >= 0)
		take_line(line, ++number, block, out, &left);
	say(path, &left, out);
	free(line);
	fclose(in);
	return true;
}
