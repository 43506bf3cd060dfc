/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * DNS over TLS to upstreams (RFC 7858): whom we trust, and who we say we are.
 *
 * Contract: TLS 1.2 and later. The chain is verified against the system's CAs or the one file of
 * the configuration, and the certificate must name the upstream (subjectAltName alone, as RFC 6125
 * has it). There is no way around that: who fails is not asked. No logging.
 */
#ifndef NODENS_UPSTREAM_TLS_H
#define NODENS_UPSTREAM_TLS_H

#include <openssl/ssl.h>

#include "base/sockaddr.h"
#include "config/corefile.h"
#include "upstream/upstream.h"

/*
 * What the connections of one forward share; the files of its `tls` are read now. -EINVAL with
 * @err: one of them cannot be used; -ENOMEM.
 */
int upstream_tls_open(const struct corefile_forward *forward, SSL_CTX **out, struct error *err);

/*
 * For a connection on @fd to @name, or to the address itself where @name is NULL. *session is of an
 * earlier connection, or NULL; later ones that the upstream offers are put there, for as long as
 * the connection lives. NULL: no memory.
 */
SSL *upstream_tls_connect(SSL_CTX *ctx, int fd, const union sockaddr_any *addr, const char *name,
			  SSL_SESSION **session);

/* Why @ssl, whose last call failed, failed. */
/* When the certificate that the peer has shown ends, in seconds since 1970; 0: not known. */
int64_t upstream_tls_ends(const SSL *ssl);
void upstream_tls_reason(SSL *ssl, char *text, size_t size);

#endif /* NODENS_UPSTREAM_TLS_H */
