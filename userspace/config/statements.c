// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The loop that reads statements by the tables of directives.c.
 * Contract: corefile_priv.h, table_priv.h.
 */
#include "table_priv.h"

#include <errno.h>
#include <string.h>

static const char *allowed(const struct table *table, char *out, size_t size)
{
	size_t n = 0;

	snprintf(out, size, "nothing");
	for (size_t i = 0; i < table->len && n < size; i++) {
		if (!(table->rows[i].flags & (UNSUPPORTED | REFUSED)))
			n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "",
					      table->rows[i].name);
	}
	if (table->other_name && n < size)
		snprintf(out + n, size - n, ", %s", table->other_name);
	return out;
}

/* The tokens from p->at on as one line: name, arguments, '{' or not; p->at moves past it. */
static int next_statement(struct corefile_parse *p, struct corefile_statement *stmt)
{
	const struct corefile_token *first = &p->tokens.list[p->at],
				    *end = p->tokens.list + p->tokens.len;
	const struct corefile_token *last = first, *t;
	size_t len;

	for (t = first + 1; t < end && !t->starts_line && !corefile_is_open(t); last = t++) {
		if (corefile_is_close(t))
			return corefile_fail(
				p, t, "'}' follows other words; write it on a line of its own");
	}
	for (const struct corefile_token *arg = first + 1; arg <= last; arg++) {
		if (!*arg->text)
			return corefile_fail(p, arg,
					     "an argument is empty; write a value, or set the "
					     "variable that it comes from");
	}
	len = strlen(last->text);
	if (!last->literal && len > 1 && last->text[len - 1] == '{' && last->text[len - 2] != '{')
		return corefile_fail(p, last, "'%s' ends in '{'; put a blank before the '{'",
				     corefile_show(p, last->text));
	*stmt = (struct corefile_statement){
		.name = first,
		.args = first + 1,
		.args_len = (size_t)(last - first),
		.has_block = t < end && !t->starts_line && corefile_is_open(t),
	};
	if (t < end && t->starts_line && corefile_is_open(t))
		return corefile_fail(p, t,
				     "'{' starts a line; write it at the end of the line before");
	p->at = (size_t)(t - p->tokens.list) + stmt->has_block;
	return 0;
}

static int read_statements(struct corefile_parse *p, const struct table *table,
			   const struct corefile_token *opener, bool braced);

/* Its block goes with it, whatever it holds. */
static int skip_unsupported(struct corefile_parse *p, const struct corefile_token *name,
			    const struct corefile_statement *stmt)
{
	unsigned int depth = stmt->has_block;

	if (!p->options->ignore_unsupported)
		return corefile_fail(p, name,
				     "not supported by nodens; take it out, or start nodens with "
				     "-ignore-unsupported");
	for (; depth && p->at < p->tokens.len; p->at++) {
		depth += corefile_is_open(&p->tokens.list[p->at]);
		depth -= corefile_is_close(&p->tokens.list[p->at]);
	}
	if (depth)
		return corefile_fail(p, name, "its '{' has no '}' before the end");
	return corefile_warn(p, name, "not supported by nodens: ignored");
}

/* What the block holds becomes further arguments: lines mean nothing in it. */
static int flatten(struct corefile_parse *p, struct corefile_statement *stmt)
{
	size_t end = p->at, n = stmt->args_len;
	struct corefile_token *args;

	while (end < p->tokens.len && !corefile_is_close(&p->tokens.list[end]) &&
	       !corefile_is_open(&p->tokens.list[end]))
		end++;
	if (end == p->tokens.len || corefile_is_open(&p->tokens.list[end]))
		return corefile_fail(p, stmt->name, "its '{' has no '}' before the %s",
				     end == p->tokens.len ? "end" : "next '{'");
	args = corefile_mem_alloc(p->scratch, (n + end - p->at + 1) * sizeof(*args));
	if (!args)
		return corefile_nomem(p);
	memcpy(args, stmt->args, n * sizeof(*args));
	memcpy(args + n, &p->tokens.list[p->at], (end - p->at) * sizeof(*args));
	stmt->args = args;
	stmt->args_len = n + end - p->at;
	stmt->has_block = false;
	p->at = end + 1;
	return 0;
}

