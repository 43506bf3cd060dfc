/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A page that is made when somebody asks for it, and not again for whoever asks soon after.
 *
 * Contract: made anew when the last one is older than 100 ms and than twenty times what it took:
 * whoever asks all the time costs a twentieth of a CPU at most. All zero is a cache without a page.
 */
#ifndef NODENS_PAGE_CACHE_H
#define NODENS_PAGE_CACHE_H

#include "base/loop.h"
#include "observe/metrics_page.h"

struct evbuffer;

struct page_cache {
	struct metrics_page *page; /* the last one; NULL: none yet */
	uint64_t made_ns, took_ns;
};

/* Appends the page to @out. @render: 0 or -errno, which is returned; or -ENOMEM. */
int page_cache__get(struct page_cache *cache, const struct loop *loop,
		    int (*render)(void *ctx, struct metrics_page *page), void *ctx,
		    struct evbuffer *out);
void page_cache__clear(struct page_cache *cache);

#endif /* NODENS_PAGE_CACHE_H */
