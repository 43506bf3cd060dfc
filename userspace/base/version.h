/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What this binary calls itself, for -version and coredns_build_info.
 *
 * Contract: a build may set both (make VERSION=1.2 REVISION=...), as packagers do; where it does
 * not, the revision is what git says of the tree, or "unknown".
 */
#ifndef NODENS_VERSION_H
#define NODENS_VERSION_H

extern const char version__number[], version__revision[];

#endif /* NODENS_VERSION_H */
