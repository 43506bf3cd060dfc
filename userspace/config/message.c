// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Messages of the Corefile parser: errors and warnings with their place.
 * Contract: one line each, printable ASCII whatever the file holds.
 */
#include "corefile_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* Long paths keep their end: the message after them must fit as well. */
#define PATH_SHOWN_MAX 160

static void printable(const char *text, char *out, size_t size)
{
	size_t n = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = c >= 0x20 && c < 0x7f;

		if (n + (plain ? 1 : 4) + sizeof("...") > size) {
			memcpy(out + n, "...", 3);
			n += 3;
			break;
		}
		if (plain)
			out[n++] = (char)c;
		else
			n += (size_t)sprintf(out + n, "\\x%02x", c);
	}
	out[n] = '\0';
}

const char *corefile_show(struct corefile_parse *p, const char *text)
{
	char *shown = p->shown[p->shown_next++ % 4];

	printable(text, shown, sizeof(p->shown[0]));
	return shown;
}

/*
 * An imported file need not be a Corefile: it may be a secret that somebody named by mistake, and
 * logs are read by many. So its words are shown inside of statements of its own that are known,
 * and nowhere else: there "..." stands for every word.
 */
static bool may_show(const struct corefile_parse *p, const char *file)
{
	return !p->file || file == p->file || (p->known && p->known->file == file);
}

static void hide_words(struct corefile_parse *p)
{
	for (size_t i = 0; i < sizeof(p->shown) / sizeof(p->shown[0]); i++)
		strcpy(p->shown[i], "...");
}

static void format(struct corefile_parse *p, char *out, size_t size, const char *file,
		   unsigned int line, const char *fmt, va_list args)
{
	char path[PATH_SHOWN_MAX + 8], context[sizeof(p->shown[0])], said[sizeof(p->err->text)];
	size_t len = strlen(file);
	int n;

	printable(len > PATH_SHOWN_MAX ? file + len - PATH_SHOWN_MAX : file, path, sizeof(path));
	n = snprintf(out, size, "%s%s:", len > PATH_SHOWN_MAX ? "..." : "", path);
	if (line)
		n += snprintf(out + n, size - (size_t)n, "%u:", line);
	if (p->directive) {
		printable(p->directive, context, sizeof(context));
		n += snprintf(out + n, size - (size_t)n, " %s:", context);
	}
	if (p->option) {
		printable(p->option, context, sizeof(context));
		n += snprintf(out + n, size - (size_t)n, " %s:", context);
	}
	n += snprintf(out + n, size - (size_t)n, " ");
	if (!may_show(p, file))
		hide_words(p);
	/* Reasons that other modules give may show a word of the file as it is. */
	vsnprintf(said, sizeof(said), fmt, args);
	printable(said, out + n, size - (size_t)n);
}

int corefile_fail_at(struct corefile_parse *p, int error, const char *file, unsigned int line,
		     const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	format(p, p->err->text, sizeof(p->err->text), file, line, fmt, args);
	va_end(args);
	return error;
}

int corefile_fail(struct corefile_parse *p, const struct corefile_token *at, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	format(p, p->err->text, sizeof(p->err->text), at->file, at->line, fmt, args);
	va_end(args);
	return -EINVAL;
}

int corefile_nomem(struct corefile_parse *p)
{
	snprintf(p->err->text, sizeof(p->err->text),
		 "out of memory while reading the configuration");
	return -ENOMEM;
}

int corefile_append(struct corefile_parse *p, void *list, size_t *len, const void *element,
		    size_t size)
{
	return corefile_mem_append(p->cf->mem, list, len, element, size) ? corefile_nomem(p) : 0;
}

int corefile_warn(struct corefile_parse *p, const struct corefile_token *at, const char *fmt, ...)
{
	char text[sizeof(p->err->text)];
	char *copy;
	va_list args;

	va_start(args, fmt);
	format(p, text, sizeof(text), at->file, at->line, fmt, args);
	va_end(args);

	copy = corefile_mem_strndup(p->cf->mem, text, strlen(text));
	if (!copy)
		return corefile_nomem(p);
	return corefile_append(p, &p->cf->warnings, &p->cf->warnings_len, &copy, sizeof(copy));
}
