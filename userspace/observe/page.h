/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The page at /, page.html, as a reply.
 *
 * Contract: the file is part of the binary as it is. Its Content-Security-Policy allows its own
 * style and its own script by their hashes, /status.json beside it, and nothing else: a browser
 * runs nothing that a figure's text brings, and asks no other server for anything.
 */
#ifndef NODENS_PAGE_H
#define NODENS_PAGE_H

struct http_reply;

/* Of the page and of its figures. */
#define PAGE_HEADERS                          \
	"Cache-Control: no-store\r\n"         \
	"Referrer-Policy: no-referrer\r\n"    \
	"X-Content-Type-Options: nosniff\r\n" \
	"Cross-Origin-Resource-Policy: same-origin\r\n"

/* Status 500 where the hashes cannot be had. */
void page__reply(struct http_reply *reply);

#endif /* NODENS_PAGE_H */
