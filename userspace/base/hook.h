/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where a program is attached to a device, as --hook names it.
 */
#ifndef NODENS_HOOK_H
#define NODENS_HOOK_H

enum hook { HOOK_AUTO, HOOK_TC, HOOK_XDP, HOOK_XDP_NATIVE, HOOK_XDP_GENERIC };
#define HOOKS (HOOK_XDP_GENERIC + 1)

/* "auto", "tc", "xdp", "xdp-native", "xdp-generic" */
extern const char *const hook_names[HOOKS];

#endif /* NODENS_HOOK_H */
