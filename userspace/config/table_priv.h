/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Tables of directives and options: one row feeds the parser, its messages and the printer.
 *
 * The tables are in directives.c; statements.c reads statements by them, kinds.c knows what a row's
 * kind reads and prints.
 */
#ifndef NODENS_CONFIG_TABLE_PRIV_H
#define NODENS_CONFIG_TABLE_PRIV_H

#include "corefile_priv.h"

enum {
	ONCE = 1 << 0,	      /* a second one is an error */
	UNSUPPORTED = 1 << 1, /* node-cache has it; refused by name, or ignored where asked for */
	FLAT = 1 << 2,	      /* its block may be written instead of its arguments */
	REFUSED = 1 << 3,     /* CoreDNS has it, and it would not do to ignore it: usage says why */
	LOCAL = 1 << 4,
	OMIT = 1 << 5, /* not printed where it is 0 */
};

enum kind {		   /* at offset: */
	    KIND_CALL,	   /* what set() makes of it and print() prints */
	    KIND_FLAG,	   /* bool */
	    KIND_U32,	   /* uint32_t from min to max (0: any) */
	    KIND_DURATION, /* uint64_t nanoseconds */
	    KIND_TIMEOUT, /* uint64_t nanoseconds, 1s to 24h; a number without a unit is seconds; 0:
			   * not given */
	    KIND_CHOICE,  /* enum: index in choices */
	    KIND_RCODES,  /* uint16_t: bit n for rcode n */
	    KIND_REGEXES, /* struct corefile_strings */
	    KIND_RECORDS, /* struct corefile_strings: templates of RRs */
	    KIND_FALLTHROUGH, /* struct corefile_fallthrough */
	    KIND_LISTEN,      /* struct corefile_listen; min: the port where none is given, of all
			       * addresses or, with LOCAL, of 127.0.0.1 */
	    KIND_NOTHING,     /* accepted: there is nothing to it here */
};

enum base {
	BASE_BLOCK,    /* offsets count from the block */
	BASE_FORWARD,  /* from the forward that was begun last */
	BASE_TEMPLATE, /* from the template that was begun last */
};

struct table;

struct row {
	const char *name;
	const char *usage;
	unsigned int flags;
	size_t args_min, args_max;
	enum kind kind;
	size_t offset;
	int (*set)(struct corefile_parse *p, const struct corefile_statement *stmt);
	/* KIND_CALL's: print_priv.h. NULL: the directive prints it itself. */
	void (*print)(const char *option, const void *at, FILE *out);
	const struct table *options;
	/* What only the statement with all its options can get wrong. May be NULL. */
	int (*end)(struct corefile_parse *p, const struct corefile_statement *stmt);
	uint32_t min, max;
	const char *what; /* a number is called in messages */
	const char *const *choices;
};

struct table {
	const char *what; /* "directive" or "option" */
	enum base base;
	const struct row *rows;
	size_t len;
	/* What no row is named like; 1: it is not known either. May be NULL. */
	int (*other)(struct corefile_parse *p, const struct corefile_statement *stmt);
	const char *other_name;
};

#define COREFILE_ROWS_MAX 64 /* of one table */

/* directives.c */
extern const struct table corefile_directive_table;
/* NULL: there is none. */
const struct row *corefile_find_row(const struct table *table, const char *name);

/* kinds.c: a statement with a fitting number of arguments into the struct that it is of. */
int corefile_row_set(struct corefile_parse *p, const struct row *row, enum base base,
		     const struct corefile_statement *stmt);
/* The options of the directive @name; @base: the struct that their offsets count from. */
void corefile_print_options(const char *name, const void *base, FILE *out);

#endif /* NODENS_CONFIG_TABLE_PRIV_H */
