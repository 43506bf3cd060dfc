/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What `nodens status` reads, and how it prints that (status/status.h).
 *
 * Contract: status__read() reads, with an agent at work, hanging, dead or without the kernel path;
 * the printers print what was found, control characters never.
 */
#ifndef NODENS_CMD_STATUS_H
#define NODENS_CMD_STATUS_H

#include "datapath/datapath.h"
#include "status/status.h"

/*
 * -1: read; else an exit status, and it has been said why on stderr. status__free() in any case.
 */
int status__read(const char *bpffs, struct status *status);
/* Which pods are behind its devices, from that directory: -errno of pods__open(). */
int status__name_pods(struct status *status, const char *cni_results);
void status__free(struct status *status);

/* The counters of the programs (@dp NULL: there are none) and the agent, as they are; no evictions.
 */
void status__counters(struct datapath *dp, const char *dir, struct publish_base *out);

/* 0, EXIT_DEGRADED or EXIT_NOT_RUNNING; notices count for nothing. */
int status__exit(const struct status *status, const struct problems *problems);

/* A line that breaks between words at @columns, the rest of it indented. */
void status__print_wrapped(const char *text, unsigned int indent, unsigned int columns);
/* Of the terminal, or what COLUMNS says. */
unsigned int status__columns(void);

void status__print(const struct status *status, const struct problems *problems,
		   unsigned int columns);

#endif /* NODENS_CMD_STATUS_H */
