/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What print.c, print_value.c and the tables of directives.c share: statements written so that they
 * are read as what they were.
 */
#ifndef NODENS_CONFIG_PRINT_PRIV_H
#define NODENS_CONFIG_PRINT_PRIV_H

#include "corefile_priv.h"

#define OPTION	  "        "
#define DIRECTIVE "    "

/* print_value.c: after a blank, but for addresses. */
/* corefile_value_text() has refused what can be written neither way. */
void print_text(const char *text, FILE *out);
void print_ip(const union sockaddr_any *addr, FILE *out);
/* With its port; @name: of a TLS server, or "". */
void print_named_addr(const union sockaddr_any *addr, const char *name, FILE *out);
/* In the largest unit that loses nothing. */
void print_duration(uint64_t ns, FILE *out);
void print_zones(const struct corefile_zones *zones, FILE *out);
void print_type(uint16_t type, FILE *out);
/* A number where there is no name. */
void print_rcode(uint16_t rcode, FILE *out);
void print_class(uint16_t class, FILE *out);

/* print_option.c: options of which a kind alone does not say all; each a whole statement, or
 * nothing where it need not be written. @at: what the row's offset is of. */
#define COREFILE_PRINTER(name) void print_##name(const char *option, const void *at, FILE *out)
COREFILE_PRINTER(consolidate);
COREFILE_PRINTER(side);
COREFILE_PRINTER(disable);
COREFILE_PRINTER(prefetch);
COREFILE_PRINTER(serve_stale);
COREFILE_PRINTER(serve_stale_policy);
COREFILE_PRINTER(servfail);
COREFILE_PRINTER(template_rcode);
COREFILE_PRINTER(ederror);
COREFILE_PRINTER(except);
COREFILE_PRINTER(health_check);
COREFILE_PRINTER(source_address);
COREFILE_PRINTER(tls);
COREFILE_PRINTER(tls_servername);
COREFILE_PRINTER(maxtcpqueries);
COREFILE_PRINTER(expect);

#endif /* NODENS_CONFIG_PRINT_PRIV_H */
