/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where the configuration comes from: a Corefile, or node-cache's Corefile.base with its
 * placeholders filled in and the stub domains of the kube-dns ConfigMap added.
 *
 * Contract: reads files, changes nothing; what is read is checked whole before it is handed out.
 * The base is taken where -basecorefile names it; else where it is at node-cache's own path and
 * nodens was started as node-cache is, or -conf's file does not exist. The text made of it is not
 * written anywhere, and messages name the base's own lines.
 */
#ifndef NODENS_CONF_H
#define NODENS_CONF_H

#include "corefile.h"
#include "options.h"
#include "plan.h"

struct conf {
	struct corefile *cf;
	struct plan *plan;
	uint64_t fingerprint; /* of all that was read */
	char note[256];	      /* what was left out, for the log; "" if nothing */
};

int conf__load(const struct run_options *opts, struct conf *out, struct options_error *err);
void conf__free(struct conf *conf);

/* Is it node-cache's base that is read? */
bool conf__from_base(const struct run_options *opts);

/* What conf__load() would read now, as a number; 0 while a file is not there. */
uint64_t conf__fingerprint(const struct run_options *opts, const struct corefile *cf);

/*
 * The Corefile's text before it is parsed, malloc'd; *path names it in messages. For tests.
 */
int conf__text(const struct run_options *opts, char **text, const char **path, char note[256],
	       struct options_error *err);

#endif /* NODENS_CONF_H */
