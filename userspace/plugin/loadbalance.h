/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The order of an answer's addresses: `loadbalance { prefer CIDR... }`.
 *
 * Contract: pure. Rotation itself is the reply's (dns/reply.c, bpf/reply.bpf.h); here is what it
 * goes round.
 */
#ifndef NODENS_LOADBALANCE_H
#define NODENS_LOADBALANCE_H

#include "plugin/plugin.h"

/*
 * The addresses in the first of @subnets come first, then those in the second, and so on, then all
 * others, each of these in the order that it had. The set that comes first rotates, the rest stays:
 * so every reply begins with one of those. An answer whose addresses do not rotate is left alone.
 */
void loadbalance__prefer(const struct corefile_subnet *subnets, size_t n, struct answer *answer);

extern const struct plugin loadbalance_plugin;

#endif /* NODENS_LOADBALANCE_H */
