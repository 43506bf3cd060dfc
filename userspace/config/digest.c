// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What tells one configuration from another. Contract: corefile.h.
 */
#include <errno.h>
#include <ldns/sha2.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/corefile.h"

_Static_assert(COREFILE_DIGEST == 2 * LDNS_SHA512_DIGEST_LENGTH + 1, "in hexadecimal, and a zero");

int corefile__digest(const struct corefile *cf, char hex[COREFILE_DIGEST])
{
	uint8_t digest[LDNS_SHA512_DIGEST_LENGTH];
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int ret;

	if (!out)
		return -ENOMEM;
	corefile__print(cf, out);
	ret = fclose(out) ? -ENOMEM : 0;
	if (!ret) {
		/* Not OpenSSL's, which sets up all its algorithms first: 2 MB that stay. */
		ldns_sha512((const uint8_t *)text, len, digest);
		for (size_t i = 0; i < sizeof(digest); i++)
			snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	}
	free(text);
	return ret;
}
