/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What this binary calls itself, for -version and coredns_build_info.
 *
 * Contract: a build may set both (-DNODENS_VERSION='"1.2"'), as packagers do.
 */
#ifndef NODENS_VERSION_H
#define NODENS_VERSION_H

#ifndef NODENS_VERSION
#define NODENS_VERSION "0.3.0-dev"
#endif
#ifndef NODENS_REVISION
#define NODENS_REVISION "unknown"
#endif

#endif /* NODENS_VERSION_H */
