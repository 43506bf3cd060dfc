// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Snippets "(name) { ... }" and "import NAME|FILE|GLOB", replaced by what they stand for.
 * Contract: tokens keep the file and line where they were written, so messages point there.
 */
#include "corefile_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int import_one(struct corefile_parse *p, const struct corefile_token *at,
		      const struct corefile_import *outer, const char *what,
		      const struct corefile_token *list, size_t len, struct corefile_tokens *out)
{
	struct corefile_import frame = { .outer = outer,
					 .what = what,
					 .depth = outer ? outer->depth + 1 : 1 };

	for (const struct corefile_import *i = outer; i; i = i->outer) {
		if (strcmp(i->what, what) == 0)
			return corefile_fail(p, at, "'%s' imports itself; take the import out",
					     corefile_show(p, what));
	}
	if (frame.depth > COREFILE_IMPORT_DEPTH_MAX)
		return corefile_fail(p, at,
				     "imports are nested more than %d deep; import less deeply",
				     COREFILE_IMPORT_DEPTH_MAX);
	return corefile_expand(p, list, len, &frame, out);
}

static int import_file(struct corefile_parse *p, const struct corefile_token *at,
		       const struct corefile_import *outer, const char *path,
		       struct corefile_tokens *out)
{
	const char *name = corefile_mem_strndup(p->cf->mem, path, strlen(path));
	struct corefile_tokens tokens = { 0 };
	char *text = NULL;
	size_t len = 0;
	int err;

	if (!name)
		return corefile_nomem(p);
	if (!p->options->read_file)
		return corefile_fail(p, at, "files cannot be imported here; write what '%s' holds",
				     corefile_show(p, path));
	err = p->options->read_file(p->options->ctx, path, &text, &len);
	if (err == -ENOENT)
		return corefile_fail_at(p, err, at->file, at->line,
					"there is no snippet and no file '%s'; define the snippet "
					"before its import or name a file",
					corefile_show(p, at[1].text));
	if (err)
		return corefile_fail_at(p, err, at->file, at->line,
					"cannot read '%s': %s; name a readable file",
					corefile_show(p, path), strerror(-err));
	p->directive = "syntax";
	err = corefile_lex(p, name, text, len, &tokens);
	p->directive = "import";
	free(text);
	if (!err)
		err = import_one(p, at, outer, name, tokens.list, tokens.len, out);
	return err;
}

static int import_glob(struct corefile_parse *p, const struct corefile_token *at,
		       const struct corefile_import *outer, const char *pattern,
		       struct corefile_tokens *out)
{
	char **paths = NULL;
	size_t len = 0;
	int err = 0;

	if (p->options->glob)
		err = p->options->glob(p->options->ctx, pattern, &paths, &len);
	if (err)
		return corefile_fail_at(p, err, at->file, at->line,
					"cannot look up '%s': %s; name a readable directory",
					corefile_show(p, pattern), strerror(-err));
	if (!len)
		err = corefile_warn(p, at, "no file matches '%s'", corefile_show(p, pattern));
	for (size_t i = 0; i < len; i++) {
		if (!err)
			err = import_file(p, at, outer, paths[i], out);
		free(paths[i]);
	}
	free(paths);
	return err;
}

/* Paths are relative to the file that imports, not to where the agent happens to run. */
static char *relative_to(struct corefile_parse *p, const char *file, const char *path)
{
	const char *slash;
	char *joined;
	size_t dir;

	if (file == p->file && p->options->imports_at)
		file = p->options->imports_at;
	slash = strrchr(file, '/');
	dir = *path == '/' || !slash ? 0 : (size_t)(slash - file) + 1;
	joined = corefile_mem_alloc(p->scratch, dir + strlen(path) + 1);
	if (joined) {
		memcpy(joined, file, dir);
		strcpy(joined + dir, path);
	}
	return joined;
}

static const struct corefile_snippet *find_snippet(const struct corefile_parse *p, const char *name)
{
	for (size_t i = 0; i < p->snippets_len; i++) {
		if (strcmp(p->snippets[i].name, name) == 0)
			return &p->snippets[i];
	}
	return NULL;
}

static unsigned int count(const char *text, char c)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == c;
	return n;
}

