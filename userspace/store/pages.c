// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Memory for tables that are as long as what there may be, of which what is not used is not there.
 * Contract: see store_priv.h.
 */
#include <sys/mman.h>

#include "store_priv.h"

void *pages_open(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

void pages_close(void *pages, size_t bytes)
{
	if (pages)
		munmap(pages, bytes);
}
