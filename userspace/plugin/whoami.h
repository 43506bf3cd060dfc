/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The whoami plugin: tells a client its own address and port.
 */
#ifndef NODENS_WHOAMI_H
#define NODENS_WHOAMI_H

#include "plugin/plugin.h"

/* The address as A or AAAA, the port as SRV _udp or _tcp, both additional, with a TTL of 0. */
extern const struct plugin whoami_plugin;

#endif /* NODENS_WHOAMI_H */
