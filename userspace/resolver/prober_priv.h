/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Files of names for the probe directive.
 */
#ifndef NODENS_PROBER_PRIV_H
#define NODENS_PROBER_PRIV_H

#include "config/corefile.h"

#define PROBE_FILE_MAX (1 << 20) /* octets of a file that is read */

struct probe_names {
	struct dns_name list[COREFILE_PROBE_MAX]; /* lower case, each once */
	size_t len;
	char problem[256]; /* "": none */
};

bool probe_names_have(const struct probe_names *names, const struct dns_name *name);
/*
 * A name a line, '#' begins a comment. Names that are none, or in no zone of @block, are left out,
 * and so are those beyond the list: problem says so. False: the file cannot be read, *out says why
 * and has no names.
 */
bool probe_names_read(const char *path, const struct corefile_block *block,
		      struct probe_names *out);

#endif /* NODENS_PROBER_PRIV_H */
