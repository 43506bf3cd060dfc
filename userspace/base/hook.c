// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "base/hook.h"

#include <errno.h>
#include <string.h>

const char *const hook_names[HOOKS] = {
	[HOOK_AUTO] = "auto",
	[HOOK_TC] = "tc",
	[HOOK_XDP] = "xdp",
	[HOOK_XDP_NATIVE] = "xdp-native",
	[HOOK_XDP_GENERIC] = "xdp-generic",
};

int hook__parse(const char *text, enum hook *hook)
{
	for (int i = 0; i < HOOKS; i++) {
		if (!strcmp(text, hook_names[i])) {
			*hook = i;
			return 0;
		}
	}
	return -EINVAL;
}
