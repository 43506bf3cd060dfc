// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Corefile text to tokens: blanks, comments, quotes, environment variables.
 * Contract: the grammar of CoreDNS' lexer, with its silent cases (NUL, a quote never closed) made
 * errors.
 */
#include "corefile_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lexer {
	struct corefile_parse *p;
	const char *file;
	const char *at, *end;
	unsigned int line;
	bool new_line; /* nothing but blanks since the last line break */
	char *buf;     /* the token being read; as large as the text, so it always fits */
	size_t buf_len;
};

bool corefile_is_open(const struct corefile_token *token)
{
	return !token->literal && strcmp(token->text, "{") == 0;
}

bool corefile_is_close(const struct corefile_token *token)
{
	return !token->literal && strcmp(token->text, "}") == 0;
}

int corefile_tokens_push(struct corefile_parse *p, struct corefile_tokens *tokens,
			 const struct corefile_token *token)
{
	if (tokens->len >= COREFILE_TOKENS_MAX)
		return corefile_fail(
			p, token,
			"the configuration has more than %d words with all imports filled in; "
			"import less",
			COREFILE_TOKENS_MAX);
	return corefile_mem_append(p->scratch, &tokens->list, &tokens->len, token, sizeof(*token))
		       ? corefile_nomem(p)
		       : 0;
}

/* Octets of the white space at `at`, 0 if it is none. NBSP and NEL are blanks in CoreDNS, and get
 * pasted. */
static size_t blank_at(const char *at, const char *end)
{
	if (*at == ' ' || (*at >= '\t' && *at <= '\r'))
		return 1;
	if (end - at >= 2 && at[0] == '\xc2' && (at[1] == '\xa0' || at[1] == '\x85'))
		return 2;
	return 0;
}

static void skip_blanks(struct lexer *l)
{
	bool comment = false;

	while (l->at < l->end) {
		size_t blank = blank_at(l->at, l->end);

		if (*l->at == '\n') {
			l->line++;
			l->new_line = true;
			comment = false;
		} else if (*l->at == '#') {
			comment = true;
		}
		if (!blank && !comment)
			return;
		l->at += blank ? blank : 1;
	}
}

/* Inside quotes only \" is an escape: other backslashes stay, for regular expressions. */
static int read_quoted(struct lexer *l)
{
	struct corefile_token start = { .file = l->file, .line = l->line };

	for (l->at++; l->at < l->end; l->at++) {
		if (*l->at == '"') {
			l->at++;
			return 0;
		}
		if (*l->at == '\0')
			return corefile_fail(l->p, &start,
					     "the text has a NUL octet; write plain text");
		if (*l->at == '\n')
			l->line++;
		if (*l->at == '\\' && l->end - l->at >= 2 && l->at[1]) {
			l->at++;
			if (*l->at != '"')
				l->buf[l->buf_len++] = '\\';
			if (*l->at == '\n')
				l->line++;
		}
		l->buf[l->buf_len++] = *l->at;
	}
	return corefile_fail(l->p, &start,
			     "the quote that starts here never ends; close it with \"");
}

static int read_plain(struct lexer *l)
{
	struct corefile_token start = { .file = l->file, .line = l->line };

	while (l->at < l->end && !blank_at(l->at, l->end) && *l->at != '#') {
		if (*l->at == '\0')
			return corefile_fail(l->p, &start,
					     "the text has a NUL octet; write plain text");
		l->buf[l->buf_len++] = *l->at++;
	}
	return 0;
}

/* The next {$NAME} or {%NAME%} in `text`: its start, name and what follows; NULL if there is none.
 */
static const char *find_variable(const char *text, const char **name, size_t *name_len,
				 const char **after)
{
	bool percent = true; /* whether a "%}" may still follow: looking for it again each time
				would be quadratic */
	const char *start, *end;

	for (start = strchr(text, '{'); start; start = strchr(start + 1, '{')) {
		if (start[1] != '$' && (start[1] != '%' || !percent))
			continue;
		end = strstr(start + 2, start[1] == '$' ? "}" : "%}");
		if (!end && start[1] == '$')
			return NULL;
		if (!end)
			percent = false;
		if (!end || end == start + 2)
			continue;
		*name = start + 2;
		*name_len = (size_t)(end - *name);
		*after = end + (start[1] == '$' ? 1 : 2);
		return start;
	}
	return NULL;
}

