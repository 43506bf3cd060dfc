/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Certificates, keys and authorities out of PEM files.
 *
 * Contract: -EINVAL with @err, "cannot use the key /etc/k: no start line", if a file cannot be
 * used. OpenSSL's queue of errors is empty before and afterwards.
 */
#ifndef NODENS_TLS_FILES_H
#define NODENS_TLS_FILES_H

#include <openssl/ssl.h>

#include "base/error.h"

/* What @ctx shows of itself. The key is the certificate's, and under no password. */
int tls_files__use(SSL_CTX *ctx, const char *cert, const char *key, struct error *err);
/* By whose signature @ctx believes others. */
int tls_files__trust(SSL_CTX *ctx, const char *ca, struct error *err);

#endif /* NODENS_TLS_FILES_H */
