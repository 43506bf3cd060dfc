// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Fuzz target of libcni's cache: any octets are read, and what comes out can be printed.
 */
#include "link/cni_result.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void check(const char *text, size_t size)
{
	if (!memchr(text, '\0', size))
		abort();
	for (; *text; text++) {
		if (!isalnum((unsigned char)*text) && !strchr("-._", *text))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cni_result result;

	if (cni_result__parse((const char *)data, size, &result))
		return 0;
	check(result.pod.ns, sizeof(result.pod.ns));
	check(result.pod.name, sizeof(result.pod.name));
	if (!*result.pod.name || result.n_addrs > CNI_MAX_ADDRS ||
	    result.n_devices > CNI_MAX_DEVICES)
		abort();
	return 0;
}
