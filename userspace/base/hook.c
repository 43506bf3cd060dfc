// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "base/hook.h"

const char *const hook_names[HOOKS] = {
	[HOOK_AUTO] = "auto",
	[HOOK_TC] = "tc",
	[HOOK_XDP] = "xdp",
	[HOOK_XDP_NATIVE] = "xdp-native",
	[HOOK_XDP_GENERIC] = "xdp-generic",
};
