// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The page and what its browser may do. Contract: page.h.
 */
/*
 * SHA-256 by the functions that OpenSSL 3 deprecates: those it recommends load its providers first,
 * which is 120 KB of the process' own memory and 1.9 MB of libcrypto's, and nothing else may need
 * them.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "observe/page.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "observe/http.h"

#define BASE64_SIZE 45 /* of that, and a NUL */

/* Relative to where make runs; a NUL behind it. */
asm(".pushsection .rodata, \"a\"\n"
    "page_html: .incbin \"userspace/observe/page.html\"\n"
    ".byte 0\n"
    ".popsection\n");

extern const char page_html[] __attribute__((visibility("hidden")));

/* Of the only element of its kind (CSP 3, 6.7.2.3: the octets between its tags). False: none. */
static bool hash_of(const char *tag, const char *end_tag, char base64[BASE64_SIZE])
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	const char *text = strstr(page_html, tag);
	const char *end = text ? strstr(text, end_tag) : NULL;
	SHA256_CTX ctx;

	if (!end)
		return false;
	text += strlen(tag);
	if (!SHA256_Init(&ctx) || !SHA256_Update(&ctx, text, end - text) ||
	    !SHA256_Final(sum, &ctx))
		return false;
	EVP_EncodeBlock((unsigned char *)base64, sum, sizeof(sum));
	return true;
}

/* The page is always the same, so this is made once. */
static const char *headers(void)
{
	static char text[1024];
	char style[BASE64_SIZE], script[BASE64_SIZE];

	if (!text[0] && hash_of("<style>", "</style>", style) &&
	    hash_of("<script>", "</script>", script))
		snprintf(text, sizeof(text),
			 PAGE_HEADERS
			 "Content-Security-Policy: default-src 'none'; "
			 "style-src 'sha256-%s'; script-src 'sha256-%s'; "
			 "connect-src 'self'; img-src data:; base-uri 'none'; "
			 "form-action 'none'; frame-ancestors 'none'; "
			 "require-trusted-types-for 'script'; trusted-types 'none'\r\n",
			 style, script);
	return text[0] ? text : NULL;
}

void page__reply(struct http_reply *reply)
{
	const char *with = headers();

	if (!with ||
	    evbuffer_add_reference(reply->body, page_html, strlen(page_html), NULL, NULL)) {
		reply->status = 500;
		return;
	}
	reply->type = "text/html; charset=utf-8";
	reply->headers = with;
}
