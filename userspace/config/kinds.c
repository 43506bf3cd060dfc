// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What each kind of option reads, and how it is printed. Contract: table_priv.h.
 */
#include "print_priv.h"
#include "table_priv.h"

#include <string.h>

#include "base/clock.h"
#include "config/template_text.h"
#include "dns/msg.h"

#define TIMEOUT_MAX_S 86400

static int set_u32(struct corefile_parse *p, const struct row *row, uint32_t *out,
		   const struct corefile_token *arg)
{
	return corefile_value_u32(p, arg, row->min, row->max ? row->max : UINT32_MAX,
				  row->what ? row->what : "number", out);
}

static int set_timeout(struct corefile_parse *p, uint64_t *out, const struct corefile_token *arg)
{
	bool number = arg->text[strspn(arg->text, "0123456789")] == '\0';
	uint32_t seconds;
	uint64_t ns;
	int err;

	if (number) {
		err = corefile_value_u32(p, arg, 1, TIMEOUT_MAX_S, "number of seconds", &seconds);
		ns = seconds * NSEC_PER_SEC;
	} else {
		err = corefile_value_duration(p, arg, &ns);
	}
	if (err)
		return err;
	if (ns < NSEC_PER_SEC || ns > TIMEOUT_MAX_S * NSEC_PER_SEC)
		return corefile_fail(p, arg, "'%s' is out of range; write 1s to 24h",
				     corefile_show(p, arg->text));
	*out = ns;
	return 0;
}

static int set_choice(struct corefile_parse *p, const struct row *row, unsigned int *out,
		      const struct corefile_token *arg)
{
	char allowed[64] = "";

	for (unsigned int i = 0; row->choices[i]; i++) {
		if (strcmp(arg->text, row->choices[i]) == 0) {
			*out = i;
			return 0;
		}
		snprintf(allowed + strlen(allowed), sizeof(allowed) - strlen(allowed), "%s%s",
			 i ? ", " : "", row->choices[i]);
	}
	return corefile_fail(p, arg, "unknown %s '%s'; allowed: %s", row->name,
			     corefile_show(p, arg->text), allowed);
}

/* Bits of rcodes below 16: no other can be in an answer's header. */
static int set_rcodes(struct corefile_parse *p, uint16_t *rcodes,
		      const struct corefile_statement *stmt)
{
	int err = 0;

	for (size_t i = 0; !err && i < stmt->args_len; i++) {
		uint16_t rcode = 0;

		err = corefile_value_rcode(p, &stmt->args[i], &rcode);
		if (!err)
			*rcodes |= 1u << rcode;
	}
	return err;
}

static int add_string(struct corefile_parse *p, struct corefile_strings *strings,
		      const struct corefile_token *at)
{
	const char *text;
	int err = corefile_value_text(p, at, &text);

	return err ? err : corefile_append(p, &strings->list, &strings->len, &text, sizeof(text));
}

static int check_record(struct corefile_parse *p, const struct corefile_token *arg)
{
	char why[256];

	if (!strpbrk(arg->text, " \t"))
		return corefile_fail(p, arg,
				     "'%s' is not a record; write it in quotes, as in "
				     "\"{{ .Name }} 60 IN A 192.0.2.1\"",
				     corefile_show(p, arg->text));
	return record_template__check(arg->text, why, sizeof(why))
		       ? corefile_fail(p, arg, "%s", why)
		       : 0;
}

static int set_strings(struct corefile_parse *p, enum kind kind, struct corefile_strings *strings,
		       const struct corefile_statement *stmt)
{
	const char *unused;
	int err = 0;

	for (size_t i = 0; !err && i < stmt->args_len; i++) {
		const struct corefile_token *arg = &stmt->args[i];

		err = kind == KIND_REGEXES ? corefile_value_regex(p, arg, &unused)
					   : check_record(p, arg);
		if (!err)
			err = add_string(p, strings, arg);
	}
	return err;
}

static int set_fallthrough(struct corefile_parse *p, struct corefile_fallthrough *out,
			   const struct corefile_statement *stmt)
{
	out->on = true;
	return corefile_value_zones(p, stmt->args, stmt->args_len, &out->zones);
}