/* The statement at p->at, which @row is of. */
static int read_known(struct corefile_parse *p, const struct table *table, const struct row *row,
		      const struct corefile_token *name, const struct corefile_token **seen)
{
	struct corefile_statement stmt;
	int err;

	if (row->flags & REFUSED)
		return corefile_fail(p, name, "not supported by nodens: %s", row->usage);
	err = next_statement(p, &stmt);
	if (err)
		return err;
	if (row->flags & UNSUPPORTED)
		return skip_unsupported(p, name, &stmt);
	if ((row->flags & FLAT) && stmt.has_block)
		err = flatten(p, &stmt);
	if (err)
		return err;
	if ((row->flags & ONCE) && seen[row - table->rows])
		return corefile_fail(p, name, "already given at line %u; write it once",
				     seen[row - table->rows]->line);
	seen[row - table->rows] = name;
	if (stmt.args_len < row->args_min || stmt.args_len > row->args_max)
		return corefile_fail(p, name, "%zu argument%s given; write %s", stmt.args_len,
				     stmt.args_len == 1 ? " is" : "s are", row->usage);
	if (stmt.has_block && !row->options)
		return corefile_fail(p, name, "it takes no block; write %s", row->usage);
	err = corefile_row_set(p, row, table->base, &stmt);
	if (!err && stmt.has_block)
		err = read_statements(p, row->options, name, true);
	if (!err && row->end)
		err = row->end(p, &stmt);
	return err;
}

static int read_statement(struct corefile_parse *p, const struct table *table,
			  const struct corefile_token **seen)
{
	const struct corefile_token *name = &p->tokens.list[p->at], *outer = p->known;
	const char **context = table == &corefile_directive_table ? &p->directive : &p->option;
	struct corefile_statement stmt;
	const struct row *row;
	char list[400];
	int err;

	if (corefile_is_open(name))
		return corefile_fail(p, name,
				     "'{' has nothing before it; write it after a directive");
	/* Of another file: not before it is known what it is. */
	if (name->file == p->file)
		*context = name->text;
	if (table->other) {
		size_t at = p->at;

		err = next_statement(p, &stmt);
		if (!err)
			err = table->other(p, &stmt);
		if (err <= 0)
			return err;
		p->at = at;
	}
	row = corefile_find_row(table, name->text);
	if (!row)
		return corefile_fail(p, name, "unknown %s; allowed: %s", table->what,
				     allowed(table, list, sizeof(list)));
	*context = name->text;
	p->known = name;
	err = read_known(p, table, row, name, seen);
	p->known = outer;
	return err;
}

static int read_statements(struct corefile_parse *p, const struct table *table,
			   const struct corefile_token *opener, bool braced)
{
	const struct corefile_token *seen[COREFILE_ROWS_MAX] = { NULL };
	const char *directive = p->directive;
	const struct corefile_token *t;
	int err;

	while (p->at < p->tokens.len) {
		t = &p->tokens.list[p->at];
		if (corefile_is_close(t)) {
			if (!braced)
				return corefile_fail(p, t,
						     "'}' closes nothing; take it out or write the "
						     "'{' that it closes");
			p->at++;
			if (table != &corefile_directive_table && p->at < p->tokens.len &&
			    !t[1].starts_line && !corefile_is_close(&t[1]))
				return corefile_fail(
					p, &t[1], "'%s' follows '}'; write it on a line of its own",
					corefile_show(p, t[1].text));
			return 0;
		}
		err = read_statement(p, table, seen);
		if (err)
			return err;
		p->directive = directive;
		p->option = NULL;
	}
	if (braced)
		return corefile_fail(p, opener,
				     "its '{' has no '}' before the end; close it with '}' on a "
				     "line of its own");
	return 0;
}

bool corefile_is_directive(const char *name)
{
	return corefile_find_row(&corefile_directive_table, name);
}

static void print_forms(const struct table *table, const char *indent, FILE *out)
{
	for (const struct row *row = table->rows; row < table->rows + table->len; row++) {
		if (row->flags & (UNSUPPORTED | REFUSED))
			continue;
		fprintf(out, "%s%s\n", indent, row->usage);
		if (row->options)
			print_forms(row->options, "    ", out);
	}
	if (table->other_name)
		fprintf(out, "%s%s\n", indent, table->other_name);
}

void corefile__print_forms(FILE *out)
{
	print_forms(&corefile_directive_table, "", out);
}

int corefile_directives(struct corefile_parse *p, bool braced, const struct corefile_token *key)
{
	return read_statements(p, &corefile_directive_table, key, braced);
}
