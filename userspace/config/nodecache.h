/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where the configuration comes from: a Corefile, or node-cache's Corefile.base with its
 * placeholders filled in and the stub domains of the kube-dns ConfigMap added.
 *
 * Contract: reads files, changes nothing; what is read is checked whole before it is handed out.
 * The base is taken where -basecorefile names it; else where it is at node-cache's own path and
 * nodens was started as node-cache is, or -conf's file does not exist. In mode front, where there
 * is neither, a built-in Corefile is taken. The text made of it is not written anywhere, messages
 * name the base's own lines, and its imports are relative to where -conf lies. Of the ConfigMap
 * nothing gets into that text: its domains and addresses become structs.
 */
#ifndef NODENS_CONF_H
#define NODENS_CONF_H

#include "config/corefile.h"
#include "config/flags.h"
#include "config/plan.h"

/* What was left out, for the log: lines without the octets of which lines are made. */
#define CONF_NOTES_MAX 16
struct conf_notes {
	char text[CONF_NOTES_MAX][256];
	size_t len;
};

/* Every file that was read or looked for, every glob, and what they were. */
struct conf_watch;

struct conf {
	struct corefile *cf;
	struct plan *plan;
	struct conf_watch *watch;
	struct conf_notes notes;
};

/* On failure out->watch alone is there: what was refused is looked at again once it changes. */
int conf__load(const struct run_options *opts, struct conf *out, struct error *err);
void conf__free(struct conf *conf);

/* Is it node-cache's base that is read? */
bool conf__from_base(const struct run_options *opts);

enum conf_change {
	CONF_SAME,
	CONF_CHANGED, /* conf__load() would read something else */
	CONF_MISSING, /* the Corefile, or its base, is not there */
};
/* Compared with what the parser was given, not with what is found afterwards. */
enum conf_change conf_watch__look(const struct conf_watch *watch, const struct run_options *opts);
void conf_watch__free(struct conf_watch *watch);

#endif /* NODENS_CONF_H */