static int import(struct corefile_parse *p, const struct corefile_token *at,
		  const struct corefile_token *end, const struct corefile_import *outer,
		  struct corefile_tokens *out)
{
	const struct corefile_snippet *snippet;
	const char *what;
	char *path;

	if (at + 1 >= end || at[1].starts_line || corefile_is_open(&at[1]) ||
	    corefile_is_close(&at[1]) || !*at[1].text)
		return corefile_fail(p, at,
				     "nothing to import is given; write import NAME, import FILE "
				     "or import GLOB");
	if (at + 2 < end && !at[2].starts_line)
		return corefile_fail(
			p, at,
			"'%s' is one too many; write import NAME, import FILE or import GLOB",
			corefile_show(p, at[2].text));
	what = at[1].text;
	snippet = find_snippet(p, what);
	if (snippet)
		return import_one(p, at, outer, snippet->name, snippet->list, snippet->len, out);

	path = relative_to(p, at->file, what);
	if (!path)
		return corefile_nomem(p);
	if (strpbrk(what, "[]") || count(what, '*') > 1 || count(what, '?') > 1)
		return corefile_fail(
			p, at, "'%s' has more than one wildcard; write one '*' and one '?' at most",
			corefile_show(p, what));
	return strpbrk(what, "*?") ? import_glob(p, at, outer, path, out)
				   : import_file(p, at, outer, path, out);
}

static bool is_snippet(const struct corefile_token *at, const struct corefile_token *end)
{
	size_t len = strlen(at->text);

	return at->starts_line && !at->literal && len >= 2 && at->text[0] == '(' &&
	       at->text[len - 1] == ')' && at + 1 < end && corefile_is_open(&at[1]);
}

/* Keeps the tokens between the braces for later; *next is what follows the closing one. */
static int define_snippet(struct corefile_parse *p, const struct corefile_token *at,
			  const struct corefile_token *end, const struct corefile_token **next)
{
	const struct corefile_snippet *same;
	struct corefile_snippet snippet = { .def = at, .list = at + 2 };
	const struct corefile_token *t;
	unsigned int depth = 1;
	char *name;

	for (t = at + 2; t < end; t++) {
		if (corefile_is_open(t))
			depth++;
		if (corefile_is_close(t) && --depth == 0)
			break;
	}
	if (t == end)
		return corefile_fail(
			p, at,
			"the snippet's '{' has no '}'; close it with '}' on a line of its own");
	name = corefile_mem_strndup(p->scratch, at->text + 1, strlen(at->text) - 2);
	if (!name)
		return corefile_nomem(p);
	same = find_snippet(p, name);
	if (same)
		return corefile_fail(
			p, at, "the snippet is already defined at line %u; give it another name",
			same->def->line);
	snippet.name = name;
	snippet.len = (size_t)(t - at - 2);
	*next = t + 1;
	return corefile_mem_append(p->scratch, &p->snippets, &p->snippets_len, &snippet,
				   sizeof(snippet))
		       ? corefile_nomem(p)
		       : 0;
}

int corefile_expand(struct corefile_parse *p, const struct corefile_token *in, size_t len,
		    const struct corefile_import *outer, struct corefile_tokens *out)
{
	const struct corefile_token *end, *t = in;
	int err = 0;

	if (!len) /* `in` may be NULL then */
		return 0;
	end = in + len;
	while (!err && t < end) {
		bool starts = t->starts_line || (t > in && corefile_is_open(t - 1));

		if (!t->literal && starts && strcmp(t->text, "import") == 0) {
			p->directive = "import";
			p->known = t;
			err = import(p, t, end, outer, out);
			p->known = NULL;
			t += 2;
		} else if (p->brace_depth == 0 && is_snippet(t, end)) {
			p->directive = t->file == p->file ? t->text : "snippet";
			err = define_snippet(p, t, end, &t);
		} else {
			if (corefile_is_open(t))
				p->brace_depth++;
			else if (corefile_is_close(t) && p->brace_depth)
				p->brace_depth--;
			p->directive = "syntax";
			err = corefile_tokens_push(p, out, t++);
		}
	}
	p->directive = NULL;
	return err;
}
