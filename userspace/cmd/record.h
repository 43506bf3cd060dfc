/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Records as text, as zone files and dig have them (RFC 1035, 5.1).
 */
#ifndef NODENS_CMD_RECORD_H
#define NODENS_CMD_RECORD_H

#include <ldns/ldns.h>

/* The rdata, malloc'd; NULL: no memory. Printable ASCII: what else there is, is escaped. */
char *record__data(const ldns_rr *rr);

#endif /* NODENS_CMD_RECORD_H */
