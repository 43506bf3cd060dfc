/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is counted of each upstream's address: kept over reloads, shared by all
 * forwards that name it.
 *
 * Contract: of the upstream modules only; upstreams__metrics() hands it out.
 */
#ifndef NODENS_UPSTREAM_METRICS_H
#define NODENS_UPSTREAM_METRICS_H

#include <netinet/in.h>

#include "observe/metrics.h"

struct upstream;
struct upstreams;

/* "10.0.0.10:53", "[fd00::10]:53" */
#define UPSTREAM_ADDR_TEXT (INET6_ADDRSTRLEN + sizeof("[]:65535"))
void upstream_addr_text(const struct sockaddr_storage *addr, char *text, size_t size);

struct upstream_numbers {
	unsigned int refs; /* generations that hold it */
	struct sockaddr_storage addr;
	char to[UPSTREAM_ADDR_TEXT];
	struct metrics_upstream v;
};

/* Sets upstream->numbers; -ENOMEM. */
int upstream_numbers__open(struct upstreams *ups, struct upstream *upstream);
/* Count on where @before counts. */
void upstream_numbers__inherit(struct upstreams *ups, const struct upstreams *before);
void upstream_numbers__close_all(struct upstreams *ups);

#endif /* NODENS_UPSTREAM_METRICS_H */