bool corefile_is_plain(const char *text)
{
	size_t len = strlen(text);
	const char *end = text + len;

	if (!len || *text == '"' || !strcmp(text, "}") || !strcmp(text, "{"))
		return false;
	/* As the last word it would be taken for a '{' without a blank before it. */
	if (len > 1 && end[-1] == '{' && end[-2] != '{')
		return false;
	for (const char *at = text; at < end; at++) {
		if (*at == '#' || blank_at(at, end))
			return false;
	}
	return true;
}

/* In quotes a backslash before a quote takes that quote in; two of them are two backslashes. */
static bool can_be_quoted(const char *text)
{
	bool odd = false;

	for (; *text; text++) {
		if (*text == '"' && odd)
			return false;
		odd = *text == '\\' && !odd;
	}
	return !odd;
}

bool corefile_is_writable(const char *text)
{
	const char *name, *after;
	size_t len;

	return !find_variable(text, &name, &len, &after) &&
	       (corefile_is_plain(text) || can_be_quoted(text));
}

static int append_variable(struct lexer *l, const struct corefile_token *token, FILE *out,
			   const char *name, size_t name_len)
{
	const struct corefile_options *options = l->p->options;
	char *copy = corefile_mem_strndup(l->p->scratch, name, name_len);
	const char *value;

	if (!copy)
		return corefile_nomem(l->p);
	value = options->get_env ? options->get_env(options->ctx, copy) : NULL;
	if (!value)
		return corefile_warn(l->p, token,
				     "the environment variable %s is not set; taken as empty",
				     corefile_show(l->p, copy));
	if (strlen(value) > COREFILE_TEXT_MAX || ftell(out) > COREFILE_TEXT_MAX)
		return corefile_fail(
			l->p, token,
			"the value of environment variables makes a word longer than %d octets; "
			"shorten it",
			COREFILE_TEXT_MAX);
	fputs(value, out);
	return 0;
}

/* Values are not looked through again for variables: one that names itself would never end. */
static int expand_variables(struct lexer *l, struct corefile_token *token)
{
	const char *rest = token->text, *start, *name, *after;
	char *expanded = NULL;
	size_t name_len, size;
	FILE *out;
	int err = 0;

	if (!find_variable(rest, &name, &name_len, &after))
		return 0;
	out = open_memstream(&expanded, &size);
	if (!out)
		return corefile_nomem(l->p);
	while (!err && (start = find_variable(rest, &name, &name_len, &after))) {
		fwrite(rest, 1, (size_t)(start - rest), out);
		err = append_variable(l, token, out, name, name_len);
		rest = after;
	}
	fputs(rest, out);
	if (fclose(out) && !err)
		err = corefile_nomem(l->p);
	if (!err) {
		token->text = corefile_mem_strndup(l->p->scratch, expanded, size);
		token->literal = true;
		err = token->text ? 0 : corefile_nomem(l->p);
	}
	free(expanded);
	return err;
}

static int next_token(struct lexer *l, struct corefile_tokens *out)
{
	struct corefile_token token = {
		.file = l->file,
		.line = l->line,
		.starts_line = l->new_line,
		.literal = *l->at == '"',
	};
	int err;

	l->buf_len = 0;
	err = token.literal ? read_quoted(l) : read_plain(l);
	if (err)
		return err;
	l->new_line = false;
	token.text = corefile_mem_strndup(l->p->scratch, l->buf, l->buf_len);
	if (!token.text)
		return corefile_nomem(l->p);
	err = expand_variables(l, &token);
	return err ? err : corefile_tokens_push(l->p, out, &token);
}

int corefile_lex(struct corefile_parse *p, const char *file, const char *text, size_t len,
		 struct corefile_tokens *out)
{
	struct lexer l = {
		.p = p, .file = file, .at = text, .end = text + len, .line = 1, .new_line = true
	};
	int err = 0;

	if (len > COREFILE_TEXT_MAX)
		return corefile_fail_at(
			p, -EFBIG, file, 0,
			"the file is larger than %d octets; split it or leave out what is "
			"not configuration",
			COREFILE_TEXT_MAX);
	l.buf = malloc(len + 1);
	if (!l.buf)
		return corefile_nomem(p);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* byte order mark */
		l.at += 3;
	for (skip_blanks(&l); !err && l.at < l.end; skip_blanks(&l))
		err = next_token(&l, out);
	free(l.buf);
	return err;
}
