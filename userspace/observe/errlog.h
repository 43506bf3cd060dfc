/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The errors plugin: why a query could not be answered, a line each, or one for many alike
 * (`consolidate`).
 *
 * Contract: lines go to a function, one at a time, without a newline and free of control
 * characters. The clock is the caller's. A pattern whose match takes too long does not match.
 */
#ifndef NODENS_ERRLOG_H
#define NODENS_ERRLOG_H

#include "config/corefile.h"
#include "dns/msg.h"
#include "base/log.h"

#define ERRLOG_REASON 512 /* octets of a reason that are shown */

struct errlog;

typedef void (*errlog_line)(void *ctx, enum log_level level, const char *text);

/*
 * The errors blocks of @cf, by block number; nothing of it is kept. -ENOMEM, or -EINVAL for a
 * regular expression that does not compile (the parser has tried them all).
 */
int errlog__open(const struct corefile *cf, errlog_line line, void *ctx, struct errlog **out);
/* Summaries that were due later are written first. */
void errlog__close(struct errlog *el);

/*
 * A query of @block ended in an error. @reason is what patterns are compared with, as CoreDNS words
 * it: "read udp 10.0.0.1:41234->10.0.0.10:53: i/o timeout". Nothing happens in a block without
 * `errors`.
 */
void errlog__event(struct errlog *el, size_t block, uint16_t rcode, const struct dns_name *qname,
		   uint16_t qtype, const char *reason, uint64_t now_ns);

/* Writes the summaries that are due: call every second. */
void errlog__tick(struct errlog *el, uint64_t now_ns);

#endif /* NODENS_ERRLOG_H */
