// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * PEM files into OpenSSL's contexts. Contract: tls_files.h.
 */
#include "base/tls_files.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <unistd.h>

static int fail(struct error *err, const char *what, const char *path)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = code ? ERR_reason_error_string(code) : NULL;
	int ret;

	if (access(path, R_OK))
		why = strerror(errno);
	ret = error__set(err, -EINVAL, "cannot use the %s %s: %s", what, path,
			 why ? why : "the file holds none");
	ERR_clear_error();
	return ret;
}

/* A key under a password: there is nobody to ask. */
static int no_password(char *buf, int size, int writing, void *ctx)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

int tls_files__use(SSL_CTX *ctx, const char *cert, const char *key, struct error *err)
{
	ERR_clear_error();
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return fail(err, "certificate", cert);
	/* That the key is the certificate's is checked here, too. */
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return fail(err, "key", key);
	return 0;
}

int tls_files__trust(SSL_CTX *ctx, const char *ca, struct error *err)
{
	ERR_clear_error();
	return SSL_CTX_load_verify_file(ctx, ca) == 1 ? 0 : fail(err, "CA file", ca);
}
