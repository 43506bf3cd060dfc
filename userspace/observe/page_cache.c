// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Pages that several clients are sent. Contract: page_cache.h.
 */
#include "observe/page_cache.h"

#include <errno.h>
#include <event2/buffer.h>

#define FRESH_NS    (100 * NSEC_PER_MS)
#define FRESH_TIMES 20

static int make(struct page_cache *cache, const struct loop *loop,
		int (*render)(void *ctx, struct metrics_page *page), void *ctx)
{
	uint64_t began = loop__now(loop);
	struct metrics_page *page = metrics_page__new();
	int ret;

	if (!page)
		return -ENOMEM;
	ret = render(ctx, page);
	if (!ret && page->failed)
		ret = -ENOMEM;
	if (ret) {
		metrics_page__put(page);
		return ret;
	}
	metrics_page__put(cache->page);
	cache->page = page;
	cache->made_ns = began;
	cache->took_ns = loop__now(loop) - began;
	return 0;
}

static void page_sent(const void *data, size_t len, void *page)
{
	(void)data;
	(void)len;
	metrics_page__put(page);
}

int page_cache__get(struct page_cache *cache, const struct loop *loop,
		    int (*render)(void *ctx, struct metrics_page *page), void *ctx,
		    struct evbuffer *out)
{
	uint64_t fresh = FRESH_TIMES * cache->took_ns;
	int ret = 0;

	if (fresh < FRESH_NS)
		fresh = FRESH_NS;
	if (!cache->page || loop__now(loop) - cache->made_ns >= fresh)
		ret = make(cache, loop, render, ctx);
	if (ret)
		return ret;
	cache->page->refs++;
	if (!evbuffer_add_reference(out, cache->page->text, cache->page->len, page_sent,
				    cache->page))
		return 0;
	cache->page->refs--;
	return -ENOMEM;
}

void page_cache__clear(struct page_cache *cache)
{
	metrics_page__put(cache->page);
	*cache = (struct page_cache){ .page = NULL };
}