static int set_listen(struct corefile_parse *p, const struct row *row, struct corefile_listen *out,
		      const struct corefile_statement *stmt)
{
	const char *host = row->flags & LOCAL ? "127.0.0.1" : "::";
	int err = stmt->args_len ? corefile_value_listen(p, &stmt->args[0], &out->addr)
				 : sockaddr__parse_ip(host, row->min, &out->addr);

	out->enabled = !err;
	return err;
}

int corefile_row_set(struct corefile_parse *p, const struct row *row, enum base base,
		     const struct corefile_statement *stmt)
{
	struct corefile_block *b = p->block;
	char *at = (char *)b + row->offset;

	if (base == BASE_FORWARD)
		at = (char *)p->forward + row->offset;
	else if (base == BASE_TEMPLATE)
		at = (char *)&b->templates[b->templates_len - 1] + row->offset;
	switch (row->kind) {
	case KIND_FLAG:
		*(bool *)at = true;
		return 0;
	case KIND_U32:
		return set_u32(p, row, (uint32_t *)at, &stmt->args[0]);
	case KIND_DURATION:
		return corefile_value_duration(p, &stmt->args[0], (uint64_t *)at);
	case KIND_TIMEOUT:
		return set_timeout(p, (uint64_t *)at, &stmt->args[0]);
	case KIND_CHOICE:
		return set_choice(p, row, (unsigned int *)at, &stmt->args[0]);
	case KIND_RCODES:
		return set_rcodes(p, (uint16_t *)at, stmt);
	case KIND_REGEXES:
	case KIND_RECORDS:
		return set_strings(p, row->kind, (struct corefile_strings *)at, stmt);
	case KIND_FALLTHROUGH:
		return set_fallthrough(p, (struct corefile_fallthrough *)at, stmt);
	case KIND_LISTEN:
		return set_listen(p, row, (struct corefile_listen *)at, stmt);
	case KIND_NOTHING:
		return 0;
	case KIND_CALL:
		break;
	}
	return row->set(p, stmt);
}

static void print_strings(const char *option, const struct corefile_strings *strings, FILE *out)
{
	for (size_t i = 0; i < strings->len; i++) {
		fprintf(out, OPTION "%s", option);
		print_text(strings->list[i], out);
		fputc('\n', out);
	}
}

static void print_rcodes(uint16_t rcodes, FILE *out)
{
	for (unsigned int rcode = 0; rcode <= DNS_RCODE; rcode++) {
		if (rcodes >> rcode & 1)
			print_rcode(rcode, out);
	}
}

/* Need it be written, if it is a single statement? */
static bool is_given(const struct row *row, const void *at)
{
	switch (row->kind) {
	case KIND_FLAG:
		return *(const bool *)at;
	case KIND_DURATION:
		return !(row->flags & OMIT) || *(const uint64_t *)at;
	case KIND_TIMEOUT:
		return *(const uint64_t *)at;
	case KIND_RCODES:
		return *(const uint16_t *)at;
	case KIND_FALLTHROUGH:
		return ((const struct corefile_fallthrough *)at)->on;
	case KIND_U32:
	case KIND_CHOICE:
		return true;
	default:
		return false;
	}
}

static void print_option(const struct row *row, const void *at, FILE *out)
{
	if (row->kind == KIND_REGEXES || row->kind == KIND_RECORDS)
		print_strings(row->name, at, out);
	if (row->kind == KIND_CALL && row->print)
		row->print(row->name, at, out);
	if (!is_given(row, at))
		return;
	fprintf(out, OPTION "%s", row->name);
	if (row->kind == KIND_U32)
		fprintf(out, " %u", *(const uint32_t *)at);
	else if (row->kind == KIND_DURATION || row->kind == KIND_TIMEOUT)
		print_duration(*(const uint64_t *)at, out);
	else if (row->kind == KIND_CHOICE)
		fprintf(out, " %s", row->choices[*(const unsigned int *)at]);
	else if (row->kind == KIND_RCODES)
		print_rcodes(*(const uint16_t *)at, out);
	else if (row->kind == KIND_FALLTHROUGH)
		print_zones(&((const struct corefile_fallthrough *)at)->zones, out);
	fputc('\n', out);
}

void corefile_print_options(const char *name, const void *base, FILE *out)
{
	const struct table *table = corefile_find_row(&corefile_directive_table, name)->options;

	for (size_t i = 0; i < table->len; i++)
		print_option(&table->rows[i], (const char *)base + table->rows[i].offset, out);
}
